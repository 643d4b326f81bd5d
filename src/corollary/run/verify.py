"""verify = sweep + judge look by look, repeat a REFUTED on the second root, run the derivations, append to the log."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corollary.claims import Claim, ClaimError, Derived
from corollary.run.catalogue import derivations, papers_of
from corollary.run.history import with_history
from corollary.run.log import append, read_log
from corollary.run.raw import write_raw
from corollary.run.record import claim_record, derivation_record, now, paper_record, run_record, write
from corollary.verdicts import Outcome, Verdict


@dataclass
class Verification:
    """Verdicts and derivations of one run."""

    verdicts: list[Verdict] = field(default_factory=list)
    derived: list[Derived] = field(default_factory=list)
    root: int = 0
    scale: str = "laptop"

    @property
    def as_expected(self) -> bool:
        """Every verdict equals its expectation, none is UNDERPOWERED, every derivation holds."""
        fine = all(v.as_expected and v.outcome is not Outcome.UNDERPOWERED for v in self.verdicts)
        return fine and all(d.holds for d in self.derived)

    @property
    def error_budget(self) -> float:
        return sum(v.epsilon for v in self.verdicts)


def derivations_of(claims: Iterable[Claim]) -> list[str]:
    return sorted({name for claim in claims for name in claim.checked_by})


def verify(
    claims: list[Claim],
    *,
    scale: str,
    root: int,
    out: Path,
    device: str = "cpu",
    executor: Any = None,
    store: Any = None,
    progress: Callable[[str], Any] | None = None,
    report: Callable[[Verdict | Derived], None] = lambda result: None,
    all_derivations: bool = False,
    fresh: bool = False,
) -> Verification:
    """Judge the claims and run their derivations (or all). `report` gets each result as it comes; the log is told
    whether `root` was drawn afresh."""
    log, started = read_log(out), time.perf_counter()
    run = f"{now()} {os.getpid()}"
    about = {"scale": scale, "root": root, "device": device, "fresh": fresh}
    write(out, run_record(run, **about, seconds=None))
    paper_of: dict[str, str] = {}
    for key, entry in papers_of(claims).items():
        write(out, paper_record(entry))
        paper_of |= {claim.name: key for claim in entry.claims}
    result = Verification(root=root, scale=scale)
    wanted = derivations_of(claims)
    known = derivations() if all_derivations or wanted else {}
    wanted = sorted(known) if all_derivations else wanted
    for name in wanted:
        if name not in known:
            raise ClaimError(f"checked_by names {name!r}, but proofs_check has no such derivation")
        result.derived.append(known[name].run())
        write(out, derivation_record(known[name], result.derived[-1], run=run))
        report(result.derived[-1])
    for claim in claims:
        callback = progress(claim.name) if progress else None
        try:
            verdict = claim.verdict(
                scale=scale, root=root, device=device, executor=executor, store=store, progress=callback
            )
        except ValueError as error:  # measured values that cannot be judged, such as NaN
            raise error if isinstance(error, ClaimError) else ClaimError(f"{claim.name}: {error}") from error
        own = verdict.streams
        verdict = with_history(verdict, claim.fingerprint(), scale, log)
        logged = {
            "date": now(), "run": run, "root": root, "fresh": fresh, "scale": scale,
            "claim": verdict.id, "fingerprint": claim.fingerprint(), "seed_root": verdict.seed_root,
            "outcome": str(verdict.outcome), "expected": str(verdict.expected), "n": verdict.n,
            "unstable": verdict.unstable, "epsilon": verdict.epsilon, "device": device, "streams": own,
        }  # fmt: skip
        append(out, logged)
        log.append(logged)
        data = ""
        if store is not None:  # without one the replicates are gone
            data = write_raw(out, claim, verdict, scale=scale, device=device, executor=executor, store=store)
        write(out, claim_record(claim, verdict, scale=scale, device=device, run=run,
                                paper=paper_of.get(claim.name, ""), data=data))  # fmt: skip
        result.verdicts.append(verdict)
        report(verdict)
    write(out, run_record(run, **about, seconds=round(time.perf_counter() - started, 3)))
    return result
