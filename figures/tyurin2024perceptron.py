"""Logistic regression with large steps: distance from the perceptron, steps to separation, loss against mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]

ROUNDING = 1e-17  # where an exact 0 is drawn on a logarithmic axis


def perceptron(tables: Tables) -> Figure:
    """Left: the gap with its bound; right: steps on the imbalanced example, with the exact walk and both bounds."""
    gap = {name: np.array(column, dtype=float) for name, column in tables["gap"].items()}
    steps = {name: np.asarray(column) for name, column in tables["steps"].items()}
    fig, (left, right) = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.6))
    drawn = {name: np.maximum(gap[name], ROUNDING) for name in ("low", "median", "high")}
    bars = np.stack([drawn["median"] - drawn["low"], drawn["high"] - drawn["median"]])
    left.errorbar(gap["scaled"], drawn["median"], yerr=bars, fmt="o", color=COLOURS[0], label="median, 10–90 %")
    left.plot(gap["scaled"], gap["bound"], color=COLOURS[1], label="bound (median)")
    left.axvline(37, color="0.6", ls=":", label=r"$\gamma\,\min|b_k^\top P_s| = 37$")
    left.set_yscale("log")
    left.set_xlabel(r"$\gamma\,\min|b_k^\top P_s|$")
    left.set_ylabel(r"$\max_t\|\theta_t/\gamma - P_t\|$")
    left.legend(loc="lower left")
    for colour, name in zip(COLOURS, ("plain", "normalised"), strict=False):
        bars = np.stack([steps[name] - steps[f"{name}_low"], steps[f"{name}_high"] - steps[name]])
        right.errorbar(steps["n"], steps[name], yerr=bars, fmt="o", color=colour, label=name)
    right.plot(steps["n"], steps["walk"], color=COLOURS[0], label="plain, exact")
    right.plot(steps["n"], steps["plain_bound"], color=COLOURS[0], ls="--", label=r"bound $nR^2/\mu^2$")
    right.plot(steps["n"], steps["normalised_bound"], color=COLOURS[1], ls="--", label=r"bound $R^2/\mu^2$")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_ylim(2, 5e5)
    right.set_xlabel("number of data $n$")
    right.set_ylabel("steps until separated")
    right.legend(loc="upper left", ncol=2)
    return fig


def losses(tables: Tables) -> Figure:
    """Left: the logistic loss; right: the share of misclassified data; both against the step."""
    paths = {name: np.asarray(column) for name, column in tables["paths"].items()}
    fig, (left, right) = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.4))
    for colour, rate in zip(COLOURS, np.unique(paths["rate"]), strict=False):
        rows = paths["rate"] == rate
        step, label = paths["step"][rows], f"$\\gamma = {rate:g}$"
        low, high = (np.maximum(paths[name][rows], 1e-6) for name in ("low", "high"))
        left.plot(step, np.maximum(paths["loss"][rows], 1e-6), color=colour, label=label)
        left.fill_between(step, low, high, color=colour, alpha=0.2, lw=0)
        right.plot(step, paths["wrong"][rows], color=colour, label=label)
    left.set_yscale("log")
    left.set_xlim(0, 20)
    right.set_xlim(0, 20)
    left.set_xlabel("step")
    left.set_ylabel("loss, median and 10–90 %\n(below $10^{-6}$ drawn there)")
    right.set_xlabel("step")
    right.set_ylabel("share misclassified")
    right.legend()
    return fig
