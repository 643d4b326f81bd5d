"""`python -m corollary.paper_repro.pascanu2014 [options]` is `corollary reproduce pascanu2014 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "pascanu2014"]
    main()
