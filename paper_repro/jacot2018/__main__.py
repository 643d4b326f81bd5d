"""`python -m corollary.paper_repro.jacot2018 [options]` is `corollary reproduce jacot2018 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "jacot2018"]
    main()
