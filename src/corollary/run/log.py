"""The log of verdicts in the output folder: one JSON line each, appended and never truncated; `summary` counts them.

Two writers do not mix: a line is one `write` in append mode under a lock. A line cut short by a crash or a full disk
stays alone: the next writer begins a new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corollary.verdicts import Outcome

LOG = "log.jsonl"


class LogError(RuntimeError):
    """The log cannot be written, so a verdict would go unrecorded."""


def read_log(out: Path, name: str = LOG) -> list[dict[str, Any]]:
    """Earlier verdicts; what is no line of ours is skipped (the run it belonged to did not finish)."""
    path = out / name
    entries = []
    if path.is_file():
        for line in path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(entry, dict):
                entries.append(entry)
    return entries


def append(out: Path, entry: dict[str, Any], name: str = LOG) -> None:
    """Add one line; on the disk when this returns. Raises LogError where the disk does not take it."""
    line = (json.dumps(entry) + "\n").encode()
    try:
        handle = os.open(out / name, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            _lock(handle)  # O_APPEND alone is enough on a local disk, not on a network folder
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(handle, line) != len(line):
                raise OSError(None, "only part of a line could be written")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise LogError(
            f"cannot write to the log {out / name}: {error.strerror}; free some space or choose another folder with "
            "--out (results stored so far are kept)"
        ) from error


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return


@dataclass
class Run:
    """The verdicts of one run, from the log."""

    date: str
    root: int
    fresh: bool
    scale: str
    device: str
    papers: list[str] = field(default_factory=list)
    verdicts: int = 0
    as_expected: int = 0
    remarks: list[str] = field(default_factory=list)


def summary(entries: Iterable[dict[str, Any]]) -> list[Run]:
    """One `Run` per run, in order. As expected: the outcome is, and it is not UNDERPOWERED. Remarks name the others,
    and verdicts that needed a second stream."""
    runs: dict[Any, Run] = {}
    for e in entries:
        root = e.get("root", e["seed_root"])
        key = e.get("run", (root, e["scale"], e["device"]))
        run = runs.setdefault(key, Run(e["date"], root, e.get("fresh", False), e["scale"], e["device"]))
        fine = e["outcome"] == e["expected"] and e["outcome"] != Outcome.UNDERPOWERED
        paper = e["claim"].split(".")[0].split(":")[0]
        if paper not in run.papers:
            run.papers.append(paper)
        run.verdicts += 1
        run.as_expected += fine
        if not fine:
            run.remarks.append(f"{e['claim']} {e['outcome']}")
        elif e.get("unstable"):
            run.remarks.append(f"{e['claim']} {e['outcome']} on its second stream only")
    return list(runs.values())
