"""Section 3: ADMM on the sampled program, its rate, and what its iterates are worth."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import numpy as np

from corollary.claims import Claim, Experiment, Paper
from corollary.claims.experiment import EachSeed
from corollary.theory import convex_relu
from corollary.theory.convex_relu import admm, cones
from corollary.verdicts import Bound, Identity, Order, Value, scaled

PAPER = Paper(
    key="bai2022",
    title="Efficient Global Optimization of Two-Layer ReLU Networks: Quadratic-Time Algorithms and Adversarial "
    "Training",
    authors="Yatong Bai, Tanmay Gautam, Somayeh Sojoudi",
    year=2022,
    arxiv="2201.01965",
    summary="ADMM, block coordinate descent and sampled programs for convex training, and its adversarial version.",
    conventions="Losses are sums over points, no 1/n: squared ½‖f − y‖², hinge and logistic with labels ±1; weight "
    "decay β/2 (‖U‖² + ‖a‖²) ⇔ β Σ (‖v_i‖ + ‖w_i‖). D_i = diag(1[X g_i ≥ 0]), F = [D_1X … −D_1X …], G stacks "
    "(2D_i − I)X; ADMM with penalty ρ, κ = 1, scaled multipliers. Theorems are stated as recalled: their wording was "
    "not compared with the paper's, except for the abstract.",
)

SHARE = 0.3  # β over the critical β


def problem(n: int, d: int, patterns: int, rng: np.random.Generator):
    """X, y, β, D with Gaussian data and sampled patterns."""
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    D = convex_relu.sample_patterns(X, patterns, rng)
    return X, y, SHARE * convex_relu.critical_beta(X, y, D), D


class Trajectory:
    """ADMM (α = 1, κ = 1) with everything recorded: distances of (p, t) to its end, copies v every `every` steps.

    start: a generator draws the initial (p, t) from N(0, 1); default zero.
    """

    def __init__(self, X, y, beta, D, rho: float, steps: int, every: int = 0, start: np.random.Generator | None = None):
        self.X, self.y, self.beta, self.D = X, y, beta, D
        self.factors = admm.factors(X, D)
        self.betas = np.array([beta])
        self.state = admm.start(self.factors, y[:, None], np.array([rho]))
        if start is not None:
            self.state.p += start.standard_normal(self.state.p.shape)
            self.state.t += start.standard_normal(self.state.t.shape)
        points, self.copies = [], {}

        def record(state):
            points.append(np.concatenate([state.p.ravel(), state.t.ravel()]))
            if every and state.steps % every == 0:
                self.copies[state.steps] = np.asarray(admm.primal(state, self.betas))[0].copy()

        admm.run(self.factors, y[:, None], self.betas, "squared", self.state, steps, relax=1.0, on_step=record)
        self.distance = np.linalg.norm(np.array(points[:-1]) - points[-1], axis=1)

    def objective(self, v: np.ndarray) -> float:
        f = np.sum(self.X * (self.D @ (v[0] - v[1])), axis=1)
        return float(np.sum((f - self.y) ** 2) / 2 + self.beta * np.sum(np.linalg.norm(v, axis=2)))

    def projected(self, v: np.ndarray) -> np.ndarray:
        """v with every group projected onto its cone: a feasible point."""
        out = np.zeros_like(v)
        for i in (0, 1):
            for p in np.flatnonzero(np.any(v[i] != 0, axis=1)):
                out[i, p] = cones.project((2 * self.D[:, p] - 1)[:, None] * self.X, v[i, p])[0]
        return out


# --- the rate
STEPS = 250  # and twice as many until the tail is over
OVER = 1e-13  # the last step's length, over the first distance: a thousandth of the window's lower end
# Instances drawn from the seeds [2022, k], k = 0 … 13. Taken: those whose |λ₂| is the same at the limit of every start
# (no degenerate face: on the others it depends on the start) and below 0.9.
INSTANCES = {"smoke": [1, 12], "laptop": [1, 10, 11, 12], "paper": [0, 1, 8, 10, 11, 12, 13]}


@cache
def instance_of(k: int):
    return problem(5, 2, 6, np.random.default_rng([2022, k]))


def to_its_limit(X, y, beta, D, start: np.random.Generator | None = None) -> Trajectory:
    """A run whose tail is over. A group whose ‖p‖ ends near its threshold is found late: of instance 8 after 180 steps,
    up to which its distance falls at constant speed."""
    steps = STEPS
    while steps <= 16 * STEPS:
        run = Trajectory(X, y, beta, D, 1.0, steps, start=deepcopy(start))  # the same start in each try
        if run.distance[-1] < OVER * run.distance[0]:
            return run
        steps *= 2
    raise RuntimeError(f"ADMM still moves after {steps // 2} steps: no tail to measure a rate on")


@cache
def log_rate(instance: int, active: str = "of the limit") -> float:
    """log |λ₂| of the step linearised with the active set of the limit, of the fifth iterate, or with no row active."""
    X, y, beta, D = instance_of(instance)
    run = Trajectory(X, y, beta, D, 1.0, 5) if active == "of the fifth iterate" else to_its_limit(X, y, beta, D)
    if active == "no row":
        run.state.t = np.abs(run.state.t) * run.factors.E
    return float(np.log(convex_relu.linearised_rate(run.factors, run.state, beta)))


def tail(instance, rng):
    """Measured log-slope of the tail from a random start, over log |λ₂|."""
    X, y, beta, D = instance_of(instance)
    run = to_its_limit(X, y, beta, D, start=rng)
    window = np.flatnonzero((run.distance < 1e-4 * run.distance[0]) & (run.distance > 1e-10 * run.distance[0]))
    return np.polyfit(window, np.log(run.distance[window]), 1)[0] / log_rate(instance)


rate = Claim(
    r"\|z_k-z_\infty\| \sim |\lambda_2|^k,\ \lambda_2 \text{ of the ADMM step linearised at its limit}",
    Value(
        1.0, resolution=0.1, margin=0.02,
        because="complex eigenvalues make the distance oscillate by a factor of order one over a tail of 14 e-folds, "
        "and the next eigenvalue still counts at its beginning: at most a per cent in trials from other starts",
    ),
    id="bai2022.rate",
    where="Abstract and Section 3, on ADMM's linear convergence; the rate ours",
    theorem="Abstract: ADMM solves the exact convex formulation and the approximate one, and linear global convergence "
    "is achieved.",
    measure=tail,
    points={scale: [{"instance": k} for k in ks] for scale, ks in INSTANCES.items()},
    replicates=512,
    rivals={
        "sublinear, 1/k": 0.0,
        "the objective's rate, |λ₂|²": 2.0,
        "the wrong active set: no row of a cone binds": lambda instance: log_rate(instance, "no row")
        / log_rate(instance),
        "the wrong active set: that of the fifth iterate": lambda instance: log_rate(instance, "of the fifth iterate")
        / log_rate(instance),
    },
    checked_by=["convex_relu.linearised_step"],
)  # fmt: skip


# --- one step of the fast form is one step of the algorithm as written
def draw(n, d, patterns, rng):
    X, y, beta, D = problem(n, d, patterns, rng)
    return {"X": X, "y": y, "D": D[:, np.arange(patterns) % D.shape[1]], "beta": np.array(beta)}


def as_written(X, y, D, beta, *, steps=5, rho=0.7):
    seen = []
    convex_relu.dense_admm(X, y, float(beta), (D > 0.5).astype(float), rho=rho, steps=steps,
                           record=lambda k, u, v: seen.append(u.copy()))  # fmt: skip
    return seen[-1]


def through_woodbury(X, y, D, beta, *, steps=5, rho=0.7):
    f = admm.factors(X, (D > 0.5).astype(float))
    state = admm.start(f, y[:, None], np.array([rho]))
    admm.run(f, y[:, None], np.array([float(beta)]), "squared", state, steps, relax=1.0)
    return np.asarray(state.u).ravel()


problems = Experiment("bai2022.problems", EachSeed(draw), [{"n": 7, "d": 2, "patterns": 5}], replicates=32, source=draw)

woodbury = Claim(
    r"(F^\top F+\rho(I+G^\top G))^{-1} \text{ through } n\times n:\ F B^{-1}F^\top = 2(XB^{-1}X^\top)\circ(DD^\top)",
    Identity(
        as_written, through_woodbury, growth=16, scaling=False,
        because="two factorisations of a matrix of condition below a hundred, five steps each; the factors are float64",
    ),
    id="bai2022.woodbury",
    where="Algorithm 3.1, the update of u (the paper factors the 2dP × 2dP matrix; this form ours)",
    theorem=r"$u \leftarrow (F^\top F + \rho(I + G^\top G))^{-1}(F^\top y + \rho(v - \lambda + G^\top(s - \nu)))$, "
    r"$v \leftarrow$ the group soft threshold of $u + \lambda$ at $\beta/\rho$, $s \leftarrow (Gu + \nu)_+$, "
    r"$\lambda \leftarrow \lambda + u - v$, $\nu \leftarrow \nu + Gu - s$; the matrix is factored once.",
    measure=problems,
    rivals={
        "κ doubled (GᵀG counted twice)": lambda X, y, D, beta: _woodbury_kappa(X, y, D, beta),
        "one step fewer": lambda X, y, D, beta: through_woodbury(X, y, D, beta, steps=4),
    },
    checked_by=["convex_relu.structure"],
)  # fmt: skip


def _woodbury_kappa(X, y, D, beta):
    f = admm.factors(X, (D > 0.5).astype(float), kappa=2.0)
    state = admm.start(f, y[:, None], np.array([0.7]))
    admm.run(f, y[:, None], np.array([float(beta)]), "squared", state, 5, relax=1.0)
    return np.asarray(state.u).ravel()


# --- iterates leave the cones
def iterate(n, d, patterns, steps, rng):
    """(dual bound, objective of the last iterate projected), (least objective of an iterate as it is, dual bound)."""
    X, y, beta, D = problem(n, d, patterns, rng)
    run = Trajectory(X, y, beta, D, float(beta), steps, every=2)
    best = convex_relu.solve(X, y, beta, D, tol=1e-4)  # the dual bound is rigorous at any tolerance
    return {
        "feasible": np.array([best.certificate.dual, run.objective(run.projected(run.copies[steps]))]),
        "raw": np.array([min(run.objective(v) for v in run.copies.values()), best.certificate.dual]),
    }


iterates = Experiment(
    "bai2022.iterates", EachSeed(iterate), [{"n": 12, "d": 3, "patterns": 8, "steps": 40}], replicates=256,
    source=iterate,
)  # fmt: skip

projected_above = Claim(
    r"p^* \le L\big(\textstyle\sum_i D_iX(\bar v_i-\bar w_i)\big)+\beta\sum_i\|\bar v_i\|+\|\bar w_i\|"
    r" \text{ for the iterate projected onto its cones}",
    Bound(resolution=0.25),
    id="bai2022.projected-above",
    where="ours: what the iterates of Section 3 bound",
    measure=iterates["feasible"],
    rivals={"half a per cent above p*": scaled(0.995), "two per cent above p*": scaled(0.98)},
    checked_by=["convex_relu.conjugates"],
)

raw_below = Claim(
    r"L(F v^k)+\beta\textstyle\sum\|v^k_i\| < p^* \text{ for some } k\le40 \text{ more often than not}",
    Order(),
    id="bai2022.raw-below",
    where="ours: why an objective against the iterations of Section 3 needs the projection",
    measure=iterates["raw"],
    rivals={"no order": 0.5, "an upper bound more often than not": 0.25},
    uses=[projected_above],
)
