"""Nonlinear targets, logistic flow, the large-dimension learning curve, prequential codes."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import icl


@guards(icl.target_moments)
def test_target_moments_against_known_integrals():
    """f = z³: 3, 15, 105; sign: √(2/π), 1, 1; sin 2z: 2e^{−2}, (1 − e^{−8})/2, (1 + 15 e^{−8})/2."""
    assert icl.target_moments(lambda z: z**3) == pytest.approx((3, 15, 105), rel=1e-9)
    signs = icl.target_moments(lambda z: 1.0 if z > 0 else -1.0, breaks=[0.0])
    assert signs == pytest.approx((math.sqrt(2 / math.pi), 1, 1), rel=1e-10)
    e = math.exp(-8)
    sine = icl.target_moments(lambda z: math.sin(2 * z))
    assert sine == pytest.approx((2 * math.exp(-2), (1 - e) / 2, (1 + 15 * e) / 2), rel=1e-9)


@guards(icl.nonlinear_optimum)
def test_a_linear_target_is_the_linear_task():
    """f(z) = z with |w| = 1 is Ω = I/d: the same step and excess."""
    for d, N, noise in ((3, 5, 0.0), (5, 10, 0.3)):
        got = icl.nonlinear_optimum(icl.TargetMoments(1.0, 1.0, 3.0), d, N, noise)
        task = icl.LinearTask(d, N, weight_cov=np.eye(d) / d, noise=noise)
        # w on the sphere and w Gaussian of that covariance have the same second moments, which is all that enters
        assert got == pytest.approx((icl.optimal_step(task), icl.optimal_excess(task)), rel=1e-13)


@guards(icl.nonlinear_optimum)
def test_a_nonlinear_target_against_samples():
    """tanh 3z, d = 4, N = 6: the best step and its excess from 400 000 prompts within 4 standard errors < 0.5 %."""
    d, N, M, σ2 = 4, 6, 400_000, 0.2
    f = lambda z: np.tanh(3 * z)  # noqa: E731
    got = icl.nonlinear_optimum(icl.target_moments(lambda z: math.tanh(3 * z)), d, N, σ2)
    rng = np.random.default_rng(6)
    w = rng.standard_normal((M, d))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    x, q = rng.standard_normal((M, N, d)), rng.standard_normal((M, d))
    y = f((x @ w[:, :, None])[:, :, 0]) + math.sqrt(σ2) * rng.standard_normal((M, N))
    p, label = np.sum((y[:, None, :] @ x)[:, 0] * q, axis=1) / N, f(np.sum(w * q, axis=1))
    # the residual of a regression has mean zero: its standard error is that of the ratio estimate of the step
    gap = p * (label - got.step * p)
    assert abs(gap.mean()) < 4 * gap.std() / math.sqrt(M)
    assert 4 * gap.std() / math.sqrt(M) < 0.02 * got.step * np.mean(p * p)
    losses = (got.step * p - label) ** 2
    error = losses.std() / math.sqrt(M)
    assert error < 0.005 * got.excess and abs(losses.mean() - got.excess) < 4 * error


@guards(icl.gradient_flow)
def test_the_logistic_curve_is_the_flow_of_the_exact_loss():
    """RK4 on the exact gradient in all weights, from u = b = 0, A = aI, c = √d a; c² − ‖A‖² stays 0."""
    d = 3
    for task in (icl.LinearTask(d, 5, 0.8 * np.eye(d), 1.3 * np.eye(d), 0.2), icl.uniform_task(d, 5, 1.0, 0.1)):
        a = 0.2
        p = np.concatenate([(a * np.eye(d)).ravel(), np.zeros(d), np.zeros(d), [math.sqrt(d) * a]])

        def velocity(p, task=task):
            g = icl.population_loss_gradient(icl.Attention(p[: d * d + d].reshape(d + 1, d), p[d * d + d :]), task)
            return -0.5 * np.concatenate([g.KQ.ravel(), g.PV])

        steps, h = 400, 2.0 / 400
        for _ in range(steps):
            k1 = velocity(p)
            k2, k3 = velocity(p + h / 2 * k1), None
            k3 = velocity(p + h / 2 * k2)
            p = p + h / 6 * (k1 + 2 * k2 + 2 * k3 + velocity(p + h * k3))
        k = p[-1] * p[0]
        assert k == pytest.approx(icl.gradient_flow(task, math.sqrt(d) * a * a, [0.0, 2.0])[1], rel=1e-7)  # h⁴
        assert abs(p[-1] ** 2 - np.sum(p[: d * d] ** 2)) < 1e-8
        end = icl.gradient_flow(task, 0.1, np.inf)
        assert end[0] == pytest.approx(icl.optimal_step(task), rel=1e-14)


def printed_result_1(τ, α, ρ, κ):
    """Result 1 of Lu et al. as printed, ridgeless."""

    def M(κ, x):
        return 2 / (x + 1 - 1 / κ + math.sqrt((x + 1 - 1 / κ) ** 2 + 4 * x / κ))

    x = (1 + ρ) / α
    m = M(κ, x)
    if τ < 1:
        μ = x * M(κ / τ, x)
        return τ * (1 + x) / (1 - τ) * (1 - τ * (1 - μ) ** 2 - (x - ρ) / x * μ) - 2 * τ * (1 - μ) + ρ + 1
    k = 1 / (1 - κ * (m / (κ + m)) ** 2)
    return (
        (k - 1 / (τ - 1)) * (1 + x) * (x * m) ** 2
        + (3 - 2 * τ) / (τ - 1) * m * x**2 + ((1 + ρ) * m / (τ - 1) + 1) * x + ρ * m / (τ - 1) + ρ
    )  # fmt: skip


@guards(icl.learning_curve)
@given(
    st.floats(0.1, 0.9) | st.floats(1.1, 8), st.floats(0.3, 5), st.floats(0, 2), st.floats(0.2, 6),
)  # fmt: skip
def test_the_ridgeless_curve_is_the_printed_one(τ, α, ρ, κ):
    """Our deterministic equivalent at λ = 0 equals Result 1, an expression of quite another form."""
    assert icl.learning_curve(τ, α, κ, ρ).icl == pytest.approx(printed_result_1(τ, α, ρ, κ), rel=1e-9)


def fitted_error(d, τ, α, κ, ρ, λ, rng):
    """One ridge fit: its error on new tasks (E wwᵀ = I) and on its training tasks, exact in the prompts."""
    ℓ, k, n = int(α * d), int(κ * d), int(τ * d * d)
    tasks = rng.standard_normal((k, d))
    tasks *= math.sqrt(d) / np.linalg.norm(tasks, axis=1, keepdims=True)
    w = tasks[rng.integers(0, k, n)]
    X, q = rng.standard_normal((n, ℓ, d)) / math.sqrt(d), rng.standard_normal((n, d)) / math.sqrt(d)
    y = (X @ w[:, :, None])[:, :, 0] + math.sqrt(ρ) * rng.standard_normal((n, ℓ))
    h = np.concatenate([d / ℓ * (y[:, None, :] @ X)[:, 0], np.mean(y * y, axis=1)[:, None]], axis=1)
    H = (q[:, :, None] * h[:, None, :]).reshape(n, -1)
    label = np.sum(w * q, axis=1) + math.sqrt(ρ) * rng.standard_normal(n)
    Γ = np.linalg.solve(H.T @ H + n / d * λ * np.eye(H.shape[1]), H.T @ label).reshape(d, d + 1)
    out = []
    for second, mean in ((np.eye(d), np.zeros(d)), (tasks.T @ tasks / k, tasks.mean(axis=0))):
        R = np.zeros((d + 1, d + 1))  # E hhᵀ
        R[:d, :d] = (1 + 1 / ℓ) * second + (1 + ρ) * d / ℓ * np.eye(d)
        R[:d, d] = R[d, :d] = (1 + 2 / ℓ) * (1 + ρ) * mean
        R[d, d] = (1 + 2 / ℓ) * (1 + ρ) ** 2
        cross = np.sum(Γ[:, :d] * second) + Γ[:, d] @ mean * (1 + ρ)
        out.append(1 + ρ - 2 * cross / d + np.sum((Γ @ R) * Γ) / d)
    return out


def test_the_curve_with_a_ridge_is_the_limit_of_ridge_regression():
    """λ = 0.1: errors of fits at d = 12 and 24, extrapolated in 1/d, within 4 standard errors + 2 % (order 1/d²)."""
    setting = (1.5, 1.0, 1.0, 0.25, 0.1)
    rng = np.random.default_rng(3)
    small, large = (np.array([fitted_error(d, *setting, rng) for _ in range(R)]) for d, R in ((12, 200), (24, 60)))
    intercept = 2 * large.mean(axis=0) - small.mean(axis=0)
    error = np.sqrt(4 * large.var(axis=0) / 60 + small.var(axis=0) / 200)
    curve = np.array(icl.learning_curve(1.5, 1.0, 1.0, 0.25, 0.1))
    assert np.all(error < 0.02 * curve)
    assert np.all(np.abs(intercept - curve) < 4 * error + 0.02 * curve)
    ridgeless = np.array(icl.learning_curve(1.5, 1.0, 1.0, 0.25))
    assert np.all(np.abs(intercept - ridgeless) > 8 * error)  # the ridge matters in this test


@guards(icl.learning_curve)
def test_limits_of_the_learning_curve():
    """τ, κ → ∞: the exact population optimum ρ + (1+ρ)/(α+1+ρ), on both kinds of tasks; it diverges as τ → 1."""
    α, ρ = 1.7, 0.3
    limit = ρ + (1 + ρ) / (α + 1 + ρ)
    assert icl.learning_curve(1e9, α, math.inf, ρ) == pytest.approx((limit, limit), rel=1e-8)
    assert icl.learning_curve(1e9, α, 1e9, ρ) == pytest.approx((limit, limit), rel=1e-8)
    near = [icl.learning_curve(1 - h, α, 2.0, ρ).icl for h in (1e-2, 1e-3, 1e-4)]
    assert near[1] / near[0] == pytest.approx(10, rel=0.1) and near[2] / near[1] == pytest.approx(10, rel=0.02)
    # a vanishing ridge is the ridgeless curve, to first order in it
    for τ in (0.5, 2.0):
        gap = [icl.learning_curve(τ, α, 2.0, ρ, λ).icl - icl.learning_curve(τ, α, 2.0, ρ).icl for λ in (1e-5, 1e-6)]
        assert gap[0] / gap[1] == pytest.approx(10, rel=1e-2)


@guards(icl.code_lengths, icl.marginal_code_length)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5))
def test_prequential_bits_add_up_to_the_marginal_likelihood(seed, N, d):
    """Σ −log₂ p(y_{i+1} | past) = −log₂ p(y), also against SciPy's multivariate normal."""
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(seed)
    G = rng.standard_normal((d, d))
    Ω, X, y = G @ G.T + 0.2 * np.eye(d), rng.standard_normal((N, d)), rng.standard_normal(N)
    bits, whole = icl.code_lengths(X, y, 0.3, Ω), icl.marginal_code_length(X, y, 0.3, Ω)
    assert bits.shape == (N,)
    # N rank-one updates with gains up to tr Ω |x|²/σ², some 100 here: roundings of 1e-16 times 1e4
    assert np.sum(bits) == pytest.approx(whole, abs=1e-11 * (1 + np.sum(np.abs(bits))))
    law: Any = multivariate_normal
    reference = -law.logpdf(y, np.zeros(N), X @ Ω @ X.T + 0.3 * np.eye(N)) / math.log(2)
    assert whole == pytest.approx(reference, rel=1e-10, abs=1e-10)


@guards(icl.train_risk_step)
def test_the_train_risk_step_against_samples():
    """η = E[label · p]/E[p²] with the query in its own context, d = 3, N = 4, scaled Λ and Ω; 4 standard errors."""
    d, N, M, v, ω, σ2 = 3, 4, 300_000, 0.6, 1.4, 0.3
    task = icl.LinearTask(d, N, v * np.eye(d), ω * np.eye(d), σ2)
    rng = np.random.default_rng(9)
    x, w = math.sqrt(v) * rng.standard_normal((M, N, d)), math.sqrt(ω) * rng.standard_normal((M, d))
    y = (x @ w[:, :, None])[:, :, 0] + math.sqrt(σ2) * rng.standard_normal((M, N))
    p = np.sum((y[:, None, :] @ x)[:, 0] * x[:, 0], axis=1) / N
    η = icl.train_risk_step(task)
    gap = p * (y[:, 0] - η * p)
    assert abs(gap.mean()) < 4 * gap.std() / math.sqrt(M)
    assert 4 * gap.std() / math.sqrt(M) < 0.02 * η * np.mean(p * p)  # 2 % would be seen


@guards(icl.least_squares_excess)
def test_least_squares_excess_against_samples():
    """Over- and underdetermined, with noise: 80 000 fits, 4 standard errors, below 2 % of the excess."""
    v, ω, σ2 = 0.7, 1.2, 0.5
    rng = np.random.default_rng(12)
    M = 80_000
    for d, N in ((4, 14), (9, 2)):
        task = icl.LinearTask(d, N, v * np.eye(d), ω * np.eye(d), σ2)
        x, w = math.sqrt(v) * rng.standard_normal((M, N, d)), math.sqrt(ω) * rng.standard_normal((M, d))
        y = (x @ w[:, :, None])[:, :, 0] + math.sqrt(σ2) * rng.standard_normal((M, N))
        fit = (np.linalg.pinv(x) @ y[:, :, None])[:, :, 0]
        losses = v * np.sum((fit - w) ** 2, axis=1)
        error = losses.std() / math.sqrt(M)
        want = icl.least_squares_excess(task)
        # 2 % of the excess is seen where four standard errors are smaller
        assert 4 * error < 0.02 * want and abs(losses.mean() - want) < 4 * error
    assert icl.least_squares_excess(icl.LinearTask(4, 5, noise=0.1)) == math.inf
    assert icl.least_squares_excess(icl.LinearTask(4, 3)) == 1.0


def test_the_codes_on_every_backend(backend):
    """Code lengths stay on the backend."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    x, t = backend.asarray(X), backend.asarray(y)
    np.testing.assert_allclose(backend.numpy(icl.code_lengths(x, t, 0.2)), icl.code_lengths(X, y, 0.2), rtol=1e-12)
    assert icl.marginal_code_length(x, t, 0.2) == pytest.approx(icl.marginal_code_length(X, y, 0.2), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: icl.learning_curve(1.0, 1.0, 1.0, 0.1), ValueError, "double descent"),
        (lambda: icl.learning_curve(0.0, 1.0, 1.0, 0.1), ValueError, "tau"),
        (lambda: icl.learning_curve(2.0, 1.0, 1.0, -0.1), ValueError, "rho"),
        (lambda: icl.gradient_flow(icl.LinearTask(2, 5), 0.0, 1.0), ValueError, "start"),
        (lambda: icl.gradient_flow(icl.LinearTask(2, 5), 0.1, -1.0), ValueError, "times"),
        (lambda: icl.gradient_flow(icl.LinearTask(2, 5, np.diag([1.0, 2.0])), 0.1, 1.0), ValueError, "multiples"),
        (lambda: icl.target_moments(lambda z: math.inf), ValueError, "not finite"),
        (lambda: icl.nonlinear_optimum(icl.TargetMoments(2.0, 1.0, 1.0), 3, 5), ValueError, "no function"),
        (lambda: icl.nonlinear_optimum(icl.TargetMoments(1.0, 1.0, 3.0), 3, 1), ValueError, "context is 1"),
        (lambda: icl.code_lengths(np.ones((3, 2)), np.ones(3), 0.0), ValueError, "noise"),
        (lambda: icl.code_lengths(np.ones((3, 2)), np.ones(4), 0.1), ValueError, "y has shape"),
        (lambda: icl.train_risk_step(icl.uniform_task(3, 5, 1.0)), ValueError, "fourth_moment is given"),
    ],
)
def test_bad_input_is_one_clear_error(call, error, words):
    """What was passed, what was expected."""
    with pytest.raises(error, match=words):
        call()


@guards(icl.wishart_moment)
@given(st.integers(1, 14), st.integers(1, 9), st.integers(1, 9))
def test_one_trace_by_zonal_polynomials_is_one_trace_by_parts(m, n, d):
    """E tr S tr S^m = (Nd + 2m) E tr S^m, by scaling: the left from the recursion, the right from the closed sum."""
    assert icl.wishart_moment([1, m], n, d) == (n * d + 2 * m) * icl.wishart_moment(m, n, d)
