r"""The two ways to write a layer, which agree at initialisation and differ in training by gradient descent.

ntk: z = (W_std/√fan_in) W a + b_std b with W, b ~ N(0, 1). standard: z = W a + b with W ~ N(0, W_std²/fan_in) and
b ~ N(0, b_std²), and gradients with respect to these (Sohl-Dickstein et al. 2020). A network has the same outputs in
both, and its gradients for a weight matrix of standard deviation s are those of ntk divided by s:

    Θ_standard = Σ_weights Θ_ntk,W fan_in/W_std² + Σ_biases Θ_ntk,b/b_std²,

at every width: gradient descent with rate η is that of ntk with rates η fan_in/W_std² and η/b_std² layer by layer.

The closed form is that sum with the limit of every Θ_ntk,W and Θ_ntk,b. It grows with the widths, which are part of it,
and has a limit only over a width: with all hidden widths c_l n, Θ/n → Σ_l c_l lim Θ_ntk,W_l/W_std², from which the
first layer and the biases drop out. At given widths the mean of finite networks is Θ (1 + O(1/n)), since each mean
E Θ_ntk,W is its limit up to O(1/n) (measured: at most 1/n of √(ΘΘ') in dense, recurrent and softmax networks), and Θ
exactly with one hidden layer. The terms of order n⁰, first layer and biases, are no larger than what the others leave
out. A single network fluctuates around the mean by O(Θ/√n).

b_std = 0 is a layer without bias. A bias that is trained from zero is b_std = 1e-30: it adds 1 to Θ.

A `fan_in` that contradicts a width known otherwise is an error: the channels of the input, or the width that another
branch of the same features names. A hidden width that nothing else names is what `fan_in` says it is.
"""

from __future__ import annotations

from numbers import Integral

from corollary.arrays import Array


def tangent(before: Array, after: Array, t: Array, W2: float, b2: float, parametrization: str, fan_in: int) -> Array:
    """Θ after a linear layer from the features' moments `before`, its K `after`, and Θ = `t` before.

    ntk: K + W²Θ. standard: fan_in · (features' moment) + 1 if there is a bias + W²Θ (gradients of W and b).
    """
    if parametrization == "ntk":
        return after + W2 * t
    return fan_in * before + bias_tangent(b2, parametrization) + W2 * t


def bias_tangent(b2: float, parametrization: str) -> float:
    """What a bias adds to Θ: the square of ∂z/∂b, b_std² (ntk) or 1 (standard)."""
    return b2 if parametrization == "ntk" else 1.0 if b2 > 0 else 0.0


def check_parametrization(parametrization: str, **widths: int | None) -> None:
    """Raise ValueError unless the word is known and the widths are given exactly where they are needed."""
    if parametrization not in ("ntk", "standard"):
        raise ValueError(f"parametrization is {parametrization!r}; expected 'ntk' or 'standard'")
    for name, n in widths.items():
        if parametrization == "ntk" and n is not None:
            raise ValueError(f"{name} = {n!r}: the kernel of the ntk parametrization does not use it; leave it out")
        if parametrization == "standard" and (isinstance(n, bool) or not isinstance(n, Integral) or n < 1):
            raise ValueError(f"{name} is {n!r}; the standard parametrization needs it: a number of channels, >= 1")


def require_fan_in(layer: object, channels: int) -> None:
    """Raise ValueError if `layer` names another fan_in than the `channels` before it."""
    named = getattr(layer, "fan_in", None)
    if named is not None and named != channels:
        raise ValueError(f"{layer} has fan_in = {named}, but the features before it have {channels} channels")
