"""The command line: list, show, verify, reproduce, report, trace, compare, log, doctor.

Exit code 0 iff everything came out as expected.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from corollary.claims import Derived
from corollary.cli import machine, results, showing
from corollary.cli.session import (
    OUT,
    AsJson,
    Device,
    Executor,
    Fresh,
    Out,
    Scale,
    Seed,
    check,
    ended_by,
    out_console,
    session,
)
from corollary.verdicts import Verdict

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Theorems about neural networks: formulas, experiments, derivations and verdicts with a stated error rate.",
)  # fmt: skip


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


def _finish(result: Any, as_json: bool, out: Path, page: Path | None = None) -> None:
    if as_json:
        payload = {
            "verdicts": [v.to_json() for v in result.verdicts],
            "derivations": [
                {"id": d.id, "outcome": d.outcome, "method": d.method, "problem": d.problem} for d in result.derived
            ],
            "seed_root": result.root, "scale": result.scale, "error_budget": result.error_budget,
            **({"report": str(page)} if page else {}),
        }  # fmt: skip
        print(json.dumps(payload))
    else:
        out_console.print(_table(result.verdicts))
        failed = [d for d in result.derived if not d.holds]
        out_console.print(f"derivations: {len(result.derived) - len(failed)} hold, {len(failed)} NOT DERIVED")
        out_console.print(f"sum of error rates {result.error_budget:g}, seed root {result.root}, results in {out}")
        for v in result.verdicts:
            if not v.as_expected or v.outcome == "UNDERPOWERED":
                out_console.print(str(v))
        if page:
            out_console.print(f"report: {page}")
    raise typer.Exit(0 if result.as_expected else 1)


@app.command("list")
def list_() -> None:
    """Papers, their claims and figures."""
    from corollary.run.catalogue import papers

    for key, entry in papers().items():
        paper = entry.paper
        out_console.print(f"{key}  {paper.authors} ({paper.year}), {paper.title}, arXiv:{paper.arxiv}")
        for claim in entry.claims:
            out_console.print(f"  {claim.name}  [{type(claim.kind).__name__}] {claim.where}")
        for figure in entry.figures:
            out_console.print(f"  figure {figure.number}: {figure.title}")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="papers, claims, Python files, packages; none: all")] = None,
    scale: Scale = "laptop",
    device: Device = "cpu",
    seed: Seed = None,
    fresh_seed: Fresh = False,
    executor: Executor = None,
    out: Out = OUT,
    as_json: AsJson = False,
) -> None:
    """Judge claims and run derivations."""
    from corollary.run.catalogue import select
    from corollary.run.verify import verify as judge

    check(scale, device)
    claims = select(names or [])
    report = (lambda r: None) if as_json else (lambda r: out_console.print(_line(r)))
    with session(out, executor, device, seed, fresh_seed) as run:
        result = judge(claims, scale=scale, progress=run.start, report=report, all_derivations=not names,
                       fresh=fresh_seed, **run.arguments())  # fmt: skip
    _finish(result, as_json, out)


@app.command()
def reproduce(
    keys: Annotated[list[str] | None, typer.Argument(help="papers; none: the whole catalogue")] = None,
    figure: Annotated[str | None, typer.Option(help="draw this figure only, without verdicts")] = None,
    scale: Scale = "laptop",
    device: Device = "cpu",
    seed: Seed = None,
    fresh_seed: Fresh = False,
    executor: Executor = None,
    out: Out = OUT,
    as_json: AsJson = False,
) -> None:
    """Figures (PDF, PNG, SVG, CSV, provenance), verdicts, and the page with all of it."""
    from corollary.figures import style
    from corollary.run.catalogue import UnknownName, nearest, papers
    from corollary.run.render import draw_figure
    from corollary.run.verify import Verification
    from corollary.run.verify import verify as judge

    check(scale, device)
    every = papers(keys or [])
    for key in keys or []:
        if key not in every:
            raise UnknownName(f"unknown paper {key!r}{nearest(key, every)}")
    show = (lambda text: None) if as_json else (lambda text: out_console.print(text))
    with session(out, executor, device, seed, fresh_seed) as run:
        total = Verification(root=run.root, scale=scale)
        for key in keys or list(every):
            entry, started = every[key], time.perf_counter()
            figures = [f for f in entry.figures if figure is None or f.number == figure]
            if figure is not None and not figures:
                known = ", ".join(f.number for f in entry.figures)
                raise UnknownName(f"{key} has no figure {figure!r}; it has {known or 'none'}")
            for f in figures:
                paths = draw_figure(f, entry.paper, scale=scale, style=style.context,
                                    progress=run.start(f"{key} figure {f.number}"), **run.arguments())  # fmt: skip
                show(f"figure {f.number}: {', '.join(str(p) for p in paths)}")
            if figure is None:
                part = judge(entry.claims, scale=scale, progress=run.start, report=lambda r: show(_line(r)),
                             fresh=fresh_seed, **run.arguments())  # fmt: skip
                total.verdicts += part.verdicts
                total.derived += part.derived
            show(f"{key}: {time.perf_counter() - started:.1f} s")
    if figure is not None:
        return results.fill_captions(out)
    _finish(total, as_json, out, results.write_report([out], out / "report.html", captions=True))


for command in (showing.show, results.report, results.trace, results.compare, results.log, machine.doctor):
    app.command()(command)


def main() -> None:
    """Entry point: errors of use, of claims and of the disk in one line, exit code 2."""
    sys.exit(ended_by(app))
