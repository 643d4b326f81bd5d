"""`python -m corollary.paper_repro.tarzanagh2023` is `corollary reproduce tarzanagh2023`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "tarzanagh2023"]
    main()
