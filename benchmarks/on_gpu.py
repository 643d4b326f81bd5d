"""The GPU parts of ntk.py and convex_relu.py: how near the fused kernels come to what memory and products allow.

Measured with CUDA events on the stream, warm, against two limits measured in the same run: the bandwidth of copying 1
GiB, counted as read and written, and the rate of one large matrix product of that dtype. Bytes are those that must
move: every array once. No benchmark of its own; where CuPy finds no GPU, the parts say so.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import harness
import numpy as np

DTYPES = ("float32", "float64")
REPEATS = 5
STEPS = 50


def missing() -> str:
    """Why there is no GPU part, or an empty string."""
    from corollary.arrays import namespace_for

    try:
        namespace_for("cuda")
    except RuntimeError as reason:
        return str(reason)
    return ""


def device_name() -> str:
    """And the commit, since results outlive the machine they were measured on."""
    import cupy  # pyright: ignore[reportMissingImports]

    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=harness.HERE)
    return f"{cupy.cuda.runtime.getDeviceProperties(0)['name'].decode()} at {done.stdout.strip()}"


def seconds(f: Callable[[], Any], repeats: int = REPEATS) -> list[float]:
    """Of warm calls, each between two events on the stream."""
    import cupy  # pyright: ignore[reportMissingImports]

    f()
    out = []
    for _ in range(repeats):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        f()
        end.record()
        end.synchronize()
        out.append(cupy.cuda.get_elapsed_time(begin, end) / 1e3)
    return out


def limits() -> dict[str, float]:
    """Bytes per second of a copy, and operations per second of a product, by dtype."""
    import cupy  # pyright: ignore[reportMissingImports]

    source = cupy.zeros(2**30, dtype=cupy.int8)
    target = cupy.empty_like(source)
    out = {"copy": 2 * source.nbytes / min(seconds(lambda: cupy.copyto(target, source)))}
    for dtype in DTYPES:
        a = cupy.ones((8192, 8192), dtype=dtype)
        c = cupy.empty_like(a)
        out[dtype] = 2 * 8192**3 / min(seconds(lambda a=a, c=c: cupy.matmul(a, a, out=c)))
    return out


def moved(name: str, arguments: tuple[Any, ...], item: int) -> float:
    """Bytes that a launch of the kernel must move."""
    if name == "dense_layers":
        _, h, w, _, _, mirror = (int(a) if k else a for k, a in enumerate(arguments[:6]))
        pairs = h * w - (h * (h - 1) // 2 if mirror else 0)
        return item * (pairs + 2 * ((2 * pairs - h) if mirror else pairs))
    if name == "cones":
        patterns, n, groups = int(arguments[0]), int(arguments[1]), arguments[6].shape
        return item * 4 * float(np.prod(groups)) + patterns * n
    values = int(arguments[0]) * int(arguments[3] if name == "groups" else arguments[2])
    return item * values * {"groups": 5.5, "prox": 4, "momentum": 3}[name]  # 5.5: both signs read one push


@contextmanager
def watched() -> Iterator[dict[str, list[tuple[Any, Any, float]]]]:
    """The launches of every fused kernel inside: (event before, event after, bytes)."""
    import cupy  # pyright: ignore[reportMissingImports]

    from corollary.numerics import cuda

    seen: dict[str, list[tuple[Any, Any, float]]] = {}
    honest = cuda.kernel

    def kernel(source: str, name: str, dtype: Any) -> Any:
        launch = honest(source, name, dtype)

        def run(grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
            begin, end = cupy.cuda.Event(), cupy.cuda.Event()
            begin.record()
            launch(grid, block, arguments)
            end.record()
            seen.setdefault(name, []).append((begin, end, moved(name, arguments, dtype.itemsize)))

        return run

    with mock.patch.object(cuda, "kernel", kernel):
        yield seen
    cupy.cuda.Device().synchronize()


def shares(f: Callable[[], Any], copy: float) -> dict[str, dict[str, float]]:
    """Seconds in each fused kernel during one warm f(), the bytes it must move, and their rate over a copy's."""
    import cupy  # pyright: ignore[reportMissingImports]

    f()
    with watched() as seen:
        f()
    out = {}
    for name, launches in seen.items():
        spent = sum(cupy.cuda.get_elapsed_time(begin, end) for begin, end, _ in launches) / 1e3
        size = sum(b for _, _, b in launches)
        out[name] = {"seconds": spent, "bytes": size, "fraction": size / spent / copy}
    return out


def ntk() -> list[dict[str, Any]]:
    """Kernel of n inputs with themselves, ReLU, d = 784: all of `Network.kernel`, checks included."""
    import cupy  # pyright: ignore[reportMissingImports]

    from corollary.theory import ntk
    from corollary.theory.ntk import fused

    best, rows = limits(), []
    for dtype, n, depth, b in itertools.product(DTYPES, (2000, 20000), (3, 10), (0.0, 0.1)):
        x = cupy.asarray(np.random.default_rng(0).standard_normal((n, 784)).astype(dtype))
        net = ntk.mlp(depth=depth, activation=ntk.Relu(), W_std=2**0.5, b_std=b)
        row = {"dtype": dtype, "n": n, "depth": depth, "b": b, "device": device_name(), **best}
        row["seconds"] = seconds(lambda net=net, x=x: net.kernel(x))
        row["kernels"] = shares(lambda net=net, x=x: net.kernel(x), best["copy"])
        # what the product of half of the pairs and one pass over inputs, cosines and results cannot go below
        row["floor"] = n * n * 784 / best[dtype] + np.dtype(dtype).itemsize * (n * 784 + 3 * n * n) / best["copy"]
        with mock.patch.object(fused, "applies", lambda layers, x: False):
            row["plain"] = seconds(lambda net=net, x=x: net.kernel(x), 2)
        rows.append(row)
    return rows


def convex_relu(data: dict[str, np.ndarray], columns: int) -> list[dict[str, Any]]:
    """A step of ADMM, and of FISTA on the gated program, for one target and for `columns`, against the plain passes."""
    import cupy  # pyright: ignore[reportMissingImports]

    from corollary.theory.convex_relu import admm, fista

    best, rows, (n, d), P = limits(), [], data["X"].shape, data["D"].shape[1]
    for dtype, B, method in itertools.product(DTYPES, (1, columns), ("admm", "fista")):
        X, D, Y = (cupy.asarray(v.astype(dtype)) for v in (data["X"], data["D"], np.tile(data["y"][:, None], B)))
        betas = float(data["beta"]) * np.geomspace(0.5, 2, B)
        f, L = (admm.factors(X, D), 0.0) if method == "admm" else (None, fista.lipschitz(X, D))

        def run(method: str = method, f: Any = f, X: Any = X, Y: Any = Y, D: Any = D, L: float = L,
                betas: np.ndarray = betas) -> None:  # fmt: skip
            if method == "admm":
                admm.run(f, Y, betas, "squared", admm.start(f, Y, betas), STEPS)
            else:
                fista.fista(X, Y, betas, D, "squared", steps=STEPS, curvature=L)

        row = {"dtype": dtype, "columns": B, "method": method, "size": [n, d, P], "device": device_name(), **best}
        row["seconds"] = [s / STEPS for s in seconds(run)]
        row["kernels"] = shares(run, best["copy"])
        through_cones = 2 * B * P * d * (n + d) * 2 + 2 * B * P * d * n * 2
        row["floor"] = ((through_cones if method == "admm" else 0) + 4 * n * P * B * d) / best[dtype]
        row["floor"] += sum(k["bytes"] for k in row["kernels"].values()) / STEPS / best["copy"]
        plain = mock.Mock(is_cupy_array=lambda a: False)
        with mock.patch.object(admm, "array_api_compat", plain), mock.patch.object(fista, "array_api_compat", plain):
            row["plain"] = [s / STEPS for s in seconds(run, 2)]
        rows.append(row)
    return rows


def lines(rows: list[dict[str, Any]], why: str) -> list[str]:
    """The table of either part; `why` there is none."""
    if not rows:
        return ["", f"On a GPU: not run: {why}"]
    first = rows[0]
    out = [
        "", f"On {first['device']}: copies at {first['copy'] / 1e9:.0f} GB/s, products at "
        f"{first['float32'] / 1e12:.1f} (float32) and {first['float64'] / 1e12:.1f} (float64) TFLOP/s. Floor: the "
        "products and every byte once, at these rates. Milliseconds, of a whole kernel or of a step.", "",
        "| what | fused | floor, of fused | plain passes, × | in the kernels, of fused | bandwidth reached |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for r in rows:
        if "method" in r:
            what = f"{r['method']}, n, d, P = {', '.join(map(str, r['size']))}, {r['columns']} columns, {r['dtype']}"
            per = STEPS
        else:
            what, per = f"n = {r['n']}, depth {r['depth']}, b_std {r['b']}, {r['dtype']}", 1
        middle = statistics.median(r["seconds"])
        inside = sum(k["seconds"] for k in r["kernels"].values()) / per
        reached = ", ".join(f"{name} {k['fraction']:.0%}" for name, k in r["kernels"].items())
        out.append(f"| {what} | {harness.spread([1e3 * s for s in r['seconds']])} | {r['floor'] / middle:.0%} | "
                   f"{statistics.median(r['plain']) / middle:.1f} | {inside / middle:.0%} | {reached} |")  # fmt: skip
    return out
