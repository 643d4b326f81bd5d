"""Activation patterns: exact enumeration against linear programs and sampling, counts, degenerate data."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from corollary.testing import guards
from corollary.theory import convex_relu


def columns(D) -> set[bytes]:
    return {column.tobytes() for column in np.asarray(D).T.astype("u1")}


def by_linear_programs(X) -> set[bytes]:
    """Naive twin: grow sign vectors row by row, keep those some g realises strictly (zero rows are on)."""
    n, d = X.shape
    found = [()]
    for k in range(n):
        grown = []
        for signs, s in itertools.product(found, (1, -1)):
            if not np.any(X[k]):
                if s == 1:
                    grown.append((*signs, 1))
                continue
            rows = [j for j in range(k + 1) if np.any(X[j])]
            A = -np.array([(*signs, s)[j] * X[j] for j in rows])
            feasible = linprog(np.zeros(d), A_ub=A, b_ub=-np.ones(len(rows)), bounds=[(None, None)] * d)
            if feasible.status == 0:
                grown.append((*signs, s))
        found = grown
    return columns((np.array(found).T + 1) // 2)


@guards(convex_relu.pattern_count, convex_relu.all_patterns)
@pytest.mark.parametrize("n, d", [(1, 1), (5, 1), (6, 2), (8, 3), (7, 4), (12, 4), (3, 5)])
def test_general_position_has_as_many_patterns_as_the_formula_says(n, d):
    X = np.random.default_rng(n * 10 + d).standard_normal((n, d))
    D = convex_relu.all_patterns(X)
    assert set(np.unique(D)) <= {0.0, 1.0}
    assert D.shape == (n, convex_relu.pattern_count(n, min(n, d))) and len(columns(D)) == D.shape[1]


def test_counts_known_by_hand():
    """n lines through the origin cut the plane into 2n cells; n points on a line give 2; n = r gives 2^r."""
    assert [convex_relu.pattern_count(n, 2) for n in (2, 5, 9)] == [4, 10, 18]
    assert convex_relu.pattern_count(7, 1) == 2 and convex_relu.pattern_count(5, 5) == 32


@guards(convex_relu.pattern_bound)
def test_the_papers_bound_holds_and_takes_its_value():
    assert convex_relu.pattern_bound(9, 2) == pytest.approx(4 * (4 * np.e) ** 2, rel=1e-15)
    for n, r in [(6, 2), (10, 3), (40, 7)]:
        assert convex_relu.pattern_count(n, r) <= convex_relu.pattern_bound(n, r)


ROWS = st.lists(st.lists(st.integers(-1, 1), min_size=3, max_size=3), min_size=1, max_size=5)


@settings(max_examples=12)
@given(ROWS)
def test_degenerate_data_against_linear_programs(rows):
    """Zero, duplicate, opposite and dependent rows: the same cells as the naive twin."""
    X = np.array(rows, dtype=float)
    assert columns(convex_relu.all_patterns(X)) == by_linear_programs(X)


def test_rank_deficient_data_have_the_count_of_their_rank():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((7, 2)) @ rng.standard_normal((2, 5))
    assert convex_relu.all_patterns(X).shape == (7, convex_relu.pattern_count(7, 2))


@guards(convex_relu.sample_patterns, convex_relu.sample_gates, convex_relu.patterns_of)
def test_sampled_patterns_are_distinct_and_realised_by_their_gates(backend):
    X = np.random.default_rng(1).standard_normal((7, 3))
    x = backend.asarray(X)
    gates = convex_relu.sample_gates(x, 200, np.random.default_rng(2))
    D = backend.numpy(convex_relu.patterns_of(x, gates))
    assert columns(D) <= columns(convex_relu.all_patterns(X)) and len(columns(D)) == D.shape[1] > 20
    again = backend.numpy(convex_relu.sample_patterns(x, 200, np.random.default_rng(2)))
    np.testing.assert_array_equal(D, again)
    # the first gate drawn is kept as it is: gates are standard normal columns in the order drawn
    first = np.random.default_rng(2).standard_normal((200, 3))[0]
    np.testing.assert_array_equal(backend.numpy(gates)[:, 0], first)
    np.testing.assert_array_equal(D, X @ backend.numpy(gates) >= 0)


def test_a_zero_row_is_always_on():
    X = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert np.all(convex_relu.all_patterns(X)[0] == 1)
    assert np.all(convex_relu.sample_patterns(X, 10, np.random.default_rng(0))[0] == 1)


def test_bad_input_of_patterns():
    X = np.random.default_rng(0).standard_normal((60, 8))
    with pytest.raises(ValueError, match=f"up to {convex_relu.pattern_count(60, 8)} patterns"):
        convex_relu.all_patterns(X)
    with pytest.raises(ValueError, match="count = 0"):
        convex_relu.sample_patterns(X, 0, np.random.default_rng(0))
    with pytest.raises(TypeError, match="Generator"):
        convex_relu.sample_patterns(X, 5, 0)  # pyright: ignore[reportArgumentType]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="rank"):
        convex_relu.pattern_count(3, 4)
    with pytest.raises(ValueError, match="r = 0"):
        convex_relu.pattern_bound(3, 0)
    with pytest.raises(ValueError, match="2 dimensions"):
        convex_relu.all_patterns(X[0])
