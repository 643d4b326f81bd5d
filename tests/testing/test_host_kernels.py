"""CUDA text on the host: blocks, threads and barriers as a GPU has them, and arguments checked as CuPy does not."""

import numpy as np
import pytest

from corollary.numerics import cuda
from corollary.testing import host_kernels

SOURCE = r"""
extern "C" __global__ void reversed(int n, const real* x, real factor, real* out, int* visits, long long* last)
{
    __shared__ real tile[8];
    EACH_BLOCK {
        if (blockIdx.y == 1) continue;
        EACH_THREAD {
            int i = blockIdx.x * 8 + threadIdx.x;
            if (i >= n) continue;
            tile[threadIdx.x] = factor * x[i];
        }
        __syncthreads();
        EACH_THREAD {
            int i = blockIdx.x * 8 + threadIdx.x, other = 7 - threadIdx.x;
            atomicAdd(visits, 1);
            if (i < n && blockIdx.x * 8 + other < n) out[i] = tile[other];
            if (i == n - 1) last[0] = i;
        }
    }
}
"""


def arguments(dtype, n=16):
    x = np.arange(n, dtype=dtype)
    return [np.int32(n), x, dtype(2), np.full(n, -1, dtype), np.zeros(1, np.int32), np.zeros(1, np.int64)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_of_a_block_meet_at_the_barrier(kernel_folder, dtype):
    """Every thread reads what a later one wrote before the barrier; a block may leave as a whole."""
    launch, given = host_kernels.host_kernel(SOURCE, "reversed", dtype, kernel_folder), arguments(dtype)
    launch((2, 2), (8, 1), tuple(given))
    np.testing.assert_array_equal(given[3], 2 * np.concatenate([np.arange(8)[::-1], np.arange(8, 16)[::-1]]))
    assert (given[4][0], given[5][0]) == (16, 15)


@pytest.mark.parametrize(
    "place, wrong, said",
    [
        (0, 16, "n is int; expected a NumPy scalar of int32"),
        (0, np.int64(16), "n is int64; expected a NumPy scalar of int32"),
        (1, np.arange(32.0)[::2], "x is an array of float64, not C-contiguous; expected a C-contiguous array"),
        (1, np.arange(16, dtype=np.float32), "x is an array of float32; expected a C-contiguous array of float64"),
        (2, np.float32(2), "factor is float32; expected a NumPy scalar of float64"),
        (5, np.zeros(1, np.int32), "last is an array of int32; expected a C-contiguous array of int64"),
    ],
)
def test_arguments_that_a_gpu_would_read_as_something_else(kernel_folder, place, wrong, said):
    launch, given = host_kernels.host_kernel(SOURCE, "reversed", np.float64, kernel_folder), arguments(np.float64)
    given[place] = wrong
    with pytest.raises(TypeError, match=said):
        launch((2, 1), (8, 1), tuple(given))
    with pytest.raises(TypeError, match="reversed takes 6 arguments, got 5"):
        launch((2, 1), (8, 1), tuple(given[:5]))


def test_what_is_missing_or_wrong_is_said(kernel_folder):
    with pytest.raises(RuntimeError, match="none of no-such-compiler"):
        host_kernels.compiler("no-such-compiler")
    with pytest.raises(RuntimeError, match="no kernel forwards"):
        host_kernels.host_kernel(SOURCE, "forwards", np.float64, kernel_folder)
    with pytest.raises(RuntimeError, match="tile"):
        host_kernels.host_kernel(SOURCE.replace("real tile", "real title"), "reversed", np.float64, kernel_folder)


def test_without_cupy_there_is_no_kernel():
    try:
        import cupy  # pyright: ignore[reportMissingImports] # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="cupy"):
            cuda.kernel(SOURCE, "reversed", np.dtype(float))
    else:
        pytest.skip("CuPy is here")
