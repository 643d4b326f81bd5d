"""Giapitzakis et al. 2025: models needed against the number of bits, as in Figure 1, and how they grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def models(tables: Tables) -> Figure:
    """One panel for each δ: bound as lines, drawn ensembles as dots, trained ones as squares, with their range."""
    table = {name: np.asarray(column) for name, column in tables["models"].items()}
    deltas = sorted(set(table["delta"]), reverse=True)
    fig, axes = plt.subplots(1, len(deltas), figsize=(2 * COLUMN, 2.8), sharey=True, squeeze=False)
    for axis, delta in zip(axes[0], deltas, strict=True):
        for colour, (kernel, name) in zip(COLOURS, (("ntk", "NTK"), ("nngp", "NNGP")), strict=False):
            here = (table["delta"] == delta) & (table["kernel"] == kernel)
            line = np.flatnonzero(here & (table["source"] == "drawn"))
            line = line[np.argsort(table["k"][line])]
            axis.plot(table["k"][line], table["bound"][line], color=colour, label=f"{name}: bound")
            for source, marker, face in (("drawn", "o", colour), ("trained", "s", "white")):
                rows = here & (table["source"] == source)
                middle = table["median"][rows]
                axis.errorbar(
                    table["k"][rows], middle, yerr=[middle - table["least"][rows], table["most"][rows] - middle],
                    fmt=marker, color=colour,
                    markerfacecolor=face, label=f"{name}: {source}",
                )  # fmt: skip
        axis.set_yscale("log")
        axis.set_xlabel("bits $k$")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_title(f"$\\delta$ = {delta:g}")
    axes[0, 0].set_ylabel("models: median and range of trials")
    axes[0, 0].set_ylim(top=20 * table["bound"].max())
    axes[0, 0].legend(loc="upper left", ncols=2)
    return fig


def growth(tables: Tables) -> Figure:
    """One panel for each kernel: needed for one and for all inputs, with the closed forms and the paper's union."""
    table = {name: np.asarray(column) for name, column in tables["growth"].items()}
    kernels = (("ntk", "NTK"), ("nngp", "NNGP"))
    fig, axes = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.8), sharey=True)
    for axis, (kernel, name) in zip(axes, kernels, strict=True):
        for colour, marker, inputs in zip(COLOURS, "os", ("one", "all"), strict=False):
            rows = np.flatnonzero((table["kernel"] == kernel) & (table["inputs"] == inputs))
            rows = rows[np.argsort(table["k"][rows])]
            k = table["k"][rows]
            axis.plot(k, table["closed_form"][rows], color=colour, label=f"{inputs}: closed form")
            needed, low, high = (table[name][rows] for name in ("needed", "low", "high"))
            axis.errorbar(
                k, needed, yerr=[needed - low, high - needed], fmt=marker, ms=3, color=colour,
                label=f"{inputs}: drawn, 95 %",
            )  # fmt: skip
            if inputs == "all":
                axis.plot(k, table["paper"][rows], "--", color="0.4", label="all: worst input for each, $k^2$")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("bits $k$")
        axis.set_title(name)
    axes[0].set_ylabel("models, $\\delta$ = 0.1")
    axes[0].set_ylim(top=100 * table["paper"][table["inputs"] == "all"].max())
    axes[0].legend(loc="upper left")
    return fig
