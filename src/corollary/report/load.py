"""Reads what runs left behind: a folder of `corollary verify` or `reproduce`, or the JSON of `--json` and of pytest.

What is damaged, cut short or of another version is left out and named in `problems`; nothing to show is an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corollary.run.record import FORMAT, RESULTS

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
    "measurement": [], "test": "", "evidence": {}, "side": "two", "axis": "",
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
    cut, newer = 0, 0
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            cut += 1
            continue
        if isinstance(record, dict) and isinstance(record.get("format"), int) and record["format"] > FORMAT:
            newer += 1
        elif not (isinstance(record, dict) and take(record, found)):
            cut += 1
    if cut:
        found.problems.append(f"{cut} lines of {file.name} were cut short or are no records: left out")
    if newer:
        found.problems.append(f"{newer} lines of {file.name} are of a newer version of corollary: left out; update it")


def _json(path: Path, found: Results) -> None:
    """Verdicts of `pytest --verdicts-json` or `corollary verify --json`."""
    if path.suffix == ".jsonl":
        return _lines(path, found)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is not whole JSON ({error}); was the run that wrote it stopped?") from error
    if not isinstance(data, dict) or not isinstance(data.get("verdicts"), list):
        raise ReportError(f"{path} holds no verdicts; expected the file of pytest --verdicts-json or of --json")
    for record in data["verdicts"]:
        named = {**record, "id": record.get("id") or record.get("test", "")} if isinstance(record, dict) else {}
        if not take({"record": "claim", **named}, found):
            found.problems.append(f"a verdict of {path.name} lacks its id, kind or outcome: left out")


def take(record: Record, found: Results) -> bool:
    """Keep a record; False where it is none of ours or lacks what it is about."""
    kind = record.get("record")
    if kind == "claim":
        claim = _claim(record)
        if claim is None:
            return False
        found.claims[claim["id"]] = claim
        return True
    homes: dict[Any, tuple[dict[str, Record], str]] = {
        "derivation": (found.derivations, "id"), "paper": (found.papers, "key"), "run": (found.runs, "run"),
    }  # fmt: skip
    if kind not in homes:
        return False
    home, key = homes[kind]
    if not isinstance(record.get(key), str):
        return False
    home[record[key]] = record
    return True


def _claim(record: Record) -> Record | None:
    if any(not isinstance(record.get(name), kind) for name, kind in _NEEDED.items()) or not record["id"]:
        return None
    if record["outcome"] not in OUTCOMES:
        return None
    claim = {**_DEFAULTS, **{k: v for k, v in record.items() if v is not None or k == "budget"}}
    for name, default in _DEFAULTS.items():
        right = int | float if isinstance(default, float) else type(default)
        if default is not None and not isinstance(claim[name], right):
            return None
    if any(not isinstance(v, list) for v in claim["rival_values"].values()):
        return None
    for name in _TEXTS:
        claim[name] = [str(x) for x in claim[name]]
    claim["points"] = [p for p in claim["points"] if isinstance(p, dict)]
    lengths = {len(claim[name]) for name in ("functionals", "interval", "theory", "margin", "resolution")}
    if len(lengths) != 1 or any(not isinstance(pair, list) or len(pair) != 2 for pair in claim["interval"]):
        return None
    return claim


def _figure(provenance: Path, found: Results) -> None:
    name = f"{provenance.parent.name}/{provenance.name}"
    try:
        made = json.loads(provenance.read_text(encoding="utf-8"))
        result, run = made["result"], made["run"]
        number, paper = str(result["figure"]), str(result["paper"])
    except (ValueError, KeyError, TypeError, OSError):
        found.problems.append(f"{name} is cut short or no provenance of a figure: left out")
        return
    picture = provenance.with_suffix(".png")
    if not picture.is_file():
        found.problems.append(f"{name}: its picture {picture.name} is not there: left out")
        return
    caption = provenance.with_suffix(".txt")
    tables = sorted(p for p in provenance.parent.glob(f"{provenance.stem}*.csv") if _belongs(p.stem, provenance.stem))
    text = caption.read_text(encoding="utf-8", errors="replace") if caption.is_file() else ""
    found.figures.setdefault(paper, []).append(
        {"number": number, "picture": picture, "caption": text, "result": result, "run": run,
         "tables": [p.name for p in tables], "folder": f"figures/{provenance.parent.name}"}
    )  # fmt: skip


def _belongs(table: str, figure: str) -> bool:
    return table == figure or table.startswith(f"{figure}-")


def finite(x: Any) -> float | None:
    """A number of a record, or None where it is infinite or missing."""
    return float(x) if isinstance(x, int | float) and math.isfinite(x) else None


def as_expected(claim: Mapping[str, Any]) -> bool:
    return claim["outcome"] == claim["expected"] and claim["outcome"] != "UNDERPOWERED"
