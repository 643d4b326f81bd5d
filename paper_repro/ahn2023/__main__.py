"""`python -m corollary.paper_repro.ahn2023 [options]` is `corollary reproduce ahn2023 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "ahn2023"]
    main()
