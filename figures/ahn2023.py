"""Figures of Ahn et al. 2023: trained stacks as points, exact risks of the best steps as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def by_depth(tables: Tables) -> Figure:
    """Loss, and distance of the weights from the inverse covariance, by depth."""
    rows, theory = tables["trained"], tables["theory"]
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.5))
    axes[0].plot(theory["layers"], theory["risk"], color="black", label="best preconditioned steps (exact)")
    base = tables["baselines"]
    axes[0].plot(base["layers"], base["plain"], color="grey", ls=":", marker="x", label="equal plain steps")
    axes[0].plot(base["layers"], base["preconditioned"], color="grey", ls="--", marker="+",
                 label="equal preconditioned steps")  # fmt: skip
    for colour, form, name in zip(COLOURS, ("gd", "gd++"), ("preconditioned descent", "GD++"), strict=False):
        at = np.asarray(rows["form"]) == form
        layers = np.asarray(rows["layers"])[at]
        axes[0].errorbar(layers, np.asarray(rows["mean"])[at], yerr=np.asarray(rows["sd"])[at], fmt="o", color=colour,
                         label=f"{name}, trained")  # fmt: skip
        axes[1].plot(layers, np.asarray(rows["distance"])[at], "o-", color=colour, label=name)
    axes[0].set_ylabel("$E(\\hat y - w^\\top x)^2$")
    axes[1].set_ylabel("distance of $\\Sigma^{1/2}A_i\\Sigma^{1/2}$ from $aI$")
    axes[0].set_ylim(0, 1.8 * max(base["plain"]))
    axes[1].set_ylim(0, None)
    for axis in axes:
        axis.set_xticks(list(theory["layers"]))
        axis.set_xlabel("layers")
        axis.legend()
    return fig


def by_context(tables: Tables) -> Figure:
    """Loss of a few trained layers by context length."""
    rows, theory, base = tables["trained"], tables["theory"], tables["baselines"]
    k = theory["layers"][0]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["context"], theory["one"], color="grey", ls="--", label="best single step (exact)")
    axis.plot(theory["context"], theory["several"], color="black", label=f"best {k} steps (exact)")
    axis.plot(base["context"], base["plain"], color="grey", ls=":", marker="x", label=f"{k} equal plain steps")
    axis.errorbar(
        rows["context"], rows["mean"], yerr=rows["sd"], fmt="o", color=COLOURS[0], label=f"{k} layers, trained"
    )
    axis.set_ylim(0, None)
    axis.set_xticks(range(0, 21, 4))
    axis.set_xlabel("examples in the context")
    axis.set_ylabel("$E(\\hat y - w^\\top x)^2$")
    axis.legend()
    return fig
