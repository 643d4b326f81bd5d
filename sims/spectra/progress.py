"""A progress bar for whatever calls progress(done, all, message), and operators whose products are reported to one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TextIO

from corollary.arrays import Array
from corollary.sims.spectra.operators import Operator

Progress = Callable[[int, int, str], None]
WIDTH = 30
COLUMNS = 8  # of a block, between two reports


def memory_told(A: Operator, vectors: int) -> str:
    """How much `vectors` vectors of A take."""
    size = vectors * A.n * (4 if str(A.example.dtype).endswith("float32") else 8)
    return f"{vectors} vectors of {A.n}: {size / 2**20:.0f} MiB"


def watched(A: Operator, every: int, told: str, progress: Progress | None) -> Operator:
    """A whose products are reported: progress(0, every, told) now, then after each eight columns of a block.

    Without progress, A itself.
    """
    if progress is None:
        return A
    done = 0

    def product(V: Array) -> Array:
        nonlocal done
        parts = []
        for start in range(0, V.shape[1], COLUMNS):
            parts.append(A.matmat(V[:, start : start + COLUMNS]))
            done += parts[-1].shape[1]
            progress(min(done, every), every, "")
        return parts[0] if len(parts) == 1 else A.xp.concat(parts, axis=1)

    progress(0, every, told)
    return replace(A, product=product, products=0)


def bar(stream: TextIO | None = None) -> Progress:
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
