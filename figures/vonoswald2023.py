"""Figures of von Oswald et al. 2023: theory as lines, trained layers as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def _column(table: Mapping[str, Sequence[Any]], name: str) -> np.ndarray:
    return np.asarray(table[name])


def training(tables: Tables) -> Figure:
    """Loss, and alignment with one gradient step, along training."""
    t, theory = tables["training"], tables["theory"]
    step = np.maximum(_column(t, "step"), 0.7)  # step 0 at the left edge of a logarithmic axis
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.5))
    axes[0].errorbar(step, t["loss_mean"], yerr=t["loss_sd"], fmt="o", color=COLOURS[0], label="trained layer")
    axes[0].axhline(theory["loss"][0], color="black", label="best gradient step (exact)")
    axes[0].axhline(theory["zero"][0], color="grey", ls=":", label="predicting 0")
    axes[0].set_ylabel("$\\frac{1}{2}E(\\hat y - y)^2$")
    axes[0].legend()
    for colour, name, label in ((COLOURS[1], "cosine", "cosine of sensitivities"),
                                (COLOURS[2], "prediction", "mean $|\\Delta\\hat y|$"),
                                (COLOURS[3], "distance", "$L_2$ of sensitivities")):  # fmt: skip
        axes[1].errorbar(step, t[f"{name}_mean"], yerr=t[f"{name}_sd"], fmt="o-", color=colour, label=label, lw=0.7)
    axes[1].set_ylabel("trained layer against one step")
    axes[1].legend(loc="center left")
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlabel("training steps")
    return fig


def elsewhere(tables: Tables) -> Figure:
    """Loss on test inputs that were not trained on."""
    scales, laws = tables["scales"], tables["laws"]
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.5))
    axes[0].plot(scales["alpha"], scales["descent"], color="black", label="one gradient step")
    axes[0].plot(scales["alpha"], scales["trained"], "o", color=COLOURS[0], label="trained layer")
    axes[0].set_xlabel("inputs scaled by $\\alpha$")
    axes[0].set_yscale("log")
    x = np.arange(len(laws["inputs"]))
    axes[1].hlines(laws["descent"], x - 0.3, x + 0.3, color="black", label="one gradient step")
    axes[1].plot(x, laws["trained"], "o", color=COLOURS[0], label="trained layer")
    axes[1].set_xticks(x, list(laws["inputs"]))
    axes[1].set_ylim(0, None)
    axes[1].set_xlabel("law of the test inputs")
    for axis in axes:
        axis.set_ylabel("$\\frac{1}{2}E(\\hat y - y)^2$")
        axis.legend()
    return fig


def _repeated(tables: Tables, chosen: Sequence[float]) -> Figure:
    rows = tables["repeated"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.7))
    for colour, λ in zip(COLOURS, chosen, strict=False):
        at = _column(rows, "damping") == λ
        times = _column(rows, "times")[at]
        axis.plot(times, _column(rows, "descent")[at], color=colour, label=f"descent, $\\lambda={λ:g}$")
        axis.plot(times, _column(rows, "trained")[at], "o", color=colour)
    axis.plot([], [], "o", color="grey", label="trained layer")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("times the layer is applied")
    axis.set_ylabel("robust $\\frac{1}{2}E(\\hat y - y)^2$")
    axis.legend()
    return fig


def repeated_two(tables: Tables) -> Figure:
    """Without damping and with the strongest."""
    every = sorted(set(tables["repeated"]["damping"]), reverse=True)
    return _repeated(tables, [every[0], every[-1]])


def repeated_all(tables: Tables) -> Figure:
    """All dampings."""
    return _repeated(tables, sorted(set(tables["repeated"]["damping"]), reverse=True))


def matrices(tables: Tables) -> Figure:
    """The two product matrices of a trained layer."""
    rows, η = tables["weights"], tables["theory"]["step"][0]
    T = int(_column(rows, "row").max()) + 1
    fig, axes = plt.subplots(1, 2, figsize=(PAGE * 0.75, 2.6))
    for axis, name, title in ((axes[0], "KQ", "$W_{KQ}/\\beta$"), (axes[1], "PV", "$\\beta\\,W_{PV}$")):
        values = np.zeros((T, T))
        values[_column(rows, "row"), _column(rows, "column")] = _column(rows, name)
        top = np.abs(values).max()
        image = axis.imshow(values, cmap="RdBu_r", vmin=-top, vmax=top)
        axis.set_title(title)
        axis.set_xlabel("column")
        axis.set_ylabel("row ($y$-slot last)")
        fig.colorbar(image, ax=axis, shrink=0.8)
    axes[1].set_title(f"$\\beta\\,W_{{PV}}$ (corner: ${-η:.2f}$)")
    return fig


def stacks(tables: Tables) -> Figure:
    """Loss by number of layers: trained stacks as points, best steps as lines."""
    rows, theory = tables["trained"], tables["theory"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.7))
    names = {"gd": "descent", "gd++": "GD++", "full": "all weights free"}
    for i, (colour, form) in enumerate(zip(COLOURS, names, strict=False)):
        at = _column(theory, "form") == form
        if at.any():
            axis.plot(_column(theory, "layers")[at], _column(theory, "risk")[at], color=colour, marker="_", ms=9,
                      label=f"{names[form]}, best steps (exact)")  # fmt: skip
        at = _column(rows, "form") == form
        if not at.any():
            continue
        axis.errorbar(_column(rows, "layers")[at] + 0.06 * (i - 1), _column(rows, "mean")[at],
                      yerr=_column(rows, "sd")[at], fmt="o", color=colour, label=f"{names[form]}, trained")  # fmt: skip
    axis.set_ylim(0, None)
    axis.set_xticks(sorted(set(rows["layers"])))
    axis.set_xlabel("layers")
    axis.set_ylabel("$E(\\hat y - y)^2$")
    axis.legend()
    return fig


def condition(tables: Tables) -> Figure:
    """The GD++ map, the condition number it leaves, and sampled condition numbers before and after."""
    spectrum, number, sampled = tables["spectrum"], tables["condition"], tables["sampled"]
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    for colour, name in zip(COLOURS, [k for k in spectrum if k != "eigenvalue"], strict=False):
        axes[0].plot(spectrum["eigenvalue"], spectrum[name], color=colour, label=f"${name}$")
    axes[0].set_xlabel("$\\lambda/\\lambda_{\\max}$")
    axes[0].set_ylabel("$\\lambda(1-g\\lambda)^2$")
    for colour, name in zip(COLOURS, [k for k in number if k != "g"], strict=False):
        axes[1].plot(number["g"], number[name], color=colour, label=f"$\\kappa={name.split('=')[1]}$")
    axes[1].set_xlabel("$g=\\gamma\\lambda_{\\max}$")
    axes[1].set_ylabel("$\\kappa'/\\kappa$")
    axes[1].set_yscale("log")
    first = min(sampled["context"])
    at = _column(sampled, "context") == first
    bins = np.geomspace(1, max(np.quantile(_column(sampled, "before")[at], 0.98), 10), 25)
    for colour, name in zip(COLOURS, ("before", "after"), strict=False):
        axes[2].hist(_column(sampled, name)[at], bins=list(bins), histtype="step", color=colour, label=name)
    axes[2].set_xscale("log")
    axes[2].set_xlabel(f"condition number, $N={first}$")
    axes[2].set_ylabel("prompts")
    axes[0].legend()
    axes[1].legend(loc="upper left")
    axes[2].legend(loc="upper right")
    axes[2].set_ylim(0, 1.35 * axes[2].get_ylim()[1])
    return fig


def heads(tables: Tables) -> Figure:
    """Trained softmax layers by number of heads."""
    rows, theory = tables["heads"], tables["theory"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.4))
    axis.errorbar(rows["heads"], rows["mean"], yerr=rows["sd"], fmt="o", color=COLOURS[0], label="softmax, trained")
    axis.axhline(theory["linear"][0], color="black", label="best linear layer (exact)")
    axis.axhline(theory["zero"][0], color="grey", ls=":", label="predicting 0")
    axis.set_xlim(0.5, 2.5)
    axis.set_xticks([1, 2])
    axis.set_xlabel("heads")
    axis.set_ylabel("$E(\\hat y - y)^2$")
    axis.legend()
    return fig
