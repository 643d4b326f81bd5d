"""What was once accepted in silence, or failed obscurely: one clear error each, and integers of every kind accepted."""

from typing import Any

import numpy as np
import pytest

from corollary.sims.icl import training
from corollary.theory import icl

_rng = np.random.default_rng(23)
X, Y, XQ = _rng.standard_normal((7, 4)), _rng.standard_normal(7), _rng.standard_normal(4)
TASK = icl.LinearTask(3, 8)
LAYER = icl.preconditioner_weights(np.eye(4))
STACK = {
    "d": 2, "context": 3, "tied": False, "sparsity": "gd", "steps": 2, "batch": 2, "test": 2, "learning_rate": 0.1,
    "init": 0.1,
}  # fmt: skip


def gd(**options):
    return icl.gd_construction(0.1, context=7, **options)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: gd(preconditioner=np.eye(3)).predict(X, Y, XQ), ValueError, r"shape \(3, 3\); expected \(4, 4\)"),
        (lambda: gd(preconditioner=np.eye(5)).predict(X, Y, XQ), ValueError, r"shape \(5, 5\); expected \(4, 4\)"),
        (lambda: gd(preconditioner=np.ones((2, 3))), ValueError, r"expected \(d, d\)"),
        (lambda: gd(preconditioner=np.eye(3)).layers(X), ValueError, "for inputs in dimension 4 and 1 output"),
        (lambda: gd().predict(X.tolist(), Y, XQ), TypeError, "expected a NumPy or CuPy array, got builtins.list"),
        (lambda: LAYER.predict(X.tolist(), Y, XQ), TypeError, "got builtins.list"),
        (lambda: LAYER.predict(X, Y[:, None], XQ), ValueError, "one target an example"),
        (lambda: icl.newton(np.zeros((5, 3)), np.ones(5), 1), ValueError, "X is zero"),
        (lambda: icl.gradient_descent(np.zeros((5, 3)), np.ones(5), 1, 0.1), ValueError, "X is zero"),
        (lambda: icl.newton_construction(3, alpha=0.1).predict(0 * X, Y, XQ), ValueError, "X is zero"),
        (
            lambda: icl.newton_construction(60, alpha=1e-3).predict(np.vstack([X[:3]] * 2), Y[:6], XQ[:4]),
            ValueError, "Newton has no digits left",
        ),
        (
            lambda: icl.newton_construction(9, alpha=1e-3).predict(X * np.array([1, 1, 1, 1e-9]), Y, XQ),
            ValueError, "Newton has no digits left",
        ),
        (lambda: icl.newton_construction(60, alpha=1e-3).predict(X[:2], Y[:2], XQ), ValueError, "beyond 52 steps"),
        (lambda: icl.newton(X, Y, 1.5), TypeError, "whole number"),  # pyright: ignore[reportArgumentType]
        (lambda: icl.population_loss((LAYER.KQ, LAYER.PV), TASK), TypeError, r"icl.Attention\(KQ, PV\)"),  # pyright: ignore
        (lambda: icl.LinearTask(3, 5, 1e200 * np.eye(3)), ValueError, "rescale the inputs"),
        (lambda: icl.LinearTask(3, 5, weight_cov=1e-200 * np.eye(3)), ValueError, "weight_cov has largest entry"),
        (lambda: icl.uniform_task(3, 5, 1e100), ValueError, "rescale the inputs"),
        (lambda: icl.best_gdpp(0.5), ValueError, "condition >= 1"),
        (lambda: icl.optimal_steps(TASK, 26), ValueError, "at most 25: beyond, the search"),
        (lambda: icl.optimal_steps(TASK, 4, plus=True), ValueError, "at most 3: beyond, rare prompts"),
        (lambda: icl.gd_excess([0.1] * 5, TASK, [0.1] * 5), ValueError, "to degree 242; expected at most 80"),
        (lambda: icl.gd_excess([0.1] * 41, TASK), ValueError, "to degree 82; expected at most 80"),
        (lambda: training.train_stack({**STACK, "layers": 1.5}, [0], np), TypeError, "layers = 1.5"),
        (lambda: training.train_stack({**STACK, "layers": 0}, [0], np), ValueError, "layers = 0"),
        (lambda: training.train_stack({**STACK, "layers": 1, "optimiser": "sgd"}, [0], np), ValueError, "adam or gd"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error(call, error, words):
    """What was passed, what was expected, what to do."""
    with pytest.raises(error, match=words):
        call()


def test_integers_of_numpy_are_integers():
    """np.int64 counts, powers, steps and rates are those of Python; an array of step numbers is a list."""
    one: Any = np.int64(1)
    three: Any = np.int64(3)
    seven: Any = np.int64(7)
    steps: Any = np.arange(3)
    assert icl.gd_excess(one, TASK) == icl.gd_excess(1, TASK)
    assert icl.wishart_moment(three, 3, 4) == icl.wishart_moment(3, 3, 4)
    np.testing.assert_array_equal(icl.newton(X, Y, steps).weights, icl.newton(X, Y, [0, 1, 2]).weights)
    stack = icl.gd_construction(0.1, context=seven, layers=one + one)
    assert stack.predict(X, Y, XQ) == icl.gd_construction(0.1, context=7, layers=2).predict(X, Y, XQ)
    run = training.train_stack({**STACK, "layers": np.int64(2)}, [0], np)
    np.testing.assert_array_equal(run["KQ"], training.train_stack({**STACK, "layers": 2}, [0], np)["KQ"])


def test_many_steps_end_at_the_solution():
    """1100 Newton steps and 10^400 of descent are least squares; step counts at κ near the largest float are finite."""
    want = np.linalg.lstsq(X, Y)[0]
    np.testing.assert_allclose(icl.newton(X, Y, [1100]).weights[0], want, rtol=1e-12)
    np.testing.assert_allclose(icl.gradient_descent(X, Y, [10**400], 0.1).weights[0], want, rtol=1e-12)
    # 2 log₂κ + log₂ ln(1/ε) = 1023.15 + 4.53 and 1993.16 + 4.53, rounded up
    assert (icl.newton_steps(1e154, 1e-10), icl.newton_steps(1e300, 1e-10)) == (1028, 1998)
    assert (icl.newton_steps(1.0, 0.1), icl.newton_steps(1.0001, 0.1), icl.descent_steps(1.0, 0.1)) == (0, 0, 1)
    assert icl.descent_steps(1e300, 0.1) == pytest.approx(1.151292546497023e300, rel=1e-12)


def test_the_risk_of_many_layers_is_quick():
    """16 layers cost 33 moments, not 3^16 coefficients; equal steps are the power they are."""
    steps = [0.3] * 16
    assert icl.gd_excess(steps, TASK) == pytest.approx(icl.gd_excess(steps, TASK, [0.0] * 16), rel=1e-15)
    assert icl.gd_excess(steps[:10], TASK) < icl.gd_excess(steps[:4], TASK)
