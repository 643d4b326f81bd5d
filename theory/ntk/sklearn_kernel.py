"""The kernels behind scikit-learn's interface. Host only; scikit-learn is imported when asked for."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from corollary.theory.ntk.matrix import HasKernel


class GramFunction(Protocol):
    """What scikit-learn asks of a kernel: k(X, Y), k(X), and its diagonal."""

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any: ...

    def diag(self, X: Any) -> np.ndarray: ...


def sklearn_kernel(net: HasKernel, which: str = "nngp") -> GramFunction:
    """A sklearn.gaussian_process kernel without hyperparameters: GaussianProcessRegressor(kernel=..., optimizer=None).

    SVC(kernel=...) takes it as a callable; KernelRidge(kernel="precomputed") takes `sklearn_kernel(net)(X)`.
    Raises ValueError for a word other than "ntk" and "nngp", ImportError without scikit-learn.
    """
    if which not in ("ntk", "nngp"):
        raise ValueError(f"which is {which!r}; expected 'ntk' or 'nngp'")
    try:
        from sklearn.gaussian_process.kernels import Kernel
    except ImportError as error:
        raise ImportError("sklearn_kernel needs scikit-learn; pip install scikit-learn") from error

    class NetworkKernel(Kernel):
        def __init__(self, net: HasKernel, which: str = "nngp") -> None:
            self.net, self.which = net, which

        def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
            X = np.asarray(X, dtype=float)
            K = getattr(self.net.kernel(X, None if Y is None else np.asarray(Y, dtype=float)), self.which)
            return (K, np.empty((*K.shape, 0))) if eval_gradient else K

        def diag(self, X: Any) -> np.ndarray:
            # blocks: only the diagonal of each is kept
            return np.concatenate([np.diag(self(X[i : i + 64])) for i in range(0, len(X), 64)])

        def is_stationary(self) -> bool:
            return False

        def __reduce__(self) -> tuple[Any, ...]:  # a class made in a function is not found by pickle
            return sklearn_kernel, (self.net, self.which)

    return NetworkKernel(net, which)
