"""scikit-learn estimators: two-layer ReLU networks trained to a certified global optimum of the sampled program.

    model = ConvexReLUClassifier(patterns=50, random_state=0).fit(X, y)
    model.certificate_.relative, model.predict(X_new), model.prune()

Inputs are centred and scaled and get a constant column (the neurons' biases); the penalty is `ratio` times the
critical β of the sampled patterns, above which the network would be zero. Several classes are fitted one against the
rest, in one batch that shares patterns and factorisations. Host only.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from corollary.theory.convex_relu.critical import critical_beta
from corollary.theory.convex_relu.patterns import patterns_of, sample_gates
from corollary.theory.convex_relu.problem import Network
from corollary.theory.convex_relu.solve import NotConverged, Solution, solve


class _ConvexReLU(BaseEstimator):
    """What both estimators share.

    ratio: penalty over the critical β, in (0, 1). patterns: gates drawn (fewer if patterns repeat). gated: no cones.
    tol: relative certified gap. verbose > 0: progress on standard error.
    """

    def __init__(
        self,
        ratio: float = 0.02,
        patterns: int = 50,
        *,
        gated: bool = False,
        tol: float = 1e-3,
        solver: str = "auto",
        max_steps: int = 20_000,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.ratio = ratio
        self.patterns = patterns
        self.gated = gated
        self.tol = tol
        self.solver = solver
        self.max_steps = max_steps
        self.random_state = random_state
        self.verbose = verbose

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        return np.concatenate([(X - self._centre) / self._scale, np.ones((len(X), 1))], axis=1)

    def _fit(self, X: np.ndarray, y: np.ndarray, loss: str) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(
                f"ratio = {self.ratio!r}; expected a number between 0 and 1, the penalty over its critical value "
                "(above 1 the network is zero)"
            )
        spread = X.std(axis=0)
        self._centre, self._scale = X.mean(axis=0), np.where(spread > 0, spread, 1.0)
        inputs = self._inputs(X)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        gates = sample_gates(inputs, self.patterns, rng)
        D = patterns_of(inputs, gates)
        top = critical_beta(inputs, y, D, loss, self.gated)
        self.beta_ = self.ratio * top if top > 0 else 1.0  # constant targets: any penalty gives zero
        try:
            solution = solve(
                inputs, y, self.beta_, D, loss, self.gated, self.tol, self.solver, max_steps=self.max_steps,
                gates=gates if self.gated else None, callback=self._report if self.verbose else None,
            )  # fmt: skip
        except NotConverged as stopped:
            warnings.warn(str(stopped), ConvergenceWarning, stacklevel=3)
            solution = stopped.solution
        self.solution_: Solution = solution
        self.certificate_ = solution.certificate
        self.network_: Network = solution.network()
        self.n_iter_ = max(1, len(solution.history))

    @staticmethod
    def _report(stage: str, step: int, primal: float, dual: float) -> None:
        print(f"{stage} {step}: objective {primal:.8g}, bound {dual:.8g}", file=sys.stderr)

    def _predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        inputs = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        return np.asarray(self.network_.predict(self._inputs(inputs)))

    def prune(self) -> _ConvexReLU:
        """Keep at most rank Z neurons an output; predictions on the training inputs stay. Returns the estimator."""
        check_is_fitted(self)
        self.network_ = self.network_.prune()
        return self


class ConvexReLURegressor(RegressorMixin, _ConvexReLU):
    """Squared loss, ½ Σ (f − (y − mean))² + β/2 (‖U‖² + ‖a‖²) at its optimum over sampled patterns; one output.

    Attributes: certificate_, solution_, network_ (on scaled inputs with a constant column), beta_, offset_.
    """

    def fit(self, X: Any, y: Any) -> ConvexReLURegressor:
        """Fit to X (n, d), y (n,); ConvergenceWarning where the gap stays above tol."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        y = y.astype(np.float64)
        self.offset_ = float(y.mean())
        self._fit(X, y - self.offset_, "squared")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(N,)."""
        return self._predict(X) + self.offset_


class ConvexReLUClassifier(ClassifierMixin, _ConvexReLU):
    """Logistic, hinge or squared loss on labels ±1, several classes one against the rest.

    Attributes: classes_, certificate_ (sum over classes), solution_, network_, beta_.
    """

    def __init__(
        self,
        ratio: float = 0.02,
        patterns: int = 50,
        *,
        loss: str = "logistic",
        gated: bool = False,
        tol: float = 1e-3,
        solver: str = "auto",
        max_steps: int = 20_000,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            ratio, patterns, gated=gated, tol=tol, solver=solver, max_steps=max_steps, random_state=random_state,
            verbose=verbose,
        )  # fmt: skip
        self.loss = loss

    def fit(self, X: Any, y: Any) -> ConvexReLUClassifier:
        """Fit to X (n, d) and labels y (n,) of any kind; ConvergenceWarning where the gap stays above tol."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class only ({self.classes_[0]!r}); expected at least two classes")
        if len(self.classes_) == 2:
            targets = np.where(index == 1, 1.0, -1.0)
        else:
            targets = np.where(index[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        self._fit(X, targets, self.loss)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """(N,) for two classes, else (N, classes)."""
        return self._predict(X)

    def predict(self, X: Any) -> np.ndarray:
        """The label with the largest score, (N,)."""
        score = self.decision_function(X)
        index = (score > 0).astype(int) if score.ndim == 1 else np.argmax(score, axis=1)
        return self.classes_[index]
