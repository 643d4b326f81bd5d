"""The attention-SVM: optimality, symmetries, infeasibility, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import attention

SIZES = [(6, 8, 10, False), (50, 10, 10, True), (20, 10, 12, False), (5, 4, 6, False)]


def drawn(n, T, d, seed=0, planted=False):
    rng = np.random.default_rng(seed)
    X, Z = rng.standard_normal((n, T, d)), rng.standard_normal((n, d))
    W = rng.standard_normal((d, d))
    chosen = np.argmax(np.einsum("ntd,de,ne->nt", X, W, Z), axis=1) if planted else rng.integers(0, T, n)
    return X, Z, chosen


@guards(attention.svm, attention.Solution, attention.min_norm_nnls)
@pytest.mark.parametrize("n,T,d,planted", SIZES)
def test_frobenius_solution_is_the_exact_reference(problems, matrix, n, T, d, planted):
    """W, λ and objective agree with nonnegative least squares on the formed matrix, and KKT holds."""
    X, Z, chosen = problems(n, T, d, 1, planted)
    A = matrix(X, Z, chosen)
    sol = attention.svm(X, Z, chosen, gap=1e-12)
    w, λ = attention.min_norm_nnls(A)
    # a gap g leaves ‖W − W*‖ ≤ √(2g)‖W‖ = 1.5e-6 ‖W‖, and λ, fixed by G λ = 1 on the support, cond(G) ≈ 1e3 times that
    assert sol.objective == pytest.approx(np.linalg.norm(w), rel=1e-10)
    assert np.linalg.norm(sol.W.ravel() - w) <= 2e-6 * np.linalg.norm(w)
    others = np.arange(T) != chosen[:, None]
    assert np.allclose(sol.multipliers[others], λ, atol=2e-3 * λ.max())
    assert np.linalg.norm(sol.multipliers[others] @ A - w) <= 3e-6 * np.linalg.norm(w)
    assert np.allclose(sol.margins[others], A @ w, rtol=0, atol=1e-4)
    assert sol.multipliers.sum() == pytest.approx(sol.objective**2, rel=1e-5)
    assert (A @ w).min() == pytest.approx(1, abs=1e-9)


@guards(attention.svm, attention.Certificate)
@pytest.mark.parametrize("norm", ["frobenius", "nuclear"])
def test_the_certificate_is_what_the_arrays_say(problems, matrix, norm):
    """primal, dual, gap and min_margin recomputed from W, λ and the formed matrix; gap ≤ 1e-9."""
    X, Z, chosen = problems(6, 8, 10, 3)
    A = matrix(X, Z, chosen)
    sol = attention.svm(X, Z, chosen, norm=norm)
    λ = sol.multipliers[np.arange(8) != chosen[:, None]]
    G = (λ @ A).reshape(10, 10)
    primal = np.linalg.norm(sol.W) if norm == "frobenius" else np.linalg.svd(sol.W)[1].sum()
    dual = λ.sum() / (np.linalg.norm(G) if norm == "frobenius" else np.linalg.norm(G, 2))
    margin = (A @ sol.W.ravel()).min()
    c = sol.certificate
    # sums of a few hundred rounded products
    assert [c.primal, c.dual, c.min_margin] == pytest.approx([primal / margin, dual, margin], rel=1e-12)
    # of two numbers that agree to nine digits: the difference is known to 1e-6 of itself from the fields alone
    assert -1e-14 <= c.gap <= 1e-9 and c.gap == pytest.approx((c.primal - c.dual) / c.primal, rel=1e-3, abs=0)
    assert c.gap == pytest.approx(1 - dual * margin / primal, abs=1e-13)
    assert sol.objective == c.primal


def test_norms_are_ordered(problems):
    """‖W_F‖_F ≤ ‖W_*‖_F ≤ ‖W_*‖_* ≤ ‖W_F‖_* ≤ √min(n, d) ‖W_F‖_F, and both agree for one sequence."""
    for seed in range(3):
        X, Z, chosen = problems(5, 5, 8, seed)
        F, N = (attention.svm(X, Z, chosen, norm=k).W for k in ("frobenius", "nuclear"))
        chain = [
            np.linalg.norm(F),
            np.linalg.norm(N),
            *(np.linalg.svd(W)[1].sum() for W in (N, F)),
            5**0.5 * np.linalg.norm(F),
        ]
        assert (np.diff(chain) > 1e-6).all()  # strict on generic data, far beyond the gaps
    X, Z, chosen = problems(1, 5, 6, 0)
    one = [attention.svm(X, Z, chosen, norm=k).W for k in ("frobenius", "nuclear")]
    assert np.allclose(*one, atol=1e-3 * np.abs(one[0]).max())  # √(2·1e-9) = 4.5e-5 relative in norm, each


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 10**6))
def test_symmetries(n, T, seed):
    """Rotation, scaling, shift, permutation, duplication of a sequence; and not: rescaling one query."""
    d = 6
    X, Z, chosen = drawn(n, T, d, seed)
    rng = np.random.default_rng(seed + 1)
    solve = lambda *a: attention.svm(*a, gap=1e-12).W  # noqa: E731
    sol = attention.svm(X, Z, chosen, gap=1e-12)
    W = sol.W

    def same(V, target):
        # both within √(2e-12) = 1.5e-6 of the optimum, relative
        assert np.linalg.norm(V - target) <= 5e-6 * np.linalg.norm(target)

    O, P = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    same(solve(X @ O, Z @ P, chosen), O.T @ W @ P)
    same(solve(3.0 * X, 0.5 * Z, chosen), W / 1.5)
    same(solve(X + rng.standard_normal((n, 1, d)), Z, chosen), W)
    order = rng.permutation(T)
    same(solve(X[:, order], Z, np.argsort(order)[chosen]), W)
    same(solve(np.concatenate([X, X[:1]]), np.concatenate([Z, Z[:1]]), np.append(chosen, chosen[0])), W)
    shorter = Z.copy()
    shorter[np.argmax(sol.multipliers.sum(axis=1))] /= 2  # a row at margin 1 drops to 1/2
    assert np.linalg.norm(solve(X, shorter, chosen) - W) > 1e-3 * np.linalg.norm(W)


@guards(attention.svm_batch, attention.Batch)
def test_batches_agree_with_single_problems(problems, backend):
    """FISTA on any backend, all problems at once, against the single solver."""
    cases = [problems(6, 8, 10, seed) for seed in (1, 3, 4)]
    X, Z, chosen = (np.stack(c) for c in zip(*cases, strict=True))
    got = attention.svm_batch(backend.asarray(X), backend.asarray(Z), chosen)
    for k, case in enumerate(cases):
        sol = attention.svm(*case, gap=1e-12)
        W, λ = backend.numpy(got.W)[k], backend.numpy(got.multipliers)[k]
        assert np.linalg.norm(W - sol.W) <= 1e-4 * sol.objective  # √(2·1e-9) = 4.5e-5
        want = [sol.objective, sol.objective, 1.0]
        numbers = [float(backend.numpy(a)[k]) for a in (got.primal, got.dual, got.min_margin)]
        assert numbers == pytest.approx(want, rel=1e-8)
        gap = float(backend.numpy(got.gap)[k])
        assert 0 <= gap + 1e-15 <= 1e-9 and gap == pytest.approx(1 - numbers[1] / numbers[0], rel=1e-3, abs=0)
        assert λ.sum() == pytest.approx(sol.objective**2, rel=1e-3)


@guards(attention.feasible, attention.Infeasible)
def test_infeasible_problems_carry_gordans_certificate(problems, matrix):
    """Nonnegative weights of sum 1 cancel the rows; NNLS finds the same answer; both sizes."""
    for n, d in ((10, 3), (60, 4)):
        X, Z, chosen = problems(n, 10, d, 1)
        A = matrix(X, Z, chosen)
        with pytest.raises(attention.Infeasible, match="Gordan") as caught:
            attention.svm(X, Z, chosen)
        μ = caught.value.weights.ravel()
        assert (μ >= 0).all() and μ.sum() == pytest.approx(1, abs=1e-12)
        assert np.linalg.norm(μ @ A) <= 1e-9 * np.linalg.norm(A, axis=1).max()
        assert caught.value.residual <= 1e-9
        assert not attention.feasible(X, Z, chosen)
        with pytest.raises(attention.Infeasible):
            attention.min_norm_nnls(A)
    assert attention.feasible(*problems(6, 8, 10, 0))


def test_an_opposed_pair_is_infeasible_with_equal_weights():
    """Two sequences that ask for opposite signs: μ = (½, ½), exactly known."""
    X = np.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]])
    Z = np.array([[0.0, 1.0], [0.0, 1.0]])
    with pytest.raises(attention.Infeasible) as caught:
        attention.svm(X, Z, np.array([0, 0]))
    assert caught.value.weights.ravel() == pytest.approx([0.5, 0.5], abs=1e-12)


@guards(attention.support_tokens)
def test_support_tokens_and_local_optimality(problems, matrix):
    """Support tokens are those with margin 1; lowering a support token's score decides, another token's does not."""
    X, Z, chosen = problems(6, 8, 10, 3)
    sol = attention.svm(X, Z, chosen, gap=1e-12)
    pairs, λ = attention.support_tokens(sol), sol.multipliers
    support = λ > 1e-6 * λ.max()  # strictly complementary on this instance
    assert {tuple(p) for p in pairs} == {tuple(p) for p in np.argwhere(support)} and 0 < support.sum() < 42
    scores = np.where(support, -1.0, 1.0)
    scores[np.arange(6), chosen] = 0.0
    assert attention.locally_optimal(sol, scores)
    i, t = np.argwhere(support)[0]
    scores[i, t] = 0.5
    assert not attention.locally_optimal(sol, scores)


def test_float32_and_other_backends_come_back_as_they_went(problems, backend):
    """Arrays of the answer live where the question's did."""
    X, Z, chosen = problems(4, 4, 5, 0)
    for dtype in ("float64", "float32"):
        sol = attention.svm(backend.asarray(X, dtype), backend.asarray(Z, dtype), chosen)
        W = backend.numpy(sol.W)
        assert W.dtype == dtype and np.allclose(W, attention.svm(X, Z, chosen).W, atol=1e-3)


BAD = [
    ("chosen out of range", lambda X, Z, c: (X, Z, c + 8), ValueError, r"0\.\.7"),
    ("chosen is float", lambda X, Z, c: (X, Z, c + 0.5), TypeError, "integers"),
    ("one token", lambda X, Z, c: (X[:, :1], Z, 0 * c), ValueError, "T = 1"),
    ("zero query", lambda X, Z, c: (X, Z * (np.arange(6) != 2)[:, None], c), ValueError, "query of sequence 2 is zero"),
    ("NaN", lambda X, Z, c: (np.where(X > 0.5, np.nan, X), Z, c), ValueError, "NaN"),
    ("shapes", lambda X, Z, c: (X, Z[:5], c), ValueError, "one query for each"),
    ("dtype", lambda X, Z, c: (X, Z.astype("float32"), c), TypeError, "dtypes differ"),
    ("duplicate", lambda X, Z, c: (np.repeat(X, 2, axis=1), Z, c), attention.Infeasible, "by construction"),
]


@pytest.mark.parametrize("name,spoil,error,words", BAD, ids=[b[0] for b in BAD])
def test_bad_input(problems, name, spoil, error, words):
    """One clear error each."""
    with pytest.raises(error, match=words):
        attention.svm(*spoil(*problems(6, 8, 10, 0)))


def test_an_unconverged_solver_says_so_with_its_best_certificate(problems):
    """Never a quiet answer."""
    X, Z, chosen = problems(6, 8, 10, 0)
    with pytest.raises(attention.Unconverged, match="was asked for") as caught:
        attention.svm(X, Z, chosen, norm="nuclear", steps=40)
    best = caught.value.certificate
    assert isinstance(best, attention.Certificate)
    assert best.dual <= attention.svm(X, Z, chosen, norm="nuclear").objective <= best.primal and best.gap > 1e-9
    with pytest.raises(attention.Unconverged):
        attention.svm_batch(X[None], Z[None], chosen[None], steps=30)
    with pytest.raises(ValueError, match="'frobenius' or 'nuclear'"):
        attention.svm(X, Z, chosen, norm="spectral")  # pyright: ignore[reportArgumentType]


@guards(attention.multi_token, attention.MultiToken)
def test_several_selected_tokens(problems):
    """Equalities and margins hold, W_fin meets the log-ratios, and W_svm is optimal against random feasible W."""
    X, Z, _ = problems(3, 4, 6, 0)
    O = np.zeros((3, 4), bool)
    O[:, 0] = O[1, 1] = True
    p = np.where(O, [[1.0, 1, 1, 1], [0.3, 0.7, 1, 1], [1, 1, 1, 1]], 0.0)
    got = attention.multi_token(X, Z, O, p)
    score = np.einsum("ntd,de,ne->nt", X, got.W_svm, Z)
    assert score[1, 0] == pytest.approx(score[1, 1], abs=1e-12)
    gaps = score[:, :1] - score
    assert gaps[~O].min() == pytest.approx(1, abs=1e-12)
    fin = np.einsum("ntd,de,ne->nt", X, got.W_fin, Z)
    assert fin[1, 0] - fin[1, 1] == pytest.approx(np.log(0.3 / 0.7), abs=1e-12)
    D = (X[1, 0] - X[1, 1])[:, None] * Z[1]
    assert np.linalg.norm(got.W_fin) == pytest.approx(abs(np.log(0.3 / 0.7)) / np.linalg.norm(D), abs=1e-12)
    c = got.certificate
    assert c.gap <= 1e-9 and c.gap == pytest.approx((c.primal - c.dual) / c.primal, rel=1e-3, abs=0)
    assert c.primal == pytest.approx(np.linalg.norm(got.W_svm), rel=1e-12)
    assert got.certificate.dual == pytest.approx(got.certificate.primal, rel=1e-8)
    assert got.certificate.min_margin == pytest.approx(1, abs=1e-12)
    single = attention.multi_token(X, Z, O & (np.arange(4) == 0), p)
    assert np.allclose(single.W_svm, attention.svm(X, Z, np.zeros(3, int)).W, atol=1e-3) and not single.W_fin.any()
    with pytest.raises(ValueError, match="at least one selected"):
        attention.multi_token(X, Z, O & False, p)


def test_active_sets_end_newtons_method_early(problems, monkeypatch):
    """Planted, constraints ≫ d²: exact from the support of an early round (26 and 254 steps without); no idle steps."""
    from corollary.theory.attention import newton

    steps, honest = [], newton._newton_step
    monkeypatch.setattr(newton, "_newton_step", lambda *a: steps.append(a) or honest(*a))
    for size, most in (((50, 10, 10), 22), ((400, 30, 8), 90)):
        steps.clear()
        sol = attention.svm(*problems(*size, 0, planted=True))
        # rounding times the condition of the tight rows' Gram matrix, 1e5; 15 and 47 steps are taken
        assert sol.certificate.gap <= 1e-11 and len(steps) <= most, (size, len(steps))
        for before, after in zip(steps, steps[1:], strict=False):
            # the same active set, penalty and multipliers twice running: half the gradient at most is left
            if np.array_equal(before[1], after[1]) and before[3] == after[3] and np.array_equal(before[2], after[2]):
                assert np.linalg.norm(after[5]) <= 0.5 * np.linalg.norm(before[5])
