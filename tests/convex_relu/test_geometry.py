"""Optimal sets, pruning, the regularisation path, the critical β."""

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import convex_relu
from corollary.theory.convex_relu.pruning import keep_independent


def instance(n=9, d=3, seed=0, share=0.1, loss="squared"):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    if loss != "squared":
        y = np.where(y > 0, 1.0, -1.0)
    D = convex_relu.all_patterns(X)
    return X, y, share * convex_relu.critical_beta(X, y, D, loss), D


@guards(convex_relu.critical_beta)
@pytest.mark.parametrize("loss", ["squared", "hinge", "logistic"])
def test_the_zero_network_is_optimal_exactly_from_the_critical_beta_on(loss):
    X, y, bc, D = instance(share=1.0, loss=loss)
    above = convex_relu.solve(X, y, 1.001 * bc, D, loss)
    below = convex_relu.solve(X, y, 0.99 * bc, D, loss, tol=1e-7)
    zero = {"squared": y @ y / 2, "hinge": float(len(y)), "logistic": len(y) * np.log(2)}[loss]
    assert not np.any(above.V) and not np.any(above.W) and above.objective == pytest.approx(zero, rel=1e-14)
    assert below.objective < zero * (1 - 1e-6)
    gated = convex_relu.critical_beta(X, y, D, loss, gated=True)
    nu = y / 2 if loss == "logistic" else y
    assert gated == pytest.approx(max(np.linalg.norm(X.T @ (D[:, p] * nu)) for p in range(D.shape[1])), rel=1e-13)
    assert gated >= bc


@guards(convex_relu.prune)
def test_pruning_keeps_predictions_and_objective_with_rank_many_neurons():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((6, 3))
    U, a = rng.standard_normal((3, 30)), rng.standard_normal((30, 1))
    net = convex_relu.Network(U, a, None, True, X)
    small = convex_relu.prune(net, X)
    rank = np.linalg.matrix_rank(np.maximum(X @ U, 0))
    assert small.U.shape[1] <= rank <= 6 and small.weight_penalty() <= net.weight_penalty() * (1 + 1e-12)
    # two dozen null vectors, each solved to rounding times the conditioning of 6 columns
    np.testing.assert_allclose(small.predict(X), net.predict(X), atol=1e-11 * np.abs(net.predict(X)).max())
    # an exact solution: the objective stays
    X, y, beta, D = instance()
    s = convex_relu.solve(X, y, beta, D, tol=1e-9)
    before, after = s.network(), s.network().prune()
    assert after.U.shape[1] <= before.U.shape[1]
    assert after.weight_penalty() == pytest.approx(before.weight_penalty(), rel=1e-8)
    np.testing.assert_allclose(after.predict(X), before.predict(X), atol=1e-11)


def test_neurons_that_vanish_together_all_go():
    """p, q, … and p + q + … of half their weight: one neuron remains, not a second of relative size 1e-15."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(8, 60))
        parts = np.abs(rng.standard_normal((n, int(rng.integers(2, 8)))))
        Z = np.column_stack([parts, parts.sum(1)])
        c = keep_independent(Z, np.r_[np.ones(parts.shape[1]), 0.5])
        assert np.flatnonzero(c).tolist() == [parts.shape[1]]
        # A null vector by SVD: eps · condition number · a few columns (measured over 2000 seeds: at most 1 · columns).
        assert abs(c[-1] - 2) <= 4 * Z.shape[1] * np.finfo(float).eps * np.linalg.cond(parts)


@guards(convex_relu.optimal_set, convex_relu.OptimalSet)
@pytest.mark.parametrize("n, d, seed", [(6, 2, 0), (9, 3, 1), (5, 3, 2)])
def test_every_point_of_the_optimal_set_is_a_solution(n, d, seed):
    """Vertices and the minimum-norm point: feasible, same fit, same objective, T = Σ α; each column one neuron."""
    X, y, beta, D = instance(n, d, seed)
    s = convex_relu.solve(X, y, beta, D, tol=1e-9)
    O = convex_relu.optimal_set(s)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(np.linalg.norm(O.directions, axis=0), 1, rtol=1e-13)
    np.testing.assert_allclose(O.columns, O.signs * np.maximum(X @ O.directions, 0), atol=1e-9)
    reach = np.abs(O.nu @ O.columns)
    np.testing.assert_allclose(reach, beta, rtol=1e-6)  # each neuron's dual constraint binds
    np.testing.assert_allclose(O.nu, y - O.fit, atol=1e-14)
    for alpha in (O.minimum_norm(), O.minimal(rng), O.minimal(rng)):
        net = O.network(alpha)
        value = 0.5 * np.sum((net.predict(X) - y) ** 2) + beta * net.weight_penalty()
        assert value == pytest.approx(s.objective, rel=1e-8)
        assert alpha.sum() == pytest.approx(O.total, rel=1e-6)
        assert np.sum(alpha > 0) <= O.rank <= n or alpha is not O.minimal
    assert np.linalg.norm(O.minimum_norm()) <= np.linalg.norm(O.minimal(rng)) * (1 + 1e-9)
    assert O.unique == (O.dimension == 0)


def test_a_duplicate_input_coordinate_makes_no_difference_but_a_symmetric_instance_is_not_unique():
    """d = 1, points ±1 with equal targets: neurons at +1 and −1 only, unique; a repeated pattern is one neuron."""
    X = np.array([[1.0], [-1.0]])
    y = np.array([1.0, 1.0])
    s = convex_relu.solve(X, y, 0.1, "all", tol=1e-9)
    O = convex_relu.optimal_set(s)
    assert O.unique and len(O.signs) == 2 and O.rank == 2
    np.testing.assert_allclose(O.minimum_norm(), [0.9, 0.9], rtol=1e-7)  # soft thresholding of 1 at 0.1


def test_non_uniqueness_is_seen():
    """X = I₂, y = (1, 1): e₁ and e₂, or their sum direction: a segment of neurons with equal cost does not exist for
    ‖·‖₂, but three points on a line give one: (1,0), (0,1), (1,1) with y on the mixed point only."""
    X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    y = np.array([1.0, 1.0, 1.0])
    O = convex_relu.optimal_set(convex_relu.solve(X, y, 0.1, "all", tol=1e-9))
    assert O.rank == 1 and O.unique  # parallel points: one direction carries everything


@guards(convex_relu.path, convex_relu.Path)
def test_the_path_is_concave_with_slope_T():
    X, y, bc, D = instance(share=1.0)
    betas = np.array([0.05, 0.1, 0.2, 0.4, 0.8]) * bc
    P = convex_relu.path(X, y, D, betas.tolist(), tol=1e-9)
    np.testing.assert_array_equal(P.betas, betas)
    np.testing.assert_allclose(P.objective, P.loss + betas * P.penalty, rtol=1e-13)
    chords = np.diff(P.objective) / np.diff(betas)
    assert np.all(np.diff(chords) < 0) and np.all(np.diff(P.penalty) < 0) and np.all(np.diff(P.loss) > 0)
    assert np.all(P.penalty[:-1] >= chords) and np.all(chords >= P.penalty[1:])  # slopes of a concave function
    h = 1e-4
    near = convex_relu.path(X, y, D, [0.2 * bc * (1 - h), 0.2 * bc * (1 + h)], tol=1e-9)
    # central difference: O(h²) = 1e-8 of curvature, and 1e-9/h of the solver
    assert np.diff(near.objective)[0] / (2 * h * 0.2 * bc) == pytest.approx(P.penalty[2], rel=1e-4)
    neurons = [int(np.any(s.V, axis=0).sum() + np.any(s.W, axis=0).sum()) for s in P.solutions]
    np.testing.assert_array_equal(P.neurons, neurons)


def test_gated_and_logistic_paths():
    X, y, bc, D = instance(share=1.0, loss="logistic")
    for gated in (False, True):
        P = convex_relu.path(X, y, D[:, :10], [0.1 * bc, 0.3 * bc], "logistic", gated, tol=1e-7)
        assert P.objective[0] < P.objective[1] and P.penalty[0] > P.penalty[1]


def test_bad_input_of_the_geometry():
    X, y, beta, D = instance()
    hinge = convex_relu.solve(X, np.sign(y), beta, D, "hinge", tol=1e-3)
    with pytest.raises(ValueError, match="no unique fit"):
        convex_relu.optimal_set(hinge)
    gated = convex_relu.solve(X, y, beta, D, gated=True)
    with pytest.raises(ValueError, match="gated=False"):
        convex_relu.optimal_set(gated)
    with pytest.raises(ValueError, match="betas is empty"):
        convex_relu.path(X, y, D, [])
    with pytest.raises(ValueError, match="alpha has shape"):
        convex_relu.optimal_set(convex_relu.solve(X, y, beta, D)).network(np.zeros(99))
    net = convex_relu.Network(np.ones((3, 1)), np.ones((1, 1)))
    with pytest.raises(ValueError, match="does not know its data"):
        net.prune()
    with pytest.raises(ValueError, match="columns"):
        net.prune(np.ones((2, 5)))


def test_a_fit_that_lies_off_its_cone_by_the_root_of_a_gap_still_has_its_vertex():
    """A gap of 1e-12 leaves the fit 1e-6 off: here 4e-6, orthogonal to both columns, so the vertex is (2, 3)."""
    columns = np.linalg.qr(np.random.default_rng(0).standard_normal((7, 3)))[0]
    fit = columns[:, :2] @ [2.0, 3.0] + 4e-6 * np.max(np.abs(columns[:, :2] @ [2.0, 3.0])) * columns[:, 2]
    O = convex_relu.OptimalSet(np.eye(2), np.ones(2), np.arange(2), columns[:, :2], fit, fit, 5.0)
    # least squares in orthonormal columns: a few roundings
    np.testing.assert_allclose(O.minimal(np.random.default_rng(1)), [2.0, 3.0], rtol=1e-13)
    with pytest.raises(RuntimeError, match="too coarse"):
        far = fit + 1e-3 * columns[:, 2]
        convex_relu.OptimalSet(np.eye(2), np.ones(2), np.arange(2), columns[:, :2], far, far, 5.0).minimal(
            np.random.default_rng(1)
        )
