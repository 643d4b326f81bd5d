"""`corollary show`: what a paper or a claim says, and what it costs, before anything of it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from corollary.claims import Claim
from corollary.cli.session import check, out_console

PATIENCE = 60.0  # seconds that a pilot may take


def show(
    name: str,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="print the paper's BibTeX entry")] = False,
    scale: Annotated[str | None, typer.Option(help="smoke, laptop or paper: estimate time and memory there")] = None,
) -> None:
    """A paper (--bibtex: its citation; --scale: what it costs there) or a claim: rivals, separations, replicates."""
    from corollary.run.catalogue import UnknownName, nearest, papers

    every = papers([name])
    check(scale or "laptop", "cpu")
    if name not in every:
        claims = {c.name: c for entry in every.values() for c in entry.claims}
        if name not in claims:
            raise UnknownName(f"unknown paper or claim {name!r}{nearest(name, [*every, *claims])}")
        _claim(claims[name], scale)
        return
    entry = every[name]
    if bibtex:
        print(entry.paper.bibtex())
        return
    out_console.print(f"{entry.paper.title}\n{entry.paper.authors}, {entry.paper.year}, arXiv:{entry.paper.arxiv}")
    out_console.print(entry.paper.summary)
    for claim in entry.claims:
        out_console.print(f"\n{claim.name}  [{type(claim.kind).__name__}] {claim.where}")
        out_console.print(f"  {claim.statement}")
        out_console.print(f"  rivals: {', '.join(claim.rivals) or 'none'}")
    for figure in entry.figures:
        out_console.print(f"\nfigure {figure.number}: {figure.title}")
    for erratum in entry.errata:
        out_console.print(f"\nerratum, {erratum.where}: printed {erratum.printed}; right {erratum.corrected}")
    if scale is not None:
        from corollary.run.cost import estimate, told

        out_console.print("\n" + "\n".join(told(estimate(entry.claims, entry.figures, scale), scale)))


def _claim(claim: Claim, scale: str | None) -> None:
    """Its plan at the scale (laptop, if none is given): a pilot of 16 replicates, where that is short."""
    from corollary.claims.planning import PILOT, told_separations
    from corollary.run.cost import claim_cost, duration, told

    out_console.print(f"{claim.name}\n  {claim.statement}\n  {claim.where}")
    cost = claim_cost(claim, scale) if scale is not None else None
    if scale is not None and cost is not None:
        out_console.print("\n".join(told([cost], scale)))
        pilot = (cost.seconds or 0.0) * PILOT * claim.kind.group * cost.points / max(cost.replicates, 1)
        if pilot > PATIENCE:
            why = f"its {PILOT} replicates would take up to {duration(pilot)}; claim.plan(scale={scale!r}) runs it"
            out_console.print("\n".join([*told_separations(claim, scale), f"  no pilot: {why}"]))
            return
    out_console.print(claim.plan(scale=scale or "laptop"))
