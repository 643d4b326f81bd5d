"""Figures of Bai, Gautam & Sojoudi 2022: ADMM's tail, the sampled program's violation, robustness bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def _arrays(table: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
    return {k: np.asarray(v) for k, v in table.items()}


def convergence(tables: Tables) -> Figure:
    """Left: distance to the limit with the predicted slope. Right: gap of the projected and of the raw iterate."""
    table = _arrays(tables["runs"])
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.6))
    for colour, k in zip(COLOURS, sorted(set(table["replicate"])), strict=False):
        mine = table["replicate"] == k
        axes[0].plot(table["step"][mine], table["distance"][mine], color=colour)
        axes[0].plot(table["step"][mine], table["predicted"][mine], color="black", ls="--", lw=0.8)
    axes[0].plot([], [], color="black", ls="--", lw=0.8, label="slope $\\log|\\lambda_2|$")
    axes[0].plot([], [], color="grey", label="ADMM, three instances")
    axes[0].set_yscale("log")
    axes[0].set_xlabel("iteration $k$")
    axes[0].set_ylabel("$\\|z_k - z_\\infty\\|$")
    axes[0].legend()
    gaps = _arrays(tables["gaps"])
    for colour, name, label in (
        (COLOURS[0], "projected", "projected (feasible)"),
        (COLOURS[1], "raw", "iterate as it is"),
    ):
        axes[1].plot(gaps["step"], gaps[name], "o-", color=colour, label=label, lw=0.8)
    axes[1].axhline(0, color="black", lw=0.8)
    axes[1].set_yscale("symlog", linthresh=1e-6)
    axes[1].set_ylim(5 * min(0.0, float(np.min(gaps["raw"]))), 5 * float(np.max(gaps["projected"])))
    axes[1].set_xscale("log")
    axes[1].set_xlabel("iteration $k$")
    axes[1].set_ylabel("objective / $p^*$ $-$ 1")
    axes[1].legend()
    return fig


def violation(tables: Tables) -> Figure:
    """Mean violation against the number of sampled directions, with the scenario bound and its rivals."""
    measured, theory = _arrays(tables["measured"]), _arrays(tables["theory"])
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["N"], theory["bound"], color="black", label="$(n+1)/(N+1)$")
    axis.plot(theory["N"], theory["paper"], color="black", ls=":", label="paper's bound")
    axis.plot(theory["N"], theory["rank"], color=COLOURS[1], ls="--", label="rank $X$ for $n$")
    axis.errorbar(
        measured["N"], measured["mean"], yerr=measured["se"], fmt="o", color=COLOURS[0], label="measured ± se"
    )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("sampled directions $N$")
    axis.set_ylabel("mean violation $E[V]$")
    axis.legend()
    return fig


def learning(tables: Tables) -> Figure:
    """Accuracy on test images of ADMM's iterates; the optimum's is the line."""
    table = _arrays(tables["accuracy"])
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.axhline(float(table["optimum"][0]), color="black", ls="--", label="network of the optimum")
    axis.errorbar(
        table["step"],
        table["mean"],
        yerr=table["se"],
        fmt="o",
        ms=3,
        color=COLOURS[0],
        label="ADMM's iterate, mean ± se",
    )
    axis.set_xscale("log")
    axis.set_ylim(0.4, 1.02)
    axis.set_xlabel("iteration $k$")
    axis.set_ylabel("test accuracy")
    axis.legend(loc="lower right")
    return fig


def robustness(tables: Tables) -> Figure:
    """Accuracy on test images under PGD against the attack's radius, for networks trained with and without."""
    table = _arrays(tables["accuracy"])
    fig, axis = plt.subplots(figsize=(COLUMN, 3.2))
    for colour, name in zip(COLOURS, list(dict.fromkeys(table["network"])), strict=False):
        mine = table["network"] == name
        axis.errorbar(
            table["radius"][mine],
            table["mean"][mine],
            yerr=table["se"][mine],
            fmt="o-",
            color=colour,
            label=str(name),
            lw=0.8,
        )
    axis.set_xlabel("attack radius $\\varepsilon$ ($\\ell_\\infty$, PGD)")
    axis.set_ylabel("test accuracy, mean ± se")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))  # above: the curves fill the axes
    return fig
