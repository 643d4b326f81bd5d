"""A verdict: what was decided, on what evidence, at what error rate; as text and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from corollary.verdicts.rule import Outcome

SHOWN = 12  # functionals in the text; all are in the JSON


@dataclass(frozen=True)
class Verdict:
    """The result of judging a claim. Lists have one entry per functional; `n` counts replicates.

    evidence: log₁₀ e against the theory's zone (mean over the functionals; an anytime p-value is 1/e), None where the
    kind has no e-value; evidence_rivals the same for each rival's zone. looks: replicate counts at which was judged.
    streams: (seed root, outcome) of every stream of this claim, the verdict's own last. rival_values: what each rival
    says of every functional (NaN: nothing), for kinds whose rivals are values.
    """

    id: str
    statement: str
    kind: str
    outcome: Outcome
    expected: Outcome
    functionals: list[str]
    interval: list[tuple[float, float]]
    theory: list[float]
    margin: list[float]
    resolution: list[float]
    epsilon: float
    n: int
    rivals_rejected: list[str]
    rivals_alive: list[str] = field(default_factory=list)
    killed_at: dict[str, str] = field(default_factory=dict)
    because: str = ""
    seed_root: int = 0
    stream: int = 1
    earlier: list[str] = field(default_factory=list)
    unstable: bool = False
    out_of_domain: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    given: str = ""
    looks: list[int] = field(default_factory=list)
    evidence: float | None = None
    evidence_rivals: dict[str, float] = field(default_factory=dict)
    streams: list[tuple[int, str]] = field(default_factory=list)
    rival_values: dict[str, list[float]] = field(default_factory=dict)

    @property
    def as_expected(self) -> bool:
        return self.outcome == self.expected

    @property
    def effect(self) -> list[float]:
        """The middle of the interval minus the theory's value, in resolutions; infinite where the interval is."""
        rows = zip(self.interval, self.theory, self.resolution, strict=True)
        return [((lo + hi) / 2 - T) / r if r and math.isfinite(lo + hi) else math.inf for (lo, hi), T, r in rows]

    def with_(self, **changes: Any) -> Verdict:
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data under the names the report uses; infinite ends are null."""

        def plain(x: float | None) -> float | None:
            return float(x) if x is not None and math.isfinite(x) else None

        return {
            "id": self.id, "statement": self.statement, "kind": self.kind,
            "outcome": str(self.outcome), "expected": str(self.expected), "functionals": self.functionals,
            "interval": [[plain(lo), plain(hi)] for lo, hi in self.interval],
            "theory": [plain(x) for x in self.theory], "margin": [plain(x) for x in self.margin],
            "resolution": [plain(x) for x in self.resolution], "epsilon": self.epsilon, "n": self.n,
            "rivals_rejected": self.rivals_rejected, "rivals_alive": self.rivals_alive, "killed_at": self.killed_at,
            "because": self.because, "seed_root": self.seed_root, "stream": self.stream, "earlier": self.earlier,
            "unstable": self.unstable, "out_of_domain": self.out_of_domain, "notes": self.notes,
            "seconds": round(self.seconds, 3), "given": self.given, "looks": self.looks,
            "effect": [plain(e) for e in self.effect],
            "evidence": {
                "theory": plain(self.evidence), "rivals": {k: plain(e) for k, e in self.evidence_rivals.items()},
            },
            "streams": [list(stream) for stream in self.streams],
            "rival_values": {name: [plain(x) for x in values] for name, values in self.rival_values.items()},
        }  # fmt: skip

    def __str__(self) -> str:
        flag = " (unstable: first REFUTED, then not)" if self.unstable else ""
        lines = [f"{self.outcome}{flag}  {self.id}  [{self.kind}]  {self.statement}", f"  {self._cost()}"]
        if self.outcome != self.expected:
            lines.append(f"  expected {self.expected}")
        if self.given:
            lines.append(f"  given {self.given}")
        rows = list(
            zip(self.functionals, self.interval, self.theory, self.margin, self.resolution, self.effect, strict=True)
        )
        for name, (lo, hi), T, b, r, off in rows[:SHOWN]:
            line = f"  {name}: [{lo:.6g}, {hi:.6g}]  theory {T:.6g}  margin {b:.3g}  resolution {r:.3g}"
            lines.append(line + (f"  ({off:+.2f} resolutions off)" if math.isfinite(off) else ""))
        if len(rows) > SHOWN:
            lines.append(f"  … and {len(rows) - SHOWN} functionals more")
        if self.evidence is not None and len(rows):
            lines.append(f"  evidence against the theory: log10 e = {self.evidence:.1f}")
        for name in [*self.rivals_rejected, *self.rivals_alive]:
            dead = name in self.rivals_rejected
            text = f"rejected by {self.killed_at.get(name, 'the data')}" if dead else "still stands"
            e = self.evidence_rivals.get(name)
            lines.append(f"  rival {name!r} {text}" + ("" if e is None else f" (log10 e = {e:.1f})"))
        if self.because:
            lines.append(f"  margin because {self.because}")
        lines += [f"  out of domain: {place}" for place in self.out_of_domain]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)

    def _cost(self) -> str:
        """Replicates, error rate, looks, seed root and which stream of how many this is."""
        rate = f"error rate {self.epsilon:g}" if self.epsilon else "no error rate (deterministic instances)"
        if self.epsilon and len(self.functionals) > 1:
            rate += f" shared by {len(self.functionals)} functionals"
        total = max(self.stream, len(self.streams))
        text = f"{self.n} replicates, {rate}, seed root {self.seed_root}, stream {self.stream} of {total}"
        if self.earlier:
            text += f" (earlier: {', '.join(self.earlier)})"
        if len(self.looks) > 1:
            text += f", {len(self.looks)} looks from {self.looks[0]}"
        return text + (f", {self.seconds:.1f} s" if self.seconds else "")


class NotConfirmed(AssertionError):
    """A claim's check did not come out as expected; carries the verdict."""

    def __init__(self, verdict: Verdict):
        super().__init__("\n" + str(verdict))
        self.verdict = verdict


class Refuted(NotConfirmed):
    """The data contradict the theory."""


class Underpowered(NotConfirmed):
    """The budget ended before a decision."""


class OutOfDomain(NotConfirmed):
    """The regime fails at every point."""


class Unexpected(NotConfirmed):
    """CONFIRMED where another outcome was expected."""


def raise_unless_expected(verdict: Verdict) -> Verdict:
    """The verdict, or the exception that names its outcome."""
    if verdict.as_expected:
        return verdict
    raise {
        Outcome.REFUTED: Refuted,
        Outcome.UNDERPOWERED: Underpowered,
        Outcome.OUT_OF_DOMAIN: OutOfDomain,
        Outcome.CONFIRMED: Unexpected,
    }[verdict.outcome](verdict)


def listed(x: np.ndarray) -> list[float]:
    return [float(v) for v in np.ravel(x)]
