"""`python -m corollary.paper_repro.kumar2023grokking [options]` runs `corollary reproduce` on this paper."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "kumar2023grokking"]
    main()
