"""The nuclear attention-SVM by spectra of dense matrices [[0, W], [Wᵀ, 0]], and the two norms against each other."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.attention.exact import Case, active_set, largest, planted, rows, simple, whole_numbers
from corollary.theory import attention

Steps = Generator[Step | Agreement, None, None]
GAP = 1e-9


def singular(W: np.ndarray) -> np.ndarray:
    """Singular values as the nonnegative half of the eigenvalues of [[0, W], [Wᵀ, 0]]: not by the solvers' SVD."""
    d = len(W)
    return np.linalg.eigvalsh(np.block([[np.zeros((d, d)), W], [W.T, np.zeros((d, d))]]))[d:]


def norms(W: np.ndarray) -> tuple[float, float]:
    """(‖W‖_F, ‖W‖_*)."""
    return float(np.sqrt(np.trace(W.T @ W))), float(singular(W).sum())


def orthogonal(n: int, d: int, sizes: np.ndarray, seed: int) -> Case:
    """T = 3: the chosen token exceeds another by √(1/c_i) times the i-th of orthonormal vectors, a third by twice that;
    queries are √(1/c_i) times the i-th of others. In these bases the constraints read W_ii ≥ c_i."""
    rng = np.random.default_rng([n, d, seed])
    P, Q = (np.linalg.qr(rng.standard_normal((d, d)))[0][:n] / np.sqrt(sizes)[:, None] for _ in range(2))
    base = rng.standard_normal((n, 1, d))
    return np.concatenate([base, base - P[:, None], base - 2 * P[:, None]], axis=1), Q, np.zeros(n, int)


@derivation(of=attention.svm, method="certificate")
def nuclear_duality() -> Steps:
    """Σλ ≤ ⟨A*λ, W⟩ = Σ_i s_i u_iᵀ(A*λ)v_i ≤ ‖A*λ‖_op ‖W‖_*: equality needs u_iᵀ(A*λ)v_i = 1 wherever s_i > 0, that is
    A*λ = UVᵀ + H in ∂‖W‖_*. With gap g: Σ s_i (1 − u_iᵀ(A*λ)v_i) ≤ g‖W‖_*. Orthogonal rows: Σ c_i."""
    c = sp.symbols("c", positive=True)
    unit = c * (1 / sp.sqrt(c)) ** 2 - 1
    yield step("orthogonal rows (p/√c) ⊗ (q/√c): λ = c gives A*λ = Σ p_i q_iᵀ, of operator norm 1; c (1/√c)² − 1", unit,
               holds=unit == 0)  # fmt: skip
    x = sp.Matrix(sp.symbols("x1:4", positive=True))
    rank_one = (x * x.T).trace() - x.dot(x)
    yield step("√c√cᵀ has diagonal c, rank one and nuclear norm ‖√c‖² = Σc, so it is optimal too; remainder", rank_one,
               holds=sp.expand(rank_one) == 0)  # fmt: skip

    cases = [planted(*((2, 4, 4), (3, 3, 3), (4, 3, 5), (5, 4, 6), (6, 5, 8), (4, 8, 5))[k % 6], k) for k in range(12)]
    found: list[dict[str, tuple[float, float]]] = []
    aligned, margins_off, asked = [], [], []
    for case in cases:
        A, mask = rows(*case), np.arange(case[0].shape[1]) != case[2][:, None]
        for gap in (1e-3, GAP):
            sol = attention.svm(*case, norm="nuclear", gap=gap)
            λ, W, c = sol.multipliers[mask], sol.W, sol.certificate
            G, margins = (λ @ A).reshape(W.shape), A @ W.ravel()
            size, primal, reach = singular(G)[-1], singular(W).sum(), float(np.trace(G.T @ W))
            dual = float(λ.sum() / size)
            exact = {"objective": primal, "primal": primal / margins.min(), "dual": dual,
                     "gap": 1 - dual * margins.min() / primal, "min_margin": margins.min(),
                     "‖A*λ‖_op": size}  # fmt: skip
            said = {"objective": sol.objective, "primal": c.primal, "dual": c.dual, "gap": c.gap,
                    "min_margin": c.min_margin, "‖A*λ‖_op": 1.0}  # fmt: skip
            found.append({k: (float(v), float(said[k])) for k, v in exact.items()})
            U, values, V = np.linalg.svd(W)
            lost = values * (1 - np.einsum("ji,jk,ik->i", U, G, V))  # each term ≥ 0, since ‖G‖_op = 1
            aligned.append(max(lost.sum() / (max(c.gap, 0) + 1e-13), -lost.min() / 1e-13) / primal)
            margins_off += [largest(sol.margins[mask] - margins) / largest(margins), abs(margins.min() - 1)]
            asked.append(max(c.gap / gap, -float(λ.min()), (λ.sum() - reach) / primal * 1e12))
    # up to 1e-13: roundings of two decompositions of order 8
    yield step("Σ s_i (1 − u_iᵀ(A*λ)v_i)/(g‖W‖_*) ≤ 1, terms ≥ 0: at most", max(aligned), holds=max(aligned) <= 1)
    yield step("margins as returned, the least 1, to", max(margins_off), holds=max(margins_off) < 1e-11)
    yield step("gap/asked, −λ and 10¹² (Σλ − ⟨A*λ, W⟩)/‖W‖_*: at most 1", max(asked), holds=max(asked) <= 1)
    widest = max(float(f["gap"][1]) for f in found)
    yield step("of gaps up to", widest, holds=widest > 1e-6)
    points = [(i, name) for i in range(len(found)) for name in found[i]]
    # eigenvalues of order 16; gaps are differences of numbers near 1
    yield agree(lambda i, k: found[i][k][0], lambda i, k: found[i][k][1], points, digits=11.5, scale=1.0)

    def total(n: int, d: int, seed: int, which: str) -> float:
        return float(_sizes(n, seed).sum())

    def code(n: int, d: int, seed: int, which: str) -> float:
        case = orthogonal(n, d, _sizes(n, seed), seed)
        sol = attention.svm(*case, norm="nuclear", gap=GAP)
        return {"objective": sol.objective, "W": norms(sol.W)[1], "λ": float(sol.multipliers.sum())}[which]

    points = [(n, d, seed, k) for n, d in ((2, 2), (2, 3), (3, 4), (4, 4)) for seed in (1, 2)
              for k in ("objective", "W", "λ")]  # fmt: skip
    # the gap asked for
    yield agree(total, code, points, digits=8.9)


def _sizes(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng([n, seed]).uniform(0.5, 2.0, n)


@derivation(of=attention.svm, method="certificate")
def norm_chain() -> Steps:
    """‖W_F‖_F ≤ ‖W_*‖_F ≤ ‖W_*‖_* ≤ ‖W_F‖_* ≤ √rank ‖W_F‖_F: each norm is least at its own solution; ‖·‖_F ≤ ‖·‖_*
    ≤ √rank ‖·‖_F; W_F = Σ (Σ λ D) z_iᵀ has rank ≤ min(n, d). n = 1: all equal. Orthogonal rows: c√n, cn."""
    v = sp.symbols("s1:5", nonnegative=True)
    cross = sp.expand(sum(v) ** 2 - sum(s**2 for s in v))
    yield step("‖W‖_*² − ‖W‖_F² = 2 Σ_{i<j} s_i s_j ≥ 0", cross, holds=all(c > 0 for c in sp.Poly(cross, *v).coeffs()))
    spreads = sum((v[i] - v[j]) ** 2 for i in range(4) for j in range(i))
    rest = sp.expand(4 * sum(s**2 for s in v) - sum(v) ** 2 - spreads)
    yield step("rank ‖W‖_F² − ‖W‖_*² = Σ_{i<j} (s_i − s_j)² (rank 4); remainder", rest, holds=rest == 0)
    # n = 1: W ↦ W zzᵀ/‖z‖² keeps the constraints and raises neither norm; then W = vzᵀ/‖z‖², Dv ≥ 1, of norm ‖v‖/‖z‖
    x, z = sp.Matrix(sp.symbols("v1:4")), sp.Matrix(sp.symbols("z1:4"))
    W = x * z.T / z.dot(z)
    rest, image = sp.cancel((W.T * W).trace() - x.dot(x) / z.dot(z)), (W * z - x).applyfunc(sp.cancel)
    yield step("‖vzᵀ‖_F²/‖z‖⁴ − ‖v‖²/‖z‖²", rest, holds=rest == 0 and image == sp.zeros(3, 1))

    worst, ranks = -np.inf, []
    for k in range(24):
        n, T, d = ((2, 4, 4), (3, 3, 3), (5, 3, 3), (4, 4, 6))[k % 4]
        case = planted(n, T, d, k)
        F, N = (attention.svm(*case, norm=norm, gap=g).W for norm, g in (("frobenius", 1e-12), ("nuclear", GAP)))
        chain = [norms(F)[0], *norms(N), norms(F)[1], min(n, d) ** 0.5 * norms(F)[0]]
        worst = max(worst, *(a / b - 1 for a, b in zip(chain, chain[1:], strict=False)))
        ranks.append(int((singular(F) > 1e-5 * norms(F)[0]).sum()) <= min(n, d))
    # the third link holds up to the gap of the nuclear solution
    yield step("24 instances: a link over the next, less 1, is at most", worst, holds=worst <= GAP)
    yield step("rank of W_F ≤ min(n, d)", f"{sum(ranks)} of 24", holds=all(ranks))

    single = [case for case in (whole_numbers(1, 4, 3, k) for k in range(40)) if _stable(case)][:6]
    wide = [(n, d, c) for n, d, c in ((2, 2, 1.0), (2, 3, 0.5), (3, 3, 2.0), (3, 5, 0.7), (4, 4, 1.3))]

    def derived(kind: str, i: int, which: str) -> Any:
        if kind == "n = 1":
            X, Z, chosen = single[i]
            λ = active_set(rows(X, np.eye(3, dtype=int)[:1], chosen))  # D ⊗ e_1: the rows D themselves
            assert λ is not None
            return sp.sqrt(sp.Rational(str(λ.sum() / int(Z[0] @ Z[0])))).evalf(20)
        n, _, c = wide[i]
        return c * (n**0.5 if which == "‖W_F‖_F" else n)

    def code(kind: str, i: int, which: str) -> float:
        if kind == "n = 1":
            X, Z, chosen = single[i]
            case = (X.astype(float), Z.astype(float), chosen)
        else:
            n, d, c = wide[i]
            case = orthogonal(n, d, np.full(n, c), i)
        sol = attention.svm(*case, norm="frobenius" if "W_F" in which else "nuclear", gap=GAP)
        value = norms(sol.W)[which.endswith("*")]
        return value if abs(value / sol.objective - 1) < 1e-9 or which in ("‖W_F‖_*", "‖W_*‖_F") else np.nan

    links = ("‖W_F‖_F", "‖W_F‖_*", "‖W_*‖_*")
    points = [("n = 1", i, k) for i in range(len(single)) for k in (*links, "‖W_*‖_F")]
    points += [("orthogonal", i, k) for i in range(len(wide)) for k in links]
    # W_F is within √(2·10⁻⁹) = 4.5e-5 of its norm, which counts to first order in ‖W_F‖_* of the orthogonal rows only
    yield agree(derived, code, points, digits=4)


def _stable(case: Case) -> bool:
    A = rows(*case)
    return simple(A, active_set(A))
