"""Replicates in blocks: as many networks at a time as stay in cache on a CPU, or in memory on a GPU.

A replicate's numbers depend on its own seed only, so the size of a block changes the time and not the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corollary.arrays import Array, Namespace
from corollary.sims.common.networks import require_seeds

# Parameters a block: on a CPU descent is bound by reading and writing the weights, so a block should stay in cache
# (4 MiB of float64; measured: 2**19 is within 10 % of the best power of two for three hidden layers of 50 to 100,
# and two to six times faster than one network at a time); on a GPU only memory limits it (2 GiB).
_CPU_PARAMETERS = 2**19
_GPU_PARAMETERS = 2**28


def on_gpu(xp: Namespace) -> bool:
    """Whether xp is CuPy: there large blocks pay, on a CPU those that fit in cache."""
    return xp.__name__.rpartition(".")[2] == "cupy"


def by_blocks(
    run: Callable[[list[Any]], dict[str, Array]], seeds: Sequence[Any], widths: Sequence[int], xp: Namespace
) -> dict[str, Array]:
    """run(seeds) for networks of these widths, block by block; the arrays joined along their first (replicate) axis."""
    listed = require_seeds(seeds)
    parameters = sum((n + 1) * m for n, m in zip(widths[:-1], widths[1:], strict=True))
    limit = _GPU_PARAMETERS if on_gpu(xp) else _CPU_PARAMETERS
    size = max(1, limit // parameters)
    parts = [run(listed[i : i + size]) for i in range(0, len(listed), size)]
    return {key: xp.concat([part[key] for part in parts], axis=0) for key in parts[0]}
