"""The sampled convex program of a two-layer ReLU network, squared loss, against pyscnn, CRONOS, Clarabel and SCS.

    make bench-convex-relu

COROLLARY_SIZES=200x20x50,200x20x200,500x50x200,2000x100x1000,batches, COROLLARY_NETWORKS=gated,relu,
COROLLARY_ROUNDS=3, COROLLARY_CAP=1200 (CPU seconds for a peer, all its tolerances, imports included),
COROLLARY_CAP_OURS (for one run of ours; default: the same) and COROLLARY_MEMORY=12 (GiB for a peer) change what is
run; rows of other sizes and networks are kept as they are in the results.
Peers run peers/convex_relu.py in environments of their own; CRONOS, which is no package, needs COROLLARY_CRONOS, a
checkout of its repository, and is left out without it.

Our time to a gap is that of a run whose own certificate, on the clock, passes. A peer's is that of its cheapest run
(over its own tolerances) whose answer, projected onto its cones off the clock, passes the more generous of two tests:
our certificate with ν its residual, or its objective against the best dual bound we know of (peers return no
multipliers, and the residual's bound loses about the root of the suboptimality). Rounds are interleaved, every run is
a process of its own with one thread, and its CPU seconds count, which other work on the machine disturbs least; what
cvxpy compiles counts, imports and what jax compiles do not: everybody solves a tiny problem first.
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

import convex_relu_table
import harness
import numpy as np

HERE = Path(__file__).resolve().parent
SIZES = ((200, 20, 50), (200, 20, 200), (500, 50, 200), (2000, 100, 1000))
GAPS = (1e-3, 1e-6)
PEERS = ("pyscnn", "cronos", "clarabel", "scs")
HOMES = {"pyscnn": "pyscnn", "cronos": "cronos", "clarabel": "cvxpy_convex", "scs": "cvxpy_convex"}
ONE_THREAD_OF_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
COLUMNS = 8  # targets, and penalties, of the batches
REFERENCE = 1e10  # n² d P up to which our dual bound to 1e-9 is computed first, for the peers' gaps
FORMAT = 2  # of results/convex_relu.json; another one is begun anew


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


def judged(data: dict[str, np.ndarray], V: np.ndarray, W: np.ndarray, gated: bool, dual: float) -> tuple[float, float]:
    """Relative gaps of V, W once projected onto their cones: with the bound of the residual, and with `dual`."""
    from corollary.theory import convex_relu
    from corollary.theory.convex_relu.cones import project
    from corollary.theory.convex_relu.problem import checked

    if not (np.all(np.isfinite(V)) and np.all(np.isfinite(W))):
        return np.inf, np.inf
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
    own = convex_relu.certify(program, V[:, :, None], W[:, :, None])[0]
    return own.relative, (own.primal - max(dual, own.dual)) / own.primal


def ours(size: tuple[int, int, int], gated: bool, gap: float) -> None:
    """Print seconds, certified gap, peak memory (GiB) and dual bound of one solve: the body of a process of its own."""
    from corollary.theory import convex_relu

    def run(data: dict[str, np.ndarray], tol: float):
        try:
            return convex_relu.solve(data["X"], data["y"], float(data["beta"]), data["D"], gated=gated, tol=tol)
        except convex_relu.NotConverged as stopped:
            return stopped.solution

    run(problem(12, 3, 4), 1e-3)  # as for the peers
    data = problem(*size)
    begun = time.process_time()
    certificate = run(data, gap).certificate
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps([seconds, certificate.relative, peak, certificate.dual]))


def alone(arguments: list[str], cap: float | None) -> Any:
    """What this file prints last with these arguments, in a process with one thread; None where it was cut."""
    limit = None if cap is None else harness.limited(cap)
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True,
                          env={**os.environ, **harness.ONE_THREAD}, preexec_fn=limit)  # fmt: skip
    if done.returncode == -signal.SIGXCPU:
        return None
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def run_ours(size: tuple[int, int, int], gated: bool, gap: float, cap: float) -> tuple[float, float, float, float]:
    """(seconds, gap, peak memory, dual bound), (cap, inf, 0, −inf) where it was cut."""
    found = alone(["ours", json.dumps(size), str(int(gated)), str(gap)], cap)
    return (cap, np.inf, 0.0, -np.inf) if found is None else tuple(found)


def run_peer(name: str, python: str, data: dict[str, np.ndarray], gated: bool, cap: float, memory: float, dual: float):
    """([(seconds, own gap, gap to `dual`)] of its runs, how it ended: "", "cut" or its last line, seconds when cut)."""
    with tempfile.TemporaryDirectory() as folder:
        for k, v in data.items():
            np.save(f"{folder}/{k}.npy", v)
        script = HERE / "peers" / "convex_relu.py"
        command = [python, str(script), name, folder, str(int(gated)), str(cap), str(memory)]
        log, ended, running = Path(folder) / "log.txt", "", None
        with log.open("w") as out:
            environment = {**os.environ, **harness.ONE_THREAD, "XLA_FLAGS": ONE_THREAD_OF_XLA}
            done = subprocess.run(command, stdout=out, stderr=out, env=environment, preexec_fn=harness.limited(cap))
        if done.returncode == -signal.SIGXCPU:
            ended, started = "cut", Path(folder) / "started.txt"
            running = cap - float(started.read_text()) if started.exists() else 0.0
        elif done.returncode:
            last = [f"exit status {done.returncode}", *log.read_text().strip().splitlines()][-1]
            spent = "MemoryError" in last or "bad_alloc" in last
            ended = f"out of {memory:g} GiB" if spent else last[:80].replace("|", "/")
        found = []
        for path in sorted(Path(folder).glob(f"{name}-*.npz")):
            with np.load(path) as z:
                found.append((float(z["seconds"]), *judged(data, z["V"], z["W"], gated, dual)))
        return found, ended, running


def compare(size: tuple[int, int, int], gated: bool, rounds: int, cap: float, memory: float) -> list[dict[str, Any]]:
    data = problem(*size)
    wanted = [p for p in PEERS if p != "cronos" or (not gated and "COROLLARY_CRONOS" in os.environ)]
    pythons = {name: python for name in wanted if (python := harness.peer_python(HOMES[name]))}
    limit = float(os.environ.get("COROLLARY_CAP_OURS", cap))
    table = {name: {"size": size, "gated": gated, "solver": name, "times": {f"{g:g}": [] for g in GAPS},
                    "own_gap": None, "best_gap": None, "ended": "", "cut_after": None,
                    "cap": limit if name == "corollary" else cap, "load": os.getloadavg()[0],
                    "commit": harness.commit()}
             for name in ("corollary", *pythons)}  # fmt: skip
    dual = -np.inf
    if size[0] ** 2 * size[1] * size[2] <= REFERENCE:  # off the clock
        dual = run_ours(size, gated, 1e-9, limit)[3]
    for _ in range(rounds):
        for name, row in table.items():
            if name == "corollary":
                found, row["ended"] = [], ""
                for gap in GAPS:
                    seconds, reached, peak, bound = run_ours(size, gated, gap, limit)
                    dual = max(dual, bound)
                    row["times"][f"{gap:g}"].append(seconds if reached <= gap else None)
                    row["ended"] = row["ended"] if np.isfinite(reached) else "cut"
                    row["peak_GiB"] = max(row.get("peak_GiB", 0.0), peak)
                    found.append((seconds, reached, reached))
            else:
                found, ended, running = run_peer(name, pythons[name], data, gated, cap, memory, dual)
                row["ended"] = ended or row["ended"]
                if running is not None:
                    row["cut_after"] = min(running, row["cut_after"] or running)
                for gap in GAPS:
                    row["times"][f"{gap:g}"].append(min((s for s, *g in found if min(g) <= gap), default=None))
            for place, column in ((1, "own_gap"), (2, "best_gap")):
                seen = [f[place] for f in found if np.isfinite(f[place])] + [row[column]] * (row[column] is not None)
                row[column] = min(seen, default=None)
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
        row: dict[str, Any] = {"case": name, "together": [], "apart": [], "commit": harness.commit()}
        for _ in range(rounds):
            for key, run in (("together", together), ("apart", apart)):
                begun = time.process_time()
                run()
                row[key].append(time.process_time() - begun)
        rows.append(row)
    return rows


def main() -> None:
    known = ["x".join(map(str, size)) for size in SIZES]
    wanted = os.environ.get("COROLLARY_SIZES", ",".join([*known, "batches"])).split(",")
    if unknown := set(wanted) - {*known, "batches"}:
        sys.exit(f"COROLLARY_SIZES names {', '.join(unknown)}; expected some of {', '.join(known)}, batches")
    networks = os.environ.get("COROLLARY_NETWORKS", "gated,relu").split(",")
    if unknown := set(networks) - {"gated", "relu"}:
        sys.exit(f"COROLLARY_NETWORKS names {', '.join(unknown)}; expected gated, relu or both")
    cap, memory = float(os.environ.get("COROLLARY_CAP", "1200")), float(os.environ.get("COROLLARY_MEMORY", "12"))
    rounds = int(os.environ.get("COROLLARY_ROUNDS", "3"))
    path = HERE / "results" / "convex_relu.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    before = before if before.get("format") == FORMAT else {}
    rows, batched = before.get("rows", []), before.get("batches", [])
    for name in wanted:
        for gated in [k == "gated" for k in networks] if name in known else (False,):
            if name == "batches":
                batched = alone(["batches", str(rounds)], None)
            else:
                size = SIZES[known.index(name)]
                rows = [r for r in rows if (tuple(r["size"]), r["gated"]) != (size, gated)]
                rows += compare(size, gated, rounds, cap, memory)
            rows.sort(key=lambda r: (r["size"][0] * r["size"][2], r["gated"]))
            lines = convex_relu_table.table(rows, batched) + ["", "On a GPU: gpu.md."]
            harness.write_results("convex_relu", lines, sorted(set(HOMES.values())), {}, format=FORMAT, rows=rows,
                                  batches=batched)  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        ours(tuple(json.loads(sys.argv[2])), bool(int(sys.argv[3])), float(sys.argv[4]))
    elif sys.argv[1:2] == ["batches"]:
        print(json.dumps(batches(int(sys.argv[2]))))
    else:
        main()
