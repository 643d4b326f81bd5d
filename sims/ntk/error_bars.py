r"""Error bars of infinite-width kernels: Θ_n = Θ ± C/√n in NTK parametrisation, with C measured at one width.

The fluctuation of the empirical tangent kernel over initialisations is of order n^{-1/2} for every architecture here
(Yang 2019; claims `yang2019`); its constant has no closed form in general, so a few small networks measure it. Beside
it there is a bias of order 1/n (none with one hidden layer). Host only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.sims.ntk.architectures import Layer
from corollary.sims.ntk.exact import kernels


@dataclass(frozen=True)
class Fluctuation:
    """`constant` (N, N) = √n sd Θ_n, measured at `width` with the standard error `se` (N, N) of `replicates` draws."""

    constant: np.ndarray
    se: np.ndarray
    width: int
    replicates: int

    def at(self, width: int) -> np.ndarray:
        """(N, N): the standard deviation C/√width predicted there. Raises ValueError for width < 1."""
        if width < 1:
            raise ValueError(f"width = {width}; expected >= 1")
        return self.constant / math.sqrt(width)


def fluctuation(layers: Sequence[Layer], x: np.ndarray, *, width: int, seeds: Sequence[Any]) -> Fluctuation:
    """The constant from one network a seed, at least 8; use a width of 32 or more: next orders are relative 1/n.

    se is that of normal draws, 1/√(2(R − 1)) of the constant. Raises ValueError as `kernels`, or for fewer seeds.
    """
    if len(seeds) < 8:
        raise ValueError(f"{len(seeds)} seeds; a standard deviation needs at least 8")
    draws = kernels(layers, x, width=width, seeds=seeds)["ntk"]
    constant = math.sqrt(width) * draws.std(axis=0, ddof=1)
    return Fluctuation(constant, constant / math.sqrt(2 * (len(seeds) - 1)), width, len(seeds))
