"""The program for several selected tokens: equalities eliminated and active sets tried in fractions."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.attention.exact import active_set, largest, nearest, simple, solved, whole_numbers
from corollary.theory import attention

Steps = Generator[Step | Agreement, None, None]


class Program(NamedTuple):
    """Whole-number tokens, queries, selection, probabilities odds/7; dense rows: equalities E, inequalities A of the
    first selected token, which stands for all as they are tied, every other inequality, C = AE*(EE*)⁻¹ and A − CE."""

    X: np.ndarray
    Z: np.ndarray
    selected: np.ndarray
    odds: np.ndarray
    E: np.ndarray
    A: np.ndarray
    rest: np.ndarray
    C: np.ndarray
    reduced: np.ndarray


def drawn(seed: int) -> Program | None:
    """None where nothing is tied, or the equalities are dependent."""
    n, T, d = ((2, 3, 2), (2, 4, 3), (1, 4, 3), (3, 3, 2))[seed % 4]
    X, Z, _ = whole_numbers(n, T, d, seed)
    rng = np.random.default_rng(seed)
    O = rng.random((n, T)) < 0.4
    O[np.arange(n), rng.integers(0, T, n)] = True
    if O.all() or O.sum() == n:
        return None
    first = O.argmax(axis=1)
    pairs = [(i, t, u) for i in range(n) for t in range(T) for u in range(T) if O[i, t] and t != u]

    def dense(some: list[tuple[int, int, int]]) -> np.ndarray:
        return np.array([np.kron(X[i, t] - X[i, u], Z[i]) for i, t, u in some], dtype=object).reshape(-1, d * d)

    E = dense([(i, t, u) for i, t, u in pairs if O[i, u] and t == first[i]])
    A = dense([(i, t, u) for i, t, u in pairs if not O[i, u] and t == first[i]])
    columns = [solved(E @ E.T, E @ a) for a in A]
    if None in columns:
        return None
    C = np.array(columns, dtype=object)
    reduced = A - C @ E
    rest = dense([(i, t, u) for i, t, u in pairs if not O[i, u] and t != first[i]])
    return Program(X, Z, O, rng.integers(1, 8, (n, T)), E, A, rest, C, reduced)


def run(program: Program, gap: float) -> attention.MultiToken:
    X, Z, O, odds = program[:4]
    return attention.multi_token(X.astype(float), Z.astype(float), O, odds / 7, gap=gap)


@derivation(of=attention.multi_token, method="rational")
def several_tokens() -> Steps:
    """EW = 0, AW ≥ 1: W = A*λ + E*ν, λ ≥ 0, λ(AW − 1) = 0, so W = (I − E*(EE*)⁻¹E)A*λ and ‖W‖² = Σλ; EW = log ratios at
    least norm: W = E*(EE*)⁻¹ log ratios. No W: some A*μ + E*ν = 0, μ ≥ 0, Σμ = 1 (Motzkin). All in fractions."""
    E, A = sp.Matrix(sp.MatrixSymbol("E", 1, 3)), sp.Matrix(sp.MatrixSymbol("A", 2, 3))
    λ, V, ν = sp.Matrix(sp.symbols("l1:3")), sp.Matrix(sp.symbols("v1:4")), sp.Matrix(sp.symbols("n1:2"))
    W = A.T * λ + E.T * ν
    tied = sp.cancel((E * W)[0].subs(ν[0], -(E * A.T * λ)[0] / E.dot(E)))
    yield step("E(A*λ + E*ν) at ν = −(EE*)⁻¹EA*λ", tied, holds=tied == 0)
    # 2⟨W, V − W⟩, where EV = EW leaves 2λᵀ(AV − 1) + 2λᵀ(1 − AW); at λ = 0 the program of W_fin
    rest = sp.expand(V.dot(V) - W.dot(W) - (V - W).dot(V - W) - 2 * λ.dot(A * (V - W)) - 2 * ν.dot(E * (V - W)))
    yield step("‖V‖² − ‖W‖² − ‖V − W‖² − 2λᵀA(V − W) − 2νᵀE(V − W)", rest, holds=rest == 0)

    found, empty = _instances(20, 6)
    optimal = all(not (p.E @ W).any() and min([*(p.A @ W), *(p.rest @ W)]) == 1 and λ.min() >= 0 and W @ W == λ.sum()
                  and (W == p.A.T @ λ - p.E.T @ (p.C.T @ λ)).all() for p, W, λ in found)  # fmt: skip
    yield step("KKT in fractions, all pairs of tokens, 20 instances", optimal, holds=optimal)
    silent = 0
    for program in empty:
        c, μ = nearest(program.reduced)
        zero = μ @ program.A - (μ @ program.C) @ program.E
        try:
            run(program, 1e-9)
        except attention.Infeasible as error:
            silent += c == 0 and not zero.any() and error.weights.min() >= 0 and abs(error.weights.sum() - 1) < 1e-12
    yield step("A*μ + E*ν = 0 in fractions, and Infeasible is raised, of 6", silent, holds=silent == 6)

    told, off, gaps = [], [], []
    for program, W, _ in found:
        size, coarse, fine = float(W @ W) ** 0.5, run(program, 1e-1), run(program, 1e-12)
        told.append(fine)
        for got, gap in ((coarse, 1e-1), (fine, 1e-12)):
            c, w = got.certificate, got.W_svm.ravel()
            margins = np.concatenate([program.A, program.rest]).astype(float) @ w
            # the optimum lies between; primal is the norm of W at margin 1
            off += [c.primal / float(np.sqrt(w @ w)) - 1, c.min_margin - 1, margins.min() - 1,
                    1 - (1 - c.gap) * c.primal / c.dual, largest(program.E.astype(float) @ w) / largest(w),
                    max(c.dual / size - 1, 0), max(size / c.primal - 1, 0), max(c.gap - gap, 0)]  # fmt: skip
        gaps.append(coarse.certificate.gap)
    yield step("primal = ‖W_svm‖ ≥ optimum ≥ dual = (1 − gap) primal, EW = 0, least margin 1: to", largest(off),
               holds=largest(off) < 1e-11)  # fmt: skip
    yield step("of gaps up to", max(gaps), holds=max(gaps) > 1e-4)

    known: list[dict[str, Any]] = []
    for program, W, _ in found:
        X, O, odds = program.X, program.selected, program.odds
        first = O.argmax(axis=1)
        ratios = [sp.log(sp.Rational(int(odds[i, first[i]]), int(odds[i, t]))).evalf(30)
                  for i in range(len(X)) for t in range(X.shape[1]) if O[i, t] and t != first[i]]  # fmt: skip
        inverse = [solved(program.E @ program.E.T, row) for row in np.eye(len(program.E), dtype=int).tolist()]
        back = np.array(inverse, dtype=object) @ program.E
        fin = [sum(sp.Rational(str(Fraction(b))) * r for b, r in zip(back[:, k], ratios, strict=True))
               for k in range(back.shape[1])]  # fmt: skip
        square = sp.sqrt(sp.Rational(str(W @ W))).evalf(30)
        known.append({"W_svm": [float(v) for v in W], "W_fin": [float(v) for v in fin],
                      "primal": [float(square)], "dual": [float(square)]})  # fmt: skip

    def code(i: int, name: str, k: int) -> float:
        got = told[i]
        return float(getattr(got, name).ravel()[k] if name.startswith("W") else getattr(got.certificate, name))

    points = [(i, name, k) for i in range(20) for name, v in known[i].items() for k in range(len(v))]
    # W_svm is within √(2·10⁻¹²) = 1.4e-6 of its norm, below 6
    yield step("norms up to", max(v["primal"][0] for v in known), holds=max(v["primal"][0] for v in known) < 6)
    yield agree(lambda i, name, k: known[i][name][k], code, points, digits=5, scale=1.0)


def _instances(solvable: int, not_: int) -> tuple[list[tuple[Program, np.ndarray, np.ndarray]], list[Program]]:
    """(program, W, λ) in fractions, stable ones; programs without a solution."""
    found, empty, seed = [], [], 0
    while len(found) < solvable or len(empty) < not_:
        program = drawn(seed)
        seed += 1
        if program is None:
            continue
        λ = active_set(program.reduced)
        if λ is None:
            empty.append(program)
        elif simple(program.reduced, λ):
            found.append((program, program.reduced.T @ λ, λ))
    return found[:solvable], empty[:not_]
