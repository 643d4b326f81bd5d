"""What a run leaves for the report: results.jsonl, one line per run, paper, claim and derivation; the last line counts.

Lines are appended as results come and never changed, so that a run that was stopped leaves what it finished.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corollary.claims import Claim, ClaimError, Derivation, Derived
from corollary.claims.claim import Printed
from corollary.run.catalogue import PaperEntry
from corollary.run.log import append
from corollary.run.shown import declared_at, functions, source, sources, theory_of
from corollary.verdicts import Verdict

RESULTS = "results.jsonl"
FORMAT = 1
MANY = 24  # points that are listed


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write(out: Path, record: Mapping[str, Any]) -> None:
    """Append one record. Raises LogError where the disk does not take it."""
    append(out, {"format": FORMAT, **record}, RESULTS)


def run_record(run: str, *, scale: str, root: int, device: str, fresh: bool, seconds: float | None) -> dict[str, Any]:
    """The run: machine, versions, commit. Written at the start without `seconds`, at the end with them."""
    from corollary.run.render import git, versions

    commit, dirty = git()
    return {
        "record": "run", "run": run, "date": now(), "scale": scale, "root": root, "device": device, "fresh": fresh,
        "commit": commit, "dirty": dirty, "versions": versions(), "seconds": seconds,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }  # fmt: skip


def family_of(entry: PaperEntry) -> str:
    """The paper's family, or the one whose functions of theory/ and sims/ its files use most."""
    if entry.paper.family:
        return entry.paper.family
    name = entry.module.__name__
    modules = [m for key, m in sys.modules.items() if key == name or key.startswith(f"{name}.")]
    used: Counter[str] = Counter()
    for module in modules:
        for value in vars(module).values():
            home = getattr(value, "__module__", None) or getattr(value, "__name__", "")
            parts = home.split(".") if isinstance(home, str) else []
            if (
                parts[:1] == ["corollary"]
                and len(parts) > 2
                and parts[1] in ("theory", "sims")
                and parts[2] != "common"
            ):
                used[parts[2]] += 1
    return used.most_common(1)[0][0] if used else "other"


def paper_record(entry: PaperEntry) -> dict[str, Any]:
    """Bibliography, figures, errata and printed numbers of a paper."""
    paper = entry.paper
    return {
        "record": "paper", "key": paper.key, "title": paper.title, "authors": paper.authors, "year": paper.year,
        "arxiv": paper.arxiv, "summary": paper.summary, "conventions": paper.conventions, "family": family_of(entry),
        "bibtex": paper.bibtex(), "claims": [c.name for c in entry.claims],
        "figures": [
            {"number": f.number, "title": f.title, "claims": [c.name for c in f.claims]} for f in entry.figures
        ],
        "errata": [
            {"where": e.where, "printed": e.printed, "corrected": e.corrected, "evidence": list(e.evidence),
             "version": e.version, "wrong": e.wrong} for e in entry.errata
        ],
        "numbers": [
            {"what": n.what, "where": n.where, "value": n.value, "claim": _name(n.claim), "functional": n.functional}
            for n in entry.numbers
        ],
    }  # fmt: skip


def _name(used: Any) -> str:
    return used.name if isinstance(used, Claim) else str(used)


def claim_record(
    claim: Claim, verdict: Verdict, *, scale: str, device: str, run: str = "", paper: str = "", data: str = ""
) -> dict[str, Any]:
    """The verdict, and what was declared: theorem, formula and experiment with their sources, rivals, links.

    data: the file of its replicates (`write_raw`).
    """
    module, _, variable = claim.name.partition(":")
    if claim.id:
        names = vars(sys.modules.get(claim.module, object)).items()
        module, variable = claim.module, next((k for k, v in names if v is claim), "")
    file, line = declared_at(module, variable)
    formulas = [f for part in _formula(claim) for f in functions(part)]
    return {
        **verdict.to_json(), "record": "claim", "run": run, "paper": paper, "scale": scale, "device": device,
        "where": claim.where, "theorem": claim.theorem, "file": file, "line": line, "budget": _budget(claim, scale),
        "regime": claim.regime.because if claim.regime else "",
        "points": [{k: _short(v) for k, v in p.items()} for p in claim.points_at(scale)[:MANY]],
        "printed_rivals": [name for name, r in claim.rivals.items() if isinstance(r, Printed)],
        "uses": [_name(u) for u in claim.uses], "checked_by": list(claim.checked_by),
        "fingerprint": claim.fingerprint(), "data": data, "side": claim.kind.side, "axis": _axis(claim.kind),
        "formula": sources(formulas), "theory_code": sources(dict.fromkeys(t for f in formulas for t in theory_of(f))),
        **_experiment(claim),
    }  # fmt: skip


def _formula(claim: Claim) -> list[Any]:
    """The functions by which the kind says what the theory claims."""
    return [vars(claim.kind).get(name) for name in ("theory", "left", "right", "by")]


def _experiment(claim: Claim) -> dict[str, Any]:
    if claim.measure is None:
        return {"experiment": "", "reads": "", "measurement": []}
    reading = claim.reading
    experiment = reading.experiment
    measured = sources(functions(experiment.source or experiment.run))
    return {"experiment": experiment.id, "reads": reading.name, "measurement": measured}


def _axis(kind: Any) -> str:
    """What the numbers of a kind are, where they are not the theory's own."""
    if type(kind).__name__ == "Law":
        return "Chebyshev means of the spectrum" if kind.spectrum else "distance of distribution functions"
    if type(kind).__name__ == "Order":
        return "share of replicates in the stated order" if kind.by is None else "difference"
    return {"Identity": "error, in tolerances", "Bound": "probability of a violation"}.get(type(kind).__name__, "")


def _budget(claim: Claim, scale: str) -> int | None:
    try:
        return claim.budget_at(scale) if claim.measure is not None else None
    except ClaimError:
        return None


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def derivation_record(known: Derivation, done: Derived, *, run: str = "") -> dict[str, Any]:
    """The steps with their checks, the comparison with the code, and the code it was compared with."""
    agreement = done.agreement
    return {
        "record": "derivation", "id": done.id, "run": run, "outcome": done.outcome, "method": done.method,
        "problem": done.problem, "statement": known.statement, "of": list(done.of),
        "steps": [{"text": s.text, "expression": s.expression, "holds": s.holds} for s in done.steps],
        "agreement": None if agreement is None else {
            "error": agreement.error, "digits": agreement.digits, "points": agreement.points, "holds": agreement.holds,
        },
        "code": sources(known.of), "source": source(known.function),
    }  # fmt: skip
