"""`python -m corollary.paper_repro.wu2023stability [options]` is `corollary reproduce wu2023stability [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "wu2023stability"]
    main()
