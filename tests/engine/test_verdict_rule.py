"""Laws of the decision rule: what holds for every interval, theory, margin, resolution and rival."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from corollary.verdicts import Outcome, Value, judge
from corollary.verdicts.intervals import mean_interval, mixture_quantile, probability_interval, quantile_interval
from corollary.verdicts.rule import Interval, Side, decide, words

# multiples of 1/64: sums and comparisons are exact, so that the laws hold without rounding slack
exact = st.integers(-640, 640).map(lambda k: k / 64)
width = st.integers(0, 320).map(lambda k: k / 64)
positive = st.integers(1, 320).map(lambda k: k / 64)
functional = st.tuples(exact, width, exact, width, positive)  # lo, length, T, b, r


def ruled(rows, rivals=None, side: Side = "two"):
    lo, length, T, b, r = (np.array(column) for column in zip(*rows, strict=True))
    return decide(Interval(lo, lo + length), T, b, r, rivals or {}, side)


@given(st.lists(functional, min_size=1, max_size=5))
def test_an_interval_no_longer_than_the_resolution_is_decided(rows):
    rows = [(lo, min(length, r), T, b, r) for lo, length, T, b, r in rows]
    assert ruled(rows).outcome is not None


@given(functional, positive)
def test_a_coarser_resolution_never_takes_a_decision_back(row, more):
    """Monotone in r: CONFIRMED stays CONFIRMED, REFUTED does not depend on r at all."""
    lo, length, T, b, r = row
    before, after = ruled([row]).outcome, ruled([(lo, length, T, b, r + more)]).outcome
    assert after == before if before else after in (None, Outcome.CONFIRMED)


@given(functional, positive)
def test_a_wider_margin_never_refutes_what_it_did_not(row, more):
    lo, length, T, b, r = row
    before, after = ruled([row]).outcome, ruled([(lo, length, T, b + more, r)]).outcome
    assert not (after is Outcome.REFUTED and before is not Outcome.REFUTED)
    assert not (before is Outcome.CONFIRMED and after is not Outcome.CONFIRMED)


@given(functional, width, width)
def test_a_shorter_interval_inside_keeps_every_word(row, cut_low, cut_high):
    """Along a stream of nested intervals decisions only appear."""
    lo, length, T, b, r = row
    assume(cut_low + cut_high <= length)
    before = ruled([row]).outcome
    after = ruled([(lo + cut_low, length - cut_low - cut_high, T, b, r)]).outcome
    assert after == before if before is Outcome.REFUTED else not (before and after is None)


@given(st.lists(functional, min_size=2, max_size=6), st.randoms(use_true_random=False), exact)
def test_the_order_of_functionals_is_irrelevant(rows, random, rho):
    rivals = {"rival": np.full(len(rows), rho)}
    shuffled = list(rows)
    random.shuffle(shuffled)
    a, b = ruled(rows, rivals), ruled(shuffled, rivals)
    assert a.outcome == b.outcome and (a.killed["rival"] is None) == (b.killed["rival"] is None)


@given(st.lists(functional, min_size=1, max_size=4), exact, st.sampled_from([-4.0, -1.0, 0.5, 2.0]), exact)
def test_shifting_and_scaling_everything_changes_nothing(rows, shift, scale, rho):
    def moved(lo, length, T, b, r):
        ends = sorted((scale * lo + shift, scale * (lo + length) + shift))
        return ends[0], ends[1] - ends[0], scale * T + shift, abs(scale) * b, abs(scale) * r

    a = ruled(rows, {"rival": np.full(len(rows), rho)})
    b = ruled([moved(*row) for row in rows], {"rival": np.full(len(rows), scale * rho + shift)})
    assert (a.outcome, a.killed) == (b.outcome, b.killed)


@given(functional)
def test_two_sided_is_both_one_sided_claims_together(row):
    lo, length, T, b, r = row
    c = Interval(np.array([lo]), np.array([lo + length]))
    T, b, r = np.array([T]), np.array([b]), np.array([r])
    refuted, inside = words(c, T, b, r)
    high, low = words(c, T, b, r, "at most"), words(c, T, b, r, "at least")
    assert refuted == (high[0] | low[0]) and inside == (high[1] & low[1])


@given(functional)
def test_mirroring_exchanges_at_most_and_at_least(row):
    lo, length, T, b, r = row
    mirrored = (-lo - length, length, -T, b, r)
    assert ruled([row], side="at most").outcome == ruled([mirrored], side="at least").outcome


@given(functional, positive)
def test_a_claim_at_most_holds_for_every_larger_value_too(row, more):
    lo, length, T, b, r = row
    if ruled([row], side="at most").outcome is Outcome.CONFIRMED:
        assert ruled([(lo, length, T + more, b, r)], side="at most").outcome is Outcome.CONFIRMED


@given(functional, exact)
def test_a_rival_dies_by_the_test_that_would_refute_it_as_a_theory(row, rho):
    lo, length, T, b, r = row
    killed = ruled([row], {"rival": np.array([rho])}).killed["rival"] is not None
    assert killed == (ruled([(lo, length, rho, b, r)]).outcome is Outcome.REFUTED)


@given(functional, exact)
def test_a_separable_rival_dies_whenever_a_short_interval_confirms(row, rho):
    """|ρ − T| > 2b + r and an interval no longer than r that touches [T − b, T + b]."""
    lo, length, T, b, r = row
    d = ruled([(lo, min(length, r), T, b, r)], {"rival": np.array([rho])})
    alone = ruled([(lo, min(length, r), T, b, r)]).outcome
    if abs(rho - T) > 2 * b + r and alone is Outcome.CONFIRMED:
        assert d.killed["rival"] == 0 and d.outcome is Outcome.CONFIRMED


@given(st.lists(functional, min_size=1, max_size=4), st.data())
def test_a_rival_that_says_nothing_is_not_killed_and_one_functional_is_enough(rows, data):
    silent = ruled(rows, {"rival": np.full(len(rows), np.nan)})
    assert silent.killed["rival"] is None and silent.outcome is not Outcome.CONFIRMED
    which = data.draw(st.integers(0, len(rows) - 1))
    speaks = np.full(len(rows), np.nan)
    speaks[which] = 1000.0
    assert ruled(rows, {"rival": speaks}).killed["rival"] == which


# --- intervals --------------------------------------------------------------------------------------------------------
samples = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).standard_t(3, size=(40, 2)))


@given(samples, st.sampled_from([-8.0, 0.25, 4.0]), st.integers(-64, 64))
def test_intervals_of_means_and_quantiles_move_with_the_data(x, scale, shift):
    """Powers of two and small integers: only the rounding of the sums differs, 1e-12 of the spread."""
    for interval in (mean_interval, lambda x, eps: quantile_interval(x, 0.5, eps)):
        lo, hi = interval(x, 1e-2)
        a, b = interval(scale * x + shift, 1e-2)
        want = np.sort(np.stack([scale * lo + shift, scale * hi + shift]), axis=0)
        np.testing.assert_allclose(np.stack([a, b]), want, atol=1e-11 * (np.abs(x).max() * abs(scale) + abs(shift)))


@given(samples, st.permutations(range(40)))
def test_the_order_within_a_look_is_irrelevant(x, order):
    for a, b in zip(mean_interval(x, 1e-2), mean_interval(x[list(order)], 1e-2), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(x).max())


@given(samples)
def test_less_error_costs_a_longer_interval(x):
    ends = [mean_interval(x, eps) for eps in (0.1, 1e-2, 1e-3)]
    for (lo, hi), (lower, higher) in zip(ends, ends[1:], strict=False):
        assert np.all(lower <= lo) and np.all(higher >= hi)


@given(st.integers(1, 200), st.data())
def test_a_probability_and_its_complement_have_mirrored_intervals(n, data):
    k = data.draw(st.integers(0, n))
    lo, hi = probability_interval(np.array([k]), n, 1e-2)
    a, b = probability_interval(np.array([n - k]), n, 1e-2)
    assert lo <= k / n <= hi
    np.testing.assert_allclose([a, b], [1 - hi, 1 - lo], atol=1e-12)  # bisection to 2⁻⁶⁰ of the unit interval


def test_the_quantile_is_a_positive_number_from_some_size_on():
    """No NaN, nothing negative, infinite only below some n."""
    for eps in (0.5, 0.05, 1e-3, 1e-6):
        q = np.array([mixture_quantile(n, eps) for n in range(1, 3000)])
        assert not np.isnan(q).any() and np.all(q > 0)
        finite = np.isfinite(q)
        assert np.all(np.diff(finite.astype(int)) >= 0) and finite[60:].all()
    assert mixture_quantile(1, 0.5) == np.inf


def test_many_functionals_share_one_epsilon():
    """1000 entries at once at the truth: at ε/J each no error; the binomial allows 10 of 40 at a rate of .05."""
    rng = np.random.default_rng(0)
    kind = Value(np.zeros(1000), margin=0.01, resolution=2.0, because="test")
    found = [judge(kind, [rng.standard_normal((120, 1000))], eps=0.05).outcome for _ in range(40)]
    assert found.count(Outcome.CONFIRMED) == 40
