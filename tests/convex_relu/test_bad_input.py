"""Bad input gets one clear error: what was passed, what was expected, what to do."""

import numpy as np
import pytest

from corollary.theory import convex_relu
from corollary.theory.convex_relu import lasso

_rng = np.random.default_rng(0)
X, Y = _rng.standard_normal((12, 3)), _rng.standard_normal(12)
SIGNS = np.where(Y > 0, 1.0, -1.0)
D = convex_relu.sample_patterns(X, 20, _rng)

CASES = {
    "labels 0 and 1": (dict(y=(SIGNS + 1) / 2, loss="hinge"), ValueError, "y holds 0; the hinge loss takes labels"),
    "real targets": (dict(loss="logistic"), ValueError, "the logistic loss takes labels"),
    "beta zero": (dict(beta=0.0), ValueError, r"beta = 0.0; expected a finite number > 0"),
    "beta negative": (dict(beta=-1.0), ValueError, "beta = -1.0"),
    "beta text": (dict(beta="1"), TypeError, "beta = '1'"),
    "patterns of another n": (dict(D=D[:5]), ValueError, r"D has shape \(5, .*expected \(12, P\)"),
    "patterns not 0, 1": (dict(D=2 * D), ValueError, "other than 0 and 1"),
    "unknown patterns": (dict(D="some"), ValueError, 'or "all"'),
    "unknown loss": (dict(loss="huber"), ValueError, "loss = 'huber'; expected one of squared, hinge, logistic"),
    "unknown solver": (dict(solver="sgd"), ValueError, "solver = 'sgd'"),
    "tol": (dict(tol=0.0), ValueError, "tol = 0.0"),
    "tol of one": (dict(tol=True), ValueError, "tol = True"),
    "no steps": (dict(max_steps=0), ValueError, "max_steps = 0; expected an integer >= 1"),
    "steps below none": (dict(max_steps=-3), ValueError, "max_steps = -3"),
    "fista for the hinge": (dict(solver="fista", gated=True, loss="hinge", y=SIGNS), ValueError, "smooth loss"),
    "y of another n": (dict(y=Y[:4]), ValueError, r"y has shape \(4,\)"),
    "NaN": (dict(X=np.where(X > 2, np.nan, X) * np.nan), ValueError, "NaN or infinite"),
    "integers": (dict(X=np.ones((12, 3), int)), TypeError, "astype"),
    "float32 with float64": (dict(X=X.astype("float32")), TypeError, "use one dtype"),
    "fista for relu": (dict(solver="fista"), ValueError, "gated=True"),
    "gates of other patterns": (dict(gates=-np.ones((3, D.shape[1]))), ValueError, "gates do not produce"),
    "gates of another shape": (dict(gates=np.ones((2, 2))), ValueError, "gates has shape"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_clear_error(case):
    change, kind, message = CASES[case]
    with pytest.raises(kind, match=message):
        convex_relu.solve(**{"X": X, "y": Y, "beta": 0.5, "D": D, **change})


def test_non_convergence_carries_the_best_point_and_says_what_to_change():
    with pytest.raises(convex_relu.NotConverged, match=r"raise max_steps above 40") as caught:
        convex_relu.solve(X, Y, 0.05, D, tol=1e-12, solver="admm", max_steps=40)
    s = caught.value.solution
    assert s.certificate.relative > 1e-12 and s.certificate.cone_violation <= 1e-12
    best = convex_relu.solve(X, Y, 0.05, D, tol=1e-8).objective
    assert s.certificate.dual <= best <= s.objective * (1 + 1e-8)


def test_a_gated_network_needs_its_gates_and_takes_them():
    gated = convex_relu.solve(X, Y, 0.5, D, gated=True)
    with pytest.raises(ValueError, match="needs its gates"):
        gated.network()
    gates = convex_relu.sample_gates(X, 20, np.random.default_rng(1))
    on = convex_relu.patterns_of(X, gates)
    s = convex_relu.solve(X, Y, 0.5, on, gated=True, gates=gates)
    f = np.sum(X * (on @ (s.V - s.W).T), axis=1)
    np.testing.assert_allclose(s.network().predict(X), f, atol=1e-12)
    np.testing.assert_allclose(s.network().prune().predict(X), f, atol=1e-10)


def test_certificates_refuse_what_they_cannot_certify():
    s = convex_relu.solve(X, Y, 0.5, D, gated=True)
    V, W = s.V[:, :, None], s.W[:, :, None]
    with pytest.raises(ValueError, match="scope = 'half'"):
        convex_relu.certify(s.problem, V, W, scope="half")
    with pytest.raises(ValueError, match="gated program"):
        convex_relu.certify(s.problem, V, W, scope="all patterns")


def test_a_certificate_wants_weights_of_its_program():
    s = convex_relu.solve(X, Y, 0.5, D)
    V, W = s.V[:, :, None], s.W[:, :, None]
    with pytest.raises(ValueError, match=r"W has shape \(3, 5, 1\); expected \(3, \d+, 1\): \(d, patterns, outputs\)"):
        convex_relu.certify(s.problem, V, W[:, :5])
    with pytest.raises(ValueError, match="V has shape"):
        convex_relu.certify(s.problem, s.V, s.W)


def test_a_path_wants_a_sequence_of_penalties():
    with pytest.raises(TypeError, match=r"betas = 0.1; expected a sequence"):
        convex_relu.path(X, Y, D, 0.1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="betas = 'abc'"):
        convex_relu.path(X, Y, D, "abc")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="beta = 'a'; expected a number"):
        convex_relu.path(X, Y, D, ["a"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="betas is empty"):
        convex_relu.path(X, Y, D, [])
    with pytest.raises(ValueError, match="max_steps = 0"):
        convex_relu.path(X, Y, D, [0.1], max_steps=0)


def test_robust_and_sampled_programs_carry_their_best_point_when_they_stop(monkeypatch):
    """A tolerance below rounding: the point is there all the same, as good as its certificate says."""
    with pytest.raises(convex_relu.NotConverged, match="raise tol") as caught:
        convex_relu.solve_robust(X, SIGNS, 0.5, D, 0.01, tol=1e-16)
    s = caught.value.solution
    good = convex_relu.solve_robust(X, SIGNS, 0.5, D, 0.01, tol=1e-4)
    assert s.certificate.dual <= good.objective * (1 + 1e-12) and 1e-16 < s.certificate.relative < 1e-4
    with pytest.raises(convex_relu.NotConverged, match="raise tol") as caught:
        convex_relu.solve_robust(X, SIGNS, 0.5, D, 0.0, tol=1e-16)
    assert caught.value.solution.radius == 0.0
    U = convex_relu.sphere(3, 30, np.random.default_rng(0))
    good = convex_relu.sampled_lasso(X, Y, 0.5, U)
    monkeypatch.setattr(lasso, "gap_of", lambda *_: (good.primal, 0.5 * good.primal))  # it always gets to rounding
    with pytest.raises(convex_relu.NotConverged, match="relative gap 5.0e-01 > tol = 1e-09.*raise tol") as caught:
        convex_relu.sampled_lasso(X, Y, 0.5, U)
    np.testing.assert_array_equal(caught.value.solution.a, good.a)
    for tol in (0.0, -1.0, 2.0, "1"):
        with pytest.raises(ValueError, match="tol = "):
            convex_relu.solve_robust(X, SIGNS, 0.5, D, 0.01, tol=tol)  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="tol = "):
            convex_relu.sampled_lasso(X, Y, 0.5, U, tol=tol)  # pyright: ignore[reportArgumentType]


def test_all_zero_targets_and_data():
    s = convex_relu.solve(X, 0 * Y, 0.5, D)
    assert s.objective == 0.0 and s.certificate.relative == 0.0 and s.network().U.shape == (3, 0)
    flat = convex_relu.solve(0 * X, Y, 0.5, np.ones((12, 1)))
    assert flat.objective == pytest.approx(Y @ Y / 2, rel=1e-14)


def test_the_lasso_wants_directions_that_fit():
    with pytest.raises(ValueError, match=r"expected \(3, N\)"):
        convex_relu.sampled_lasso(X, Y, 0.5, np.ones((2, 4)))
    with pytest.raises(ValueError, match="several outputs"):
        convex_relu.sampled_lasso(X, np.stack([Y, Y], 1), 0.5, np.ones((3, 4)))
