"""Rates of descent on W where the flow can be solved: two sequences whose rows are at a right angle."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import attention

Steps = Generator[Step | Agreement, None, None]


@derivation(of=attention.svm, method="digits")
def direction_rates() -> Steps:
    """dm_i/dt = κ_i σ′(m_i) has m_i = ln t + ln κ_i + o(1): W = W^mm ln t + Σ ln κ_i a_i/‖a_i‖² + o(1), so ‖W‖ ~ ‖W^mm‖
    ln t, the margin falls short by O(1/ln t) and 1 − cos is O(1/ln² t). Steps of one length: k ~ ‖W‖, O(1/k), O(1/k²)."""
    m, t, κ = sp.symbols("m t kappa", positive=True)
    # T = 2, n sequences: f_i = γ_it + Δγ_i σ(m_i), m_i = ⟨a_i, W⟩, a_i·a_j = 0: dm_i/dt = ‖a_i‖² |ℓ′| Δγ_i σ′(m_i)/n
    sigmoid = 1 / (1 + sp.exp(-m))
    clock = sp.exp(m) + 2 * m - sp.exp(-m)
    flow = sp.simplify(sp.diff(clock, m) * sp.diff(sigmoid, m) - 1)
    yield step("e^m + 2m − e^{−m} = κt solves dm/dt = κσ′(m), m(0) = 0 (|ℓ′| constant; for ℓ logistic it tends to a "
               "constant)", flow, holds=flow == 0)  # fmt: skip
    late = sp.limit(sp.log(clock) - m, m, sp.oo)
    yield step("m − ln κt at the end", late, holds=late == 0)
    r1, r2 = sp.symbols("r1 r2", real=True)  # ln κ_i, the first the smaller
    w1, w2, x = sp.symbols("w1 w2 x", positive=True)  # 1/‖a_i‖²; 1/ln t
    best = sp.sqrt(w1 + w2)  # ‖W^mm‖, W^mm = Σ a_i/‖a_i‖², all margins 1
    mean = (w1 * r1 + w2 * r2) / best**2
    spread = (w1 * (r1 - mean) ** 2 + w2 * (r2 - mean) ** 2) / best**2
    size = sp.sqrt(w1 * (1 + r1 * x) ** 2 + w2 * (1 + r2 * x) ** 2)  # ‖W‖/ln t

    def orders(value: sp.Expr, most: int) -> list[sp.Expr]:
        return [sp.simplify(sp.diff(value, x, k).subs(x, 0) / sp.factorial(k)) for k in range(most + 1)]

    growth = sp.simplify(size.subs(x, 0) - best)
    yield step("‖W‖/ln t − ‖W^mm‖ in the limit", growth, holds=growth == 0)
    gap = orders(1 - (1 + r1 * x) * best / size, 1)
    first = sp.simplify(gap[1] - (mean - r1))
    yield step("margin gap · ln t − (r̄ − min r) in the limit", first, holds=first == gap[0] == 0)
    turn = orders(1 - (w1 * (1 + r1 * x) + w2 * (1 + r2 * x)) / (best * size), 2)
    second = sp.simplify(turn[2] - spread / 2)
    yield step("(1 − cos) ln² t − Var(r)/2 in the limit", second, holds=second == turn[0] == turn[1] == 0)
    yield step("dW/d ln t → Σ a_i/‖a_i‖², of length ‖W^mm‖: after k steps of length h, ln t = hk/‖W^mm‖ + O(1)",
               "1/ln t ~ ‖W^mm‖/(hk)")  # fmt: skip

    rng, cases = Random(7), []
    for _ in range(12):
        p, q, s = (rng.randint(1, 5) for _ in range(3))
        X = np.array([[[p, q, 0], [0, 0, 0]], [[-q * s, p * s, 0], [0, 0, 0]]], dtype=float)
        Z = np.array([[0.0, 1, 1], [1, 0, 2]]) if rng.random() < 0.5 else np.array([[1.0, 0, 2]] * 2)
        cases.append((X, Z, [rng.uniform(0.2, 3) for _ in range(2)]))

    def derived(i: int, log_time: int, which: int) -> Any:
        """Margin gap and 1 − cos from margins ln κ_it and w_i = 1/‖a_i‖² alone, in 30 digits."""
        X, Z, κ_ = cases[i]
        with mp.workdps(30):
            w = [1 / mp.mpf(float(x @ x) * float(z @ z)) for x, z in zip(X[:, 0], Z, strict=True)]
            margins = [log_time + mp.log(k / v) for k, v in zip(κ_, w, strict=True)]
            norm = mp.sqrt(sum(v * b**2 for v, b in zip(w, margins, strict=True)))
            best = mp.sqrt(sum(w))
            if which == 0:
                return 1 - min(margins) * best / norm
            return 1 - sum(v * b for v, b in zip(w, margins, strict=True)) / (best * norm)

    def code(i: int, log_time: int, which: int) -> float:
        """The same of W = Σ m_i a_i/‖a_i‖² against the solver's W^mm."""
        X, Z, κ_ = cases[i]
        best = np.asarray(attention.svm(X, Z, np.array([0, 0]), gap=1e-12).W)
        rows = [np.outer(x, z) for x, z in zip(X[:, 0], Z, strict=True)]
        square = [float(np.sum(a * a)) for a in rows]
        margins = [log_time + np.log(k * s) for k, s in zip(κ_, square, strict=True)]
        W = sum((b / s * a for b, s, a in zip(margins, square, rows, strict=True)), np.zeros_like(best))
        if which == 0:
            return float(1 - min(margins) * np.linalg.norm(best) / np.linalg.norm(W))
        return float(1 - np.sum(W * best) / np.linalg.norm(W) / np.linalg.norm(best))

    # W^mm within √(2·10⁻¹²) of its norm turns by 1.4e-6 at most: its square on a cosine of 1, and the gap of 1e-12 on
    # the norm; between W and W^mm at an angle of up to 0.3 the turn counts once
    yield agree(derived, code, [(i, L_, k) for i in range(12) for L_ in (20, 80) for k in (0, 1)], digits=6, scale=1.0)
