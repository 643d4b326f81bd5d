"""A progress bar for whatever calls progress(done, all, message)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 30


def bar(stream: TextIO | None = None) -> Callable[[int, int, str], None]:
    """One line on `stream` (standard error): bar, done/all, seconds left at the pace so far, and the call's message.

    The message of the first call, with nothing done, stands on a line above.
    """
    begun = time.monotonic()

    def show(done: int, every: int, message: str) -> None:
        out = sys.stderr if stream is None else stream
        if message and not done:
            print(message, file=out)
            message = ""
        full = WIDTH * done // every
        seconds = time.monotonic() - begun
        left = f"{seconds * (every - done) / done:.0f} s left" if 0 < done < every else f"{seconds:.0f} s"
        line = f"[{'#' * full}{'.' * (WIDTH - full)}] {done}/{every}, {left} {message}".rstrip()
        print("\r" + line.ljust(60), end="\n" if done >= every else "", file=out, flush=True)

    return show
