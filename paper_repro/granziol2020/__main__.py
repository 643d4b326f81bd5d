"""`python -m corollary.paper_repro.granziol2020 [options]` is `corollary reproduce granziol2020 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "granziol2020"]
    main()
