"""`python -m corollary.paper_repro.yang2019 [options]` is `corollary reproduce yang2019 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "yang2019"]
    main()
