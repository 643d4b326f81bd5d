"""What pytest offers where corollary is installed: the fixtures `verdicts` and `backend`, and --verdicts-json PATH.

    def test_fluctuation(verdicts):
        verdicts.check(fluctuation)            # a Claim; or a Verdict you have: verdicts.check(kind.judge(values, …))

A claim that does not come out as expected fails its test with the full report. `fluctuation.check()` in a test file
that imports corollary does the same without the fixture. At the end of the run the verdicts stand in one table, with
the sum of their error rates; --verdicts-json writes them for `corollary report` and other programs. Nothing of
corollary beyond this file is imported before a test asks for one of the fixtures. Off with `-p no:corollary`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from corollary.claims import Claim
    from corollary.testing.backends import Backend
    from corollary.verdicts import Verdict

PROPERTY = "corollary verdict"  # travels on the test's report, which pytest-xdist brings to the main process
COLUMNS = ("outcome", "claim", "kind", "n", "error rate", "rivals rejected")


class Verdicts:
    """The verdicts of one test. `check(claim)` judges, keeps the verdict for the table, fails the test if need be."""

    def __init__(self, keep: Callable[[dict[str, Any]], None]):
        self._keep = keep

    def check(self, claim: Claim | Verdict, **options: Any) -> Verdict:
        """The verdict of a claim (options as in `Claim.verdict`: scale, root, budget, eps, executor, store, device), or
        of one already judged.

        Raises Refuted, Underpowered or OutOfDomain (AssertionErrors) with the full report unless it is as expected;
        TypeError for anything else.
        """
        from corollary.claims import Claim
        from corollary.verdicts import Verdict, raise_unless_expected

        if isinstance(claim, Claim):
            verdict = claim.verdict(**options)
            kept = _record(claim, verdict, options)
        elif isinstance(claim, Verdict) and not options:
            verdict, kept = claim, claim.to_json()
        else:
            what = f"a verdict and {', '.join(options)}" if isinstance(claim, Verdict) else type(claim).__name__
            raise TypeError(f"verdicts.check() got {what}; expected a Claim, with options, or a Verdict, without")
        self._keep(kept)
        return raise_unless_expected(verdict)


def _record(claim: Claim, verdict: Verdict, options: dict[str, Any]) -> dict[str, Any]:
    from corollary.run.record import claim_record

    about = {"scale": options.get("scale", "laptop"), "device": options.get("device", "cpu")}
    return claim_record(claim, verdict, **about)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """`claim.check()` in a test is kept as `verdicts.check(claim)` is, where a test file has imported claims."""
    module = sys.modules.get("corollary.claims.claim")
    if module is None:
        return (yield)
    plain = module.Claim.check

    def check(claim: Claim, **options: Any) -> Verdict:
        from corollary.verdicts import raise_unless_expected

        verdict = claim.verdict(**options)
        item.user_properties.append((PROPERTY, json.dumps(_record(claim, verdict, options))))
        return raise_unless_expected(verdict)

    module.Claim.check = check
    try:
        return (yield)
    finally:
        module.Claim.check = plain


@pytest.fixture
def verdicts(request: pytest.FixtureRequest) -> Verdicts:
    """Judges claims: verdicts.check(claim). The table of all verdicts is printed when the run ends."""

    def keep(record: dict[str, Any]) -> None:
        request.node.user_properties.append((PROPERTY, json.dumps(record)))

    return Verdicts(keep)


@pytest.fixture(params=["numpy", "strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """An array backend: NumPy, array_api_strict on device1 (a GPU's stand-in), CuPy; skipped where it is missing."""
    from corollary.testing import backends

    try:
        return getattr(backends, f"{request.param}_backend")()
    except (RuntimeError, ImportError) as reason:
        pytest.skip(str(reason))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("corollary", "verdicts on claims").addoption(
        "--verdicts-json", metavar="PATH", help="write the verdicts of the tests to PATH"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: needs CuPy and an NVIDIA GPU (corollary)")
    config.addinivalue_line(
        "markers", "guards(*functions): what this test must notice being off by 2 % (corollary.testing.power)"
    )
    config.pluginmanager.register(_Table(config), "corollary-verdicts")


class _Table:
    def __init__(self, config: pytest.Config):
        self.path: Any = config.getoption("--verdicts-json")
        self.found: list[dict[str, Any]] = []
        self.main = not hasattr(config, "workerinput")  # of pytest-xdist, the process that hears all reports

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            texts = [text for name, text in report.user_properties if name == PROPERTY]
            self.found += [{**json.loads(str(text)), "test": report.nodeid} for text in texts]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.found:
            terminalreporter.section("verdicts")
            for line in table(self.found):
                terminalreporter.write_line(line)

    def pytest_sessionfinish(self) -> None:
        if self.path and self.main:
            payload = {"verdicts": self.found, "error_budget": error_budget(self.found)}
            try:
                with open(self.path, "w", encoding="utf-8") as file:
                    json.dump(payload, file, indent=1)
            except OSError as error:
                where = os.path.abspath(self.path)
                raise pytest.UsageError(f"cannot write the verdicts to {where}: {error.strerror}") from error


def error_budget(found: list[dict[str, Any]]) -> float:
    """Sum of the error rates: bounds the probability that any verdict of the run is wrong."""
    return sum(v["epsilon"] for v in found)


def table(found: list[dict[str, Any]]) -> list[str]:
    """Lines of a table, one verdict each, in the order of the tests."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for v in found:
        outcome = v["outcome"] + (" (unstable)" if v["unstable"] else "")
        wrong = "" if v["outcome"] == v["expected"] else f", expected {v['expected']}"
        counts = f"{len(v['rivals_rejected'])} of {len(v['rivals_rejected']) + len(v['rivals_alive'])}"
        rate = f"{v['epsilon']:g}" if v["epsilon"] else "none"
        rows.append((outcome + wrong, v["id"] or v["test"], v["kind"], str(v["n"]), rate, counts))
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    as_expected = sum(v["outcome"] == v["expected"] for v in found)
    return [*lines, f"{as_expected} of {len(found)} as expected; sum of error rates {error_budget(found):g}"]
