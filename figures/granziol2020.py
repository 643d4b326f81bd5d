"""The top Hessian eigenvalue on a batch against the batch size: two predictions and the measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN


def batch_tops(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Lines: full Hessian, isotropic law, second-order perturbation theory; points: mean and spread over batches."""
    theory, measured = tables["theory"], tables["measured"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["batch"], theory["second_order"], color=COLOURS[0], label="second order, real couplings")
    axis.plot(theory["batch"], theory["isotropic"], color=COLOURS[1], label="isotropic noise")
    axis.plot(theory["batch"], theory["full"], color="0.5", ls=":", label="full Hessian")
    axis.errorbar(
        measured["batch"], measured["mean"], yerr=measured["sd"], fmt="o", color="black", label="batches, mean ± sd"
    )
    axis.set_xscale("log")
    axis.set_xlabel("batch size $b$")
    axis.set_ylabel("top eigenvalue $\\lambda_1(H_b)$")
    axis.legend()
    return fig


def learning_rates(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Lines: exact mean-square threshold and the paper's 2/λ₁(b); points: bisected on iterated moments."""
    theory, measured = tables["theory"], tables["measured"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["batch"], theory["exact"], color=COLOURS[0], label="exact, in mean square")
    axis.plot(
        theory["batch"], theory["batch_law"], color=COLOURS[1], ls="--", label="$2/\\lambda_1(B)$, isotropic noise"
    )
    axis.plot(measured["batch"], measured["rate"], "o", color="black", label="bisected")
    axis.axhline(2, color="0.6", ls=":", label="$2/\\lambda_1$")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    axis.set_yticks([], minor=True)
    axis.set_xlabel("batch size $B$")
    axis.set_ylabel("largest learning rate $\\eta^*$")
    axis.legend()
    return fig
