"""Two result folders side by side: two commits, two seeds, or CPU and GPU. What changed beyond what chance allows.

A number moved when the two intervals do not meet: each covers its true value but for its error rate, so if nothing
changed that happens with probability at most the sum of the two. A theory's value is no measurement: any change counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from corollary.report.load import Record, Results, finite

THEORY_RTOL = 1e-9  # theory's values are computed in double precision; another BLAS or device moves the last digits


@dataclass
class Comparison:
    """Lines for people. `same` is the number of claims in both folders with nothing to say about."""

    verdicts: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    theory: list[str] = field(default_factory=list)
    derivations: list[str] = field(default_factory=list)
    only_old: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    same: int = 0

    @property
    def changed(self) -> bool:
        return bool(self.verdicts or self.moved or self.theory or self.derivations)


def compare(old: Results, new: Results) -> Comparison:
    """What differs between the claims and derivations of two folders."""
    found = Comparison()
    found.only_old = sorted(set(old.claims) - set(new.claims))
    found.only_new = sorted(set(new.claims) - set(old.claims))
    for name in sorted(set(old.claims) & set(new.claims)):
        before, after = old.claims[name], new.claims[name]
        lines = [len(found.verdicts), len(found.moved), len(found.theory)]
        if before["outcome"] != after["outcome"]:
            found.verdicts.append(f"{name}: {before['outcome']} → {after['outcome']}")
        _numbers(name, before, after, found)
        found.same += lines == [len(found.verdicts), len(found.moved), len(found.theory)]
        if before.get("fingerprint") and after.get("fingerprint") and before["fingerprint"] != after["fingerprint"]:
            found.notes.append(f"{name} is declared differently in the two folders")
        if before["scale"] != after["scale"]:
            found.notes.append(f"{name}: scale {before['scale']} → {after['scale']}")
    for name in sorted(set(old.derivations) & set(new.derivations)):
        was, now = old.derivations[name].get("outcome"), new.derivations[name].get("outcome")
        if was != now:
            found.derivations.append(f"{name}: {was} → {now}")
    return found


def _numbers(name: str, before: Record, after: Record, found: Comparison) -> None:
    row = {f: i for i, f in enumerate(after["functionals"])}
    for i, functional in enumerate(before["functionals"]):
        j = row.get(functional)
        if j is None:
            continue
        T0, T1 = finite(before["theory"][i]), finite(after["theory"][j])
        if T0 is not None and T1 is not None and abs(T1 - T0) > THEORY_RTOL * max(abs(T0), abs(T1)):
            found.theory.append(f"{name}, {functional}: theory {T0:.10g} → {T1:.10g}")
        (a0, b0), (a1, b1) = (_ends(pair) for pair in (before["interval"][i], after["interval"][j]))
        if b0 < a1 or b1 < a0:
            found.moved.append(f"{name}, {functional}: [{a0:.5g}, {b0:.5g}] → [{a1:.5g}, {b1:.5g}]")


def _ends(pair: list) -> tuple[float, float]:
    low, high = (finite(x) for x in pair)
    return (-float("inf") if low is None else low), (float("inf") if high is None else high)
