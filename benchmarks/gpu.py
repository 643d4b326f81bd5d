"""On a GPU: how near the fused kernels come to what memory and products allow, whole solves, and a sweep of training.

    make bench-gpu, or PYTHONPATH=src python benchmarks/gpu.py [kernels] [steps] [solves] [training]

Kernels and steps are measured with CUDA events on the stream, warm, against two limits measured in the same run: the
bandwidth of copying 1 GiB, counted as read and written, and the rate of one large matrix product of that dtype. Bytes
are those that must move: every array once. Parts that are not named are kept as they are in the results.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import attention
import convex_relu
import harness
import icl
import numpy as np
from gpu_timing import DTYPES, device_name, limits, seconds, shares

STEPS = 50
SOLVES = ((False, "admm", 1e-3), (True, "fista", 1e-3), (True, "fista", 1e-6))


def kernels() -> list[dict[str, Any]]:
    """Kernel of n inputs with themselves, ReLU, d = 784: all of `Network.kernel`, checks included."""
    import cupy  # pyright: ignore[reportMissingImports]

    from corollary.theory import ntk
    from corollary.theory.ntk import fused

    best, rows = limits(), []
    inputs = np.random.default_rng(0).standard_normal((20000, 784))
    for dtype, n, depth, b in itertools.product(DTYPES, (2000, 20000), (3, 10), (0.0, 0.1)):
        x = cupy.asarray(inputs[:n].astype(dtype))
        net = ntk.mlp(depth=depth, activation=ntk.Relu(), W_std=2**0.5, b_std=b)
        row = {"dtype": dtype, "n": n, "depth": depth, "b": b, "device": device_name(), **best}
        row["seconds"] = seconds(lambda net=net, x=x: net.kernel(x))
        row["kernels"] = shares(lambda net=net, x=x: net.kernel(x), best["copy"])
        # what the product of half of the pairs and one pass over inputs, cosines and results cannot go below
        row["floor"] = n * n * 784 / best[dtype] + np.dtype(dtype).itemsize * (n * 784 + 3 * n * n) / best["copy"]
        with mock.patch.object(fused, "applies", lambda layers, x: False):
            row["plain"] = seconds(lambda net=net, x=x: net.kernel(x), 1)
        rows.append(row)
        print({k: row[k] for k in ("dtype", "n", "depth", "b", "seconds", "plain", "floor", "kernels")}, flush=True)
    return rows


def steps() -> list[dict[str, Any]]:
    """A step of ADMM, and of FISTA on the gated program, for one target and for eight, against the plain passes."""
    import cupy  # pyright: ignore[reportMissingImports]

    from corollary.theory.convex_relu import admm, fista

    data = convex_relu.problem(*convex_relu.SIZES[-1])
    best, rows, (n, d), P = limits(), [], data["X"].shape, data["D"].shape[1]
    for dtype, B, method in itertools.product(DTYPES, (1, convex_relu.COLUMNS), ("admm", "fista")):
        X, D, Y = (cupy.asarray(v.astype(dtype)) for v in (data["X"], data["D"], np.tile(data["y"][:, None], B)))
        betas = float(data["beta"]) * np.geomspace(0.5, 2, B)
        f, L = (admm.factors(X, D), 0.0) if method == "admm" else (None, fista.lipschitz(X, D))

        def run(steps: int = STEPS, method: str = method, f: Any = f, X: Any = X, Y: Any = Y, D: Any = D, L: float = L,
                betas: np.ndarray = betas) -> None:  # fmt: skip
            if method == "admm":
                admm.run(f, Y, betas, "squared", admm.start(f, Y, betas), steps)
            else:
                fista.fista(X, Y, betas, D, "squared", steps=steps, curvature=L)

        row = {"dtype": dtype, "columns": B, "method": method, "size": [n, d, P], "device": device_name(), **best}
        row["seconds"] = [s / STEPS for s in seconds(run)]
        row["kernels"] = shares(run, best["copy"])
        through_cones = 2 * B * P * d * (n + d) * 2 + 2 * B * P * d * n * 2
        row["floor"] = ((through_cones if method == "admm" else 0) + 4 * n * P * B * d) / best[dtype]
        row["floor"] += sum(k["bytes"] for k in row["kernels"].values()) / STEPS / best["copy"]
        plain = mock.Mock(is_cupy_array=lambda a: False)
        with mock.patch.object(admm, "array_api_compat", plain), mock.patch.object(fista, "array_api_compat", plain):
            row["plain"] = [s / 3 for s in seconds(partial(run, 3), 2)]
        rows.append(row)
        print({k: row[k] for k in ("dtype", "columns", "method", "seconds", "plain", "floor", "kernels")}, flush=True)
    return rows


def solves() -> list[dict[str, Any]]:
    """Whole calls of `solve` with arrays on the GPU: seconds by the clock, the gap of the certificate (computed by the
    host in float64), the steps taken; 3000 at most."""
    import cupy  # pyright: ignore[reportMissingImports]

    from corollary.theory.convex_relu import NotConverged, solve

    data, rows = convex_relu.problem(*convex_relu.SIZES[-1]), []
    for dtype, (gated, solver, tol) in itertools.product(DTYPES, SOLVES):
        X, y, D = (cupy.asarray(data[k].astype(dtype)) for k in ("X", "y", "D"))
        row: dict[str, Any] = {"dtype": dtype, "gated": gated, "solver": solver, "tol": tol, "seconds": []}
        row.update(size=[*X.shape, D.shape[1]], device=device_name())
        history: list[Any] = []
        options: dict[str, Any] = {"gated": gated, "solver": solver, "tol": tol, "max_steps": 3000}
        for begin in (100, 0, 0) if gated else (100, 0):  # the first: kernels compiled, on a few inputs
            take = slice(0, begin or None)
            begun = time.perf_counter()
            try:
                solution = solve(X[take], y[take], float(data["beta"]), D[take], **options)
            except NotConverged as stopped:
                solution = stopped.solution
            if not begin:
                row["seconds"].append(time.perf_counter() - begun)
                history, row["gap"] = solution.history, float(solution.certificate.relative)
        row["steps"] = max((step for stage, step, *_ in history if stage == solver), default=0)
        rows.append(row)
        print(row, flush=True)
    return rows


def solved(rows: list[dict[str, Any]]) -> list[str]:
    """The table of `solves`."""
    if not rows:
        return []
    out = ["", f"Whole solves on {rows[0]['device']}, seconds by the clock: steps on the GPU; looks, projections onto "
           "the cones and the certificate in float64 on the host.", "",
           "| network, n, d, P | dtype | method | tol | seconds | steps | certified gap |",
           "|---|---|---|---|---|---|---|"]  # fmt: skip
    for r in rows:
        what = f"{'gated' if r['gated'] else 'ReLU'}, {', '.join(map(str, r['size']))}"
        out.append(f"| {what} | {r['dtype']} | {r['solver']} | {r['tol']:g} | {harness.spread(r['seconds'])} | "
                   f"{r['steps']} | {r['gap']:.1e} |")  # fmt: skip
    return out


def batching(rows: list[dict[str, Any]]) -> list[str]:
    """What solving several columns together saves, from the steps of `convex_relu`."""
    out = []
    for few, many in itertools.product(rows, rows):
        same = all(few[k] == many[k] for k in ("dtype", "method"))
        if same and few["columns"] == 1 and many["columns"] > 1:
            gain = many["columns"] * statistics.median(few["seconds"]) / statistics.median(many["seconds"])
            out.append(f"{many['method']}, {many['dtype']} ×{gain:.2g}")
    return ["", f"Steps of several columns together against one after the other: {'; '.join(out)}."] if out else []


def training() -> list[dict[str, Any]]:
    """Many seeds trained at once, on this machine's processor and on the GPU: one linear-attention layer on its exact
    loss (the sweep of icl.py), and the attention of attention.py; seconds by the clock, draws on the host included."""
    cases: dict[str, Callable[[str], tuple[float, np.ndarray]]] = {
        f"linear attention, {icl.SEEDS} seeds × {len(icl.CONTEXTS)} lengths, {icl.SHORT} steps": icl.sweep,
        "softmax attention (6, 8, 10), 2048 seeds, 500 steps": lambda device: attention.trained(device, 2048),
    }
    rows = []
    for what, run in cases.items():
        times, ends = zip(*(run(device) for device in ("cpu", "cuda", "cuda")), strict=True)
        apart = max(float(np.max(np.abs(e - ends[0]))) for e in ends[1:]) / float(np.max(np.abs(ends[0])))
        rows.append({"what": what, "host": times[:1], "gpu": times[1:], "apart": apart, "device": device_name()})
        print(rows[-1], flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Of kernels and of steps."""
    if not rows:
        return []
    first = rows[0]
    out = [
        "", f"{first['device']}: copies at {first['copy'] / 1e9:.0f} GB/s, products at "
        f"{first['float32'] / 1e12:.1f} (float32) and {first['float64'] / 1e12:.1f} (float64) TFLOP/s.", "",
        "| what | ms | floor, of it | plain passes, × | in the fused kernels, of it | bandwidth they reach |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for r in rows:
        if "method" in r:
            what, per = f"step of {r['method']}, {r['columns']} targets, {r['dtype']}", STEPS
        else:
            what, per = f"NTK, n = {r['n']}, depth {r['depth']}, b_std {r['b']}, {r['dtype']}", 1
        middle = statistics.median(r["seconds"])
        inside = sum(k["seconds"] for k in r["kernels"].values()) / per
        reached = ", ".join(f"{name} {k['fraction']:.0%}" for name, k in r["kernels"].items())
        out.append(f"| {what} | {harness.spread([1e3 * s for s in r['seconds']])} | {r['floor'] / middle:.0%} | "
                   f"{statistics.median(r['plain']) / middle:.2g} | {inside / middle:.0%} | {reached} |")  # fmt: skip
    return out


def compared(rows: list[dict[str, Any]]) -> list[str]:
    """The table of `training`."""
    out = ["", "| seeds trained at once | processor, s | GPU, s | × | weights agree to |", "|---|---|---|---|---|"]
    for r in rows:
        ratio = statistics.median(r["host"]) / statistics.median(r["gpu"])
        out.append(f"| {r['what']} | {harness.spread(r['host'])} | {harness.spread(r['gpu'])} | {ratio:.2g} | "
                   f"{r['apart']:.1e} |")  # fmt: skip
    return out if rows else []


PARTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "kernels": kernels, "steps": steps, "solves": solves, "training": training,
}  # fmt: skip


def main() -> None:
    from corollary.arrays import namespace_for

    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"unknown part {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}")
    try:
        namespace_for("cuda")
    except RuntimeError as reason:
        sys.exit(str(reason))
    path = harness.HERE / "results" / "gpu.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = {name: kept.get(name, []) for name in PARTS}
    size = ", ".join(map(str, convex_relu.SIZES[-1]))
    for name in wanted:
        found[name] = PARTS[name]()
        lines = [
            "# On a GPU (written by benchmarks/gpu.py)",
            "",
            "Milliseconds of the whole call, or of one step; median (range) of warm ones. Floor: the products, "
            "and every byte once, at the rates this GPU was measured at. Plain passes: the same without the "
            f"fused kernels. NTK: ReLU, inputs of dimension 784. Steps: n, d, P = {size}; one of a single target is "
            "mostly the host's time for launches, which no CUDA graph can save: CuPy 14.2 captures no product.",
        ]
        lines += table(found["kernels"]) + table(found["steps"]) + batching(found["steps"])
        lines += solved(found["solves"]) + compared(found["training"])
        harness.write_results("gpu", lines, [], {}, **found)


if __name__ == "__main__":
    main()
