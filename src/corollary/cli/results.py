"""Commands on results that are there already: report, trace, compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from corollary.cli.session import OUT, AsJson, Stop, out_console, say


def write_report(sources: list[Path], target: Path) -> Path:
    """The page; what had to be left out is named on standard error."""
    from corollary.report import load, write

    found = load(sources)
    made = write(found, target)
    for problem in found.problems:
        say(problem)
    return made


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
    out_console.print(str(write_report(chosen, target)), markup=False)


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
        out_console.print(line, markup=False)


def compare(
    old: Annotated[Path, typer.Argument(help="results before: a folder or JSON file")],
    new: Annotated[Path, typer.Argument(help="results after")],
) -> None:
    """Two result folders: changed verdicts, numbers whose intervals no longer meet. Exit code 0 iff there are none."""
    from corollary.report import load
    from corollary.report.compare import compare as side_by_side

    before, after = load([old]), load([new])
    found = side_by_side(before, after)
    for problem in [*before.problems, *after.problems]:
        say(problem)
    for title, lines in (
        ("verdicts that changed", found.verdicts), ("numbers that moved beyond their intervals", found.moved),
        ("theory values that changed", found.theory), ("derivations that changed", found.derivations),
        (f"claims only in {old}", found.only_old), (f"claims only in {new}", found.only_new), ("notes", found.notes),
    ):  # fmt: skip
        if lines:
            out_console.print(f"{title}:", markup=False)
        for line in lines:
            out_console.print(f"  {line}", markup=False)
    out_console.print(f"{found.same} claims in both with the same verdict and numbers", markup=False)
    raise typer.Exit(1 if found.changed else 0)
