"""The evidence page: results, arranged by paper, into one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corollary.report import graph as drawing
from corollary.report.captions import filled
from corollary.report.forest import ROWS, forest
from corollary.report.load import OUTCOMES, Record, ReportError, Results, as_expected, finite
from corollary.report.mathml import statement
from corollary.report.pictures import data_address, highlighted, numbers

CSV_ROWS = 40
SIZE = 0.52  # of a picture's pixels, of which it has 200 an inch: text of one size in figures of one and two columns
STATED = 5  # statements beside a figure; its caption links to all
WORDS = {"CONFIRMED": "confirmed", "REFUTED": "refuted", "UNDERPOWERED": "underpowered", "OUT_OF_DOMAIN": "outside"}
METHODS = {
    "symbolic": "symbolic", "rational": "exact rational arithmetic", "digits": "50 digits",
    "certificate": "certificates of random instances",
}  # fmt: skip


def anchor(kind: str, name: str) -> str:
    """An id for a link: letters of the name, and a digest where others were lost."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")[:60]
    lost = "" if plain == name else f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{kind}-{plain}{lost}"


class _Sources:
    """Every source text once; claims link to it."""

    def __init__(self) -> None:
        self.texts: dict[str, dict[str, Any]] = {}

    def link(self, sources: list[Mapping[str, Any]]) -> list[dict[str, str]]:
        """(name, place, id) of each, its text kept for the end of the page."""
        links = []
        for s in sources:
            if not isinstance(s, dict) or not isinstance(s.get("text"), str):
                continue
            place = f"{s.get('file', '')}:{s.get('line', '')}"
            name = anchor("source", f"{place}-{hashlib.sha256(s['text'].encode()).hexdigest()[:6]}")
            self.texts.setdefault(
                name, {"name": str(s.get("name", "")), "place": place, "text": highlighted(s["text"])}
            )
            links.append({"name": str(s.get("name", "")), "place": place, "id": name})
        return links


def _group(claim: Record) -> str:
    """The paper; of a user's claim the file."""
    if claim["paper"]:
        return claim["paper"]
    name = claim["id"]
    return name.split("::")[0] if "::" in name else re.split(r"[.:]", name)[0]


def _claim(c: Record, sources: _Sources, results: Results, runs: Mapping[str, Record]) -> dict[str, Any]:
    text, left_out = numbers(c, CSV_ROWS)
    run = runs.get(c["run"], {})
    command = f"corollary verify {c['id']}" if c["paper"] else ""
    if command:
        command += f" --scale {c['scale'] or 'laptop'} --seed {c['seed_root']}"
    rivals = [
        {"name": name, "dead": dead, "by": c["killed_at"].get(name, ""), "printed": name in c["printed_rivals"],
         "value": _said(c, name)}
        for dead, names in ((True, c["rivals_rejected"]), (False, c["rivals_alive"])) for name in names
    ]  # fmt: skip
    return {
        **c, "anchor": anchor("claim", c["id"]), "state": WORDS[c["outcome"]], "fine": as_expected(c),
        "shown": statement(c["statement"]), "printed": statement(c["theorem"]) if c["theorem"] else None,
        "forest": forest(c), "more": max(len(c["functionals"]) - ROWS, 0), "csv": text, "csv_left_out": left_out,
        "rivals": rivals, "command": command,
        "commit": str(run.get("commit") or "")[:12], "date": run.get("date") or "",
        "links": {
            "formula": sources.link(c["formula"]), "theory function": sources.link(c["theory_code"]),
            "experiment": sources.link(c["measurement"]),
        },
        "rests_on": [_rests(name, results) for name in c["uses"]],
        "derived_by": [_rests(name, results) for name in c["checked_by"]],
        "search": " ".join([c["id"], c["statement"], c["where"], c["kind"], *c["notes"]]).lower(),
    }  # fmt: skip


def _said(c: Record, rival: str) -> str:
    """The rival's value at the functional that rejected it."""
    values, by = c["rival_values"].get(rival, []), c["killed_at"].get(rival, "")
    j = c["functionals"].index(by) if by in c["functionals"] else len(values)
    value = finite(values[j]) if j < len(values) else None
    if value is None:
        return ""
    size = abs(finite(c["theory"][j]) or 0.0) + (finite(c["resolution"][j]) or 0.0)
    return f"{value:.4g}" if abs(value) > 1e-12 * size else "0"  # rounding of a value that is 0


def _holds(derivation: Record) -> bool:
    return derivation["outcome"] == "DERIVED" and not derivation["problem"]


def _rests(name: str, results: Results) -> dict[str, Any]:
    if name in results.claims:
        return {"name": name, "anchor": anchor("claim", name), "state": WORDS[results.claims[name]["outcome"]]}
    if name in results.derivations:
        holds = _holds(results.derivations[name])
        return {"name": name, "anchor": anchor("derivation", name), "state": "derived" if holds else "underived"}
    return {"name": name, "anchor": "", "state": "absent"}


def _figure(f: Record, results: Results) -> dict[str, Any] | None:
    try:
        address, width, height = data_address(f["picture"])
    except ReportError as error:
        results.problems.append(f"{error}: left out")
        return None
    named = f["result"]["claims"]
    return {
        **f, "address": address, "width": round(width * SIZE), "height": round(height * SIZE),
        "file": f"{f['folder']}/{f['picture'].name}",
        "title": _title(f),
        "claims": [_rests(name, results) for name in named],
        "stated": [
            {**_rests(name, results), "outcome": c["outcome"], "text": statement(c["theorem"] or c["statement"])}
            for name in named if (c := results.claims.get(name))
        ][:STATED],
        "caption": filled(f["caption"], named, results.claims),
        "anchor": anchor("figure", f"{f['folder']}-{f['number']}"),
    }  # fmt: skip


def _title(f: Record) -> str:
    """The caption's first line without the authors, who stand above."""
    first = (f["caption"].splitlines() or [""])[0]
    return first[first.find("Figure ") :] if "Figure " in first else first or f"Figure {f['number']}"


def _printed_numbers(paper: Record, claims: Mapping[str, Record]) -> list[dict[str, Any]]:
    """The paper's number, the middle of our interval with its half-length, and their ratio."""
    rows = []
    for n in paper.get("numbers", []):
        claim = claims.get(n["claim"])
        if claim is None or not claim["interval"]:
            continue
        j = claim["functionals"].index(n["functional"]) if n["functional"] in claim["functionals"] else 0
        low, high = (finite(x) for x in claim["interval"][j])
        if low is None or high is None:
            continue
        ours, theirs = (low + high) / 2, float(n["value"])
        shown = {"ours": f"{ours:.5g} ± {(high - low) / 2:.2g}", "theirs": f"{theirs:g}"}
        ratio = f"{ours / theirs:.4f}" if theirs else "–"
        rows.append({**n, **shown, "ratio": ratio, "anchor": anchor("claim", n["claim"])})
    return rows


def _papers(results: Results, sources: _Sources) -> list[dict[str, Any]]:
    groups: dict[str, list[Record]] = {}
    for c in results.claims.values():
        groups.setdefault(_group(c), []).append(c)
    shown = []
    for key in sorted({*groups, *results.figures}):
        about: Record = results.papers.get(key, {"key": key, "title": key})
        claims = [_claim(c, sources, results, results.runs) for c in groups.get(key, [])]
        named = {c["id"]: c for c in claims}
        links = drawing.edges(named)
        state = {name: _rests(name, results)["state"] for pair in links for name in pair}
        anchors = {name: a for name in state if (a := _rests(name, results)["anchor"])}
        figures = [_figure(f, results) for f in results.figures.get(key, [])]
        shown.append(
            {
                **about, "anchor": anchor("paper", key), "family": about.get("family") or "your own", "claims": claims,
                "figures": [f for f in figures if f],
                "graph": drawing.graph(links, state, anchors, f"What {key} rests on"),
                "counts": {o: sum(c["outcome"] == o for c in claims) for o in OUTCOMES},
                "fine": sum(c["fine"] for c in claims), "printed_numbers": _printed_numbers(about, named),
                "errata_shown": [_erratum(e, results) for e in about.get("errata", [])],
            }
        )  # fmt: skip
    return shown


def _erratum(e: Record, results: Results) -> dict[str, Any]:
    evidence = []
    for name in e.get("evidence", []):
        claim = results.claims.get(name)
        derived = [_rests(d, results) for d in claim["checked_by"]] if claim else []
        killed = [f"“{r}” rejected by {claim['killed_at'].get(r, 'the data')}" for r in claim["printed_rivals"]
                  if r in claim["rivals_rejected"]] if claim else []  # fmt: skip
        evidence.append({**_rests(name, results), "derived": derived, "killed": killed,
                         "outcome": claim["outcome"] if claim else "not in these results"})  # fmt: skip
    return {**e, "shown_printed": statement(e["printed"]), "shown_corrected": statement(e["corrected"]),
            "shown_wrong": statement(e["wrong"]), "evidence_shown": evidence}  # fmt: skip


def _derivation(d: Record, sources: _Sources) -> dict[str, Any]:
    used = d.get("code") or []
    return {
        **d, "anchor": anchor("derivation", d["id"]), "state": "derived" if _holds(d) else "underived",
        "how": METHODS.get(str(d.get("method")), str(d.get("method", ""))), "links": sources.link(used),
        "source_link": sources.link([d["source"]] if isinstance(d.get("source"), dict) else []),
    }  # fmt: skip


def _overview(results: Results, papers: list[dict[str, Any]]) -> dict[str, Any]:
    claims = list(results.claims.values())
    runs = [r for r in results.runs.values() if any(c["run"] == r["run"] for c in claims)]
    values = lambda name: sorted({str(r.get(name)) for r in runs if r.get(name) is not None})  # noqa: E731
    seconds = [r["seconds"] for r in runs if isinstance(r.get("seconds"), int | float)]
    versions = sorted({f"{k} {v}" for r in runs for k, v in r["versions"].items()})
    count = Counter(c["outcome"] for c in claims)
    dirty = any(r.get("dirty") for r in runs)
    return {
        "counts": {o: count.get(o, 0) for o in OUTCOMES},
        "foreseen": Counter(c["outcome"] for c in claims if as_expected(c)),
        "claims": len(claims), "papers": len(papers),
        "fine": sum(map(as_expected, claims)),
        "derived": sum(map(_holds, results.derivations.values())),
        "derivations": len(results.derivations), "budget": f"{sum(c['epsilon'] for c in claims):.3g}",
        "machine": values("machine"), "versions": versions, "dirty": dirty,
        "commit": [c[:12] for c in values("commit")],
        "date": [d[:16].replace("T", " ") for d in values("date")[-1:]],
        "scale": sorted({c["scale"] for c in claims if c["scale"]}),
        "device": sorted({c["device"] for c in claims if c["device"]}),
        "wall": f"{sum(seconds):.0f} s" if seconds else f"{sum(c['seconds'] for c in claims):.0f} s of verdicts",
        "unfinished": sum(r.get("seconds") is None for r in runs),
    }  # fmt: skip


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _templates() -> tuple[Any, str, str]:
    """The page's template, style and script, read once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    folder = Path(__file__).parent / "templates"
    jinja = Environment(
        loader=PackageLoader("corollary.report"), autoescape=select_autoescape(["html"]), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return jinja.get_template("page.html"), style, script


def render(results: Results) -> str:
    """The page as text. Depends on the results alone: the same results give the same bytes."""
    template, style, script = _templates()
    sources = _Sources()
    papers = _papers(results, sources)
    derivations = [_derivation(d, sources) for _, d in sorted(results.derivations.items())]
    return template.render(
        style=style, script=script, style_hash=_hash(style), script_hash=_hash(script),
        overview=_overview(results, papers), papers=papers, derivations=derivations, sources=sources.texts,
        problems=results.problems, outcomes=OUTCOMES, words=WORDS,
        families=sorted({p["family"] for p in papers}), kinds=sorted({c["kind"] for c in results.claims.values()}),
    )  # fmt: skip


def write(results: Results, target: Path) -> Path:
    """Write the page under a temporary name and rename it. Raises ReportError where the disk does not take it."""
    text = render(results)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", errors="replace")
        os.replace(temporary, target)
    except OSError as error:
        raise ReportError(
            f"cannot write the report to {target}: {error.strerror}; name another place with --to"
        ) from error
    return target
