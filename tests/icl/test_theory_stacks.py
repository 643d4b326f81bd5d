"""Constructions, closed-form iterations, multi-step risks: each against a step-by-step twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import icl

_rng = np.random.default_rng(23)
X, Y, XQ = _rng.standard_normal((5, 7, 4)), _rng.standard_normal((5, 7)), _rng.standard_normal((5, 4))


def descend(X, y, etas, K=None):
    """w after steps w <- w + η K (1/N) Xᵀ(y − Xw), one prompt, written out."""
    w = np.zeros(X.shape[1])
    for η in etas:
        step = X.T @ (y - X @ w) / len(y)
        w = w + η * (step if K is None else K @ step)
    return w


@guards(icl.gd_construction, icl.GradientDescent.predict)
@given(st.lists(st.floats(0.05, 0.8), min_size=1, max_size=5))
def test_the_construction_is_gradient_descent(etas):
    """A stack of k layers predicts x_q · w_k, to rounding."""
    stack = icl.gd_construction(etas, context=7, layers=len(etas))
    want = [descend(x, y, etas) @ q for x, y, q in zip(X, Y, XQ, strict=True)]
    np.testing.assert_allclose(stack.predict(X, Y, XQ), want, atol=1e-13 * 4 ** len(etas))  # growth η λ_max/N < 4


@guards(icl.gd_construction, icl.GradientDescent.predict, icl.GradientDescent.layers, icl.attend)
def test_several_outputs_a_start_and_a_preconditioner():
    """Multi-output weights with W₀ ≠ 0 and K ≠ I against the written-out steps."""
    rng = np.random.default_rng(4)
    W0, K, Ym = rng.standard_normal((3, 4)), rng.standard_normal((4, 4)), rng.standard_normal((5, 7, 3))
    stack = icl.gd_construction([0.3, 0.2], context=7, layers=2, W0=W0, preconditioner=K)
    got = stack.predict(X, Ym, XQ)
    for i in range(5):
        W = W0.copy()
        for η in (0.3, 0.2):
            W = W - η / 7 * (W @ X[i].T - Ym[i].T) @ X[i] @ K.T
        np.testing.assert_allclose(got[i], W @ XQ[i], atol=1e-12)
    one = icl.gd_construction(0.3, context=7, preconditioner=K)
    np.testing.assert_allclose(one.predict(X[0], Y[0], XQ[0]), 0.3 * XQ[0] @ K @ X[0].T @ Y[0] / 7, rtol=1e-12)
    layer = icl.gd_construction(0.3, context=7).layers(X)[0]
    E = np.concatenate([X[0], Y[0][:, None]], axis=1)
    moved = icl.attend(layer, np.vstack([E, np.append(XQ[0], 0.0)]), 7)
    assert -moved[-1, -1] == pytest.approx(0.3 * XQ[0] @ X[0].T @ Y[0] / 7, rel=1e-12)


@guards(icl.gd_construction, icl.GradientDescent.predict)
def test_gd_plus_plus_is_the_recursion_per_eigenvalue():
    """r ← r(1 − (η/N)D²λ), D ← D(1 − γλD²) on the eigenvalues of XᵀX; prediction x_q·U(1−r)/λ UᵀXᵀy."""
    for k in (4, 5):
        etas, gammas = (0.5, 0.7, 0.4, 0.2, 0.3)[:k], (0.02, 0.03, 0.01, 0.015, 0.01)[:k]
        stack = icl.gd_construction(etas, context=7, layers=k, gamma=gammas)
        assert stack.etas == etas and stack.gammas == gammas
        got = stack.predict(X, Y, XQ)
        for i in range(5):
            λ, U = np.linalg.eigh(X[i].T @ X[i])
            r, D = np.ones(4), np.ones(4)
            for η, γ in zip(etas, gammas, strict=True):
                r, D = r * (1 - η / 7 * D**2 * λ), D * (1 - γ * λ * D**2)
            want = XQ[i] @ U @ ((1 - r) / λ * (U.T @ X[i].T @ Y[i]))
            assert got[i] == pytest.approx(want, rel=1e-9, abs=1e-12)


def newton_written_out(X, y, steps, α):
    S = X.T @ X
    M = α * S
    out = [M @ X.T @ y]
    for _ in range(steps):
        M = 2 * M - M @ S @ M
        out.append(M @ X.T @ y)
    return np.array(out), S


@guards(icl.newton)
def test_newton_in_closed_form_is_the_iteration():
    """Weights, residual norms, eigenvalues and normal equations against M ← 2M − MSM, default and given α."""
    for α in (None, 0.4):
        for i in range(5):
            S = X[i].T @ X[i]
            top = float(np.linalg.norm(S, 2))
            a = 1 / top**2 if α is None else α / top**2
            got = icl.newton(X[i], Y[i], 12, alpha=None if α is None else a)
            want, _ = newton_written_out(X[i], Y[i], 12, a)
            # the iteration's own rounding is amplified by κ(S), below 300 here
            np.testing.assert_allclose(got.weights, want, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(got.eigenvalues, np.linalg.eigvalsh(S)[::-1], rtol=1e-12)
            low = got.eigenvalues[-1]
            powers = (1 - a * low * low) ** (2.0 ** np.arange(9))
            np.testing.assert_allclose(got.residuals[:9], powers, rtol=1e-10)
            normal = np.linalg.norm((Y[i] - want @ X[i].T) @ X[i], axis=1)
            np.testing.assert_allclose(got.normal, normal, rtol=1e-9, atol=1e-10)


def test_newton_is_batched_and_reaches_least_norm_for_short_contexts():
    """Batches agree with single prompts; with N < d the limit is the pseudoinverse solution."""
    got = icl.newton(X, Y, [0, 3, 9])
    assert got.weights.shape == (5, 3, 4) and got.residuals.shape == (5, 3)
    np.testing.assert_allclose(got.weights[2], icl.newton(X[2], Y[2], 9).weights[[0, 3, 9]], rtol=1e-12)
    short = icl.newton(X[:, :3], Y[:, :3], 60)
    np.testing.assert_allclose(short.weights[0, -1], np.linalg.pinv(X[0, :3]) @ Y[0, :3], rtol=1e-11)


@given(st.floats(1.5, 1e6), st.integers(1, 25))
def test_the_log_residual_doubles_each_newton_step(condition, k):
    """log ‖I − M_{k+1}S‖ = 2 log ‖I − M_kS‖, for condition numbers where naive powers would lose all digits."""
    Xd = np.diag([1.0, condition**-0.5])
    r = icl.newton(Xd, np.ones(2), [k - 1, k]).residuals
    left, right = -math.log(r[0]) if r[0] else math.inf, -math.log(r[1]) if r[1] else math.inf
    # the residual itself carries one rounding of 1, so its logarithm an absolute 2e-16
    assert right == pytest.approx(2 * left, abs=1e-15, rel=1e-13)


@guards(icl.gradient_descent)
def test_descent_in_closed_form_is_the_iteration():
    """w_k, its residuals max|1 − ηλ/N|^k and normal equations against the written-out loop."""
    got = icl.gradient_descent(X[1], Y[1], 40, 0.4)
    λ = np.linalg.eigvalsh(X[1].T @ X[1])
    want = np.array([descend(X[1], Y[1], [0.4] * k) for k in range(41)])
    np.testing.assert_allclose(got.weights, want, atol=1e-13)
    np.testing.assert_allclose(got.residuals, [np.max(np.abs(1 - 0.4 * λ / 7)) ** k for k in range(41)], rtol=1e-11)
    np.testing.assert_allclose(got.eigenvalues, λ[::-1], rtol=1e-12)
    normal = np.linalg.norm((Y[1] - want @ X[1].T) @ X[1], axis=1)
    np.testing.assert_allclose(got.normal, normal, rtol=1e-10, atol=1e-12)


@guards(icl.newton_construction, icl.Newton.predict)
def test_newton_layers_are_newton_steps_and_equal_value_signs_are_not():
    """One ReLU layer a step, to rounding; with the printed equal value matrices the prediction is off by > 1e-2."""
    α = 0.9 / max(float(np.linalg.norm(x.T @ x, 2)) for x in X) ** 2
    got = icl.newton_construction(10, alpha=α).predict(X, Y, XQ)
    want = np.sum(icl.newton(X, Y, [10], alpha=α).weights[:, 0] * XQ, axis=-1)
    np.testing.assert_allclose(got, want, atol=1e-12)
    literal = icl.newton_construction(10, alpha=α, value_signs=(1.0, 1.0)).predict(X, Y, XQ)
    assert np.abs(literal - want).min() > 1e-2


@guards(icl.newton_steps, icl.descent_steps)
def test_step_counts():
    """Reference counts to 1e-10 at κ = 2, 10, 100, 1000; each is the first step below, and grows as 2 log₂κ and κ."""
    assert [icl.newton_steps(κ, 1e-10) for κ in (2.0, 10.0, 100.0, 1000.0)] == [7, 12, 18, 25]
    assert [icl.descent_steps(κ, 1e-10) for κ in (2.0, 10.0, 100.0, 1000.0)] == [21, 115, 1152, 11513]
    k = icl.descent_steps(37.0, 1e-6)
    assert (36 / 38) ** k <= 1e-6 < (36 / 38) ** (k - 1)
    assert icl.newton_steps(2.0**20, 1e-10) - icl.newton_steps(2.0**10, 1e-10) == 20


@guards(icl.wishart_moment)
@given(st.integers(1, 12), st.integers(1, 12))
def test_wishart_moments_against_the_textbook_polynomials(n, d):
    """E tr S^m for m <= 4 (textbook), and E (tr S)² by the chi-square law of tr S with Nd degrees of freedom."""
    assert icl.wishart_moment(1, n, d) == n * d
    assert icl.wishart_moment(2, n, d) == n * d * (n + d + 1)
    assert icl.wishart_moment(3, n, d) == n * d * (n * n + d * d + 3 * n * d + 3 * n + 3 * d + 4)
    m4 = n**3 + d**3 + 6 * n * n * d + 6 * n * d * d + 6 * n * n + 6 * d * d + 17 * n * d + 21 * n + 21 * d + 20
    assert icl.wishart_moment(4, n, d) == n * d * m4
    chi = n * d
    assert icl.wishart_moment([1] * 5, n, d) == chi * (chi + 2) * (chi + 4) * (chi + 6) * (chi + 8)
    assert icl.wishart_moment([0, 2], n, d) == d * icl.wishart_moment(2, n, d)


def test_wishart_moments_are_symmetric_and_scalar_ones_are_chi_square():
    """tr (XᵀX)^m = tr (XXᵀ)^m; for d = 1, E S^m = N(N+2)…(N+2m−2)."""
    for m in (5, 8, 12, 80):
        assert icl.wishart_moment(m, 7, 3) == icl.wishart_moment(m, 3, 7)
        assert icl.wishart_moment(m, 6, 1) == math.prod(6 + 2 * j for j in range(m))


@guards(icl.gd_excess)
def test_one_step_of_the_polynomial_risk_is_the_general_formula():
    """k = 1 with noise and scales v, ω agrees with `excess`; both are exact."""
    task = icl.LinearTask(4, 6, 0.7 * np.eye(4), 1.6 * np.eye(4), 0.3)
    for η in (0.2, 0.9, 2.0):
        assert icl.gd_excess(η, task) == pytest.approx(icl.excess(η * np.eye(4), task), rel=1e-13)


@guards(icl.gd_excess)
def test_the_multi_step_risk_is_the_mean_over_prompts():
    """Two GD++ steps with noise against 200 000 simulated prompts, 4 standard errors, each below 0.3 %."""
    d, N = 3, 6
    task = icl.LinearTask(d, N, 0.8 * np.eye(d), 1.5 * np.eye(d), 0.4)
    etas, gammas = [0.5, 0.9], [0.15, 0.0]
    rng = np.random.default_rng(11)
    M = 200_000
    x = math.sqrt(0.8) * rng.standard_normal((M, N, d))
    w = math.sqrt(1.5) * rng.standard_normal((M, d))
    y = (x @ w[:, :, None])[:, :, 0] + math.sqrt(0.4) * rng.standard_normal((M, N))
    λ, U = np.linalg.eigh(np.swapaxes(x, 1, 2) @ x / N)
    r, D = np.ones((M, d)), np.ones((M, d))
    for η, γ in zip(etas, gammas, strict=True):
        r, D = r * (1 - η * D**2 * λ), D * (1 - γ * λ * D**2)
    g = np.swapaxes(x, 1, 2) @ y[:, :, None] / N
    estimate = (U @ (((1 - r) / λ)[:, :, None] * (np.swapaxes(U, 1, 2) @ g)))[:, :, 0]
    losses = 0.8 * np.sum((estimate - w) ** 2, axis=1)
    error = losses.std() / math.sqrt(M)
    exact = icl.gd_excess(etas, task, gammas)
    assert error < 0.003 * exact
    assert abs(losses.mean() - exact) < 4 * error


@guards(icl.optimal_steps)
def test_optimal_steps_reference_values_and_orderings():
    """(N, d) = (20, 5): k = 1, 2; untied <= tied, GD++ <= GD; the certificate is what its docstring says."""
    task = icl.LinearTask(5, 20)
    one, two = icl.optimal_steps(task, 1), icl.optimal_steps(task, 2)
    assert one.etas[0] == pytest.approx(20 / 26, abs=1e-8) and one.excess == pytest.approx(15 / 13, rel=1e-10)
    np.testing.assert_allclose(two.etas, [0.5153707, 1.2495720], atol=2e-7)
    assert two.excess == pytest.approx(0.36123969, abs=1e-8)
    tied = icl.optimal_steps(task, 2, tied=True)
    assert tied.excess == pytest.approx(0.49900739, abs=1e-8)
    plus = icl.optimal_steps(task, 2, tied=True, plus=True)
    assert plus.excess == pytest.approx(icl.gd_excess(list(plus.etas), task, list(plus.gammas)), rel=1e-12)
    assert plus.excess < tied.excess and two.excess < tied.excess < one.excess
    best = [icl.gd_excess(list(plus.etas), task, list(plus.gammas * f)) for f in (0.98, 1.0, 1.02)]
    assert best[1] < min(best[0], best[2])
    unit, slopes = 20 / 26, []
    for i in range(2):
        shift = 1e-5 * unit * np.eye(2)[i]
        up, down = (icl.gd_excess(list(two.etas + s), task) / 5 for s in (shift, -shift))
        slopes.append(abs(up - down) / 2e-5)
    # the same exact rationals rounded once, so bit for bit; rounding of the differences alone is 1e-11, and may be 0
    assert two.gradient == max(slopes) < 1e-9
    assert 0 < plus.gradient < 1e-6


@guards(icl.gdpp_spectrum, icl.gdpp_condition, icl.best_gdpp)
def test_the_gd_plus_plus_map_of_the_spectrum():
    """Closed-form condition number against a fine grid; best g against the table; (4/27) κ/g for large κ."""
    for κ, g in ((4.0, 0.2), (10.0, 0.706), (100.0, 0.9), (2.0, 0.9)):
        spectrum = icl.gdpp_spectrum(np.linspace(1 / κ, 1, 200_001), g)
        assert icl.gdpp_condition(κ, g) == pytest.approx(spectrum.max() / spectrum.min(), rel=1e-8)
    assert icl.gdpp_spectrum(np.array([2.0]), 0.25)[0] == pytest.approx(0.5)
    x = X[0] - 0.03 * X[0] @ X[0].T @ X[0]
    before, after = np.linalg.eigvalsh(X[0].T @ X[0]), np.linalg.eigvalsh(x.T @ x)
    np.testing.assert_allclose(np.sort(icl.gdpp_spectrum(before, 0.03)), after, rtol=1e-10)
    for κ, g, after in ((4.0, 0.571, 1.412), (10.0, 0.706, 2.429), (100.0, 0.901, 16.745), (1000.0, 0.968, 153.28)):
        assert icl.best_gdpp(κ) == pytest.approx((g, after), rel=2e-3)
    g, after = icl.best_gdpp(1e6)
    assert after == pytest.approx(4 / 27 * 1e6 / g, rel=1e-4)


def test_the_array_backends_agree(backend):
    """Constructions and iterations stay on the backend and give NumPy's numbers."""
    x, y, q = (backend.asarray(a) for a in (X, Y, XQ))
    stack = icl.gd_construction([0.3, 0.5], context=7, layers=2, gamma=0.02)
    np.testing.assert_allclose(backend.numpy(stack.predict(x, y, q)), stack.predict(X, Y, XQ), rtol=1e-11)
    layer = icl.newton_construction(5, alpha=1e-3)
    np.testing.assert_allclose(backend.numpy(layer.predict(x, y, q)), layer.predict(X, Y, XQ), rtol=1e-11)
    for call in (lambda a, b: icl.newton(a, b, [2, 6]), lambda a, b: icl.gradient_descent(a, b, [2, 60], 0.3)):
        for got, want in zip(call(x, y), call(X, Y), strict=True):
            np.testing.assert_allclose(backend.numpy(got), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: icl.gd_construction(0.1, context=7, layers=0), ValueError, "layers is 0; expected at least 1"),
        (lambda: icl.gd_construction(0.1, context=0), ValueError, "context is 0"),
        (lambda: icl.gd_construction([0.1, 0.2], context=7, layers=3), ValueError, "eta has 2 entries"),
        (lambda: icl.gd_construction(0.1, context=9).predict(X, Y, XQ), ValueError, "built for context=9"),
        (lambda: icl.gd_construction(0.1, context=7).predict(X, Y[:, :3], XQ), ValueError, "y has shape"),
        (lambda: icl.gd_construction(0.1, context=7).predict(X, Y, XQ[:, :2]), ValueError, "xq has shape"),
        (lambda: icl.gd_construction(0.1, context=7).predict(X[:, :0], Y[:, :0], XQ), ValueError, "X is empty"),
        (lambda: icl.gd_construction(0.1, context=7, W0=np.ones((2, 4))).predict(X, Y, XQ), ValueError, "W0 has shape"),
        (lambda: icl.newton(X[:, :0], Y[:, :0], 3), ValueError, "X is empty"),
        (lambda: icl.newton(X, Y[:, :, None], 3), ValueError, "one target an example"),
        (lambda: icl.newton(X, Y, -1), ValueError, "steps is -1"),
        (lambda: icl.newton(X, Y, []), ValueError, "steps is empty"),
        (lambda: icl.newton(X, Y, 3, alpha=1.0), ValueError, "expected alpha < 2/lambda_max"),
        (lambda: icl.newton(np.diag([1.0, 1e-9]), np.ones(2), 3), ValueError, "no digits left"),
        (lambda: icl.newton(np.ones((3, 2)), np.ones(3), 3), ValueError, "no digits left"),
        (lambda: icl.gradient_descent(X, Y, 3, 50.0), ValueError, "expected eta < 2N/lambda_max"),
        (lambda: icl.newton_construction(3, alpha=0.0), ValueError, "alpha"),
        (lambda: icl.newton_construction(3, alpha=1.0).predict(X, Y, XQ), ValueError, "diverges on this prompt"),
        (lambda: icl.newton_steps(0.5, 1e-3), ValueError, "condition >= 1"),
        (lambda: icl.wishart_moment([40, 1], 3, 3), ValueError, "at most 40"),
        (lambda: icl.wishart_moment(81, 3, 3), ValueError, "at most 80"),
        (lambda: icl.gd_excess([], icl.LinearTask(3, 5)), ValueError, "at least one step"),
        (lambda: icl.gd_excess(0.1, icl.LinearTask(2, 5, np.diag([1.0, 2.0]))), ValueError, "multiples"),
        (lambda: icl.optimal_steps(icl.LinearTask(3, 5), 0), ValueError, "layers is 0"),
        (lambda: icl.gdpp_condition(10.0, 1.0), ValueError, "0 <= g < 1"),
        (lambda: icl.attend(icl.Layer(*[np.eye(3)] * 4), np.ones((4, 2)), 2), ValueError, "like the tokens"),
        (lambda: icl.attend(icl.Layer(*[np.eye(2)] * 4), np.ones((4, 2)), 0), ValueError, "keys = 0"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error(call, error, words):
    """What was passed, what was expected, what to do."""
    with pytest.raises(error, match=words):
        call()
