"""Stochastic Lanczos quadrature and XTrace beside imate, matfree (JAX) and curvlinops (PyTorch).

    make bench-hessians

Each peer runs in its own environment, made from benchmarks/peers/NAME.txt at the first run under .benchmarks/, or any
Python named by COROLLARY_PEER_IMATE, COROLLARY_PEER_MATFREE, COROLLARY_PEER_CURVLINOPS. Rounds are interleaved, one
core and one thread each, float64. A case is run twice in a process: the first, with compiling, is told apart. What each
side runs stands in benchmarks/peers/hessians.py.

    dense      log det of a 2000 × 2000 Wishart matrix                  60 steps, 16 probes
    sparse     log det of a 27³ grid's Laplacian + 0.1 (n = 19 683)     60 steps, 16 probes
    implicit   log det of 0.1 + U diag(λ) Uᵀ, rank 500, n = 20 000      30 steps, 8 probes
    network    ‖H‖_F² of a tanh network's Hessian, 19 450 parameters    30 steps, 8 probes
    xtrace     trace of a 2000 × 2000 matrix with eigenvalues 1/i²      60 products

Equal accuracy: at equal steps and probes all have the same law of errors, checked against exact values (the network's
from all 19 450 products, off the clock). curvlinops does not reorthogonalise; imate takes matrices only.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import HERE, ONE_THREAD, peer_python, spread, write_results
from peers.hessians import POINTS, SIZES, WIDTHS, hessian

ROUNDS = 5
PEERS = ("imate", "matfree", "curvlinops")


def write_problems(folder: str) -> dict[str, float]:
    """The matrices as .npy files; their exact values, but for the network's."""
    from scipy.sparse import csr_array, diags_array, eye_array, kron

    rng = np.random.default_rng(6)
    G = rng.standard_normal((2000, 4000))
    A = G @ G.T / 4000
    np.save(os.path.join(folder, "dense.npy"), A)
    line, one = diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(27, 27)), eye_array(27)  # pyright: ignore[reportArgumentType]
    grid = kron(kron(line, one), one) + kron(kron(one, line), one) + kron(kron(one, one), line)
    S = csr_array(grid + 0.1 * eye_array(27**3))
    for name in ("data", "indices", "indptr"):
        np.save(os.path.join(folder, f"sparse-{name}.npy"), getattr(S, name))
    λ = 2 - 2 * np.cos(np.pi * np.arange(1, 28) / 28)
    U = np.linalg.qr(rng.standard_normal((20000, 500)))[0]
    few = np.geomspace(0.1, 100, 500)
    np.savez(os.path.join(folder, "implicit.npz"), U=U, few=few)
    Q = np.linalg.qr(rng.standard_normal((2000, 2000)))[0]
    decay = 1 / np.arange(1, 2001) ** 2.0
    np.save(os.path.join(folder, "xtrace.npy"), Q * decay @ Q.T)
    return {
        "dense": float(np.linalg.slogdet(A)[1]),
        "sparse": float(np.sum(np.log(λ[:, None, None] + λ[None, :, None] + λ + 0.1))),
        "implicit": float(np.sum(np.log(0.1 + few)) + 19500 * math.log(0.1)),
        "xtrace": float(decay.sum()),
    }


def write_network(folder: str) -> None:
    from corollary.sims.common import data
    from corollary.sims.common.networks import init

    digits, params = data.digits(), init(WIDTHS, [0], np)
    assert digits.labels is not None
    arrays = {f"W{l}": W[0] for l, W in enumerate(params.W)} | {f"b{l}": b[0] for l, b in enumerate(params.b)}
    np.savez(os.path.join(folder, "network.npz"), x=digits.x[:POINTS], y=digits.labels[:POINTS], **arrays)


def norm_squared(H: Any) -> float:
    """‖H‖_F² from all products, 50 at a time."""
    total = 0.0
    for start in range(0, H.size, 50):
        total += float(np.sum(H(np.eye(H.size, min(50, H.size - start), -start)) ** 2))
    return total


def main() -> None:
    pythons = {"ours": sys.executable, **{name: python for name in PEERS if (python := peer_python(name))}}
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    rounds: dict[str, list[dict]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as folder:
        exact = write_problems(folder)
        write_network(folder)
        for turn in range(ROUNDS):
            for name, python in pythons.items():
                subprocess.run(
                    [python, str(HERE / "peers" / "hessians.py"), name, folder, str(turn)],
                    check=True, env={**os.environ, **ONE_THREAD, "XLA_FLAGS": flags},
                )  # fmt: skip
                rounds[name].append(json.loads(Path(folder, f"{name}.json").read_text()))
            print(f"round {turn + 1} of {ROUNDS}", flush=True)
        floor = products_alone(folder)
    exact["network"] = norm_squared(hessian())
    report(exact, rounds, floor)


def products_alone(folder: str) -> dict[str, float]:
    """Seconds of the products that no dense method can save, and of the two that test the symmetry; medians of five."""
    A, rng = np.load(os.path.join(folder, "dense.npy")), np.random.default_rng(0)

    def seconds(columns: int, times: int) -> float:
        V, rows = rng.standard_normal((2000, columns)), []
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(times):
                np.matmul(A, V)
            rows.append(time.perf_counter() - begun)
        return statistics.median(rows)

    return {"dense": seconds(16, 60), "xtrace": seconds(30, 2), "symmetry": seconds(2, 1)}


def report(exact: dict[str, float], rounds: dict[str, list[dict]], floor: dict[str, float]) -> None:
    lines = [
        "# Stochastic Lanczos quadrature and XTrace (written by benchmarks/hessians.py)", "",
        f"Median (lowest to highest) of {ROUNDS} interleaved rounds, one core, float64. Cases are described at",
        "the head of the script. Times ours: above 1 we are faster. First: the first run less the second (compiling).",
        f"Error: median relative error of {2 * ROUNDS} estimates against the exact value.", "",
        "| case | method | s | times ours | first, s more | error |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for case in SIZES:
        for name, runs in rounds.items():
            if case not in runs[0]:
                lines.append(f"| {case} | {name} | does not take it | | | |")
                continue
            seconds = [r[case]["seconds"] for r in runs]
            ratio = [r[case]["seconds"] / o[case]["seconds"] for r, o in zip(runs, rounds["ours"], strict=True)]
            more = [r[case]["first"] - r[case]["seconds"] for r in runs]
            errors = [abs(v / exact[case] - 1) for r in runs for v in r[case]["values"]]
            cells = [spread(seconds), spread(ratio), f"{statistics.median(more):.2g}"]
            lines.append(f"| {case} | {name} | " + " | ".join(cells) + f" | {statistics.median(errors):.1e} |")
    alone = [f"{floor[name]:.2g} s" for name in ("dense", "xtrace", "symmetry")]
    lines += [
        "", f"The products alone take {alone[0]} of `dense` and {alone[1]} of `xtrace`; the test that the matrix is",
        f"symmetric, which no peer makes, takes {alone[2]} of each. curvlinops does not reorthogonalise: on `sparse`,",
        "where products are cheap, that is most of our time, and of imate's and matfree's.",
    ]  # fmt: skip
    write_results(
        "hessians", lines, [name for name in rounds if name != "ours"], {"gpu": "none: not run on one"},
        exact=exact, products_alone=floor, rounds=rounds,
    )  # fmt: skip


if __name__ == "__main__":
    main()
