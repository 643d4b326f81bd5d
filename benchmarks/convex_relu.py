"""The sampled convex program of a two-layer ReLU network, squared loss, against pyscnn, cvxpy+Clarabel and cvxpy+SCS.

    make bench-convex_relu

COROLLARY_SIZES=small,medium,large, COROLLARY_CAP=1200 (seconds a peer's run), COROLLARY_ROUNDS=3 change what is run.

Each peer runs in its own environment, made from benchmarks/peers/{pyscnn,cvxpy_convex}.txt under .benchmarks/ at the
first run, or in the Python named by COROLLARY_PEER_PYSCNN, COROLLARY_PEER_CVXPY_CONVEX. Problems go over as .npy.
A solver's time to a gap is the time of its cheapest run (over its own tolerances) whose answer, projected onto its
cones, passes our certificate: relative gap over the sampled patterns, dual bound by exact projection, off the clock.
Rounds are interleaved; compilation inside cvxpy counts, imports do not. One BLAS thread each.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
SIZES = {"small": [(200, 20, 50), (200, 20, 200)], "medium": [(500, 50, 200)], "large": [(2000, 100, 1000)]}
GAPS = (1e-3, 1e-6)
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


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


# --- the peers: these run in their own environments and import nothing of ours
def peer(name: str, folder: str, gated: bool, cap: float) -> None:
    data = {k: np.load(f"{folder}/{k}.npy") for k in ("X", "y", "G", "D", "beta")}
    run = {"pyscnn": _pyscnn, "clarabel": _cvxpy, "scs": _cvxpy}[name]
    begun, count = time.perf_counter(), 0
    for tolerance in {"pyscnn": (1e-4, 1e-6, 1e-8), "clarabel": (1e-6, 1e-9), "scs": (1e-4,)}[name]:
        if time.perf_counter() - begun > cap:
            break
        start = time.perf_counter()
        V, W = run(name, data, gated, tolerance)
        seconds = time.perf_counter() - start
        np.savez(f"{folder}/{name}-{count}.npz", V=V, W=W, seconds=seconds, tolerance=tolerance)
        count += 1


def _pyscnn(name: str, data: dict[str, Any], gated: bool, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    from scnn.metrics import Metrics  # pyright: ignore[reportMissingImports]
    from scnn.models import ConvexGatedReLU, ConvexReLU  # pyright: ignore[reportMissingImports]
    from scnn.optimize import optimize_model  # pyright: ignore[reportMissingImports]
    from scnn.regularizers import NeuronGL1  # pyright: ignore[reportMissingImports]
    from scnn.solvers import AL, RFISTA  # pyright: ignore[reportMissingImports]

    model = (ConvexGatedReLU if gated else ConvexReLU)(data["G"], c=1)
    solver = RFISTA(model, tol=tolerance) if gated else AL(model, tol=tolerance, constraint_tol=tolerance)
    penalty = NeuronGL1(float(data["beta"]) / len(data["y"]))  # its loss is ‖f − y‖²/(2n)
    found, _ = optimize_model(model, solver, Metrics(), data["X"], data["y"][:, None], regularizer=penalty,
                              return_convex=True, unitize_data=False, dtype="float64")  # fmt: skip
    parts = [np.asarray(p)[0].T for p in found.parameters]
    # it drops repeated patterns and sorts the rest: back to our order
    place = {column.tobytes(): i for i, column in enumerate(data["D"].T)}
    order = [place[column.tobytes()] for column in (data["X"] @ np.asarray(found.G) >= 0).astype(float).T]
    V, W = np.zeros_like(data["G"]), np.zeros_like(data["G"])
    V[:, order] = parts[0]
    if len(parts) > 1:
        W[:, order] = parts[1]
    return V, W


def _cvxpy(name: str, data: dict[str, Any], gated: bool, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    import cvxpy as cp  # pyright: ignore[reportMissingImports]

    X, y, D = data["X"], data["y"], data["D"]
    d, P = X.shape[1], D.shape[1]
    V, W = cp.Variable((d, P)), cp.Variable((d, P))
    fit = cp.sum(cp.multiply(D, X @ (V - W)), axis=1)
    norms = cp.sum(cp.norm(V, 2, axis=0)) + cp.sum(cp.norm(W, 2, axis=0))
    cost = 0.5 * cp.sum_squares(fit - y) + float(data["beta"]) * norms
    E = 2 * D - 1
    cones = [] if gated else [cp.multiply(E, X @ V) >= 0, cp.multiply(E, X @ W) >= 0]
    if name == "clarabel":
        options = {"solver": cp.CLARABEL, "tol_gap_abs": tolerance, "tol_gap_rel": tolerance, "tol_feas": tolerance}
    else:
        options = {"solver": cp.SCS, "eps": tolerance, "max_iters": 20000}
    cp.Problem(cp.Minimize(cost), cones).solve(**options)
    return np.asarray(V.value), np.asarray(W.value)


# --- ours
def certified(data: dict[str, np.ndarray], V: np.ndarray, W: np.ndarray, gated: bool) -> float:
    """Relative gap of V, W once projected onto their cones; ν is the residual."""
    from corollary.theory import convex_relu
    from corollary.theory.convex_relu.cones import project
    from corollary.theory.convex_relu.problem import checked

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


def ours(data: dict[str, np.ndarray], gated: bool, gap: float) -> tuple[float, float, str]:
    from corollary.theory import convex_relu

    begun = time.perf_counter()
    try:
        s = convex_relu.solve(data["X"], data["y"], float(data["beta"]), data["D"], gated=gated, tol=gap)
    except convex_relu.NotConverged as stopped:
        s = stopped.solution
    return time.perf_counter() - begun, s.certificate.relative, s.history[-1][0]


def python_of(name: str) -> str:
    given = os.environ.get(f"COROLLARY_PEER_{name.upper()}")
    if given:
        return given
    home = HERE.parent / ".benchmarks" / name
    if not (home / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        listed = HERE / "peers" / f"{name}.txt"
        subprocess.run([str(home / "bin" / "pip"), "install", "--quiet", "-r", str(listed)], check=True)
    return str(home / "bin" / "python")


def run_peer(name: str, data: dict[str, np.ndarray], gated: bool, cap: float) -> list[tuple[float, float]]:
    """(seconds, certified gap) for each of its tolerances that ended within the cap."""
    with tempfile.TemporaryDirectory() as folder:
        for k, v in data.items():
            np.save(f"{folder}/{k}.npy", v)
        python = python_of("pyscnn" if name == "pyscnn" else "cvxpy_convex")
        command = [python, str(Path(__file__).resolve()), "peer", name, folder, str(int(gated)), str(cap)]
        log = Path(folder) / "log.txt"
        with log.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **ENVIRONMENT})
            try:
                if process.wait(timeout=cap) != 0:
                    print(log.read_text()[-500:], file=sys.stderr)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        found = []
        for path in sorted(Path(folder).glob(f"{name}-*.npz")):
            with np.load(path) as z:
                found.append((float(z["seconds"]), certified(data, z["V"], z["W"], gated)))
        return found


def main() -> None:
    wanted = os.environ.get("COROLLARY_SIZES", "small,medium,large").split(",")
    cap = float(os.environ.get("COROLLARY_CAP", "1200"))
    rounds = int(os.environ.get("COROLLARY_ROUNDS", "3"))
    rows: list[dict[str, Any]] = []
    for group in wanted:
        for size in SIZES[group]:
            data = problem(*size)
            for gated in (False, True):
                cells: dict[str, dict[float, list[float]]] = {}
                best: dict[str, float] = {}
                for _ in range(rounds):
                    for gap in GAPS:
                        seconds, reached, how = ours(data, gated, gap)
                        name = "corollary"
                        best[name] = min(best.get(name, 1.0), reached)
                        cells.setdefault(name, {}).setdefault(gap, []).append(
                            seconds if reached <= gap else float("inf")
                        )
                    for name in ("pyscnn", "clarabel", "scs"):
                        found = run_peer(name, data, gated, cap)
                        best[name] = min([best.get(name, 1.0), *(g for _, g in found)])
                        for gap in GAPS:
                            times = [s for s, g in found if g <= gap]
                            cells.setdefault(name, {}).setdefault(gap, []).append(min(times, default=float("inf")))
                for name, by_gap in cells.items():
                    row = {"size": size, "gated": gated, "solver": name, "best_gap": best[name],
                           **{f"{gap:g}": by_gap[gap] for gap in GAPS}}  # fmt: skip
                    rows.append(row)
                    print(row, flush=True)
                    write(rows, cap)


def write(rows: list[dict[str, Any]], cap: float) -> None:
    def cell(times: list[float]) -> str:
        finite = [t for t in times if np.isfinite(t)]
        if not finite:
            return "not reached"
        if len(finite) < len(times):
            return f"reached in {len(finite)} of {len(times)}"
        return f"{statistics.median(finite):.2f} s [{min(finite):.2f}, {max(finite):.2f}]"

    peers = {name: (HERE / "peers" / f"{name}.txt").read_text().split() for name in ("pyscnn", "cvxpy_convex")}
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    facts = {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cap_seconds": cap,
        "peak_memory_of_ours_GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "commit": git.stdout.strip(),
        "peers": peers,
    }
    lines = [
        "# Convex two-layer ReLU networks: time to a certified gap",
        "",
        f"{facts['cpu']}, {facts['cores']} cores (one thread each; shared, load {facts['load']:.1f}), "
        f"Python {facts['python']}, NumPy {facts['numpy']}, commit {facts['commit']}; peers cut at {cap:g} s. "
        "Median [range] over interleaved rounds. Gap: our certificate of the returned point, projected onto its cones.",
        "",
        "| n, d, P | network | solver | to 1e-3 | to 1e-6 | best gap |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        kind = "gated" if r["gated"] else "ReLU"
        size, times = ", ".join(map(str, r["size"])), " | ".join(cell(r[f"{gap:g}"]) for gap in GAPS)
        lines.append(f"| {size} | {kind} | {r['solver']} | {times} | {r['best_gap']:.1e} |")
    lines += ["", f"Peak memory of our process over all of it: {facts['peak_memory_of_ours_GiB']:.2f} GiB."]
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "convex_relu.md").write_text("\n".join(lines) + "\n")
    (folder / "convex_relu.json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1, default=str) + "\n")


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
        return next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "peer":
        peer(sys.argv[2], sys.argv[3], bool(int(sys.argv[4])), float(sys.argv[5]))
    else:
        os.environ.update(ENVIRONMENT)
        main()
