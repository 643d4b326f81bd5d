"""Gradient descent on the linearised network f_lin(x; δ) = f(x; θ₀) + J(x) δ, with J = ∂f/∂θ at θ₀ (Lee et al. 2019).

The steps are made in parameter space, δ ← δ − η Jᵀ (f_lin − y)/N from δ = 0, by forward and reverse passes; no kernel
and no eigenvalue enters, so that a run is independent evidence for f_lin − y = (1 − η Θ/N)ᵗ (f₀ − y).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from corollary.arrays import Array, array_namespace
from corollary.sims.common.networks import Network, Params, Trace, deltas, jvp, propagate, require_input
from corollary.sims.common.training import check_schedule, descend_by, descend_until, require_targets


class Linearised(NamedTuple):
    """`displacement` δ at the end, `f` (S, N, o) there; `residual` (S,) = max |f − y|; `steps` (S,) taken, int64."""

    displacement: Params
    f: Array
    residual: Array
    steps: Array


def linearised_descent(
    net: Network,
    params: Params,
    x: Array,
    y: Array,
    *,
    learning_rate: float,
    steps: int,
    tolerance: float | None = None,
    record: Callable[[int, Params, Array], None] | None = None,
    record_at: Collection[int] = (),
) -> Linearised:
    """At most `steps` steps on (1/2N) Σ ‖f_lin − y‖² around θ₀ = `params`; arguments and errors of `gradient_descent`.

    `record(t, displacement, f)` sees δ after t steps.
    """
    check_schedule(learning_rate, steps, tolerance, record_at)
    x = require_input(params, x)
    y = require_targets(params, x, y)
    xp = array_namespace(x)
    displacement = Params(*(tuple(xp.zeros_like(p) for p in group) for group in params))
    trace = propagate(net, params, x)
    N = x.shape[-2]

    def outputs() -> tuple[Trace, Array]:
        return trace, trace.z[-1] + jvp(net, params, trace, displacement)

    def update(trace: Trace, residual: Array) -> None:
        descend_by(net, displacement, trace, deltas(net, params, trace, residual * (1.0 / N)), learning_rate)

    end = descend_until(outputs, update, y, displacement, learning_rate, steps, tolerance, record, record_at)
    return Linearised(displacement, *end)


def linearised_outputs(net: Network, params: Params, displacement: Params, x: Array) -> Array:
    """f(x; θ₀) + J(x) δ at any inputs x, shape (S, N, o)."""
    trace = propagate(net, params, require_input(params, x))
    return trace.z[-1] + jvp(net, params, trace, displacement)
