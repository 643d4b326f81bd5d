"""Every route of Rate: what it estimates, what a next order does to it, and what it refuses."""

from typing import Any

import numpy as np
import pytest

from corollary.verdicts import ClaimError, Fixed, Outcome, Rate, group_mean, judge, log_bias, next_order, rms, std
from corollary.verdicts.rate_bias import next_order_bias, slope_weights
from corollary.verdicts.richardson import extrapolated_exponent

SIZES = np.array([64.0, 128.0, 256.0, 512.0, 1024.0])
ALONG = [{"n": int(n)} for n in SIZES]
W = slope_weights(SIZES)


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def noisy(rng, mean, members=800, shape=10):
    return list((mean * rng.gamma(shape, 1 / shape, (members, len(mean)))).T)


# --- next orders ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kappa", "bias"), [(5, -0.024), (20, -0.088), (60, -0.214), (-20, 0.121)])
def test_the_slope_of_logs_is_off_by_the_published_amount(kappa, bias):
    """Σ w ln(1 + κ/n) on 64…1024, to the three digits of the specification."""
    assert W @ np.log(1 + kappa / SIZES) == pytest.approx(bias, abs=5e-4)


@pytest.mark.parametrize("route", ["logs", "ratio", "curve"])
def test_a_next_order_margin_covers_exactly_what_the_route_can_be_off_by(route):
    """Against the functionals of noiseless data at 50 values of κ: never beyond the margin, and attained at an end."""
    kind = Rate(-1, resolution=1.0, curve=(lambda n: 1 / n) if route == "curve" else None,
                **({"of": group_mean, "group": 2} if route == "logs" else {}))  # fmt: skip
    margin = np.array(next_order_bias(SIZES, W, next_order(1, 20), route))
    seen = []
    for kappa in np.linspace(-20, 20, 51):
        y = [np.full(2, (1 + kappa / n) / n) for n in SIZES]
        f = kind.functionals(y, ALONG)[0]
        found = {
            "logs": f - -1,
            "ratio": f[..., 0] / f[..., 1] if route == "ratio" else f,
            "curve": f - [1, 0][: len(f)],
        }
        seen.append(np.abs(found[route]))
    worst = np.max(seen, axis=0)
    np.testing.assert_allclose(worst, margin, rtol=1e-9)  # κ = ±20 is on both grids


def test_a_declared_next_order_saves_the_truth_in_every_route_and_a_plain_claim_refutes_it(rng):
    """C/n (1 + 20/n) with margin 0: refuted; with next_order(1, 20): confirmed; with n^(−1) taken out: confirmed."""
    y = noisy(rng, (1 + 20 / SIZES) / SIZES, members=4000, shape=40)
    margin: dict[str, Any] = {"margin": next_order(1, 20), "because": "O(1/n)"}
    assert judge(Rate(-1, resolution=0.05), y, ALONG).outcome is Outcome.REFUTED
    assert judge(Rate(-1, resolution=0.05, **margin), y, ALONG).outcome is Outcome.CONFIRMED
    assert judge(Rate(-1, resolution=0.1, correction=1.0), y, ALONG).outcome is Outcome.CONFIRMED
    curve = Rate(-1, curve=lambda n: 1 / n, resolution=0.05, **margin)
    assert judge(curve, y, ALONG).outcome is Outcome.CONFIRMED


def test_the_correction_is_exact_for_a_mean_and_costs_noise():
    """w ⟂ n^(−γ): E φ = 0 for every κ; the norm of the weights grows 2.78-fold on 64…1024."""
    w = slope_weights(SIZES, 1.0)
    np.testing.assert_allclose([w @ np.ones(5), w @ np.log(SIZES), w @ (1 / SIZES)], [0, 1, 0], atol=1e-12)
    assert np.linalg.norm(w) / np.linalg.norm(W) == pytest.approx(2.78, abs=0.01)
    assert w @ np.log(1 + 20 / SIZES) == pytest.approx(-0.0083, abs=1e-4)  # logs keep the second order
    assert w @ np.log(1 + 60 / SIZES) == pytest.approx(-0.048, abs=1e-3)


def test_a_correction_so_large_that_a_mean_vanishes_is_an_error(rng):
    kind = Rate(-1, resolution=0.1, margin=next_order(1, 70), because="?")
    with pytest.raises(ClaimError, match="negative at n = 64"):
        judge(kind, noisy(rng, 1 / SIZES), ALONG)


# --- logs of groups ------------------------------------------------------------------------------------------------
def test_the_log_bias_of_a_group_mean_is_the_published_one(rng):
    """Gamma shapes 2…32 along the sizes, groups of 4: +.0207 measured, .0203 by the formula."""
    shapes = np.array([2.0, 4.0, 8.0, 16.0, 32.0])
    kind = Rate(0.0, of=group_mean, group=4, resolution=1.0, margin=log_bias(cv=lambda n: (32 / n) ** 0.5),
                because="CV² = 1/shape")  # fmt: skip
    margin, _ = kind.zones(np.zeros(1), ALONG)
    assert margin[0] == pytest.approx(0.0203, abs=1e-4)
    y = [rng.gamma(a, 1 / a, 400_000) for a in shapes]
    measured = kind.functionals(y, ALONG).mean()
    # 100 000 groups: the slope's standard error is ‖w‖ · sd(ln t) / √1e5 < 0.36 · 0.4 / 316 = 5e-4
    assert measured == pytest.approx(0.0207, abs=2e-3)


def test_a_bound_on_the_cv_covers_every_change_with_n():
    kind = Rate(0.0, of=group_mean, group=4, resolution=1.0, margin=log_bias(cv=0.7), because="bounded CV")
    bound, _ = kind.zones(np.zeros(1), ALONG)
    rng = np.random.default_rng(0)
    for _ in range(200):
        cv = 0.7 * rng.random(5)
        assert abs(W @ (cv**2 / 8)) <= bound[0] + 1e-12
    step = np.where(W > 0, 0.7, 0.0)
    assert abs(W @ (step**2 / 8)) == pytest.approx(bound[0], rel=1e-12)


def test_the_bias_of_a_fluctuation_exponent_from_kurtosis():
    """Excess kurtosis 12·32/n on 64…1024 at S = 8: .061 by the formula (an upper estimate of .040 measured)."""
    kind = Rate(-0.5, of=std, resolution=0.1, margin=log_bias(kurtosis=lambda n: 12 * 32 / n), because="kurtosis")
    assert kind.zones(np.array([-0.5]), ALONG)[0][0] == pytest.approx(0.061, abs=5e-4)
    with pytest.raises(ClaimError, match="kurtosis="):
        Rate(-0.5, of=std, resolution=0.1, margin=log_bias(cv=1.0), because="?").zones(np.array([-0.5]), ALONG)
    with pytest.raises(ClaimError, match="one of"):
        log_bias()


def test_rms_about_a_known_mean_is_less_noisy_than_std(rng):
    """ψ'(S/2) for ψ'((S−1)/2): 7 % at S = 8, here to 3 % with 20 000 groups."""
    y = list(rng.standard_normal((5, 160_000)))
    spread = {s.name: Rate(0.0, of=s, resolution=1.0).functionals(y, ALONG).std() for s in (std, rms)}
    assert spread["std"] / spread["rms"] == pytest.approx(1.07, abs=0.03)


# --- logarithms, signs, floors -------------------------------------------------------------------------------------
@pytest.mark.parametrize("grouped", [False, True])
def test_a_power_of_the_logarithm_is_claimed_with_the_exponent(rng, grouped):
    y = noisy(rng, np.log(SIZES) / SIZES, members=4000, shape=40)
    more: dict[str, Any] = {"of": group_mean, "group": 8} if grouped else {}
    rivals = {"no logarithm": (-1, 0), "its square": (-1, 2), "half an order less": -0.5}
    verdict = judge(Rate(-1, log_power=1, resolution=0.1, **more), y, ALONG, rivals=rivals)
    assert verdict.outcome is Outcome.CONFIRMED and len(verdict.rivals_rejected) == 3
    assert judge(Rate(-1, resolution=0.1, **more), y, ALONG).outcome is Outcome.REFUTED  # .165 off


def test_a_curve_may_change_sign(rng):
    f = lambda n: 1 - n / 300  # noqa: E731
    y = [f(n) * (1 + 0.3 * rng.standard_normal(400)) for n in SIZES]
    rivals = {"twice": lambda n: 2 * f(n), "the root": lambda n: 1 - (n / 300) ** 0.5}
    assert judge(Rate(1, curve=f, resolution=0.2), y, ALONG, rivals=rivals).outcome is Outcome.CONFIRMED
    with pytest.raises(ClaimError, match="curve is 0"):
        judge(Rate(1, curve=lambda n: n - 256, resolution=0.2), y, ALONG)


def test_a_negative_mean_is_told_what_to_do(rng):
    verdict = judge(Rate(-1, resolution=0.1), [-y for y in noisy(rng, 1 / SIZES)], ALONG)
    assert verdict.outcome is Outcome.UNDERPOWERED and any("measure −y" in note for note in verdict.notes)


def test_nothing_is_decided_at_the_level_of_rounding(rng):
    y = noisy(rng, SIZES**-2.0)
    assert judge(Rate(-2, resolution=0.2), y, ALONG).outcome is Outcome.CONFIRMED
    verdict = judge(Rate(-2, resolution=0.2, rounding=1e-7), y, ALONG)  # 1024⁻² = 1e-6, ten roundings
    assert verdict.outcome is Outcome.UNDERPOWERED and any("n=1024" in note for note in verdict.notes)


def test_fixed_designs_reach_the_ratio_route_too(rng):
    """Eight replicates at one look: the sequential quantile would be infinite."""
    y = noisy(rng, 1 / SIZES, members=8, shape=100)
    verdict = judge(Rate(-1, resolution=0.3, design=Fixed(8)), y, ALONG, rivals={"root": -0.5})
    assert verdict.outcome is Outcome.CONFIRMED and any("near-symmetric" in note for note in verdict.notes)
    assert judge(Rate(-1, resolution=0.3), y, ALONG).outcome is Outcome.UNDERPOWERED


# --- deterministic sequences ---------------------------------------------------------------------------------------
N = 16.0 * 2.0 ** np.arange(6)


def test_richardson_covers_what_it_admits():
    """n⁻¹(1 + κ/n + μ/n²), |κ| ≤ 20, |μ| ≤ 400, n = 64…2048: .61 admitted, .998 of them covered (specification)."""
    N = 64.0 * 2.0 ** np.arange(6)
    rng = np.random.default_rng(4)
    admitted = covered = 0
    for _ in range(2000):
        kappa, mu = 20 * (2 * rng.random() - 1), 400 * (2 * rng.random() - 1)
        y = (1 + kappa / N + mu / N**2) / N
        if np.all(y > 0):
            end = extrapolated_exponent(N, y, 1.0)
            if not isinstance(end, str):
                admitted += 1
                covered += end[0] <= -1 <= end[1]
    assert 1000 < admitted < 1600 and covered / admitted > 0.99


@pytest.mark.parametrize(
    "tail", [np.log(N), np.log(np.log(N)), 1 + N**-0.5, 1 + 3 * N**-0.3, 1 + 0.1 * np.cos(2 * np.log(N))]
)
def test_richardson_admits_no_other_correction(tail):
    assert isinstance(extrapolated_exponent(N, tail / N, 1.0), str)


def test_a_sequence_at_its_floor_says_so():
    """Six sizes, the last within 100 roundings: five are left. With eight sizes six remain, and are enough."""
    longer = 16.0 * 2.0 ** np.arange(8)
    y = (1 + 5 / longer) * longer**-2.0
    assert "5 values" in str(extrapolated_exponent(longer[:6], y[:6], 1.0, rounding=y[5] / 90))
    ends = extrapolated_exponent(longer, y, 1.0, rounding=y[5] / 120)
    assert not isinstance(ends, str) and ends[0] <= -2 <= ends[1]
    points = [{"n": int(n)} for n in longer[:6]]
    kind = Rate(-2, sequence=True, resolution=0.02, rounding=float(y[5] / 90))
    verdict = judge(kind, [np.array([v]) for v in y[:6]], points)
    assert verdict.outcome is Outcome.OUT_OF_DOMAIN and "rounding" in verdict.notes[0]


def test_a_sequence_with_a_known_logarithm(rng):
    points = [{"n": int(n)} for n in N]
    y = [np.array([v]) for v in np.log(N) * (1 + 1 / N) / N]
    kind = Rate(-1, sequence=True, log_power=1, resolution=0.02)
    assert judge(kind, y, points, rivals={"other": -1.5}).outcome is Outcome.CONFIRMED
    with pytest.raises(ClaimError, match="same power"):
        judge(kind, y, points, rivals={"other": (-1, 0)})


# --- declarations --------------------------------------------------------------------------------------------------
def test_rate_judges_an_array_with_the_sizes_named(rng):
    """`Rate(...).judge(y, n=widths)`: pure, and says that the length was the user's."""
    y = np.stack(noisy(rng, 1 / SIZES), axis=1)
    verdict = Rate(-1, resolution=0.15).judge(y, n=[int(n) for n in SIZES], rivals={"root": -0.5})
    assert verdict.outcome is Outcome.CONFIRMED and "stream length fixed by you" in verdict.notes[-1]
    with pytest.raises(ClaimError, match=r"\(replicates, 3"):
        Rate(-1, resolution=0.15).judge(y, n=[1, 2, 3])
    with pytest.raises(ClaimError, match="one coordinate"):
        Rate(-1, resolution=0.15).judge(y, n=[1], m=[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"curve": lambda n: n, "log_power": 1}, "known curve"),
        ({"sequence": True, "correction": 1.0}, "gamma="),
        ({"group": 4}, "group="),
        ({"of": std, "curve": lambda n: n}, "of=mean"),
        ({"side": "above"}, "at most"),
        ({"margin": -1.0, "because": "?"}, "negative"),
    ],
)
def test_options_that_do_not_fit_together_are_errors(options, message):
    with pytest.raises(ClaimError, match=message):
        Rate(-1, resolution=0.1, **options)


def test_sizes_are_checked(rng):
    twice = [{"n": n} for n in (64, 64, 256, 512, 1024)]
    with pytest.raises(ClaimError, match="twice"):
        judge(Rate(-1, resolution=0.1), noisy(rng, 1 / SIZES), twice)
    with pytest.raises(ClaimError, match="one group of 8"):
        judge(Rate(-1, of=std, resolution=0.1, group=8), noisy(rng, 1 / SIZES, members=4), ALONG)
