"""CUDA kernels whose text also compiles for the host, where tests run it: no second copy of any formula.

A source is CUDA C++ in the type `real` (float or double), with the work of a block inside `EACH_BLOCK { … }` and that
of its threads inside `EACH_THREAD { … }`, `__syncthreads()` between two of these. On a GPU both braces run once, for
the block and thread at hand, and `continue` leaves them; on the host they are loops over blockIdx and threadIdx, one
thread after the other up to the next barrier. Nothing of a thread outlives its braces except through memory, no barrier
stands inside EACH_THREAD, and threads of different blocks share nothing but atomics.

NVRTC compiles at the first call with the default options: no fast-math, a·b + c may be one fused operation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

PRELUDE = r"""
#ifdef __CUDACC__
#define EACH_BLOCK for (bool block_ = true; block_; block_ = false)
#define EACH_THREAD for (bool thread_ = true; thread_; thread_ = false)
#else
#include <cmath>
using std::asin; using std::fabs; using std::sqrt;
#define __global__
#define __device__
#define __shared__ static
#define __syncthreads()
static struct { int x, y; } gridDim, blockDim, blockIdx, threadIdx;
#define EACH_BLOCK \
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++) \
        for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
#define EACH_THREAD \
    for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++) \
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
static int atomicAdd(int* address, int value) { int old = *address; *address += value; return old; }
extern "C" void shape(int gx, int gy, int bx, int by) { gridDim = {gx, gy}; blockDim = {bx, by}; }
#endif
"""

# launch(grid (x, y), block (x, y), arguments): C-contiguous arrays, and NumPy scalars of just the kernel's types
Launch = Callable[[tuple[int, int], tuple[int, int], tuple[Any, ...]], None]


def text(source: str, dtype: Any) -> str:
    """What the compilers see. dtype: float32 or float64, of NumPy or CuPy."""
    return f"typedef {'float' if dtype.itemsize == 4 else 'double'} real;\n{PRELUDE}{source}"


@cache
def kernel(source: str, name: str, dtype: Any) -> Launch:
    """The kernel `name` of `source` on the current GPU. Raises ImportError without CuPy."""
    import cupy  # pyright: ignore[reportMissingImports]

    return cupy.RawKernel(text(source, dtype), name)
