"""Cross-validation over β: every program is that of its own rows, and the held-out loss is that of its network."""

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import convex_relu
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.folds import fold_of

BETAS = [0.2, 1.0, 500.0]  # the last leaves the zero network


def instance(loss="squared", n=14, d=3, P=9):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    y = np.maximum(X @ [1.0, -1.0, 0.5], 0) + 0.1 * rng.standard_normal(n)
    G = rng.standard_normal((d, P))
    y = y if loss == "squared" else np.where(y > np.median(y), 1.0, -1.0)
    return X, y, convex_relu.patterns_of(X, G), G


@guards(convex_relu.cross_validate, convex_relu.CrossValidation)
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("loss", ["squared", "hinge", "logistic"])
@pytest.mark.parametrize("batched", [False, True])
def test_every_program_is_that_of_its_rows(loss, gated, batched):
    """Objective within tol of the optimum of X, y, D without the fold; held-out loss of that very network, by rows."""
    X, y, D, G = instance(loss)
    folds = np.array([7, 7, 7, 2, 2, 2, 2, 5, 5, 5, 5, 5, 5, 7])
    solver = "auto" if not batched else "fista" if gated and loss != "hinge" else "admm"
    cv = convex_relu.cross_validate(X, y, D, BETAS, folds, loss, gated, tol=1e-5, solver=solver)
    assert (
        cv.betas.tolist() == BETAS
        and cv.loss.shape == (3, 3)
        and cv.folds.tolist() == [2] * 3 + [0] * 4 + [1] * 6 + [2]
    )
    total = np.zeros(3)
    for fold, name in enumerate((2, 5, 7)):
        fit, out = folds != name, folds == name
        for k, beta in enumerate(BETAS):
            s = cv.solutions[fold][k]
            exact = convex_relu.solve(X[fit], y[fit], beta, D[fit], loss, gated, tol=1e-8)
            assert exact.certificate.dual <= s.objective <= exact.certificate.primal * (1 + 1e-5)
            assert s.certificate.relative <= 1e-5 and s.problem.beta == beta
            for have, want in ((s.problem.X, X), (s.problem.y[:, 0], y), (s.problem.D, D)):
                np.testing.assert_array_equal(have, want[fit])
            c, V, W = s.certificate, s.V[:, :, None], s.W[:, :, None]
            assert c.primal == s.objective and c.gap == c.primal - c.dual and c.gap <= 1e-5 * c.primal
            assert c.cone_violation == s.problem.violation(V, W)  # rounding, but the same one
            assert c.dual == pytest.approx(float(losses.dual_value(loss, s.nu[:, 0], y[fit])), rel=1e-12)
            # The last report of a batch is of any program. Alone, it is the solver's before its polish, with a gap of
            # tol or so: 1e-3 is far above that, and below the 2 % of a wrong column.
            for _, _, primal, dual in s.history[-1:]:
                assert batched or abs(primal - c.primal) <= 1e-3 * c.primal >= abs(dual - c.dual)
            net = convex_relu.network(s.V[:, :, None], s.W[:, :, None], G if gated else None, flat=True)
            each = [
                float(losses.value(loss, f[None], t[None])) for f, t in zip(net.predict(X[out]), y[out], strict=True)
            ]
            assert cv.loss[fold, k] == pytest.approx(np.mean(each), rel=1e-12)
            total[k] += np.sum(each)
            assert (beta == 500.0) == (not s.V.any() and not s.W.any())
    np.testing.assert_allclose(cv.mean, total / len(X), rtol=1e-12)
    assert cv.best == BETAS[int(np.argmin(total))] != 500.0


@pytest.mark.parametrize("solver, gated", [("admm", False), ("admm", True), ("fista", True)])
def test_what_is_held_out_is_not_seen(solver, gated):
    """Targets of a fold changed: after as many steps its programs are where they were, the others and the loss not."""
    X, y, D, _ = instance()
    folds, found = np.arange(14) // 7, []
    for t in (y, np.where(folds == 0, 3 - y, y)):
        with pytest.raises(convex_relu.NotConverged) as caught:
            convex_relu.cross_validate(X, t, D, [0.2], folds, gated=gated, solver=solver, max_steps=60, tol=1e-15)
        found.append(caught.value.solution)
    a, b = found
    # One product serves both columns and may round them together: some ε a step, of numbers of order one; momentum may
    # add to that as many steps' (60² ε = 8e-13).
    for name in ("V", "W", "nu"):
        of_a, of_b = (getattr(cv.solutions[0][0], name) for cv in (a, b))
        np.testing.assert_allclose(of_a, of_b, rtol=0, atol=1e-12)
    # the targets of seven rows, moved by up to 3, move what is fitted to them, and their own loss, by order one
    assert np.abs(a.solutions[1][0].V - b.solutions[1][0].V).max() > 0.1 and abs(a.loss[0, 0] - b.loss[0, 0]) > 0.1


def test_cross_validation_takes_every_backend(backend):
    """Gated and not, in one batch where the arrays are not the host's: certified, and the loss that of its network."""
    X, y, D, _ = instance()
    x, t, on = (backend.asarray(v) for v in (X, y, D))
    for gated in (False, True):
        found = convex_relu.cross_validate(x, t, on, BETAS[1:], 2, gated=gated)
        for fold, row in enumerate(found.solutions):
            out = np.arange(14) % 2 == fold
            for k, s in enumerate(row):
                exact = convex_relu.solve(X[~out], y[~out], BETAS[1 + k], D[~out], gated=gated, tol=1e-9)
                assert exact.certificate.dual <= s.objective <= exact.certificate.primal * (1 + 1e-4)
                V, W = backend.numpy(s.V), backend.numpy(s.W)
                on_out = D[out] if gated else [(X[out] @ V >= 0), (X[out] @ W >= 0)]
                f = [
                    np.sum(g * (X[out] @ U), 1)
                    for g, U in zip([on_out, on_out] if gated else on_out, (V, W), strict=True)
                ]
                assert found.loss[fold, k] == pytest.approx(np.mean((f[0] - f[1] - y[out]) ** 2) / 2, rel=1e-12)


@guards(convex_relu.CrossValidation.best)
def test_of_equal_penalties_the_largest_is_best():
    equal = convex_relu.CrossValidation(
        np.array([1.0, 3.0, 2.0]), np.array([0, 1]), np.array([[1.0, 0, 1], [0, 1, 0]]), []
    )
    assert equal.best == 3.0 and equal.mean.tolist() == [0.5, 0.5, 0.5]


def test_rows_are_dealt_in_turn():
    assert fold_of(3, 7).tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_bad_folds_are_refused():
    X, y, D, _ = instance()
    for folds, kind, message in (
        (1, ValueError, "folds = 1; expected 2 … 14"),
        (15, ValueError, "folds = 15; expected 2 … 14"),
        (True, TypeError, "folds is True; expected their number, or an integer label"),
        (np.zeros(13, int), TypeError, "of shape \\(13,\\) and dtype int64; .* for each of the 14 rows"),
        (np.zeros(14), TypeError, "and dtype float64; expected their number, or an integer label"),
        (np.full(14, 3), ValueError, "all folds are 3; expected two labels or more"),
    ):
        with pytest.raises(kind, match=message):
            convex_relu.cross_validate(X, y, D, [0.1], folds)
    with pytest.raises(ValueError, match="takes one output, y of shape \\(14,\\)"):
        convex_relu.cross_validate(X, np.stack([y, y], 1), D, [0.1])
    with pytest.raises(TypeError, match=r"D = 'all'; expected the patterns of all rows: D = all_patterns\(X\)"):
        convex_relu.cross_validate(X, y, "all", [0.1])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="betas is empty"):
        convex_relu.cross_validate(X, y, D, [])
    with pytest.raises(ValueError, match="'fista' is for gated=True"):
        convex_relu.cross_validate(X, y, D, [0.1], solver="fista")
    with pytest.raises(ValueError, match="expected one of auto"):
        convex_relu.cross_validate(X, y, D, [0.1], solver="sgd")
    with pytest.raises(convex_relu.NotConverged, match="in fold . at beta = 0.1 with solver 'admm'") as caught:
        convex_relu.cross_validate(X, y, D, [0.1], solver="admm", max_steps=20, tol=1e-9)
    assert caught.value.solution.loss.shape == (5, 1)
