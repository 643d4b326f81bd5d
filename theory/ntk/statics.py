"""What can be said of a network before any number: where its closed form holds, and whether the widths it names agree.

Laws: an activation needs Gaussian features with one law for all channels; LayerNorm needs centred ones. Dense, Conv and
Attention (fresh centred weights over infinitely many channels) make both; odd activations of Gaussians stay centred.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from corollary.theory.ntk.activations import Erf, Sin
from corollary.theory.ntk.combine import Attention, Concat, Dropout, FanInSum, LayerNorm, Rnn
from corollary.theory.ntk.layers import Dense
from corollary.theory.ntk.moments import EMPIRICAL
from corollary.theory.ntk.parametrization import require_fan_in
from corollary.theory.ntk.relu_family import _LinearPlusAbs
from corollary.theory.ntk.smooth_more import Polynomial, Sign
from corollary.theory.ntk.spatial import AvgPool, Conv, Flatten, GlobalAvgPool

_FRESH = (Dense, Conv, Attention)
_LINEAR = (AvgPool, GlobalAvgPool, LayerNorm)  # Gaussian outputs if the inputs are, the same law in every channel
_MIXED = (Flatten, Dropout)  # centred if the inputs are, but not one Gaussian law


class Law(NamedTuple):
    """Whether features are Gaussian with one law for all channels, and whether their mean over the channels is 0."""

    gaussian: bool
    centred: bool


_INPUT = Law(False, False)


def check_laws(layers: tuple[Any, ...], law: Law = _INPUT) -> Law:
    """The law of the output, given that of the input.

    Raises ValueError (no closed form) or TypeError (not a layer).
    """
    for number, layer in enumerate(layers):
        if isinstance(layer, LayerNorm) and layer.subtract_mean and not law.centred:
            raise ValueError(
                f"layer {number}, {layer}, subtracts a mean that is not zero: no closed form here; put it after "
                "ntk.Dense(...) or ntk.Conv(...), write ntk.LayerNorm(subtract_mean=False) for a/sqrt(mean a^2), or "
                f"{EMPIRICAL}"
            )
        if isinstance(layer, _FRESH):
            law = Law(True, True)
        elif isinstance(layer, FanInSum | Concat):
            ends = [check_laws(b, law) for b in layer.branches]
            gaussian = isinstance(layer, FanInSum) and all(e.gaussian for e in ends)
            law = Law(gaussian, all(e.centred for e in ends))
        elif isinstance(layer, _LINEAR):
            pass
        elif isinstance(layer, _MIXED):
            law = Law(False, law.centred)
        elif isinstance(layer, Rnn):
            law = Law(False, _odd(layer.activation))
        elif hasattr(layer, "step") and not isinstance(layer, type):
            if not law.gaussian:
                raise ValueError(
                    f"layer {number}, {layer}, acts on variables that are not Gaussian with one law for all channels: "
                    f"no closed form; put ntk.Dense(...) or ntk.Conv(...) before it, or {EMPIRICAL}"
                )
            law = Law(False, _odd(layer))
        else:
            hint = f"; write {layer.__name__}()" if isinstance(layer, type) else ""
            raise TypeError(
                f"layer {number} is {layer!r}; expected a layer of ntk with a closed form{hint}. Max-pooling and "
                f"softmax as an activation have none: {EMPIRICAL}"
            )
    return law


def _odd(activation: Any) -> bool:
    """Whether φ(−x) = −φ(x) is known, so that E φ(u) = 0."""
    if isinstance(activation, _LinearPlusAbs):
        return activation._squares[1] == 0
    if isinstance(activation, Polynomial):
        return not any(activation.coefficients[::2])
    return isinstance(activation, Erf | Sin | Sign)


class _Width:
    """A number of channels, None until something names it; shared by the branches that see the same features."""

    def __init__(self, channels: int | None = None) -> None:
        self.channels = channels


def check_channels(layers: tuple[Any, ...], channels: int, positions: int) -> None:
    """Raise ValueError if the fan_in that layers name contradict the input's channels, or each other."""
    _walk(layers, _Width(channels), positions)


def _walk(layers: tuple[Any, ...], width: _Width, positions: int | None) -> tuple[_Width, int | None]:
    """Width and number of positions (None: not followed through windows) after the layers."""
    for layer in layers:
        if isinstance(layer, Dense | Conv | Attention | Rnn) and layer.fan_in is not None:
            if width.channels is None:
                width.channels = layer.fan_in
            require_fan_in(layer, width.channels)
        if isinstance(layer, FanInSum | Concat):
            ends = [_walk(b, width, positions) for b in layer.branches]
            positions = ends[0][1]
            widths = [end[0] for end in ends]
            known = {w.channels for w in widths} - {None}
            if isinstance(layer, Concat):
                numbers = [w.channels for w in widths]
                width = _Width(None if None in numbers else sum(n for n in numbers if n))
            elif len(known) > 1:
                raise ValueError(f"the branches of {layer} end in {known} channels; expected one number for all")
            else:
                same = [w for w in widths if w is width]  # an identity branch ties the sum to what went in
                value = next(iter(known), None)
                width = same[0] if same else widths[0]
                width.channels = value if width.channels is None else width.channels
        elif isinstance(layer, Rnn):
            width, positions = _Width(layer.width), 1
        elif isinstance(layer, _FRESH):
            width, positions = _Width(), None if isinstance(layer, Conv) else positions
        elif isinstance(layer, AvgPool):
            positions = None
        elif isinstance(layer, GlobalAvgPool):
            positions = 1
        elif isinstance(layer, Flatten):
            c = width.channels
            width, positions = _Width(None if c is None or positions is None else c * positions), 1
    return width, positions
