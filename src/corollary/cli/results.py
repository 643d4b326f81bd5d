"""Commands on results that are there already: report, trace, compare, log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from corollary.cli.session import OUT, AsJson, Out, Stop, out_console, say


def write_report(sources: list[Path], target: Path, captions: bool = False) -> Path:
    """The page; what had to be left out is named on standard error. captions: of these figures are filled in, too."""
    from corollary.report import fill, load, write

    found = load(sources)
    if captions:
        fill(found)
    made = write(found, target)
    for problem in found.problems:
        say(problem)
    return made


def fill_captions(out: Path) -> None:
    """Captions of this folder's figures, with the verdicts that an earlier run left there."""
    from corollary.report import fill, load

    if (out / "results.jsonl").is_file():
        fill(load([out]))


def report(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(help="--out folders of runs, or JSON of pytest --verdicts-json; default corollary-out"),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="where the page is written; default report.html in the first folder")
    ] = None,
) -> None:
    """One HTML page: claims, formulas, pictures, verdicts, derivations, errata. Opens from disk, needs no network."""
    chosen = sources or [OUT]
    target = to or (chosen[0] if chosen[0].is_dir() else chosen[0].parent) / "report.html"
    if target.is_dir():
        raise Stop(f"{target} is a folder; name a file, such as --to {target / 'report.html'}")
    out_console.print(str(write_report(chosen, target)))


def trace(
    figure: Annotated[Path, typer.Argument(help="a figure's PNG, PDF, SVG or CSV")],
    as_json: AsJson = False,
) -> None:
    """What made a figure, from the file alone, and the command that makes it again."""
    from corollary.run.stamp import NoStamp, read, told

    try:
        stamp = read(figure)
    except NoStamp as error:
        raise Stop(str(error)) from error
    if as_json:
        print(json.dumps(stamp))
        return
    for line in told(stamp):
        out_console.print(line)


def compare(
    old: Annotated[Path, typer.Argument(help="results before: a folder or JSON file")],
    new: Annotated[Path, typer.Argument(help="results after")],
) -> None:
    """Two result folders: what changed and what is gone. Exit code 0 iff there is nothing of the kind."""
    from corollary.report import load
    from corollary.report.compare import compare as side_by_side

    before, after = load([old]), load([new])
    found = side_by_side(before, after)
    for problem in [*before.problems, *after.problems]:
        say(problem)
    for title, lines in (
        ("verdicts that changed", found.verdicts), ("numbers that moved beyond their intervals", found.moved),
        ("theory values that changed", found.theory), ("rivals whose state changed", found.rivals),
        ("functionals that came or went", found.functionals), ("derivations that changed", found.derivations),
        ("tables of figures that changed", found.tables), (f"gone: only in {old}", found.gone),
        (f"only in {new}", found.only_new), ("notes", found.notes),
    ):  # fmt: skip
        if lines:
            out_console.print(f"{title}:")
        for line in lines:
            out_console.print(f"  {line}")
    out_console.print(f"{found.same} claims in both with the same verdict and numbers")
    raise typer.Exit(1 if found.changed else 0)


FEW = 3  # papers of a run that stand in its row; the names of more stand below the table, once


def _papers(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{len(names)} papers or files"


def log(
    out: Out = OUT,
    fresh: Annotated[bool, typer.Option("--fresh", help="only runs on a drawn seed root")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="as a table for a document")] = False,
) -> None:
    """Every run recorded in the output folder: its seed root, and how many verdicts came out as expected."""
    from corollary.run.history import monitor
    from corollary.run.log import read_log, summary

    entries = read_log(out)
    runs = [run for run in summary(entries) if run.fresh or not fresh]
    if not runs:
        raise Stop(f"no runs are recorded in {out}; `corollary verify` writes the log, --out names the folder")
    columns = ("date", "seed root", "scale", "device", "papers or files", "as expected", "remarks")
    rows = [
        (r.date, str(r.root), r.scale, r.device, _papers(r.papers), f"{r.as_expected} of {r.verdicts}",
         "; ".join(r.remarks)) for r in runs
    ]  # fmt: skip
    total, fine = sum(r.verdicts for r in runs), sum(r.as_expected for r in runs)
    many = dict.fromkeys(f"{_papers(r.papers)}: {', '.join(r.papers)}" for r in runs if len(r.papers) > FEW)
    counted = f"{len(runs)} run{'s' * (len(runs) > 1)}, {total} verdicts, {fine} as expected{monitor(entries)}"
    last = "\n\n".join([*many, counted])
    if markdown:
        cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
        lines = [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *cells)]
        print("\n".join(lines), last, sep="\n\n")
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    out_console.print(table)
    out_console.print(last)
