"""Bound, Tight, Threshold, Order, Law, Identity where they are hard: searches, brackets, ties, atoms, fifty digits."""

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.special import ndtr, pdtr

from corollary.verdicts import (
    Bound,
    ClaimError,
    Identity,
    Law,
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


# --- Law ------------------------------------------------------------------------------------------------------------
def test_a_lattice_needs_no_special_care(rng):
    """Poisson(3): F(x⁻) is F just below x. Taken as F(x), 64 draws would already be refuted by P(X = 3) = .22."""
    F = lambda x: np.where(x < 0, 0.0, pdtr(np.maximum(x, 0), 3.0))  # noqa: E731
    x = rng.poisson(3.0, 4096).astype(float)
    rivals = {
        "Poisson(4)": lambda x: np.where(x < 0, 0.0, pdtr(np.maximum(x, 0), 4.0)),
        "normal": lambda x: ndtr(x - 3),
    }
    verdict = judge(Law(F, resolution=0.1), [x], rivals=rivals)
    assert verdict.outcome is Outcome.CONFIRMED and len(verdict.rivals_rejected) == 2
    assert judge(Law(F, left=F, resolution=0.1), [x]).outcome is Outcome.REFUTED


def test_dependent_points_are_no_law_of_scalars(rng):
    with pytest.raises(ClaimError, match="spectrum="):
        judge(Law(ndtr, resolution=0.1), [rng.standard_normal((100, 30))])
    with pytest.raises(ClaimError, match="values in"):
        judge(Law(lambda x: 2 * ndtr(x), resolution=0.1), [rng.standard_normal(100)])
    with pytest.raises(ClaimError, match="NaN"):
        judge(Law(ndtr, resolution=0.1), [np.full(100, np.nan)])


def semicircle(x, radius=2.0):
    u = np.clip(np.asarray(x) / radius, -1, 1)
    return 0.5 + (u * np.sqrt(1 - u**2) + np.arcsin(u)) / np.pi


def test_the_bias_of_a_finite_matrix_must_be_declared(rng):
    """GOE, N = 30: the Chebyshev means are off by up to .5/N. Declared (.6/N): confirmed, 10 % in radius rejected."""
    N = 30
    g = rng.standard_normal((1500, N, N))
    spectra = np.linalg.eigvalsh(g + np.swapaxes(g, 1, 2)) / np.sqrt(2 * N)
    honest = Law(semicircle, spectrum=(-2.0, 2.0), margin=0.6 / N, because="1/N bias of GOE", resolution=0.02)
    rivals = {"radius + 10 %": lambda x: semicircle(x, 2.2)}
    verdict = judge(honest, [spectra], rivals=rivals)
    assert verdict.outcome is Outcome.CONFIRMED and verdict.rivals_rejected == ["radius + 10 %"]
    careless = judge(Law(semicircle, spectrum=(-2.0, 2.0), resolution=0.002), [spectra])
    assert careless.outcome is Outcome.REFUTED
    with pytest.raises(ClaimError, match="eigenvalues of one matrix"):
        judge(honest, [spectra[:, 0]])


def test_chebyshev_means_of_a_law_are_its_moments():
    """Semicircle: E T_j = 0 but for E T_2 = −1/2; uniform: E T_2 = −1/3, E T_4 = −1/15. Midpoints to 1e-7."""
    T = Law(semicircle, spectrum=(-2.0, 2.0), resolution=1.0).targets([{}], [()])
    np.testing.assert_allclose(T, [0, -0.5, 0, 0, 0, 0, 0, 0], atol=1e-6)
    U = Law(lambda x: (x + 1) / 2, spectrum=(-1.0, 1.0), resolution=1.0).targets([{}], [()])
    np.testing.assert_allclose(U[[0, 1, 2, 3]], [0, -1 / 3, 0, -1 / 15], atol=1e-6)


# --- Identity -------------------------------------------------------------------------------------------------------
def variance(x):
    return np.mean((x - np.mean(x)) ** 2)


def by_pairs(x):
    return np.sum((x[:, None] - x[None, :]) ** 2) / (2 * x.dtype.type(x.size) ** 2)


def exact_variance(x):
    m = sum(x) / len(x)
    return sum((a - m) ** 2 for a in x) / len(x)


def exact_by_pairs(x):
    return sum((a - b) ** 2 for a in x for b in x) / (2 * mpmath.mpf(len(x)) ** 2)


def test_fifty_digits_catch_what_rounding_hides(rng):
    x = [rng.standard_normal((32, 5))]
    rivals = {"ddof 1": lambda x: np.var(x, ddof=1)}
    exact = judge(Identity(variance, by_pairs, exact=(exact_variance, exact_by_pairs)), x, rivals=rivals)
    assert exact.outcome is Outcome.CONFIRMED and any("50 digits" in note for note in exact.notes)

    def defect(size):
        return lambda x: exact_by_pairs(x) * (1 + mpmath.mpf(size))

    for size in ("1e-15", "1e-30", "1e-40"):
        off = judge(Identity(variance, by_pairs, exact=(exact_variance, defect(size))), x)
        assert off.outcome is Outcome.REFUTED
    with pytest.raises(ClaimError, match="is not `left`"):
        judge(Identity(variance, by_pairs, exact=(lambda x: 2 * exact_variance(x), exact_by_pairs)), x)
    with pytest.raises(ClaimError, match="exact= gives 5"):
        judge(Identity(variance, by_pairs, exact=(lambda x: x, lambda x: x)), x)


def test_an_identity_wants_its_32_inputs(rng):
    with pytest.raises(ClaimError, match="32 replicates are needed.*20 were given"):
        judge(Identity(variance, by_pairs), [rng.standard_normal((20, 5))])


def test_an_unstable_formula_needs_growth_with_a_reason(rng):
    """The one-pass variance at mean 300: true, but its rounding error is 10⁴ times that of the two-pass form."""
    x = [300 + rng.standard_normal((32, 8))]
    one_pass = lambda x: np.mean(x**2) - np.mean(x) ** 2  # noqa: E731
    assert judge(Identity(variance, one_pass), x).outcome is not Outcome.CONFIRMED
    with pytest.raises(ClaimError, match="because="):
        Identity(variance, one_pass, growth=1e5)


def test_complex_sides_are_compared_too(rng):
    x = [rng.standard_normal((32, 4))]

    def spectrum(x):
        k = np.arange(4)
        phases = np.exp(-2j * np.pi * np.outer(k, k) / 4).astype(np.result_type(x.dtype, np.complex64))
        return phases @ x

    rivals = {"conjugate": lambda x: np.conj(np.fft.fft(x))}
    identity = Identity(np.fft.fft, spectrum, scaling=False, because="numpy.fft.fft")
    with pytest.raises(ClaimError):  # a ufunc-like function of `a`, not of `x`: named arguments are required
        judge(identity, x, rivals=rivals)
    whole = Identity(lambda x: np.fft.fft(x), spectrum, scaling=False, because="FFT computes in double here")
    assert judge(whole, x, rivals=rivals).outcome is Outcome.CONFIRMED
