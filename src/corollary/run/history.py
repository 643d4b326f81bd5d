"""Every stream of a claim, from the log: which stream a verdict is, what came before, and whether ε is kept overall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from corollary.verdicts import Outcome, Verdict

ALARM = 1e-3  # how seldom a calibrated judge is accused


def streams_of(entry: Mapping[str, Any]) -> list[tuple[int, str]]:
    """(seed root, outcome) of a log entry's streams: two where a REFUTED was repeated."""
    return [(root, outcome) for root, outcome in entry.get("streams") or [(entry["seed_root"], entry["outcome"])]]


def with_history(verdict: Verdict, fingerprint: str, scale: str, log: Iterable[Mapping[str, Any]]) -> Verdict:
    """Number the verdict's stream among all seed roots this claim was ever judged on at this scale.

    A root judged again is the same stream. Streams of a claim that was declared differently are another history; a
    note names them.
    """
    mine = [e for e in log if e.get("claim") == verdict.id and e.get("scale") == scale]
    own = verdict.streams or [(verdict.seed_root, str(verdict.outcome))]
    roots = {root for root, _ in own}
    before = {r: o for e in mine if e.get("fingerprint") == fingerprint for r, o in streams_of(e) if r not in roots}
    strange = [e for e in mine if e.get("fingerprint") != fingerprint]
    other = {(e.get("fingerprint"), root): outcome for e in strange for root, outcome in streams_of(e)}
    streams = [*before.items(), *own]
    notes = list(verdict.notes)
    if other:
        notes.append(f"declared differently before: {len(other)} streams, {', '.join(other.values())}")
    return verdict.with_(
        stream=len(streams), earlier=[outcome for _, outcome in streams[:-1]], streams=streams, notes=notes
    )


def first_stage(log: Iterable[Mapping[str, Any]]) -> tuple[int, int, float]:
    """(refuted at the first stage, verdicts, P(as many or more)): a monitor of our own calibration, free with each run.

    Counts verdicts on fresh seeds that carry an error rate and are expected to be CONFIRMED. The probability is that of
    Binomial(N, mean ε), whose tail beyond its mean is at least that of the true sum (Hoeffding 1956).
    """
    from scipy.stats import binom

    counted = [e for e in log if e.get("fresh") and e.get("epsilon") and e.get("expected") == Outcome.CONFIRMED]
    if not counted:
        return 0, 0, 1.0
    refuted = sum(streams_of(e)[0][1] == Outcome.REFUTED for e in counted)
    rate = sum(e["epsilon"] for e in counted) / len(counted)
    return refuted, len(counted), float(binom.sf(refuted - 1, len(counted), rate))


def monitor(log: Iterable[Mapping[str, Any]]) -> str:
    """One line on `first_stage` for the end of a report; empty where no fresh seed was ever judged."""
    refuted, verdicts, p = first_stage(log)
    if not verdicts:
        return ""
    text = f"; on fresh seeds {refuted} of {verdicts} verdicts were REFUTED at first (by chance alone: p = {p:.2g})"
    return text + (": THE STATED ERROR RATES ARE NOT KEPT" if p < ALARM else "")
