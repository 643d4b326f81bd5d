"""Reads what runs left behind: a folder of `corollary verify` or `reproduce`, or the JSON of `--json` and of pytest.

What is damaged, cut short or of another version is left out and named in `problems`; nothing to show is an error.
"""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corollary.report import shapes
from corollary.report.shapes import Misfit
from corollary.run.record import FORMAT, RESULTS

MOST = 20  # problems of one file that are told one by one
REFUTED = "REFUTED"
OUTCOMES = ("CONFIRMED", REFUTED, "UNDERPOWERED", "OUT_OF_DOMAIN")
Record = dict[str, Any]

# name → the type a claim's record must have there, and what stands in where an older or foreign record lacks it
_NEEDED = {"id": str, "outcome": str, "kind": str}
_DEFAULTS: dict[str, Any] = {
    "statement": "", "expected": "CONFIRMED", "functionals": [], "interval": [], "theory": [], "margin": [],
    "resolution": [], "effect": [], "epsilon": 0.0, "n": 0, "rivals_rejected": [], "rivals_alive": [], "killed_at": {},
    "because": "", "seed_root": 0, "stream": 1, "earlier": [], "unstable": False, "out_of_domain": [], "notes": [],
    "seconds": 0.0, "given": "", "looks": [], "streams": [], "rival_values": {}, "run": "", "paper": "", "scale": "",
    "device": "", "where": "", "theorem": "", "file": "", "line": 0, "budget": None, "regime": "", "points": [],
    "printed_rivals": [], "uses": [], "checked_by": [], "formula": [], "theory_code": [], "experiment": "", "reads": "",
    "measurement": [], "test": "", "evidence": {}, "side": "two", "axis": "", "data": "",
}  # fmt: skip
_TEXTS = (
    "functionals", "rivals_rejected", "rivals_alive", "earlier", "out_of_domain", "notes", "printed_rivals", "uses",
    "checked_by",
)  # fmt: skip


class ReportError(ValueError):
    """Results that cannot be shown; the message says what is there and what to do."""


@dataclass
class Results:
    """The last record of everything, by id; figures by paper."""

    claims: dict[str, Record] = field(default_factory=dict)
    derivations: dict[str, Record] = field(default_factory=dict)
    papers: dict[str, Record] = field(default_factory=dict)
    runs: dict[str, Record] = field(default_factory=dict)
    figures: dict[str, list[Record]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def load(sources: Iterable[Path]) -> Results:
    """All results of the folders and files, later ones first in rank. Raises ReportError where nothing can be shown."""
    found = Results()
    for path in sources:
        found.sources.append(path.name or str(path))
        if path.is_dir():
            _folder(path, found)
        elif path.is_file():
            _json(path, found)
        else:
            raise ReportError(f"no folder or file {path}; give the --out folder of a run, or the JSON file of pytest "
                              "--verdicts-json")  # fmt: skip
    if not found.claims and not found.derivations and not found.figures:
        raise ReportError(_nothing(found))
    return found


def _nothing(found: Results) -> str:
    where = ", ".join(found.sources)
    detail = f" ({found.problems[0]})" if found.problems else ""
    return f"no results in {where}{detail}; `corollary verify` or `corollary reproduce` with --out writes them"


def _folder(folder: Path, found: Results) -> None:
    file = folder / RESULTS
    if file.is_file():
        _lines(file, found)
    elif (folder / "log.jsonl").is_file():
        found.problems.append(
            f"{folder.name} was written by an older version of corollary, which kept verdicts in a log only; "
            "run `corollary verify` on it again: stored measurements are used again"
        )
    for provenance in sorted(folder.glob("figures/*/*.json")):
        _figure(provenance, found)
    for picture in sorted(folder.glob("figures/*/*.png")):
        if not picture.with_suffix(".json").is_file():
            found.problems.append(f"{picture.parent.name}/{picture.name} has no provenance beside it: left out")


def _lines(file: Path, found: Results) -> None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        found.problems.append(f"cannot read {file.name}: {error.strerror}")
        return
    problems: list[str] = []
    newer = 0
    for i, line in enumerate(lines, 1):
        if not line.strip():
            continue
        at = f"{file.name}, line {i}"
        try:
            record = _whole(line)
        except (ValueError, RecursionError):
            problems.append(f"{at} was cut short: left out")
            continue
        if isinstance(record, dict) and isinstance(record.get("format"), int) and record["format"] > FORMAT:
            newer += 1
            continue
        problems += take(record, found, at)
    found.problems += problems[:MOST]
    if len(problems) > MOST:
        found.problems.append(f"{file.name}: {len(problems) - MOST} more of the kind")
    if newer:
        found.problems.append(f"{newer} lines of {file.name} are of a newer version of corollary: left out; update it")


def _whole(line: str) -> Any:
    """The JSON of a line. Halves of a surrogate pair, which no file can hold, become question marks."""
    record = json.loads(line)
    if "\\ud" in line.lower():
        record = json.loads(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace"))
    return record


def _json(path: Path, found: Results) -> None:
    """Verdicts of `pytest --verdicts-json` or `corollary verify --json`."""
    if path.suffix == ".jsonl":
        return _lines(path, found)
    try:
        data = _whole(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is not whole JSON ({error}); was the run that wrote it stopped?") from error
    if not isinstance(data, dict) or not isinstance(data.get("verdicts"), list):
        raise ReportError(f"{path} holds no verdicts; expected the file of pytest --verdicts-json or of --json")
    problems: list[str] = []
    for i, record in enumerate(data["verdicts"], 1):
        named = {**record, "id": record.get("id") or record.get("test", "")} if isinstance(record, dict) else {}
        problems += take({**named, "record": "claim"}, found, f"{path.name}, verdict {i}")
    found.problems += problems[:MOST]
    if len(problems) > MOST:
        found.problems.append(f"{path.name}: {len(problems) - MOST} more of the kind")


def take(record: Any, found: Results, at: str) -> list[str]:
    """Keep a record. What is wrong with it, each line beginning with where it stands; [] where it is whole."""
    kind = record.get("record") if isinstance(record, dict) else None
    said: list[str] = []
    try:
        if kind == "claim":
            claim = _claim(record)
            found.claims[claim["id"]] = claim
        elif kind == "derivation":
            known = shapes.DERIVATION(record, kind, said)
            found.derivations[known["id"]] = known
        elif kind == "paper":
            known = shapes.PAPER(record, kind, said)
            found.papers[known["key"]] = {**known, "title": known["title"] or known["key"]}
        elif kind == "run":
            known = shapes.RUN(record, kind, said)
            found.runs[known["run"]] = known
        else:
            raise Misfit("this is no record of a run, paper, claim or derivation")
    except Misfit as misfit:
        said.append(f"{misfit}: left out")
    return [f"{at}: {text}" for text in said]


def _claim(record: Record) -> Record:
    for name, kind in _NEEDED.items():
        if not isinstance(record.get(name), kind) or not record[name]:
            raise Misfit(f"a claim without its {name}")
    who = f"claim {record['id'][:80]}"
    if record["outcome"] not in OUTCOMES:
        raise Misfit(f"{who} has no outcome of {', '.join(OUTCOMES)}")
    claim = {**_DEFAULTS, **{k: v for k, v in record.items() if v is not None or k == "budget"}}
    for name, default in _DEFAULTS.items():
        right = int | float if isinstance(default, float) else type(default)
        if default is not None and not isinstance(claim[name], right):
            raise Misfit(f"{who}: {name} is of the wrong type")
        if isinstance(default, float):
            shapes.number(claim[name], f"{who}: {name}", [])
    if any(not isinstance(v, list) for v in claim["rival_values"].values()):
        raise Misfit(f"{who}: rival_values is no table of lists")
    for name in _TEXTS:
        claim[name] = [str(x) for x in claim[name]]
    claim["killed_at"] = {str(k): str(v) for k, v in claim["killed_at"].items()}
    claim["points"] = [p for p in claim["points"] if isinstance(p, dict)]
    lengths = {len(claim[name]) for name in ("functionals", "interval", "theory", "margin", "resolution")}
    if len(lengths) != 1 or any(not isinstance(pair, list) or len(pair) != 2 for pair in claim["interval"]):
        raise Misfit(f"{who}: functionals, intervals and theory do not belong together")
    return claim


def _figure(provenance: Path, found: Results) -> None:
    name = f"{provenance.parent.name}/{provenance.name}"
    said: list[str] = []
    try:
        made = _whole(provenance.read_text(encoding="utf-8"))
        result, run = made["result"], made["run"]
        result = shapes.FIGURE(result, "result", said)
    except Misfit as misfit:
        found.problems.append(f"{name}: {misfit}: left out")
        return
    except (ValueError, KeyError, TypeError, RecursionError, OSError):
        found.problems.append(f"{name} is cut short or no provenance of a figure: left out")
        return
    found.problems += [f"{name}: {text}" for text in said]
    picture = provenance.with_suffix(".png")
    if not picture.is_file():
        found.problems.append(f"{name}: its picture {picture.name} is not there: left out")
        return
    caption = provenance.with_suffix(".txt")
    tables = sorted(p for p in provenance.parent.glob(f"{glob.escape(provenance.stem)}*.csv")
                    if _belongs(p.stem, provenance.stem))  # fmt: skip
    try:
        text = caption.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found.figures.setdefault(result["paper"], []).append(
        {"number": result["figure"], "picture": picture, "caption": text, "result": result, "run": run,
         "tables": [p.name for p in tables], "folder": f"figures/{provenance.parent.name}"}
    )  # fmt: skip


def _belongs(table: str, figure: str) -> bool:
    return table == figure or table.startswith(f"{figure}-")


def finite(x: Any) -> float | None:
    """A number of a record, or None where it is infinite, too large for one, or missing."""
    try:
        return float(x) if isinstance(x, int | float) and math.isfinite(x) else None
    except OverflowError:
        return None


def as_expected(claim: Mapping[str, Any]) -> bool:
    return claim["outcome"] == claim["expected"] and claim["outcome"] != "UNDERPOWERED"
