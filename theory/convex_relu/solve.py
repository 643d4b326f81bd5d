"""`solve`: one call from data to a feasible point with its certificate. Which method when:

| solver           | what                                                     | host | for                             |
|------------------|----------------------------------------------------------|------|---------------------------------|
| "interior-point" | structured interior point + active-set polish            | yes  | small and medium; 1e-9 or less  |
| "admm"           | exact ADMM (Woodbury), then projection of the active v_p | no   | large; GPU; many β, outputs     |
| "fista"          | FISTA with restart                                       | no   | gated, smooth losses            |
| "newton"         | semismooth Newton on the augmented Lagrangian            | yes  | gated, smooth losses; 1e-12     |

"auto": gated: Newton, where n is so large that its systems cost more than FISTA's steps, and on a GPU, FISTA to 1e-6
and Newton below; ReLU, and the hinge: the interior point where a step is cheap, else ADMM for the working set and the
interior point on it. D="all" beyond a few hundred patterns: a working set of
patterns grows until no pattern of X breaks the dual constraint (`complete`).

`bai` holds the paper's own methods, as written. Every route ends in the same certificate.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from corollary.arrays import Array, array_namespace, device, to_numpy
from corollary.theory.convex_relu.certificate import Certificate, certify
from corollary.theory.convex_relu.first_order import Memory, by_admm, by_fista
from corollary.theory.convex_relu.interior import Candidate, Data, Report, gap_of, relative, solve_working_set
from corollary.theory.convex_relu.newton import by_newton
from corollary.theory.convex_relu.patterns import all_patterns, pattern_count
from corollary.theory.convex_relu.problem import Network, Problem, check_tol, checked, network

SOLVERS = ("auto", "interior-point", "admm", "fista", "newton")
_CHEAP = 2e10  # n² d P: up to here an interior-point step takes under a second on one core, and some 30 suffice
_SMALL = 5e7  # for a rough answer ADMM is faster from here on
_SYSTEMS = 200  # n² over d P up to which 25 Newton systems (n³/3 each) cost less than 400 steps of FISTA (4 n d P)
_ENOUGH = 3000
_DIRECT = 300  # patterns up to which all of them enter the program at once
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
    """The gap stayed above tol; `solution` holds the best point and its certificate (a `Solution`; of `solve_robust` a
    `RobustSolution`, of `sampled_lasso` a `LassoSolution`)."""

    def __init__(self, message: str, solution: Any) -> None:
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
    memory: Memory | None = None,
) -> Solution:
    """The convex program over the patterns D (n, P), or over all of them (D="all"), to a relative certified gap `tol`.

    X (n, d), y (n,) or (n, c) (labels ±1 for hinge and logistic), sum loss, penalty β Σ (‖v_p‖ + ‖w_p‖). The
    certificate's scope is "all patterns" for D="all" and where D provably holds every pattern of X (looked at up to
    3000 patterns), else "sampled" (or "gated"). For D="all" of a ReLU program the solution's own `problem.D` may
    hold only the patterns that the optimum needed. max_steps bounds first-order iterations; callback(stage, step,
    primal, dual) reports progress; gates (d, P), with D = patterns_of(X, gates), let a gated solution become a network;
    memory: a dict that a call with the same X, y, D, loss, gated and another β has filled (`path` passes it). In
    float32 the certificate, computed in float64, is that of the float32 arrays returned: gaps below 1e-6 may be out of
    reach.

    Raises ValueError or TypeError for bad input, NotConverged (with the best solution) when `tol` is not reached.
    """
    everything = None
    if isinstance(D, str):
        if D != "all":
            raise ValueError(f'D = {D!r}; expected an array of patterns, or "all"')
        D = all_patterns(X)
        everything = None if gated else to_numpy(D).astype(float)
    problem = checked(X, y, beta, D, loss, gated)
    if solver not in SOLVERS:
        raise ValueError(f"solver = {solver!r}; expected one of {', '.join(SOLVERS)}")
    if solver in ("fista", "newton") and (not gated or loss == "hinge"):
        raise ValueError(
            f"solver={solver!r} is for gated=True; the cones of ReLU need 'admm' or 'interior-point'"
            if not gated
            else f"solver={solver!r} needs a smooth loss; for the hinge use 'interior-point' or 'admm'"
        )
    check_tol(tol)
    check_max_steps(max_steps)
    check_gates(problem, gates)
    memory = {} if memory is None else memory
    history: list[tuple[str, int, float, float]] = []

    def report(stage: str, step: int, primal: float, dual: float) -> None:
        history.append((stage, step, primal, dual))
        if callback is not None:
            callback(stage, step, primal, dual)

    if everything is not None and everything.shape[1] > _DIRECT:
        from corollary.theory.convex_relu.complete import complete

        problem, candidates, chosen = complete(problem, tol, solver, max_steps, report)
    else:
        chosen = choose(problem, tol, solver)
        candidates = run(chosen, problem, tol, max_steps, report, memory)
    solution = assemble(problem, candidates, tol, history, gates, everything=everything)
    if solution.certificate.relative > tol:
        raise NotConverged(advice(solution, tol, chosen, max_steps), solution)
    return solution


def choose(problem: Problem, tol: float, solver: str) -> str:
    """What "auto" stands for: a key of `run`."""
    if solver != "auto":
        return solver
    (n, d), P = problem.X.shape, problem.D.shape[1]
    if problem.gated and problem.loss != "hinge":
        on_host = isinstance(problem.X, np.ndarray)
        return "newton" if on_host and n * n <= _SYSTEMS * d * P else "fista then newton"
    few = n * n * d * P <= (_CHEAP if tol < 1e-4 else _SMALL)
    return "interior-point" if few else "admm then interior-point"


def check_max_steps(max_steps: int) -> None:
    """Raise ValueError unless max_steps is an integer ≥ 1."""
    if isinstance(max_steps, bool) or not isinstance(max_steps, int | np.integer) or max_steps < 1:
        raise ValueError(f"max_steps = {max_steps!r}; expected an integer >= 1, the most first-order iterations")


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


def run(chosen: str, problem: Problem, tol: float, max_steps: int, report: Report, memory: Memory) -> list[Candidate]:
    """A candidate an output, by the method `choose` names."""
    if chosen == "interior-point":
        return [solve_working_set(data, tol / 2, report) for data in outputs(problem)]
    if chosen == "admm":
        return by_admm(problem, tol, max_steps, report, memory=memory)
    if chosen == "fista":
        return by_fista(problem, tol, max_steps, report, memory)
    if chosen == "newton":
        return _newton(problem, tol, report, memory.get("newton"), memory)
    if chosen.startswith("fista"):
        first = by_fista(problem, max(tol, 1e-6), max_steps, report, memory)
        short = any(relative(*gap_of(data, c)) > tol for data, c in zip(outputs(problem), first, strict=True))
        return _newton(problem, tol, report, first, memory) if short else first
    # enough for the working set; a slow tail is not waited for
    first = by_admm(problem, max(tol, 1e-3), min(max_steps, _ENOUGH), report, memory=memory)
    found: list[Candidate] = []
    for data, guess in zip(outputs(problem), first, strict=True):
        if relative(*gap_of(data, guess, tol / 10)) > tol:
            guess = solve_working_set(data, tol / 2, report, first=_near(data, guess), guess=guess)
        found.append(guess)
    return found


def _newton(
    problem: Problem, tol: float, report: Report, guesses: list[Candidate] | None, memory: Memory
) -> list[Candidate]:
    begin = [None] * problem.y.shape[1] if guesses is None else guesses
    found = [by_newton(data, tol, report, guess) for data, guess in zip(outputs(problem), begin, strict=True)]
    memory["newton"] = found
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


def assemble(
    problem: Problem, found: list[Candidate], tol: float, history: list, gates: Array | None, *,
    everything: np.ndarray | None = None,
) -> Solution:  # fmt: skip
    """The candidates, in the dtype of X, with the certificate of just these arrays; `everything`: all patterns of X."""
    u = np.stack([c.u for c in found], axis=-1)  # (2, P, d, c)
    V, W = np.moveaxis(u[0], 1, 0), np.moveaxis(u[1], 1, 0)
    nu = np.stack([c.nu for c in found], axis=1)
    xp = array_namespace(problem.X)
    V, W = (xp.asarray(np.ascontiguousarray(a), dtype=problem.X.dtype, device=device(problem.X)) for a in (V, W))
    scope, mu = "sampled", np.stack([c.mu for c in found])
    if everything is not None and everything.shape[1] > problem.D.shape[1]:
        scope = "all patterns"
    certificate, feasible = certify(problem, V, W, nu, mu, scope=scope, slack=tol / 10, everything=everything
                                    if scope == "all patterns" else None)  # fmt: skip
    if not problem.gated and (everything is not None or holds_all_patterns(problem.X, problem.D)):
        certificate = replace(certificate, scope="all patterns")
    if problem.flat:
        V, W = V[:, :, 0], W[:, :, 0]
    return Solution(V, W, certificate.primal, certificate, feasible, history, problem, gates)


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


def advice(solution: Solution, tol: float, solver: str, max_steps: int) -> str:
    c = solution.certificate
    cure = f"raise max_steps above {max_steps}, or use solver='interior-point'"
    if "interior" in solver or "newton" in solver:
        cure = f"raise tol to {2 * c.relative:.0e}, or scale X and beta so that rows have length about 1"
    return (
        f"relative gap {c.relative:.2e} > tol = {tol:g} (primal {c.primal:.10g}, dual {c.dual:.10g}, {c.scope}) "
        f"with solver {solver!r}; {cure}. The best point is in .solution"
    )
