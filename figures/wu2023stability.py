"""Escape of SGD from a minimum against the sharpness there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN


def escape(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Left: share of runs that escape, and median η tr H at the end with its 10–90 % range; right: three paths."""
    shares = {name: np.asarray(column) for name, column in tables["shares"].items()}
    paths = {name: np.asarray(column) for name, column in tables["paths"].items()}
    fig, (left, right) = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.6))
    left.axvline(2, color="0.6", ls=":", label="threshold $\\eta\\,\\mathrm{tr}\\,H = 2$")
    left.plot(shares["start"], shares["escaped"], "o", color=COLOURS[0], label="share that escapes")
    known = np.isfinite(shares["high"])
    bars = np.stack([shares["end"] - shares["low"], np.where(known, shares["high"], shares["end"]) - shares["end"]])
    left.errorbar(
        shares["start"], shares["end"], yerr=bars, fmt="s", ms=3, color=COLOURS[1],
        label="$\\eta\\,\\mathrm{tr}\\,H$ at the end, 10–90 %",
    )  # fmt: skip
    left.plot(shares["start"], shares["start"], color="0.7", lw=0.8)
    left.set_ylim(-0.1, 4.4)
    left.set_xlabel("$\\eta\\,\\mathrm{tr}\\,H$ at the start")
    left.legend(loc="upper left")
    for colour, start in zip(COLOURS, np.unique(paths["start"]), strict=False):
        rows = paths["start"] == start
        right.plot(paths["step"][rows], paths["trace"][rows], color=colour, label=f"from {start:g}")
    right.axhline(2, color="0.6", ls=":")
    right.set_xlabel("step")
    right.set_ylabel("$\\eta\\,\\mathrm{tr}\\,H$")
    right.legend()
    return fig
