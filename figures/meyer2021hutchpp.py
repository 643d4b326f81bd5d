"""Root mean squared error of trace estimators against the number of products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN


def errors(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Points with two standard errors; lines: Hutchinson's exact error, and the bound of Hutch++."""
    measured = {name: np.asarray(column) for name, column in tables["measured"].items()}
    theory = {name: np.asarray(column) for name, column in tables["theory"].items()}
    fig, axis = plt.subplots(figsize=(COLUMN, 2.8))
    for colour, method in zip(COLOURS, dict.fromkeys(measured["method"]), strict=False):
        rows = measured["method"] == method
        centre = measured["rmse"][rows]
        bars = np.stack([centre - measured["low"][rows], measured["high"][rows] - centre])
        axis.errorbar(measured["products"][rows], centre, yerr=bars, fmt="o", color=colour, label=method)
    axis.plot(theory["products"], theory["hutchinson"], color=COLOURS[0], label="Hutchinson, exact")
    axis.plot(theory["products"], theory["hutchpp_bound"], color=COLOURS[1], ls="--", label="Hutch++, bound")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(theory["products"], [str(p) for p in theory["products"]])
    axis.set_xlabel("products with $A$")
    axis.set_ylabel("root mean squared error")
    axis.legend()
    return fig
