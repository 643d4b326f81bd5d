"""The catalogue hangs together: every link resolves, every derivation holds, every claim has rivals."""

import subprocess
import sys
from math import isnan

import pytest

from corollary.claims import SCALES, Claim, agree, derivation, step
from corollary.run.catalogue import derivations, papers
from corollary.verdicts import Order, Outcome, Value

CLAIMS = [claim for entry in papers().values() for claim in entry.claims]


@pytest.mark.parametrize("name", sorted(derivations()))
def test_every_derivation_holds(name):
    """Its steps are true, and the code agrees with what it derives."""
    result = derivations()[name].run()
    assert result.holds and result.outcome == "DERIVED" and result.steps, result.problem


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_every_claim_is_whole(claim):
    """An address, points at every scale, and links that resolve."""
    known = {c.name for c in CLAIMS}
    assert claim.where and claim.name.startswith(tuple(papers()))
    assert all(claim.points_at(scale) and claim.budget_at(scale) > 0 for scale in SCALES)
    assert set(claim.checked_by) <= set(derivations())
    assert {c.name for c in claim.uses} <= known


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_every_claim_says_what_the_paper_states_or_that_it_is_ours(claim):
    """Beside our statement stands the paper's, or `where` says that it is ours, or read off a figure or experiment."""
    assert claim.theorem or any(word in claim.where for word in ("ours", "igure", "experiment", "published")), (
        claim.where
    )


def test_papers_that_are_named_come_alone():
    """A module is named as its key, so `corollary show KEY` need not load the others; a name of none loads all."""
    every = papers()
    assert all(entry.module.__name__.split(".")[-1] == key for key, entry in every.items())
    assert list(papers(["yang2019.gaussian", "jacot2018"])) == ["jacot2018", "yang2019"]
    assert list(papers(["jacot2018", "jacot2017"])) == list(papers(["jacot2017"])) == list(every)


@pytest.mark.parametrize("key", sorted(papers()))
def test_every_paper_names_its_conventions_and_every_erratum_what_is_wrong_and_where(key):
    """Without the version that was examined an erratum cannot be checked; without its sentence it cannot be read."""
    entry = papers()[key]
    assert entry.paper.conventions
    for erratum in entry.errata:
        assert erratum.wrong and erratum.version and erratum.printed and erratum.corrected and erratum.evidence


def statements_beside(claim) -> int:
    """Rivals that somebody could state. That there is no order is no second one: `Order` rejects it by itself."""
    none = 0.0 if getattr(claim.kind, "by", None) is not None else 0.5
    plain = claim.plain_rivals()
    if isinstance(claim.kind, Order):
        plain = {name: value for name, value in plain.items() if callable(value) or float(value) != none}
        return len(plain) + bool(plain)
    return len(plain)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_every_claim_has_two_rivals(claim):
    """Agreement is cheap where nothing else could have come out. Where the printed statement itself is what the data
    reject, and no correction of it is known, one variant beside it is enough: the claim is no agreement."""
    assert statements_beside(claim) >= (1 if claim.expected == Outcome.REFUTED else 2), list(claim.rivals)


def test_no_order_alone_is_not_two_rivals():
    pair = {"kind": Order(), "measure": lambda rng: rng.standard_normal(2)}
    for rivals, count in (({}, 0), ({"no order": 0.5}, 0), ({"no order": 0.5, "six of ten": 0.6}, 2)):
        assert statements_beside(Claim("A < B", rivals=rivals, **pair)) == count
    by = Claim("A < B", Order(by=2.0, resolution=1.0), rivals={"none": 0.0, "by half": 1.0}, measure=pair["measure"])
    assert statements_beside(by) == 2
    assert statements_beside(Claim("zero", Value(0.0, resolution=1.0), rivals={"one": 1.0})) == 1


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_every_rival_can_be_told_at_every_scale(claim):
    """A rival within two margins of the theory is a ClaimError, also at a scale that nobody has run."""
    for scale in SCALES:
        assert all(s > 0 or isnan(s) for s in claim.separations(scale).values()), scale


@pytest.mark.parametrize("key", sorted(set(papers()) - {"jacot2018"}))  # tests/engine/test_cli.py runs that one
def test_every_paper_comes_out_as_expected_at_scale_smoke(key, tmp_path):
    """Figures, derivations and verdicts by the user's command: exit code 0, and each figure's PNG and PDF are there."""
    command = [sys.executable, "-m", "corollary.cli", "reproduce", key, "--scale", "smoke", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    for figure in papers()[key].figures:
        for kind in ("png", "pdf"):
            path = tmp_path / "figures" / key / f"figure-{figure.number.replace(' ', '-')}.{kind}"
            assert path.stat().st_size > 1000, path


def broken(kind):
    def body():
        if kind == "raises":
            raise ArithmeticError("on purpose")
        yield step("a step", "x", holds=kind != "false step")
        if kind != "no agreement":
            factor = 1.02 if kind == "2 % off" else 1.0
            count = 5 if kind == "few points" else 25
            yield agree(lambda x: x**2, lambda x: factor * x * x, [(1.0 + i,) for i in range(count)], digits=14)

    return derivation(of=papers, method="digits")(body).run()


@pytest.mark.parametrize("kind", ["raises", "false step", "no agreement", "2 % off", "few points"])
def test_a_broken_derivation_is_not_derived(kind):
    assert broken("whole").holds
    result = broken(kind)
    assert not result.holds and result.outcome == "NOT DERIVED" and result.problem
