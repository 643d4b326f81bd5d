"""Figures of Fu et al. 2023: error curves of the algorithms, and how similar their errors are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def curves(tables: Tables) -> Figure:
    """One colour a family of algorithms, one line style a number of steps."""
    rows = tables["curves"]
    fig, axis = plt.subplots(figsize=(COLUMN, 3.0))
    families: dict[str, int] = {}
    for name in dict.fromkeys(rows["algorithm"]):
        family = name.split()[0]
        count = families[family] = families.get(family, 0) + 1
        at = np.asarray(rows["algorithm"]) == name
        axis.plot(
            np.asarray(rows["context"])[at], np.maximum(np.asarray(rows["error"])[at], 1e-12),
            color=COLOURS[list(families).index(family)], ls=("-", "--", ":")[count - 1], label=name,
        )  # fmt: skip
    if min(rows["error"]) < 1e-3:
        axis.set_yscale("log")
        axis.set_ylim(1e-9, None)
    else:  # nothing has converged, as in Figure 5
        axis.set_ylim(0, 1.2 * max(rows["error"]))
    axis.set_xlabel("examples in the context ($d=20$)")
    axis.set_ylabel("median squared error")
    axis.legend(loc="lower left" if min(rows["error"]) < 1e-3 else "upper right")
    return fig


def similarity(tables: Tables) -> Figure:
    """Heat maps of the similarity of errors, with the best match along Newton's steps."""
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.6))
    for axis, (name, label) in zip(
        axes, (("descent", "descent steps"), ("newton", "Newton steps"), ("lbfgs", "L-BFGS steps")), strict=True
    ):
        rows = tables[name]
        k, other = sorted(set(rows["newton"])), sorted(set(rows["other"]))
        values = np.asarray(rows["similarity"]).reshape(len(k), len(other)).T
        image = axis.imshow(values, origin="lower", aspect="auto", vmin=0, vmax=1, cmap="viridis")
        best = values.argmax(axis=0)
        axis.plot(range(len(k)), best, "o", color="white", mec="black", label="best match")
        axis.set_xticks(range(0, len(k), 3), [str(k[i]) for i in range(0, len(k), 3)])
        stride = 1 if len(other) <= 13 else 5
        axis.set_yticks(range(0, len(other), stride), [str(other[i]) for i in range(0, len(other), stride)])
        axis.set_xlabel("Newton steps")
        axis.set_ylabel(label)
    match = tables["match"]
    at = [i for i, v in enumerate(match["newton"]) if v >= 8]
    line = np.asarray(match["newton"], dtype=float) / 2
    shift = float(np.median([match["log2"][i] - line[i] for i in at]))
    axes[0].plot(range(len(line)), line + shift, color="#D55E00", label="slope 1/2")
    axes[0].plot(range(len(line)), match["log2_weights"], "s", ms=3, mfc="none", mec="white", label="by weights")
    axes[0].set_ylim(-0.5, max(match["log2"]) + 0.5)
    # white marks need a dark ground, and no corner of the map is free of them: above it
    fig.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper left", ncol=3, labelcolor="white", facecolor="#3b3b54",
        frameon=True, framealpha=1,
    )  # fmt: skip
    fig.colorbar(image, ax=axes, shrink=0.8, label="similarity of errors")
    return fig


def progress(tables: Tables) -> Figure:
    """Errors of Newton and of descent against the number of steps, one line a context length."""
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.6), sharey=True)
    for axis, (name, label) in zip(axes, (("newton", "Newton steps"), ("descent", "descent steps")), strict=True):
        rows = tables[name]
        contexts = list(dict.fromkeys(rows["context"]))
        for i, n in enumerate(contexts):
            at = np.asarray(rows["context"]) == n
            axis.plot(
                np.asarray(rows["steps"])[at], np.maximum(np.asarray(rows["error"])[at], 1e-12),
                color=plt.get_cmap("viridis")(i / max(1, len(contexts) - 1)), label=str(n),
            )  # fmt: skip
        axis.set_xlabel(label)
    axes[0].set_yscale("log")
    axes[0].set_ylim(1e-9, None)
    axes[0].set_ylabel("median squared error ($d=20$)")
    axes[1].set_xscale("log", base=2)
    axes[1].legend(title="examples", ncol=2, loc="lower left")
    return fig


def steps(tables: Tables) -> Figure:
    """Errors against the number of steps, one line an algorithm."""
    rows = tables["steps"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.8))
    for colour, name in zip(COLOURS, dict.fromkeys(rows["algorithm"]), strict=False):
        at = np.asarray(rows["algorithm"]) == name
        axis.plot(np.asarray(rows["steps"])[at], np.maximum(np.asarray(rows["error"])[at], 1e-20), "o-", ms=3,
                  color=colour, label=name)  # fmt: skip
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("steps")
    axis.set_ylabel("median squared error at 40 examples")
    axis.legend()
    return fig


def layers(tables: Tables) -> Figure:
    """Similarity of each layer's errors to those of iterates, as curves over the number of steps."""
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.6), sharey=True)
    for axis, name in zip(axes, ("newton", "descent"), strict=True):
        rows = tables[name]
        for colour, k in zip(COLOURS, sorted(set(rows["layer"])), strict=False):
            at = np.asarray(rows["layer"]) == k
            steps = np.asarray(rows["steps"])[at].astype(float)
            axis.plot(steps, np.asarray(rows["similarity"])[at], "o-", color=colour, label=f"layer {k}")
        axis.set_xlabel(f"{'Newton' if name == 'newton' else 'descent'} steps")
    axes[1].set_xscale("symlog", base=2, linthresh=1)
    axes[0].set_ylabel("similarity of errors")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncol=len(labels))  # no corner is free of curves
    return fig
