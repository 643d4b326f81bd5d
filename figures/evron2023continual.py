"""Continual learning as projections: squared distance by cycle, and the rate of weak regularisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

FLOOR = 1e-8  # where a distance of 0 is drawn on a logarithmic axis


def continual(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Left: dist² over its start, bound as a line; right: distance from the limit, and its first order."""
    cycles = {name: np.asarray(column) for name, column in tables["cycles"].items()}
    weak = {name: np.asarray(column) for name, column in tables["weak"].items()}
    fig, (left, right) = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.6))
    for colour, kind in zip(COLOURS, ("random", "wedge"), strict=False):
        rows = cycles["kind"] == kind
        drawn = {name: np.maximum(cycles[name][rows], FLOOR) for name in ("low", "median", "high")}
        bars = np.stack([drawn["median"] - drawn["low"], drawn["high"] - drawn["median"]])
        left.errorbar(cycles["cycle"][rows], drawn["median"], yerr=bars, fmt="o", color=colour, label=kind)
        left.plot(cycles["cycle"][rows], cycles["bound"][rows], color=colour, label=f"{kind}, bound")
    left.set_yscale("log")
    left.set_ylim(FLOOR / 2, 10)
    left.set_xlabel("cycle")
    left.set_ylabel(r"$\mathrm{dist}^2(w, \cap K)$ / start")
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2)
    bars = np.stack([weak["gap"] - weak["low"], weak["high"] - weak["gap"]])
    right.errorbar(weak["L"], weak["gap"], yerr=bars, fmt="o", color=COLOURS[0], label="trained, 10–90 %")
    right.plot(weak["L"], weak["said"], color=COLOURS[1], label="first order, median")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlabel(r"$L = \ln(1/\lambda)$")
    right.set_ylabel(r"$\|w_3/L - P_3\|$")
    right.legend()
    return fig
