"""The command line: list, show, verify, reproduce, doctor. Exit code 0 iff everything came out as expected."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from corollary.claims import SCALES, ClaimError, Derived
from corollary.verdicts import Verdict

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Theorems about neural networks: formulas, experiments, derivations and verdicts with a stated error rate.",
)  # fmt: skip

Scale = Annotated[str, typer.Option(help="smoke, laptop or paper")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]
Seed = Annotated[int, typer.Option(help="seed root; a REFUTED is repeated on the next one")]
Fresh = Annotated[bool, typer.Option("--fresh-seed", help="draw the seed root and print it")]
Executor = Annotated[str | None, typer.Option(help="serial, processes, processes:N or dask:ADDRESS")]
Out = Annotated[Path, typer.Option(help="folder for figures, store and log")]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable output on standard output")]

out_console = Console(highlight=False, soft_wrap=True)
err_console = Console(stderr=True, highlight=False, soft_wrap=True)


class Stop(Exception):
    """An error to be shown as one line, exit code 2."""


def _check(scale: str, device: str) -> None:
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


@contextlib.contextmanager
def _bar():
    """A progress bar on standard error with the time left; nothing where that is not a terminal."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(), console=err_console, transient=True, disable=not err_console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=1)

        def start(name: str):
            return lambda done, total, seconds: progress.update(
                task, description=name, completed=done, total=max(total, 1)
            )

        yield start


def _line(result: Verdict | Derived) -> str:
    if isinstance(result, Derived):
        tail = "" if result.holds else f": {result.problem}"
        return f"{result.outcome:<13} {result.id}  [{result.method}]{tail}"
    flag = " unstable" if result.unstable else ""
    wrong = "" if result.as_expected else f"  expected {result.expected}"
    return f"{result.outcome:<13} {result.id}  [{result.kind}, n = {result.n}, {result.seconds:.1f} s]{flag}{wrong}"


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(title="verdicts")
    for column in ("claim", "kind", "outcome", "n", "error rate", "rivals rejected"):
        table.add_column(column)
    for v in verdicts:
        rate = f"{v.epsilon:g}" if v.epsilon else "none"
        counts = f"{len(v.rivals_rejected)} of {len(v.rivals_rejected) + len(v.rivals_alive)}"
        table.add_row(v.id, v.kind, str(v.outcome) + (" (unstable)" if v.unstable else ""), str(v.n), rate, counts)
    return table


def _session(out: Path, executor: str | None, device: str):
    from corollary.store import Store
    from corollary.sweep import executor_from

    store = Store(out / "store")
    return store, executor_from(executor or ("processes" if device == "cpu" else "serial"), device)


def _finish(result: Any, as_json: bool, out: Path) -> None:
    if as_json:
        payload = {
            "verdicts": [v.to_json() for v in result.verdicts],
            "derivations": [
                {"id": d.id, "outcome": d.outcome, "method": d.method, "problem": d.problem} for d in result.derived
            ],
            "seed_root": result.root, "scale": result.scale, "error_budget": result.error_budget,
        }  # fmt: skip
        print(json.dumps(payload))
    else:
        out_console.print(_table(result.verdicts))
        failed = [d for d in result.derived if not d.holds]
        out_console.print(f"derivations: {len(result.derived) - len(failed)} hold, {len(failed)} NOT DERIVED")
        out_console.print(f"sum of error rates {result.error_budget:g}, seed root {result.root}, results in {out}")
        for v in result.verdicts:
            if not v.as_expected or v.outcome == "UNDERPOWERED":
                out_console.print(str(v), markup=False)
    raise typer.Exit(0 if result.as_expected else 1)


@app.command("list")
def list_() -> None:
    """Papers, their claims and figures."""
    from corollary.run.catalogue import papers

    for key, entry in papers().items():
        paper = entry.paper
        out_console.print(f"{key}  {paper.authors} ({paper.year}), {paper.title}, arXiv:{paper.arxiv}", markup=False)
        for claim in entry.claims:
            out_console.print(f"  {claim.name}  [{type(claim.kind).__name__}] {claim.where}", markup=False)
        for figure in entry.figures:
            out_console.print(f"  figure {figure.number}: {figure.title}", markup=False)


@app.command()
def show(
    name: str,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="print the paper's BibTeX entry")] = False,
    scale: Scale = "laptop",
) -> None:
    """A paper (with --bibtex its citation) or one claim: statement, rivals, separations, replicates and cost."""
    from corollary.run.catalogue import UnknownName, nearest, papers

    every = papers()
    _check(scale, "cpu")
    if name in every:
        entry = every[name]
        if bibtex:
            print(entry.paper.bibtex())
            return
        out_console.print(f"{entry.paper.title}\n{entry.paper.authors}, {entry.paper.year}, arXiv:{entry.paper.arxiv}",
                          markup=False)  # fmt: skip
        out_console.print(entry.paper.summary, markup=False)
        for claim in entry.claims:
            out_console.print(f"\n{claim.name}  [{type(claim.kind).__name__}] {claim.where}", markup=False)
            out_console.print(f"  {claim.statement}", markup=False)
            out_console.print(f"  rivals: {', '.join(claim.rivals) or 'none'}", markup=False)
        for figure in entry.figures:
            out_console.print(f"\nfigure {figure.number}: {figure.title}", markup=False)
        for erratum in entry.errata:
            out_console.print(f"\nerratum, {erratum.where}: printed {erratum.printed}; right {erratum.corrected}",
                              markup=False)  # fmt: skip
        return
    claims = {c.name: c for entry in every.values() for c in entry.claims}
    if name not in claims:
        raise UnknownName(f"unknown paper or claim {name!r}{nearest(name, [*every, *claims])}")
    claim = claims[name]
    out_console.print(f"{claim.name}\n  {claim.statement}\n  {claim.where}", markup=False)
    out_console.print(claim.plan(scale=scale), markup=False)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="papers, claims or Python files; none: everything")] = None,
    scale: Scale = "laptop",
    device: Device = "cpu",
    seed: Seed = 0,
    fresh_seed: Fresh = False,
    executor: Executor = None,
    out: Out = Path("corollary-out"),
    as_json: AsJson = False,
) -> None:
    """Judge claims and run derivations."""
    from corollary.run.catalogue import select
    from corollary.run.verify import verify as run

    _check(scale, device)
    claims = select(names or [])
    root = secrets.randbits(48) if fresh_seed else seed
    folder = _folder(out)
    store, pool = _session(folder, executor, device)
    report = (lambda r: None) if as_json else (lambda r: out_console.print(_line(r), markup=False))
    with pool as workers, _bar() as start:
        result = run(claims, scale=scale, root=root, out=folder, device=device, executor=workers, store=store,
                     progress=start, report=report, all_derivations=not names)  # fmt: skip
    _finish(result, as_json, folder)


@app.command()
def reproduce(
    keys: Annotated[list[str] | None, typer.Argument(help="papers; none: the whole catalogue")] = None,
    figure: Annotated[str | None, typer.Option(help="draw this figure only, without verdicts")] = None,
    scale: Scale = "laptop",
    device: Device = "cpu",
    seed: Seed = 0,
    fresh_seed: Fresh = False,
    executor: Executor = None,
    out: Out = Path("corollary-out"),
    as_json: AsJson = False,
) -> None:
    """Figures (PDF, PNG, CSV, provenance) and verdicts."""
    from corollary.figures import style
    from corollary.run.catalogue import UnknownName, nearest, papers
    from corollary.run.render import draw_figure
    from corollary.run.verify import Verification
    from corollary.run.verify import verify as run

    _check(scale, device)
    every = papers()
    for key in keys or []:
        if key not in every:
            raise UnknownName(f"unknown paper {key!r}{nearest(key, every)}")
    root = secrets.randbits(48) if fresh_seed else seed
    folder = _folder(out)
    store, pool = _session(folder, executor, device)
    say = (lambda text: None) if as_json else (lambda text: out_console.print(text, markup=False))
    total = Verification(root=root, scale=scale)
    with pool as workers, _bar() as start:
        for key in keys or list(every):
            entry, started = every[key], time.perf_counter()
            figures = [f for f in entry.figures if figure is None or f.number == figure]
            if figure is not None and not figures:
                known = ", ".join(f.number for f in entry.figures)
                raise UnknownName(f"{key} has no figure {figure!r}; it has {known or 'none'}")
            for f in figures:
                paths = draw_figure(
                    f, entry.paper, scale=scale, root=root, out=folder, device=device, executor=workers, store=store,
                    style=style.context, progress=start(f"{key} figure {f.number}"),
                )  # fmt: skip
                say(f"figure {f.number}: {', '.join(str(p) for p in paths)}")
            if figure is None:
                part = run(entry.claims, scale=scale, root=root, out=folder, device=device, executor=workers,
                           store=store, progress=start, report=lambda r: say(_line(r)))  # fmt: skip
                total.verdicts += part.verdicts
                total.derived += part.derived
            say(f"{key}: {time.perf_counter() - started:.1f} s")
    if figure is not None:
        return
    _finish(total, as_json, folder)


@app.command()
def doctor() -> None:
    """What this machine has, and when and where the GPU suite last ran."""
    from corollary.arrays import namespace_for
    from corollary.run.render import versions

    for name, number in versions().items():
        out_console.print(f"{name} {number}")
    out_console.print(f"cores {os.cpu_count()}")
    try:
        namespace_for("cuda")
        out_console.print("GPU: usable")
    except RuntimeError as error:
        out_console.print(f"GPU: {error}")
    record = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu-suite.json"
    if record.is_file():
        ran = json.loads(record.read_text())
        out_console.print(f"GPU suite last ran {ran['date']} on {ran['device']} at commit {ran['commit']}")
    else:
        out_console.print("GPU suite: never run (no committed result file)")


def main() -> None:
    """Entry point: errors of use and of claims in one line, exit code 2."""
    from corollary.executors import ExecutorError
    from corollary.run.catalogue import UnknownName
    from corollary.store import StoreError
    from corollary.sweep import SweepError

    try:
        app()
    except (Stop, UnknownName, ClaimError, StoreError, SweepError, ExecutorError) as error:
        message = error.args[0] if error.args else str(error)
        print(f"corollary: {message}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
