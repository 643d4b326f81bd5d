"""A verdict: what was decided, on what evidence, at what error rate; as text and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from corollary.verdicts.rule import Outcome


@dataclass(frozen=True)
class Verdict:
    """The result of judging a claim. Lists have one entry per functional; `n` counts replicates."""

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

    @property
    def as_expected(self) -> bool:
        return self.outcome == self.expected

    def with_(self, **changes: Any) -> Verdict:
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data under the names the report uses; infinite ends are null."""

        def plain(x: float) -> float | None:
            return float(x) if math.isfinite(x) else None

        return {
            "id": self.id, "statement": self.statement, "kind": self.kind,
            "outcome": str(self.outcome), "expected": str(self.expected), "functionals": self.functionals,
            "interval": [[plain(lo), plain(hi)] for lo, hi in self.interval],
            "theory": [plain(x) for x in self.theory], "margin": [plain(x) for x in self.margin],
            "resolution": [plain(x) for x in self.resolution], "epsilon": self.epsilon, "n": self.n,
            "rivals_rejected": self.rivals_rejected, "rivals_alive": self.rivals_alive, "killed_at": self.killed_at,
            "because": self.because, "seed_root": self.seed_root, "stream": self.stream, "earlier": self.earlier,
            "unstable": self.unstable, "out_of_domain": self.out_of_domain, "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }  # fmt: skip

    def __str__(self) -> str:
        flag = " (unstable: first REFUTED, then not)" if self.unstable else ""
        rate = f"error rate {self.epsilon:g}" if self.epsilon else "no error rate (deterministic instances)"
        lines = [
            f"{self.outcome}{flag}  {self.id}  [{self.kind}]  {self.statement}",
            f"  {self.n} replicates, {rate}, seed root {self.seed_root}, stream {self.stream}"
            + (f" (earlier: {', '.join(self.earlier)})" if self.earlier else ""),
        ]
        if self.outcome != self.expected:
            lines.append(f"  expected {self.expected}")
        rows = list(zip(self.functionals, self.interval, self.theory, self.margin, self.resolution, strict=True))
        for name, (lo, hi), T, b, r in rows[:12]:
            line = f"  {name}: [{lo:.6g}, {hi:.6g}]  theory {T:.6g}  margin {b:.3g}  resolution {r:.3g}"
            if r and math.isfinite(lo + hi):
                line += f"  ({((lo + hi) / 2 - T) / r:+.2f} resolutions off)"
            lines.append(line)
        if len(rows) > 12:
            lines.append(f"  … and {len(rows) - 12} functionals more")
        lines += [
            f"  rival {name!r} rejected by {self.killed_at.get(name, 'the data')}" for name in self.rivals_rejected
        ]
        lines += [f"  rival {name!r} still stands" for name in self.rivals_alive]
        if self.because:
            lines.append(f"  margin because {self.because}")
        lines += [f"  out of domain: {place}" for place in self.out_of_domain]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


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
