"""When, on what and at which commit the tests marked `gpu` last ran: a small file that is committed.

`pytest -m gpu` writes it at its end, where there is a GPU and the whole suite was asked for. `corollary doctor` reads
it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corollary.arrays import namespace_for

RECORD = Path(__file__).resolve().parents[3] / "benchmarks" / "gpu-suite.json"
COMMIT = "COROLLARY_COMMIT"  # names the commit of a copy without .git


def gpu() -> dict[str, Any] | None:
    """The GPU's name, its memory and CUDA's version; None where CuPy finds none."""
    try:
        namespace_for("cuda")
        import cupy  # pyright: ignore[reportMissingImports]

        about = cupy.cuda.runtime.getDeviceProperties(0)
        version = cupy.cuda.runtime.runtimeGetVersion()
    except RuntimeError:  # of CUDA's too
        return None
    name = about["name"]
    return {
        "device": name.decode() if isinstance(name, bytes) else str(name),
        "memory": int(about["totalGlobalMem"]), "cuda": f"{version // 1000}.{version % 1000 // 10}",
    }  # fmt: skip


def write(counts: Mapping[str, int], hardware: Mapping[str, Any], path: Path = RECORD) -> dict[str, Any]:
    """The record of a run that just ended: hardware, versions, commit, and how many tests passed, failed, were skipped.

    Written to a temporary name and renamed. Raises OSError where it cannot be written.
    """
    from corollary.run.record import now
    from corollary.run.render import git, versions

    commit, dirty = git()
    if COMMIT in os.environ:
        commit, dirty = os.environ[COMMIT], None
    record = {
        "date": now(), **hardware, "commit": commit, "dirty": dirty, "versions": versions(),
        **{outcome: int(counts.get(outcome, 0)) for outcome in ("passed", "failed", "skipped")},
    }  # fmt: skip
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(temporary, path)
    return record


def told(path: Path = RECORD) -> str:
    """One line on the last run. A file that is no such record is said to be one."""
    try:
        ran = json.loads(path.read_text())
        changed = " with uncommitted changes" if ran.get("dirty") else ""
        return (
            f"GPU suite last ran {ran['date']} on {ran['device']} at commit {ran['commit']}{changed}: "
            f"{ran['passed']} passed, {ran['failed']} failed, {ran['skipped']} skipped"
        )
    except FileNotFoundError:
        return "GPU suite: never run (no committed result file)"
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return f"GPU suite: {path} cannot be read ({error}); `pytest -m gpu` on a GPU writes it anew"


class Recorder:
    """A pytest plugin: counts the outcomes, and writes the record when the whole suite of the mark `gpu` was run."""

    def __init__(self, config: Any, path: Path = RECORD):
        option = config.option
        everything = list(config.args) == list(config.getini("testpaths"))
        chosen = option.keyword or option.deselect or option.collectonly or getattr(option, "lf", False)
        self.wanted = option.markexpr == "gpu" and everything and not chosen
        self.wanted = self.wanted and not hasattr(config, "workerinput")  # pytest-xdist: the process that hears all
        self.path, self.outcome = path, {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        worse = {"passed": 0, "skipped": 1, "failed": 2}
        before = self.outcome.get(report.nodeid, "passed")
        self.outcome[report.nodeid] = max(before, report.outcome, key=worse.__getitem__)

    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        counts = Counter(self.outcome.values())
        whole = self.wanted and exitstatus in (0, 1) and not session.shouldfail and not session.shouldstop
        if whole and counts["passed"] + counts["failed"]:
            hardware = gpu()
            if hardware is not None:
                write(counts, hardware, self.path)
