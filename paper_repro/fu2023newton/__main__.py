"""`python -m corollary.paper_repro.fu2023newton [options]` is `corollary reproduce fu2023newton [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "fu2023newton"]
    main()
