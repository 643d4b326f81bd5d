"""Streams are kept and shown: restarting with new seeds is the only harm, so it is counted."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from corollary import Bound, Claim, Outcome, Value
from corollary.claims.fingerprint import fingerprint
from corollary.run.history import first_stage, monitor, with_history


def coin(rng):
    return rng.standard_normal()


def entry(claim, root, outcome, streams=None, **more):
    return {"claim": claim.name, "fingerprint": claim.fingerprint(), "scale": "laptop", "seed_root": root,
            "outcome": outcome, "expected": "CONFIRMED", "epsilon": 1e-3, "unstable": False,
            "streams": [[root, outcome]] if streams is None else streams, **more}  # fmt: skip


zero = Claim("mean zero", Value(0.0, resolution=0.6), measure=coin, id="test.zero", rivals={"one": 1.0})


def test_the_report_says_which_stream_of_how_many_this_is():
    """Two earlier roots, one of them refuted before its repetition: stream 4 of 4."""
    log = [
        entry(zero, 8, "CONFIRMED", [[7, "REFUTED"], [8, "CONFIRMED"]], unstable=True),
        entry(zero, 9, "UNDERPOWERED"),
        entry(zero, 9, "UNDERPOWERED"),  # the same root again is the same stream
    ]
    verdict = with_history(zero.check(root=1), zero.fingerprint(), "laptop", log)
    assert verdict.stream == 4 and verdict.earlier == ["REFUTED", "CONFIRMED", "UNDERPOWERED"]
    assert verdict.streams[-1] == (1, "CONFIRMED")
    assert "stream 4 of 4 (earlier: REFUTED, CONFIRMED, UNDERPOWERED)" in str(verdict)
    assert verdict.to_json()["streams"][0] == [7, "REFUTED"]


def test_judging_a_known_root_again_is_the_same_stream():
    verdict = with_history(zero.check(root=9), zero.fingerprint(), "laptop", [entry(zero, 9, "CONFIRMED")])
    assert (verdict.stream, verdict.earlier) == (1, [])


def test_another_declaration_starts_a_new_history_and_the_old_one_stays_visible():
    before = Claim("mean zero", Value(0.0, resolution=0.3), measure=coin, id="test.zero", rivals={"one": 1.0})
    verdict = with_history(zero.check(), zero.fingerprint(), "laptop", [entry(before, 0, "REFUTED")])
    assert verdict.stream == 1
    assert any("declared differently" in note and "REFUTED" in note for note in verdict.notes)


@pytest.mark.parametrize(
    "other",
    [
        Claim("mean zero", Value(0.0, resolution=0.5), measure=coin, id="test.zero", rivals={"one": 1.0}),
        Claim("mean zero", Value(0.1, resolution=0.6), measure=coin, id="test.zero", rivals={"one": 1.0}),
        Claim("mean zero", Value(0.0, resolution=0.6), measure=coin, id="test.zero", rivals={"one": 1.1}),
        Claim("mean zero", Value(0.0, resolution=0.6), measure=coin, id="test.zero", rivals={"one": 1.0}, eps=1e-2),
        Claim("mean zero", Value(np.zeros(1), resolution=0.6), measure=coin, id="test.zero", rivals={"one": 1.0}),
    ],
)
def test_resolution_theory_rivals_and_error_rate_are_part_of_the_claim(other):
    assert other.fingerprint() != zero.fingerprint()


def test_the_source_of_a_theory_is_part_of_the_claim():
    assert fingerprint(lambda n: n + 1) != fingerprint(lambda n: n + 2)
    again = Claim("mean zero", Value(0.0, resolution=0.6), measure=coin, id="test.zero", rivals={"one": 1.0})
    assert again.fingerprint() == zero.fingerprint()


def test_a_verdict_keeps_both_its_streams():
    wrong = Claim("mean one", Value(1.0, resolution=0.5), measure=coin, expected="REFUTED", rivals={"zero": 0.0})
    verdict = wrong.check(root=3)
    assert verdict.streams == [(3, "REFUTED"), (4, "REFUTED")] and not verdict.unstable


def sometimes_large(rng):
    return 2.0 if rng.random() < 0.02 else 0.5


def test_a_counterexample_is_not_overruled_by_a_stream_without_one():
    """At 16 replicates each stream shows a violation with probability .28: one is enough for ever."""
    bound = Claim("≤ 1", Bound(1.0), measure=sometimes_large, replicates=16)
    roots = [root for root in range(40) if bound.decide(root=root).outcome is Outcome.REFUTED]
    alone = next(root for root in roots if root + 1 not in roots)
    verdict = bound.verdict(root=alone)
    assert verdict.outcome is Outcome.REFUTED and verdict.seed_root == alone and not verdict.unstable


def test_first_stage_refutations_are_counted_against_their_binomial():
    """One alarm in 500 verdicts at 1e-3 is nothing, six are a broken calibration: P(6 or more) = 1.4e-5."""
    log = [entry(zero, r, "CONFIRMED", fresh=True) for r in range(0, 1000, 2)]
    log[0] = entry(zero, 1, "CONFIRMED", [[0, "REFUTED"], [1, "CONFIRMED"]], fresh=True)
    count, verdicts, p = first_stage(log)
    assert (count, verdicts) == (1, 500) and p > 0.3
    assert "1 of 500" in monitor(log) and "NOT KEPT" not in monitor(log)
    for i in range(1, 6):
        log[i] = entry(zero, 2 * i + 1, "CONFIRMED", [[2 * i, "REFUTED"], [2 * i + 1, "CONFIRMED"]], fresh=True)
    assert first_stage(log)[2] < 1e-4
    assert "ERROR RATES ARE NOT KEPT" in monitor(log) and "6 of 500" in monitor(log)
    fixed = [{**e, "fresh": False} for e in log]
    assert monitor(fixed) == ""
    assert first_stage(fixed) == (0, 0, 1.0)  # a fixed root says nothing new the second time


def test_the_log_of_runs_over_the_whole_catalogue_stays_readable(tmp_path):
    """A row counts the papers, their names stand once below the table; bars in names do not break the table."""
    papers = [f"paper{k}" for k in range(24)]
    lines = [
        entry(zero, root, "CONFIRMED", fresh=True, run=f"run {root}", date="2026-11-28", device="cpu")
        | {"root": root, "claim": f"{paper}.a|b"}
        for root in (4, 5) for paper in papers
    ]  # fmt: skip
    lines[24 + 3] |= {"outcome": "UNDERPOWERED"}
    lines.append(lines[0] | {"run": "alone", "root": 6, "claim": "my_claims:right"})
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [sys.executable, "-m", "corollary.cli", "log", "--out", str(tmp_path)]
    for options in (["--markdown"], []):
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=True, timeout=120).stdout
        assert done.count("24 papers or files") == 3 and done.count("paper7, paper8") == 1
        assert "24 of 24" in done and "23 of 24" in done and "my_claims" in done
        assert "3 runs, 49 verdicts, 48 as expected; on fresh seeds 0 of 49" in done
        assert max(len(line) for line in done.splitlines() if not line.startswith("24 papers")) < 200
    table = subprocess.run([*command, "--markdown"], capture_output=True, text=True, check=True).stdout.splitlines()[:5]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {8}
    assert "paper3.a\\|b UNDERPOWERED" in table[3]
