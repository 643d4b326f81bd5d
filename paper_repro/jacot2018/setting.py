"""Conventions of the paper: NTK parametrisation, ReLU without √2, β = 0.1, loss (1/2N) Σ (f − y)²."""

from __future__ import annotations

import numpy as np

from corollary.claims import Paper
from corollary.sims.ntk.experiments import circle
from corollary.theory import ntk

PAPER = Paper(
    key="jacot2018",
    title="Neural Tangent Kernel: Convergence and Generalization in Neural Networks",
    authors="Arthur Jacot, Franck Gabriel, Clément Hongler",
    year=2018,
    arxiv="1806.07572",
    summary="The tangent kernel converges at infinite width, stays constant in training, and training follows it.",
    conventions="NTK parametrisation; ReLU without √2; β = 0.1; L − 1 hidden layers of equal width n; loss "
    "(1/2N) Σ (f − y)², trained by full-batch gradient descent of rate η.",
)

BETA = 0.1
SETTING = {"activation": "relu", "W_std": 1.0, "b_std": BETA}
L4 = {"depth": 3, **SETTING}  # the paper's L = 4: three hidden layers and a linear head


def network(hidden: int, b_std: float = BETA) -> ntk.Network:
    """The infinitely wide network with `hidden` ReLU layers."""
    return ntk.mlp(depth=hidden, activation=ntk.Relu(), W_std=1.0, b_std=b_std)


def on_circle(angles: float | list[float]) -> np.ndarray:
    return circle(angles if isinstance(angles, list) else [angles])


def kernel_curve(angles: list[float], hidden: int = 3) -> ntk.Kernel:
    """Kernels (1, M) between (1, 0) and the points of the unit circle at `angles`."""
    return network(hidden).kernel(on_circle(0.0), on_circle(angles))
