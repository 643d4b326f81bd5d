"""Training of infinitely wide networks: kernel gradient flow and descent on (1/2N) Σ ‖f − y‖².

    f_t(X) − y = D_t (f_0(X) − y),   f_t(x) = f_0(x) + Θ(x, X) Θ_R^{-1} (I − D_t) (y − f_0(X)),   Θ_R = Θ(X, X) + reg I,

with D_t = exp(−η t Θ_R/N) for the flow and D_t = (I − η Θ_R/N)^t for descent (Jacot, Gabriel, Hongler 2018, Section 5;
Lee et al. 2019, eq. 10–11); the first equation for reg = 0. N is the number of points; `reg` is added to Θ as it is: it
adds (reg/2N) |θ − θ_0|² to the loss. For f_0 drawn from the prior with covariance K (the NNGP kernel), f_t is Gaussian
with, for A_t = Θ(x, X) Θ_R^{-1} (I − D_t),

    mean A_t y,   covariance K(x, x) − A_t K(X, x) − K(x, X) A_tᵀ + A_t K(X, X) A_tᵀ.

Where Θ_R is singular (duplicate points and reg = 0), f_t is well defined at every finite t, but a component with
eigenvalue zero carries rounding errors that grow like ε η t λ_max/N: beyond √ε they are an error, t = inf always.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype
from corollary.theory.ntk.layers import Kernel
from corollary.theory.ntk.modes import gram_modes, is_singular, require_symmetric
from corollary.theory.ntk.moments import real_number


@dataclass(frozen=True)
class Training:
    """Solved dynamics on one training set; `rates` (N,) are the eigenvalues of Θ_R/N, ascending, `modes` (N, N) its
    orthonormal eigenvectors in columns: component i of the residual decays as exp(−η t rate_i), or (1 − η rate_i)^t.
    `residuals` (N,) = |Θ v_i/N − λ_i v_i| certify them. Times t are numbers >= 0 or inf, for descent whole steps.
    """

    rates: Array
    modes: Array
    residuals: Array
    y: Array  # (N, outputs)
    f0: Array  # (N, outputs)
    nngp: Array | None
    learning_rate: float
    time: Literal["flow", "descent"]
    flat: bool

    def decay(self, t: float) -> Array:
        """(N,): what is left of each component at time t (a step number for descent).

        Raises ValueError (t; at t = inf also a singular kernel or a divergent learning rate) or OverflowError (descent
        has diverged beyond the floating range).
        """
        t = self._checked_time(t)
        xp = array_namespace(self.rates)
        if math.isinf(t):
            return xp.zeros_like(self.rates)
        if self.time == "flow":
            with np.errstate(over="ignore"):  # t · rate beyond the floats: exp gives the 0 it should
                return xp.exp(-t * (self.learning_rate * self.rates))
        with np.errstate(over="ignore"):
            size = xp.abs(1 - self.learning_rate * self.rates) ** t
        if not bool(xp.all(xp.isfinite(size))):
            raise OverflowError(
                f"descent diverged beyond {size.dtype} within {t:.0f} steps: its learning rate {self.learning_rate:g} "
                f"must be below 2/{float(self.rates[-1]):.4g} to converge; take fewer steps or a lower rate"
            )
        return xp.where((self.learning_rate * self.rates > 1) & (t % 2 == 1), -size, size)

    def _checked_time(self, t: float) -> float:
        if isinstance(t, bool) or not (isinstance(t, int | float | np.integer | np.floating) and t >= 0):
            raise ValueError(f"t = {t!r}; expected a time >= 0, or inf")
        t = float(t)
        if self.time == "descent" and math.isfinite(t) and t != math.floor(t):
            raise ValueError(f"t = {t!r}; gradient descent takes whole steps")
        top, low = float(self.rates[-1]), float(self.rates[0])
        if self.time == "descent" and math.isinf(t) and self.learning_rate * top >= 2:
            raise ValueError(
                f"descent with learning rate {self.learning_rate:g} diverges: it must be below 2/{top:.4g}"
            )
        ε = float(array_namespace(self.rates).finfo(self.rates.dtype).eps)
        if is_singular(self.rates) and (math.isinf(t) or ε * self.learning_rate * t * top > math.sqrt(ε)):
            raise ValueError(
                f"the kernel is singular to rounding (smallest eigenvalue of Θ/N {low:.2g}, largest {top:.2g}), so "
                f"t = {t:g} has no answer to half the digits; drop duplicate points, or pass reg > 0"
            )
        return t

    def _apply(self, t: float, k: Array) -> Array:
        """A_t = k Θ_R^{-1} (I − D_t), (M, N), without dividing by eigenvalues that have not moved."""
        xp, N = array_namespace(self.rates), self.rates.shape[0]
        decay = self.decay(t)
        t, x = float(t), self.learning_rate * self.rates
        if math.isinf(t):
            gone = 1 - decay
        elif self.time == "flow":
            with np.errstate(over="ignore"):
                gone = -xp.expm1(-t * x)
        else:
            # 1 − (1 − x)^t cancels for small x; the clip only keeps log1p in its domain where it is not used
            gone = xp.where(x < 0.5, -xp.expm1(t * xp.log1p(-xp.clip(x, None, 0.5))), 1 - decay)
        # (1 − d(λ))/λ → η t as λ → 0: exact for components the kernel does not see
        positive = self.rates > 0
        limit = 0.0 if math.isinf(t) else self.learning_rate * t
        weight = xp.where(positive, gone / xp.where(positive, self.rates, 1.0), limit) / N
        return xp.matmul(xp.matmul(k, self.modes) * weight, xp.matrix_transpose(self.modes))

    def mean(self, t: float, k_test_train: Kernel | Array, f0: Array | None = None) -> Array:
        """Mean of f_t at M test points, (M,) or (M, outputs): f0 + A_t (y − f_0(X)); f0 (M, …) at the test points.

        k_test_train: Kernel or Θ (M, N). With f_0 given for the training points, f0 is needed here too. Raises
        TypeError or ValueError for arrays that do not fit the training set, and as `decay` does.
        """
        k = _tangent(k_test_train)
        self._check("k_test_train", k, (k.shape[0], self.y.shape[0]))
        M, outputs = k.shape[0], self.y.shape[1]
        xp = array_namespace(k)
        with np.errstate(over="ignore", invalid="ignore"):
            out = xp.matmul(self._apply(t, k), self.y - self.f0)
        self._require_finite(t, out)
        if f0 is not None:
            self._check("f0", f0, (M,) if self.flat else (M, outputs))
            out = out + xp.reshape(f0, (M, outputs))
        elif bool(xp.any(self.f0 != 0)):
            raise ValueError("training started from f0, so mean() needs f0= at the test points too")
        return out[:, 0] if self.flat else out

    def covariance(self, t: float, k_test_train: Kernel, k_test: Kernel) -> Array:
        """(M, M): covariance of f_t at the test points over random initialisations (prior: the NNGP kernel).

        The same for every output; outputs are independent. Exactly symmetric. Raises as `mean` does.
        """
        if self.nngp is None or not isinstance(k_test_train, Kernel) or not isinstance(k_test, Kernel):
            raise TypeError("covariance needs Kernel objects (nngp and ntk) for train, test-train and test-test")
        M, N = k_test_train.ntk.shape[0], self.y.shape[0]
        self._check("k_test_train", k_test_train.ntk, (M, N))
        self._check("k_test", k_test.nngp, (M, M))
        xp = array_namespace(k_test.nngp)
        require_symmetric("k_test", k_test.nngp)
        with np.errstate(over="ignore", invalid="ignore"):
            A, K, Kx = self._apply(t, k_test_train.ntk), self.nngp, k_test_train.nngp
            cross = xp.matmul(A, xp.matrix_transpose(Kx))
            out = k_test.nngp - cross - xp.matrix_transpose(cross) + xp.matmul(xp.matmul(A, K), xp.matrix_transpose(A))
        self._require_finite(t, out)
        return (out + xp.matrix_transpose(out)) / 2

    def _require_finite(self, t: float, out: Array) -> None:
        xp = array_namespace(out)
        if not bool(xp.all(xp.isfinite(out))):
            raise OverflowError(
                f"the result at t = {t:g} is beyond {out.dtype}; descent converges for learning rates below "
                f"2/{float(self.rates[-1]):.4g}, this is {self.learning_rate:g}: take fewer steps or a lower rate"
            )

    def _check(self, name: str, x: Array, shape: tuple[int, ...]) -> None:
        require_floating(name, x)
        _same_place(name, x, self.rates)
        if tuple(x.shape) != shape:
            meaning = {"k_test_train": "(test points, training points)", "k_test": "(test points, test points)"}
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {shape}, {meaning.get(name, 'like y')}")


def gradient_flow(
    kernel: Kernel | Array, y: Array, learning_rate: float = 1.0, reg: float = 0.0, f0: Array | None = None
) -> Training:
    """Continuous-time training on Θ = `kernel` (N, N), y (N,) or (N, outputs), from f0 at the training points (zero).

    Raises TypeError or ValueError for a kernel that is not square, symmetric and positive semi-definite, y or f0 of
    another length, NaN, learning_rate ≤ 0, reg < 0; RuntimeError if the eigen-solver fails its certificate.
    """
    return _solve(kernel, y, learning_rate, reg, f0, "flow")


def gradient_descent(
    kernel: Kernel | Array, y: Array, learning_rate: float = 1.0, reg: float = 0.0, f0: Array | None = None
) -> Training:
    """The discrete twin: t counts steps of size `learning_rate`; stable iff learning_rate · λ_max/N < 2.

    A divergent rate is accepted: finite t then gives the diverging numbers, until they leave the floating range.
    """
    return _solve(kernel, y, learning_rate, reg, f0, "descent")


def _tangent(kernel: Kernel | Array) -> Array:
    k = kernel.ntk if isinstance(kernel, Kernel) else kernel
    require_floating("kernel", k, ndim=2)
    return k


def _solve(
    kernel: Kernel | Array,
    y: Array,
    learning_rate: float,
    reg: float,
    f0: Array | None,
    time: Literal["flow", "descent"],
) -> Training:
    theta = _tangent(kernel)
    xp, N = array_namespace(theta), theta.shape[0]
    if theta.shape[1] != N:
        raise ValueError(f"kernel has shape {tuple(theta.shape)}; expected (N, N), the kernel of the training points")
    learning_rate = real_number("learning_rate", learning_rate, positive=True)
    reg = real_number("reg", reg, nonnegative=True)
    targets = _outputs("y", y, theta, N)
    start = xp.zeros_like(targets) if f0 is None else _outputs("f0", f0, theta, N)
    if f0 is not None and f0.shape != y.shape:
        raise ValueError(f"f0 has shape {tuple(f0.shape)}, y has {tuple(y.shape)}; expected the same")
    values, vectors, residuals = gram_modes("kernel", theta)
    nngp = kernel.nngp if isinstance(kernel, Kernel) else None
    if nngp is not None:
        require_symmetric("the nngp kernel", nngp)
    if not math.isfinite(learning_rate * float((values[-1] + reg) / N)):
        raise ValueError(f"learning_rate {learning_rate:g} times the kernel's largest eigenvalue is beyond the floats")
    return Training((values + reg) / N, vectors, residuals / N, targets, start, nngp, learning_rate, time, y.ndim == 1)


def _outputs(name: str, y: Array, theta: Array, N: int) -> Array:
    xp = require_floating(name, y)
    _same_place(name, y, theta)
    if y.ndim not in (1, 2) or y.shape[0] != N:
        raise ValueError(f"{name} has shape {tuple(y.shape)}; expected ({N},) or ({N}, outputs)")
    return xp.reshape(y, (N, -1))


def _same_place(name: str, x: Array, kernel: Array) -> None:
    array_namespace(kernel, x)
    require_same_dtype(**{"the training kernel": kernel, name: x})
    if device(x) != device(kernel):
        raise TypeError(f"{name} is on {device(x)}, the training kernel on {device(kernel)}; move both to one device")
