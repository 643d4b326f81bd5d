"""Figures of Elmoznino et al. 2024: learners by context length, and the bits of a prequential code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def learners(tables: Tables) -> Figure:
    """Exact mean excess of the two layers; robust losses of four learners."""
    rows, exact = tables["measured"], tables["exact"]
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.7))
    for colour, name in zip(COLOURS, ("prequential layer", "train-risk layer"), strict=False):
        axes[0].plot(exact["context"], exact[name], color=colour, label=name)
    axes[0].set_ylabel("mean excess (exact)")
    names = list(dict.fromkeys(rows["learner"]))
    for colour, name in zip(COLOURS, names, strict=False):
        at = np.asarray(rows["learner"]) == name
        x, y, error = (np.asarray(rows[key])[at] for key in ("context", "mean", "se"))
        axes[1].errorbar(x, y, yerr=error, fmt="o-", color=colour, lw=0.7, label=name)
    axes[1].set_ylabel("median squared error / 0.455")
    axes[1].set_yscale("log")
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_xlabel("context length")
        axis.legend()
    return fig


def codes(tables: Tables) -> Figure:
    """Bits per example, and the noise floor."""
    rows = tables["bits"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.5))
    axis.errorbar(rows["example"], rows["mean"], yerr=rows["se"], fmt="o", color=COLOURS[0], label="Bayesian learner")
    axis.plot(rows["example"], rows["floor"], color="black", label="$w$ known: entropy of the noise")
    axis.set_xlabel("example $i$")
    axis.set_ylabel("$-\\log_2 p(y_i\\mid y_1,\\ldots,y_{i-1})$, mean ± se")
    axis.legend()
    return fig
