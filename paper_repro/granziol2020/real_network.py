"""Where theory meets a real network: the top Hessian eigenvalue on a batch of digits, measured and predicted.

A 64-8-10 tanh network (610 parameters, W_std = 1.5, b_std = 0.1) at initialisation, cross-entropy on 256 digits. The
isotropic law knows the noise by its total size alone, and spreads it over all 610 directions: it predicts next to no
lifting. But per-sample Hessians share their directions; second-order perturbation theory, which weighs the noise's own
couplings c_j = E|u_jᵀ(H_i − H)u_1|², predicts what is measured.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.claims.claim import Regime
from corollary.figures import granziol2020 as pictures
from corollary.paper_repro.granziol2020.spiked import lifted
from corollary.sims.common import data
from corollary.sims.common.curvature import Curvature
from corollary.sims.common.networks import Network, init
from corollary.sims.spectra.spiked import batch_top
from corollary.theory.spectra import outliers
from corollary.verdicts import Value, rel

N = 256
GIVEN = "one network at initialisation and 256 digits; the batches are redrawn"


@cache
def full() -> Curvature:
    """The Hessian over all 256 points."""
    digits = data.digits()
    assert digits.labels is not None
    net, params = Network("tanh", 1.5, 0.1), init((64, 8, 10), (0,), np)
    return Curvature(net, params, digits.x[:N], digits.labels[:N], "cross_entropy")


@cache
def spectrum() -> tuple[np.ndarray, np.ndarray, float]:
    """(eigenvalues, couplings c_j, noise P σ²) from the dense per-sample Hessians."""
    H = full()
    eye = np.eye(H.size)
    dense = H(eye)
    values, U = np.linalg.eigh(dense)
    couplings, noise = np.zeros(H.size), 0.0
    for i in range(N):
        one = Curvature(H.net, H.params, H.x[i : i + 1], H.y[i : i + 1], H.loss)(eye) - dense
        couplings += (U.T @ (one @ U[:, -1])) ** 2 / N
        noise += float(np.sum(one * one)) / H.size / N
    return values, couplings, noise


def drawn(batch: int) -> float:
    """Variance of the mean of `batch` of N numbers of variance 1, without replacement."""
    return (1 / batch - 1 / N) * N / (N - 1)


def isotropic(batch):
    values, _, noise = spectrum()
    return outliers.additive_outlier(float(values[-1]), float(np.sqrt(noise * drawn(batch)))).position


def second_order(batch):
    values, couplings, _ = spectrum()
    return outliers.perturbed_top(values.tolist(), (couplings * drawn(batch)).tolist())


def unlifted():
    return float(spectrum()[0][-1])


BATCHES = {"smoke": (20, 50), "laptop": (10, 20, 50, 100), "paper": (10, 20, 50, 100)}
tops = Experiment(
    "granziol2020.batch-tops",
    run=lambda point, seeds, xp: batch_top(point, seeds, np, curvature=full()),
    points={s: [{"batch": b} for b in batches] for s, batches in BATCHES.items()},
    replicates=8192,
)

isotropic_law = Claim(
    r"\lambda_1(H_b) = \lambda_1 + P\sigma^2 (1/b - 1/N)/\lambda_1 \text{ on a network, if its noise were isotropic}",
    Value(isotropic, resolution=rel(0.02), margin=rel(0.01), because="its 610 parameters: terms of order 1/P"),
    id="granziol2020.isotropic-law-on-a-network",
    theorem=r"As recalled (its wording was not compared with the paper): $\lambda_1(H_b) = \lambda_1 + "
    r"\tfrac{P}{\mathfrak b}\tfrac{\sigma^2}{\lambda_1}$ if $\lambda_1 > \sigma\sqrt{P/\mathfrak b}$, with "
    r"$\mathfrak b = b/(1 - b/N)$.",
    where="the law of `granziol2020.outlier`, taken to networks",
    measure=tops["top"],
    points=[{"batch": 10}],
    given=GIVEN,
    regime=Regime(
        lambda batch: batch > outliers.critical_batch(unlifted(), spectrum()[2]),
        because="the law is for an outlier that stands apart from the bulk, b > b* = Pσ²/λ₁² (0.0005 here): it is "
        "refuted where its hypotheses on sizes hold, for the noise is not isotropic",
    ),
    expected="REFUTED",
    rivals={"5 % below the full Hessian's": lambda batch: unlifted() * 0.95, "second order": second_order},
    uses=[lifted],
)  # fmt: skip

perturbation = Claim(
    r"\lambda_1(H_b) = \lambda_1 + (1/b - 1/N) \sum_{j>1} \mathbb E|u_j^\top (H_i - H) u_1|^2/(\lambda_1 - \lambda_j)",
    Value(
        second_order, resolution=rel(0.04), margin=lambda batch: 0.15 * (second_order(batch) - unlifted()),
        because="higher orders, 15 % of the lift: 400 batches of each size on another seed root missed by −9 ± 3 % of "
        "it at b = 10 (fourth order: it pulls down where λ_2 is close), by less than two standard errors from 20 on",
    ),
    id="granziol2020.second-order-on-a-network",
    where="ours (a correction of the isotropic law)",
    measure=tops["top"],
    given=GIVEN,
    rivals={"isotropic noise": isotropic, "no lifting at all": lambda batch: unlifted()},
    checked_by=["spectra.second_order_top"],
)  # fmt: skip


def tables(experiments):
    """Predicted curves against the batch size, and measured means with standard deviations."""
    grid = [float(b) for b in np.geomspace(8, N, 60)]
    theory = {
        "batch": grid,
        "isotropic": [isotropic(b) for b in grid],
        "second_order": [second_order(b) for b in grid],
        "full": [unlifted()] * len(grid),
    }
    measured = {"batch": [], "mean": [], "se": [], "sd": []}
    for point, arrays in experiments["tops"]:
        top = arrays["top"]
        measured["batch"].append(point["batch"])
        measured["mean"].append(top.mean())
        measured["sd"].append(top.std(ddof=1))
        measured["se"].append(top.std(ddof=1) / np.sqrt(len(top)))
    return {"theory": theory, "measured": measured}


network = Figure(
    number="network",
    title="Top Hessian eigenvalue of a real network on batches: isotropic law, second order, measurement",
    experiments={"tops": tops},
    tables=tables,
    draw=pictures.batch_tops,
    replicates={"smoke": 32, "laptop": 128, "paper": 1024},
    parameters=[
        ("network, data", "VGG-16, CIFAR-100", "64-8-10 tanh, 256 digits"),
        ("batch sizes", "2 to 2048", "10–100"),
    ],
    claims=[isotropic_law, perturbation],
)
