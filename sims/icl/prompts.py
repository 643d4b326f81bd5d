"""Sampled prompts of in-context regression: examples X, targets y, a query x_q and its clean label.

Every replicate draws from its own generator, on the host, in float64, so that CPU and GPU see the same prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corollary.arrays import Array, Namespace

#: iid coordinates of variance 1, symmetric except the shifted exponential
INPUTS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "gaussian": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-math.sqrt(3), math.sqrt(3), shape),
    "laplace": lambda rng, shape: rng.laplace(0, math.sqrt(0.5), shape),
    "exponential": lambda rng, shape: rng.exponential(1.0, shape) - 1.0,
}
TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda z: z,
    "tanh3": lambda z: np.tanh(3 * z),
    "sign": np.sign,
    "cube": lambda z: z**3,
}


class Prompts(NamedTuple):
    """X (R, B, N, d), y (R, B, N), xq (R, B, d), label (R, B): R replicates of B prompts."""

    X: Array
    y: Array
    xq: Array
    label: Array


@dataclass(frozen=True)
class Sampler:
    """x = L z with iid z, w = M v (v Gaussian, or uniform on the unit sphere), y = f(w·x) + √noise ε.

    inputs, target: names in INPUTS, TARGETS. L, M: (d, d) or None (identity). Raises ValueError for anything else.
    """

    d: int
    context: int
    inputs: str = "gaussian"
    target: str = "linear"
    noise: float = 0.0
    L: Any = None
    M: Any = None
    sphere: bool = False

    def __post_init__(self) -> None:
        for name, table in (("inputs", INPUTS), ("target", TARGETS)):
            if getattr(self, name) not in table:
                raise ValueError(f"{name} = {getattr(self, name)!r}; expected one of {', '.join(table)}")
        if self.d < 1 or self.context < 1 or not self.noise >= 0:
            raise ValueError(f"d = {self.d}, context = {self.context}, noise = {self.noise}; expected >= 1, >= 1, >= 0")
        for name in ("L", "M"):
            matrix = getattr(self, name)
            if matrix is not None and np.shape(matrix) != (self.d, self.d):
                raise ValueError(f"{name} has shape {np.shape(matrix)}; expected {(self.d, self.d)}")

    @staticmethod
    def of(point: Mapping[str, Any], L: Any = None, M: Any = None) -> Sampler:
        """From the coordinates d, context and, where present, inputs, target, noise, sphere, scale (L = scale · I)."""
        scale = point.get("scale", 1.0)
        if scale != 1.0:
            L = scale * (np.eye(point["d"]) if L is None else np.asarray(L))
        keys = ("inputs", "target", "noise", "sphere")
        return Sampler(point["d"], point["context"], L=L, M=M, **{k: point[k] for k in keys if k in point})

    def draw(self, rngs: Sequence[np.random.Generator], prompts: int, xp: Namespace, device: Any = None) -> Prompts:
        """`prompts` prompts from each generator."""
        parts = [self._one(rng, prompts) for rng in rngs]
        return Prompts(*(xp.asarray(np.stack(arrays), device=device) for arrays in zip(*parts, strict=True)))

    def _one(self, rng: np.random.Generator, B: int) -> tuple[np.ndarray, ...]:
        z = INPUTS[self.inputs](rng, (B, self.context + 1, self.d))
        x = z if self.L is None else z @ np.asarray(self.L).T
        w = rng.standard_normal((B, self.d))
        if self.sphere:
            w /= np.linalg.norm(w, axis=1, keepdims=True)
        if self.M is not None:
            w = w @ np.asarray(self.M).T
        f = TARGETS[self.target](np.einsum("bnd,bd->bn", x, w))
        y = f[:, :-1]
        if self.noise:
            y = y + math.sqrt(self.noise) * rng.standard_normal(y.shape)
        return x[:, :-1], y, x[:, -1], f[:, -1]


def generators(seeds: Sequence[Any], stream: int = 0) -> list[np.random.Generator]:
    """One generator a replicate; streams 1, 2, … of the same seeds are independent of stream 0 and of one another.

    Training draws from stream 0: test prompts need another one, or they repeat what the weights started from.
    """
    sequences = [s if isinstance(s, np.random.SeedSequence) else np.random.SeedSequence(s) for s in seeds]
    if stream:
        sequences = [np.random.SeedSequence(s.entropy, spawn_key=(*s.spawn_key, stream)) for s in sequences]
    return [np.random.default_rng(s) for s in sequences]
