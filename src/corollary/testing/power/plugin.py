"""The options of the power test, and the run of the tests that it stands in for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from corollary.testing.power.trial import Trial


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("power", "do the tests notice a public function that is off by 2 %? (corollary)")
    group.addoption("--power", metavar="PACKAGE", help="ask for every public function of PACKAGE, instead of testing")
    group.addoption("--power-share", metavar="I/K", default="0/1", help="only every K-th function, from the I-th on")
    group.addoption("--power-only", metavar="TEXT", default="", help="only functions whose name begins with TEXT")
    group.addoption("--power-skip", metavar="MODULE", action="append", default=[], help="leave PACKAGE.MODULE out")
    group.addoption(
        "--power-turn", metavar="NAME", action="append", default=[],
        help="turn this result by 0.02 radians: its length means nothing",
    )  # fmt: skip
    group.addoption(
        "--power-exempt", metavar="NAME", action="append", default=[],
        help="do not change this function (ntk.flow) or this part of its result (ntk.flow.residuals, ntk.dual[1])",
    )  # fmt: skip
    group.addoption(
        "--power-derivations", metavar="PACKAGE", default="",
        help="derivations in PACKAGE guard what they are of, where no test notices",
    )  # fmt: skip
    group.addoption("--power-json", metavar="PATH", help="write the outcome as JSON")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--power"):
        _no_shrinking()
        config.pluginmanager.register(_Power(config), "corollary-power-run")


def _no_shrinking() -> None:
    """A planted error is to be noticed, not to be minimised; and the same examples each time."""
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "power", derandomize=True, database=None, deadline=None, report_multiple_bugs=False, print_blob=False,
        phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    settings.load_profile("power")


class _Power:
    def __init__(self, config: pytest.Config):
        self.config = config
        self.result: dict[str, Any] = {}
        self.seen: dict[str, BaseException] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        if call.excinfo is not None:
            self.seen[call.when] = call.excinfo.value

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        option: Any = self.config.getoption
        started = time.perf_counter()
        trial = Trial(
            session.items, self.seen, package=option("--power"), share=_share(option("--power-share")),
            only=option("--power-only"), skip=option("--power-skip"), turn=option("--power-turn"),
            exempt=option("--power-exempt"), derivations=option("--power-derivations"),
        )  # fmt: skip
        self.result = trial.run()
        self.result["uncollected"] = session.testsfailed
        self.result["seconds"] = round(time.perf_counter() - started, 1)
        wrong = [key for key in ("unguarded", "unnoticed", "vacuous", "broken") if self.result[key]]
        session.testsfailed = len(wrong)
        if option("--power-json"):
            Path(option("--power-json")).write_text(json.dumps(self.result, indent=1))
        return True

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section(f"power: {len(self.result.get('chosen', []))} functions off by 2 %")
        for key in ("unguarded", "unnoticed", "vacuous", "broken", "noticed", "seconds"):
            found = self.result.get(key, [])
            shown = [f"{key}: {found}"] if not isinstance(found, dict | list) else [f"{key}: {len(found)}"]
            if key in ("unguarded", "unnoticed", "vacuous", "broken"):
                shown += [f"  {line}" for line in found]
            for line in shown:
                terminalreporter.write_line(line)


def _share(text: str) -> tuple[int, int]:
    try:
        i, k = (int(part) for part in text.split("/"))
        if not 0 <= i < k:
            raise ValueError
    except ValueError:
        raise pytest.UsageError(f"--power-share {text}: expected I/K with 0 <= I < K, e.g. 3/10") from None
    return i, k
