"""Index against energy, and steps to leave a saddle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def index_energy(tables: Tables) -> Figure:
    """Line: the law; points: means over matrices with standard errors."""
    theory, measured = tables["theory"], {name: np.asarray(c) for name, c in tables["measured"].items()}
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["energy"], theory["index"], color="black", label="theory, $N \\to \\infty$")
    for colour, marker, N in zip(COLOURS, "os", np.unique(measured["N"]), strict=False):
        rows = measured["N"] == N
        axis.errorbar(
            measured["energy"][rows], measured["index"][rows], yerr=measured["error"][rows], fmt=marker, color=colour,
            label=f"$N = {N:g}$",
        )  # fmt: skip
    axis.set_xlabel("energy per spin $u$")
    axis.set_ylabel("share of negative eigenvalues $\\alpha$")
    axis.legend()
    return fig


def methods(tables: Tables) -> Figure:
    """Lines: closed forms; points: measured steps."""
    theory, measured = tables["theory"], tables["measured"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    for colour, marker, name, label in (
        (COLOURS[0], "o", "gradient", "gradient descent"),
        (COLOURS[1], "s", "saddle_free", "saddle-free Newton"),
    ):
        axis.plot(theory["curvature"], theory[name], color=colour)
        axis.plot(measured["curvature"], measured[name], marker, color=colour, label=label)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("negative curvature $|\\lambda|$")
    axis.set_ylabel("steps to grow by 1000")
    axis.legend(title="lines: theory, points: runs")
    return fig
