"""The methods as written against their fast forms, the ADMM rate, FISTA, the sampled convex program."""

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import convex_relu
from corollary.theory.convex_relu import admm, cones, fista, losses


def instance(n=8, d=2, count=10, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    D = convex_relu.sample_patterns(X, count, rng)
    return X, y, 0.2 * convex_relu.critical_beta(X, y, D), D


@guards(convex_relu.dense_admm)
def test_the_woodbury_form_is_the_dense_algorithm_step_by_step(backend):
    """Same ρ, κ = 1, no relaxation: iterates equal to rounding, on every backend."""
    X, y, beta, D = instance()
    x, t, on = (backend.asarray(v) for v in (X, y[:, None], D))
    dense, fast = [], []
    convex_relu.dense_admm(X, y, beta, D, rho=0.7, steps=25, record=lambda k, u, v: dense.append((u.copy(), v.copy())))
    last = convex_relu.dense_admm(X, y, beta, D, rho=0.7, steps=25)
    np.testing.assert_array_equal(last.ravel(), dense[-1][1])
    f = admm.factors(x, on)
    state = admm.start(f, t, np.array([0.7]))
    betas = np.array([beta])

    def record(s):
        fast.append((backend.numpy(s.u).ravel().copy(), backend.numpy(admm.primal(s, betas)).ravel().copy()))

    admm.run(f, t, betas, "squared", state, 25, relax=1.0, on_step=record)
    for (u, v), (uf, vf) in zip(dense, fast, strict=True):
        np.testing.assert_allclose(uf, u, atol=1e-12)  # 25 steps of a non-expansive map, each with ~1e-15
        np.testing.assert_allclose(vf, v, atol=1e-12)


def test_changing_rho_keeps_the_multipliers():
    X, y, beta, D = instance()
    f, betas = admm.factors(X, D), np.array([beta])
    state = admm.run(f, y[:, None], betas, "squared", admm.start(f, y[:, None], np.array([1.0])), 30)
    mu, v = admm.multipliers(f, state), admm.primal(state, betas)
    admm.change_rho(f, state, betas, np.array([3.0]))
    np.testing.assert_allclose(admm.multipliers(f, state), mu, atol=1e-13)
    np.testing.assert_allclose(admm.primal(state, betas), v, atol=1e-13)


def test_block_coordinate_admm_reaches_the_optimum():
    X, y, beta, D = instance()
    s = convex_relu.solve(X, y, beta, D, tol=1e-9)
    v = convex_relu.rbcd_admm(X, y, beta, D, np.random.default_rng(0), rho=1.0, steps=1500, sweeps=3.0)
    assert np.min((2 * D.T - 1) * (v @ X.T).reshape(2, *D.T.shape)) > -1e-2  # nearly feasible: the dual variables work
    f = sum(D[:, p] * (X @ (v[0, p] - v[1, p])) for p in range(D.shape[1]))
    value = 0.5 * np.sum((f - y) ** 2) + beta * np.linalg.norm(v, axis=2).sum()
    assert value == pytest.approx(s.objective, rel=5e-3)


@guards(convex_relu.linearised_rate)
def test_the_tail_of_admm_contracts_at_the_linearised_rate():
    X, y, beta, D = instance(n=6, d=2, count=8)
    f, betas = admm.factors(X, D), np.array([beta])
    state = admm.start(f, y[:, None], np.array([1.0]))
    admm.run(f, y[:, None], betas, "squared", state, 8000, relax=1.0)
    rate = convex_relu.linearised_rate(f, state, beta, relax=1.0)
    end = state.p.copy()
    again = admm.start(f, y[:, None], np.array([1.0]))
    distance = []
    admm.run(f, y[:, None], betas, "squared", again, 8000, relax=1.0,
             on_step=lambda s: distance.append(np.linalg.norm(s.p - end)))  # fmt: skip
    gone = np.array(distance)
    tail = np.flatnonzero((gone < 1e-6) & (gone > 1e-11))
    slope = np.polyfit(tail, np.log(gone[tail]), 1)[0]
    # the distance may oscillate (complex eigenvalues), an O(1) amount over the whole tail of eleven e-folds
    assert slope == pytest.approx(np.log(rate), rel=0.1)
    with pytest.raises(ValueError, match="2 programs"):
        convex_relu.linearised_rate(f, admm.start(f, np.stack([y, y], 1), np.ones(2)), beta)


def test_fista_runs_on_every_backend_and_reaches_the_interior_optimum(backend):
    X, y, beta, D = instance(n=12, d=3)
    reference = convex_relu.solve(X, y, beta, D, gated=True, tol=1e-9, solver="interior-point")
    x, t, on = (backend.asarray(v) for v in (X, y[:, None], D))
    z, _ = fista.fista(x, t, np.array([beta]), on, "squared", steps=2000)
    z = backend.numpy(z)[0]
    f = np.sum(X * (D @ z), axis=1)
    assert 0.5 * np.sum((f - y) ** 2) + beta * np.linalg.norm(z, axis=1).sum() <= reference.objective * (1 + 1e-8)


@pytest.mark.parametrize("loss", ["squared", "hinge", "logistic"])
def test_solve_takes_every_backend(backend, loss):
    X, y, beta, D = instance(n=10, d=3)
    y = y if loss == "squared" else np.sign(y)
    x, t, on = (backend.asarray(v) for v in (X, y, D))
    want = convex_relu.solve(X, y, beta, D, loss, tol=1e-7)
    for gated, solver in ((False, "admm"), (False, "interior-point"), (True, "auto")):
        s = convex_relu.solve(x, t, beta, on, loss, gated, 1e-3, solver)
        if not gated:
            assert s.objective == pytest.approx(want.objective, rel=1e-3)
            np.testing.assert_allclose(backend.numpy(s.network().prune().predict(x)),
                                       backend.numpy(s.network().predict(x)), atol=1e-9)  # fmt: skip


@pytest.mark.parametrize("loss", ["squared", "hinge", "logistic"])
def test_prox_and_conjugate_of_the_losses(loss):
    """prox: no nearby point is better; Fenchel–Young: L(f) − L*(−ν) ≥ −ν·f with equality at ν = −∂L(f)."""
    rng = np.random.default_rng(0)
    y = np.where(rng.random(50) > 0.5, 1.0, -1.0)
    x = 3 * rng.standard_normal(50)
    for rho in (0.1, 1.0, 30.0):
        t = losses.prox(loss, x, y, rho)
        cost = [losses.value(loss, (t + h)[None], y[None]) + rho / 2 * (t + h - x) ** 2 for h in (0, 1e-4, -1e-4)]
        assert np.all(cost[0] <= np.minimum(cost[1], cost[2]) + 1e-13)
    nu = losses.dual_point(loss, x, y)
    primal, dual = losses.value(loss, x, y), losses.dual_value(loss, nu, y)
    assert primal + nu @ x == pytest.approx(dual, rel=1e-12)
    other = losses.into_domain(loss, nu + 0.1 * rng.standard_normal(50), y)
    assert losses.value(loss, x, y) + other @ x >= losses.dual_value(loss, other, y)


def test_projection_onto_a_cone_against_its_optimality_conditions():
    rng = np.random.default_rng(1)
    for n, d in [(5, 2), (30, 4), (200, 10)]:
        A, c = rng.standard_normal((n, d)), rng.standard_normal(d)
        A = A * np.sign(A @ rng.standard_normal(d))[:, None]  # a cone with interior
        q, mu = cones.project(A, c)
        scale = np.linalg.norm(A, axis=1).max()
        assert np.min(A @ q) >= -1e-12 * scale and np.min(mu) >= 0
        np.testing.assert_allclose(q, c + A.T @ mu, atol=1e-12)
        assert abs(mu @ (A @ q)) <= 1e-11 * scale
        warm, _ = cones.project(A, c, mu > 0)
        np.testing.assert_allclose(warm, q, atol=1e-11)


@guards(convex_relu.sampled_lasso, convex_relu.LassoSolution, convex_relu.sphere)
def test_the_sampled_program_lies_above_the_optimum_and_tends_to_it():
    X, y, _, _ = instance(n=8, d=2)
    best = convex_relu.solve(X, y, 0.1, "all", tol=1e-9).objective
    gaps = []
    for N in (10, 100, 3000):
        U = convex_relu.sphere(2, N, np.random.default_rng(0))
        np.testing.assert_allclose(np.linalg.norm(U, axis=0), 1, rtol=1e-14)
        s = convex_relu.sampled_lasso(X, y, 0.1, U)
        h = np.maximum(X @ U, 0)
        assert s.primal == pytest.approx(0.5 * np.sum((h @ s.a - y) ** 2) + 0.1 * np.abs(s.a).sum(), rel=1e-12)
        assert s.dual == pytest.approx(s.nu @ y - s.nu @ s.nu / 2, rel=1e-12)
        assert np.max(np.abs(h.T @ s.nu)) == pytest.approx(0.1, rel=1e-6)
        gaps.append(s.primal / best - 1)
    assert gaps[0] > gaps[1] > gaps[2] >= -1e-9
    assert gaps[2] < 1e-3  # the widest gap of 3000 random angles is about 2π ln(3000)/3000 = 0.017; its square is 3e-4


@guards(convex_relu.mean_violation_bound, convex_relu.tail_violation_bound, convex_relu.paper_samples)
def test_scenario_bounds_have_their_values():
    assert convex_relu.mean_violation_bound(8, 99) == 0.09 and convex_relu.mean_violation_bound(8, 3) == 1.0
    # one constraint more than zero of two: P(V > ξ) ≤ (1−ξ)² + 2ξ(1−ξ) for n = 1, N = 2
    assert convex_relu.tail_violation_bound(1, 2, 0.3) == pytest.approx(0.7**2 + 2 * 0.3 * 0.7, rel=1e-13)
    assert convex_relu.paper_samples(8, 0.1, 0.05) == int(np.ceil(2 / 0.1 * (9 - np.log(0.05))))
    assert convex_relu.paper_samples(1, 0.5, 0.5) == 7  # (n+1)/(ψξ) − 1, the smaller branch
    with pytest.raises(ValueError, match="expected"):
        convex_relu.mean_violation_bound(0, 5)
    with pytest.raises(ValueError, match="probability"):
        convex_relu.tail_violation_bound(3, 5, 2.0)
    with pytest.raises(ValueError, match="strictly"):
        convex_relu.paper_samples(3, 0.0, 0.5)
