"""`python -m corollary.paper_repro.mishkin2023optimal` is `corollary reproduce mishkin2023optimal`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "mishkin2023optimal"]
    main()
