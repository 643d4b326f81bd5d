"""Bound, Tight, Threshold and Order where they are hard: searches, witnesses, brackets, fresh runs, ties."""

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from corollary.verdicts import (
    Bound,
    ClaimError,
    Order,
    Outcome,
    Search,
    Threshold,
    Tight,
    judge,
    scaled,
)


@pytest.fixture
def rng():
    return np.random.default_rng(14)


unit = st.floats(0, 1)


# --- Bound ----------------------------------------------------------------------------------------------------------
def test_a_search_finds_the_violation_that_samples_do_not(rng):
    """x (1 − x) ≤ .24 fails on |x − ½| < .1 only: 200 draws near the ends see nothing, the search goes there."""
    x = 0.2 * rng.random(200)
    bound: dict[str, Any] = {"resolution": 0.1}
    assert judge(Bound(0.24, **bound), [x * (1 - x)], rivals={"sixth": 1 / 8}).outcome is Outcome.CONFIRMED
    searched = Bound(0.24, search=Search(lambda x: x * (1 - x), x=unit), **bound)
    verdict = judge(searched, [x * (1 - x)], rivals={"sixth": 1 / 8})
    assert verdict.outcome is Outcome.REFUTED and "{'x':" in verdict.notes[-2]
    true = Bound(0.25, search=Search(lambda x: x * (1 - x), x=unit), **bound)
    verdict = judge(true, [x * (1 - x)], rivals={"sixth": 1 / 8})
    assert verdict.outcome is Outcome.CONFIRMED
    largest = next(note for note in verdict.notes if "searched inputs" in note)
    assert float(largest.split(": ")[1].split(" at")[0]) > 0.99  # driven to the maximum at ½


def test_the_same_search_every_time(rng):
    search = Search(lambda x: (x, 1 + x), x=unit, examples=60)
    assert search.run(None) == search.run(None)
    kind = Bound(search=search)
    pair = np.stack([np.zeros(200), np.ones(200)], axis=1)
    with pytest.raises(ClaimError, match="strategies"):
        Search(lambda x: x)
    with pytest.raises(ClaimError, match="no theory="):
        judge(Bound(search=Search(lambda x: x, x=unit)), [pair])
    with pytest.raises(ClaimError, match="rhs positive"):
        Search(lambda x: (x, -1.0), x=unit).run(None)
    assert judge(kind, [pair]).outcome is Outcome.CONFIRMED


def test_a_confirmed_bound_says_how_often_it_may_fail(rng):
    verdict = judge(Bound(1.0, resolution=0.05), [rng.random(1000)], rivals={"half": 0.5})
    note = next(note for note in verdict.notes if "P(violation)" in note)
    assert float(note.split()[-1]) == pytest.approx(verdict.interval[0][1], rel=1e-2) and verdict.interval[0][1] <= 0.05


def test_a_refuted_bound_names_its_violation(rng):
    x = rng.random(400)
    x[37] = 1.5
    verdict = judge(Bound(1.0, resolution=0.01), [x])
    assert verdict.outcome is Outcome.REFUTED and any(
        "replicate 37" in note and "1.5 > 1" in note for note in verdict.notes
    )


@pytest.mark.parametrize(("p", "outcome"), [(0.0, "CONFIRMED"), (0.01, "CONFIRMED"), (0.15, "REFUTED")])
def test_a_bound_with_probability(rng, p, outcome):
    """δ = .05, r = .05: the shares of the specification's table where they are 1."""
    x = np.where(rng.random(2000) < p, 2.0, 0.5)
    assert judge(Bound(1.0, delta=0.05, resolution=0.05), [x], eps=0.01).outcome == outcome


def test_bounds_refuse_what_makes_no_sense(rng):
    with pytest.raises(ClaimError, match="no margin"):
        Bound(1.0, margin=0.1, because="?")
    with pytest.raises(ClaimError, match="lies in"):
        Bound(1.0, delta=1.0)
    with pytest.raises(ClaimError, match="single violation"):
        Bound(1.0, delta=0.1, search=Search(lambda x: x, x=unit))
    with pytest.raises(ClaimError, match="scaled"):
        judge(Bound(), [np.ones((20, 2))], rivals={"number": 3.0})
    with pytest.raises(ClaimError, match="NaN"):
        judge(Bound(1.0), [np.array([np.nan] * 20)])


def test_tightness_is_a_witness_and_no_more(rng):
    """One replicate at 95 % of the bound confirms; a best of 50 % proves nothing; sharper bounds are broken by it."""
    x = rng.random(400)
    verdict = judge(Tight(0.95, 1.0), [x], rivals={"half": 0.5, "nine tenths": 0.9})
    assert verdict.outcome is Outcome.CONFIRMED and len(verdict.rivals_rejected) == 2 and verdict.epsilon == 0
    assert judge(Tight(0.95, 1.0), [x / 2]).outcome is Outcome.UNDERPOWERED
    pair = np.stack([x, np.full(400, 2.0)], axis=1)
    assert judge(Tight(0.95), [pair]).outcome is Outcome.UNDERPOWERED
    with pytest.raises(ClaimError, match="sharper"):
        judge(Tight(0.9, 1.0), [x], rivals={"looser": 1.5})
    with pytest.raises(ClaimError, match=r"\(0, 1\]"):
        Tight(1.5)


def test_a_sharper_rival_of_a_measured_side(rng):
    pair = np.stack([rng.random(400), np.ones(400)], axis=1)
    verdict = judge(Bound(), [pair], rivals={"half": scaled(0.5), "not sharp": scaled(2.0)})
    assert verdict.outcome is Outcome.UNDERPOWERED and verdict.rivals_alive == ["not sharp"]


# --- Threshold ------------------------------------------------------------------------------------------------------
def success(rng, x, tau, runs=600):
    """A skewed response curve with P = ½ at τ."""
    return (rng.random(runs) < 1 - 2 ** -np.exp(2 * (x - tau))).astype(float)


def test_fresh_runs_at_two_places_bracket_the_threshold(rng):
    points = [{"x": 0.5}, {"x": 1.5}]
    data = [success(rng, p["x"], 1.0) for p in points]
    kind = Threshold(1.0, success="x", resolution=0.4, margin=0.1, because="test")
    verdict = judge(kind, data, points, rivals={"later": 2.0})
    assert verdict.outcome is Outcome.CONFIRMED and verdict.interval == [(0.5, 1.5)]
    late = [success(rng, p["x"], 2.5) for p in points]
    assert judge(kind, late, points).outcome is Outcome.REFUTED
    at_the_edge = [success(rng, p["x"], 1.5) for p in points]
    assert judge(kind, at_the_edge, points).outcome is not Outcome.CONFIRMED


def test_fresh_runs_need_points_that_can_confirm_and_a_growing_response(rng):
    kind = Threshold(1.0, success="x", resolution=0.4)
    with pytest.raises(ClaimError, match="points at 0.6 and 1.4"):
        judge(kind, [success(rng, 0.0, 1.0), success(rng, 3.0, 1.0)], [{"x": 0.0}, {"x": 3.0}])
    points = [{"x": 0.6}, {"x": 1.4}]
    with pytest.raises(ClaimError, match="must grow"):
        judge(kind, [success(rng, 3.0, 1.0), success(rng, -3.0, 1.0)], points)
    with pytest.raises(ClaimError, match="0 or 1"):
        judge(kind, [rng.random(100)] * 2, points)


def test_thresholds_of_several_settings_are_functionals_of_their_own(rng):
    points = [{"x": x, "d": d} for d in (1, 2) for x in (d - 0.5, d + 0.5)]
    data = [success(rng, p["x"], p["d"]) for p in points]
    kind = Threshold(lambda d: float(d), success="x", resolution=0.5)
    verdict = judge(kind, data, points, rivals={"constant": 1.0})
    assert verdict.outcome is Outcome.CONFIRMED and verdict.functionals == ["d=1", "d=2"]


def test_brackets_extrapolate_with_both_ends(rng):
    """τ_n = 1 + 2/n in brackets ±w: the interval is wider than that of exact τ by the weights' absolute sum times w."""
    points = [{"n": n} for n in (8, 16, 32, 64)]
    tau = [1 + 2 / p["n"] + 0.05 * rng.standard_normal(400) for p in points]
    w = 0.01
    exact = judge(Threshold(1.0, along="n", resolution=0.2), tau, points)
    ends = judge(Threshold(1.0, along="n", resolution=0.2), [np.stack([t - w, t + w], 1) for t in tau], points)
    assert exact.outcome is ends.outcome is Outcome.CONFIRMED
    assert ends.interval[0][0] < exact.interval[0][0] and ends.interval[0][1] > exact.interval[0][1]
    with pytest.raises(ClaimError, match="lower end exceeds"):
        judge(Threshold(1.0, along="n", resolution=0.2), [np.stack([t + w, t - w], 1) for t in tau], points)


# --- Order ----------------------------------------------------------------------------------------------------------
def test_no_order_is_always_a_rival_and_ties_are_told(rng):
    a = rng.random(300)
    b = np.where(np.arange(300) % 3 == 0, a, a + 1)
    verdict = judge(Order(), [np.stack([a, b], axis=1)])
    assert verdict.outcome is Outcome.CONFIRMED and verdict.rivals_rejected == ["no order"]
    assert "8 of 24 pairs are ties, which count for neither side" in verdict.notes


def test_how_far_apart_is_a_value_of_the_difference(rng):
    a = rng.random(300)
    pair = np.stack([a, a + 0.5 + 0.1 * rng.standard_normal(300)], axis=1)
    verdict = judge(Order(by=0.5, resolution=0.2), [pair], rivals={"less": 0.1})
    assert verdict.outcome is Outcome.CONFIRMED and set(verdict.rivals_rejected) == {"less", "no order"}
    assert judge(Order(by=0.8, resolution=0.1), [pair]).outcome is Outcome.REFUTED
    assert judge(Order(by=0.1, resolution=0.1), [pair]).outcome is Outcome.CONFIRMED  # at least
    with pytest.raises(ClaimError, match="needs resolution"):
        Order(by=0.5)
    with pytest.raises(ClaimError, match="must be positive"):
        judge(Order(by=0.0, resolution=0.1), [pair])
    with pytest.raises(ClaimError, match="lies in"):
        Order(0.5)


def test_thirteen_agreeing_pairs_are_enough():
    """2¹³ B(13.5, .5)/π > 1000: the least number of pairs at ε = 1e-3, so the first look decides."""
    pair = np.stack([np.zeros(16), np.ones(16)], axis=1)
    assert judge(Order(), [pair[:13]]).outcome is Outcome.CONFIRMED
    assert judge(Order(), [pair[:12]]).outcome is Outcome.UNDERPOWERED
