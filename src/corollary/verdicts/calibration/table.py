"""The table of measured rates: measured block by block, kept as JSON, written as Markdown between two marks."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from corollary.seeds import stable_hash
from corollary.verdicts.calibration import mutants
from corollary.verdicts.calibration.harness import CONFIRMED, REFUTED, Compare, Counts, Words, by, decided, means
from corollary.verdicts.calibration.laws import LAWS
from corollary.verdicts.calibration.rows import PLACES, ROOT, Row, rows
from corollary.verdicts.rule import words

BEGIN, END = "<!-- measured rates: begin -->", "<!-- measured rates: end -->"
CHANCE = 1e-6  # a true rate of ε shows more than `allowed` errors with this probability
MUTANT_EPS, MUTANT_RUNS = 0.05, 10_000
MUTANT_LAWS = ("normal", "−exponential", "−lognormal")


def allowed(runs: int, eps: float) -> int:
    return int(binom.ppf(1 - CHANCE, runs, eps))


def wrong_words(
    law: str, b: float, r: float, runs: int, compare: Compare = means, rule: Words = words, eps: float = MUTANT_EPS
) -> tuple[int, int]:
    """(false REFUTED at the margin's edge, false CONFIRMED at the end of the resolution) of a judge on a law."""
    x = _streams(law, runs)
    at_margin, _ = decided(x, -b, b, r, eps, compare=compare, rule=rule)
    at_end, _ = decided(x, -b - r, b, r, eps, compare=compare, rule=rule)
    return int(np.sum(at_margin == REFUTED)), int(np.sum(at_end == CONFIRMED))


@functools.lru_cache(maxsize=1)
def _streams(law: str, runs: int) -> np.ndarray:
    """The same streams for every suspect."""
    return LAWS[law](np.random.default_rng(np.random.SeedSequence([ROOT, stable_hash(law)])), (183, runs))


def suspects() -> dict[str, tuple[Compare, Words, float, float]]:
    """The judge and its mutants: intervals at b = .1, r = .5, rules where both weigh the same."""
    found: dict[str, tuple[Compare, Words, float, float]] = {"the judge": (means, words, 0.1, 0.5)}
    found |= {name: (by(f), words, 0.1, 0.5) for name, f in {**mutants.INTERVALS, **mutants.SUBTLE}.items()}
    found["the judge, b = r = .4"] = (means, words, 0.4, 0.4)
    return found | {name: (means, rule, 0.4, 0.4) for name, rule in mutants.RULES.items()}


def measure(share: float = 1.0, progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Counts of every row, of its first block and of all; `share` < 1 takes fewer blocks. Minutes at 1."""
    measured: dict[str, Any] = {"rows": {}}
    for row in rows():
        progress(row.id)
        entry = {}
        for place in PLACES:
            first = row.run(place, 0)
            total = first
            for block in range(1, max(1, round(row.blocks * share))):
                total += row.run(place, block)
            entry[place] = {"first": asdict(first), "all": asdict(total)}
        measured["rows"][row.id] = entry
    measured["mutants"] = {name: {} for name in suspects()}
    for law in MUTANT_LAWS:
        progress(f"mutants on {law}")
        for name, (compare, rule, b, r) in suspects().items():
            measured["mutants"][name][law] = wrong_words(law, b, r, MUTANT_RUNS, compare, rule)
    return json.loads(json.dumps(measured))  # tuples as the lists they are read back as


def _rate(count: int, runs: int, eps: float) -> str:
    text = "0" if count == 0 else f"{float(f'{count / runs:.2g}'):.6f}".rstrip("0")
    return f"**{text}**" if count > allowed(runs, eps) else text


def render(measured: dict[str, Any]) -> str:
    """Markdown of what `measure` returned."""
    lines: list[str] = []
    title = None
    for row in rows():
        here, name = (row.group, row.name) if row.group.startswith("mean") else ("other kinds", row.id)
        if here != title:
            title = here
            lines += ["", f"**{title}**, nominal {row.eps:g}", "", *_HEAD]
        at = {place: Counts(**measured["rows"][row.id][place]["all"]) for place in PLACES}
        value, margin, end = (at[place] for place in PLACES)
        lines.append(
            f"| {name} | {value.runs} | {value.confirmed / value.runs:.3f} | "
            f"{_rate(value.refuted, value.runs, row.eps)} | {value.replicates / value.runs:.0f} | "
            f"{_rate(margin.refuted, margin.runs, row.eps)} | {_rate(end.confirmed, end.runs, row.eps)} |"
        )
    lines += [
        "",
        f"**Mutants**, nominal {MUTANT_EPS / 2:g} a side, {MUTANT_RUNS} runs: wrongly REFUTED at θ = T + b / wrongly "
        f"CONFIRMED at θ = T + b + r; more than {allowed(MUTANT_RUNS, MUTANT_EPS / 2)} is caught",
        "",
        "| judge | " + " | ".join(MUTANT_LAWS) + " | caught by |",
        "|---|" + "---|" * (len(MUTANT_LAWS) + 1),
    ]
    for name, at in measured["mutants"].items():
        cells = " | ".join(" / ".join(_count(n) for n in at[law]) for law in MUTANT_LAWS)
        lines.append(f"| {name} | {cells} | {_caught(name, at)} |")
    return "\n".join(lines).strip() + "\n"


_HEAD = [
    "| law | runs | θ = T: CONFIRMED | wrongly REFUTED | replicates | θ = T + b: wrongly REFUTED "
    "| θ = T + b + r: wrongly CONFIRMED |",
    "|---|---|---|---|---|---|---|",
]


def _count(n: int) -> str:
    return f"**{n}**" if n > allowed(MUTANT_RUNS, MUTANT_EPS / 2) else str(n)


def caught_on(at: dict[str, Any]) -> list[str]:
    """The laws on which these counts exceed what chance allows."""
    return [law for law in MUTANT_LAWS if max(at[law]) > allowed(MUTANT_RUNS, MUTANT_EPS / 2)]


def _caught(name: str, at: dict[str, Any]) -> str:
    if name.startswith("the judge"):
        return "nothing, as it should be" if not caught_on(at) else "**calibration fails**"
    found = [f"the rates on {', '.join(caught_on(at))}"] if caught_on(at) else []
    if name in mutants.INTERVALS or name in mutants.SUBTLE:
        found.append("the exact values of q and of one interval")
    return "; ".join(found)


def insert(text: str, table: str) -> str:
    """The document with the table between its marks. Raises ValueError where the marks are missing."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the document must hold {BEGIN!r} and {END!r} once each; the table goes between them")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table}{END}{rest.split(END)[1]}"


def rates_beside(document: Path) -> Path:
    return document.with_name(f"{document.stem}-rates.json")


def _one_line_each(measured: dict[str, Any]) -> str:
    """JSON with a line for each row, so that a change shows as the rows it changed."""
    parts = []
    for part, entries in measured.items():
        lines = [
            f"  {json.dumps(k, ensure_ascii=False)}: {json.dumps(v, ensure_ascii=False)}" for k, v in entries.items()
        ]
        parts.append(f" {json.dumps(part)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(document: Path, measured: dict[str, Any]) -> None:
    """Write the counts beside the document and the table into it."""
    text = insert(document.read_text(encoding="utf-8"), render(measured))
    rates_beside(document).write_text(_one_line_each(measured), encoding="utf-8")
    document.write_text(text, encoding="utf-8")


__all__ = ["Row", "allowed", "caught_on", "insert", "measure", "rates_beside", "render", "suspects", "write"]
