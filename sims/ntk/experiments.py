"""Experiments on the neural tangent kernel of finite networks, in the shape the engine runs: run(point, seeds, xp).

A point is a dict of JSON values. The networks, with one output, are described by

    n (hidden width)   depth (hidden layers, ≥ 1)   activation (name; with slope for leaky_relu)   W_std   b_std
    dtype ("float64" unless given)

and what an experiment needs besides stands in its docstring. Data come as keyword arguments (floating host arrays, by
`functools.partial`) and are shared by all replicates. The result is a dict of arrays of xp, replicate axis (R) first.
Loss and parametrisation: `sims.common.training`, `sims.common.networks`; b_std = 0 means a network without biases.
`device` is where the arrays live; None is the default device of xp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace
from corollary.sims.common.networks import Network, Params, forward
from corollary.sims.common.training import gradient_descent
from corollary.sims.ntk.empirical import conditional_nngp, empirical_ntk
from corollary.sims.ntk.linearised import linearised_descent
from corollary.sims.ntk.setting import Point, Setting, get

Arrays = dict[str, Array]


def initial_kernel(point: Point, seeds: Sequence[Any], xp: Namespace, *, device: Any = None) -> Arrays:
    """Kernels at initialisation between (1, 0) and (cos γ, sin γ), γ in point["angles"] (M numbers).

    ntk (R, M): empirical NTK; nngp (R, M): W_std²/n a·a′ + b_std² over the last features.
    """
    setting = Setting.of(point, xp, device)
    x0, x = setting.move("x0", circle([0.0]), 2), setting.move("angles", circle(get(point, "angles")), 2)

    def run(params: Params) -> Arrays:
        return {
            "ntk": empirical_ntk(setting.net, params, x0, x)[:, 0, :],
            "nngp": conditional_nngp(setting.net, params, x0, x)[:, 0, :],
        }

    return setting.replicates(2, seeds, run)


def trained_kernel(
    point: Point,
    seeds: Sequence[Any],
    xp: Namespace,
    *,
    data: tuple[Any, Any],
    probe: Any,
    grid: Any,
    device: Any = None,
) -> Arrays:
    """The kernel curve Θ(probe, grid) before and after training (Jacot et al. 2018, Figure 1).

    Point: learning_rate, steps. data: (x (N, d), y (N,)); probe (d,); grid (M, d).
    before, after (R, M); residual (R,): max |f − y| after training.
    """
    setting = Setting.of(point, xp, device)
    x, y = setting.supervised(data)
    x0, x1 = setting.move("probe", probe, 1)[None, :], setting.move("grid", grid, 2)
    net = setting.net

    def run(params: Params) -> Arrays:
        before = empirical_ntk(net, params, x0, x1)[:, 0, :]
        end = gradient_descent(net, params, x, y, **_schedule(point), overwrite=True)
        return {"before": before, "after": empirical_ntk(net, end.params, x0, x1)[:, 0, :], "residual": end.residual}

    return setting.replicates(x.shape[1], seeds, run)


def trained_function(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, data: tuple[Any, Any], grid: Any, device: Any = None
) -> Arrays:
    """The trained function on a grid of test inputs (Jacot et al. 2018, Figure 2).

    Point: learning_rate, steps (at most), tolerance (a replicate stops once all its |f − y| are below; None: never).
    data: (x (N, d), y (N,)); grid (M, d).
    f (R, M); residual (R,): max |f − y| reached, at most the tolerance only where steps sufficed; steps (R,): taken.
    """
    setting = Setting.of(point, xp, device)
    x, y = setting.supervised(data)
    x1 = setting.move("grid", grid, 2)
    schedule = {**_schedule(point), "tolerance": get(point, "tolerance")}

    def run(params: Params) -> Arrays:
        end = gradient_descent(setting.net, params, x, y, **schedule, overwrite=True)
        f = forward(setting.net, end.params, x1).z[-1][:, :, 0]
        return {"f": f, "residual": end.residual, "steps": end.steps}

    return setting.replicates(x.shape[1], seeds, run)


def kernel_movement(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, data: tuple[Any, Any], device: Any = None
) -> Arrays:
    """How far training moves the kernel on its training set by the time learning_rate · steps.

    Point: learning_rate, steps. data: (x (N, d), y (N,)).
    movement (R,): ‖Θ_t − Θ_0‖_F/‖Θ_0‖_F; flipped (R,): fraction of the hidden pre-activations at the training points
    (all layers together) that are positive at one of the times 0, t and not at the other; residual (R,): max |f − y|.
    """
    setting = Setting.of(point, xp, device)
    x, y = setting.supervised(data)
    net = setting.net

    def run(params: Params) -> Arrays:
        kernel, sign = empirical_ntk(net, params, x), _positive(net, params, x, xp)
        end = gradient_descent(net, params, x, y, **_schedule(point), overwrite=True)
        change = empirical_ntk(net, end.params, x) - kernel
        flipped = xp.astype(_positive(net, end.params, x, xp) != sign, x.dtype)
        return {
            "movement": _frobenius(change, xp) / _frobenius(kernel, xp),
            "flipped": xp.mean(flipped, axis=(1, 2)),
            "residual": end.residual,
        }

    return setting.replicates(x.shape[1], seeds, run)


def mode_decay(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, x: Any, shift: Any, directions: Any, device: Any = None
) -> Arrays:
    """Decay of f_t − f* along given directions, f* = f_0 + shift on the rows of x (Jacot et al. 2018, Figure 3).

    Norms are those of the paper, ‖u‖² = (1/N) Σ u(x_i)². Point: learning_rate, steps, record_at (T step numbers).
    x (N, d); shift (N,); directions (m, N), orthonormal in that norm (unit vectors times √N), else ValueError.
    along (R, T, m): coefficients ⟨f_t − f*, direction⟩; orthogonal (R, T): norm of the rest; T in increasing order.
    """
    setting = Setting.of(point, xp, device)
    inputs, u = setting.move("x", x, 2), setting.move("shift", shift, 1)
    D = _orthonormal(setting, directions, inputs.shape[0])
    if u.shape[0] != inputs.shape[0]:
        raise ValueError(f"shift has {u.shape[0]} entries; expected one for each of the {inputs.shape[0]} rows of x")

    def run(params: Params) -> Arrays:
        target = forward(setting.net, params, inputs).z[-1] + u[:, None]
        along, orthogonal = [], []

        def record(t: int, params: Params, f: Array) -> None:
            rest = (f - target)[:, :, 0]
            c = xp.matmul(rest, xp.matrix_transpose(D)) * (1.0 / rest.shape[1])
            rest = rest - xp.matmul(c, D)
            along.append(c)
            orthogonal.append(xp.sqrt(xp.mean(rest * rest, axis=1)))

        gradient_descent(
            setting.net, params, inputs, target, **_schedule(point), **_recording(point, record), overwrite=True
        )
        return {"along": xp.stack(along, axis=1), "orthogonal": xp.stack(orthogonal, axis=1)}

    return setting.replicates(inputs.shape[1], seeds, run)


def linearised_training(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, data: tuple[Any, Any], device: Any = None
) -> Arrays:
    """The linearised network under descent beside its own kernel: evidence for f_t − y = (1 − η Θ/N)ᵗ (f_0 − y).

    Point: learning_rate, steps, record_at (T step numbers). data: (x (N, d), y (N,)).
    f (R, T, N): outputs after these steps, in increasing order; f0 (R, N); ntk (R, N, N): kernel at initialisation.
    """
    setting = Setting.of(point, xp, device)
    x, y = setting.supervised(data)

    def run(params: Params) -> Arrays:
        path = []
        keep = _recording(point, lambda t, displacement, f: path.append(f[:, :, 0]))
        linearised_descent(setting.net, params, x, y, **_schedule(point), **keep)
        f0 = forward(setting.net, params, x).z[-1][:, :, 0]
        return {"f": xp.stack(path, axis=1), "f0": f0, "ntk": empirical_ntk(setting.net, params, x)}

    return setting.replicates(x.shape[1], seeds, run)


def circle(angles: Sequence[float]) -> np.ndarray:
    """The points (cos γ, sin γ), shape (M, 2), on the host."""
    gamma = np.asarray(angles, dtype=float)
    if gamma.ndim != 1:
        raise ValueError(f"angles has shape {gamma.shape}; expected a list of numbers")
    return np.stack([np.cos(gamma), np.sin(gamma)], axis=1)


def _schedule(point: Point) -> dict[str, Any]:
    return {"learning_rate": get(point, "learning_rate"), "steps": get(point, "steps")}


def _recording(point: Point, record: Any) -> dict[str, Any]:
    times = sorted(set(get(point, "record_at")))
    if not times:
        raise ValueError("record_at is empty; expected at least one step number")
    return {"record": record, "record_at": times}


def _positive(net: Network, params: Params, x: Array, xp: Namespace) -> Array:
    return xp.concat([z > 0 for z in forward(net, params, x).z[:-1]], axis=2)


def _frobenius(theta: Array, xp: Namespace) -> Array:
    return xp.sqrt(xp.sum(theta * theta, axis=(1, 2)))


def _orthonormal(setting: Setting, directions: Any, N: int) -> Array:
    D = setting.move("directions", directions, 2)
    if D.shape[1] != N:
        raise ValueError(f"directions has shape {tuple(D.shape)}; expected (m, {N}), one column a row of x")
    host = np.asarray(directions, dtype=float)
    defect = float(np.max(np.abs(host @ host.T / N - np.eye(len(host)))))
    # splitting f into coefficients and rest takes orthonormality for granted; eigen-solvers miss it by rounding only
    if defect > 1e-6:
        raise ValueError(
            f"directions are not orthonormal: (1/N) D Dᵀ misses the identity by {defect:.2g}; "
            "multiply orthonormal vectors by sqrt(N)"
        )
    return D
