"""The array backends a test of `theory/` or `sims/` runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.arrays import Array, to_numpy


@dataclass(frozen=True)
class Backend:
    """An array namespace with a device. `asarray` moves host data there, `numpy` brings results back."""

    name: str
    xp: Any
    device: Any

    def asarray(self, x: Any, dtype: str = "float64") -> Array:
        return self.xp.asarray(np.asarray(x, dtype=dtype), device=self.device)

    def numpy(self, x: Array) -> np.ndarray:
        """To the host, after checking that `x` never left this backend."""
        from corollary.arrays import array_namespace, device

        if array_namespace(x) is not self.xp or device(x) != self.device:
            raise AssertionError(f"result left the backend {self.name}: {type(x)} on {device(x)}")
        return to_numpy(x)


def numpy_backend() -> Backend:
    from corollary.arrays import namespace_for

    return Backend("numpy", namespace_for("cpu"), "cpu")


def strict_backend() -> Backend:
    """`array_api_strict` on device1: the stand-in for a GPU (the default device hides forgotten `device=`)."""
    import array_api_strict as xp

    return Backend("strict", xp, xp.Device("device1"))


def cupy_backend() -> Backend:
    """Raises RuntimeError where there is no GPU."""
    from corollary.arrays import device, namespace_for

    xp = namespace_for("cuda")
    return Backend("cupy", xp, device(xp.empty(0)))
