"""Value and what every kind shares: coordinates, complex numbers, rounding, ties, skewness, evidence, separability."""

import numpy as np
import pytest

from corollary.verdicts import (
    ClaimError,
    Fixed,
    Law,
    Outcome,
    Rate,
    Threshold,
    Value,
    judge,
    median,
    next_order,
    probability,
    ratio,
    rel,
)


@pytest.fixture
def rng():
    return np.random.default_rng(13)


# --- arrays --------------------------------------------------------------------------------------------------------
def test_a_rival_coordinate_sees_what_no_single_entry_shows(rng):
    """400 entries, each off by ⅓σ: at 24 replicates no entry kills, the coordinate along the difference does."""
    T, rho = np.zeros((20, 20)), np.full((20, 20), 1 / 3)
    x = rng.standard_normal((24, 20, 20))
    verdict = judge(Value(T, resolution=1000.0), [x], rivals={"off by a third": rho})
    assert verdict.outcome is Outcome.CONFIRMED and verdict.killed_at == {"off by a third": "towards 'off by a third'"}
    assert len(verdict.functionals) == 401 and verdict.theory[-1] == 0.0
    assert all(lo < 1 / 3 < hi for lo, hi in verdict.interval[:-1])
    wrong = judge(Value(rho, resolution=1000.0), [x], rivals={"zero": T})
    assert wrong.outcome is Outcome.REFUTED


def test_the_margin_of_a_coordinate_is_what_margins_of_entries_allow(rng):
    """Entries off by b in the worst direction move the coordinate by exactly its margin: still not refuted."""
    gap = np.array([1.0, -2.0, 3.0, -4.0, 5.0, -6.0, 7.0, -8.0])
    b = 0.25
    x = b * np.sign(gap) + 0.02 * rng.standard_normal((400, 8))
    kind = Value(np.zeros(8), margin=b, resolution=0.5, because="test")
    verdict = judge(kind, [x], rivals={"other": gap})
    assert verdict.outcome is Outcome.CONFIRMED
    assert verdict.margin[-1] == pytest.approx(b * np.abs(gap).sum() / (gap @ gap), rel=1e-12)
    # .02 beyond the margin in every entry at 24 replicates: no entry's interval shows it, the coordinate's does
    beyond = judge(kind, [x[:24] + 0.02 * np.sign(gap)], rivals={"other": gap})
    assert beyond.outcome is Outcome.REFUTED and beyond.n == 24
    assert all(lo <= b and hi >= -b for lo, hi in beyond.interval[:-1])


def test_coordinates_share_half_of_epsilon_and_never_lose_a_true_rival(rng):
    """200 runs with the truth at the rival, ε = .05: the rival survives in all but the allowed number (27)."""
    T, rho = np.zeros(10), np.full(10, 0.5)
    kind = Value(T, resolution=4.0)
    killed = sum(
        "truth" in judge(kind, [rho + rng.standard_normal((36, 10))], rivals={"truth": rho}, eps=0.05).rivals_rejected
        for _ in range(200)
    )
    assert killed <= 27  # binom.ppf(1 − 1e-6, 200, .05)


def test_complex_values_are_two_numbers(rng):
    x = (1 + 2j) + 0.1 * (rng.standard_normal(200) + 1j * rng.standard_normal(200))
    verdict = judge(Value(1 + 2j, resolution=0.1), [x], rivals={"conjugate": 1 - 2j})
    assert verdict.outcome is Outcome.CONFIRMED and verdict.functionals == ["re", "im"]
    assert verdict.killed_at == {"conjugate": "im"}
    array = Value(np.array([1 + 2j, 0j]), resolution=0.2)
    assert judge(array, [np.stack([x, x - (1 + 2j)], 1)]).functionals == ["[0] re", "[0] im", "[1] re", "[1] im"]
    with pytest.raises(ClaimError, match="measurement is complex"):
        judge(Value(1.0, resolution=0.1), [x])
    with pytest.raises(ClaimError, match="rival is complex"):
        judge(Value(1.0, resolution=0.1), [x.real], rivals={"i": 1j})


# --- rounding, ties, skewness --------------------------------------------------------------------------------------
def test_the_rounding_of_a_measurement_widens_its_interval(rng):
    x = 1 + 0.001 * rng.standard_normal(200)
    plain = judge(Value(1.0, resolution=0.1), [x])
    wide = judge(Value(1.0, resolution=0.1, rounding=0.02), [x])
    assert plain.n == wide.n and wide.outcome is Outcome.CONFIRMED
    np.testing.assert_allclose(np.diff(wide.interval[0]) - np.diff(plain.interval[0]), 0.04, rtol=1e-9)
    off = 1.03 + 0.001 * rng.standard_normal(200)
    assert judge(Value(1.0, resolution=0.02), [off]).outcome is Outcome.REFUTED
    assert judge(Value(1.0, resolution=0.1, rounding=0.04), [off]).outcome is Outcome.CONFIRMED
    with pytest.raises(ClaimError, match="half of the resolution"):
        judge(Value(1.0, resolution=0.1, rounding=0.05), [x])
    with pytest.raises(ClaimError, match="of=ratio"):
        Value(1.0, of=ratio, resolution=0.1, rounding=0.1)


def test_many_ties_wait_for_128_replicates_and_are_told(rng):
    """Nine zeros of ten: at 32 replicates such means are missed .055 at a nominal .01."""
    x = np.where(rng.random(1000) < 0.9, 0.0, 10 + rng.standard_normal(1000))
    verdict = judge(Value(1.0, resolution=20.0), [x])
    assert verdict.n >= 128 and any("more than half of the replicates are equal" in note for note in verdict.notes)
    short = judge(Value(1.0, resolution=20.0), [x[:100]])
    assert short.outcome is Outcome.UNDERPOWERED and any("before 128" in note for note in short.notes)
    smooth = judge(Value(1.0, resolution=20.0), [1 + rng.standard_normal(1000)])
    assert smooth.n == 16 and not any("equal" in note for note in smooth.notes)


def test_nothing_is_decided_before_the_first_look(rng):
    x = 1 + rng.standard_normal(400)
    verdict = judge(Value(1.0, resolution=20.0, first_look=128), [x])
    assert verdict.n == 128 and verdict.looks == [128]
    assert judge(Value(1.0, resolution=20.0), [x]).n == 16
    with pytest.raises(ClaimError, match="would end first"):
        judge(Value(1.0, resolution=20.0, first_look=128), [x[:100]])
    with pytest.raises(ClaimError, match="first_look=0"):
        Value(1.0, resolution=20.0, first_look=0)


def test_skewed_data_are_flagged_and_symmetric_ones_are_not(rng):
    skewed = judge(Value(1.65, resolution=0.3), [np.exp(rng.standard_normal(400))])
    assert any("skewed" in note for note in skewed.notes)
    assert not any("skewed" in note for note in judge(Value(0.0, resolution=0.3), [rng.standard_normal(400)]).notes)


def test_a_fixed_design_looks_once_and_warns(rng):
    x = rng.standard_normal(100)
    verdict = judge(Value(0.0, resolution=20.0, design=Fixed(8)), [x])
    assert verdict.n == 8 and verdict.looks == [8] and verdict.outcome is Outcome.CONFIRMED
    assert any("near-symmetric" in note for note in verdict.notes) and verdict.evidence is None
    assert not judge(Value(0.0, resolution=5.0, design=Fixed(32)), [x]).notes[:-1]
    with pytest.raises(ClaimError, match="needs 200 members"):
        judge(Value(0.0, resolution=5.0, design=Fixed(200)), [x])
    for wrong in (2, 8.0):
        with pytest.raises(ClaimError, match="at least 3"):
            Fixed(wrong)  # pyright: ignore[reportArgumentType]


# --- evidence and report -------------------------------------------------------------------------------------------
def test_evidence_is_the_e_value_at_the_nearest_edge_of_the_zone():
    """x = ±1 in equal numbers: m = 0, s² = n/(n−1), so t against c is −c √(n−1)/… written out here."""
    n = 16
    x = np.tile([1.0, -1.0], n // 2)
    kind = Value(0.0, margin=0.1, resolution=0.1, because="test")
    verdict = judge(kind, [x], rivals={"one": 1.0}, eps=1e-3)
    a = 1 + 0.1 * n

    def log10_e(t):
        u = t**2 / (n - 1)
        return (-0.5 * np.log(a) + n / 2 * (np.log1p(u) - np.log1p(u / a))) / np.log(10)

    assert verdict.evidence == pytest.approx(log10_e(0.0), rel=1e-9)  # the mean lies inside the zone
    s = np.sqrt(n / (n - 1))
    assert verdict.evidence_rivals["one"] == pytest.approx(log10_e(0.9 / s * np.sqrt(n)), rel=1e-9)


def test_a_refutation_comes_with_evidence_beyond_one_over_epsilon(rng):
    """REFUTED at ε means e > 1/ε for the symmetric branch: log₁₀ e ≥ 3 at ε = 1e-3, for means, shares and medians."""
    x = 1 + rng.standard_normal(400)
    for kind, data in (
        (Value(0.0, resolution=0.1), x),
        (Value(0.2, of=probability, resolution=0.1), (rng.random(400) < 0.6).astype(float)),
        (Value(0.0, of=median, resolution=0.1), x),
    ):
        verdict = judge(kind, [data], eps=1e-3)
        assert verdict.outcome is Outcome.REFUTED and verdict.evidence is not None and verdict.evidence >= 3


def test_the_report_holds_what_a_reader_needs(rng):
    x = 0.3 + rng.standard_normal(400)
    verdict = judge(Value(0.3, resolution=0.5, margin=0.1, because="O(1/n)"), [x], rivals={"two": 2.0}, id="demo")
    verdict = verdict.with_(given="one data set")
    text, data = str(verdict), verdict.to_json()
    for part in ("error rate 0.001", "stream 1 of 1", "looks from 16", "resolutions off", "log10 e", "margin because",
                 "given one data set", "rival 'two' rejected"):  # fmt: skip
        assert part in text, part
    assert data["effect"][0] == pytest.approx((sum(data["interval"][0]) / 2 - 0.3) / 0.5)
    assert data["evidence"]["rivals"]["two"] > 3 and data["looks"][0] == 16 and data["looks"][-1] == data["n"]
    assert {"id", "outcome", "expected", "kind", "functionals", "interval", "theory", "margin", "resolution", "epsilon",
            "n", "rivals_rejected", "seed_root", "stream", "unstable"} <= set(data)  # fmt: skip


def test_a_one_sided_claim_is_called_so(rng):
    x = rng.standard_normal(400)
    low = judge(Value(5.0, resolution=0.5, side="at most"), [x])
    assert low.outcome is Outcome.CONFIRMED and "one-sided: the true value is at most the theory's" in low.notes
    assert judge(Value(-5.0, resolution=0.5, side="at most"), [x]).outcome is Outcome.REFUTED
    assert not any("one-sided" in note for note in judge(Value(0.0, resolution=0.5), [x]).notes)


# --- separability --------------------------------------------------------------------------------------------------
def test_separability_is_checked_before_anything_is_drawn_and_names_the_best_point():
    drawn = []
    kind = Value(lambda a: a, margin=0.5, resolution=0.1, because="test")
    points = [{"a": 1.0}, {"a": 2.0}]
    with pytest.raises(ClaimError, match=r"best point \(a=2\).*differ by 0.4"):
        from corollary.verdicts import walk

        walk(kind, points, lambda m: drawn.append(m) or [], rivals={"near": lambda a: 1.2 * a})
    assert not drawn


def test_one_separable_place_is_enough(rng):
    kind = Value(lambda a: a, margin=0.5, resolution=0.1, because="test")
    x = [a + 0.01 * rng.standard_normal(100) for a in (1.0, 8.0)]
    verdict = judge(kind, x, [{"a": 1.0}, {"a": 8.0}], rivals={"20 % more": lambda a: 1.2 * a})
    assert verdict.killed_at == {"20 % more": "a=8"}


def test_a_rival_between_two_margins_and_the_resolution_is_told(rng):
    verdict = judge(Value(0.0, resolution=0.5), [0.05 * rng.standard_normal(400)], rivals={"near": 0.3, "far": 3.0})
    assert verdict.outcome is Outcome.CONFIRMED
    notes = [note for note in verdict.notes if "may cost replicates" in note]
    assert len(notes) == 1 and "'near'" in notes[0] and "0.60" in notes[0]


def test_laws_closer_than_two_margins_are_refused_and_others_measured():
    from scipy.special import ndtr

    law = Law(ndtr, resolution=0.05, margin=0.02, because="test")
    separation = law.separation({"wide": lambda x: ndtr(x / 1.5)}, [{}], [()])
    assert separation["wide"] == pytest.approx(0.0968 / 0.09, abs=5e-3)  # sup|Φ(x) − Φ(x/1.5)| at x = 1.208: 0.0968
    with pytest.raises(ClaimError, match="never be told.*apart"):
        law.separation({"near": lambda x: ndtr(x / 1.05)}, [{}], [()])  # 0.0118 apart
    cauchy = lambda x: 0.5 + np.arctan(x) / np.pi  # noqa: E731
    assert Law(cauchy, resolution=0.1).separation({"normal": ndtr}, [{}], [()])["normal"] > 1
    half = Law(lambda x: np.where(x < 0, np.nan, 1 - np.exp(-np.abs(x))), resolution=0.1)  # only where data can be
    assert np.isnan(half.separation({"normal": ndtr}, [{}], [()])["normal"])


def test_shares_near_the_edge_and_thresholds_have_separations_too():
    with pytest.raises(ClaimError, match="never be told"):
        Threshold(1.0, resolution=0.1, margin=0.2, because="?").separation({"near": 1.3}, [{}], [()])
    with pytest.raises(ClaimError, match="never be told"):
        points = [{"n": n} for n in (64, 128, 256, 512)]
        Rate(-1, resolution=0.1, margin=next_order(1, 20), because="?").separation({"close": -0.9}, points, [()] * 4)


def test_a_width_that_is_not_a_positive_number_is_refused(rng):
    with pytest.raises(ClaimError, match="resolution = 0"):
        judge(Value(0.0, resolution=lambda: 0.0), [rng.random(20)])
    with pytest.raises(ClaimError, match="margin = nan"):
        judge(Value(0.0, resolution=1.0, margin=lambda: np.nan, because="?"), [rng.random(20)])
    with pytest.raises(ClaimError, match="theory is NaN"):
        judge(Value(np.nan, resolution=1.0), [rng.random(20)])
    with pytest.raises(ClaimError, match="differ in shape"):
        judge(Value(np.zeros(3), resolution=1.0), [rng.random((20, 3))], rivals={"four": np.zeros(4)})
    with pytest.raises(ClaimError, match="of Rate only"):
        judge(Value(1.0, resolution=1.0, margin=next_order(1, 1), because="?"), [rng.random(20)])
    with pytest.raises(ClaimError, match="is 0"):
        judge(Value(np.array([1.0, 0.0]), resolution=rel(0.1)), [rng.random((20, 2))])


def test_a_costly_theory_is_evaluated_once_per_point(rng):
    calls = []

    def theory(a):
        calls.append(a)
        return float(a)

    x = [a + rng.standard_normal(1000) for a in (1, 2)]
    judge(Value(theory, resolution=0.2), x, [{"a": 1}, {"a": 2}], rivals={"zero": 0.0})
    assert sorted(calls) == [1, 2]


def test_extrapolation_in_a_root_of_n(rng):
    """E y = 1 + 3 n^(−1/2): the line in 1/n is refuted, the line in n^(−1/2) is not."""
    points = [{"n": n} for n in (64, 128, 256, 512)]
    y = [1 + 3 / np.sqrt(p["n"]) + rng.standard_normal(2000) / np.sqrt(p["n"]) for p in points]
    assert judge(Value(1.0, along="n", gamma=0.5, resolution=0.05), y, points).outcome is Outcome.CONFIRMED
    assert judge(Value(1.0, along="n", resolution=0.05), y, points).outcome is Outcome.REFUTED
