"""Kernels of infinitely wide networks against neural-tangents, one thread, warm, compile time apart.

    make bench-ntk

The peer lives in its own environment, made from benchmarks/peers/neural_tangents.txt at the first run under
.benchmarks/ (2.6 GB: it imports TensorFlow), or any Python named by COROLLARY_PEER_NEURAL_TANGENTS. Every round runs
both, each job in its own process on one core. Both sides are compared with a recursion at 40 digits, off the clock.

    dense    n = 2000 Gaussian inputs, d = 784, ReLU, W_std = √2, b_std = 0 or 0.1, both kernels
    images   conv 3×3, ReLU, conv 3×3, ReLU, global average pooling, dense; 8 images of 32×32×3, float32. Time grows
             with the number of pairs, which neural-tangents computes both ways round: 64 against 36 here.
             `python benchmarks/ntk.py --images64` adds one call with 64 images to the results: half an hour.
    floor    what ours cannot go below in NumPy: the product of the inputs, and eleven passes over a block in cache for
             every layer and half of the pairs
    GPU      gpu.py, where there is one
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import HERE, peer_python, spread, write_results

N, D, IMAGES, REPEATS, ROUNDS = 2000, 784, 8, 3, 3
BATCHES = (2, 4, 8)
MANY = (8, 16, 32)  # batch sizes of nt.batch at 64 images, one call each
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
              "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}  # fmt: skip
DENSE = [(dtype, depth, b) for dtype in ("float32", "float64") for depth in (3, 10) for b in (0.0, 0.1)]
# goals of the project for ReLU without bias
GOALS = {("float32", 3): 4, ("float32", 10): 10, ("float64", 3): 2.5, ("float64", 10): 5}


def inputs(dtype: str) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, D)).astype(dtype)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 32, 32, 3)).astype("float32")


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Indices of 60 random pairs and 20 points with themselves."""
    i, j = np.random.default_rng(1).integers(0, N, (2, 60))
    return np.concatenate([i, np.arange(20)]), np.concatenate([j, np.arange(20)])


def timed(f: Callable[[], Any], calls: int = REPEATS) -> tuple[list[float], float, Any]:
    """Seconds of warm calls, of the first call, and a result."""
    begun = time.perf_counter()
    result = f()
    first, seconds = time.perf_counter() - begun, []
    for _ in range(calls):
        del result
        begun = time.perf_counter()
        result = f()
        seconds.append(time.perf_counter() - begun)
    return seconds, first, result


def worker(side: str, job: str, out: str) -> None:
    """One job in a process of its own: seconds, the first call, memory, and entries of the kernel."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    kind, *rest = job.split(",")
    result: dict[str, Any] = {}
    if kind == "dense":
        x, depth, b = inputs(rest[0]), int(rest[1]), float(rest[2])
        f = (dense_ours if side == "ours" else dense_peer)(x, depth, b)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds, first, (nngp, tangent) = timed(f)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        i, j = pairs()
        result["memory"] = peak * 1024 / (2 * N * N * x.itemsize)
        if side == "ours":
            tracemalloc.start()
            f()
            result["arrays"] = tracemalloc.get_traced_memory()[1] / (2 * N * N * x.itemsize)
            tracemalloc.stop()
        result["values"] = [np.asarray(nngp)[i, j].tolist(), np.asarray(tangent)[i, j].tolist()]
    elif kind == "floor":
        seconds, first = floor(rest[0]), 0.0
    else:
        batch, count = int(rest[0]), int(rest[1])
        f = images_ours(count) if side == "ours" else images_peer(batch, count)
        # long calls: one warm one, or none
        seconds, first, tangent = timed(f, 0 if count > IMAGES else REPEATS if side == "ours" else 1)
        result["values"] = np.asarray(tangent)[:IMAGES, :IMAGES].tolist()
    Path(out).write_text(json.dumps({**result, "seconds": seconds, "first": first}))


def floor(dtype: str) -> list[float]:
    """Seconds of the product of the inputs, and of one layer of all pairs: arccos, root and nine sums or products."""
    x = inputs(dtype)
    product = np.empty((N, N), dtype)
    c = np.random.default_rng(0).uniform(-0.9, 0.9, (128, 256)).astype(dtype)
    out, other = np.empty_like(c), np.ones_like(c)

    def layer() -> None:
        np.arccos(c, out=out)
        np.sqrt(other, out=out)
        for _ in range(5):
            np.multiply(c, other, out=out)
        for _ in range(4):
            np.multiply(c, 0.5, out=out)

    each = min(timeit.repeat(layer, number=200, repeat=5)) / 200
    once = min(timeit.repeat(lambda: np.matmul(x, x.T, out=product), number=1, repeat=5))
    return [once, each * N * (N + 1) / 2 / c.size]


def dense_ours(x: np.ndarray, depth: int, b: float) -> Callable[[], Any]:
    from corollary.theory import ntk

    net = ntk.mlp(depth=depth, activation=ntk.Relu(), W_std=2**0.5, b_std=b)

    def f() -> Any:
        k = net.kernel(x)
        return k.nngp, k.ntk

    return f


def images_ours(count: int) -> Callable[[], Any]:
    from corollary.theory import ntk

    conv = [ntk.Conv((3, 3), 2**0.5), ntk.Relu()]
    net = ntk.Serial(*conv, *conv, ntk.GlobalAvgPool(), ntk.Dense())
    x = images(count)
    return lambda: net.kernel(x).ntk


def dense_peer(x: np.ndarray, depth: int, b: float) -> Callable[[], Any]:
    import jax  # pyright: ignore[reportMissingImports]

    jax.config.update("jax_enable_x64", x.dtype == np.float64)
    from neural_tangents import stax  # pyright: ignore[reportMissingImports]

    bias = {"b_std": b} if b else {}
    layers = [layer for _ in range(depth) for layer in (stax.Dense(512, W_std=2**0.5, **bias), stax.Relu())]
    kernel = stax.serial(*layers, stax.Dense(1, W_std=2**0.5, **bias))[2]
    on_device = jax.numpy.asarray(x)
    compiled = jax.jit(lambda z: tuple(kernel(z, None, ("nngp", "ntk"))))
    return lambda: jax.block_until_ready(compiled(on_device))


def images_peer(batch: int, count: int) -> Callable[[], Any]:
    import neural_tangents as nt  # pyright: ignore[reportMissingImports]
    from neural_tangents import stax  # pyright: ignore[reportMissingImports]

    conv = [stax.Conv(64, (3, 3), padding="SAME", W_std=2**0.5), stax.Relu()]
    kernel = stax.serial(*conv, *conv, stax.GlobalAvgPool(), stax.Dense(1))[2]
    f = nt.batch(kernel, batch_size=batch, device_count=0)
    x = images(count)
    return lambda: np.asarray(f(x, None, "ntk"))


def exact(dtype: str, depth: int, b: float) -> np.ndarray:
    """NNGP and NTK of `pairs` and √(k(x,x) k(x',x')) of each, (2, 80, 2), at 40 digits."""
    import mpmath as mp

    x, (i, j), out = inputs(dtype).astype(float), pairs(), []

    def dual(q: Any, r: Any, k: Any) -> tuple[Any, Any]:
        s = mp.sqrt(q * r)
        θ = mp.acos(min(mp.mpf(1), k / s))
        return s * (mp.sin(θ) + (mp.pi - θ) * mp.cos(θ)) / (2 * mp.pi), (mp.pi - θ) / (2 * mp.pi)

    with mp.workdps(40):
        b2, W2 = mp.mpf(b) ** 2, mp.mpf(2**0.5) ** 2
        for p, r in zip(i, j, strict=True):
            q = [W2 * mp.fdot(map(mp.mpf, x[s]), map(mp.mpf, x[t])) / D + b2 for s, t in ((p, p), (r, r), (p, r))]
            t = list(q)
            for _ in range(depth):
                E = [(q[0] / 2, mp.mpf(1) / 2), (q[1] / 2, mp.mpf(1) / 2), dual(*q)]
                q = [W2 * e + b2 for e, _ in E]
                t = [k + W2 * slope * u for k, (_, slope), u in zip(q, E, t, strict=True)]
            out.append([[float(a[2]), float(mp.sqrt(a[0] * a[1]))] for a in (q, t)])
    return np.array(out).transpose(1, 0, 2)


def main() -> None:
    path = HERE / "results" / "ntk.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    python = peer_python("neural_tangents")
    sides = {"ours": sys.executable, **({"peer": python} if python else {})}
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")

        def one(side: str, job: str) -> None:
            command = [sides[side], __file__, "--worker", side, job, out]
            subprocess.run(command, check=True, env={**os.environ, **ONE_THREAD}, stderr=subprocess.DEVNULL)
            rows.setdefault(f"{side} {job}", []).append(json.loads(Path(out).read_text()))
            print(side, job, rows[f"{side} {job}"][-1]["seconds"], flush=True)

        if sys.argv[1:2] == ["--images64"]:
            rows = before["rounds"]
            one("ours", "images,8,64")
            for batch in MANY if python else ():
                one("peer", f"images,{batch},64")
        else:
            for job in [f"dense,{dtype},{depth},{b}" for dtype, depth, b in DENSE] * ROUNDS:
                for side in sides:
                    one(side, job)
            for job in ("floor,float32", "floor,float64", f"images,0,{IMAGES}"):
                one("ours", job)
            for batch in BATCHES if python else ():
                one("peer", f"images,{batch},{IMAGES}")
    report(rows, "peer" in sides)


def report(rows: dict[str, list[dict[str, Any]]], peer: bool) -> None:
    head = ["dtype", "depth", "b_std", "ours, s", "neural-tangents, s", "ratio", "goal", "floor, s", "compile, s",
            "error, ours", "theirs", "arrays, ours", "memory, ours", "theirs"]  # fmt: skip
    lines = [
        "# Kernels of infinitely wide networks (written by benchmarks/ntk.py)", "",
        f"ReLU, n = {N}, d = {D}, both kernels. Seconds, median (lowest to highest) of {ROUNDS} interleaved rounds of",
        f"{REPEATS} warm calls. Error: largest against 40 digits, of 80 pairs, over √(k(x,x) k(x',x')). Memory in",
        "units of both results: NumPy's arrays at the peak, which the goal of 1.3 means; growth of the process,",
        "which also counts what is no array of ours (14 MB in float32, 26 MB in float64). Float32, below its goals: of",
        "0.12 s at depth 3 the matrix product takes 0.03 s, three layers 0.03 s, unit vectors, mirrored blocks and the",
        "checks of the results 0.03 s (profiled on a Xeon under load).", "",
        "| " + " | ".join(head) + " |", "|" + "---|" * len(head),
    ]  # fmt: skip
    floors = {dtype: rows[f"ours floor,{dtype}"][0]["seconds"] for dtype in ("float32", "float64")}
    for dtype, depth, b in DENSE:
        truth, row = exact(dtype, depth, b), [dtype, str(depth), str(b)]
        runs = {side: rows.get(f"{side} dense,{dtype},{depth},{b}", []) for side in ("ours", "peer")}
        seconds = {side: [s for r in found for s in r["seconds"]] for side, found in runs.items()}
        row += [spread(s) if s else "–" for s in seconds.values()]
        row.append(f"{statistics.median(seconds['peer']) / statistics.median(seconds['ours']):.2g}" if peer else "–")
        row += [str(GOALS[dtype, depth]) if b == 0 else "–", f"{floors[dtype][0] + depth * floors[dtype][1]:.3g}"]
        row.append(spread([r["first"] for r in runs["peer"]]) if peer else "–")
        for found in runs.values():
            gap = [np.max(np.abs(np.array(r["values"]) - truth[..., 0]) / truth[..., 1]) for r in found[:1]]
            row += [f"{g:.1e}" for g in gap] or ["–"]
        row.append(f"{max(r['arrays'] for r in runs['ours']):.2f}")
        row += [f"{max(r['memory'] for r in found):.2f}" if found else "–" for found in runs.values()]
        lines.append("| " + " | ".join(row) + " |")
    mine = rows[f"ours images,0,{IMAGES}"][0]
    lines += ["", f"Images, n = {IMAGES}: ours {spread(mine['seconds'])} s."]
    for batch in BATCHES if peer else ():
        theirs = rows[f"peer images,{batch},{IMAGES}"][0]
        gap = np.max(np.abs(np.array(theirs["values"]) - np.array(mine["values"]))) / np.max(np.array(mine["values"]))
        lines.append(
            f"nt.batch, batch size {batch}: {theirs['seconds'][0]:.3g} s (first call {theirs['first']:.3g} s), "
            f"×{theirs['seconds'][0] / statistics.median(mine['seconds']):.3g}; kernels agree to {gap:.0e}."
        )
    tried = {batch: rows[f"peer images,{batch},64"][-1]["first"] for batch in MANY if f"peer images,{batch},64" in rows}
    for batch, seconds in tried.items() if "ours images,8,64" in rows else ():
        mine = rows["ours images,8,64"][-1]["first"]
        lines.append(f"Images, n = 64, one call each: ours {mine:.4g} s, nt.batch ({batch}) {seconds:.4g} s, "
                     f"×{seconds / mine:.3g}.")  # fmt: skip
    lines += ["", "On a GPU: gpu.md."]
    write_results("ntk", lines, ["neural_tangents"] if peer else [], {"threads": 1}, rounds=rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:5])
    else:
        main()
