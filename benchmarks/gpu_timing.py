"""Time, bytes and limits on a GPU, for gpu.py: events on the stream, launches of the fused kernels, a copy, a product.

No benchmark of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import harness
import numpy as np

DTYPES = ("float32", "float64")
REPEATS = 5


def device_name() -> str:
    """And the commit, since results outlive the machine they were measured on."""
    import cupy  # pyright: ignore[reportMissingImports]

    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return f"{name}, CuPy {cupy.__version__}, at commit {harness.commit()}"


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
        patterns, n, groups = int(arguments[0]), int(arguments[1]), arguments[-3].shape  # of t
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
