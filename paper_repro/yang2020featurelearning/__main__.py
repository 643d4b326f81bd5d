"""`python -m corollary.paper_repro.yang2020featurelearning [options]` runs `corollary reproduce` on this paper."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "yang2020featurelearning"]
    main()
