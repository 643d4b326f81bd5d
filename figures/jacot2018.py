"""Figures 1–3 of Jacot, Gabriel, Hongler 2018: theory as lines, measurements as points with error bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def _column(table: Mapping[str, Sequence[Any]], name: str) -> np.ndarray:
    return np.asarray(table[name])


def kernel_curves(tables: Tables) -> Figure:
    """Kernel on the circle before and after training: mean and standard deviation over initialisations."""
    limit, measured = tables["limit"], tables["networks"]
    widths = sorted(set(_column(measured, "n")))
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.6), sharey=True)
    for axis, when in zip(axes, ("start", "end"), strict=True):
        axis.plot(_column(limit, "angle"), _column(limit, "ntk"), color="black", label="limit, $n=\\infty$")
        for colour, n in zip(COLOURS, widths, strict=False):
            rows = _column(measured, "n") == n
            axis.errorbar(
                _column(measured, "angle")[rows], _column(measured, f"{when}_mean")[rows],
                yerr=_column(measured, f"{when}_sd")[rows], fmt="o", color=colour, label=f"$n={n}$", elinewidth=0.8,
                alpha=0.8,
            )  # fmt: skip
        axis.set_xlabel("angle $\\gamma$")
        axis.set_title("at initialisation" if when == "start" else "after training")
    axes[0].set_ylabel("kernel $\\Theta^{(4)}(x_0, x_\\gamma)$, mean ± sd")
    axes[1].legend()
    return fig


def trained_functions(tables: Tables) -> Figure:
    """Trained networks on the circle against the 10, 50 and 90 % quantiles of the Gaussian limit at t = ∞."""
    limit, networks, data = tables["limit"], tables["networks"], tables["data"]
    widths = sorted(set(_column(networks, "n")))
    fig, axes = plt.subplots(1, len(widths), figsize=(PAGE, 2.6), sharey=True, squeeze=False)
    angle = _column(limit, "angle")
    for axis, n, colour in zip(axes[0], widths, COLOURS, strict=False):
        rows = _column(networks, "n") == n
        for i, seed in enumerate(sorted(set(_column(networks, "replicate")[rows]))):
            mine = rows & (_column(networks, "replicate") == seed)
            axis.plot(
                _column(networks, "angle")[mine], _column(networks, "f")[mine], color=colour, lw=0.5, alpha=0.6,
                label=f"networks, $n={n}$" if i == 0 else None,
            )  # fmt: skip
        axis.plot(angle, _column(limit, "q50"), color="black", label="limit, median")
        for q in ("q10", "q90"):
            axis.plot(angle, _column(limit, q), color="black", ls="--", label="10 and 90 %" if q == "q10" else None)
        axis.plot(_column(data, "angle"), _column(data, "y"), "s", color="black", ms=4, label="training points")
        axis.set_xlabel("angle $\\gamma$")
        axis.legend(loc="upper left")
    low, high = _column(limit, "q10").min(), _column(limit, "q90").max()
    axes[0][0].set_ylim(low - 0.35 * (high - low), high + 0.9 * (high - low))
    axes[0][0].set_ylabel("$f_\\theta(\\cos\\gamma, \\sin\\gamma)$")
    return fig


def principal_components(tables: Tables) -> Figure:
    """The batch, each image as its digit, on two kernel principal components; then, against training time, the residual
    along the second and orthogonal to it."""
    theory, networks, batch = tables["theory"], tables["networks"], tables["batch"]
    fig, (first, *axes) = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    for digit in sorted(set(_column(batch, "digit"))):
        rows = _column(batch, "digit") == digit
        x, y = _column(batch, "second")[rows], _column(batch, "third")[rows]
        marker = f"${digit}$" if digit >= 0 else "o"  # -1: no labels
        first.scatter(x, y, marker=marker, color=plt.get_cmap("tab10")(digit % 10), s=16, linewidths=0.2)
    first.set_xlabel("$f^{(2)}(x_i)$")
    first.set_ylabel("$f^{(3)}(x_i)$")
    first.set_title("(a) the batch")
    panels = (("along", "(b) along $f^{(2)}$"), ("across", "(c) orthogonal to $f^{(2)}$"))
    for axis, (name, title) in zip(axes, panels, strict=True):
        axis.plot(_column(theory, "time"), _column(theory, name), color="black", label="limit")
        for colour, n in zip(COLOURS, sorted(set(_column(networks, "n"))), strict=False):
            rows = _column(networks, "n") == n
            axis.errorbar(
                _column(networks, "time")[rows], _column(networks, f"{name}_mean")[rows],
                yerr=_column(networks, f"{name}_sd")[rows], fmt="o", color=colour, label=f"$n={n}$", elinewidth=0.8,
            )  # fmt: skip
        axis.set_xlabel("time $\\eta t$")
        axis.set_title(title)
    axes[0].set_ylabel("$\\|g_t\\|_{p^{in}}$")
    axes[1].set_ylabel("$\\|h_t\\|_{p^{in}}$")
    axes[1].legend()
    return fig


def kernel_movement(tables: Tables) -> Figure:
    """How far the kernel moves in training, against width, for smooth and kinked activations."""
    table = tables["movement"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    names = list(dict.fromkeys(_column(table, "series")))
    for colour, name in zip(COLOURS, names, strict=False):
        rows = _column(table, "series") == name
        n, mean = _column(table, "n")[rows].astype(float), _column(table, "mean")[rows]
        axis.errorbar(n, mean, yerr=_column(table, "se")[rows], fmt="o", color=colour, label=str(name))
        slope = _column(table, "guide")[rows][0]
        if np.isfinite(slope):
            axis.plot(n, mean[-1] * (n / n[-1]) ** slope, color=colour, lw=0.8, label=f"slope {slope:g}")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlabel("width $n$")
    axis.set_ylabel("change in training, mean ± se")
    axis.legend()
    return fig
