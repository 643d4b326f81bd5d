r"""Dense networks of the ReLU family on a GPU: all layers of a pair of inputs in one thread's registers.

The CuPy side of `fused`, with its factors κ, α, β. Registers have room for g = 1 − c beside the cosine c, so that the
angle is known to some ε in every layer, however parallel the features become. With τ = Θ/√(qq'), z = min(θ, π − θ)
from 1 − cos z, which is g or 1 + c,

    activation  σ = 1 − κθ/π,  τ ← σ τ,     c ← σ c + κ sin z/π,  g ← σ g + κ (z − sin z)/π  (1 − c where θ > π/2)
    Dense       c ← αα'c + ββ',  τ ← αα'τ + c,                    g ← αα'g + ((α − α')² + (β − β')²)/2

(α² + β² = 1). Only the inputs' product knows too little of g near parallel: pairs with |c| > 0.99 are reported by the
kernel and go through the accurate steps of `layers`, whose many small launches cost some ms, so many at a time; a panel
with too many of these is redone whole. An input with itself has c = 1, g = 0. What is left has an error of some ε a
layer of √(ΘΘ').

A panel of rows at a time: one matrix product for the cosines (of inputs with themselves: from the diagonal on), then
one kernel that reads each cosine once and writes K and Θ once, below the diagonal too. That is all its memory traffic,
whatever the depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, array_namespace, device
from corollary.numerics import cuda
from corollary.theory.ntk import fused
from corollary.theory.ntk.inputs import Directions, pair_moments
from corollary.theory.ntk.relu_family import _LinearPlusAbs

_PAIRS = 2**24  # of a panel: some 0.1 ms of memory traffic, beside 0.02 ms for its launches
_PANELS = 4  # at least: a panel's cosines are 1/8 of the results, and those in vain, below the diagonal, 1/8 of all
_FEW = 1 / 16  # share of a panel's pairs up to which the accurate steps take them one by one
_LEAST = 4096  # and this many in any case
_MANY = 2**17  # pairs that are worth the launches of the accurate steps
_WHOLE = 2048  # rows and columns of a block of the accurate steps
_TILE, _ROWS = 32, 8  # a block of threads is (_TILE, _ROWS), for _TILE² pairs
_ACTIVATION, _PLAIN = -1, 0

SOURCE = r"""
const int TILE = 32;

// Overwrites the cosine c by that of the outputs, and t by Θ over the lengths. code[l]: −1 an activation, κ/π = bend[l]
// and 1 − κ = rest[l]; 0 Dense; m > 0 Dense with bias, α and β in row m − 1.
static __device__ inline void through(
    real& c, real& t, int layers, const int* code, const real* bend, const real* rest,
    const real* alpha1, const real* beta1, long long n1, const real* alpha2, const real* beta2, long long n2)
{
    real gap = 1 - c;
    t = 0;
    for (int l = 0; l < layers; l++) {
        if (code[l] < 0) {
            bool acute = c >= 0;
            real less = acute ? gap : 1 + c;  // 1 − cos z
            real z = 2 * asin(sqrt(less / 2)), sine = sqrt(less * (2 - less)), turn = bend[l] * z;
            real slope = acute ? 1 - turn : rest[l] + turn;
            c = slope * c + bend[l] * sine;
            gap = acute ? slope * gap + bend[l] * (z > sine ? z - sine : 0) : 1 - c;
            t *= slope;
            continue;
        }
        if (code[l] > 0) {
            long long at1 = (code[l] - 1) * n1, at2 = (code[l] - 1) * n2;
            real a1 = alpha1[at1], a2 = alpha2[at2], b1 = beta1[at1], b2 = beta2[at2];
            c = a1 * a2 * c + b1 * b2;
            gap = a1 * a2 * gap + ((a1 - a2) * (a1 - a2) + (b1 - b2) * (b1 - b2)) / 2;
            t *= a1 * a2;
        }
        t += c;
    }
}

// cosines (height, width) of rows first1… and columns first2…; K, T (n1, n2). mirror: inputs with themselves, computed
// on the diagonal (from c = 1) and above it, written on both sides. found: the first `capacity` of *count pairs left
// out (K = T = 0).
extern "C" __global__ void dense_layers(
    const real* cosines, long long height, long long width, long long first1, long long first2, int mirror,
    int layers, const int* code, const real* bend, const real* rest, real near,
    const real* alpha1, const real* beta1, const real* root1, long long n1,
    const real* alpha2, const real* beta2, const real* root2, long long n2,
    real* K, real* T, int* count, long long* found, long long capacity)
{
    __shared__ real k[TILE][TILE + 1], t[TILE][TILE + 1];  // + 1: no two threads of a warp in one bank
    EACH_BLOCK {
        long long top = (long long)TILE * blockIdx.y, left = (long long)TILE * blockIdx.x;
        if (mirror && left + TILE <= top) continue;
        EACH_THREAD {
            int x = threadIdx.x;
            for (int y = threadIdx.y; y < TILE; y += blockDim.y) {
                long long i = top + y, j = left + x;
                if (i >= height || j >= width || (mirror && j < i)) continue;
                long long p = first1 + i, q = first2 + j;
                bool itself = mirror && p == q;
                real c = itself ? 1 : cosines[i * width + j], tangent = 0;
                if (itself || fabs(c) <= near) {
                    through(c, tangent, layers, code, bend, rest,
                            alpha1 + p, beta1 + p, n1, alpha2 + q, beta2 + q, n2);
                } else {
                    int at = atomicAdd(count, 1);
                    if (at < capacity) found[at] = i * width + j;
                    c = 0;
                }
                real size = root1[p] * root2[q];
                K[p * n2 + q] = k[y][x] = c * size;
                T[p * n2 + q] = t[y][x] = tangent * size;
            }
        }
        if (!mirror) continue;
        __syncthreads();
        EACH_THREAD {
            int x = threadIdx.x;
            for (int y = threadIdx.y; y < TILE; y += blockDim.y) {
                long long i = top + x, j = left + y;
                if (i >= height || j >= width || j <= i) continue;
                K[(first2 + j) * n2 + first1 + i] = k[x][y];
                T[(first2 + j) * n2 + first1 + i] = t[x][y];
            }
        }
    }
}
"""


def gram(
    layers: Sequence[Any],
    a: Directions,
    b: Directions | None,
    before: Any,
    other: Any,
    pairs: fused.Through,
    whole: fused.Whole,
    launch: cuda.Launch | None = None,
) -> tuple[Array, Array]:
    """`fused.gram` on CuPy arrays. launch: another machine's kernel, of `SOURCE` for the dtype."""
    xp, on = array_namespace(a.unit), device(a.unit)
    right = a if b is None else b
    n1, n2, dtype = len(a.length), len(right.length), a.unit.dtype
    launch = launch or cuda.kernel(SOURCE, "dense_layers", dtype)
    code, *numbers = _program(layers)
    ends = (*_stacked(layers, before), np.int64(n1), *_stacked(layers, other), np.int64(n2))
    network = (np.int32(len(code)), xp.asarray(code, device=on),
               *(xp.asarray(v, dtype=dtype, device=on) for v in numbers), dtype.type(fused._NEAR))  # fmt: skip
    K, T = (xp.empty((n1, n2), dtype=dtype, device=on) for _ in range(2))
    panels = _panels(n1, n2, b is None)
    largest = max((rows.stop - rows.start) * (n2 - start) for rows, start in panels)
    work = xp.empty(largest, dtype=dtype, device=on)
    few = xp.empty(max(_LEAST, int(largest * _FEW)), dtype=xp.int64, device=on)
    close: list[tuple[Array, Array, Array]] = []  # pairs for the accurate steps: rows, columns, cosines

    def accurately() -> None:
        if not close:
            return
        p, q, c = (xp.concat(parts) for parts in zip(*close, strict=True))
        close.clear()
        sizes = [(xp.take(V, p, axis=0), xp.take(W, q, axis=0)) for V, W in zip(before, other, strict=True)]
        K[p, q], T[p, q] = pairs(pair_moments(a, right, c, p, q), sizes)
        if b is None:
            K[q, p], T[q, p] = K[p, q], T[p, q]

    for rows, start in panels:
        i, h, w = rows.start, rows.stop - rows.start, n2 - start
        cosines = xp.reshape(work[: h * w], (h, w))
        xp.matmul(a.unit[rows, :], xp.matrix_transpose(right.unit[start:, :]), out=cosines)
        count, capacity = xp.zeros(1, dtype=xp.int32, device=on), max(_LEAST, int(h * w * _FEW))
        grid = (-(-w // _TILE), -(-h // _TILE))
        launch(grid, (_TILE, _ROWS), (
            cosines, np.int64(h), np.int64(w), np.int64(i), np.int64(start), np.int32(b is None), *network, *ends,
            K, T, count, few, np.int64(capacity),
        ))  # fmt: skip
        left_out = int(count[0])
        if left_out > capacity:
            _redo(K, T, rows, start, b is None, whole)
        elif left_out:
            flat = xp.sort(few[:left_out])  # atomics come in any order
            close.append((flat // w + i, flat % w + start, xp.take(work, flat, axis=0)))
            if sum(len(p) for p, _, _ in close) >= _MANY:
                accurately()
    accurately()
    return K, T


def _panels(n1: int, n2: int, itself: bool) -> list[tuple[slice, int]]:
    """Rows, and the first column, of each panel; whole tiles where a panel has that many rows."""
    out, i = [], 0
    while i < n1:
        start = i if itself else 0
        height = max(1, min(_PAIRS // (n2 - start), max(8 * _TILE, -(-n1 // _PANELS))))
        out.append((slice(i, min(i + (height // _TILE * _TILE or height), n1)), start))
        i = out[-1][0].stop
    return out


def _program(layers: Sequence[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """code, bend, rest (layers,) of the kernel; activations that bend nothing are left out."""
    steps, biased = [], 0
    for layer in layers:
        if not isinstance(layer, _LinearPlusAbs):
            biased += layer.b_std != 0
            steps.append((biased if layer.b_std != 0 else _PLAIN, 0.0, 0.0))
        elif fused._bends(layer):
            α2, β2 = layer._squares
            steps.append((_ACTIVATION, 2 * β2 / (α2 + β2) / np.pi, (α2 - β2) / (α2 + β2)))
    code, bend, rest = zip(*steps, strict=True)
    return np.array(code, dtype=np.int32), np.array(bend), np.array(rest)


def _stacked(layers: Sequence[Any], before: Sequence[Array]) -> tuple[Array, Array, Array]:
    """α, β (layers with bias, n), one row of zeros where there is none, and √q (n,) of the output."""
    *factors, (root,) = (f for f in fused._factors(layers, before) if f is not None)
    xp = array_namespace(root)
    alpha, beta = zip(*(factors or [(xp.zeros_like(root),) * 2]), strict=True)
    return xp.stack(alpha), xp.stack(beta), root


def _redo(K: Array, T: Array, rows: slice, start: int, itself: bool, whole: fused.Whole) -> None:
    """All of a panel by the accurate steps."""
    n2 = K.shape[1]
    for i in range(rows.start, rows.stop, _WHOLE):
        for j in range(start, n2, _WHOLE):
            block = slice(i, min(i + _WHOLE, rows.stop)), slice(j, min(j + _WHOLE, n2))
            K[block], T[block] = whole(*block)
    if itself:
        xp = array_namespace(K)
        for out in (K, T):
            upper = xp.triu(out[rows, rows])
            out[rows, rows] = upper + xp.matrix_transpose(xp.triu(upper, k=1))
            out[rows.stop :, rows] = xp.matrix_transpose(out[rows, rows.stop :])
