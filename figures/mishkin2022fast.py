"""Figures of Mishkin, Sahiner & Pilanci 2022: optimal values against the number of patterns; FISTA's convergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def against_count(tables: Tables) -> Figure:
    """Gated and ReLU optimum over sampled patterns; 1 is the ReLU optimum over all patterns."""
    table = {k: np.asarray(v) for k, v in tables["objective"].items()}
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    for colour, name in zip(COLOURS, ("ReLU", "gated"), strict=False):
        mine = table["network"] == name
        axis.errorbar(table["patterns"][mine], table["mean"][mine], yerr=table["se"][mine], fmt="o-", color=colour,
                      lw=0.8, label=f"{name}, mean ± se")  # fmt: skip
    axis.axhline(1.0, color="black", ls="--", label="ReLU, all patterns")
    axis.set_xscale("log", base=2)
    axis.set_xlabel("sampled gates")
    axis.set_ylabel("optimal value / $p^*$")
    axis.legend()
    return fig


def convergence(tables: Tables) -> Figure:
    """Relative gap of FISTA (points) and its bound (lines), each instance a colour."""
    table = {k: np.asarray(v) for k, v in tables["fista"].items()}
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    for i, (colour, k) in enumerate(zip(COLOURS, sorted(set(table["replicate"])), strict=False)):
        mine = (table["replicate"] == k) & (table["gap"] > 1e-10)
        label = ("FISTA with restarts", "bound $2L\\|z^*\\|^2/(k+1)^2$") if i == 0 else (None, None)
        axis.plot(table["k"][mine], table["gap"][mine], "o-", lw=0.8, color=colour, label=label[0])
        rows = table["replicate"] == k
        axis.plot(table["k"][rows], table["bound"][rows], color="black", ls="--", lw=0.8, label=label[1])
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("iteration $k$")
    axis.set_ylabel("$(p(z_k) - p^*)/p^*$")
    axis.legend()
    return fig
