"""Each kind confirms what is true, refutes what is false, rejects its rivals, and says when it cannot know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from corollary.verdicts import (
    Bound,
    ClaimError,
    Identity,
    Law,
    Order,
    Outcome,
    Rate,
    Threshold,
    Value,
    group_mean,
    judge,
    median,
    next_order,
    probability,
    ratio,
    rel,
    scaled,
    std,
)
from corollary.verdicts.rule import Interval, decide

SIZES = [64, 128, 256, 512, 1024]
ALONG = [{"n": n} for n in SIZES]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def words(verdict):
    return str(verdict.outcome), sorted(verdict.rivals_rejected)


# --- the rule -----------------------------------------------------------------------------------------------------
finite = st.floats(-10, 10)


@given(finite, st.floats(0, 5), finite, st.floats(0, 2), st.floats(0.01, 2), finite)
def test_an_interval_shorter_than_the_resolution_is_always_decided(lo, length, T, b, r, rho):
    """hi − lo ≤ r ⇒ REFUTED or (rivals apart) CONFIRMED; and a rival that the theory survives dies with it."""
    hi = lo + min(length, r)
    c = Interval(np.array([lo]), np.array([hi]))
    one = lambda x: np.array([x])  # noqa: E731
    alone = decide(c, one(T), one(b), one(r), {})
    edge = 1e-9  # rounding of T + b + r for numbers up to 20
    if lo > T + b + edge or hi < T - b - edge:
        assert alone.outcome is Outcome.REFUTED
    elif lo <= T + b and hi >= T - b and hi - lo <= r - edge:
        assert alone.outcome is Outcome.CONFIRMED
    if abs(rho - T) > 2 * b + 2 * r + edge and alone.outcome is Outcome.CONFIRMED:
        assert decide(c, one(T), one(b), one(r), {"rival": one(rho)}).killed["rival"] == 0


@given(finite, st.floats(0, 20), finite, st.floats(0, 2), st.floats(0.01, 2))
def test_confirmed_and_refuted_never_hold_together(lo, length, T, b, r):
    c = Interval(np.array([lo]), np.array([lo + length]))
    d = decide(c, np.array([T]), np.array([b]), np.array([r]), {})
    if d.outcome is Outcome.CONFIRMED:
        assert lo <= T + b and lo + length >= T - b
        assert lo >= T - b - r and lo + length <= T + b + r


def test_one_sided_claims_keep_one_half_of_each_test():
    c = Interval(np.array([0.0]), np.array([0.1]))
    at = lambda T, side: decide(c, np.array([T]), np.zeros(1), np.full(1, 0.2), {}, side).outcome  # noqa: E731
    assert at(5.0, "at most") is Outcome.CONFIRMED and at(-1.0, "at most") is Outcome.REFUTED
    assert at(-5.0, "at least") is Outcome.CONFIRMED and at(1.0, "at least") is Outcome.REFUTED
    assert at(5.0, "two") is Outcome.REFUTED


# --- Value --------------------------------------------------------------------------------------------------------
def test_value_of_means_medians_probabilities_and_ratios(rng):
    x = 2 + rng.standard_normal(1000)
    assert words(judge(Value(2.0, resolution=0.3), [x], rivals={"half": 1.0})) == ("CONFIRMED", ["half"])
    assert words(judge(Value(1.0, resolution=0.3), [x]))[0] == "REFUTED"
    cauchy = 2 + rng.standard_cauchy(1000)
    middle = Value(2.0, of=median, resolution=0.5)
    assert words(judge(middle, [cauchy], rivals={"zero": 0.0})) == ("CONFIRMED", ["zero"])
    bits = (rng.random(1000) < 0.2).astype(float)
    share = Value(0.2, of=probability, resolution=0.2)
    assert words(judge(share, [bits], rivals={"half": 0.5})) == ("CONFIRMED", ["half"])
    den = 1 + rng.random(1000)
    pair = np.stack([3 * den + rng.standard_normal(1000), den], axis=1)
    verdict = judge(Value(3.0, of=ratio, resolution=0.5), [pair], rivals={"inverse": 1 / 3})
    assert words(verdict) == ("CONFIRMED", ["inverse"])
    assert verdict.interval[0][0] < 3 < verdict.interval[0][1]
    assert words(judge(Value(2.0, of=ratio, resolution=0.5), [pair]))[0] == "REFUTED"


def test_a_two_per_cent_error_of_the_theory_is_refuted_when_the_resolution_says_so(rng):
    x = 2 + 0.1 * rng.standard_normal(1000)
    assert words(judge(Value(2.0, resolution=rel(0.01)), [x]))[0] == "CONFIRMED"
    assert words(judge(Value(2.04, resolution=rel(0.01)), [x]))[0] == "REFUTED"


def test_value_along_n_extrapolates_each_replicate_to_infinity(rng):
    """E y = 1 + 20/n: the largest size alone is off by 2 %, the intercept is not."""
    ys = [1 + 20 / n + rng.standard_normal(1000) / np.sqrt(n) for n in SIZES]
    assert words(judge(Value(1.0, along="n", resolution=0.02), ys, ALONG))[0] == "CONFIRMED"
    assert words(judge(Value(1.05, along="n", resolution=0.02), ys, ALONG))[0] == "REFUTED"


def test_arrays_are_judged_entry_by_entry(rng):
    T = np.arange(6.0).reshape(2, 3)
    x = T + 0.1 * rng.standard_normal((400, 2, 3))
    verdict = judge(Value(T, resolution=0.1), [x], rivals={"transposed": T.T.reshape(2, 3)})
    assert words(verdict) == ("CONFIRMED", ["transposed"]) and len(verdict.theory) == 6
    with pytest.raises(ClaimError, match=r"shape \(3, 2\)"):
        judge(Value(T.T, resolution=0.1), [x])


def test_too_few_replicates_are_underpowered_and_never_green(rng):
    assert words(judge(Value(0.0, resolution=0.01), [rng.standard_normal(50)]))[0] == "UNDERPOWERED"
    assert words(judge(Value(0.0, resolution=0.5), [np.zeros(50)]))[0] == "UNDERPOWERED"  # no spread, no knowledge


# --- Rate ---------------------------------------------------------------------------------------------------------
def power_law(rng, exponent, members=800, kappa=0.0):
    return [n**exponent * (1 + kappa / n) * rng.gamma(4, 0.25, members) for n in SIZES]


@pytest.mark.parametrize("exponent", [-1.0, -0.5, 0.5])
def test_rate_of_a_mean_with_unknown_constant(rng, exponent):
    y = power_law(rng, exponent)
    rivals = {"half an order more": exponent + 0.5, "half an order less": exponent - 0.5}
    assert words(judge(Rate(exponent, resolution=0.15), y, ALONG, rivals=rivals)) == ("CONFIRMED", sorted(rivals))
    assert words(judge(Rate(exponent + 0.5, resolution=0.15), y, ALONG))[0] == "REFUTED"


def test_rate_of_a_standard_deviation_by_groups(rng):
    y = [rng.standard_normal(1024) / np.sqrt(n) for n in SIZES]
    verdict = judge(Rate(-0.5, of=std, resolution=0.1), y, ALONG, rivals={"variance": -1.0, "constant": 0.0})
    assert words(verdict) == ("CONFIRMED", ["constant", "variance"])
    assert words(judge(Rate(-0.75, of=std, resolution=0.1), y, ALONG))[0] == "REFUTED"
    assert words(judge(Rate(-1.0, of=group_mean, resolution=0.1), power_law(rng, -1.0), ALONG))[0] == "CONFIRMED"


def test_rate_of_a_known_curve_tests_the_constant_too(rng):
    y = power_law(rng, -1.0, kappa=20)
    curve = lambda n: (1 + 20 / n) / n  # noqa: E731
    rivals = {"twice": lambda n: 2 / n, "other order": lambda n: (1 + 20 / n) * n**-0.5}
    assert words(judge(Rate(-1, curve=curve, resolution=0.1), y, ALONG, rivals=rivals))[0] == "CONFIRMED"
    assert words(judge(Rate(-1, curve=lambda n: 1.2 * curve(n), resolution=0.1), y, ALONG))[0] == "REFUTED"


def test_a_next_order_margin_saves_a_true_theorem_from_refutation(rng):
    """C/n (1 + 20/n): the plain slope is off by −0.088 and refutes; the declared margin covers exactly that."""
    y = power_law(rng, -1.0, members=8000, kappa=20)
    assert words(judge(Rate(-1, of=group_mean, group=16, resolution=0.05), y, ALONG))[0] == "REFUTED"
    honest = Rate(-1, of=group_mean, group=16, resolution=0.05, margin=next_order(1, 20), because="O(1/n) correction")
    verdict = judge(honest, y, ALONG)
    assert words(verdict)[0] == "CONFIRMED"
    assert verdict.margin[0] == pytest.approx(0.088, abs=0.034)  # the κ = −20 end is the larger: .121
    assert verdict.margin[0] == pytest.approx(0.121, abs=0.001)


def test_rates_refuse_what_they_cannot_judge(rng):
    with pytest.raises(ClaimError, match="at least 4 sizes"):
        judge(Rate(-1, resolution=0.1), power_law(rng, -1)[:3], ALONG[:3])
    with pytest.raises(ClaimError, match="no logarithm"):
        judge(Rate(-1, of=group_mean, resolution=0.1), [-y for y in power_law(rng, -1)], ALONG)
    with pytest.raises(ClaimError, match="never be told"):
        judge(Rate(-1, resolution=0.1, margin=0.3, because="?"), power_law(rng, -1), ALONG, rivals={"close": -0.9})


def test_deterministic_sequences_are_extrapolated_or_out_of_domain():
    n = 16 * 2 ** np.arange(6)
    points = [{"n": int(k)} for k in n]
    clean = [np.array([(1 + 5 / k) / k]) for k in n]
    verdict = judge(Rate(-1, sequence=True, resolution=0.02), clean, points, rivals={"root": -0.5})
    assert words(verdict) == ("CONFIRMED", ["root"]) and verdict.epsilon == 0
    logs = [np.array([np.log(k) / k]) for k in n]
    assert words(judge(Rate(-1, sequence=True, resolution=0.02), logs, points))[0] == "OUT_OF_DOMAIN"


# --- Bound, Law, Threshold, Order, Identity ---------------------------------------------------------------------------
def test_bound_is_refuted_by_one_violation_and_its_rivals_must_break(rng):
    x = rng.random(400)
    verdict = judge(Bound(1.0), [x], rivals={"half": 0.5})
    assert words(verdict) == ("CONFIRMED", ["half"]) and "largest lhs/rhs" in verdict.notes[0]
    assert words(judge(Bound(1.0), [np.r_[1.01, x]]))[0] == "REFUTED"
    assert words(judge(Bound(2.0), [x], rivals={"not tight": 1.5}))[0] == "UNDERPOWERED"
    pair = np.stack([x, np.ones(400)], axis=1)
    assert words(judge(Bound(), [pair], rivals={"half": scaled(0.5)})) == ("CONFIRMED", ["half"])
    often = judge(Bound(0.95, delta=0.05, resolution=0.1), [rng.random(2000)], rivals={"tighter": 0.7})
    assert words(often) == ("CONFIRMED", ["tighter"])


def test_law_of_scalars_with_and_without_atoms(rng):
    x = rng.standard_normal(4096)
    verdict = judge(Law(ndtr, resolution=0.1), [x], rivals={"wide": lambda x: ndtr(x / 1.5)})
    assert words(verdict) == ("CONFIRMED", ["wide"])
    assert words(judge(Law(lambda x: ndtr(x - 0.2), resolution=0.1), [x]))[0] == "REFUTED"
    relu = np.maximum(x, 0)
    F = lambda x: np.where(x < 0, 0, ndtr(x))  # noqa: E731
    left = lambda x: np.where(x <= 0, 0, ndtr(x))  # noqa: E731
    assert words(judge(Law(F, left, resolution=0.1), [relu]))[0] == "CONFIRMED"
    assert words(judge(Law(F, resolution=0.1), [relu]))[0] == "CONFIRMED"  # F just below x is F(x⁻)
    assert words(judge(Law(F, left=F, resolution=0.1), [relu]))[0] == "REFUTED"  # F(x) where F(x⁻) is meant


def test_law_of_spectra_sees_a_five_per_cent_error_of_the_radius(rng):
    N = 60
    spectra = []
    for _ in range(200):
        g = rng.standard_normal((N, N))
        spectra.append(np.linalg.eigvalsh(g + g.T) / np.sqrt(2 * N))

    def semicircle(x, radius=2.0):
        u = np.clip(np.asarray(x) / radius, -1, 1)
        return 0.5 + (u * np.sqrt(1 - u**2) + np.arcsin(u)) / np.pi

    law = Law(lambda x: semicircle(x), spectrum=(-2.0, 2.0), margin=0.6 / N, because="1/N bias of GOE", resolution=0.02)
    verdict = judge(law, [np.array(spectra)], rivals={"radius + 5 %": lambda x: semicircle(x, 2.1)})
    assert words(verdict) == ("CONFIRMED", ["radius + 5 %"])


def test_threshold_is_the_median_of_thresholds_or_of_brackets(rng):
    tau = 0.5 + 0.1 * rng.standard_cauchy(1000)
    assert words(judge(Threshold(0.5, resolution=0.1), [tau], rivals={"later": 0.8})) == ("CONFIRMED", ["later"])
    bracket = np.stack([tau - 0.01, tau + 0.01], axis=1)
    wide = judge(Threshold(0.5, resolution=0.1), [bracket])
    assert words(wide)[0] == "CONFIRMED" and words(judge(Threshold(0.9, resolution=0.1), [bracket]))[0] == "REFUTED"


def test_order_counts_ties_for_neither_side(rng):
    a = rng.random(300)
    pair = np.stack([a, a + 0.5], axis=1)
    assert words(judge(Order(), [pair], rivals={"no order": 0.5})) == ("CONFIRMED", ["no order"])
    assert words(judge(Order(), [pair[:, ::-1]]))[0] == "REFUTED"
    assert words(judge(Order(), [np.stack([a, a], axis=1)]))[0] == "UNDERPOWERED"


def square_of_sum(x):
    return np.sum(x) ** 2


def expanded(x):
    return np.sum(x**2) + 2 * sum(x[i] * x[j] for i in range(3) for j in range(i))


def test_identity_passes_to_rounding_and_sees_defects_below_any_usual_tolerance(rng):
    x = [0.5 + rng.random((32, 3))]
    rivals = {"cross terms dropped": lambda x: np.sum(x**2)}
    assert words(judge(Identity(square_of_sum, expanded), x, rivals=rivals)) == ("CONFIRMED", ["cross terms dropped"])
    for defect in (1e-7, 1e-11):
        off = judge(Identity(square_of_sum, lambda x, d=defect: expanded(x) * x.dtype.type(1 + d)), x)
        assert words(off)[0] == "REFUTED"
    nothing = Identity(lambda x: 0 * np.sum(x), lambda x: 0 * x[0], scaling=False, because="test")
    assert words(judge(nothing, x))[0] == "UNDERPOWERED"  # 0 = 0 proves nothing


# --- declarations ----------------------------------------------------------------------------------------------------
def test_declarations_that_cannot_be_judged_are_errors():
    with pytest.raises(ClaimError, match="needs resolution"):
        Value(1.0)
    with pytest.raises(ClaimError, match="because"):
        Value(1.0, resolution=0.1, margin=0.1)
    with pytest.raises(ClaimError, match="theory value that is 0"):
        judge(Value(0.0, resolution=rel(0.1)), [np.random.default_rng(0).random(20)])
    with pytest.raises(ClaimError, match="never be told"):
        judge(Value(1.0, resolution=0.1, margin=0.5, because="?"), [np.ones(20)], rivals={"near": 1.5})
    with pytest.raises(ClaimError, match="one array per point"):
        judge(Value(1.0, resolution=0.1), [np.ones(20), np.ones(20)])


def test_a_verdict_reads_and_serialises(rng):
    verdict = judge(Value(0.0, resolution=0.5), [rng.standard_normal(400)], rivals={"one": 1.0}, id="demo.zero")
    text, data = str(verdict), verdict.to_json()
    assert "demo.zero" in text and "rival 'one' rejected" in text
    assert data["outcome"] == "CONFIRMED" and data["rivals_rejected"] == ["one"]
    assert {"interval", "theory", "margin", "resolution", "epsilon", "n", "seed_root", "stream", "unstable"} <= set(
        data
    )
