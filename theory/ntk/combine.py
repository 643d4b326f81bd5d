r"""Branches, normalisation, dropout, attention and recurrence of infinitely wide networks.

FanInSum   K ← Σ K_b, Θ ← Σ Θ_b: the branches' outputs are independent given the weights below, because all but at
           most one of them end in a layer with fresh centred weights
Concat     K ← Σ share_b K_b, Θ alike: shares are the fractions of the channels
LayerNorm  K, Θ ← K/√(qq'), Θ/√(qq'), q → 1: mean and norm over infinitely many channels are deterministic, and the
           mean is 0 where the features are centred
Dropout    each feature is kept with probability `keep` and divided by it: an input with itself at one position gets
           K/keep; other pairs have independent masks and are unchanged
Attention  scores scaled by 1/d are deterministic, G = ζ(s K(x,x)); K' = w G K G'ᵀ + b², w = (V_std W_std)²,
           Θ' = 2w G K G'ᵀ + b² + w G Θ G'ᵀ (Hron et al. 2020, Section 3.1 and Appendix)
Rnn        h_t = (W_std/√n) W φ(h_{t−1}) + (U_std/√m) U x_t + b_std b, φ(h_T) is passed on:
           S_t = W² E[φφ](S_{t−1}) + U² X_tt + b²,  Θ_t = S_t + W² E[φ'φ'] Θ_{t−1} + U² Θ^X_tt (Yang 2019); weights
           shared over time add nothing else, because back-propagated vectors of different times are uncorrelated

Standard parametrisation (`parametrization`), where each matrix of standard deviation s adds its share over s²:

Attention  Θ' = (c/V_std² + n/W_std²) w G K G'ᵀ + 1 + w G Θ G'ᵀ, c channels in, n channels of values. Queries and keys
           add c/(their channels): of the order of the biases, 1/n below the rest, and left out
Rnn        Θ_t = n E[φφ](S_{t−1}) + m X_tt + 1 + W² E[φ'φ'] Θ_{t−1} + U² Θ^X_tt
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corollary.arrays import Array, array_namespace, device
from corollary.theory.ntk.fields import Field, activated, mapped, variances
from corollary.theory.ntk.moments import EMPIRICAL, Activation, real_number
from corollary.theory.ntk.parametrization import bias_tangent, check_parametrization


@dataclass(frozen=True)
class FanInSum:
    """The sum of branches, each a tuple of layers; () is the identity. FanInSum((), (Conv(...),)) is a residual block.

    Raises ValueError for fewer than two branches, or two that end without fresh weights (no closed form).
    """

    branches: tuple[tuple[Any, ...], ...]

    def __init__(self, *branches: tuple[Any, ...]) -> None:
        object.__setattr__(self, "branches", tuple(tuple(b) for b in branches))
        if len(branches) < 2:
            raise ValueError(f"FanInSum has {len(branches)} branches; expected at least two")
        loose = [b for b in self.branches if not b or not hasattr(b[-1], "W_std") or isinstance(b[-1], Rnn)]
        if len(loose) > 1:
            raise ValueError(
                f"the branches {loose} end in no layer with weights of its own, so their outputs are correlated: "
                "no closed form; end all but one in Dense, Conv or Attention"
            )


@dataclass(frozen=True)
class Concat:
    """Channels of branches side by side; `shares` (None: equal) are the fractions of the channels, of sum 1.

    Raises ValueError for fewer than two branches, or shares that are not positive with sum 1.
    """

    branches: tuple[tuple[Any, ...], ...]
    shares: tuple[float, ...]

    def __init__(self, *branches: tuple[Any, ...], shares: tuple[float, ...] | None = None) -> None:
        if len(branches) < 2:
            raise ValueError(f"Concat has {len(branches)} branches; expected at least two")
        shares = (1 / len(branches),) * len(branches) if shares is None else tuple(shares)
        if len(shares) != len(branches) or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-12:
            raise ValueError(f"shares = {shares}; expected {len(branches)} positive numbers of sum 1")
        object.__setattr__(self, "branches", tuple(tuple(b) for b in branches))
        object.__setattr__(self, "shares", shares)


def weighted_sum(fields: list[Field], weights: tuple[float, ...]) -> Field:
    """Σ weight · field. Raises ValueError if their shapes differ."""
    if len({f.shape for f in fields}) > 1:
        raise ValueError(f"the branches have spatial shapes {[f.shape for f in fields]}; expected one for all")
    sums = {
        name: sum(w * getattr(f, name) for w, f in zip(weights, fields, strict=True))
        for name in ("k", "t", "own1", "own2")
    }
    return fields[0]._replace(**sums)


@dataclass(frozen=True)
class LayerNorm:
    """Normalisation over the channels: (a − mean)/standard deviation, without ε and learnt scale.

    Closed form for centred features: after Dense, Conv, Attention and odd activations. subtract_mean = False is
    a/√(mean a²) (RMSNorm), for any features. Other uses are errors of the network. Raises TypeError for another word.
    """

    subtract_mean: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.subtract_mean, bool):
            raise TypeError(f"subtract_mean is {self.subtract_mean!r}; expected True or False")

    def field(self, x: Field) -> Field:
        """The field after this layer. Raises ValueError where a variance is zero."""
        xp = array_namespace(x.k)
        roots = [xp.sqrt(variances(own)) for own in (x.own1, x.own2)]
        if any(bool(xp.any(r == 0)) for r in roots):
            raise ValueError("LayerNorm meets features of variance zero: an input (or a position) is all zeros")
        a, b = roots
        pair = a[:, None, :, None] * b[None, :, None, :]
        own = [o / (r[:, :, None] * r[:, None, :]) for o, r in zip((x.own1, x.own2), roots, strict=True)]
        return x._replace(k=x.k / pair, t=x.t / pair, own1=own[0], own2=own[1])


@dataclass(frozen=True)
class Dropout:
    """Each feature is kept with probability `keep` and divided by it (training). Raises ValueError outside (0, 1]."""

    keep: float

    def __post_init__(self) -> None:
        if not 0 < real_number("keep", self.keep) <= 1:
            raise ValueError(f"keep is {self.keep!r}; expected a probability in (0, 1]")

    def field(self, x: Field) -> Field:
        """The field after this layer."""
        xp, P = array_namespace(x.k), x.k.shape[-1]
        same = 1 + (1 / float(self.keep) - 1) * xp.astype(_eye(x.k, P), x.k.dtype)
        own1, own2 = x.own1 * same, x.own2 * same
        if not x.diagonal:
            return x._replace(own1=own1, own2=own2)
        both = xp.astype(_eye(x.k, x.k.shape[0]), x.k.dtype)[:, :, None, None]
        factor = 1 + both * (same - 1)
        return x._replace(k=x.k * factor, t=x.t * factor, own1=own1, own2=own2)


@dataclass(frozen=True)
class Attention:
    """Self-attention over the positions with scores q·k/d scaled by 1/d (not 1/√d, which has no closed form).

    Queries and keys share one matrix, q = k: with matrices of their own the scores q·k/d of infinitely many channels
    are 0, and the softmax is the plain average. nonlinearity "softmax" (over the keys) or "identity". QK_std is the
    factor of the scores, W_std that of the output's matrix, V_std that of the values'; the kernels see their product.

    parametrization="standard" sees both, and needs the channels `fan_in` before the layer (checked against what else
    names them) and the channels `width` of the values: values' weights N(0, V_std²/fan_in), output's N(0,
    W_std²/width). Raises TypeError or ValueError for numbers or words outside these, or widths missing or not needed.
    """

    QK_std: float = 1.0
    W_std: float = 1.0
    b_std: float = 0.0
    nonlinearity: str = "softmax"
    scaling: str = "1/d"
    V_std: float = 1.0
    parametrization: str = "ntk"
    fan_in: int | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        check_parametrization(self.parametrization, fan_in=self.fan_in, width=self.width)
        for name in ("QK_std", "W_std", "V_std"):
            real_number(name, getattr(self, name), positive=True)
        real_number("b_std", self.b_std, nonnegative=True)
        if self.scaling != "1/d":
            raise ValueError(
                f"attention scaled by {self.scaling!r} has no closed form: its scores stay random at infinite width; "
                f"use scaling='1/d', or {EMPIRICAL}"
            )
        if self.nonlinearity not in ("softmax", "identity"):
            raise ValueError(f"nonlinearity is {self.nonlinearity!r}; expected 'softmax' or 'identity'")

    def field(self, x: Field) -> Field:
        """The field after this layer."""
        xp = array_namespace(x.k)
        V2, W2, b2 = float(self.V_std) ** 2, float(self.W_std) ** 2, float(self.b_std) ** 2
        w = V2 * W2
        G1, G2 = self._weights(x.own1), self._weights(x.own2)

        def mix(A: Array, left: Array, right: Array) -> Array:
            return w * xp.matmul(xp.matmul(left, A), xp.matrix_transpose(right))

        k = mix(x.k, G1[:, None, ...], G2[None, ...])
        matrices = 2.0 if self.parametrization == "ntk" else (self.fan_in or 0) / V2 + (self.width or 0) / W2
        t = matrices * k + bias_tangent(b2, self.parametrization) + mix(x.t, G1[:, None, ...], G2[None, ...])
        return x._replace(k=k + b2, t=t, own1=mix(x.own1, G1, G1) + b2, own2=mix(x.own2, G2, G2) + b2)

    def _weights(self, own: Array) -> Array:
        xp, scores = array_namespace(own), float(self.QK_std) * own
        if self.nonlinearity == "identity":
            return scores
        e = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
        return e / xp.sum(e, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Rnn:
    """A simple recurrent network over the positions, h_0 = 0; passes on φ of its last state.

    parametrization="standard" needs the channels `fan_in` before the layer and the `width` of the state: W ~ N(0,
    W_std²/width), U ~ N(0, U_std²/fan_in), b ~ N(0, b_std²); both are checked against what else names them.
    Raises TypeError or ValueError unless W_std, U_std > 0 and b_std >= 0, or for widths missing or not needed.
    """

    activation: Activation
    W_std: float = 1.0
    U_std: float = 1.0
    b_std: float = 0.0
    parametrization: str = "ntk"
    fan_in: int | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        check_parametrization(self.parametrization, fan_in=self.fan_in, width=self.width)
        real_number("W_std", self.W_std, positive=True)
        real_number("U_std", self.U_std, positive=True)
        real_number("b_std", self.b_std, nonnegative=True)
        if not hasattr(self.activation, "step"):
            raise TypeError(f"activation is {self.activation!r}; expected an activation such as ntk.Erf()")

    def field(self, x: Field) -> Field:
        """The field after this layer, without positions. Raises ValueError unless there is one spatial axis."""
        if len(x.shape) != 1:
            raise ValueError(f"{self} runs over one spatial axis; the features before it have shape {x.shape}")
        W2, U2, b2 = float(self.W_std) ** 2, float(self.U_std) ** 2, float(self.b_std) ** 2
        standard = self.parametrization == "standard"
        bias, n, m = bias_tangent(b2, self.parametrization), float(self.width or 0), float(self.fan_in or 0)
        state = None
        for i in range(x.shape[0]):
            at = slice(i, i + 1)
            seen = mapped(x, lambda A, at=at: A[..., at, at], ())
            parts = {name: U2 * getattr(seen, name) + b2 for name in ("k", "own1", "own2")}
            own, below = (m if standard else U2) * seen.k + bias, U2 * seen.t
            if state is not None:
                past = activated(state, self.activation)
                parts = {name: part + W2 * getattr(past, name) for name, part in parts.items()}
                own, below = own + (n if standard else W2) * past.k, below + W2 * past.t
            state = seen._replace(**parts, t=own + below)
        assert state is not None
        return activated(state, self.activation)


def _eye(like: Array, n: int) -> Array:
    xp = array_namespace(like)
    i = xp.arange(n, device=device(like))
    return i[:, None] == i[None, :]
