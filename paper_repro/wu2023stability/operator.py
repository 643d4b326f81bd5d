"""The exact second-moment operator, and the step size at which it stops contracting."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from corollary.claims import Claim, Experiment, Paper
from corollary.sims.spectra.escape import linear_step
from corollary.theory import spectra
from corollary.verdicts import Value, ratio

PAPER = Paper(
    key="wu2023stability",
    title="The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent",
    authors="Lei Wu, Weijie J. Su",
    year=2023,
    arxiv="2305.17490",
    summary="Where SGD can stay, tr H ≤ 2/η at batch 1: flat minima have small norms.",
    conventions="Loss ½ r², interpolating minima; H = (1/n) Σ a aᵀ with a = ∇f(x_i); θ′ = θ − (η/B) Σ a aᵀθ, batches "
    "drawn with replacement; stable: E|θ|² stays bounded.",
)

GRADIENTS = np.random.default_rng(2305).standard_normal((8, 4)) * np.array([2.0, 1.0, 1.0, 0.5])
GIVEN = "one set of 8 gradients in 4 dimensions; the batches and the start are redrawn"


def operator(rate, p):
    """T as a (16, 16) matrix."""
    images = [spectra.second_moment_step(E.reshape(4, 4), GRADIENTS, rate, p).ravel() for E in np.eye(16)]
    return np.stack(images, axis=1)


@cache
def leading(rate, batch, replace):
    """(ρ(T), its positive semidefinite eigenmatrix)."""
    values, vectors = np.linalg.eigh(operator(rate, spectra.batch_noise_share(batch, 8, replace)))  # T is symmetric
    M = vectors[:, -1].reshape(4, 4)
    return float(values[-1]), M * np.sign(np.trace(M))


def growth(rate, batch, replace):
    return leading(rate, batch, replace)[0]


def root(point):
    """A square root of the eigenmatrix, so that E θθᵀ is it."""
    values, vectors = np.linalg.eigh(leading(point["rate"], point["batch"], point["replace"])[1])
    return vectors * np.sqrt(np.maximum(values, 0))


def radius(rate, p):
    return float(np.linalg.eigvalsh(operator(rate, p))[-1])


def critical(batch, replace):
    return round(spectra.critical_rate(GRADIENTS, batch, replace), 12)


PLACES = [
    {"rate": round(critical(B, replace) * f, 12), "batch": B, "replace": replace}
    for B, replace in ((1, True), (4, True), (4, False)) for f in (0.8, 1.0, 1.2)
]  # fmt: skip
steps = Experiment(
    "wu2023stability.linear-step", run=partial(linear_step, gradients=GRADIENTS, root=root), points=PLACES,
    replicates=65536, block=512, source=linear_step,
)  # fmt: skip

moments = Claim(
    r"\mathbb E\|\theta_1\|^2 = \rho(T)\,\mathbb E\|\theta_0\|^2 \text{ from the leading eigenmatrix; } "
    r"\rho(T) = 1 \text{ at } \eta^*",
    Value(growth, of=ratio, resolution=0.25),
    id="wu2023stability.critical-rate",
    where="ours, the exact form of linear stability (Section 3)",
    measure=steps["pair"],
    given=GIVEN,
    rivals={
        "gradient descent: no noise": lambda rate, batch, replace: radius(rate, 0.0),
        "noise 1/B² for 1/B": lambda rate, batch, replace: radius(rate, 1 / batch**2),
        "half the noise": lambda rate, batch, replace: radius(
            rate, spectra.batch_noise_share(batch, 8, replace) / 2
        ),
        "always on the threshold": 1.0,
    },
    checked_by=["spectra.second_moment_of_a_step", "spectra.critical_rate_of_sgd"],
)  # fmt: skip

SPECTRUM = np.array([2.0, 1.0, 1.0, 0.5, 0.5, 0.25])


def gaussian_operator(rate, batch):
    return np.diag((1 - rate * SPECTRUM) ** 2 + (rate * SPECTRUM) ** 2 / batch) + rate**2 / batch * np.outer(
        SPECTRUM, SPECTRUM
    )


def gaussian_pair(rate, batch, rng):
    """Means over 64 draws of (|θ₁|², |θ₀|²), fresh normal gradients, θ₀ by the leading eigenvector's variances.

    At batch 1 the squares have heavy tails; single draws took a number of replicates that differed tenfold by seed.
    """
    values, vectors = np.linalg.eigh(gaussian_operator(rate, batch))
    θ = np.sqrt(np.abs(vectors[:, -1])) * rng.standard_normal((64, 6))
    A = rng.standard_normal((64, batch, 6)) * np.sqrt(SPECTRUM)
    along = np.matmul(A, θ[:, :, None])
    after = θ - rate / batch * np.sum(A * along, axis=1)
    return np.array([np.mean(np.sum(after**2, axis=1)), np.mean(np.sum(θ**2, axis=1))])


gaussian = Claim(
    r"\text{Gaussian gradients: } \textstyle\sum_k \frac{\eta^*\lambda_k}{2B - (B+1)\eta^*\lambda_k} = 1",
    Value(lambda rate, batch: 1.0, of=ratio, resolution=0.3),
    id="wu2023stability.gaussian-rate",
    where="ours: closed form for Gaussian gradients",
    measure=gaussian_pair,
    points=[
        {"rate": round(spectra.gaussian_critical_rate(SPECTRUM.tolist(), B), 12), "batch": B} for B in (1, 4, 32)
    ],
    replicates=4096,
    rivals={
        "stable, contracting by a half": 0.5,
        "gradient descent at the same rate": lambda rate, batch: float(np.max((1 - rate * SPECTRUM) ** 2)),
        "twice the noise": lambda rate, batch: float(np.linalg.eigvalsh(gaussian_operator(rate, batch / 2))[-1]),
    },
    checked_by=["spectra.gaussian_rate"],
)  # fmt: skip
