"""The two ways to write a layer, which agree at initialisation and differ in training by gradient descent.

ntk: z = (W_std/√fan_in) W a + b_std b with W, b ~ N(0, 1). standard: z = W a + b with W ~ N(0, W_std²/fan_in) and
b ~ N(0, b_std²): its tangent kernel grows with fan_in (Sohl-Dickstein et al. 2020), which is therefore part of the
formula. A `fan_in` that contradicts a width known otherwise is an error: the channels of the input, or the width that
another branch of the same features names. A hidden width that nothing else names is what `fan_in` says it is.
"""

from __future__ import annotations

from corollary.arrays import Array


def tangent(before: Array, after: Array, t: Array, W2: float, b2: float, parametrization: str, fan_in: int) -> Array:
    """Θ after a linear layer from the features' moments `before`, its K `after`, and Θ = `t` before.

    ntk: K + W²Θ. standard: fan_in · (features' moment) + 1 if there is a bias + W²Θ (gradients of W and b).
    """
    if parametrization == "ntk":
        return after + W2 * t
    return fan_in * before + (1.0 if b2 > 0 else 0.0) + W2 * t


def check_parametrization(parametrization: str, fan_in: int | None) -> None:
    """Raise ValueError unless the word is known and fan_in given exactly where it is needed."""
    if parametrization not in ("ntk", "standard"):
        raise ValueError(f"parametrization is {parametrization!r}; expected 'ntk' or 'standard'")
    if parametrization == "ntk" and fan_in is not None:
        raise ValueError(f"fan_in = {fan_in!r}: the kernel of the ntk parametrization does not use it; leave it out")
    if parametrization == "standard" and (isinstance(fan_in, bool) or not isinstance(fan_in, int) or fan_in < 1):
        raise ValueError(f"fan_in is {fan_in!r}; the standard parametrization needs it: the number of channels, >= 1")


def require_fan_in(layer: object, channels: int) -> None:
    """Raise ValueError if `layer` names another fan_in than the `channels` before it."""
    named = getattr(layer, "fan_in", None)
    if named is not None and named != channels:
        raise ValueError(f"{layer} has fan_in = {named}, but the features before it have {channels} channels")
