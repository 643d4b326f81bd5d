"""Theorems 1 and 2 of Mahankali, Hashimoto, Ma 2023 as pictures: theory as lines, trained layers as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def steps(tables: Tables) -> Figure:
    """Step size against context length, one colour a noise level."""
    theory, trained = tables["theory"], tables["trained"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    for colour, noise in zip(COLOURS, sorted(set(trained["noise"])), strict=False):
        line = np.asarray(theory["noise"]) == noise
        axis.plot(np.asarray(theory["context"])[line], np.asarray(theory["step"])[line], color=colour)
        rows = np.asarray(trained["noise"]) == noise
        axis.errorbar(
            np.asarray(trained["context"])[rows], np.asarray(trained["step"])[rows],
            yerr=np.asarray(trained["sd"])[rows], fmt="o", color=colour, label=f"trained, $\\sigma^2={noise:g}$",
        )  # fmt: skip
    axis.plot([], [], color="black", label="$n/(n+d+1+\\sigma^2)$")
    axis.set_xscale("log", base=2)
    axis.set_xlabel("context length $n$")
    axis.set_ylabel("step $\\eta$, mean ± sd over seeds")
    axis.legend()
    return fig


def entries(tables: Tables) -> Figure:
    """The entries of the trained preconditioner beside the theory and the plain step."""
    table = tables["entries"]
    x = np.arange(len(table["entry"]))
    fig, axis = plt.subplots(figsize=(COLUMN, 2.4))
    axis.hlines(np.asarray(table["theory"]), x - 0.3, x + 0.3, color="black", label="$\\eta\\,\\Lambda^{-1}$ (theory)")
    axis.hlines(np.asarray(table["plain"]), x - 0.3, x + 0.3, color="grey", ls=":", label="best plain step $\\eta I$")
    axis.errorbar(
        x, np.asarray(table["mean"]), yerr=np.asarray(table["sd"]), fmt="o", color=COLOURS[0], label="trained"
    )
    axis.set_xticks(x, [f"$K_{{{name[1:]}}}$" for name in table["entry"]])
    axis.set_ylabel("entry, mean ± sd over seeds")
    axis.legend()
    return fig
