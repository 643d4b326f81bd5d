r"""Weights that make linear self-attention run gradient descent, GD++ and Newton's method in its forward pass.

One layer acts on tokens e_j (rows of E), with the context tokens as keys and values; the query is no key:

    e_j ← e_j + λ P Σ_{i ≤ N} (V e_i) (K e_i)ᵀ (Q e_j)            (λ: damping, 1 unless given)

Gradient descent (von Oswald et al. 2023, Proposition 1 and Appendix A.1), tokens (x_i, y_i), query (x_q, −W₀x_q):
K = [[I, 0], [0, 0]], V = [[0, 0], [W₀, −I]], P = (η/N) I, Q = [[κᵀ, 0], [0, 0]] with the preconditioner κ (I unless
given) give y_j ← y_j − ΔW x_j, ΔW = −(η/N) Σ (W₀x_i − y_i) x_iᵀ κᵀ; the prediction is minus the query's y-slot. A
stack of k layers is k steps. GD++ (their Appendix A.10): V = [[I, 0], [W₀, −I]], P = diag(−γ I, (η/N) I) also
moves x_j ← x_j − γ XᵀX x_j (Gram matrix not divided by N).

Newton (Fu et al. 2023, Theorem 5.1, corrected): tokens (x_j, z_j), z_j = M x_j, with one ReLU-attention layer of two
heads and a doubling MLP per step: z_j ← 2 [z_j − ½ Σ_i z_i (relu(x_i·z_j) − relu(−x_i·z_j))], that is
M ← 2M − MSM, S = XᵀX. The two heads need opposite value matrices; the paper's proof takes equal ones, which gives
|x_i·z_j|. Checked symbolically in `proofs_check/icl/constructions.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from corollary.arrays import Array, Namespace, array_namespace, device, require_floating, require_same_dtype
from corollary.theory.icl.checks import numbers, prompt, real_number, require_digits, whole_number


class Layer(NamedTuple):
    """One linear self-attention layer: P, V, K, Q, each (T, T) with T the token size."""

    P: Array
    V: Array
    K: Array
    Q: Array


def attend(layer: Layer, E: Array, keys: int, damping: float = 1.0) -> Array:
    """Tokens E (..., n, T) after the layer; the first `keys` of them are keys and values.

    Raises ValueError where the layer does not fit the tokens or keys is not in 1…n.
    """
    xp = array_namespace(E, *layer)
    for name, matrix in zip("PVKQ", layer, strict=True):
        if tuple(matrix.shape) != (E.shape[-1],) * 2:
            raise ValueError(f"{name} has shape {tuple(matrix.shape)}; expected {(E.shape[-1],) * 2}, like the tokens")
    if not 1 <= keys <= E.shape[-2]:
        raise ValueError(f"keys = {keys}; expected 1 to {E.shape[-2]}, the number of tokens")
    T = xp.matrix_transpose
    context = E[..., :keys, :]
    M = xp.matmul(layer.P @ layer.V, xp.matmul(xp.matmul(T(context), context), T(layer.K) @ layer.Q))
    return E + damping * xp.matmul(E, T(M))


@dataclass(frozen=True)
class GradientDescent:
    """A stack whose k-th layer is one (GD++) step; made by `gd_construction`."""

    etas: tuple[float, ...]
    gammas: tuple[float, ...]
    context: int
    preconditioner: Any = None
    W0: Any = None

    def layers(self, X: Array, outputs: int = 1) -> list[Layer]:
        """The weights for inputs like X (..., N, d), on its device: tokens of size d + outputs."""
        xp, d = array_namespace(X), X.shape[-1]
        self._fit(d, outputs)
        T = d + outputs
        eye = xp.eye(T, dtype=X.dtype, device=device(X))
        in_x = xp.astype(xp.arange(T, device=device(X)) < d, X.dtype)
        top = eye * in_x[None, :]
        Q = top if self.preconditioner is None else _corner(xp, xp.matrix_transpose(self.preconditioner), T)
        V0 = top - eye if self.W0 is None else top - eye + _below(xp, self.W0, T)
        return [
            Layer(eye * (-γ * in_x + η / self.context * (1 - in_x))[:, None], V0 + (top if γ else 0 * top), top, Q)
            for η, γ in zip(self.etas, self.gammas, strict=True)
        ]  # fmt: skip

    def predict(self, X: Array, y: Array, xq: Array, *, damping: float = 1.0) -> Array:
        """Prediction (...) or (..., m) at the query xq (..., d), for X (..., N, d) and y (..., N) or (..., N, m).

        Raises TypeError or ValueError for shapes that do not fit, and for another N than `context`: the weights
        carry η/N.
        """
        xp, d = require_prompt(X, y, xq), X.shape[-1]
        if X.shape[-2] != self.context:
            raise ValueError(
                f"the prompt has {X.shape[-2]} examples, the construction was built for context={self.context} "
                "(its weights hold eta/context); build another one for this length"
            )
        Y = y[..., None] if y.ndim < X.ndim else y
        m = Y.shape[-1]
        self._fit(d, m)
        start = xp.zeros_like(Y[..., 0, :]) if self.W0 is None else -xp.matmul(self.W0, xq[..., None])[..., 0]
        query = xp.concat([xq, start], axis=-1)[..., None, :]
        E = xp.concat([xp.concat([X, Y], axis=-1), query], axis=-2)
        for layer in self.layers(X, m):
            E = attend(layer, E, self.context, damping)
        out = -E[..., -1, d:]
        return out[..., 0] if y.ndim < X.ndim else out

    def _fit(self, d: int, m: int) -> None:
        for name, matrix, shape in (("W0", self.W0, (m, d)), ("preconditioner", self.preconditioner, (d, d))):
            if matrix is not None and tuple(matrix.shape) != shape:
                raise ValueError(
                    f"{name} has shape {tuple(matrix.shape)}; expected {shape} for inputs in dimension {d} and "
                    f"{m} output{'s' * (m > 1)}"
                )


def gd_construction(
    eta: float | Sequence[float],
    *,
    context: int,
    layers: int = 1,
    gamma: float | Sequence[float] = 0.0,
    preconditioner: Array | None = None,
    W0: Array | None = None,
) -> GradientDescent:
    """`layers` steps of gradient descent on (1/2N) Σ |y_i − W x_i|² from W₀ (zero unless given), N = `context`.

    eta, gamma: a number, or one a layer. gamma ≠ 0 is GD++, x_j ← x_j − γ XᵀX x_j. preconditioner (d, d): the step is
    K ∇, so that one layer from zero predicts x_qᵀ K Xᵀy/N. W0 (outputs, d).
    Raises TypeError or ValueError: layers < 1, context < 1, as many eta or gamma as there are not layers, a
    preconditioner that is not square (and, when it is applied, one of another dimension).
    """
    layers = whole_number("layers", layers, 1, "a construction has at least one layer")
    context = whole_number("context", context, 1, "there is no step on an empty prompt")
    for name, matrix in (("preconditioner", preconditioner), ("W0", W0)):
        if matrix is not None:
            require_floating(name, matrix, ndim=2)
    if preconditioner is not None and preconditioner.shape[0] != preconditioner.shape[1]:
        raise ValueError(f"preconditioner has shape {tuple(preconditioner.shape)}; expected (d, d)")
    etas, gammas = numbers("eta", eta, layers), numbers("gamma", gamma, layers)
    return GradientDescent(tuple(etas), tuple(gammas), context, preconditioner, W0)


@dataclass(frozen=True)
class Newton:
    """A stack that runs M ← 2M − MSM from M₀ = αS; made by `newton_construction`."""

    steps: int
    alpha: float
    value_signs: tuple[float, float] = (1.0, -1.0)

    def predict(self, X: Array, y: Array, xq: Array) -> Array:
        """Prediction (...) = xqᵀ M_k Xᵀy for X (..., N, d), y (..., N), xq (..., d).

        Raises ValueError for prompts that do not fit, with α λ_max(S)² ≥ 2, where Newton diverges, and where the floats
        hold no digit of the result: S of condition number above 1/ε on its row space, or, for N < d, ε 2^steps > 1
        (roundings out of the row space double each step).
        """
        xp = require_prompt(X, y, xq, outputs=False)
        s = xp.linalg.svdvals(X)
        require_digits(xp, s)
        ε = float(xp.finfo(X.dtype).eps)
        if X.shape[-2] < X.shape[-1] and self.steps > -math.log2(ε):
            raise ValueError(
                f"steps = {self.steps} on prompts with N = {X.shape[-2]} < d = {X.shape[-1]}: in {X.dtype} Newton has "
                f"no digits left beyond {-math.log2(ε):.0f} steps, as roundings outside the row space double in each; "
                "icl.newton has the closed form"
            )
        top = float(xp.max(s)) ** 2
        if self.alpha * top * top >= 2:
            raise ValueError(
                f"alpha = {self.alpha:g} diverges on this prompt: expected alpha < 2/lambda_max(S)^2 = {2 / top**2:.4g}"
            )
        T = xp.matrix_transpose
        tokens = xp.concat([X, xq[..., None, :]], axis=-2)
        z = self.alpha * xp.matmul(xp.matmul(tokens, T(X)), X)  # α S x_j, itself one attention layer
        plus, minus = self.value_signs
        for _ in range(self.steps):
            scores = xp.matmul(z, T(X))  # (..., n, N): x_i · z_j
            zero = xp.zeros_like(scores)
            heads = plus * xp.maximum(scores, zero) + minus * xp.maximum(-scores, zero)
            z = 2 * (z - 0.5 * xp.matmul(heads, z[..., :-1, :]))
        return xp.sum(xp.matmul(X, z[..., -1, :, None])[..., 0] * y, axis=-1)


def newton_construction(steps: int, *, alpha: float, value_signs: tuple[float, float] = (1.0, -1.0)) -> Newton:
    """`steps` Newton layers; `alpha` is part of the weights, so it must fit every prompt: 0 < α < 2/λ_max(S)².

    value_signs: signs of the value matrices of the two ReLU heads; only (1, −1) is Newton's method.
    Raises TypeError or ValueError for steps < 0 or alpha ≤ 0.
    """
    return Newton(
        whole_number("steps", steps, 0), real_number("alpha", alpha, positive=True),
        (real_number("value_signs[0]", value_signs[0]), real_number("value_signs[1]", value_signs[1])),
    )  # fmt: skip


def require_prompt(X: Array, y: Array, xq: Array, *, outputs: bool = True) -> Namespace:
    """Namespace of a prompt: X (..., N, d), y (..., N) or, with `outputs`, (..., N, m), xq (..., d); else TypeError or
    ValueError."""
    array_namespace(X, y, xq)
    if not outputs and y.ndim != X.ndim - 1:
        raise ValueError(f"y has shape {tuple(y.shape)}; expected {tuple(X.shape[:-1])}, one target an example")
    xp = prompt(X, y if y.ndim < X.ndim else y[..., 0])
    require_floating("xq", xq)
    array_namespace(X, xq)
    require_same_dtype(X=X, xq=xq)
    expected = tuple(X.shape[:-2]) + (X.shape[-1],)
    if tuple(xq.shape) != expected:
        raise ValueError(f"xq has shape {tuple(xq.shape)}; expected {expected}, one query a prompt of X")
    return xp


def _corner(xp: Namespace, matrix: Array, T: int) -> Array:
    d = matrix.shape[0]
    right = xp.zeros((d, T - d), dtype=matrix.dtype, device=device(matrix))
    below = xp.zeros((T - d, T), dtype=matrix.dtype, device=device(matrix))
    return xp.concat([xp.concat([matrix, right], axis=1), below], axis=0)


def _below(xp: Namespace, W0: Array, T: int) -> Array:
    m, d = W0.shape
    above = xp.zeros((d, T), dtype=W0.dtype, device=device(W0))
    right = xp.zeros((m, m), dtype=W0.dtype, device=device(W0))
    return xp.concat([above, xp.concat([W0, right], axis=1)], axis=0)
