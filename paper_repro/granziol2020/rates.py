"""Largest learning rates against the batch size. Proven: SGD in mean square on Gaussian features. The paper's 2/λ₁(b)
stands beside it; its √b rule for Adam is a heuristic (`theory.spectra.adam_rate_rule`) and no claim here.

2/λ₁(b) overstates here fivefold at b = 1 (1.10 for 0.21): one sample's aaᵀ has rank one, all its size in one direction,
of which the isotropic law sees the share 1/P; and it counts one batch's curvature, not a product of many.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from corollary.claims import Claim, Experiment, Figure, grid
from corollary.claims.experiment import EachSeed
from corollary.figures import granziol2020 as pictures
from corollary.paper_repro.granziol2020.spiked import lifted
from corollary.theory import spectra
from corollary.verdicts import Rate, Threshold

LAM = [1.0] + [0.08] * 100  # one outlier over a flat bulk: tr/λ₁ = 9


def frozen_rate(batch, rng):
    """`bisected`, with a spread of 1e-4, for an interval."""
    return bisected(batch) * rng.uniform(1 - 1e-4, 1 + 1e-4)


@cache
def bisected(batch):
    """The largest rate, by bisection to 1e-4, at which E|θ|² shrinks: exact moments iterated, no closed form."""
    lam = np.asarray(LAM)
    low, high = 0.0, 4.0
    for _ in range(16):
        rate = (low + high) / 2
        d = 1 - 2 * rate * lam + (1 + 1 / batch) * (rate * lam) ** 2
        m = np.ones_like(lam)
        for _ in range(400):  # power iteration on diag(d) + (η²/B) λλᵀ
            m = d * m + rate**2 / batch * lam * (lam @ m)
            size = np.max(m)
            m = m / size
        low, high = (rate, high) if size < 1 else (low, rate)
    return (low + high) / 2


saturation = Claim(
    r"\eta^*(B):\ \textstyle\sum_k \frac{\eta\lambda_k}{2B - (B+1)\eta\lambda_k} = 1:"
    r"\text{ linear in } B \ll \operatorname{tr} H/\lambda_1, \text{ then } 2/\lambda_1",
    Threshold(
        lambda batch: spectra.gaussian_critical_rate(LAM, batch), resolution=0.01, margin=0.004,
        because="bisection to 6e-5, 400 steps of the moment iteration: a growth of 1 ± 1e-5 is not told from 1",
    ),
    id="granziol2020.largest-rate",
    theorem="Maximal learning rates as a function of batch size: linear scaling for SGD, square-root "
    "scaling for adaptive algorithms such as Adam, for smooth, non-convex networks (abstract).",
    where="Section 4 (learning rate against batch size), exact for Gaussian features",
    measure=frozen_rate,
    points={"batch": [1, 8, 64]},
    replicates=64,
    rivals={
        "2/λ₁ at any batch": 2.0,
        "linear for ever": lambda batch: batch * spectra.gaussian_critical_rate(LAM, 1),
        "as √B": lambda batch: batch**0.5 * spectra.gaussian_critical_rate(LAM, 1),
    },
    uses=[lifted],
    checked_by=["spectra.gaussian_rate"],
)  # fmt: skip


def wide_rate(n, rng):
    """1/η* at batch B = 256/n on a flat spectrum of 8192 directions."""
    return 1 / spectra.gaussian_critical_rate([1.0] * 8192, 256 // n)


linear = Claim(
    r"B \ll \operatorname{tr} H/\lambda_1:\ 1/\eta^* \sim B^{-1}\ (n = 256/B)",
    Rate(1.0, along="n", sequence=True, resolution=0.02),
    id="granziol2020.linear-scaling",
    theorem="Maximal learning rates as a function of batch size: linear scaling for SGD, square-root "
    "scaling for adaptive algorithms such as Adam, for smooth, non-convex networks (abstract).",
    where="the linear scaling rule, in its regime",
    measure=wide_rate,
    points={"n": [8, 16, 32, 64, 128, 256]},
    replicates=16,
    rivals={"the square-root rule": 0.5, "no dependence": 0.0},
    uses=[saturation],
)


def isotropic_noise() -> float:
    """P σ² = E‖aaᵀ − H‖_F²/P = ((tr H)² + tr H²)/P for a ~ N(0, H): E|a|⁴ = (tr H)² + 2 tr H² (Isserlis)."""
    lam = np.asarray(LAM)
    return float((np.sum(lam) ** 2 + np.sum(lam**2)) / len(lam))


def tables(experiments):
    """η* of SGD in mean square, 2/λ₁(b) of the paper, and the bisected rates."""
    batches = sorted({round(b) for b in np.geomspace(1, 512, 60)})
    noise = isotropic_noise()
    theory = {
        "batch": batches,
        "exact": [spectra.gaussian_critical_rate(LAM, b) for b in batches],
        "batch_law": [spectra.sgd_rate_limit(1.0, noise, float(b)) for b in batches],
    }
    measured = {"batch": [], "rate": []}
    for point, arrays in experiments["rates"]:
        measured["batch"].append(point["batch"])
        measured["rate"].append(arrays["value"].mean())
    return {"theory": theory, "measured": measured}


figure = Figure(
    number="rates",
    title="Largest learning rate of SGD against the batch size, one outlier over a flat bulk: exact and bisected "
    "agree; the isotropic law for one batch, blind to the noise's rank one, overstates it on small batches",
    experiments={
        "rates": Experiment(
            "granziol2020.rates", EachSeed(frozen_rate), grid(batch=[1, 2, 4, 8, 16, 32, 64, 128, 256]), 16,
            source=frozen_rate,
        )
    },
    tables=tables,
    draw=pictures.learning_rates,
    replicates=2,
    parameters=[("model", "VGG-16 on CIFAR-100", "Gaussian features, λ = 1 and 100 × 0.08")],
    claims=[saturation, linear],
)  # fmt: skip
