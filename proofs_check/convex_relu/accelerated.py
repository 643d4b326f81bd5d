"""FISTA's bound for gated networks, the argument of Beck & Teboulle 2009 step by step, and its iterates in 30 digits."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.convex_relu.gated import Columns, lasso
from corollary.theory.convex_relu import fista

Steps = Generator[Step | Agreement, None, None]
DIGITS = 30
AT = (1, 2, 4, 8, 16)


@derivation(of=(fista.fista, fista.lipschitz), method="digits")
def accelerated_rate() -> Steps:
    """p_k − p* ≤ 2L‖z₀ − z*‖²/(k + 1)² until the first restart: t_k²(p_k − p*) + (L/2)‖u_k‖² does not grow,
    u_k = t_k z_k − (t_k − 1)z_{k−1} − z*, and t_k ≥ (k + 1)/2. A restart begins anew at z_k."""
    x, y, p, L = sp.symbols("x y p L", real=True)
    # g(p) ≤ g(y) + ∇·(p − y) + L/2 (p − y)², g(x) ≥ g(y) + ∇·(x − y), h(x) ≥ h(p) + (L(y − p) − ∇)·(x − p)
    below = L * (y - p) * (x - p) - L / 2 * (p - y) ** 2
    one = sp.expand(below - (L / 2 * (p - y) ** 2 + L * (y - x) * (p - y)))
    yield step("p the proximal step at y: F(x) − F(p) ≥ L/2 ‖p − y‖² + L⟨y − x, p − y⟩ for every x; remainder", one,
               holds=one == 0)  # fmt: skip
    t, a, s, b, t0 = sp.symbols("t a s b t0", real=True)
    sums = (t - 1) * (L / 2 * (p - y) ** 2 + L * (y - a) * (p - y)) + L / 2 * (p - y) ** 2 + L * (y - s) * (p - y)
    two = sp.expand(t * sums - L / 2 * ((t * p - (t - 1) * a - s) ** 2 - (t * y - (t - 1) * a - s) ** 2))
    yield step("t(t − 1) times that at x = z_k and t at x = z*: (t² − t)v_k − t²v_{k+1} ≥ L/2(‖u_{k+1}‖² − …)", two,
               holds=two == 0)  # fmt: skip
    ahead = sp.simplify(t * (a + (t0 - 1) / t * (a - b)) - (t - 1) * a - s - (t0 * a - (t0 - 1) * b - s))
    yield step("y = z_k + (t_k − 1)/t_{k+1} (z_k − z_{k−1}) makes … equal to ‖u_k‖²", ahead, holds=ahead == 0)
    root = (1 + sp.sqrt(1 + 4 * t0**2)) / 2
    three = sp.simplify(root**2 - root - t0**2)
    yield step("t_{k+1}² − t_{k+1} = t_k² for t_{k+1} = (1 + √(1 + 4t_k²))/2", three, holds=three == 0)
    yield step(
        "√(1 + 4t²) ≥ 2t, so t_{k+1} ≥ t_k + ½ and t_k ≥ (k + 1)/2; v_k t_k² ≤ L/2 ‖z₀ − z*‖²", "2L‖·‖²/(k + 1)²"
    )
    X: Any = sp.Matrix([[1, 2], [-3, 1], [2, 5]])
    D: Any = sp.Matrix([[1, 0], [1, 1], [0, 1]])
    F = sp.Matrix.hstack(*[sp.diag(*D[:, i]) * X for i in range(2)])
    gram = F * F.T - (X * X.T).multiply_elementwise(D * D.T)
    yield step("F Fᵀ − (XXᵀ)∘(DDᵀ), whose largest eigenvalue is L", gram, holds=gram == sp.zeros(3))

    rng = np.random.default_rng(61)
    cases: list[tuple[np.ndarray, np.ndarray, np.ndarray, float]] = []
    while len(cases) < 8:
        D_ = np.unique(rng.integers(0, 2, (5, 3)), axis=1)
        if D_.shape[1] == 3 and D_.any(axis=0).all() and np.linalg.matrix_rank(D_) == 3:
            x_, y_ = (rng.choice((-1, 1), 5) * rng.integers(1, 13, 5) / 4 for _ in range(2))
            cases.append((x_, y_, D_.astype(float), float(rng.integers(1, 5)) / 4))

    def constant(i: int) -> float:
        x_, _, D_, _ = cases[i]
        return float(np.linalg.eigvalsh(np.outer(x_, x_) * (D_ @ D_.T))[-1])

    def walk(i: int) -> tuple[list[list[Any]], int]:
        """z_0 … of the definition with the code's L, and the step at which it first restarts; d = 1, a lasso."""
        x_, y_, D_, beta = cases[i]
        with mp.workdps(DIGITS):
            level = mp.mpf(fista.lipschitz(x_[:, None], D_))
            columns = [[mp.mpf(float(v)) for v in x_ * D_[:, j]] for j in range(3)]
            z = ahead_ = [mp.mpf(0)] * 3
            path, t_, restarted = [z], mp.mpf(1), 0
            for k in range(1, max(AT) + 1):
                rest = [mp.mpf(float(v)) - sum(c[r] * w for c, w in zip(columns, ahead_, strict=True))
                        for r, v in enumerate(y_)]  # fmt: skip
                moved = [w + mp.fdot(c, rest) / level for w, c in zip(ahead_, columns, strict=True)]
                new = [mp.sign(w) * max(abs(w) - mp.mpf(beta) / level, 0) for w in moved]
                if sum((o - n) * (n - old) for o, n, old in zip(ahead_, new, z, strict=True)) > 0:
                    t_, ahead_, restarted = (1 + mp.sqrt(5)) / 2, new, restarted or k
                else:
                    later = (1 + mp.sqrt(1 + 4 * t_**2)) / 2
                    ahead_ = [n + (t_ - 1) / later * (n - old) for n, old in zip(new, z, strict=True)]
                    t_ = later
                z = new
                path.append(z)
        return path, restarted or max(AT) + 1

    walks = [walk(i) for i in range(len(cases))]
    worst, compared = mp.mpf(0), 0
    for i, (path, restarted) in enumerate(walks):
        x_, y_, D_, beta = cases[i]
        exact: Columns = [[Fraction(float(v)) for v in x_ * D_[:, j]] for j in range(3)]
        best, least = lasso(exact, [Fraction(float(v)) for v in y_], Fraction(beta))
        with mp.workdps(DIGITS):
            size = sum((mp.mpf(v.numerator) / v.denominator) ** 2 for v in best)
            for k in range(1, restarted):
                rest = [mp.mpf(float(v)) - sum(mp.mpf(float(x_[r] * D_[r, j])) * path[k][j] for j in range(3))
                        for r, v in enumerate(y_)]  # fmt: skip
                value = sum(r * r for r in rest) / 2 + mp.mpf(beta) * sum(abs(v) for v in path[k])
                over = value - mp.mpf(least.numerator) / least.denominator
                worst, compared = max(worst, over * (k + 1) ** 2 / (2 * mp.mpf(constant(i)) * size)), compared + 1
    yield step(f"largest (p_k − p*)(k + 1)²/(2L‖z*‖²) at {compared} steps before a restart, p* a fraction",
               mp.nstr(worst, 5), holds=compared >= 20 and 0 < worst <= 1)  # fmt: skip

    def derived(i: int, k: int, j: int) -> Any:
        return mp.mpf(constant(i)) if k == 0 else walks[i][0][k][j]

    def code(i: int, k: int, j: int) -> float:
        x_, y_, D_, beta = cases[i]
        if k == 0:
            return float(fista.lipschitz(x_[:, None], D_))
        z, _ = fista.fista(x_[:, None], y_[:, None], np.array([beta]), D_, "squared", steps=k)
        return float(np.asarray(z)[0, j, 0])

    # 16 steps of an iteration that does not expand, rounded by a few units each
    yield agree(derived, code, [(i, k, j) for i in range(len(cases)) for k in (0, *AT) for j in range(3)],
                digits=12, scale=1.0)  # fmt: skip
