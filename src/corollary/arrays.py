"""One device story: work in the array namespace of the input, on the device of the input.

NumPy in, NumPy out; CuPy in, CuPy out. `array_api_strict` is accepted too: the test suite uses it, on its
`Device("device1")`, as a stand-in for a GPU. Everything else gets one error that names the conversion.
"""

from __future__ import annotations

import sys
from typing import Any

import array_api_compat
import numpy as np

Array = Any  # an array of NumPy, CuPy or array_api_strict; the array API has no static type yet
Namespace = Any

_HOW_TO_CONVERT = "convert it first: numpy.asarray(x) for the CPU, cupy.from_dlpack(x) for the GPU"


def array_namespace(*arrays: Array) -> Namespace:
    """The one array namespace of all arguments. Raises TypeError for foreign types and for mixtures."""
    seen: dict[str, Namespace] = {}
    for x in arrays:
        if isinstance(x, np.generic) or not _is_known_array(x):
            kind = f"{type(x).__module__}.{type(x).__qualname__}"
            raise TypeError(f"expected a NumPy or CuPy array, got {kind}; {_HOW_TO_CONVERT}")
        xp = array_api_compat.array_namespace(x)
        seen[xp.__name__] = xp
    if len(seen) != 1:
        names = sorted(name.removeprefix("array_api_compat.") for name in seen)
        raise TypeError(f"arrays of {' and '.join(names)} in one call; move all of them to one device first")
    return next(iter(seen.values()))


def _is_known_array(x: object) -> bool:
    if array_api_compat.is_numpy_array(x) or array_api_compat.is_cupy_array(x):
        return True
    strict = sys.modules.get("array_api_strict")
    return strict is not None and isinstance(x, type(strict.empty(0)))


def device(x: Array) -> Any:
    """The device of `x`, to be passed as `device=` to every creation function."""
    return array_api_compat.device(x)


def require_floating(name: str, x: Array, *, ndim: int | None = None) -> Namespace:
    """Namespace of `x`, after checking that it is a finite, non-empty float32 or float64 array.

    Raises TypeError (array type, dtype) or ValueError (shape, NaN, inf): what was passed, what was expected.
    """
    xp = array_namespace(x)
    if x.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"{name} has dtype {x.dtype}; expected float64 or float32, e.g. {name}.astype(float)")
    if ndim is not None and x.ndim != ndim:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {ndim} dimension{'s' * (ndim != 1)}")
    if 0 in x.shape:
        raise ValueError(f"{name} is empty: shape {tuple(x.shape)}")
    if not bool(xp.all(xp.isfinite(x))):
        bad = int(xp.sum(xp.astype(~xp.isfinite(x), xp.int64)))
        raise ValueError(f"{name} has {bad} entries that are NaN or infinite; expected finite numbers")
    return xp


def require_same_dtype(**arrays: Array) -> None:
    """Raise TypeError unless all arrays share one dtype: mixing float32 and float64 hides which one decides."""
    dtypes = {name: str(x.dtype) for name, x in arrays.items()}
    if len(set(dtypes.values())) > 1:
        raise TypeError(f"dtypes differ: {', '.join(f'{k} is {v}' for k, v in dtypes.items())}; use one for all")


def to_numpy(x: Array) -> np.ndarray:
    """Copy to the host."""
    if array_api_compat.is_cupy_array(x):
        return x.get()
    strict = sys.modules.get("array_api_strict")
    if strict is not None and isinstance(x, type(strict.empty(0))):
        return np.asarray(x.to_device(strict.Device("CPU_DEVICE")))
    return np.asarray(x)


def namespace_for(name: str) -> Namespace:
    """`"cpu"` → NumPy, `"cuda"` → CuPy. Raises RuntimeError where there is no GPU: never falls back in silence."""
    if name == "cpu":
        return array_api_compat.array_namespace(np.empty(0))
    if name != "cuda":
        raise ValueError(f"unknown device {name!r}; expected 'cpu' or 'cuda'")
    try:
        import cupy  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise RuntimeError(
            "device 'cuda' was asked for, but CuPy is not installed; pip install 'corollary[cuda12]' "
            "(or cuda13), or use --device cpu"
        ) from error
    if not cupy.is_available():
        raise RuntimeError("device 'cuda' was asked for, but CuPy finds no usable GPU; use --device cpu")
    return array_api_compat.array_namespace(cupy.empty(0))


def _special(name: str, x: Array) -> Array:
    """SciPy's function on NumPy, cupyx's on CuPy; any other namespace takes a round trip through the host."""
    if array_api_compat.is_cupy_array(x):
        import cupyx.scipy.special as special  # pyright: ignore[reportMissingImports]

        return getattr(special, name)(x)
    import scipy.special as special

    if isinstance(x, np.ndarray):
        return getattr(special, name)(x)
    return array_namespace(x).asarray(getattr(special, name)(to_numpy(x)), dtype=x.dtype, device=device(x))


def erf(x: Array) -> Array:
    """The error function, elementwise."""
    return _special("erf", x)


def ndtr(x: Array) -> Array:
    """The standard normal distribution function, elementwise."""
    return _special("ndtr", x)
