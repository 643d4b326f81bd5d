"""The sampled convex program (SCP). N random first-layer directions; how often does a new one help?"""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment
from corollary.claims.experiment import EachSeed
from corollary.theory import convex_relu
from corollary.verdicts import Bound, Value, probability, rel, scaled

FRESH = 4000  # new directions: the violation is measured to 1/√4000 of its own square root
LEVEL = 0.3
CAMPI_GARATTI = (  # "The exact feasibility of randomized solutions of uncertain convex programs"
    "Campi & Garatti 2008: a convex program with a linear objective in $d$ variables, feasible and with a unique "
    "solution $x^*_N$ for any $N$ sampled constraints: the probability $V$ that a further one is violated has "
    r"$P(V(x^*_N) > \xi) \le \sum_{i=0}^{d-1}\binom{N}{i}\xi^i(1-\xi)^{N-i}$. Here $d = n + 1$: $\nu$ and the value. "
    r"As recalled, Bai et al. have $P(V > \xi) \le \psi$ for "
    r"$N \ge \min\{\tfrac{n+1}{\psi\xi} - 1,\ \tfrac2\xi(n + 1 - \log\psi)\}$."
)


def scenario(n, d, N, rng, tol=1e-5):
    """Violation V of the dual constraint at ν_N by fresh directions, and p_N against p* (all patterns)."""
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    beta = 0.02 * float(np.linalg.norm(X.T @ y))
    s = convex_relu.sampled_lasso(X, y, beta, convex_relu.sphere(d, N, rng), tol=tol)
    fresh = convex_relu.sphere(d, FRESH, rng)
    violation = np.mean(np.abs(s.nu @ np.maximum(X @ fresh, 0)) > beta)
    above = float(violation > LEVEL)
    return {"violation": violation, "above": above, "primal": s.primal, "X": X, "y": y, "beta": np.array(beta)}


SIZES = {"smoke": [20, 100], "laptop": [20, 50, 100, 300], "paper": [20, 50, 100, 300, 1000]}
points = {scale: [{"n": 8, "d": 3, "N": N} for N in sizes] for scale, sizes in SIZES.items()}
scenarios = Experiment("bai2022.scenarios", EachSeed(scenario), points, replicates=1024, source=scenario)


def mean_bound(n, N) -> float:
    """(n + 1)/(N + 1)."""
    return convex_relu.mean_violation_bound(n, N)


mean_violation = Claim(
    r"E\,P\big(|\nu_N^\top(Xu)_+|>\beta\big) \le \frac{n+1}{N+1}",
    Value(mean_bound, resolution=rel(0.3), side="at most"),
    id="bai2022.mean-violation",
    where="The theorem on the number of samples of the SCP, here by the sharper bound of Campi & Garatti 2008",
    theorem=CAMPI_GARATTI,
    measure=scenarios["violation"],
    points={"smoke": points["smoke"][:1], "laptop": points["laptop"][:3], "paper": points["paper"]},
    rivals={
        "rank X for n": lambda d, N: (d + 1) / (N + 1),
        "1/(N + 1), as if one direction carried the solution": lambda N: 1 / (N + 1),
    },
    checked_by=["convex_relu.scenario_bounds"],
)

tail_bound = Claim(
    r"P(V>\xi) \le \sum_{i\le n}\binom Ni\xi^i(1-\xi)^{N-i}",
    Value(
        lambda n, N: convex_relu.tail_violation_bound(n, N, LEVEL), of=probability, resolution=0.15, side="at most",
        margin=0.02, because="V is itself measured with 4000 directions: ±0.007 about ξ = 0.3",
    ),
    id="bai2022.violation-tail",
    where="The theorem on the number of samples of the SCP, here by the binomial tail of Campi & Garatti 2008",
    theorem=CAMPI_GARATTI,
    measure=scenarios["above"],
    points=points["smoke"][:1],
    replicates=1024,
    rivals={
        "rank X for n": lambda d, N: convex_relu.tail_violation_bound(d, N, LEVEL),
        "(1 − ξ)^N, no direction supports the solution": lambda N: (1 - LEVEL) ** N,
    },
    checked_by=["convex_relu.scenario_bounds"],
)  # fmt: skip


def above_optimum(n, d, N, rng):
    """(p* over all patterns, p_N)."""
    out = scenario(n, d, N, rng, tol=1e-3)  # primal values and dual bounds are rigorous at any tolerance
    D = convex_relu.all_patterns(out["X"])
    best = convex_relu.solve(out["X"], out["y"], float(out["beta"]), D, tol=1e-3)
    return np.array([best.certificate.dual, out["primal"]])


never_below = Claim(
    r"p^* \le p_N",
    Bound(resolution=0.35),
    id="bai2022.scp-above",
    where="ours: the sampled convex program against the network's own optimum",
    measure=above_optimum,
    points=[{"n": 6, "d": 2, "N": 40}],
    replicates=256,
    rivals={
        "always one per cent above": scaled(0.99),
        "always ten per cent above": scaled(0.9),
    },
    checked_by=["convex_relu.conjugates"],
)
