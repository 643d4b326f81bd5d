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
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.5))
    axes[0].errorbar(step, t["loss_mean"], yerr=t["loss_sd"], fmt="o", color=COLOURS[0], label="trained")
    axes[0].errorbar(step, t["mixed_mean"], yerr=t["mixed_sd"], fmt="x", color=COLOURS[1], label="interpolated")
    axes[0].axhline(theory["loss"][0], color="black", label="best gradient step (exact)")
    axes[0].axhline(theory["zero"][0], color="grey", ls=":", label="predicting 0")
    axes[0].set_ylabel("$\\frac{1}{2}E(\\hat y - y)^2$")
    axes[0].set_ylim(None, 0.6 / 0.42 * theory["zero"][0])
    axes[0].legend()
    for colour, name, label in ((COLOURS[1], "cosine", "cosine of sensitivities"),
                                (COLOURS[2], "prediction", "mean $|\\Delta\\hat y|$"),
                                (COLOURS[3], "distance", "$L_2$ of sensitivities")):  # fmt: skip
        axes[1].errorbar(step, t[f"{name}_mean"], yerr=t[f"{name}_sd"], fmt="o-", color=colour, label=label, lw=0.7)
    axes[1].set_ylabel("trained layer against one step")
    axes[1].set_ylim(None, 1.7 * axes[1].get_ylim()[1])
    axes[1].legend(loc="upper right")
    for axis in axes[:2]:
        axis.set_xscale("log")
        axis.set_xlabel("training steps")
    rows = tables["lengths"]
    axes[2].plot(rows["context"], rows["descent"], color="black", label="best gradient step (exact)")
    axes[2].plot(rows["context"], rows["trained"], "o", color=COLOURS[0], label="trained layer")
    axes[2].plot(rows["context"], rows["interpolated"], "x", color=COLOURS[1], label="interpolated")
    axes[2].set_ylim(0, 1.5 * max(rows["descent"]))
    axes[2].set_xlabel("context length $N$")
    axes[2].set_ylabel("$\\frac{1}{2}E(\\hat y - y)^2$ at the end")
    axes[2].legend(loc="upper right")
    return fig


def elsewhere(tables: Tables) -> Figure:
    """Loss on test inputs that were not trained on."""
    laws = tables["laws"]
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.5))
    for axis, name, what in ((axes[0], "scales", "inputs"), (axes[1], "weights", "weights $w$")):
        rows = tables[name]
        axis.plot(rows["alpha"], rows["descent"], color="black", label="one gradient step")
        axis.plot(rows["alpha"], rows["trained"], "o", color=COLOURS[0], label="trained layer")
        axis.set_xlabel(f"{what} scaled by $\\alpha$")
        axis.set_yscale("log")
    x = np.arange(len(laws["inputs"]))
    axes[2].hlines(laws["descent"], x - 0.3, x + 0.3, color="black", label="one gradient step")
    axes[2].plot(x, laws["trained"], "o", color=COLOURS[0], label="trained layer")
    axes[2].set_xticks(x, list(laws["inputs"]), rotation=20)
    axes[2].set_ylim(0, 1.3 * max(laws["trained"]))
    axes[2].set_xlabel("law of the test inputs")
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
    """The two product matrices of a trained layer, and of one that is used three times."""
    rows, η = tables["weights"], tables["theory"]["step"][0]
    T, depths = int(_column(rows, "row").max()) + 1, sorted(set(rows["layers"]))
    fig, axes = plt.subplots(len(depths), 2, figsize=(PAGE * 0.75, 2.5 * len(depths)), squeeze=False)
    for line, k in zip(axes, depths, strict=True):
        at = _column(rows, "layers") == k
        for axis, name, title in ((line[0], "KQ", "$W_{KQ}/\\beta$"), (line[1], "PV", "$\\beta\\,W_{PV}$")):
            values = np.zeros((T, T))
            values[_column(rows, "row")[at], _column(rows, "column")[at]] = _column(rows, name)[at]
            top = np.abs(values).max()
            image = axis.imshow(values, cmap="RdBu_r", vmin=-top, vmax=top)
            axis.set_title(title if k == 1 else f"{title}, used {k} times")
            axis.set_xlabel("column")
            axis.set_ylabel("row ($y$-slot last)")
            fig.colorbar(image, ax=axis, shrink=0.8)
    axes[0, 1].set_title(f"$\\beta\\,W_{{PV}}$ (theory: ${-η:.2f}$)", fontsize="medium")
    return fig


def stacks(tables: Tables) -> Figure:
    """Loss by number of layers: trained stacks as points, best steps as lines."""
    rows, theory, twice = tables["trained"], tables["theory"], tables.get("twice")
    fig, axes = plt.subplots(1, 1 + bool(twice), figsize=(PAGE if twice else COLUMN, 2.7), squeeze=False)
    axis = axes[0, 0]
    names = {"gd": "descent", "gd++": "GD++", "full": "all weights free"}
    if twice:
        for colour, form in zip(COLOURS, names, strict=False):
            if f"{form}_best" in twice:
                axes[0, 1].plot(twice["alpha"], twice[f"{form}_best"], color=colour)
            axes[0, 1].plot(twice["alpha"], twice[f"{form}_trained"], "o", color=colour)
        axes[0, 1].set_xlabel("inputs scaled by $\\alpha$; one layer, used twice")
        axes[0, 1].set_ylabel("$E(\\hat y - y)^2$")
        axes[0, 1].set_yscale("log")
    for i, (colour, form) in enumerate(zip(COLOURS, names, strict=False)):
        at = _column(theory, "form") == form
        if at.any():
            depths = _column(theory, "layers")[at]
            cut = f", to {depths.max()} layers" if depths.max() < max(rows["layers"]) else ""  # caption: why
            axis.plot(depths, _column(theory, "risk")[at], color=colour, marker="_", ms=9,
                      label=f"{names[form]}, best steps (exact{cut})")  # fmt: skip
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
    """The GD++ map; condition numbers of prompts against γ; those of N = 25 before and after."""
    spectrum, number, sampled = tables["spectrum"], tables["condition"], tables["sampled"]
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    for colour, name in zip(COLOURS, [k for k in spectrum if k != "eigenvalue"], strict=False):
        axes[0].plot(spectrum["eigenvalue"], spectrum[name], color=colour, label=f"${name}$")
    axes[0].set_xlabel("$\\lambda/\\lambda_{\\max}$")
    axes[0].set_ylabel("$\\lambda(1-g\\lambda)^2$, $g=\\gamma\\lambda_{\\max}$")
    for colour, name in zip(COLOURS, [k for k in number if k != "gamma"], strict=False):
        axes[1].plot(number["gamma"], number[name], color=colour, label=f"${name}$")
    axes[1].set_xlabel("$\\gamma$")
    axes[1].set_ylabel("median condition number")
    axes[1].set_yscale("log")
    at = _column(sampled, "context") == 25
    bins = np.geomspace(1, max(np.quantile(_column(sampled, "before")[at], 0.98), 10), 25)
    for colour, name in zip(COLOURS, ("before", "after"), strict=False):
        axes[2].hist(_column(sampled, name)[at], bins=list(bins), histtype="step", color=colour, label=name)
    axes[2].set_xscale("log")
    axes[2].set_xlabel("condition number, $N=25$")
    axes[2].set_ylabel("prompts")
    axes[0].legend()
    axes[1].set_ylim(1, 40 * axes[1].get_ylim()[1])
    axes[1].legend(loc="upper left", ncol=2)
    axes[2].legend(loc="upper right")
    axes[2].set_ylim(0, 1.35 * axes[2].get_ylim()[1])
    return fig


def heads(tables: Tables) -> Figure:
    """Learning curve of a softmax layer."""
    rows, theory = tables["heads"], tables["theory"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.4))
    count = theory["heads"][0]
    step = np.maximum(_column(rows, "step"), 0.7)
    axis.errorbar(step, rows["mean"], yerr=rows["sd"], fmt="o-", color=COLOURS[0],
                  label=f"softmax, {count} head{'s' * (count > 1)}")  # fmt: skip
    axis.axhline(theory["linear"][0], color="black", label="best gradient step (exact)")
    axis.axhline(theory["zero"][0], color="grey", ls=":", label="predicting 0")
    axis.set_xscale("log")
    axis.set_ylim(0, None)
    axis.set_xlabel("training steps")
    axis.set_ylabel("$\\frac{1}{2}E(\\hat y - y)^2$")
    axis.legend(loc="lower left")
    return fig


def sine(tables: Tables) -> Figure:
    """Learning curves on sine waves."""
    rows, lines = tables["training"], tables["lines"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    step = np.maximum(_column(rows, "step"), 0.7)
    for colour, name, label in ((COLOURS[0], "layer", "MLP + linear attention"),
                                (COLOURS[1], "descent", "MLP + one step, $K=\\eta I$")):  # fmt: skip
        axis.errorbar(step, rows[f"{name}_mean"], yerr=rows[f"{name}_sd"], fmt="o-", color=colour, label=label)
    axis.axhline(lines["zero"][0], color="grey", ls=":", label="predicting 0")
    axis.axhline(lines["raw"][0], color="grey", ls="--", label="best layer without MLP")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("training steps")
    axis.set_ylabel("$\\frac{1}{2}E(\\hat y - y)^2$")
    axis.legend(loc="lower left")
    return fig


def copying(tables: Tables) -> Figure:
    """Loss, and attention on the neighbouring token, along training."""
    rows, lines = tables["training"], tables["lines"]
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.6))
    step = np.maximum(_column(rows, "step"), 0.7)
    axes[0].errorbar(step, rows["loss_mean"], yerr=rows["loss_sd"], fmt="o-", color=COLOURS[0], label="trained")
    axes[0].axhline(lines["zero"][0], color="grey", ls=":", label="predicting 0")
    axes[0].axhline(lines["step"][0], color="black", label="best gradient step (exact)")
    axes[0].set_ylim(0, None)
    axes[0].set_ylabel("$E(\\hat y - y)^2$")
    for colour, name, label in ((COLOURS[1], "to_x", "of $y_i$ on $x_i$"), (COLOURS[2], "to_y", "of $x_i$ on $y_i$")):
        axes[1].errorbar(step, rows[f"{name}_mean"], yerr=rows[f"{name}_sd"], fmt="o-", color=colour, label=label)
    axes[1].axhline(lines["even"][0], color="grey", ls=":", label="even")
    axes[1].set_ylim(0, 1)
    axes[1].set_ylabel("attention of the first layer")
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlabel("training steps")
        axis.legend()
    return fig
