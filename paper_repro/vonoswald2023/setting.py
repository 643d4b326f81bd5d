"""Conventions. The text says x ~ U(−1, 1)^d and L = (1/2N) Σ |Wx − y|²; the code with input_range = 1 draws
U(−½, ½)^d and reports ½ E(ŷ − y)². The axis of Figure 2 ends at 0.2, Appendix A.11 speaks of "the desired GD loss of
0.2": it is the code's convention, which holds here. Numbers of sections and figures are those of the ICML version.
"""

from __future__ import annotations

import math

from corollary.claims import Paper
from corollary.theory import icl

PAPER = Paper(
    key="vonoswald2023",
    title="Transformers Learn In-Context by Gradient Descent",
    authors="Johannes von Oswald, Eyvind Niklasson, Ettore Randazzo, João Sacramento, Alexander Mordvintsev, "
    "Andrey Zhmoginov, Max Vladymyrov",
    year=2023,
    arxiv="2212.07677",
    summary="Trained linear self-attention makes steps of gradient descent on the regression loss of its context.",
    conventions="η multiplies the gradient of (1/2N) Σ |Wx_i − y_i|², γ of GD++ the Gram matrix XXᵀ, not divided by N. "
    "Losses of one layer: ½ E(ŷ − y)², inputs U(−½, ½), as in the code (equation (5) has no ½, the text U(−1, 1)); of "
    "stacks: no ½, Gaussian inputs. w ~ N(0, I), no noise, the query is no key.",
)

HALF_WIDTH = 0.5
INPUTS = {"inputs": "uniform", "scale": HALF_WIDTH / math.sqrt(3)}  # coordinates U(−½, ½), variance 1/12
SIZE = {"smoke": {"d": 4, "context": 4}, "laptop": {"d": 10, "context": 10}, "paper": {"d": 10, "context": 10}}


def task(d: int, context: int, half_width: float = HALF_WIDTH) -> icl.LinearTask:
    """The paper's prompts: uniform inputs, w ~ N(0, I), no noise."""
    return icl.uniform_task(d, context, half_width)


def exact_gradient(point):
    """gradient(KQ, PV) of the exact population loss of a point's task, for `train_layer`."""
    prompts = task(point["d"], point["context"])

    def gradient(KQ, PV):
        g = icl.population_loss_gradient(icl.Attention(KQ, PV), prompts)
        return g.KQ, g.PV

    return gradient


def half_loss(KQ, PV, d: int, context: int) -> float:
    """½ E(ŷ − w·x)², exactly."""
    return icl.population_loss(icl.Attention(KQ, PV), task(d, context)) / 2
