"""The scikit-learn estimators pass the library's own checks, and predict what their network says."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

from corollary.theory.convex_relu.sklearn import ConvexReLUClassifier, ConvexReLURegressor


@pytest.mark.parametrize("estimator", [ConvexReLURegressor(patterns=15), ConvexReLUClassifier(patterns=15)],
                         ids=["regressor", "classifier"])  # fmt: skip
def test_scikit_learns_own_checks(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks feed hopeless data on purpose
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


def test_digits_3_against_8_are_told_apart_with_a_certificate():
    X, label = load_digits(return_X_y=True)
    keep = np.isin(label, (3, 8))
    X, label = X[keep], label[keep]
    model = ConvexReLUClassifier(patterns=10, random_state=0, tol=1e-2).fit(X[:100], label[:100])
    assert model.certificate_.relative <= 1e-2 and model.score(X[100:], label[100:]) > 0.85
    score = model.decision_function(X[:100])
    before = model.network_.U.shape[1]
    model.prune()
    assert model.network_.U.shape[1] <= min(before, 100)
    np.testing.assert_allclose(model.decision_function(X[:100]), score, atol=1e-8)


def test_a_regressor_is_its_network_and_says_when_it_stops_early(capsys):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = np.maximum(X[:, 0], 0) - np.abs(X[:, 1]) + 5
    model = ConvexReLURegressor(ratio=0.005, patterns=40, random_state=0, verbose=1).fit(X, y)
    assert model.score(X, y) > 0.98 and "objective" in capsys.readouterr().err
    gated = ConvexReLURegressor(patterns=20, gated=True, random_state=0).fit(X, y)
    assert gated.score(X, y) > 0.9 and gated.certificate_.scope == "gated"
    with pytest.warns(ConvergenceWarning, match="relative gap"):
        ConvexReLURegressor(patterns=20, solver="admm", max_steps=10, tol=1e-9, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="ratio = 2"):
        ConvexReLURegressor(ratio=2).fit(X, y)
