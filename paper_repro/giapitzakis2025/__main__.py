"""`python -m corollary.paper_repro.giapitzakis2025 [options]` is `corollary reproduce giapitzakis2025 [options]`."""

import sys

from corollary.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["reproduce", "giapitzakis2025"]
    main()
