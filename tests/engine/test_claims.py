"""A claim samples, decides, retries a refutation on a second root, and says what it will cost."""

import numpy as np
import pytest

from corollary import Claim, Experiment, Outcome, Rate, Refuted, Regime, Underpowered, Value, grid, printed, std
from corollary.claims import ClaimError, points_at
from corollary.store import MemoryStore


def kernel_entry(n, rng):
    """Empirical NTK at angle 1, one hidden ReLU layer."""
    w, a = rng.standard_normal((n, 2)), rng.standard_normal(n)
    u, v = w[:, 0], w @ np.array([np.cos(1), np.sin(1)])
    return np.mean((u > 0) * (v > 0) * (u * v + a**2 * np.cos(1)))


fluctuation = Claim(
    "The kernel fluctuates like width^(-1/2).",
    Rate(-1 / 2, of=std, along="n", resolution=0.10, margin=0.02, because="log-bias of groups of 8: 0.0023"),
    measure=kernel_entry,
    points={"n": [64, 128, 256, 512, 1024]},
    rivals={"does not self-average": 0, "variance taken for std": -1},
)


def normal(rng, mean=0.0):
    return mean + rng.standard_normal()


def test_the_example_of_the_specification():
    verdict = fluctuation.check()
    assert verdict.outcome is Outcome.CONFIRMED and len(verdict.rivals_rejected) == 2
    assert verdict.id == f"{__name__}:fluctuation"


def test_a_false_claim_raises_after_a_second_stream_refutes_it_too():
    with pytest.raises(Refuted, match="earlier: REFUTED") as caught:
        Claim("wrong", Value(1.0, resolution=0.5), measure=normal).check()
    assert caught.value.verdict.seed_root == 1 and caught.value.verdict.stream == 2


def test_a_budget_too_small_is_underpowered():
    with pytest.raises(Underpowered):
        Claim("vague", Value(0.0, resolution=0.01), measure=normal, replicates=32).check()


def test_an_expected_refutation_passes():
    rivals = {"as printed": printed(0.0)}
    claim = Claim("erratum", Value(1.0, resolution=0.5), measure=normal, expected="REFUTED", rivals=rivals)
    assert claim.check().as_expected


def test_points_outside_the_regime_are_left_out_before_looking():
    regime = Regime(lambda mean: mean < 1, because="only small means")
    claim = Claim("in part", Value(0.0, resolution=0.5), measure=normal, points=grid(mean=[0.0, 2.0]), regime=regime)
    verdict = claim.check()
    assert verdict.outcome is Outcome.CONFIRMED and verdict.out_of_domain == ["mean=2"]
    nowhere = Claim("nowhere", Value(0.0, resolution=0.5), measure=normal, points=grid(mean=[2.0]), regime=regime)
    assert nowhere.verdict().outcome is Outcome.OUT_OF_DOMAIN


def test_a_verdict_is_a_function_of_the_stream_and_budget_never_changes_a_decision():
    first, again = fluctuation.decide(), fluctuation.decide(budget=2000)
    assert first.interval == again.interval and first.n == again.n
    assert fluctuation.decide(root=5).interval != first.interval


def test_claims_share_the_blocks_of_an_experiment():
    calls = []

    def run(point, seeds, xp):
        calls.append(len(seeds))
        x = np.array([np.random.default_rng(s).standard_normal() for s in seeds])
        return {"x": x, "square": x**2}

    shared, store = Experiment("test.shared", run, [{}]), MemoryStore()
    Claim("mean", Value(0.0, resolution=0.6), measure=shared["x"]).check(store=store)
    before = len(calls)
    Claim("variance", Value(1.0, resolution=4.0), measure=shared["square"]).check(store=store)
    assert before > 0 and len(calls) == before
    with pytest.raises(ClaimError, match="no array 'y'"):
        Claim("typo", Value(0.0, resolution=1.0), measure=shared["y"]).check(store=store)


def test_the_plan_prints_separations_replicates_and_cost():
    plan = fluctuation.plan(seconds=1.0)
    assert "separation" in plan and "replicates to a decision" in plan and "s a replicate" in plan
    close = Claim("close", Value(0.0, resolution=0.5), measure=normal, rivals={"near": 0.4})
    assert "below 1" in close.plan()


def test_declarations_are_checked():
    with pytest.raises(ClaimError, match="takes no rng"):
        Claim("no rng", Value(0.0, resolution=1.0), measure=lambda n: n, points={"n": [1]}).check()
    with pytest.raises(ClaimError, match="asks for m"):
        Claim("m", Value(lambda m: 0.0, resolution=1.0), measure=normal).check()
    with pytest.raises(ClaimError, match="unknown scale"):
        fluctuation.check(scale="huge")
    with pytest.raises(ClaimError, match="because"):
        Regime(lambda: True, because="")
    with pytest.raises(ClaimError, match="expected one of Identity"):
        Claim("kind", "Value")  # pyright: ignore[reportArgumentType]


def test_points_are_lists_grids_or_either_by_scale():
    assert points_at({"n": [1, 2]}, "smoke") == [{"n": 1}, {"n": 2}]
    assert points_at({"smoke": [{"n": 1}], "laptop": {"n": [1, 2]}}, "laptop") == [{"n": 1}, {"n": 2}]
    assert points_at(None, "paper") == [{}]
    with pytest.raises(ClaimError, match="nothing is declared for scale 'paper'"):
        points_at({"smoke": []}, "paper")
