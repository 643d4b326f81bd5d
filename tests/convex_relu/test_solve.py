"""Solutions and certificates: independent optima, every solver, every loss, scaling laws, batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from corollary.testing import guards
from corollary.theory import convex_relu

LOSSES = ("squared", "hinge", "logistic")


def instance(n=10, d=3, loss="squared", seed=0, count=None):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = rng.standard_normal(n)
    if loss != "squared":
        y = np.where(y > 0, 1.0, -1.0)
    D = convex_relu.all_patterns(X) if count is None else convex_relu.sample_patterns(X, count, rng)
    return X, y, 0.1 * convex_relu.critical_beta(X, y, D, loss), D


def loss_value(loss, f, y):
    """The three losses, spelled out again."""
    return {
        "squared": lambda: 0.5 * np.sum((f - y) ** 2),
        "hinge": lambda: np.sum(np.maximum(0, 1 - y * f)),
        "logistic": lambda: np.sum(np.logaddexp(0, -y * f)),
    }[loss]()


@guards(convex_relu.solve, convex_relu.Certificate)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_solution_is_feasible_and_its_certificate_holds_together(loss):
    """Objective, cones and primal recomputed from V, W; the dual bound recomputed from ν and its constraint by hand."""
    X, y, beta, D = instance(loss=loss)
    s = convex_relu.solve(X, y, beta, D, loss, tol=1e-7)
    f = sum(D[:, p] * (X @ (s.V[:, p] - s.W[:, p])) for p in range(D.shape[1]))
    value = loss_value(loss, f, y) + beta * (np.linalg.norm(s.V, axis=0).sum() + np.linalg.norm(s.W, axis=0).sum())
    assert s.objective == pytest.approx(value, rel=1e-13)
    for U in (s.V, s.W):
        assert np.min((2 * D - 1) * (X @ U)) >= -1e-14 * np.abs(X @ U).max()  # rounding of three products
    c = s.certificate
    assert c.primal == s.objective and c.gap == c.primal - c.dual and c.scope == "all patterns"
    assert 0 <= c.gap <= 1e-7 * c.primal + 1e-15 and c.relative == pytest.approx(c.gap / c.primal, rel=1e-12)
    nu = s.nu[:, 0]
    p = y * nu
    dual = {
        "squared": lambda: nu @ y - nu @ nu / 2,
        "hinge": lambda: np.sum(p),
        "logistic": lambda: -np.sum(p * np.log(p) + (1 - p) * np.log1p(-p)),
    }[loss]()
    assert c.dual == pytest.approx(dual, rel=1e-12)
    # |νᵀ(Xu)_+| ≤ β for all directions: 20000 of them and the neurons of the solution
    u = np.concatenate([np.random.default_rng(5).standard_normal((3, 20000)), s.V, s.W], axis=1)
    size = np.linalg.norm(u, axis=0)
    reach = np.abs(nu @ np.maximum(X @ u, 0))[size > 0] / size[size > 0]
    assert beta * (1 - 1e-6) <= reach.max() <= beta * (1 + 1e-6)  # binds


@pytest.mark.parametrize("loss", LOSSES)
def test_every_feasible_point_has_the_objective_of_its_network(loss):
    """The mapping theorem: any V, W in the cones, not only optimal ones."""
    X, y, beta, D = instance(n=7, d=2, loss=loss)
    rng = np.random.default_rng(3)
    gates = convex_relu.sample_gates(X, 400, rng)
    on = convex_relu.patterns_of(X, gates)
    for _ in range(5):
        pick = rng.integers(0, gates.shape[1], 6)
        V, W = gates[:, pick[:3]] * rng.random(3), gates[:, pick[3:]] * rng.random(3)
        f = sum(on[:, p] * (X @ v) for p, v in zip(pick[:3], V.T, strict=True))
        f = f - sum(on[:, p] * (X @ w) for p, w in zip(pick[3:], W.T, strict=True))
        value = loss_value(loss, f, y) + beta * (np.linalg.norm(V, axis=0).sum() + np.linalg.norm(W, axis=0).sum())
        net = convex_relu.network(V[:, :, None], W[:, :, None])
        again = loss_value(loss, net.predict(X)[:, 0], y) + beta * net.weight_penalty()
        assert again == pytest.approx(value, rel=1e-13)


@guards(convex_relu.network, convex_relu.Network)
def test_the_network_of_a_solution_has_its_objective():
    X, y, beta, D = instance()
    s = convex_relu.solve(X, y, beta, D, tol=1e-8)
    net = s.network()
    assert loss_value("squared", net.predict(X), y) + beta * net.weight_penalty() == pytest.approx(
        s.objective, rel=1e-13
    )
    np.testing.assert_allclose(np.linalg.norm(net.U, axis=0), np.abs(net.a[:, 0]), rtol=1e-13)  # balanced


@pytest.mark.parametrize("loss", ("squared", "logistic"))
def test_no_local_search_beats_the_optimum_and_the_best_reaches_it(loss):
    """Duality with the network itself: L-BFGS on the non-convex problem from 25 starts, n = 6, d = 2."""
    X, y, beta, D = instance(n=6, d=2, loss=loss, seed=1)
    p = convex_relu.solve(X, y, beta, D, loss, tol=1e-9)
    rng = np.random.default_rng(0)

    def objective(theta):
        U, a = theta[:24].reshape(2, 12), theta[24:]
        z = X @ U
        h = np.maximum(z, 0)
        f = h @ a
        slope = f - y if loss == "squared" else -y * np.exp(-np.logaddexp(0, y * f))
        gU = X.T @ ((z > 0) * np.outer(slope, a)) + beta * U
        value = loss_value(loss, f, y) + beta / 2 * np.sum(theta**2)
        return value, np.concatenate([gU.ravel(), h.T @ slope + beta * a])

    found = [minimize(objective, rng.standard_normal(36), jac=True, method="L-BFGS-B").fun for _ in range(25)]
    assert min(found) >= p.certificate.dual * (1 - 1e-12)  # never below: a proof, so only rounding is allowed
    assert min(found) <= p.objective * (1 + 1e-3)  # one of 25 starts comes close on so small a problem


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_solvers_agree_to_their_certificates(loss, gated):
    X, y, beta, D = instance(n=30, d=4, loss=loss, count=12)
    interior = convex_relu.solve(X, y, beta, D, loss, gated, 1e-8, "interior-point")
    assert interior.certificate.scope == ("gated" if gated else "sampled")
    other = "fista" if gated else "admm"
    if other == "fista" and loss == "hinge":
        with pytest.raises(ValueError, match="smooth loss"):
            convex_relu.solve(X, y, beta, D, loss, gated, 1e-4, other)
        return
    first_order = convex_relu.solve(X, y, beta, D, loss, gated, 1e-4, other)
    assert abs(first_order.objective - interior.objective) <= 1e-4 * interior.objective
    assert first_order.certificate.dual <= interior.objective <= first_order.objective * (1 + 1e-8)
    assert first_order.certificate.cone_violation <= 1e-13


def test_polish_reaches_rounding():
    """tol = 1e-9 and beyond on ReLU, squared and logistic: what first-order methods do not reach."""
    for loss in ("squared", "logistic"):
        X, y, beta, D = instance(n=60, d=6, loss=loss, count=30)
        assert convex_relu.solve(X, y, beta, D, loss, tol=1e-9).certificate.relative <= 1e-9


@settings(max_examples=8)
@given(st.floats(0.01, 100), st.integers(0, 10))
def test_scaling_laws(c, seed):
    """p(cX, y, cβ) = p, p(X, cy, cβ) = c² p (squared), p(XQ) = p for orthogonal Q, patterns in any order."""
    X, y, beta, D = instance(n=8, d=2, seed=seed)
    tol = 1e-7
    p = convex_relu.solve(X, y, beta, D, tol=tol).objective
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((2, 2)))[0]
    assert convex_relu.solve(c * X, y, c * beta, D, tol=tol).objective == pytest.approx(p, rel=2 * tol)
    assert convex_relu.solve(X, c * y, c * beta, D, tol=tol).objective == pytest.approx(c * c * p, rel=2 * tol)
    assert convex_relu.solve(X @ Q, y, beta, D[:, ::-1].copy(), tol=tol).objective == pytest.approx(p, rel=2 * tol)


def test_more_patterns_never_hurt_and_gated_lies_below_relu():
    X, y, beta, D = instance(n=12, d=3)
    values = [convex_relu.solve(X, y, beta, D[:, :k], tol=1e-7).objective for k in (5, 20, D.shape[1])]
    assert values[0] >= values[1] * (1 - 1e-7) and values[1] >= values[2] * (1 - 1e-7)
    gated = convex_relu.solve(X, y, beta, D[:, :20], gated=True, tol=1e-7).objective
    assert gated <= values[1] * (1 + 1e-7)


def test_outputs_are_separate_programs_in_one_call():
    X, y, beta, D = instance(n=15, d=3, count=10)
    Y = np.stack([y, y[::-1] + 1], axis=1)
    for solver in ("interior-point", "admm"):
        both = convex_relu.solve(X, Y, beta, D, tol=1e-5, solver=solver)
        alone = [convex_relu.solve(X, Y[:, k], beta, D, tol=1e-5, solver=solver) for k in range(2)]
        assert both.V.shape == (3, D.shape[1], 2)
        assert both.objective == pytest.approx(alone[0].objective + alone[1].objective, rel=2e-5)
        net = both.network()
        value = loss_value("squared", net.predict(X), Y) + beta * net.weight_penalty()
        assert value == pytest.approx(both.objective, rel=1e-12)


@guards(convex_relu.certify)
def test_the_certificate_over_all_patterns_bounds_the_network_and_is_looser():
    X, y, beta, D = instance(n=10, d=3)
    s = convex_relu.solve(X, y, beta, D[:, ::7], tol=1e-8)
    V, W = s.V[:, :, None], s.W[:, :, None]
    sampled, nu = convex_relu.certify(s.problem, V, W, s.nu)
    everything, _ = convex_relu.certify(s.problem, V, W, s.nu, scope="all patterns")
    optimum = convex_relu.solve(X, y, beta, "all", tol=1e-8)
    assert optimum.certificate.scope == "all patterns" and s.certificate.scope == "sampled"
    assert sampled.dual == pytest.approx(s.certificate.dual, rel=1e-7) and sampled.primal == s.objective
    assert everything.dual <= optimum.objective and everything.dual < sampled.dual
    value, scaled = convex_relu.dual_bound(s.problem, 3.0 * nu)  # any multiple of ν gives a bound, here the same
    assert value == pytest.approx(sampled.dual, rel=1e-9)
    np.testing.assert_allclose(scaled, nu, rtol=1e-7)


def test_zero_and_duplicate_rows_and_columns_are_welcome():
    X, y, beta, _ = instance(n=8, d=3)
    X[2] = 0
    X[5] = X[4]
    X[:, 1] = 0
    X = np.concatenate([X, X[:, :1]], axis=1)
    s = convex_relu.solve(X, y, beta, "all", tol=1e-6)
    assert s.certificate.relative <= 1e-6 and s.certificate.scope == "all patterns"


def test_large_programs_take_admm_then_a_working_set():
    """The route of large problems, forced on a small one: same optimum."""
    from importlib import import_module

    module = import_module("corollary.theory.convex_relu.solve")  # the package's `solve` is the function
    X, y, beta, D = instance(n=40, d=4, count=30)
    reference = convex_relu.solve(X, y, beta, D, tol=1e-8)
    found = module.run("admm then interior-point", reference.problem, 1e-7, 5000, lambda *_: None, {})
    s = module.assemble(reference.problem, found, 1e-7, [], None)
    assert s.certificate.relative <= 1e-7 and s.objective == pytest.approx(reference.objective, rel=2e-7)


@guards(convex_relu.Problem)
def test_a_problem_spelled_out():
    """fit, penalty, objective and violation of one pattern, one group, by hand."""
    X, D = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]]), np.array([[1.0], [1.0], [0.0]])
    y = np.array([[1.0], [0.0], [3.0]])
    P = convex_relu.Problem(X, y, 0.5, D, "squared", False, True)
    V, W = np.array([[[3.0]], [[4.0]]]), np.array([[[0.0]], [[1.0]]])
    np.testing.assert_allclose(P.fit(V, W), [[3.0], [6.0], [0.0]], rtol=1e-15)
    np.testing.assert_allclose(P.penalty(V, W), [6.0], rtol=1e-15)
    np.testing.assert_allclose(P.objective(V, W), [(4 + 36 + 9) / 2 + 3.0], rtol=1e-15)
    # E x·v = −(−3 + 4) = −1 at the third point, over ‖x‖‖v‖ = 5√2; W: −1/√2 there, the worse of the two
    assert P.violation(V, W) == pytest.approx(1 / np.sqrt(2), rel=1e-14)
