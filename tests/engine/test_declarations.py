"""What is wrong with a declaration is said at once: what was passed, what was expected."""

import json
from fractions import Fraction

import numpy as np
import pytest

from corollary import Bound, Claim, Experiment, Rate, Value
from corollary.claims import ClaimError
from corollary.verdicts import scaled


def normal(rng):
    return rng.standard_normal()


def of_size(n, rng):
    return rng.standard_normal() / n


def declared(**more):
    return Claim("mean zero", Value(0.0, resolution=1.0), measure=more.pop("measure", normal), id="test.zero", **more)


@pytest.mark.parametrize(
    "points, words",
    [
        ({"n": []}, r"test.zero: points=\{'n': \[\]\} hold no point"),
        ([], r"points=\[\] hold no point"),
        ({"smoke": {"n": [8]}, "laptop": {"n": [8]}, "paper": []}, "at scale paper hold no point"),
        ({"n": [8], "m": []}, "at least one value of every coordinate"),
        (5, "points=5: expected a list of dicts, or a dict from each coordinate to its values"),
    ],
)
def test_a_claim_without_points_is_refused_where_it_is_declared(points, words):
    """It used to end OUT_OF_DOMAIN after 0 replicates."""
    with pytest.raises(ClaimError, match=words):
        declared(measure=of_size, points=points)
    with pytest.raises(ClaimError, match=words.replace("test.zero", "experiment test.sizes")):
        Experiment("test.sizes", lambda point, seeds, xp: {"y": np.zeros(len(seeds))}, points=points)


def test_judging_nothing_is_no_verdict():
    from corollary.verdicts import walk

    with pytest.raises(ClaimError, match="no points to judge at"):
        walk(Value(0.0, resolution=1.0), [], lambda members: [])


@pytest.mark.parametrize(
    "rivals, words",
    [
        ([1.0], r"rivals=\[1.0\]: expected a dict from names to values"),
        ({"a": "x"}, "rival 'a' is 'x': expected a number, an array, scaled"),
        ({"a": "1.5"}, "rival 'a' is '1.5': expected a number"),
        ({"a": None}, "rival 'a' is None: expected a number"),
        ({"a": (-0.5, "log")}, "expected a number"),
        ({"a": np.array(["x"])}, "expected a number"),
        ({1: 2.0}, "the name 1 is no text"),
    ],
)
def test_rivals_are_names_and_values(rivals, words):
    with pytest.raises(ClaimError, match=words):
        declared(rivals=rivals)
    with pytest.raises(ClaimError, match=words):
        Value(0.0, resolution=1.0).judge(np.random.default_rng(0).standard_normal(64), rivals=rivals)


def test_every_sort_of_rival_passes():
    declared(rivals={"number": 3, "exact": Fraction(7, 2), "function": lambda: 3.0})
    Claim("array", Value(np.zeros(2), resolution=1.0), rivals={"list": [3.0, 3.0], "array": np.full(2, 3.0)})
    Claim("n ln n", Rate(1.0, resolution=0.1), measure=of_size, points={"n": [8, 16, 32, 64]},
          rivals={"with a logarithm": (2.0, 1.0)})  # fmt: skip
    Claim("at most one", Bound(1.0), rivals={"half": scaled(0.5)})


@pytest.mark.parametrize("root", [-1, 1.5, "3", True, None])
def test_a_seed_root_is_a_whole_number_from_0_on(root):
    claim = declared(rivals={"two": 2.0})
    for action in (claim.check, claim.verdict, claim.plan):
        with pytest.raises(ClaimError, match=f"root={root!r}: expected a seed root, a whole number from 0 on"):
            action(root=root)
    verdict = claim.check(root=np.int64(3))
    assert type(verdict.seed_root) is int and verdict.seed_root == 3 and json.dumps(verdict.to_json())
