"""Each strategy of corollary.testing keeps its promise, shrinks to something small, and refuses bad arguments."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import find, given, settings
from hypothesis import strategies as st

from corollary.testing import kernel_inputs, regression_tasks, separable_data, spd_matrices, token_sets
from corollary.testing.strategies import KINDS

EPS = float(np.finfo(float).eps)
sizes = st.integers(1, 5)


@given(st.data(), st.integers(2, 7), st.floats(1, 1e12), st.sampled_from([1e-3, 1.0, 7.0]))
def test_an_spd_matrix_has_the_condition_number_it_was_asked_for(data, n, condition, scale):
    """Exactly symmetric; largest eigenvalue `scale`; cond within 32 n ε cond of the number."""
    A = data.draw(spd_matrices(n, condition, scale=scale))
    values = np.linalg.eigvalsh(A)
    assert A.shape == (n, n) and np.array_equal(A, A.T)
    # eigvalsh itself adds an error like the one allowed
    assert abs(values[-1] / scale - 1) <= 32 * n * EPS
    assert abs(values[-1] / values[0] / condition - 1) <= 64 * n * EPS * condition


def test_spd_matrices_have_eigenvalues_in_between_and_shrink_to_a_diagonal():
    simplest = find(spd_matrices(3, 100.0), lambda A: True)
    np.testing.assert_allclose(simplest, np.diag([1.0, 1.0, 0.01]), rtol=4 * EPS)
    assert np.array_equal(find(spd_matrices(1, 1.0), lambda A: True), [[1.0]])
    full = find(spd_matrices(3, 100.0), lambda A: bool(np.all(np.abs(A) > 0.01)), settings=settings(deadline=None))
    assert 0.01 <= np.linalg.eigvalsh(full)[1] <= 1


def largest_margin(rows):
    """max over unit v of min r·v, by Lawson and Hanson's least-distance problem: min ‖u‖ with r·u >= 1 through NNLS."""
    E = np.vstack([rows.T, np.ones(len(rows))])
    c, _ = scipy.optimize.nnls(E, np.eye(len(E))[-1])
    r = E @ c - np.eye(len(E))[-1]
    return -r[-1] / np.linalg.norm(r[:-1])


def certified(rows, direction, margin):
    """Achieved along `direction`; bound for all others by the mean of the first two rows (of one, itself)."""
    allowed = 8 * rows.shape[1] * EPS * max(1.0, float(np.abs(rows).max()) * rows.shape[1] ** 0.5)
    assert abs(np.linalg.norm(direction) - 1) <= 4 * EPS
    assert abs(np.min(rows @ direction) - margin) <= allowed
    assert np.linalg.norm(rows[:2].mean(axis=0) - margin * direction) <= allowed


@given(st.data(), sizes, sizes, st.sampled_from([0.01, 1.0, 30.0]))
def test_separable_data_has_its_margin_and_no_direction_has_more(data, n, d, margin):
    X, y, direction, stated = data.draw(separable_data(n, d, margin=margin))
    assert X.shape == (n, d) and y.shape == (n,) and set(np.abs(y)) == {1.0} and stated == margin
    certified(y[:, None] * X, direction, margin)


@settings(max_examples=20)
@given(separable_data(st.integers(2, 6), st.integers(2, 4), margin=0.5))
def test_a_solver_finds_the_margin_of_separable_data(task):
    assert largest_margin(task.y[:, None] * task.X) == pytest.approx(0.5, rel=1e-9)


def test_separable_data_shrinks_to_an_axis():
    task = find(separable_data(3, 2), lambda t: True)
    assert np.array_equal(task.X, [[1, 0], [1, 0], [1, 0]]) and np.array_equal(task.y, [1, 1, 1])
    assert len(find(separable_data(st.integers(1, 9), 2), lambda t: len(t.y) > 2).y) == 3


@given(st.data(), st.integers(1, 3), st.integers(2, 4), sizes, st.sampled_from([0.1, 2.0]))
def test_the_chosen_token_is_ahead_by_the_margin_and_by_no_more_along_any_direction(data, n, T, d, margin):
    X, y, chosen, direction, stated = data.draw(token_sets(n, T, d, margin=margin))
    assert X.shape == (n, T, d) and y.shape == chosen.shape == (n,) and stated == margin
    others = [[t for t in range(T) if t != chosen[i]] for i in range(n)]
    rows = np.concatenate([X[i, chosen[i]] - X[i, others[i]] for i in range(n)])
    certified(rows, direction, margin)


def test_token_sets_shrink():
    sets = find(token_sets(1, 2, 2), lambda t: True)
    assert np.array_equal(sets.X, [[[0, 0], [-1, 0]]]) and sets.chosen[0] == 0


@given(st.data(), sizes, sizes, st.sampled_from([1.0, 30.0, 1e4]))
def test_the_solution_and_residual_of_a_regression_are_known(data, n, d, condition):
    """Least squares, of least norm where n < d, returns w; the residual is orthogonal and of its norm."""
    residual = 0.7 if n > d else 0.0
    X, y, w, error = data.draw(regression_tasks(n, d, condition=condition, residual=residual))
    rank = min(n, d)
    size = 16 * (n + d) * EPS * max(1.0, float(np.linalg.norm(w)))
    np.testing.assert_allclose(y, X @ w + error, atol=size)
    assert np.abs(X.T @ error).max() <= size and abs(np.linalg.norm(error) - residual) <= size
    singular = np.linalg.svd(X, compute_uv=False)
    assert abs(singular[0] - 1) <= 16 * (n + d) * EPS
    assert abs(singular[rank - 1] - (1 / condition if rank > 1 else 1)) <= 16 * (n + d) * EPS
    got = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(got, w, atol=64 * (n + d) * EPS * condition**2 * max(1.0, float(np.linalg.norm(w))))


def test_regression_tasks_shrink_to_axes():
    task = find(regression_tasks(2, 2, condition=4.0), lambda t: True)
    np.testing.assert_allclose(task.X, np.diag([1.0, 0.25]), rtol=4 * EPS)
    assert np.array_equal(task.w, [0, 0]) and np.array_equal(task.y, [0, 0])


@given(st.data(), st.integers(2, 6))
def test_kernel_inputs_hold_every_kind_at_its_angle(data, d):
    """Lengths and angles, measured in 30 digits from the very floats."""
    import mpmath as mp

    X, kind, angle = data.draw(kernel_inputs(d, extra=st.integers(0, 2)))
    assert kind[0] == "base" and set(KINDS) <= set(kind) and np.all(np.isfinite(X))
    with mp.workdps(60):
        base = [mp.mpf(t) for t in X[0]]
        for row, name, stated in zip(X, kind, angle, strict=True):
            v = [mp.mpf(t) for t in row]
            ratio = mp.sqrt(mp.fdot(v, v) / mp.fdot(base, base))
            if name == "zero":
                assert ratio == 0 and np.isnan(stated)
                continue
            dot = mp.fdot(v, base) / (ratio * mp.fdot(base, base))
            true = mp.acos(max(mp.mpf(-1), min(mp.mpf(1), dot)))
            assert abs(true - stated) <= 8 * d * EPS, name
            if name in ("huge", "tiny"):
                assert abs(ratio / mp.mpf(1e100 if name == "huge" else 1e-100) - 1) <= 4 * EPS
            if name == "near parallel":
                assert 2.0**-46 < true < 2.0**-9
            if name == "near antiparallel":
                assert 2.0**-46 < mp.pi - true < 2.0**-9


def test_kernel_inputs_shrink_to_axes():
    found = find(kernel_inputs(2, kinds=["antiparallel", "zero", "orthogonal"]), lambda k: True)
    assert {tuple(row) for row in found.X} == {(1, 0), (-2, 0), (0, 0), (0, 1)}


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: spd_matrices(0), "n is 0; expected a whole number >= 1"),
        (lambda: spd_matrices(3.0), "n is 3.0"),
        (lambda: spd_matrices(3, 0.5), "condition is 0.5; expected 1 <= condition"),
        (
            lambda: spd_matrices(3, 1e15),
            r"condition is 1000000000000000.0; expected 1 <= condition <= 1/\(128 n ε\) = 1.2e\+13",
        ),
        (lambda: spd_matrices(1, 2.0), "a 1 × 1 matrix has condition 1"),
        (lambda: spd_matrices(3, float("nan")), "condition is nan"),
        (lambda: spd_matrices(3, scale=-1.0), "scale is -1.0; expected a finite number > 0"),
        (lambda: separable_data(3, 2, margin=0.0), "margin is 0.0"),
        (lambda: separable_data(3, True), "d is True"),
        (lambda: token_sets(2, 1, 3), "T is 1; expected a whole number >= 2"),
        (lambda: regression_tasks(3, 3, residual=1.0), "n = 3 points in d = 3 dimensions leave no room"),
        (lambda: regression_tasks(5, 3, residual=-1.0), "residual is -1.0"),
        (lambda: regression_tasks(5, 3, condition=0.0), "condition is 0.0"),
        (lambda: kernel_inputs(3, kinds=["colinear"]), "expected some of near parallel"),
        (lambda: kernel_inputs(1), "d is 1; expected a whole number >= 2 for the kind 'near parallel'"),
        (lambda: kernel_inputs(3, huge=0.1), "expected 0 < tiny <= 1 <= huge"),
    ],
)
def test_a_bad_argument_is_one_clear_error_where_the_strategy_is_made(call, words):
    with pytest.raises(ValueError, match=words):
        call()
