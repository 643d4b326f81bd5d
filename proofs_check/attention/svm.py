"""The Frobenius attention-SVM and its relatives against exact arithmetic: optimality by trial of all active sets, the
nearest point of the hull by trial of all faces, rows by Kronecker products; nothing is shared with the solvers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.attention.exact import (
    Case,
    exact_cases,
    largest,
    nearest,
    planted,
    rows,
    solved,
    spread,
    whole_numbers,
)
from corollary.theory import attention

Steps = Generator[Step | Agreement, None, None]
FIELDS = ("primal", "dual", "gap", "min_margin")


def solve(case: Case, **options: Any) -> Any:
    return attention.svm(case[0].astype(float), case[1].astype(float), case[2], **options)


@derivation(of=(attention.svm, attention.support_tokens), method="rational")
def frobenius_optimality() -> Steps:
    """W = A*λ, λ ≥ 0, λ(AW − 1) = 0, AW ≥ 1: ‖V‖² = ‖W‖² + ‖V − W‖² + 2λᵀ(AV − 1) for every V, so W is the minimum, and
    ‖W‖² = Σλ. Active sets tried one by one in fractions, against W, λ, margins and the certificate of the solver."""
    A, V, λ = sp.Matrix(sp.MatrixSymbol("A", 3, 4)), sp.Matrix(sp.symbols("v1:5")), sp.Matrix(sp.symbols("l1:4"))
    W, one = A.T * λ, sp.ones(3, 1)
    rest = V.dot(V) - W.dot(W) - (V - W).dot(V - W) - 2 * λ.dot(A * V - one) - 2 * λ.dot(one - A * W)
    yield step("‖V‖² − ‖W‖² − ‖V − W‖² − 2λᵀ(AV − 1) − 2λᵀ(1 − AW)", sp.expand(rest), holds=sp.expand(rest) == 0)
    value = sp.expand(W.dot(W) - λ.dot(A * W))
    yield step("‖W‖² − λᵀAW: with λᵀ(AW − 1) = 0, ‖W‖² = Σλ", value, holds=value == 0)
    dual = sp.expand(λ.dot(one) - W.dot(W) / 2 - V.dot(V) / 2 + (V - W).dot(V - W) / 2 - λ.dot(one - A * V))
    yield step("Σλ − ½‖A*λ‖² ≤ ½‖V‖² for AV ≥ 1 and any λ ≥ 0: remainder", dual, holds=dual == 0)

    cases = exact_cases(20)
    sums = [λ @ A @ A.T @ λ - λ.sum() for _, A, λ in cases]
    yield step("‖W‖² − Σλ in fractions, 20 instances", set(sums), holds=set(sums) == {0})
    solutions = [solve(case, gap=1e-12) for case, _, _ in cases]
    tight = [{(i, t) for i, t in attention.support_tokens(sol).tolist()} for sol in solutions]
    exact = [set(map(tuple, np.argwhere(spread(case[2], case[0].shape[1], λ) > 0).tolist())) for case, _, λ in cases]
    yield step("support tokens, the pairs (i, t) with margin 1", tight[0], holds=tight == exact)

    def squared(i: int, name: str) -> Any:
        _, _, λ = cases[i]
        return sp.Rational(str(λ.sum()))

    def squares(i: int, name: str) -> float:
        sol = solutions[i]
        return {"objective": sol.objective, "primal": sol.certificate.primal, "dual": sol.certificate.dual}[name] ** 2

    # twice the relative gap of 1e-12
    yield agree(squared, squares, [(i, k) for i in range(20) for k in ("objective", "primal", "dual")], digits=11.6)

    def arrays(i: int) -> dict[str, np.ndarray]:
        case, A, λ = cases[i]
        T = case[0].shape[1]
        exact = {"W": A.T @ λ, "multipliers": spread(case[2], T, λ), "margins": spread(case[2], T, A @ A.T @ λ)}
        return {k: v.astype(float).ravel() for k, v in exact.items()} | {"least": np.ones(1)}

    known = [arrays(i) for i in range(20)]

    def code(i: int, name: str, k: int) -> float:
        sol = solutions[i]
        value = sol.certificate.min_margin if name == "least" else getattr(sol, name).ravel()[k]
        return float(value) / largest(known[i][name])

    points = [(i, name, k) for i in range(20) for name, v in known[i].items() for k in range(len(v))]
    # W within √(2·10⁻¹²) = 1.4e-6 of its norm (next derivation), up to 3 times its largest entry; products with rows
    # and, for λ, the inverse of tight rows of condition below 10 make a factor of ten of it
    yield agree(lambda i, name, k: known[i][name][k] / largest(known[i][name]), code, points, digits=4, scale=1.0)


@derivation(of=attention.svm, method="certificate")
def frobenius_certificate() -> Steps:
    """Σλ ≤ λᵀAW = ⟨A*λ, W⟩ ≤ ‖A*λ‖ ‖W‖ brackets the optimum; with ‖A*λ‖ = ‖W‖, least margin 1 and gap g it gives
    ‖W − A*λ‖² ≤ 2g‖W‖² and λᵀ(AW − 1) ≤ g‖W‖². Recomputed from W, λ and dense rows, at gaps 1e-3 and 1e-9."""
    w, g = sp.symbols("w g", positive=True)
    # ‖W − A*λ‖² = 2w² − 2⟨W, A*λ⟩ and ⟨W, A*λ⟩ ≥ Σλ = (1 − g)w²
    apart = sp.simplify(2 * w**2 - 2 * (1 - g) * w**2 - 2 * g * w**2)
    yield step("2‖W‖² − 2(1 − g)‖W‖² − 2g‖W‖²", apart, holds=apart == 0)
    far = sp.expand(2 * g - (1 - (1 - g) ** 2))
    yield step(
        "‖W − W*‖² ≤ ‖W‖² − ‖W*‖², ‖W*‖ ≥ (1 − g)‖W‖, so at most 2g‖W‖²; 2g − (1 − (1 − g)²)", far, holds=far == g**2
    )

    # the last two sizes take FISTA, the others Newton's method
    sizes = [(2, 3, 2), (3, 3, 3), (5, 4, 6), (6, 8, 10), (10, 8, 8), (12, 9, 10)]
    solved_: dict[tuple[int, int, float], tuple[Any, np.ndarray, dict[str, float]]] = {}
    apart_, slack, scales, count = [], [], [], 0
    for j, size in enumerate(sizes):
        for seed in range(4):
            case = planted(*size, seed)
            A = rows(*case)
            for gap in (1e-3, 1e-9):
                sol = attention.svm(*case, gap=gap)
                λ, W = sol.multipliers[np.arange(size[1]) != case[2][:, None]], sol.W.ravel()
                G, margins, norm = λ @ A, A @ W, float(np.sqrt(W @ W))
                primal, dual = norm / margins.min(), λ.sum() / float(np.sqrt(G @ G))
                said = {"primal": primal, "dual": dual, "gap": 1 - dual / primal, "min_margin": 1.0,
                        "objective": norm}  # fmt: skip
                solved_[j, seed, gap] = (sol, A, said)
                g = max(said["gap"], 0.0) + 1e-14  # the rounding of a difference of two numbers near 1
                apart_.append(float((W - G) @ (W - G)) / (2 * g * norm**2))
                slack.append(max(float(λ @ (margins - 1)), -float(λ.min())) / (g * norm**2))
                scales += [abs(margins.min() - 1), abs(np.sqrt(G @ G) / norm - 1)]
                told = sol.margins[np.arange(size[1]) != case[2][:, None]]
                scales.append(largest(told - margins) / largest(margins))
                count += said["gap"] <= gap * (1 + 1e-9)
    yield step("‖W − A*λ‖²/(2g‖W‖²) ≤ 1, at most", max(apart_), holds=max(apart_) <= 1)
    yield step("λᵀ(AW − 1)/(g‖W‖²) ≤ 1, λ ≥ 0, at most", max(slack), holds=max(slack) <= 1)
    yield step("least margin 1, ‖A*λ‖ = ‖W‖, margins as returned, to", max(scales), holds=max(scales) < 1e-11)
    yield step("gaps at most what was asked for", f"{count} of {len(solved_)}", holds=count == len(solved_))

    def code(j: int, seed: int, gap: float, name: str) -> float:
        sol = solved_[j, seed, gap][0]
        return float(sol.objective if name == "objective" else getattr(sol.certificate, name))

    widest = max(said["gap"] for *_, said in solved_.values())
    yield step("of gaps up to", widest, holds=widest > 1e-6)
    points = [(*key, name) for key in solved_ for name in ("objective", *FIELDS)]
    # sums of up to a hundred products on either side; a gap is a difference of two numbers near 1
    yield agree(lambda *p: solved_[p[:3]][2][p[3]], code, points, digits=11.5, scale=1.0)


@derivation(of=(attention.min_norm_nnls, attention.svm), method="rational")
def min_norm_point() -> Steps:
    """1 = Σμ ≤ ⟨A*μ, W⟩ ≤ ‖A*μ‖ ‖W‖ on the simplex, with equality at μ = λ/Σλ: 1/‖W‖ = min ‖A*μ‖. Along u = tμ,
    ‖A*u‖² + (1 − t)² is least at t = 1/(1 + m²): W = A*u/(1 − t), λ = u/(1 − t). All faces of the hull in fractions."""
    t, m, s = sp.symbols("t m s", positive=True)
    at = sp.simplify(s / s**2 - 1 / s)  # ‖A*λ‖/Σλ with Σλ = ‖W‖² = s²
    yield step("‖A*(λ/Σλ)‖ − 1/‖W‖", at, holds=at == 0)
    objective = t**2 * m**2 + (1 - t) ** 2
    best = sp.solve(sp.diff(objective, t), t)[0]
    yield step("least along the ray at t =", best, holds=sp.simplify(best - 1 / (1 + m**2)) == 0)
    ratio = sp.simplify(best / (1 - best) - 1 / m**2)
    yield step("u/(1 − t) = μ/m², so ‖A*u‖/(1 − t) = 1/m; remainder", ratio, holds=ratio == 0)
    rest = sp.simplify(objective.subs(t, best) - (1 - best))
    yield step("the squared rest r² less 1 − t: it vanishes with m, which is Gordan's case", rest, holds=rest == 0)

    cases = exact_cases(20)
    points = [nearest(A) for _, A, _ in cases]
    other = {c * λ.sum() for (c, _), (_, _, λ) in zip(points, cases, strict=True)}
    yield step("min ‖A*μ‖² by faces times ‖W‖² by active sets, in fractions", other, holds=other == {1})
    same = all((μ * λ.sum() == λ).all() for (_, μ), (_, _, λ) in zip(points, cases, strict=True))
    yield step("μ Σλ = λ, in fractions", same, holds=same)

    known, got = [], []
    for (c, μ), (case, A, _) in zip(points, cases, strict=True):
        w, λ = attention.min_norm_nnls(A.astype(float))
        known.append([float(c) ** 0.5] * 2 + [float(v) for v in (*(μ / c), *(μ @ A / c))])
        got.append([1 / solve(case, gap=1e-12).objective, 1 / float(np.linalg.norm(w)), *λ, *w])

    # tight rows of condition below 10, so 1e-14 times 100 by normal equations; the SVM's objective to its gap of 1e-12
    yield agree(lambda i, k: known[i][k], lambda i, k: got[i][k],
                [(i, k) for i in range(20) for k in range(len(known[i]))], digits=11, scale=0.1)  # fmt: skip


@derivation(of=attention.feasible, method="rational")
def gordan() -> Steps:
    """μᵀ(AW) = ⟨A*μ, W⟩ = 0 forbids AW > 0; without such μ ≥ 0, Σμ = 1 the hull's nearest point p has ⟨a_k, p⟩ ≥ ‖p‖² >
    0. D_i1, …, D_i,T−1 and z_1, …, z_n independent, d ≥ max(T − 1, n): so are the rows, and AW = 1 has a solution."""
    a, p = (sp.Matrix(sp.symbols(f"{k}1:4", real=True)) for k in "ap")
    e = sp.symbols("epsilon", real=True)
    moved = sp.expand((p + e * (a - p)).dot(p + e * (a - p)) - p.dot(p))
    slope = sp.expand(sp.diff(moved, e).subs(e, 0) - 2 * (a.dot(p) - p.dot(p)))
    yield step(
        "d‖p + ε(a − p)‖²/dε at 0 is 2(⟨a, p⟩ − ‖p‖²) ≥ 0 at the nearest point; remainder", slope, holds=slope == 0
    )

    cases = [whole_numbers(*(((2, 3, 2), (3, 3, 2), (4, 2, 2), (2, 4, 2))[k % 4]), k) for k in range(40)]
    exact = [nearest(rows(*case)) for case in cases]
    one = []
    for case, (c, μ) in zip(cases, exact, strict=True):
        A = rows(*case)
        one.append(not (μ @ A).any() if c == 0 else min(A @ (μ @ A)) >= c)
    count = sum(c == 0 for c, _ in exact)
    yield step(f"in fractions: A*μ = 0 ({count} of 40), or AW ≥ ‖p‖² > 0 at W = p", "exact",
               holds=all(one) and 8 <= count <= 32)  # fmt: skip

    free = [whole_numbers(n, T, max(T - 1, n), 50 + k) for k in range(6) for n, T in ((2, 3), (3, 3), (3, 4), (2, 4))]
    general = [case for case in free if _general(case)]
    full = [solved((A := rows(*case)) @ A.T, [1] * len(A)) is not None for case in general]
    yield step(f"d = max(T − 1, n), independent differences and queries, {len(full)} times: A A* regular", all(full),
               holds=all(full) and len(full) >= 8)  # fmt: skip

    weights = []
    for case, (c, _) in zip(cases, exact, strict=True):
        if c == 0:
            try:
                solve(case)
                weights.append(np.inf)
            except attention.Infeasible as found:
                μ, A = found.weights.ravel(), rows(*case).astype(float)
                weights.append(max(largest(μ @ A), abs(μ.sum() - 1), -μ.min()) / largest(A))
    # GORDAN = 1e-10 of Σ μ‖a‖, norms of up to 3 √d times the largest entry
    yield step("svm raises Infeasible there: A*μ = 0, Σμ = 1, μ ≥ 0, to", max(weights), holds=max(weights) < 1e-9)

    def code(k: int) -> float:
        X, Z, chosen = (cases + general)[k]
        return float(attention.feasible(X.astype(float), Z.astype(float), chosen))

    known = [float(c > 0) for c, _ in exact] + [1.0] * len(general)
    yield agree(lambda k: known[k], code, [(k,) for k in range(len(known))], digits=15, scale=1.0)  # yes or no


def _general(case: Case) -> bool:
    """Whether the differences of each sequence, and the queries, are independent."""
    X, Z, chosen = case
    D = [np.array([X[i, c] - X[i, t] for t in range(X.shape[1]) if t != c]) for i, c in enumerate(chosen)]
    return all(solved((M := M_.astype(object)) @ M.T, [1] * len(M)) is not None for M_ in (*D, Z))
