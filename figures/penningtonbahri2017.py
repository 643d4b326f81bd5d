"""Spectra of Wishart + Wigner matrices, and the share of negative eigenvalues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def _columns(tables: Tables, name: str) -> dict[str, np.ndarray]:
    return {key: np.asarray(column) for key, column in tables[name].items()}


def densities(tables: Tables) -> Figure:
    """Lines: the law; points: histograms of matrices with standard errors."""
    theory, measured = _columns(tables, "theory"), _columns(tables, "measured")
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    for colour, energy in zip(COLOURS, np.unique(theory["energy"]), strict=False):
        line, dots = theory["energy"] == energy, measured["energy"] == energy
        axis.plot(theory["x"][line], theory["density"][line], color=colour, label=f"$\\epsilon = {energy:g}$")
        axis.errorbar(
            measured["x"][dots], measured["density"][dots], yerr=measured["error"][dots], fmt="o", ms=2, color=colour
        )
    axis.axvline(0, color="0.6", lw=0.6)
    axis.set_ylim(-0.02, 0.85)
    axis.set_xlabel("eigenvalue $\\lambda$")
    axis.set_ylabel("density $\\rho(\\lambda)$")
    axis.legend(title="lines: theory, points: matrices")
    return fig


def indices(tables: Tables) -> Figure:
    """Left: α against ε; right: α against the relative distance from the onset, with its 3/2 power."""
    theory, measured = _columns(tables, "theory"), _columns(tables, "measured")
    fig, (left, right) = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.6))
    for colour, phi in zip(COLOURS, np.unique(theory["phi"]), strict=False):
        line, dots = theory["phi"] == phi, measured["phi"] == phi
        onset = theory["energy"][line].min() / 1.001
        left.plot(theory["energy"][line], theory["index"][line], color=colour, label=f"$\\varphi = {phi:g}$")
        left.errorbar(
            measured["energy"][dots], measured["index"][dots], yerr=measured["error"][dots], fmt="o", color=colour
        )
        distance = theory["energy"][line] / onset - 1
        right.plot(distance, theory["index"][line], color=colour)
        right.plot(distance, theory["power"][line], color=colour, ls="--")
    left.set_xlim(0, 0.5)
    left.set_ylim(0, 0.42)
    left.set_xlabel("energy $\\epsilon$")
    left.set_ylabel("share of negative eigenvalues $\\alpha$")
    left.legend(title="line: law, points: $n = 200$", loc="upper left")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_ylim(top=1)  # a share
    right.set_xlabel("distance $\\epsilon/\\epsilon_c - 1$")
    right.plot([], [], color="0.3", ls="--", label="$\\alpha_0 (\\epsilon/\\epsilon_c - 1)^{3/2}$")
    right.legend()
    return fig
