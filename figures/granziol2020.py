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
