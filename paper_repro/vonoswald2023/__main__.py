"""`python -m corollary.paper_repro.vonoswald2023 [options]` is `corollary reproduce vonoswald2023 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "vonoswald2023"]
    main()
