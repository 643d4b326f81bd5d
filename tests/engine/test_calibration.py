"""The tester tested: wrong words come no more often than stated, and a judge that is wrong is caught.

Every allowance is the binomial quantile that a judge at its nominal rate exceeds with probability 1e-6.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from corollary.verdicts import Value, judge
from corollary.verdicts.calibration import mutants
from corollary.verdicts.calibration.harness import CONFIRMED, REFUTED, decided, ever_missed
from corollary.verdicts.calibration.laws import LAWS
from corollary.verdicts.calibration.rows import PLACES, rows
from corollary.verdicts.calibration.table import (
    BEGIN,
    END,
    MUTANT_RUNS,
    allowed,
    caught_on,
    insert,
    render,
    suspects,
    write,
    wrong_words,
)
from corollary.verdicts.comparisons import of_means, of_probabilities, of_quantiles
from corollary.verdicts.intervals import log_t_evalue, mixture_quantile
from corollary.verdicts.rule import looks

EPS = 0.05  # at which errors are frequent enough to count
B, R = 0.1, 0.5
DOCS = Path(__file__).resolve().parents[2] / "docs"
WORDS = {0: "UNDERPOWERED", CONFIRMED: "CONFIRMED", REFUTED: "REFUTED"}


@pytest.fixture(scope="module")
def committed():
    return json.loads((DOCS / "verdicts-rates.json").read_text(encoding="utf-8"))


def identity_error(q):
    """Largest |ln e(q) + ln ε|, relative to the size of the terms, over a grid of n and ε."""
    worst = 0.0
    for n in (16, 24, 54, 183, 1000):
        for eps in (0.05, 1e-2, 1e-3):
            value = float(q(n, eps))
            if np.isfinite(value):
                size = max(1.0, n * np.log1p(value**2 / (n - 1)))
                worst = max(worst, abs(float(log_t_evalue(np.array(value), n)) + np.log(eps)) / size)
    return worst


def test_the_quantile_is_exact_and_no_near_miss_passes():
    """e(q(n, ε)) = 1/ε: rates alone would let 0.9 q and 2 ε pass, for the sequence is conservative."""
    assert identity_error(mixture_quantile) < 1e-12
    assert identity_error(lambda n, eps: 0.9 * mixture_quantile(n, eps)) > 1e-3
    assert identity_error(lambda n, eps: mixture_quantile(n, 2 * eps)) > 1e-3
    assert identity_error(lambda n, eps: mixture_quantile(n - 1, eps)) > 1e-5


@pytest.mark.parametrize("law", ["normal", "t₃", "log χ²₇", "−log χ²₇", "exponential", "−exponential", "−lognormal"])
def test_wrong_words_at_both_edges_stay_within_half_of_epsilon(law):
    """At an edge only one side can err: the nominal rate is ε/2. Power: a rate of 1.6 × ε/2 would be caught."""
    runs = 10_000
    false_refuted, false_confirmed = wrong_words(law, B, R, runs, eps=EPS)
    assert max(false_refuted, false_confirmed) <= allowed(runs, EPS / 2)
    x = LAWS[law](np.random.default_rng(7), (183, 2000))
    outcome, _ = decided(x, 0.0, B, R, EPS)
    assert np.sum(outcome == REFUTED) <= allowed(2000, EPS)
    assert np.mean(outcome == CONFIRMED) > 0.7  # a judge that never says anything makes no errors either


@pytest.mark.parametrize("law", ["normal", "exponential", "−exponential", "t₃", "−half zeros"])
def test_looking_at_every_replicate_misses_no_more_than_stated(law):
    """Ever-miss at every n from 16 to 120: 105 looks."""
    x = LAWS[law](np.random.default_rng(3), (120, 2000))
    assert ever_missed(x, 0.0, EPS, range(16, 121)) <= allowed(2000, EPS)
    assert ever_missed(x, 0.0, EPS, range(16, 121), mutants.student_at_every_look) > allowed(2000, EPS)


@pytest.mark.parametrize("law", ["normal", "t₃", "log χ²₇"])
def test_evidence_rarely_exceeds_one_over_epsilon_at_the_truth(law):
    """P(e ≥ 1/ε at some look) ≤ ε: what "anytime p ≤ 1/e" means. (Averages of e are too heavy-tailed to test.)"""
    runs = 5000
    x = LAWS[law](np.random.default_rng(8), (183, runs))
    bits = (x > np.median(LAWS[law](np.random.default_rng(9), (100_001,)))).astype(float)
    largest = {"mean": np.zeros(runs), "median": np.zeros(runs), "share": np.zeros(runs)}
    for n in looks(183):
        part = x[:n]
        seen = {
            "mean": of_means(part, EPS).log_e(np.zeros(runs)),
            "share": of_probabilities(bits[:n].sum(axis=0), n, EPS).log_e(np.full(runs, 0.5)),
        }
        if law != "log χ²₇":  # whose median is not 0
            seen["median"] = of_quantiles(part, 0.5, EPS).log_e(np.zeros(runs))
        for name, log_e in seen.items():
            assert log_e is not None
            largest[name] = np.maximum(largest[name], log_e)
    for name, log_e in largest.items():
        assert np.sum(log_e >= -np.log(EPS)) <= allowed(runs, EPS), name
    assert np.sum(largest["mean"] >= -np.log(EPS) / 3) > allowed(runs, EPS)  # and it is not idle


@pytest.mark.parametrize("name", [*mutants.INTERVALS, *mutants.RULES])
def test_a_wrong_judge_is_caught(name, committed):
    """Peeking, normal quantiles, a dropped branch, a shrunken q, ten ε, and four wrong rules: each exceeds chance."""
    compare, rule, b, r = suspects()[name]
    law = caught_on(committed["mutants"][name])[0]
    counts = wrong_words(law, b, r, MUTANT_RUNS, compare, rule)
    assert max(counts) > allowed(MUTANT_RUNS, EPS / 2)
    assert list(counts) == committed["mutants"][name][law]


def test_the_judge_itself_is_not(committed):
    for name in ("the judge", "the judge, b = r = .4"):
        assert not caught_on(committed["mutants"][name])
    for name in mutants.SUBTLE:  # these only the exact identity sees, which is why it is there
        assert not caught_on(committed["mutants"][name])


@pytest.mark.parametrize("place", [0.0, -B, -B - R])
def test_the_loop_over_runs_is_the_judge(place):
    """The same streams, one by one through judge(): the same word after the same number of replicates."""
    x = LAWS["−exponential"](np.random.default_rng(5), (183, 40))
    outcome, taken = decided(x, place, B, R, 1e-2)
    kind = Value(place, margin=B, resolution=R, because="test")
    for i in range(x.shape[1]):
        verdict = judge(kind, [x[:, i]], eps=1e-2)
        assert (str(verdict.outcome), verdict.n) == (WORDS[outcome[i]], taken[i])


def test_more_budget_never_changes_a_decision():
    x = LAWS["exponential"](np.random.default_rng(6), (400, 500))
    schedule = list(looks(400))
    short, after = decided(x[:122], 0.0, B, R, EPS, schedule=[n for n in schedule if n <= 122])
    long, total = decided(x, 0.0, B, R, EPS, schedule=schedule)
    made = short != 0
    assert np.array_equal(short[made], long[made]) and np.array_equal(after[made], total[made])
    assert np.all(total[~made] > 122)


# --- the committed table ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_the_committed_rates_are_what_the_command_writes(row, committed):
    """The first block of every row, drawn again from its seed: the same counts."""
    for place in PLACES:
        measured = committed["rows"][row.id][place]
        assert asdict(row.run(place, 0)) == measured["first"]
        assert measured["all"]["runs"] == row.block * row.blocks


def test_the_committed_document_shows_these_rates(committed, tmp_path):
    document = DOCS / "verdicts.md"
    text = document.read_text(encoding="utf-8")
    assert insert(text, render(committed)) == text
    assert set(committed["rows"]) == {row.id for row in rows()} and set(committed["mutants"]) == set(suspects())
    copy = tmp_path / "verdicts.md"
    copy.write_text(f"before\n{BEGIN}\nstale words\n{END}\nafter\n", encoding="utf-8")
    write(copy, committed)
    assert "stale words" not in copy.read_text(encoding="utf-8") and copy.read_text(encoding="utf-8").endswith(
        "\nafter\n"
    )
    assert json.loads((tmp_path / "verdicts-rates.json").read_text(encoding="utf-8")) == committed
    with pytest.raises(ValueError, match="once each"):
        insert("no marks", "table")


BEYOND = {
    "mean, any time: rare jumps",
    "mean, any time: −rare jumps",
    "mean, Fixed(8): −lognormal",
    "mean, Fixed(8): −exponential",
    "mean, Fixed(32): −lognormal",
}


def test_the_committed_rates_keep_the_promise_except_where_the_document_says_so(committed):
    """Jumps too rare for the first look, and small fixed designs on strongly skewed laws; everything else keeps ε."""
    over = set()
    for row in rows():
        at = committed["rows"][row.id]
        runs = at["value"]["all"]["runs"]
        wrong = [at["value"]["all"]["refuted"], at["margin"]["all"]["refuted"], at["end"]["all"]["confirmed"]]
        if max(wrong) > allowed(runs, row.eps):
            over.add(row.id)
    assert over == BEYOND
