"""Figure 1 of Giapitzakis et al. 2025: models needed against the number of bits, beside the bound, for both kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def models(tables: Tables) -> Figure:
    """Bound as lines, drawn ensembles as points with their standard deviation."""
    table = tables["models"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    for colour, (kernel, name) in zip(COLOURS, (("ntk", "NTK"), ("nngp", "NNGP")), strict=False):
        rows = np.asarray(table["kernel"]) == kernel
        k = np.asarray(table["k"])[rows]
        axis.plot(k, np.asarray(table["bound"])[rows], color=colour, label=f"{name}: bound")
        axis.errorbar(
            k,
            np.asarray(table["mean"])[rows],
            yerr=np.asarray(table["sd"])[rows],
            fmt="o",
            color=colour,
            label=f"{name}: drawn",
        )
    axis.set_yscale("log")
    axis.set_xlabel("bits $k$")
    axis.set_ylabel("models, mean ± sd")
    axis.set_ylim(top=30 * max(table["bound"]))
    axis.legend(loc="upper left")
    return fig
