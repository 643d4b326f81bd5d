"""Kumar et al. 2023: training and test loss along training, for several α; the closure as lines, networks as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def sweep(tables: Tables) -> Figure:
    """One panel for each of at most four values of α, spread over those there are."""
    lines, points = tables["closure"], tables["networks"]
    every = sorted(set(lines["alpha"]))
    chosen = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, 4).round().astype(int))]
    fig, axes = plt.subplots(1, len(chosen), figsize=(PAGE, 2.3), sharey=True, squeeze=False)
    for axis, alpha in zip(axes[0], chosen, strict=True):
        for colour, name in zip(COLOURS, ("train", "test"), strict=False):
            rows = np.asarray(lines["alpha"]) == alpha
            axis.plot(np.asarray(lines["time"])[rows], np.asarray(lines[name])[rows], color=colour)
            rows = np.asarray(points["alpha"]) == alpha
            axis.plot(
                np.asarray(points["time"])[rows], np.asarray(points[name])[rows], "o", color=colour, label=f"{name}"
            )
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_ylim(1e-4, 40 * max([1.0, *lines["test"]]))
        axis.set_title(f"$\\alpha = {alpha:g}$")
        axis.set_xlabel("time $\\eta t$")
    axes[0][0].set_ylabel("loss / $E\\,y^2$")
    axes[0][-1].plot([], [], color="black", label="closure in $(\\bar w, M)$")
    axes[0][-1].legend(loc="upper right", borderaxespad=0.1)
    return fig
