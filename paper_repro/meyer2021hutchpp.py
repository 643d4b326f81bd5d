"""Meyer, Musco, Musco, Woodruff 2021: Hutch++: Optimal Stochastic Trace Estimation (2010.09649), and its neighbours.

Hutchinson's estimator has an exact variance; Hutch++ needs 1/ε instead of 1/ε² products in the worst case; XTrace
(Epperly, Tropp, Webber 2024, 2301.07825) uses every product twice; Lanczos quadrature of ln A converges like ρ^{−2m}.
Worst-case rates are bounds: how fast Hutch++ really falls depends on the spectrum's decay, so no slope is asserted.

    python -m corollary.paper_repro.meyer2021hutchpp
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Paper, grid
from corollary.claims.experiment import EachSeed
from corollary.figures import meyer2021hutchpp as pictures
from corollary.numerics.lanczos import lanczos, ritz
from corollary.sims.spectra import trace
from corollary.theory.spectra import estimators
from corollary.verdicts import Bound, Order, Value, rel, scaled

PAPER = Paper(
    key="meyer2021hutchpp",
    title="Hutch++: Optimal Stochastic Trace Estimation",
    authors="Raphael A. Meyer, Cameron Musco, Christopher Musco, David P. Woodruff",
    year=2021,
    arxiv="2010.09649",
    summary="Traces from 1/ε products instead of 1/ε², by treating the largest directions exactly.",
    conventions="A symmetric, of order n, eigenvalues λ_i; m products with A: m probes (Hutchinson), k = m/3 each for "
    "sketch, basis and probes (Hutch++), k = m/2 test vectors (XTrace); errors are mean squares of t̂ − tr A.",
)

N = 200


@cache
def matrix(decay: float) -> tuple[np.ndarray, np.ndarray]:
    """(A, λ) with eigenvalues i^(−decay) in a fixed random basis."""
    Q = np.linalg.qr(np.random.default_rng(2010).standard_normal((N, N)))[0]
    values = np.arange(1, N + 1) ** -float(decay)
    return (Q * values) @ Q.T, values


def squared_errors(decay, products, rng):
    """(hutchinson, hutch++, xtrace): squared errors of the trace at equal numbers of products."""
    A, values = matrix(decay)
    methods = ("hutchinson", "hutch++", "xtrace")
    return np.array([(trace(A, products=products, method=m, rng=rng).value - values.sum()) ** 2 for m in methods])


def _at(column):
    def measure(decay, products, rng):
        return squared_errors(decay, products, rng)[column]

    return measure


hutchinson_errors = Experiment(
    "meyer2021.hutchinson", EachSeed(_at(0)), [{"decay": 1.0, "products": 30}], replicates=16384, source=squared_errors
)
hutch_errors = Experiment(
    "meyer2021.hutchpp", EachSeed(_at(1)), grid(decay=[0.5, 2.0], products=[30]), replicates=16384,
    source=squared_errors,
)  # fmt: skip


def variance(decay, products):
    A, _ = matrix(decay)
    return estimators.hutchinson_variance(A.tolist(), products)


hutchinson_constant = Claim(
    r"\mathbb E(\hat t - \operatorname{tr} A)^2 = \tfrac2m\big(\|A\|_F^2 - \textstyle\sum a_{ii}^2\big)",
    Value(variance, resolution=rel(0.25)),
    id="meyer2021hutchpp.hutchinson-constant",
    theorem=r"For symmetric $A$, Hutchinson's estimator $H_\ell(A) = \frac1\ell \sum_i x_i^\top A x_i$ is "
    r"unbiased; with Gaussian $x_i$ its variance is $\frac2\ell \|A\|_F^2$, so that it needs "
    r"$O(1/\epsilon^2)$ products for a $(1 \pm \epsilon)$ approximation.",
    where="Section 1 (Hutchinson's estimator); the constant for random signs: Hutchinson 1990",
    measure=hutchinson_errors["value"],
    given="one matrix of each decay",
    rivals={
        "the factor 2 is lost": lambda decay, products: variance(decay, products) / 2,
        "1/m² for 1/m": lambda decay, products: variance(decay, products) / products,
    },
    checked_by=["spectra.hutchinson"],
)  # fmt: skip


def mse_bound(decay, products):
    return estimators.hutch_plus_plus_mse(matrix(decay)[1].tolist(), products // 3)


hutchpp_bound = Claim(
    r"\mathbb E(\hat t - \operatorname{tr} A)^2 \le \tfrac2k \min_r (1 + \tfrac{r}{k-r-1})\sum_{i>r}\lambda_i^2",
    Value(mse_bound, resolution=rel(0.25), side="at most"),
    id="meyer2021hutchpp.bound",
    theorem=r"Hutch++ computes a $(1 \pm \epsilon)$ approximation to $\mathrm{tr}(A)$ for any positive "
    r"semidefinite $A$ using just $O(1/\epsilon)$ matrix-vector products: $\mathrm{tr}(Q^\top A Q) + \frac3m "
    r"\mathrm{tr}(G^\top (I - QQ^\top) A (I - QQ^\top) G)$ with $Q$ an orthonormal basis of $AS$, and $S$, "
    "$G$ random with $m/3$ columns each.",
    where="Theorem 1 (constants: ours)",
    measure=hutch_errors["value"],
    given="one matrix of each decay",
    rivals={
        "a hundredth of it": lambda decay, products: mse_bound(decay, products) / 100,
        "twice the decay": lambda decay, products: mse_bound(2 * decay, products),
    },
)  # fmt: skip


@cache
def signed() -> tuple[np.ndarray, np.ndarray]:
    """(A, λ) with eigenvalues ±1: no direction is worth a sketch, which is the bounds' worst case."""
    Q = np.linalg.qr(np.random.default_rng(2011).standard_normal((N, N)))[0]
    values = np.where(np.arange(N) % 2, -1.0, 1.0)
    return (Q * values) @ Q.T, values


def absolute_error(method):
    def measure(products, rng):
        A, values = signed()
        return abs(trace(A, products=products, method=method, rng=rng).value - float(values.sum()))

    return measure


SHARE = 0.25  # of estimates that may miss, in the guarantees: by Chebyshev's inequality within √(bound/share)


def guarantee(bound, per):
    return lambda products: (bound(signed()[1].tolist(), products // per) / SHARE) ** 0.5


worst_hutchpp = Claim(
    r"\mathbb P\Big(|\hat t - \operatorname{tr} A| > \sqrt{4\,\mathrm{MSE\ bound}}\Big) \le \tfrac14,"
    r"\ \lambda_i = \pm 1",
    Bound(guarantee(estimators.hutch_plus_plus_mse, 3), delta=SHARE, resolution=0.05),
    id="meyer2021hutchpp.guarantee",
    theorem=r"Hutch++ computes a $(1 \pm \epsilon)$ approximation to $\mathrm{tr}(A)$ for any positive "
    r"semidefinite $A$ using just $O(1/\epsilon)$ matrix-vector products: $\mathrm{tr}(Q^\top A Q) + \frac3m "
    r"\mathrm{tr}(G^\top (I - QQ^\top) A (I - QQ^\top) G)$ with $Q$ an orthonormal basis of $AS$, and $S$, "
    "$G$ random with $m/3$ columns each.",
    where="Theorem 1, as a guarantee with probability (constants: ours), where it is nearly reached",
    measure=absolute_error("hutch++"),
    points=[{"products": 30}],
    replicates=16384,
    given="one matrix",
    rivals={"half of it": scaled(0.5), "a quarter of it": scaled(0.25)},
    uses=[hutchpp_bound],
)
worst_xtrace = Claim(
    r"\text{XTrace: the same with the bound of one of its terms, } 2\min_r (1 + \tfrac{r}{k-r-2})\sum_{i>r}\lambda_i^2",
    Bound(guarantee(estimators.xtrace_mse, 2), delta=SHARE, resolution=0.05),
    id="meyer2021hutchpp.xtrace-guarantee",
    theorem=r"Epperly, Tropp & Webber 2024: XTrace averages $\mathrm{tr}(Q_i^\top A Q_i) + \omega_i^\top (I "
    r"- Q_iQ_i^\top) A (I - Q_iQ_i^\top)\,\omega_i$ over its test vectors $\omega_i$, with $Q_i$ an "
    r"orthonormal basis of $A$ times all of them but $\omega_i$. (Their error bounds were not compared with "
    "ours.)",
    where="Epperly, Tropp, Webber 2024 (bound: ours); four products, where averaging wins least",
    measure=absolute_error("xtrace"),
    points=[{"products": 4}],
    replicates=16384,
    given="one matrix",
    rivals={"a quarter of it": scaled(0.25), "an eighth of it": scaled(0.125)},
)


def pairs(decay, products, rng):
    """(better, worse) root squared errors, averaged over eight estimates each."""
    errors = np.sqrt(np.mean([squared_errors(decay, products, rng) for _ in range(8)], axis=0))
    return {"hutchpp": errors[[1, 0]], "xtrace": errors[[2, 1]]}


compared = Experiment(
    "meyer2021.compared", EachSeed(pairs), [{"decay": 2.0, "products": 30}], replicates=512, source=pairs
)

hutchpp_wins = Claim(
    r"\text{on a decaying spectrum } \lambda_i = i^{-2} \text{ Hutch++ beats Hutchinson at equal products}",
    Order(),
    id="meyer2021hutchpp.beats-hutchinson",
    theorem="Hutch++ significantly outperforms Hutchinson's method in experiments (abstract).",
    where="Section 5 (experiments)",
    measure=compared["hutchpp"],
    given="one matrix",
    rivals={"no order": 0.5, "in six of ten comparisons": 0.6},
)
xtrace_wins = Claim(
    r"\text{and XTrace beats Hutch++}",
    Order(),
    id="meyer2021hutchpp.xtrace-beats-hutchpp",
    theorem="Epperly, Tropp & Webber 2024: for a fixed budget of products, numerical experiments show that "
    "XTrace can achieve errors orders of magnitude smaller than existing algorithms, such as the "
    "Girard–Hutchinson or the Hutch++ estimator (abstract).",
    where="Epperly, Tropp, Webber 2024, Section 3",
    measure=compared["xtrace"],
    given="one matrix",
    rivals={"no order": 0.5, "in six of ten comparisons": 0.6},
)


def quadrature(steps, kappa, rng):
    """|vᵀ ln(A) v − Σ w ln θ| for a random diagonal A with spectrum in [1, κ], ends included, and a random v."""
    values = np.concatenate([[1.0, kappa], rng.uniform(1, kappa, 98)])
    v = rng.standard_normal(100)
    nodes = ritz(lanczos(lambda V: values[:, None] * V, v[:, None], steps))
    exact = float(v**2 @ np.log(values)) / float(v @ v)
    return abs(float(nodes.weights @ np.log(nodes.values)) - exact)


lanczos_convergence = Claim(
    r"|v^\top \ln(A) v - \textstyle\sum_j w_j \ln\theta_j| \le 4M\rho^{1-2m}/(\rho-1)",
    Bound(lambda steps, kappa: estimators.log_quadrature_error(1.0, kappa, steps), resolution=0.02),
    id="meyer2021hutchpp.lanczos-convergence",
    theorem="After $m$ Lanczos steps the quadrature is exact for polynomials of degree $2m - 1$, so that "
    r"its error is at most $2 \min_{\deg p < 2m} \max |f - p|$ over the spectrum; for $f$ analytic and at "
    r"most $M$ in the Bernstein ellipse of $\rho$ that is at most $\frac{4M\rho^{1-2m}}{\rho - 1}$ "
    "(Bernstein). Ubaru, Chen & Saad 2017, Theorem 4.2, bound it in this manner; their constant was not "
    "compared.",
    where="ours, in the manner of Ubaru, Chen, Saad 2017, Theorem 4.2",
    measure=quadrature,
    points=grid(steps=[4, 8], kappa=[50.0]),
    replicates=2048,
    rivals={
        "every step counts for four": lambda steps, kappa: estimators.log_quadrature_error(1.0, kappa, 4 * steps),
        "a thousandth of it": scaled(1e-3),
    },
)


def tables(data):
    """Root mean squared errors against products, with the exact line of Hutchinson and the bound of Hutch++."""
    measured = {"method": [], "products": [], "rmse": [], "low": [], "high": []}
    theory = {"products": [], "hutchinson": [], "hutchpp_bound": []}
    for point, arrays in data["errors"]:
        for i, method in enumerate(("Hutchinson", "Hutch++", "XTrace")):
            squares = arrays["value"][:, i]
            mean, se = squares.mean(), squares.std(ddof=1) / np.sqrt(len(squares))
            measured["method"].append(method)
            measured["products"].append(point["products"])
            measured["rmse"].append(np.sqrt(mean))
            measured["low"].append(np.sqrt(max(mean - 2 * se, 0)))
            measured["high"].append(np.sqrt(mean + 2 * se))
        theory["products"].append(point["products"])
        theory["hutchinson"].append(np.sqrt(variance(point["decay"], point["products"])))
        theory["hutchpp_bound"].append(np.sqrt(mse_bound(point["decay"], point["products"])))
    return {"measured": measured, "theory": theory}


errors = Experiment(
    "meyer2021.errors", EachSeed(squared_errors), grid(decay=[2.0], products=[12, 24, 48, 96]), source=squared_errors
)
figure_1 = Figure(
    number="1",
    title="Error of trace estimates against products with the matrix, eigenvalues 1/i²",
    experiments={"errors": errors},
    tables=tables,
    draw=pictures.errors,
    replicates={"smoke": 40, "laptop": 200, "paper": 2000},
    parameters=[("n", "5000", str(N)), ("eigenvalues", "i^(−2) and others", "i^(−2)")],
    claims=[hutchinson_constant, hutchpp_bound, hutchpp_wins, xtrace_wins],
)

if __name__ == "__main__":
    from corollary.cli import main

    sys.argv[1:1] = ["reproduce", PAPER.key]
    main()
