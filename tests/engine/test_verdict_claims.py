"""What a claim checks when it is declared, what its plan costs, and what reaches the report."""

import numpy as np
import pytest

from corollary import Claim, Experiment, Fixed, Rate, Regime, Value, probability, std
from corollary.claims import ClaimError
from corollary.store import MemoryStore


def normal(rng, mean=0.0):
    return mean + rng.standard_normal()


WIDE = {"margin": 0.5, "because": "test", "resolution": 0.5}


def test_plain_numbers_are_checked_where_they_are_declared():
    """Nothing is evaluated, nothing drawn: a rival within two margins is refused by the constructor."""
    with pytest.raises(ClaimError, match="'near' can never be told.*differ by 0.9"):
        Claim("close", Value(0.0, **WIDE), measure=normal, rivals={"near": 0.9})
    with pytest.raises(ClaimError, match="can never be told"):
        Claim("close", Value(np.zeros(3), **WIDE), rivals={"near": np.full(3, 0.9)})
    with pytest.raises(ClaimError, match="at least 4 sizes"):
        Claim("short", Rate(-1, resolution=0.1), measure=normal, points={"n": [1, 2, 3]}, rivals={"root": -0.5})
    Claim("fine", Value(0.0, **WIDE), measure=normal, rivals={"far": 1.1})


def test_every_scale_that_is_declared_is_checked():
    sizes = {"smoke": {"n": [8, 16, 32, 64]}, "laptop": {"n": [8, 16, 32, 64, 128]}, "paper": {"n": [8, 16]}}
    with pytest.raises(ClaimError, match="at least 4 sizes"):
        Claim("at paper", Rate(-1, of=std, resolution=0.1), measure=normal, points=sizes, rivals={"root": -0.5})
    experiment = Experiment("test.sizes", lambda point, seeds, xp: {"y": np.zeros(len(seeds))}, points=sizes)
    with pytest.raises(ClaimError, match="at least 4 sizes"):
        Claim("shared", Rate(-1, of=std, resolution=0.1), measure=experiment["y"], rivals={"root": -0.5})


def test_functions_are_checked_before_anything_is_drawn():
    drawn = []

    def measure(rng):
        drawn.append(1)
        return rng.standard_normal()

    claim = Claim("close", Value(lambda: 0.0, **WIDE), measure=measure, rivals={"near": lambda: 0.9})
    for action in (claim.check, claim.plan, lambda: claim.separations("laptop")):
        with pytest.raises(ClaimError, match="can never be told"):
            action()
    assert not drawn


def test_separations_leave_out_points_outside_the_regime():
    regime = Regime(lambda mean: mean < 1, because="test")
    claim = Claim("in part", Value(lambda mean: mean, resolution=0.5), measure=normal, regime=regime,
                  points=[{"mean": 0.0}, {"mean": 2.0}], rivals={"one more": lambda mean: mean + 1})  # fmt: skip
    assert claim.separations("laptop") == {"one more": 2.0}
    nowhere = Claim("nowhere", Value(lambda mean: mean, resolution=0.5), measure=normal, regime=regime,
                    points=[{"mean": 2.0}], rivals={"one more": lambda mean: mean + 1})  # fmt: skip
    assert nowhere.separations("laptop") == {} and "nothing to run" in nowhere.plan()


def test_a_plan_runs_the_pilot_only_and_the_claim_reuses_it():
    """16 replicates, which are the prefix of the stream: with the same store the check does not draw them again."""
    drawn = []

    def run(point, seeds, xp):
        drawn.extend(seeds)
        return {"x": np.array([np.random.default_rng(seed).standard_normal() for seed in seeds])}

    experiment = Experiment("test.pilot", run, source=normal)  # the key leaves out what `run` counts
    claim = Claim("zero", Value(0.0, resolution=1.0), measure=experiment["x"], rivals={"two": 2.0})
    store = MemoryStore()
    text = claim.plan(seconds=2.0, store=store)
    assert len(drawn) == 16
    verdict = claim.check(store=store)
    assert len(drawn) == -(-verdict.n // 16) * 16
    for part in ("separation 2.00", "replicates to a decision", "the budget shows discrepancies", "2 s buy"):
        assert part in text, text


def test_the_plans_numbers_are_what_the_judge_takes():
    """σ = 1, r = .5: the worst case by (2 q s/r)² is 250 to 500 at ε = 1e-3, and 40 streams stay below twice it."""
    claim = Claim("zero", Value(0.0, resolution=0.5), measure=normal, rivals={"one": 1.0})
    line = next(line for line in claim.plan().splitlines() if "replicates to a decision" in line)
    typical, worst = (int(word) for word in line.replace(",", " ").split() if word.isdigit())
    assert 60 < typical < worst < 1000
    taken = [claim.decide(root=root).n for root in range(40)]
    # looks grow by 1.5, the pilot's s is off by a factor of up to 1.5: the judge needs no more than that
    assert max(taken) <= 1.5 * 1.5**2 * worst and 0.3 * typical < np.mean(taken) < 3 * typical


def test_a_declared_kind_can_be_copied_with_another_design():
    """`design=` on the claim copies the kind; a Rate without groups must survive that."""
    claim = Claim("1/n", Rate(-1, resolution=0.5), measure=lambda n, rng: rng.gamma(100, 0.01) / n, design=Fixed(12),
                  points={"n": [8, 16, 32, 64]}, rivals={"root": -0.5})  # fmt: skip
    verdict = claim.check()
    assert verdict.n == 12 and verdict.looks == [12]


def test_an_underpowered_verdict_says_what_would_decide():
    vague = Claim("zero", Value(0.0, resolution=0.1), measure=normal, replicates=64)
    verdict = vague.verdict()
    (note,) = [note for note in verdict.notes if note.startswith("undecided")]
    needed = float(note.split("about ")[1].split()[0])
    (lo, hi) = verdict.interval[0]
    assert needed == pytest.approx(64 * ((hi - lo) / 0.1) ** 2, rel=0.05)
    assert Claim("zero", Value(0.0, resolution=0.1), measure=normal, replicates=int(needed)).check().n <= needed


def test_plans_of_ratios_and_of_shares():
    rate = Claim("1/n", Rate(-1, resolution=0.2), measure=lambda n, rng: rng.gamma(10, 0.1) / n,
                 points={"n": [8, 16, 32, 64]}, rivals={"root": -0.5})  # fmt: skip
    assert "replicates to a decision" in rate.plan()
    share = Claim("half", Value(0.5, of=probability, resolution=0.2), measure=lambda rng: rng.random() < 0.5)
    assert "s a replicate" in share.plan() and "to a decision" not in share.plan()


def test_what_is_held_fixed_and_how_sure_one_is_reach_the_report():
    claim = Claim("zero", Value(0.0, resolution=1.0), measure=normal, rivals={"two": 2.0}, given="one data set")
    verdict = claim.check(eps=0.05)
    assert "given one data set" in str(verdict) and verdict.to_json()["given"] == "one data set"
    assert verdict.epsilon == 0.05
    for eps in (0.0, 1.0, -1):
        with pytest.raises(ClaimError, match="strictly between 0 and 1"):
            claim.check(eps=eps)
    with pytest.raises(ClaimError, match="budget=0"):
        claim.check(budget=0)


def test_a_repeated_verdict_states_what_two_streams_promise():
    wrong = Claim("one", Value(1.0, resolution=0.5), measure=normal, expected="REFUTED")
    assert any("2 eps" in note for note in wrong.check().notes)
    right = Claim("zero", Value(0.0, resolution=0.5), measure=normal)
    assert not any("2 eps" in note for note in right.check().notes)
