"""Numbers that the other tests use without looking at them: each is written down here once more, by hand.

`tests/test_power.py` multiplies every number a public function returns by 1.02; these tests notice where the claims of
the other files do not, such as the data that a solution carries along.
"""

from typing import Any

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import convex_relu

SQUARED: dict[str, Any] = {"rel": 1e-12, "abs": 1e-300}


def instance(n=10, d=3, seed=0, count=12):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    D = convex_relu.sample_patterns(X, count, rng)
    return X, y, 0.1 * convex_relu.critical_beta(X, y, D), D


def fit(X, D, V, W):
    return np.sum(X * (D @ (V - W).T), axis=1)


def penalty(V, W):
    return np.linalg.norm(V, axis=0).sum() + np.linalg.norm(W, axis=0).sum()


def violation(X, D, V, W):
    """max −(2D − 1) x·v / (‖x‖‖v‖), for groups that are not zero."""
    worst = 0.0
    for U in (V, W):
        size = np.linalg.norm(U, axis=0)
        unit = U / np.where(size > 0, size, 1.0)
        worst = max(worst, np.max(-(2 * D - 1) * (X @ unit) / np.linalg.norm(X, axis=1)[:, None]))
    return worst


def stands(s, X, y, beta, D):
    """Everything a solution holds, from the data and V, W, ν alone."""
    for got, want in ((s.problem.X, X), (s.problem.y[:, 0], y), (s.problem.D, D)):
        np.testing.assert_array_equal(got, want)
    assert s.problem.beta == beta
    f, nu, c = fit(X, D, s.V, s.W), s.nu[:, 0], s.certificate
    value = np.sum((f - y) ** 2) / 2 + beta * penalty(s.V, s.W)
    assert s.objective == pytest.approx(value, **SQUARED) and c.primal == pytest.approx(value, **SQUARED)
    assert c.dual == pytest.approx(nu @ y - nu @ nu / 2, **SQUARED) and c.gap == c.primal - c.dual
    assert c.cone_violation == s.problem.violation(s.V[:, :, None], s.W[:, :, None])  # of the size of rounding


@guards(convex_relu.solve)
@pytest.mark.parametrize("solver", ["interior-point", "admm"])
def test_a_solution_holds_its_data_and_tells_its_history(solver):
    """What the callback is told is what the history keeps."""
    X, y, beta, D = instance()
    told = []
    s = convex_relu.solve(X, y, beta, D, tol=1e-4, solver=solver, callback=lambda *entry: told.append(entry))
    stands(s, X, y, beta, D)
    assert told and s.history == told


@guards(convex_relu.path)
def test_the_solutions_along_a_path_stand_alone():
    X, y, beta, D = instance()
    betas, told = [0.5 * beta, beta], []
    found = convex_relu.path(X, y, D, betas, tol=1e-7, callback=lambda *e: told.append(e))
    for b, s in zip(betas, found.solutions, strict=True):
        stands(s, X, y, b, D)
    assert [e for s in reversed(found.solutions) for e in s.history] == told  # the largest β is solved first


@guards(convex_relu.Solution.network, convex_relu.network)
def test_the_network_of_a_solution_spelled_out():
    """(v/√‖v‖, √‖v‖) and (w/√‖w‖, −√‖w‖) for the groups that are not zero, gates and data as they were."""
    X, y, beta, _ = instance()
    gates = convex_relu.sample_gates(X, 12, np.random.default_rng(1))
    D = convex_relu.patterns_of(X, gates)
    for gated in (False, True):
        s = convex_relu.solve(X, y, beta, D, gated=gated, gates=gates)
        net = s.network()
        pairs = ((1.0, s.V), (-1.0, s.W))
        groups = [(sign, p, U[:, p]) for sign, U in pairs for p in range(D.shape[1]) if np.any(U[:, p])]
        root = [np.sqrt(np.linalg.norm(u)) for _, _, u in groups]
        np.testing.assert_allclose(net.U, np.stack([u / r for (_, _, u), r in zip(groups, root, strict=True)], 1),
                                   rtol=1e-12)  # fmt: skip
        heads = [sign * r for (sign, _, _), r in zip(groups, root, strict=True)]
        np.testing.assert_allclose(net.a[:, 0], heads, rtol=1e-12)
        assert net.G is not None and np.array_equal(net.G, gates[:, [p for _, p, _ in groups]])
        np.testing.assert_array_equal(net.data, X)
        again = convex_relu.network(s.V[:, :, None], s.W[:, :, None], gates, data=X)
        np.testing.assert_array_equal(again.data, X)


@guards(convex_relu.prune, convex_relu.Network.prune)
def test_pruning_keeps_predictions_penalty_gates_and_data():
    """Five neurons on three points: two go. Every column of U and every head of a pruned neuron moves together."""
    rng = np.random.default_rng(2)
    X, U, a, G = (rng.standard_normal(shape) for shape in ((3, 2), (2, 5), (5, 1), (2, 5)))
    net = convex_relu.Network(U, a, G, True, X)
    for pruned in (net.prune(), convex_relu.prune(net, X)):
        assert pruned.G is not None and pruned.data is not None
        kept = [int(np.argmin(np.linalg.norm(G - g[:, None], axis=0))) for g in pruned.G.T]
        np.testing.assert_array_equal(pruned.G, G[:, kept])
        np.testing.assert_array_equal(pruned.data, X)
        np.testing.assert_allclose(pruned.predict(X), net.predict(X), atol=1e-12)
        assert len(kept) <= 3 and pruned.weight_penalty() <= net.weight_penalty() * (1 + 1e-12)
        by_columns = np.linalg.norm(pruned.U, axis=0) / np.linalg.norm(U[:, kept], axis=0)
        np.testing.assert_allclose(np.abs(pruned.a[:, 0] / a[kept, 0]), by_columns, rtol=1e-12)


@guards(convex_relu.OptimalSet.rank, convex_relu.OptimalSet.dimension)
def test_rank_and_dimension_of_a_polytope_given_by_hand():
    """α₁ + α₂ = 1, α₃ = 1, and α₄ = 0 as the fit leaves it nothing: a segment."""
    columns = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    fit_ = np.array([1.0, 1.0, 0.0])
    found = convex_relu.OptimalSet(np.ones((1, 4)), np.ones(4), np.zeros(4, int), columns, fit_, fit_, 2.0)
    assert (found.rank, found.dimension) == (3, 1)


@guards(convex_relu.certify, convex_relu.dual_bound)
@pytest.mark.parametrize("gated", [False, True])
def test_the_certificate_of_any_point_spelled_out(gated):
    """A random point outside its cones, a random ν: primal, violation and the dual value of the ν that comes back."""
    X, y, beta, D = instance()
    problem = convex_relu.solve(X, y, beta, D, gated=gated).problem
    rng = np.random.default_rng(3)
    V, W = rng.standard_normal((2, *X.shape[1:], D.shape[1], 1))
    nu = 10 * y[:, None] + rng.standard_normal((len(y), 1))  # far beyond the constraints: scaled down
    c, feasible = convex_relu.certify(problem, V, W, nu)
    v, w = V[:, :, 0], W[:, :, 0]
    assert c.primal == pytest.approx(np.sum((fit(X, D, v, w) - y) ** 2) / 2 + beta * penalty(v, w), rel=1e-12)
    assert c.cone_violation == pytest.approx(0.0 if gated else violation(X, D, v, w), rel=1e-12)
    value, scaled = convex_relu.dual_bound(problem, nu)
    for dual, n in ((c.dual, feasible[:, 0]), (value, scaled[:, 0])):
        assert dual == pytest.approx(n @ y - n @ n / 2, rel=1e-12) and dual > 0
        s = n / nu[:, 0]
        np.testing.assert_allclose(s, s[0], rtol=1e-12)  # scaled only
        if gated:
            reach = np.linalg.norm(X.T @ (D * n[:, None]), axis=0).max()
            assert reach == pytest.approx(beta, rel=1e-12)
    assert c.gap == pytest.approx(c.primal - c.dual, rel=1e-12)


@guards(convex_relu.rbcd_admm)
def test_block_coordinate_admm_has_the_unique_fit():
    """v off by 2 % changes the objective by 4e-4 only, the fit by 2 %: the squared loss has one optimal fit."""
    X, y = (np.random.default_rng(0).standard_normal(s) for s in ((8, 2), 8))
    D = convex_relu.sample_patterns(X, 10, np.random.default_rng(0))
    beta = 0.2 * convex_relu.critical_beta(X, y, D)
    s = convex_relu.solve(X, y, beta, D, tol=1e-9)
    v = convex_relu.rbcd_admm(X, y, beta, D, np.random.default_rng(0), rho=1.0, steps=400, sweeps=3.0)
    want = fit(X, D, s.V, s.W)
    error = np.linalg.norm(fit(X, D, v[0].T, v[1].T) - want) / np.linalg.norm(want)
    assert error < 1e-2  # 0.7 % after 400 steps


@guards(convex_relu.solve_robust, convex_relu.RobustSolution.network)
def test_a_robust_solution_holds_radius_and_data():
    """At radius 0 the certificate is that of `solve`: a violation of the size of rounding."""
    X, y, beta, D = instance()
    s = convex_relu.solve_robust(X, y, beta, D, 0.01, "squared")
    assert s.radius == 0.01
    np.testing.assert_array_equal(s.network().data, X)
    clean = convex_relu.solve_robust(X, y, beta, D, 0.0, "squared")
    assert clean.certificate.cone_violation == clean.problem.violation(clean.V[:, :, None], clean.W[:, :, None]) > 0


@guards(convex_relu.robust_objective)
@pytest.mark.parametrize("loss", ["hinge", "logistic", "squared"])
def test_the_worst_case_of_given_weights_spelled_out(loss):
    """One neuron x₁ on points with x₁ > 0: the worst of ‖δ‖_∞ ≤ r moves x₁ by r against the label."""
    X, r = np.array([[1.0, 0.3], [2.0, -0.5]]), 0.1
    y = np.array([0.4, 3.0]) if loss == "squared" else np.array([1.0, -1.0])
    D = np.ones((2, 1))
    problem = convex_relu.solve(X, y, 0.5, D, loss).problem
    f = X[:, 0]
    each = {
        "hinge": lambda: np.maximum(0, 1 - y * f + r),
        "logistic": lambda: np.log1p(np.exp(-y * f + r)),
        "squared": lambda: (np.abs(f - y) + r) ** 2 / 2,
    }[loss]()
    V, W = np.array([[1.0], [0.0]]), np.zeros((2, 1))
    assert convex_relu.robust_objective(problem, V, W, r) == pytest.approx(each.sum() + 0.5, rel=1e-12)
