"""python -m corollary.verdicts.calibration [--write DOCUMENT.md] [--share .1]: print or write the table."""

import argparse
import sys
from pathlib import Path

from corollary.verdicts.calibration.table import measure, render, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m corollary.verdicts.calibration", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="DOCUMENT.md", help="put the table between the marks in it")
    parser.add_argument("--share", type=float, default=1.0, help="of the runs (default all, some minutes)")
    options = parser.parse_args()
    measured = measure(options.share, progress=lambda text: print(text, file=sys.stderr))
    if options.write:
        write(options.write, measured)
    else:
        print(render(measured))


if __name__ == "__main__":
    main()
