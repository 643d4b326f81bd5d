"""The attention-SVM against general solvers (Clarabel and SCS through cvxpy, DAQP, ProxQP, LinearSVC), and training.

    make bench-attention

COROLLARY_CASES=r50x10x20,p50x10x10,r200x10x40,r500x10x60,r2000x10x100,p2000x50x20,n100x10x50,n200x10x100,training
(r: chosen tokens at random; p: planted, chosen by a hidden W; n: nuclear norm), COROLLARY_ROUNDS=3, COROLLARY_CAP=1200
(CPU seconds for a peer, all its tolerances together) and COROLLARY_MEMORY=12 (GiB for a peer) change what is run; other
cases are kept as they are in the results.

A solver's time to a gap is that of its cheapest run (over its own tolerances) whose W, scaled to least margin 1, has a
norm within that gap of the optimum: relative to the best lower bound that any certificate of ours proves, off the
clock, so that a peer needs no multipliers. Rounds are interleaved, every run is a process of its own with one thread,
and its CPU seconds count, which other work on the machine disturbs least; imports and first calls do not count.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import harness
import numpy as np

HERE = Path(__file__).resolve().parent
CASES = ("r50x10x20", "p50x10x10", "r200x10x40", "r500x10x60", "r2000x10x100", "p2000x50x20", "n100x10x50",
         "n200x10x100")  # fmt: skip
GOALS = {"r500x10x60": "10 × the best", "r2000x10x100": "10 × the best", "r200x10x40": "5 × the best",
         "r50x10x20": "1/3 of DAQP", "p50x10x10": "1/3 of DAQP", "n100x10x50": "5 × the best",
         "n200x10x100": "5 × the best", "p2000x50x20": "reported"}  # fmt: skip
GAPS = (1e-6, 1e-9)
ENOUGH = 0.3  # CPU seconds of one timing
QP, CONIC = ("daqp", "proxqp", "linearsvc", "clarabel", "scs"), ("clarabel", "scs")


def problem(case: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, Literal["frobenius", "nuclear"]]:
    """X (n, T, d) and Z (n, d) of unit Gaussian directions, chosen (n,), norm."""
    n, T, d = (int(k) for k in case[1:].split("x"))
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((n, T, d)), rng.standard_normal((n, d))
    X, Z = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (X, Z))
    chosen = rng.integers(T, size=n)
    if case[0] == "p":
        chosen = np.einsum("ntd,de,ne->nt", X, rng.standard_normal((d, d)), Z).argmax(axis=1)
    return X, Z, chosen, "nuclear" if case[0] == "n" else "frobenius"


def rows(case: str):
    from corollary.theory.attention.problem import Tokens, differences

    X, Z, chosen, _ = problem(case)
    return Tokens(differences(X, chosen), Z)


def primal(case: str, W: np.ndarray) -> float:
    """‖W‖/min margin, in the norm of the case; inf where W does not separate."""
    from corollary.theory.attention.certificate import matrix_norm

    margin = float(rows(case).forward(W.ravel()).min())
    return matrix_norm(W, "nuclear" if case[0] == "n" else "frobenius") / margin if margin > 0 else np.inf


def ours(case: str, gap: float, path: str) -> None:
    """Write W, the dual bound and CPU seconds of one solve: the body of a process of its own."""
    from corollary.theory import attention

    X, Z, chosen, norm = problem(case)
    small = np.random.default_rng(1).standard_normal((3, 2, 4))
    attention.svm(small, small[:, 0] + 1, np.zeros(3, dtype=int), norm=norm)  # first calls off the clock
    begun, count = time.process_time(), 0
    while True:  # the clock ticks in 4 ms: short solves are repeated
        sol = attention.svm(X, Z, chosen, norm=norm, gap=gap)
        count, spent = count + 1, time.process_time() - begun
        if spent > ENOUGH:
            break
    np.savez(path, W=np.asarray(sol.W), seconds=spent / count, dual=sol.certificate.dual)


def run(command: list[str], cap: float) -> tuple[str, str]:
    """(how it ended: "" or "cut" or its last line, all it wrote)."""
    environment = {**os.environ, **harness.ONE_THREAD}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=harness.limited(cap))
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return "cut", done.stderr
    if done.returncode:
        return ([*done.stderr.strip().splitlines(), f"signal {-done.returncode}"][-1])[:80].replace("|", "/"), ""
    return "", done.stdout


def compare(case: str, rounds: int, cap: float, memory: float) -> list[dict[str, Any]]:
    from corollary.theory.attention.problem import differences

    X, Z, chosen, norm = problem(case)
    python = harness.peer_python("qp")
    names = ["corollary", *((CONIC if norm == "nuclear" else QP) if python else ())]
    found: dict[str, list[list[tuple[float, np.ndarray]]]] = {name: [] for name in names}
    ended, lower = dict.fromkeys(names, ""), 0.0
    for _ in range(rounds):
        for name in names:
            answers = []
            with tempfile.TemporaryDirectory() as folder:
                if name == "corollary":
                    for gap in (*GAPS, 1e-11):
                        path = f"{folder}/{gap:g}.npz"
                        state, _ = run([sys.executable, __file__, "ours", case, str(gap), path], cap)
                        if gap >= min(GAPS):
                            ended[name] = ended[name] or state
                elif ended[name] != "cut" or not found[name][-1]:
                    np.save(f"{folder}/D.npy", differences(X, chosen))
                    np.save(f"{folder}/Z.npy", Z)
                    script = [str(python), str(HERE / "peers" / "attention.py")]
                    if not (ended[name] == "cut" and found[name]):  # cut once, cut always: not run again
                        ended[name], _ = run([*script, name, folder, norm, str(cap), str(memory)], cap)
                for path in sorted(Path(folder).glob("*.npz")):
                    with np.load(path) as z:
                        answers.append((float(z["seconds"]), z["W"]))
                        lower = max(lower, float(z["dual"]) if "dual" in z else 0.0)
            found[name].append(answers)
    table = []
    for name in names:
        times = {f"{g:g}": [] for g in GAPS}
        best = np.inf
        for answers in found[name]:
            gaps = [(seconds, 1 - lower / primal(case, W)) for seconds, W in answers]
            best = min([best, *(g for _, g in gaps)])
            for g in GAPS:
                times[f"{g:g}"].append(min((s for s, reached in gaps if reached <= g), default=None))
        table.append({"case": case, "solver": name, "times": times, "best_gap": best if np.isfinite(best) else None,
                      "ended": ended[name], "cap": cap, "load": os.getloadavg()[0]})  # fmt: skip
        print(table[-1], flush=True)
    return table


def training(rounds: int) -> dict[str, Any]:
    """Seeds per CPU second of normalised descent, all at once against one by one; (6, 8, 10), 500 steps."""
    from corollary.arrays import namespace_for
    from corollary.sims.attention import experiments
    from corollary.sims.attention.training import train_w

    point, xp = {"n": 6, "T": 8, "d": 10}, namespace_for("cpu")
    row: dict[str, Any] = {"seeds": 256, "steps": 500, "together": [], "apart": []}

    def seconds(count: int) -> float:
        tasks, _ = experiments.stacked(point, [np.random.SeedSequence([0, k]) for k in range(count)], xp)
        begun = time.process_time()
        train_w(tasks, np.zeros((count, 10, 10)), rate=0.1, steps=500)
        return time.process_time() - begun

    for _ in range(rounds):
        row["together"].append(256 / seconds(256))
        row["apart"].append(16 / sum(seconds(1) for _ in range(16)))
    return row


def trained(device: str, count: int) -> tuple[float, np.ndarray]:
    """Seconds by the clock of 500 steps of `count` seeds at once, and their weights; for gpu.py."""
    from corollary.arrays import namespace_for, to_numpy
    from corollary.sims.attention import experiments
    from corollary.sims.attention.training import train_w

    xp, ends, begun = namespace_for(device), np.empty(0), 0.0
    for number, steps in ((2, 2), (count, 500)):  # kernels compiled, off the clock
        begun = time.perf_counter()
        seeds = [np.random.SeedSequence([0, k]) for k in range(number)]
        tasks, _ = experiments.stacked({"n": 6, "T": 8, "d": 10}, seeds, xp)
        ends = to_numpy(train_w(tasks, xp.zeros((number, 10, 10)), rate=0.1, steps=steps))
    return time.perf_counter() - begun, ends


def table(rows_: list[dict[str, Any]], trained: dict[str, Any] | None) -> list[str]:
    lines = [
        "# The attention-SVM: CPU seconds to a certified gap (written by benchmarks/attention.py)",
        "",
        "CPU seconds, median (range) of interleaved rounds, one thread; × is the peer's median over ours. Gap: norm of",
        "the returned W, scaled to least margin 1, over the best certified lower bound, less 1. A peer cut at its cap",
        "was run once.",
        "",
        "| n, T, d | solver | to 1e-6 | × | to 1e-9 | × | best gap | how it ended, cap | goal |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    mine = {r["case"]: r for r in rows_ if r["solver"] == "corollary"}
    said = {"r": "", "p": ", planted", "n": ", nuclear"}
    for r in rows_:
        cells, base = [], mine[r["case"]]
        for gap in base["times"]:
            reached = [t for t in r["times"][gap] if t is not None]
            ref = [t for t in base["times"][gap] if t is not None]
            cells.append(harness.spread(reached) if reached else "no")
            ratio = reached and ref and r is not base
            cells.append(f"{np.median(reached) / np.median(ref):.2g}" if ratio else "")
        size = ", ".join(r["case"][1:].split("x")) + said[r["case"][0]]
        best = "none" if r["best_gap"] is None else f"{r['best_gap']:.1e}"
        goal = GOALS[r["case"]] if r is base else ""
        lines.append(f"| {size} | {r['solver']} | {' | '.join(cells)} | {best} | {r['ended'] or 'stopped by itself'}, "
                     f"{r['cap']:g} s | {goal} |")  # fmt: skip
    if trained:
        ratio = np.median(trained["together"]) / np.median(trained["apart"])
        lines += ["", f"Training, {trained['steps']} normalised steps at (6, 8, 10): {trained['seeds']} seeds at once "
                  f"{harness.spread(trained['together'])} seeds a CPU second, one by one "
                  f"{harness.spread(trained['apart'])}, ×{ratio:.2g}. "
                  "On a GPU: gpu.md."]  # fmt: skip
    return lines


def main() -> None:
    known = [*CASES, "training"]
    wanted = os.environ.get("COROLLARY_CASES", ",".join(known)).split(",")
    if unknown := set(wanted) - set(known):
        sys.exit(f"COROLLARY_CASES names {', '.join(sorted(unknown))}; expected some of {', '.join(known)}")
    cap, memory = float(os.environ.get("COROLLARY_CAP", "1200")), float(os.environ.get("COROLLARY_MEMORY", "12"))
    rounds = int(os.environ.get("COROLLARY_ROUNDS", "3"))
    path = HERE / "results" / "attention.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    done, trained = before.get("rows", []), before.get("training")
    for name in wanted:
        if name == "training":
            trained = training(rounds)
        else:
            done = [r for r in done if r["case"] != name] + compare(name, rounds, cap, memory)
            done.sort(key=lambda r: CASES.index(r["case"]))
        harness.write_results("attention", table(done, trained), ["qp"], {}, rows=done, training=trained)


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        ours(sys.argv[2], float(sys.argv[3]), sys.argv[4])
    else:
        os.environ.update(harness.ONE_THREAD)
        main()
