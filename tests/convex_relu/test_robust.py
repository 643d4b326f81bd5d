"""Adversarial training: the program's value is the worst case of its network; what it does not claim."""

import itertools

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import convex_relu

CASES = [(loss, norm) for loss in ("hinge", "logistic", "squared") for norm in ("inf", "2", "1")]
EPS = {"inf": 0.05, "2": 0.06, "1": 0.1}


def instance(loss, n=8, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, 2)), rng.standard_normal(n)
    return X, (y if loss == "squared" else np.where(y > 0, 1.0, -1.0)), convex_relu.all_patterns(X)


def ball(norm, eps):
    """Vertices of the l_inf and l_1 balls in the plane, 720 points of the circle."""
    if norm == "inf":
        return eps * np.array(list(itertools.product([-1.0, 1.0], repeat=2)))
    if norm == "1":
        return eps * np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    return eps * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def pointwise(loss, f, y):
    return {"hinge": np.maximum(0, 1 - y * f), "logistic": np.logaddexp(0, -y * f), "squared": (f - y) ** 2 / 2}[loss]


@guards(convex_relu.solve_robust, convex_relu.RobustSolution)
@pytest.mark.parametrize("loss, norm", CASES)
def test_the_value_is_the_worst_case_of_the_network_by_brute_force(loss, norm):
    X, y, D = instance(loss)
    s = convex_relu.solve_robust(X, y, 0.1, D, EPS[norm], loss, norm)
    net = s.network()
    worst = sum(np.max(pointwise(loss, net.predict(x + ball(norm, EPS[norm])), t)) for x, t in zip(X, y, strict=True))
    # 720 points of the circle miss the worst by (π/720)²/2 = 1e-5 of the slope's share
    tolerance = 1e-5 if norm == "2" else 1e-12
    assert worst + 0.1 * net.weight_penalty() == pytest.approx(s.objective, rel=tolerance)
    c = s.certificate
    assert c.primal == s.objective and c.gap == c.primal - c.dual and -1e-12 <= c.relative <= 1e-6
    assert c.cone_violation <= 1e-12 and np.any(s.V) | np.any(s.W)
    again = convex_relu.robust_objective(s.problem, s.V, s.W, EPS[norm], norm)
    assert again == pytest.approx(worst + 0.1 * net.weight_penalty(), rel=tolerance)
    on = sum(D[:, p] * (X @ (s.V[:, p] - s.W[:, p])) for p in range(D.shape[1]))
    np.testing.assert_allclose(net.predict(X), on, atol=1e-12)


def test_the_value_grows_with_the_radius_from_the_clean_optimum():
    X, y, D = instance("hinge")
    clean = convex_relu.solve(X, y, 0.1, D, "hinge", tol=1e-7).objective
    values = [convex_relu.solve_robust(X, y, 0.1, D, r).objective for r in (0.0, 0.01, 0.04, 0.5)]
    assert values[0] == pytest.approx(clean, rel=2e-6)
    assert np.all(np.diff(values) > 0) and values[-1] == len(y)  # at 0.5 no neuron can keep its sign: zero network


def test_patterns_of_perturbed_data_change_nothing():
    X, y, D = instance("hinge")
    base = convex_relu.solve_robust(X, y, 0.1, D, 0.05).objective
    rng = np.random.default_rng(1)
    more = [convex_relu.sample_patterns(X + 0.5 * rng.uniform(-1, 1, X.shape), 20, rng) for _ in range(2)]
    extended = np.unique(np.concatenate([D, *more], axis=1), axis=1)
    assert extended.shape[1] > D.shape[1]
    assert convex_relu.solve_robust(X, y, 0.1, extended, 0.05).objective == pytest.approx(base, rel=2e-6)


def test_it_is_not_the_optimum_of_adversarial_training():
    """A network whose neuron changes sign inside a ball does better: the reason for the careful wording.

    Three points on a line, the middle one near 0 with target 0: (x)_+ has worst case ε²/2 there, but the program
    forbids any neuron, since the ball around 0.01 contains both signs.
    """
    X, y, eps, beta = np.array([[0.01], [2.0], [3.0]]), np.array([0.0, 2.0, 3.0]), 0.1, 0.01
    s = convex_relu.solve_robust(X, y, beta, convex_relu.all_patterns(X), eps, "squared")
    net = convex_relu.Network(np.array([[1.0]]), np.array([[1.0]]))
    grid = np.linspace(-eps, eps, 401)[:, None]
    worst = sum(np.max((net.predict(x + grid) - t) ** 2) / 2 for x, t in zip(X, y, strict=True))
    assert worst + beta * net.weight_penalty() < 0.1 * s.objective


def test_bad_input_of_the_robust_program():
    X, y, D = instance("hinge")
    with pytest.raises(ValueError, match="norm = 'l7'"):
        convex_relu.solve_robust(X, y, 0.1, D, 0.1, norm="l7")
    with pytest.raises(ValueError, match="radius = -1"):
        convex_relu.solve_robust(X, y, 0.1, D, -1.0)
    with pytest.raises(ValueError, match="several outputs"):
        convex_relu.solve_robust(X, np.stack([y, y], 1), 0.1, D, 0.1)
