"""From a point (a dict of JSON values) and host arrays to networks and data on one device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, require_floating
from corollary.sims.common.activations import activation
from corollary.sims.common.networks import Network, Params, init
from corollary.sims.common.replicates import by_blocks

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """The networks of a point: one output, `depth` hidden layers of n neurons each, on `device` of `xp`.

    Point: n, depth, activation, W_std, b_std; slope with leaky_relu; dtype, "float64" unless given.
    Raises KeyError for a missing coordinate, TypeError or ValueError for one that makes no network.
    """

    net: Network
    hidden: tuple[int, ...]
    xp: Namespace
    dtype: str
    device: Any

    @staticmethod
    def of(point: Point, xp: Namespace, device: Any) -> Setting:
        phi = activation(get(point, "activation"), point.get("slope"))
        net = Network(phi, get(point, "W_std"), get(point, "b_std"))
        depth = get(point, "depth")
        if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
            raise ValueError(f"depth = {depth!r}; expected the number of hidden layers, an integer >= 1")
        return Setting(net, (get(point, "n"),) * depth, xp, point.get("dtype", "float64"), device)

    def move(self, name: str, values: Any, ndim: int) -> Array:
        """Host data in the dtype and on the device of the networks; an error unless finite, floating and `ndim`-d."""
        host = np.asarray(values)
        require_floating(name, host, ndim=ndim)
        return self.xp.asarray(host.astype(self.dtype), device=self.device)

    def supervised(self, data: tuple[Any, Any]) -> tuple[Array, Array]:
        """(x (N, d), y (N, 1)) from host arrays x (N, d), y (N,)."""
        x, y = self.move("x", data[0], 2), self.move("y", data[1], 1)
        if x.shape[0] != y.shape[0]:
            raise ValueError(f"data has {x.shape[0]} inputs and {y.shape[0]} targets; expected as many of each")
        return x, y[:, None]

    def replicates(
        self, inputs: int, seeds: Sequence[Any], run: Callable[[Params], dict[str, Array]]
    ) -> dict[str, Array]:
        """run(networks with `inputs` inputs drawn from a block of the seeds), joined along the replicate axis.

        `run` owns the networks it gets and may train them in place.
        """
        widths = (inputs, *self.hidden, 1)
        bias = self.net.b_std > 0

        def block(seeds: list[Any]) -> dict[str, Array]:
            return run(init(widths, seeds, self.xp, dtype=self.dtype, bias=bias, device=self.device))

        return by_blocks(block, seeds, widths, self.xp)


def get(point: Point, key: str) -> Any:
    """point[key], or a KeyError that says which coordinates there are."""
    if key not in point:
        raise KeyError(f"the point lacks the coordinate {key!r}; it has {', '.join(sorted(point))}")
    return point[key]
