"""Gradient descent closes exactly in w̄ and M at every width; the loss of a test point in them."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Paper, grid
from corollary.sims.ntk import committee
from corollary.theory.ntk import grokking
from corollary.theory.ntk.grokking import Moments
from corollary.verdicts import Identity, Value, rel

PAPER = Paper(
    key="kumar2023grokking",
    title="Grokking as the Transition from Lazy to Rich Training Dynamics",
    authors="Tanishq Kumar, Blake Bordelon, Samuel J. Gershman, Cengiz Pehlevan",
    year=2023,
    arxiv="2310.06110",
    summary="Grokking without regularisation: a kernel solution first, features later; the later, the lazier.",
    conventions="x ~ N(0, I/D); loss (1/2P) Σ r²; rate η N/α² on the weights; kernels in units of α²/N; centred: the "
    "starting output is subtracted.",
    family="ntk",
)


# --- the closure
def networks(N, D, P, rng):
    weights, points, beta = committee.draw(D, P + 3, N, rng)
    return {"W": weights, "x": points[:P], "y": (points[:P] @ beta) ** 2 / 2, "probe": points[P:]}


def trained(W, x, y, probe, alpha, epsilon, rate):
    """Outputs at three probes after 8 steps of the whole network."""
    for _ in range(8):
        W = committee.descend(W, x, y, alpha, epsilon, rate)
    return committee.outputs(W, probe, alpha, epsilon)


def closed(W, x, y, probe, alpha, epsilon, rate):
    moments = moments_of(W)
    for _ in range(8):
        moments = grokking.descent_step(moments, x, y, alpha, epsilon, rate)
    return grokking.outputs(moments, probe, alpha, epsilon)


def moments_of(W):
    return Moments(W.mean(axis=0), W.T @ W / len(W))


def altered(W, x, y, probe, alpha, epsilon, rate, old_mean=False, square=1.0):
    """The closure with w̄ for A w̄ in the cross term, or without g gᵀ."""
    mean, second = moments_of(W)
    for _ in range(8):
        r = (grokking.outputs(Moments(mean, second), x, alpha, epsilon) - y) * (rate / alpha / len(x))
        g, A = x.T @ r, np.eye(x.shape[1], dtype=x.dtype) - epsilon * (x.T * r) @ x
        cross = np.outer(mean if old_mean else A @ mean, g)
        mean, second = A @ mean - g, A @ second @ A.T - cross - cross.T + square * np.outer(g, g)
    return grokking.outputs(Moments(mean, second), probe, alpha, epsilon)


def without_square(W, x, y, probe, alpha, epsilon, rate):
    return altered(W, x, y, probe, alpha, epsilon, rate, square=0.0)


def unmoved_mean(W, x, y, probe, alpha, epsilon, rate):
    return altered(W, x, y, probe, alpha, epsilon, rate, old_mean=True)


closure = Claim(
    r"\bar w \leftarrow A\bar w - g,\quad M \leftarrow AMA^\top - A\bar w g^\top - g(A\bar w)^\top + gg^\top "
    r"\text{ at every width}",
    Identity(trained, closed),
    id="kumar2023grokking.closure",
    where="ours: the model of Section 4, exact at finite width",
    measure=networks,
    points=grid(N=[1, 7], D=5, P=9, alpha=0.7, epsilon=0.6, rate=0.3),
    rivals={"without g gᵀ": without_square, "w̄ for A w̄ in the cross term": unmoved_mean},
    checked_by=["ntk.committee_step"],
)

# --- the loss of a test point
_given = np.random.default_rng(2310)
BETA = np.array([1.6, -0.8, 1.1, 0.3])
GIVEN = Moments(0.4 * _given.standard_normal(4), np.cov(_given.standard_normal((4, 9))))


def loss(alpha, epsilon):
    return float(sum(grokking.population_loss(GIVEN, np.outer(BETA, BETA), alpha, epsilon)))


def terms(alpha, epsilon):
    return [float(t) for t in grokking.population_loss(GIVEN, np.outer(BETA, BETA), alpha, epsilon)]


def squared_error(alpha, epsilon, rng):
    x = rng.standard_normal((512, 4)) / 2
    f = alpha * x @ GIVEN.mean + alpha * epsilon / 2 * np.sum(x @ GIVEN.second * x, axis=1)
    return np.mean((f - (x @ BETA) ** 2 / 2) ** 2)


test_loss = Claim(
    r"\mathbb E(f-y)^2 = \tfrac1{4D^2}(\operatorname{tr}E)^2 + \tfrac1{2D^2}\|E\|_F^2 + \tfrac{\alpha^2}{D}|\bar w|^2"
    r",\quad E = \alpha\epsilon M - \beta\beta^\top",
    Value(loss, resolution=rel(0.1)),
    id="kumar2023grokking.test-loss",
    theorem=r"For $x \sim N(0, I/D)$ and $y = \tfrac12(\beta\cdot x)^2$: $\mathcal L = "
    r"\tfrac14\left(\tfrac{|\beta|^2}{D} - \tfrac{\alpha\epsilon}{D}\,\mathrm{tr}\,M\right)^2 + "
    r"\tfrac1{2D^2}\|\alpha\epsilon M - \beta\beta^\top\|_F^2 + \tfrac{\alpha^2}{D}|\bar w|^2$.",
    where="Equation 6",
    measure=squared_error,
    points=grid(alpha=[0.5, 1.5], epsilon=0.8),
    replicates=4096,
    given="one pair (w̄, M)",
    rivals={
        "no linear power": lambda alpha, epsilon: sum(terms(alpha, epsilon)[:2]),
        "misalignment counted once, 1/(4D²)": lambda alpha, epsilon: (
            loss(alpha, epsilon) - terms(alpha, epsilon)[1] / 2
        ),
        "no term of traces": lambda alpha, epsilon: sum(terms(alpha, epsilon)[1:]),
    },
    checked_by=["ntk.committee_loss"],
)
