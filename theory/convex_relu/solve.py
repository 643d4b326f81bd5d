"""`solve`: one call from data to a feasible point with its certificate. Which method when:

| solver           | what                                                     | host | for                             |
|------------------|----------------------------------------------------------|------|---------------------------------|
| "interior-point" | structured interior point + active-set polish            | yes  | small and medium; 1e-9 or less  |
| "admm"           | exact ADMM (Woodbury), then projection of the active v_p | no   | large; GPU; many β, outputs     |
| "fista"          | FISTA with restart                                       | no   | gated, smooth losses            |

"auto": gated: FISTA to 1e-6, the interior point below; ReLU: the interior point where a step is cheap, else ADMM for
the working set and the interior point on it.

`bai` holds the paper's own methods, as written. Every route ends in the same certificate.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from corollary.arrays import Array, array_namespace, device, to_numpy
from corollary.theory.convex_relu.certificate import Certificate, certify
from corollary.theory.convex_relu.first_order import by_admm, by_fista
from corollary.theory.convex_relu.interior import Candidate, Data, Report, gap_of, relative, solve_working_set
from corollary.theory.convex_relu.patterns import all_patterns, pattern_count
from corollary.theory.convex_relu.problem import Network, Problem, checked, network

SOLVERS = ("auto", "interior-point", "admm", "fista")
_CHEAP = 2e10  # n² d P: up to here an interior-point step takes under a second on one core, and some 30 suffice
_SMALL = 5e7  # for a rough answer ADMM is faster from here on
_ENOUGH = 3000
_COMPLETE = 3000  # up to this many patterns `solve` looks whether D holds all of them


@dataclass(frozen=True)
class Solution:
    """V, W (d, P), or (d, P, c) for several outputs, in their cones; `objective` is theirs, `certificate` says how far
    from optimal. nu (n, c): the feasible dual point behind the certificate. history: (stage, step, primal, dual)."""

    V: Array
    W: Array
    objective: float
    certificate: Certificate
    nu: np.ndarray
    history: list[tuple[str, int, float, float]] = field(repr=False)
    problem: Problem = field(repr=False)
    gates: Array | None = field(default=None, repr=False)

    def network(self) -> Network:
        """The network with this objective: one neuron for each nonzero v_p and w_p. A gated one needs gates=."""
        if self.problem.gated and self.gates is None:
            raise ValueError("a gated network needs its gates: pass gates=sample_gates(X, count, rng) to solve()")
        V, W = (self.V[:, :, None], self.W[:, :, None]) if self.problem.flat else (self.V, self.W)
        return network(V, W, self.gates, flat=self.problem.flat, data=self.problem.X)


class NotConverged(RuntimeError):
    """The gap stayed above tol; `solution` holds the best point and its certificate."""

    def __init__(self, message: str, solution: Solution) -> None:
        super().__init__(message)
        self.solution = solution


def solve(
    X: Array,
    y: Array,
    beta: float,
    D: Array | str,
    loss: str = "squared",
    gated: bool = False,
    tol: float = 1e-6,
    solver: str = "auto",
    *,
    max_steps: int = 20_000,
    gates: Array | None = None,
    callback: Report | None = None,
) -> Solution:
    """The convex program over the patterns D (n, P), or over all of them (D="all"), to a relative certified gap `tol`.

    X (n, d), y (n,) or (n, c) (labels ±1 for hinge and logistic), sum loss, penalty β Σ (‖v_p‖ + ‖w_p‖). The
    certificate's scope is "all patterns" where D provably holds every pattern of X (looked at up to 3000 patterns),
    else "sampled" (or "gated"). max_steps bounds first-order iterations; callback(stage, step, primal, dual) reports
    progress; gates (d, P), with D = patterns_of(X, gates), let a gated solution become a network.

    Raises ValueError or TypeError for bad input, NotConverged (with the best solution) when `tol` is not reached.
    """
    if isinstance(D, str):
        if D != "all":
            raise ValueError(f'D = {D!r}; expected an array of patterns, or "all"')
        D = all_patterns(X)
    problem = checked(X, y, beta, D, loss, gated)
    if solver not in SOLVERS:
        raise ValueError(f"solver = {solver!r}; expected one of {', '.join(SOLVERS)}")
    if not (isinstance(tol, float) and 0 < tol < 1):
        raise ValueError(f"tol = {tol!r}; expected a relative gap between 0 and 1, such as 1e-6")
    check_gates(problem, gates)
    history: list[tuple[str, int, float, float]] = []

    def report(stage: str, step: int, primal: float, dual: float) -> None:
        history.append((stage, step, primal, dual))
        if callback is not None:
            callback(stage, step, primal, dual)

    (n, d), P = problem.X.shape, problem.D.shape[1]
    chosen = solver
    if solver == "auto":
        cost = n * n * d * P
        few = cost <= (_CHEAP if tol < 1e-4 else _SMALL)
        chosen = "interior-point" if few else "admm then interior-point"
        if gated and problem.loss != "hinge":
            chosen = "fista then interior-point"
    candidates = _run(chosen, problem, tol, max_steps, report)
    solution = _assemble(problem, candidates, tol, history, gates)
    if solution.certificate.relative > tol:
        raise NotConverged(_advice(solution, tol, chosen, max_steps), solution)
    return solution


def check_gates(problem: Problem, gates: Array | None) -> None:
    """Raise ValueError unless gates (d, P) produce the patterns D."""
    if gates is None:
        return
    xp = array_namespace(problem.X, gates)
    d, P = problem.X.shape[1], problem.D.shape[1]
    if tuple(gates.shape) != (d, P):
        raise ValueError(f"gates has shape {tuple(gates.shape)}; expected ({d}, {P}), one gate a pattern")
    if bool(xp.any(xp.astype(xp.matmul(problem.X, gates) >= 0, problem.D.dtype) != problem.D)):
        raise ValueError("gates do not produce the patterns D; pass D = patterns_of(X, gates)")


def _run(chosen: str, problem: Problem, tol: float, max_steps: int, report: Report) -> list[Candidate]:
    if chosen == "interior-point":
        return [solve_working_set(data, tol / 2, report) for data in outputs(problem)]
    if chosen == "admm":
        return by_admm(problem, tol, max_steps, report)
    if chosen == "fista":
        if not problem.gated:
            raise ValueError("solver='fista' is for gated=True; the cones of ReLU need 'admm' or 'interior-point'")
        return by_fista(problem, tol, max_steps, report)
    gated = chosen.startswith("fista")
    if gated:
        first = by_fista(problem, max(tol, 1e-6), max_steps, report)
    else:  # enough for the working set; a slow tail is not waited for
        first = by_admm(problem, max(tol, 1e-3), min(max_steps, _ENOUGH), report)
    found: list[Candidate] = []
    for data, guess in zip(outputs(problem), first, strict=True):
        if relative(*gap_of(data, guess, tol / 10)) > tol:
            guess = solve_working_set(data, tol / 2, report, first=_near(data, guess), guess=guess)
        found.append(guess)
    return found


def _near(data: Data, guess: Candidate) -> np.ndarray:
    """The groups in use at the guess, and those whose dual constraint is within 3 % of binding."""
    c = (data.D * guess.nu[:, None]).T @ data.X
    E = 2 * data.D.T - 1
    norms = [np.linalg.norm(s * c + (E * guess.mu[i]) @ data.X, axis=1) for i, s in enumerate((1.0, -1.0))]
    return np.flatnonzero(np.concatenate(norms) > 0.97 * data.beta) if not data.gated else np.flatnonzero(
        np.any(guess.u.reshape(-1, guess.u.shape[2]) != 0, axis=1) | (np.concatenate(norms) > 0.97 * data.beta)
    )  # fmt: skip


def outputs(problem: Problem) -> list[Data]:
    """One host program an output."""
    X, y, D = (to_numpy(a).astype(float) for a in (problem.X, problem.y, problem.D))
    return [Data(X, y[:, k], problem.beta, D, problem.loss, problem.gated) for k in range(y.shape[1])]


def _assemble(problem: Problem, found: list[Candidate], tol: float, history: list, gates: Array | None) -> Solution:
    u = np.stack([c.u for c in found], axis=-1)  # (2, P, d, c)
    V, W = np.moveaxis(u[0], 1, 0), np.moveaxis(u[1], 1, 0)
    nu = np.stack([c.nu for c in found], axis=1)
    certificate, feasible = certify(problem, V, W, nu, np.stack([c.mu for c in found]), scope="sampled", slack=tol / 10)
    if not problem.gated and holds_all_patterns(problem.X, problem.D):
        certificate = Certificate(
            certificate.primal, certificate.dual, certificate.gap, certificate.cone_violation, "all patterns"
        )
    xp = array_namespace(problem.X)

    def back(a: np.ndarray) -> Array:
        a = a[:, :, 0] if problem.flat else a
        return xp.asarray(np.ascontiguousarray(a), dtype=problem.X.dtype, device=device(problem.X))

    return Solution(back(V), back(W), certificate.primal, certificate, feasible, history, problem, gates)


def holds_all_patterns(X: Array, D: Array) -> bool:
    """Whether D provably holds every pattern of X; False also where there are too many to look (3000)."""
    x, on = to_numpy(X).astype(float), to_numpy(D).astype(bool)
    have = {column.tobytes() for column in np.packbits(on, axis=0).T}
    live = np.any(x != 0, axis=1)
    opposite = np.where(live[:, None], ~on, on)
    if any(column.tobytes() not in have for column in np.packbits(opposite, axis=0).T):
        return False  # with g also −g belongs to a complete set
    n = max(1, int(np.sum(live)))
    if pattern_count(n, min(int(np.linalg.matrix_rank(x)), n)) > _COMPLETE:
        return False
    everything = np.packbits(np.asarray(all_patterns(x)).astype(bool), axis=0).T
    return all(column.tobytes() in have for column in everything)


def _advice(solution: Solution, tol: float, solver: str, max_steps: int) -> str:
    c = solution.certificate
    cure = f"raise max_steps above {max_steps}, or use solver='interior-point'"
    if "interior" in solver:
        cure = f"raise tol to {2 * c.relative:.0e}, or scale X and beta so that rows have length about 1"
    return (
        f"relative gap {c.relative:.2e} > tol = {tol:g} (primal {c.primal:.10g}, dual {c.dual:.10g}, {c.scope}) "
        f"with solver {solver!r}; {cure}. The best point is in .solution"
    )
