"""`python -m corollary.paper_repro.bai2022 [options]` is `corollary reproduce bai2022 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "bai2022"]
    main()
