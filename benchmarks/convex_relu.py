"""The sampled convex program of a two-layer ReLU network, squared loss, against pyscnn, CRONOS, Clarabel and SCS.

    make bench-convex-relu

COROLLARY_SIZES=200x20x50,200x20x200,500x50x200,2000x100x1000,batches, COROLLARY_ROUNDS=3, COROLLARY_CAP=1200 (CPU
seconds for a peer, all its tolerances together), COROLLARY_CAP_OURS (for one run of ours; default: the same) and
COROLLARY_MEMORY=12 (GiB for a peer) change what is run; rows of other sizes are kept as they are in the results. Peers
run peers/convex_relu.py in environments of their own; CRONOS, which is no package, needs COROLLARY_CRONOS, a checkout
of its repository, and is left out without it.

A solver's time to a gap is that of its cheapest run (over its own tolerances) whose answer, projected onto its cones,
passes our certificate: relative gap over the sampled patterns, dual bound by exact projection, off the clock. Rounds
are interleaved, every run is a process of its own with one thread, and its CPU seconds count, which other work on the
machine disturbs least; what cvxpy compiles counts, imports and what jax compiles do not.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np

HERE = Path(__file__).resolve().parent
SIZES = ((200, 20, 50), (200, 20, 200), (500, 50, 200), (2000, 100, 1000))
GAPS = (1e-3, 1e-6)
PEERS = ("pyscnn", "cronos", "clarabel", "scs")
HOMES = {"pyscnn": "pyscnn", "cronos": "cronos", "clarabel": "cvxpy_convex", "scs": "cvxpy_convex"}
ONE_THREAD_OF_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
COLUMNS = 8  # targets, and penalties, of the batches


def problem(n: int, d: int, P: int) -> dict[str, np.ndarray]:
    """Gaussian data, a planted network of 10 neurons plus noise, β = 5 % of max ‖XᵀD_p y‖."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    y = np.maximum(X @ rng.standard_normal((d, 10)), 0) @ rng.standard_normal(10) / np.sqrt(10)
    y = y + 0.1 * rng.standard_normal(n)
    G = rng.standard_normal((d, P))
    D = (X @ G >= 0).astype(float)
    beta = 0.05 * np.max(np.linalg.norm(X.T @ (D * y[:, None]), axis=0))
    return {"X": X, "y": y, "G": G, "D": D, "beta": np.array(beta)}


def certified(data: dict[str, np.ndarray], V: np.ndarray, W: np.ndarray, gated: bool) -> float:
    """Relative gap of V, W once projected onto their cones; ν is the residual."""
    from corollary.theory import convex_relu
    from corollary.theory.convex_relu.cones import project
    from corollary.theory.convex_relu.problem import checked

    if not (np.all(np.isfinite(V)) and np.all(np.isfinite(W))):
        return np.inf
    if not gated:
        largest = max(np.max(np.linalg.norm(U, axis=0)) for U in (V, W))
        V, W = V.copy(), W.copy()
        for U in (V, W):
            for p in range(U.shape[1]):
                if np.linalg.norm(U[:, p]) <= 1e-9 * largest:
                    U[:, p] = 0
                elif np.min((2 * data["D"][:, p] - 1) * (data["X"] @ U[:, p])) < 0:
                    U[:, p] = project((2 * data["D"][:, p] - 1)[:, None] * data["X"], U[:, p])[0]
    program = checked(data["X"], data["y"], float(data["beta"]), data["D"], "squared", gated)
    return convex_relu.certify(program, V[:, :, None], W[:, :, None])[0].relative


def ours(size: tuple[int, int, int], gated: bool, gap: float) -> None:
    """Print seconds, certified gap and peak memory (GiB) of one solve: the body of a process of its own."""
    from corollary.theory import convex_relu

    data = problem(*size)
    begun = time.process_time()
    try:
        s = convex_relu.solve(data["X"], data["y"], float(data["beta"]), data["D"], gated=gated, tol=gap)
    except convex_relu.NotConverged as stopped:
        s = stopped.solution
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps([seconds, s.certificate.relative, peak]))


def limited(cap: float) -> Callable[[], None]:
    """Sets the CPU seconds of the process about to start."""
    return lambda: resource.setrlimit(resource.RLIMIT_CPU, (int(cap), int(cap) + 5))


def run_ours(size: tuple[int, int, int], gated: bool, gap: float, cap: float) -> tuple[float, float, float]:
    """(seconds, gap, peak memory), (cap, inf, 0) where it was cut."""
    command = [sys.executable, __file__, "ours", json.dumps(size), str(int(gated)), str(gap)]
    environment = {**os.environ, **harness.ONE_THREAD}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=limited(cap))
    if done.returncode == -signal.SIGXCPU:
        return cap, np.inf, 0.0
    if done.returncode:
        raise RuntimeError(done.stderr)
    seconds, reached, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, reached, peak


def run_peer(name: str, python: str, data: dict[str, np.ndarray], gated: bool, cap: float, memory: float):
    """([(seconds, certified gap)] of its runs, how it ended: "", "cut" at the cap, or the last line it wrote)."""
    with tempfile.TemporaryDirectory() as folder:
        for k, v in data.items():
            np.save(f"{folder}/{k}.npy", v)
        script = HERE / "peers" / "convex_relu.py"
        command = [python, str(script), name, folder, str(int(gated)), str(cap), str(memory)]
        log, ended = Path(folder) / "log.txt", ""
        with log.open("w") as out:
            environment = {**os.environ, **harness.ONE_THREAD, "XLA_FLAGS": ONE_THREAD_OF_XLA}
            done = subprocess.run(command, stdout=out, stderr=out, env=environment, preexec_fn=limited(cap))
        if done.returncode == -signal.SIGXCPU:
            ended = "cut"
        elif done.returncode:
            last = [*log.read_text().strip().splitlines(), f"signal {-done.returncode}"][-1]
            ended = last[:80].replace("|", "/")
        found = []
        for path in sorted(Path(folder).glob(f"{name}-*.npz")):
            with np.load(path) as z:
                found.append((float(z["seconds"]), certified(data, z["V"], z["W"], gated)))
        return found, ended


def compare(size: tuple[int, int, int], gated: bool, rounds: int, cap: float, memory: float) -> list[dict[str, Any]]:
    data = problem(*size)
    wanted = [p for p in PEERS if p != "cronos" or (not gated and "COROLLARY_CRONOS" in os.environ)]
    pythons = {name: python for name in wanted if (python := harness.peer_python(HOMES[name]))}
    limit = float(os.environ.get("COROLLARY_CAP_OURS", cap))
    table = {name: {"size": size, "gated": gated, "solver": name, "times": {f"{g:g}": [] for g in GAPS},
                    "best_gap": None, "ended": "", "cap": limit if name == "corollary" else cap,
                    "load": os.getloadavg()[0], "commit": commit()}
             for name in ("corollary", *pythons)}  # fmt: skip
    for _ in range(rounds):
        for name, row in table.items():
            if name == "corollary":
                found, row["ended"] = [], ""
                for gap in GAPS:
                    seconds, reached, peak = run_ours(size, gated, gap, limit)
                    row["times"][f"{gap:g}"].append(seconds if reached <= gap else None)
                    row["ended"] = row["ended"] if np.isfinite(reached) else "cut"
                    row["peak_GiB"] = max(row.get("peak_GiB", 0.0), peak)
                    found.append((seconds, reached))
            else:
                found, ended = run_peer(name, pythons[name], data, gated, cap, memory)
                row["ended"] = ended or row["ended"]
                for gap in GAPS:
                    row["times"][f"{gap:g}"].append(min((s for s, g in found if g <= gap), default=None))
            gaps = [g for _, g in found if np.isfinite(g)] + [row["best_gap"]] * (row["best_gap"] is not None)
            row["best_gap"] = min(gaps, default=None)
    for row in table.values():
        print(row, flush=True)
    return list(table.values())


def batches(rounds: int) -> list[dict[str, Any]]:
    """Targets and penalties solved together against one after the other, at (500, 50, 200) to 1e-3."""
    from corollary.theory import convex_relu
    from corollary.theory.convex_relu.first_order import by_admm
    from corollary.theory.convex_relu.problem import checked

    data = problem(500, 50, 200)
    X, D, beta = data["X"], data["D"], float(data["beta"])
    rng = np.random.default_rng(1)
    Y = data["y"][:, None] + 0.3 * np.std(data["y"]) * rng.standard_normal((len(X), COLUMNS))
    betas = beta * np.geomspace(0.5, 2.0, COLUMNS)

    def targets(solver: str, gated: bool) -> tuple[Callable[[], object], Callable[[], object]]:
        def one(y: np.ndarray) -> object:
            return convex_relu.solve(X, y, beta, D, gated=gated, tol=1e-3, solver=solver)

        return lambda: one(Y), lambda: [one(Y[:, k].copy()) for k in range(COLUMNS)]

    same = checked(X, np.tile(data["y"][:, None], COLUMNS), beta, D, "squared", False)
    single = checked(X, data["y"], beta, D, "squared", False)

    def quiet(*_: object) -> None: ...

    cases = {
        f"{COLUMNS} targets, ReLU, ADMM": targets("admm", False),
        f"{COLUMNS} targets, gated, FISTA": targets("fista", True),
        f"{COLUMNS} penalties, ReLU, ADMM": (
            lambda: by_admm(same, 1e-3, 20_000, quiet, betas),
            lambda: [by_admm(single, 1e-3, 20_000, quiet, betas[[k]]) for k in range(COLUMNS)],
        ),
    }
    rows = []
    for name, (together, apart) in cases.items():
        row: dict[str, Any] = {"case": name, "together": [], "apart": [], "commit": commit()}
        for _ in range(rounds):
            for key, run in (("together", together), ("apart", apart)):
                begun = time.process_time()
                run()
                row[key].append(time.process_time() - begun)
        rows.append(row)
        print(row, flush=True)
    return rows


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE)
    return done.stdout.strip()


def table(rows: list[dict[str, Any]], batched: list[dict[str, Any]]) -> list[str]:
    lines = [
        "# Convex two-layer ReLU networks: CPU seconds to a certified gap",
        "",
        "CPU seconds, median (range) of interleaved rounds, one thread; × is the peer's median over ours. Gap: our certificate of "
        "the returned point, projected onto its cones. A peer cut at its cap was still running.",
        "",
        "| n, d, P | network | solver | to 1e-3 | × | to 1e-6 | × | best gap | how it ended, cap | GiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    mine = {(tuple(r["size"]), r["gated"]): r for r in rows if r["solver"] == "corollary"}
    for r in rows:
        cells, base = [], mine[tuple(r["size"]), r["gated"]]
        for gap in base["times"]:
            times, ref = r["times"][gap], base["times"][gap]
            reached = [t for t in times if t is not None]
            enough = len(reached) == len(times)
            cells.append(
                harness.spread(reached) if enough else f"in {len(reached)} of {len(times)}" if reached else "no"
            )
            known = enough and r is not base and None not in ref
            cells.append(f"{np.median(reached) / np.median(ref):.2g}" if known else "")
        kind, size = "gated" if r["gated"] else "ReLU", ", ".join(map(str, r["size"]))
        ended = f"{r['ended'] or 'stopped by itself'}, {r['cap']:g} s"
        best = "none" if r["best_gap"] is None else f"{r['best_gap']:.1e}"
        peak = f"{r['peak_GiB']:.2f}" if "peak_GiB" in r else ""
        lines.append(f"| {size} | {kind} | {r['solver']} | {' | '.join(cells)} | {best} | {ended} | {peak} |")
    if batched:
        lines += ["", "| (500, 50, 200) to 1e-3 | together | one by one | × |", "|---|---|---|---|"]
    for r in batched:
        ratio = np.median(r["apart"]) / np.median(r["together"])
        lines.append(f"| {r['case']} | {harness.spread(r['together'])} | {harness.spread(r['apart'])} | {ratio:.2g} |")
    return lines


def main() -> None:
    known = ["x".join(map(str, size)) for size in SIZES]
    wanted = os.environ.get("COROLLARY_SIZES", ",".join([*known, "batches"])).split(",")
    if unknown := set(wanted) - {*known, "batches"}:
        sys.exit(f"COROLLARY_SIZES names {', '.join(unknown)}; expected some of {', '.join(known)}, batches")
    cap, memory = float(os.environ.get("COROLLARY_CAP", "1200")), float(os.environ.get("COROLLARY_MEMORY", "12"))
    rounds = int(os.environ.get("COROLLARY_ROUNDS", "3"))
    path = HERE / "results" / "convex_relu.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    rows, batched = before.get("rows", []), before.get("batches", [])
    for name in wanted:
        for gated in (False,) if name == "batches" else (True, False):
            if name == "batches":
                batched = batches(rounds)
            else:
                size = SIZES[known.index(name)]
                rows = [r for r in rows if (tuple(r["size"]), r["gated"]) != (size, gated)]
                rows += compare(size, gated, rounds, cap, memory)
            rows.sort(key=lambda r: (r["size"][0] * r["size"][2], r["gated"]))
            harness.write_results("convex_relu", table(rows, batched), sorted(set(HOMES.values())), {}, rows=rows,
                                  batches=batched)  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        ours(tuple(json.loads(sys.argv[2])), bool(int(sys.argv[3])), float(sys.argv[4]))
    else:
        os.environ.update(harness.ONE_THREAD)
        main()
