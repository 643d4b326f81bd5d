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
    for colour, form, name in zip(COLOURS, ("gd", "gd++"), ("preconditioned descent", "GD++"), strict=False):
        at = np.asarray(rows["form"]) == form
        layers = np.asarray(rows["layers"])[at]
        axes[0].errorbar(layers, np.asarray(rows["mean"])[at], yerr=np.asarray(rows["sd"])[at], fmt="o", color=colour,
                         label=f"{name}, trained")  # fmt: skip
        axes[1].plot(layers, np.asarray(rows["distance"])[at], "o-", color=colour, label=name)
    axes[0].set_ylabel("$E(\\hat y - w^\\top x)^2$")
    axes[1].set_ylabel("distance of $\\Sigma^{1/2}A_i\\Sigma^{1/2}$ from $aI$")
    for axis in axes:
        axis.set_ylim(0, None)
        axis.set_xticks(list(theory["layers"]))
        axis.set_xlabel("layers")
        axis.legend()
    return fig


def by_context(tables: Tables) -> Figure:
    """Loss of two trained layers by context length."""
    rows, theory = tables["trained"], tables["theory"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["context"], theory["one"], color="grey", ls="--", label="best single step (exact)")
    axis.plot(theory["context"], theory["two"], color="black", label="best two steps (exact)")
    axis.errorbar(
        rows["context"], rows["mean"], yerr=rows["sd"], fmt="o", color=COLOURS[0], label="two layers, trained"
    )
    axis.set_ylim(0, None)
    axis.set_xticks(range(0, 21, 4))
    axis.set_xlabel("examples in the context")
    axis.set_ylabel("$E(\\hat y - w^\\top x)^2$")
    axis.legend()
    return fig
