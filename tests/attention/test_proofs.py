"""The derivations of the attention-SVM in `proofs_check/attention` notice wrong code; the gradient of attention's loss.

That they hold as they are is asked of all families at once: tests/test_catalogue.py runs every derivation there is. The
gradient's derivation is a test, since `proofs_check` knows no simulation.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from corollary.proofs_check.attention import exact, multi_token, nuclear, projections, rates, svm
from corollary.sims.attention import model
from corollary.testing.power.leaves import mapped, off_by_2_percent
from corollary.theory import attention

SOLUTION = [".W", ".objective", ".multipliers", ".margins",
            *(f".certificate{k}" for k in (".primal", ".dual", ".gap", ".min_margin"))]  # fmt: skip
PLANTED = [
    *((svm.frobenius_certificate, "svm", path) for path in SOLUTION),
    *((nuclear.nuclear_duality, "svm", path) for path in SOLUTION),
    *((svm.frobenius_optimality, "svm", path) for path in (".W", ".multipliers")),
    (svm.frobenius_optimality, "support_tokens", ""),
    (svm.min_norm_point, "svm", ".objective"),
    *((svm.min_norm_point, "min_norm_nnls", path) for path in ("[0]", "[1]")),
    (nuclear.norm_chain, "svm", ".W"),
    (rates.direction_rates, "svm", ".W"),
    (projections.projections_contract, "forgetting", ""),
    *((multi_token.several_tokens, "multi_token", path) for path in (".W_svm", ".W_fin", *SOLUTION[4:])),
]


@pytest.mark.parametrize(("proof", "name", "path"), PLANTED, ids=[f"{p.id}-{n}{k}" for p, n, k in PLANTED])
def test_a_number_off_by_two_percent_is_noticed(monkeypatch, proof, name, path):
    """Each number of the result by itself: NOT DERIVED, for a step or for the comparison, not for a crash."""
    right, change = getattr(attention, name), off_by_2_percent(path)
    monkeypatch.setattr(attention, name, lambda *a, **k: mapped(right(*a, **k), change))
    assert proof.run().problem.startswith(("step ", "the code differs"))


def test_a_wrong_answer_about_feasibility_is_noticed(monkeypatch):
    """One wrong answer of 61 is enough."""
    right, asked = attention.feasible, []

    def wrong(*a):
        asked.append(a)
        return right(*a) != (len(asked) == 17)

    monkeypatch.setattr(attention, "feasible", wrong)
    assert svm.gordan.run().problem.startswith("the code differs")


def test_exact_tools_by_hand():
    """Gauss with a zero pivot; two rows at a right angle, an opposed pair, a shadowed row."""
    assert exact.solved([[0, 2], [3, 1]], [4, 5]) == [1, 2] and exact.solved([[1, 2], [2, 4]], [1, 1]) is None
    right, opposed = (np.array(A, dtype=object) for A in ([[1, 0], [0, 2], [3, 3]], [[1, 2], [-1, -2]]))
    λ = exact.active_set(right)
    assert λ is not None and λ.tolist() == [1, sp.Rational(1, 4), 0]  # W = (1, 1/2)
    c, μ = exact.nearest(right)
    assert c == sp.Rational(4, 5) and μ.tolist() == [sp.Rational(4, 5), sp.Rational(1, 5), 0]
    assert exact.active_set(opposed) is None and exact.nearest(opposed)[0] == 0


# The gradient of L = (1/n) Σ log(1 + exp(−f_i)), f_i = Σ_t γ_it softmax(X_i W z_i)_t.


@pytest.mark.parametrize("T", [2, 3])
def test_log_domain_form_is_the_gradient(T):
    """Σ_t ∂L/∂a_t x_t = Σ_{t≠j} s_t (δ_t − mean) ℓ' (x_t − x_j) for every j, with δ = γ − γ_j, identically."""
    a, γ, p = (sp.symbols(f"{k}1:{T + 1}", positive=True) for k in ("a", "gamma", "p"))
    x: Any = sp.Matrix(T, 2, sp.symbols(f"x1:{2 * T + 1}"))
    F, outer = sp.symbols("f ell")
    powers = [sp.exp(v) for v in a]
    f: Any = sum(g * e for g, e in zip(γ, powers, strict=True)) / sum(powers)
    # ∂L/∂a_t = ℓ'(f) ∂f/∂a_t with ℓ'(f) = −1/(1 + e^f)
    assert sp.simplify(sp.diff(sp.log(1 + sp.exp(-F)), F) + 1 / (1 + sp.exp(F))) == 0
    exponentials: Any = dict(zip(powers, p, strict=True))
    naive = [sum(outer * f.diff(a[t]).subs(exponentials) * x[t, k] for t in range(T)) for k in range(2)]
    s = [q / sum(p) for q in p]
    for j in range(T):
        others = [t for t in range(T) if t != j]
        mean = sum(s[t] * (γ[t] - γ[j]) for t in others)
        assert sp.cancel(f.subs(exponentials) - γ[j] - mean) == 0  # the argument of ℓ'
        weight = {t: s[t] * (γ[t] - γ[j] - mean) * outer for t in others}
        for k in range(2):
            assert sp.cancel(sp.together(naive[k] - sum(weight[t] * (x[t, k] - x[j, k]) for t in others))) == 0


def derivative(n: int, T: int, d: int):
    """(X, Z, γ, W) → ∇L (d, d), SymPy's derivative of the loss as it is defined, in mpmath's current precision."""
    X, Z, γ, W = (sp.symbols(f"{k}:{size}") for k, size in (("x", n * T * d), ("z", n * d), ("g", n * T), ("w", d * d)))
    M, L = sp.Matrix(d, d, W), sp.Integer(0)
    for i in range(n):
        a = sp.Matrix(T, d, X[i * T * d : (i + 1) * T * d]) * M * sp.Matrix(Z[i * d : (i + 1) * d])
        e = [sp.exp(v) for v in a]
        L += sp.log(1 + sp.exp(-sum(g * v for g, v in zip(γ[i * T : (i + 1) * T], e, strict=True)) / sum(e))) / n
    compiled = sp.lambdify([*X, *Z, *γ, *W], [sp.diff(L, w) for w in W], "mpmath", cse=True)

    def at(tasks: model.Tasks, W: np.ndarray) -> np.ndarray:
        numbers = [mp.mpf(float(v)) for v in np.concatenate([v.ravel() for v in (*tasks, W)])]
        return np.array(compiled(*numbers), dtype=object).reshape(d, d)

    return at


SIZES = [(1, 2, 1), (2, 2, 2), (2, 3, 1), (2, 3, 2)]


@pytest.mark.parametrize("size", SIZES)
def test_gradient_is_sympys_derivative_of_the_loss(size):
    """Both forms against the derivative at 50 digits, 20 random points a size."""
    n, T, d = size
    at = derivative(n, T, d)
    for seed in range(20):
        rng = np.random.default_rng([*size, seed])
        drawn = (rng.standard_normal((1, n, T, d)), rng.standard_normal((1, n, d)), rng.standard_normal((1, n, T)))
        tasks, W = model.Tasks(*drawn), rng.standard_normal((1, d, d))
        with mp.workdps(50):
            want = at(tasks, W).astype(float)
        log = model.log_gradient(tasks, W)
        got = [log.direction[0] * np.exp(log.factor[0]), model.naive_gradient(tasks, W)[0]]
        # logits below 20, so rounded to 20ε, and weights of either sign that leave a tenth of themselves
        scale = np.abs(want).max()
        assert scale > 1e-6
        assert np.abs(got[0] - want).max() <= 1e-13 * scale
        assert np.abs(got[1] - want).max() <= 1e-11 * scale  # s_top(γ_top − f) cancels to the share of the others


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gap", [60, 800])
def test_gradient_of_saturated_attention(size, gap):
    """Runners-up at e^−gap and less: the naive form loses its direction or is zero, the log form keeps 13 digits."""
    n, T, d = size
    at, errors, seed = derivative(n, T, d), [], 0
    while len(errors) < 6:
        rng, seed = np.random.default_rng([*size, seed]), seed + 1
        # whole numbers, so that logits are exact; no zeros, since a top token at 0 is all that naive may drop
        X, Z = (rng.integers(1, 5, k).astype(float) for k in ((1, n, T, d), (1, n, d)))
        X *= rng.choice((-1.0, 1.0), X.shape)
        W = gap * rng.integers(-3, 4, (1, d, d)).astype(float)
        tasks = model.Tasks(X, Z, rng.standard_normal((1, n, T)))
        ordered = np.sort(model.logits(tasks, W), axis=-1)
        least = (ordered[..., -1] - ordered[..., -2]).min()
        if not gap <= least <= 4 * gap:
            continue
        log, naive = model.log_gradient(tasks, W), model.naive_gradient(tasks, W)[0]
        assert log.factor[0] == pytest.approx(-least, rel=1e-15)
        with mp.workdps(50 + 2 * gap):  # s_top (γ_top − f) loses least/ln 10 digits of them
            want = at(tasks, W)
            scaled = (want * mp.exp(-mp.mpf(float(log.factor[0])))).astype(float)
            errors.append(float(np.abs(naive - want).max() / np.abs(want).max()))
        assert np.abs(log.direction[0] - scaled).max() <= 1e-13 * np.abs(scaled).max()
        if gap == 60:  # e^−240 is still a number; it takes 240ε from the exponential
            got, true = log.direction[0] * np.exp(log.factor[0]), want.astype(float)
            assert np.abs(got - true).max() <= 1e-13 * np.abs(true).max()
    # without the top token's −Σ w_t x_j; beyond e^−745 nothing is left
    assert min(errors) > 0.05 and max(errors) > 0.5 if gap == 60 else errors == pytest.approx(np.ones(6), abs=1e-15)
