"""Which widths learn features: abc-parametrisations, and where training of infinitely wide networks stays or moves.

L hidden layers of n neurons: Wˡ = n^(−a_l) wˡ with trained wˡ ~ N(0, n^(−2 b_l)) iid, l = 1, …, L + 1, and learning
rate η n^(−c); inputs and the one output do not grow. Source: Yang, Hu 2021 (2011.14522), Section 3.

Sizes follow from counting powers. Back to xᴸ comes n^(−m), m = min(a + b, 2a + c) at l = L + 1: the readout at its
start, or what a step adds to it. A step moves hˡ by n^(−2a_l − c − m) (xˡ⁻¹·xˡ⁻¹), the product n (1 at l = 1), so

    features     xᴸ_t − xᴸ_0 ~ n^(−r),  r = m + c − 1 + min_{l <= L} (2 a_l + [l = 1])
    start        f_0 ~ n^(1/2 − a − b)
    outputs      f_t − f_0 ~ n^max(1 − 2a − c, 1 − a − b − r)      (the readout's step; the readout at moved features)

Stable: a_1 + b_1 = 0, a_l + b_l = 1/2 between, and no exponent is positive. Nontrivial: the outputs move, exponent 0.
A stable nontrivial one learns features (r = 0) or is in the kernel regime (r > 0): the dichotomy.
(a_l + θ, b_l − θ, c − 2θ) for all l is the same training.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

__all__ = [
    "Abc", "Regime", "between", "parametrization", "regime",
]  # fmt: skip

Word = Literal["feature learning", "kernel", "trivial", "unstable"]
Name = Literal["standard", "standard 1/n", "ntk", "mup", "mean field"]
# exponents are compared for equality: floats stand for the fraction of small denominator nearby
_DENOMINATOR, _NEAR = 720, 1e-9


class Abc(NamedTuple):
    """a and b, one exponent for each of the L + 1 layers, and c."""

    a: tuple[float, ...]
    b: tuple[float, ...]
    c: float


@dataclass(frozen=True)
class Regime:
    """`word`, and the powers of n of f_0, of the features' movement (−r) and of the outputs' movement.

    The movements' powers hold for stable parametrisations (where loss derivatives are of order one).
    """

    word: Word
    start: float
    features: float
    outputs: float


def regime(abc: Abc) -> Regime:
    """The dichotomy (Theorems 3.2 to 3.4). Raises ValueError for a, b of unequal length or fewer than two layers."""
    if len(abc.a) != len(abc.b) or len(abc.a) < 2:
        raise ValueError(
            f"a has {len(abc.a)} and b {len(abc.b)} exponents; expected one each for the hidden layers and the readout"
        )
    a, b, c = [_fraction(v) for v in abc.a], [_fraction(v) for v in abc.b], _fraction(abc.c)
    readout = a[-1] + b[-1]
    r = min(readout, 2 * a[-1] + c) + c - 1 + min(2 * v + (l == 0) for l, v in enumerate(a[:-1]))
    start, outputs = Fraction(1, 2) - readout, max(1 - 2 * a[-1] - c, 1 - readout - r)
    inside = all(v + w == (Fraction(1, 2) if l else 0) for l, (v, w) in enumerate(zip(a[:-1], b[:-1], strict=True)))
    word: Word = "feature learning" if r == 0 else "kernel"
    if not (inside and max(start, -r, outputs) <= 0):
        word = "unstable"
    elif outputs < 0:
        word = "trivial"
    return Regime(word, float(start), float(-r), float(outputs))


def parametrization(name: Name, hidden: int) -> Abc:
    """The paper's Table 1: standard (rate 1 and 1/n), neural tangent, maximal update, mean field (one hidden layer).

    Raises ValueError for another name, or fewer hidden layers than one (for mean field: than or more than one).
    """
    if hidden < 1 or (name == "mean field" and hidden != 1):
        raise ValueError(f"{name!r} with hidden = {hidden} layers; expected at least 1, for 'mean field' exactly 1")
    middle, half = hidden - 1, 0.5
    table = {
        "standard": Abc((0.0,) * (hidden + 1), (0.0,) + (half,) * hidden, 0.0),
        "standard 1/n": Abc((0.0,) * (hidden + 1), (0.0,) + (half,) * hidden, 1.0),
        "ntk": Abc((0.0,) + (half,) * hidden, (0.0,) * (hidden + 1), 0.0),
        "mup": Abc((-half, *(0.0,) * middle, half), (half,) * (hidden + 1), 0.0),
        "mean field": Abc((0.0, 1.0), (0.0, 0.0), -1.0),
    }
    if name not in table:
        raise ValueError(f"parametrisation {name!r}; expected one of {', '.join(table)}")
    return table[name]


def between(shift: float, hidden: int) -> Abc:
    """From the tangent kernel (shift 0) straight to maximal update (shift 1/2): r = 1/2 − shift, all nontrivial.

    By the symmetry: the tangent kernel's with the readout divided by n^shift more, the rate times n^(2 shift).
    Raises ValueError outside [0, 1/2], hidden < 1.
    """
    if not 0 <= shift <= 0.5 or hidden < 1:
        raise ValueError(f"shift = {shift!r}, hidden = {hidden}; expected 0 <= shift <= 1/2 and hidden >= 1")
    a, b, _ = parametrization("ntk", hidden)
    return Abc((*(v - shift for v in a[:-1]), a[-1]), tuple(v + shift for v in b), 0)


def _fraction(value: float) -> Fraction:
    near = Fraction(value).limit_denominator(_DENOMINATOR)
    if abs(float(near) - float(value)) > _NEAR:
        raise ValueError(f"exponent {value!r} is no fraction with a denominator up to {_DENOMINATOR}")
    return near
