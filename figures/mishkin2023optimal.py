"""Figures of Mishkin & Pilanci 2023: the solution path, pruning, and several optima of one program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def path(tables: Tables) -> Figure:
    """p(β) with its tangents of slope T, T(β), and the neurons left after pruning."""
    table = {k: np.asarray(v) for k, v in tables["path"].items()}
    beta = table["beta"] / table["beta"].max() * 1.05  # the largest lies at 1.05 β_c
    top = table["beta"].max() / 1.05
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    axes[0].plot(beta, table["p"], "o", color=COLOURS[0], label="$p(\\beta)$")
    for b, p, T in zip(beta, table["p"], table["T"], strict=True):
        h = 0.35 * b
        x = np.linspace(b - h, b + h, 20)
        axes[0].plot(x, p + (x - b) * top * T, color="black", lw=0.7)
    axes[0].plot([], [], color="black", lw=0.7, label="slope $T(\\beta)$")
    axes[0].set_ylabel("optimal value")
    axes[0].legend()
    axes[1].plot(beta, table["T"], "o-", color=COLOURS[1], lw=0.8)
    axes[1].set_ylabel("$T(\\beta)=\\sum\\|v_i\\|+\\|w_i\\|$")
    axes[2].step(beta, table["neurons"], where="post", color=COLOURS[2])
    axes[2].set_ylabel("neurons after pruning")
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlabel("$\\beta/\\beta_c$")
    return fig


def pruning(tables: Tables) -> Figure:
    """Bars: neurons before and after; the accuracies above them."""
    table = tables["pruning"]
    names = [str(n).replace("_", "\n") for n in table["data"]]
    at = np.arange(len(names))
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.4))
    pairs = (("before", "after"), ("accuracy_before", "accuracy_after"))
    for axis, (first, second), label in zip(axes, pairs, ("neurons", "test accuracy"), strict=True):
        for shift, name, colour, which in ((-0.2, first, 0, "as solved"), (0.2, second, 1, "pruned")):
            axis.bar(at + shift, table[name], 0.38, yerr=table[f"{name}_se"], color=COLOURS[colour], label=which)
        axis.set_xticks(at, names)
        axis.set_ylabel(f"{label}, mean ± se")
    axes[1].set_ylim(0.5, 1.1)
    axes[1].legend(ncols=2, loc="upper left")
    return fig


def solutions(tables: Tables) -> Figure:
    """±α of every optimal neuron in three solutions, neurons in the order of their kinks."""
    table = {k: np.asarray(v) for k, v in tables["neurons"].items()}
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    names = list(dict.fromkeys(table["solution"]))
    for i, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
        mine = table["solution"] == name
        axis.bar(table["neuron"][mine] + 0.26 * (i - 1), table["alpha"][mine], 0.24, color=colour, label=str(name))
    first = table["solution"] == names[0]
    labels = [f"{k:.2f}\n{side}" for k, side in zip(table["kink"][first], table["facing"][first], strict=True)]
    axis.set_xticks(table["neuron"][first], labels)
    axis.axhline(0, color="black", lw=0.6)
    axis.set_xlabel("neuron: its kink, and the side it is active on")
    axis.set_ylabel("$\\pm\\alpha_i$")
    axis.legend()
    return fig
