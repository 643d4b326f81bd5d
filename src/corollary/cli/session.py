"""What every command of the command line shares: options, checks, the output folder, and how a run ends."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from corollary.claims import SCALES

Scale = Annotated[str, typer.Option(help="smoke, laptop or paper")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]
Seed = Annotated[int | None, typer.Option(min=0, help="seed root (0); a REFUTED is repeated on the next one")]
Fresh = Annotated[bool, typer.Option("--fresh-seed", help="draw the seed root and print it")]
Executor = Annotated[str | None, typer.Option(help="serial, processes, processes:N or dask:ADDRESS")]
Out = Annotated[Path, typer.Option(help="folder for figures, store and log")]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable output on standard output")]
OUT = Path("corollary-out")

_PIPE = 200  # columns, where the output is no terminal: a table's names are not to be cut
# text is printed as it is, also [red] and :warning:
_PLAIN: Any = {"highlight": False, "soft_wrap": True, "markup": False, "emoji": False}
out_console = Console(width=None if sys.stdout.isatty() else _PIPE, **_PLAIN)
err_console = Console(stderr=True, **_PLAIN)

STOPPED = 130  # what shells report after Ctrl-C


class Stop(Exception):
    """An error to be shown as one line, exit code 2."""


class Interrupted(Exception):
    """Ctrl-C, exit code 130."""


def check(scale: str, device: str) -> None:
    from corollary.arrays import namespace_for

    if scale not in SCALES:
        raise Stop(f"unknown scale {scale!r}; expected one of {', '.join(SCALES)}")
    try:
        namespace_for(device)
    except (RuntimeError, ValueError) as error:
        raise Stop(str(error)) from error


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".writable.{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Stop(f"cannot write to the output folder {out}: {error.strerror}; choose another with --out") from error
    return out


@dataclass(frozen=True)
class Session:
    """What a run needs: keyword arguments of `run.verify` and `run.render`, and `start(name)` → progress callback."""

    out: Path
    device: str
    root: int
    store: Any
    executor: Any
    start: Callable[[str], Callable[[int, int, float], None]]

    def arguments(self) -> dict[str, Any]:
        return {k: getattr(self, k) for k in ("out", "device", "root", "store", "executor")}


@contextlib.contextmanager
def session(out: Path, executor: str | None, device: str, seed: int | None, fresh: bool) -> Iterator[Session]:
    """The run's resources. At its end damaged files of the store are named; Ctrl-C says how to go on."""
    from corollary.executors import executor_from
    from corollary.store import Store

    if fresh and seed is not None:
        raise Stop(f"--seed {seed} and --fresh-seed exclude each other: one names the seed root, the other draws it")
    root = secrets.randbits(48) if fresh else seed or 0
    folder = _folder(out)
    store = Store(folder / "store")
    if fresh:
        say(f"seed root {root}")
    try:
        with executor_from(executor, device) as workers, _bar() as start:
            yield Session(folder, device, root, store, workers, start)
    except KeyboardInterrupt:
        again = f", with --seed {root} for --fresh-seed," if fresh else ""
        raise Interrupted(
            f"stopped; what was finished is kept in {folder}: the same command{again} goes on from there"
        ) from None
    finally:
        for problem in store.problems:
            say(problem)


def say(text: str) -> None:
    """One line on standard error."""
    err_console.print(f"corollary: {text}")


@contextlib.contextmanager
def _bar():
    """A progress bar on standard error with the time left; nothing where that is not a terminal."""
    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(), console=err_console, transient=True, disable=not err_console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=1)

        def start(name: str):
            return lambda done, total, seconds: progress.update(
                task, description=name, completed=done, total=max(total, 1)
            )

        yield start


_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO}


def ended_by(command: Callable[[], Any]) -> int:
    """Run a command; its exit code. Errors of use, of claims and of the disk are one line on standard error."""
    from corollary.claims import ClaimError
    from corollary.executors import ExecutorError
    from corollary.report import ReportError
    from corollary.run.catalogue import BadFile, UnknownName
    from corollary.run.log import LogError
    from corollary.store import StoreError
    from corollary.sweep import SweepError

    try:
        command()
    except Interrupted as stop:
        say(str(stop))
        return STOPPED
    except (
        Stop,
        UnknownName,
        BadFile,
        ClaimError,
        StoreError,
        LogError,
        SweepError,
        ExecutorError,
        ReportError,
    ) as error:
        print(f"corollary: {error.args[0] if error.args else error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _DISK:
            raise
        name = error.filename or "the output folder"
        print(
            f"corollary: cannot write {name}: {error.strerror}; free some space or choose another folder with --out "
            "(results stored so far are kept)", file=sys.stderr,
        )  # fmt: skip
        return 2
    return 0
