"""`python -m corollary.paper_repro.penningtonbahri2017` is `corollary reproduce penningtonbahri2017`, options too."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "penningtonbahri2017"]
    main()
