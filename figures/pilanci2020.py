"""Figures of Pilanci & Ergen 2020: training against the convex optimum; how many patterns there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def descent(tables: Tables) -> Figure:
    """Objective over p*, each run a line, one panel a width."""
    table = {k: np.asarray(v) for k, v in tables["runs"].items()}
    widths = sorted(set(table["width"]))
    fig, axes = plt.subplots(1, len(widths), figsize=(PAGE, 2.4), sharey=True, squeeze=False)
    for axis, m, colour in zip(axes[0], widths, COLOURS, strict=False):
        for i, k in enumerate(sorted(set(table["replicate"][table["width"] == m]))):
            mine = (table["width"] == m) & (table["replicate"] == k)
            axis.plot(table["step"][mine], table["ratio"][mine], color=colour, lw=0.8, alpha=0.8,
                      label="gradient descent" if i == 0 else None)  # fmt: skip
        axis.axhline(1.0, color="black", ls="--", label="convex optimum $p^*$")
        axis.set_title(f"$m={m}$ neurons")
        axis.set_xscale("symlog", linthresh=1)  # from no step on
        axis.set_xlim(0, np.max(table["step"]))
        axis.set_xlabel("step")
        axis.set_ylim(0.9, min(6.0, 1.05 * float(np.max(table["ratio"]))))
    axes[0][0].set_ylabel("objective / $p^*$")
    axes[0][-1].legend()
    return fig


def counts(tables: Tables) -> Figure:
    """Patterns against n for three ranks: enumerated points on the formula's line, the bound dotted."""
    theory = {k: np.asarray(v) for k, v in tables["theory"].items()}
    measured = {k: np.asarray(v) for k, v in tables["measured"].items()}
    fig, axis = plt.subplots(figsize=(COLUMN, 2.8))
    for colour, d in zip(COLOURS, sorted(set(theory["d"])), strict=False):
        rows, mine = theory["d"] == d, measured["d"] == d
        axis.plot(theory["n"][rows], theory["count"][rows], color=colour, label=f"$r={d}$")
        axis.plot(theory["n"][rows], theory["bound"][rows], color=colour, ls=":", lw=0.9)
        axis.plot(measured["n"][mine], measured["count"][mine], "o", color=colour)
    rows = theory["d"] == theory["d"][0]
    axis.plot(theory["n"][rows], theory["all"][rows], color="black", lw=0.8, ls="--", label="$2^n$")
    axis.plot([], [], color="grey", ls=":", label="bound $2r(e(n-1)/r)^r$")
    axis.plot([], [], "o", color="grey", label="enumerated")
    axis.set_yscale("log")
    axis.set_xlabel("points $n$")
    axis.set_ylabel("activation patterns $P$")
    axis.legend(ncols=2)
    return fig
