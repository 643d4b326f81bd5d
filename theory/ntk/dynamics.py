"""Training of infinitely wide networks: kernel gradient flow and descent on (1/2N) Σ ‖f − y‖².

    f_t(X) − y = D_t (f_0(X) − y),   f_t(x) = f_0(x) + Θ(x, X) Θ_R^{-1} (I − D_t) (y − f_0(X)),   Θ_R = Θ(X, X) + reg I,

with D_t = exp(−η t Θ_R/N) for the flow and D_t = (I − η Θ_R/N)^t for descent (Jacot, Gabriel, Hongler 2018, Section 5;
Lee et al. 2019, eq. 10–11). N is the number of points; `reg` is added to Θ as it is. For f_0 drawn from the prior with
covariance K (the NNGP kernel), f_t is Gaussian with, for A_t = Θ(x, X) Θ_R^{-1} (I − D_t),

    mean A_t y,   covariance K(x, x) − A_t K(X, x) − K(x, X) A_tᵀ + A_t K(X, X) A_tᵀ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype
from corollary.theory.ntk.layers import Kernel


@dataclass(frozen=True)
class Training:
    """Solved dynamics on one training set; `rates` (N,) are the eigenvalues of Θ_R/N, ascending, `modes` (N, N) its
    orthonormal eigenvectors in columns: component i of the residual decays as exp(−η t rate_i), or (1 − η rate_i)^t.
    """

    rates: Array
    modes: Array
    y: Array  # (N, outputs)
    f0: Array  # (N, outputs)
    nngp: Array | None
    learning_rate: float
    time: Literal["flow", "descent"]
    flat: bool

    def decay(self, t: float) -> Array:
        """(N,): what is left of each component at time t (a step number for descent)."""
        xp = array_namespace(self.rates)
        if not (isinstance(t, int | float | np.number) and t >= 0):
            raise ValueError(f"t = {t!r}; expected a time >= 0, or inf")
        if self.time == "descent" and math.isfinite(t) and t != int(t):
            raise ValueError(f"t = {t!r}; gradient descent takes whole steps")
        if math.isinf(t):
            top, low = float(self.rates[-1]), float(self.rates[0])
            if self.time == "descent" and self.learning_rate * top >= 2:
                raise ValueError(
                    f"descent with learning rate {self.learning_rate:g} diverges: it must be below 2/{top:.4g}"
                )
            floor = len(self.rates) * float(xp.finfo(self.rates.dtype).eps) * top
            if low <= floor:
                raise ValueError(
                    f"the kernel is singular to rounding (smallest eigenvalue of Θ/N {low:.2g}, largest {top:.2g}), so "
                    "t = inf has no unique limit; drop duplicate points, or pass reg > 0"
                )
            return xp.zeros_like(self.rates)
        if self.time == "flow":
            return xp.exp(-self.learning_rate * float(t) * self.rates)
        return (1 - self.learning_rate * self.rates) ** int(t)

    def _apply(self, t: float, k: Array) -> Array:
        """A_t = k Θ_R^{-1} (I − D_t), (M, N), without dividing by eigenvalues that have not moved."""
        xp = array_namespace(self.rates)
        N = self.rates.shape[0]
        decay = self.decay(t)
        if self.time == "flow" and math.isfinite(t):
            gone = -xp.expm1(-self.learning_rate * float(t) * self.rates)
        else:
            gone = 1 - decay
        small = xp.abs(self.rates) <= N * float(xp.finfo(self.rates.dtype).eps) * xp.max(xp.abs(self.rates))
        # (1 − d(λ))/λ → η t as λ → 0: exact for components the kernel does not see
        safe = xp.where(small, xp.ones_like(self.rates), self.rates)
        limit = self.learning_rate * (0.0 if math.isinf(t) else float(t))
        weight = xp.where(small, xp.full_like(self.rates, limit), gone / safe) / N
        return xp.matmul(xp.matmul(k, self.modes) * weight, xp.matrix_transpose(self.modes))

    def mean(self, t: float, k_test_train: Kernel | Array, f0: Array | None = None) -> Array:
        """Mean of f_t at M test points, (M,) or (M, outputs): f0 + A_t (y − f_0(X)); f0 (M, …) at the test points.

        k_test_train: Kernel or Θ (M, N). With f_0 given for the training points, f0 is needed here too.
        """
        k = _tangent(k_test_train)
        self._check(k, 1, "k_test_train")
        xp = array_namespace(k, self.y)
        out = xp.matmul(self._apply(t, k), self.y - self.f0)
        if f0 is not None:
            out = out + xp.reshape(f0, (k.shape[0], -1))
        elif bool(xp.any(self.f0 != 0)):
            raise ValueError("training started from f0, so mean() needs f0= at the test points too")
        return out[:, 0] if self.flat else out

    def covariance(self, t: float, k_test_train: Kernel, k_test: Kernel) -> Array:
        """(M, M): covariance of f_t at the test points over random initialisations (prior: the NNGP kernel)."""
        if self.nngp is None or not isinstance(k_test_train, Kernel) or not isinstance(k_test, Kernel):
            raise TypeError("covariance needs Kernel objects (nngp and ntk) for train, test-train and test-test")
        self._check(k_test_train.ntk, 1, "k_test_train")
        xp = array_namespace(k_test.nngp)
        A, K, Kx = self._apply(t, k_test_train.ntk), self.nngp, k_test_train.nngp
        cross = xp.matmul(A, xp.matrix_transpose(Kx))
        out = k_test.nngp - cross - xp.matrix_transpose(cross) + xp.matmul(xp.matmul(A, K), xp.matrix_transpose(A))
        return (out + xp.matrix_transpose(out)) / 2

    def _check(self, k: Array, axis: int, name: str) -> None:
        require_floating(name, k, ndim=2)
        if k.shape[axis] != self.y.shape[0]:
            raise ValueError(f"{name} has shape {tuple(k.shape)}; expected (test points, {self.y.shape[0]})")


def gradient_flow(
    kernel: Kernel | Array, y: Array, learning_rate: float = 1.0, reg: float = 0.0, f0: Array | None = None
) -> Training:
    """Continuous-time training on Θ = `kernel` (N, N), y (N,) or (N, outputs), from f0 at the training points (zero).

    Raises TypeError or ValueError for a kernel that is not square and symmetric, y or f0 of another length, NaN,
    learning_rate ≤ 0, reg < 0.
    """
    return _solve(kernel, y, learning_rate, reg, f0, "flow")


def gradient_descent(
    kernel: Kernel | Array, y: Array, learning_rate: float = 1.0, reg: float = 0.0, f0: Array | None = None
) -> Training:
    """The discrete twin: t counts steps of size `learning_rate`; stable iff learning_rate · λ_max/N < 2."""
    return _solve(kernel, y, learning_rate, reg, f0, "descent")


def _tangent(kernel: Kernel | Array) -> Array:
    return kernel.ntk if isinstance(kernel, Kernel) else kernel


def _solve(kernel, y, learning_rate, reg, f0, time) -> Training:
    theta = _tangent(kernel)
    xp = require_floating("kernel", theta, ndim=2)
    N = theta.shape[0]
    if theta.shape[1] != N:
        raise ValueError(f"kernel has shape {tuple(theta.shape)}; expected (N, N), the kernel of the training points")
    top = float(xp.max(xp.abs(theta)))
    gap = float(xp.max(xp.abs(theta - xp.matrix_transpose(theta))))
    # a kernel assembled block by block differs from its transpose by roundings of its largest entry
    if gap > 64 * float(xp.finfo(theta.dtype).eps) * top:
        raise ValueError(f"kernel is not symmetric: entries differ from the transpose by up to {gap:.2g}")
    for name, value, least in (("learning_rate", learning_rate, "> 0"), ("reg", reg, ">= 0")):
        if not (math.isfinite(value) and (value > 0 or (value == 0 and name == "reg"))):
            raise ValueError(f"{name} = {value!r}; expected a finite number {least}")
    targets = _outputs("y", y, theta, N)
    start = xp.zeros_like(targets) if f0 is None else _outputs("f0", f0, theta, N)
    if start.shape != targets.shape:
        raise ValueError(f"f0 has shape {tuple(start.shape)}, y has {tuple(targets.shape)}; expected the same")
    eye = xp.eye(N, dtype=theta.dtype, device=device(theta))
    rates, modes = xp.linalg.eigh((theta + reg * eye) / N)
    nngp = kernel.nngp if isinstance(kernel, Kernel) else None
    return Training(rates, modes, targets, start, nngp, float(learning_rate), time, y.ndim == 1)


def _outputs(name: str, y: Array, theta: Array, N: int) -> Array:
    xp = require_floating(name, y)
    array_namespace(theta, y)
    require_same_dtype(kernel=theta, **{name: y})
    if y.ndim not in (1, 2) or y.shape[0] != N:
        raise ValueError(f"{name} has shape {tuple(y.shape)}; expected ({N},) or ({N}, outputs)")
    return xp.reshape(y, (N, -1))
