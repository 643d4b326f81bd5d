"""Figures of Lu et al. 2024: asymptotic curves as lines, fits at finite dimension as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def double_descent(tables: Tables) -> Figure:
    """Error on new tasks against τ = n/d², one colour a task diversity."""
    theory, rows = tables["theory"], tables["measured"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.7))
    for colour, κ in zip(COLOURS, sorted(set(theory["kappa"])), strict=False):
        at, tau = np.asarray(theory["kappa"]) == κ, np.asarray(theory["tau"])
        for side in (tau < 1, tau > 1):
            label = f"limit, $\\kappa={κ:g}$" if side[0] else None
            axis.plot(tau[at & side], np.asarray(theory["icl"])[at & side], color=colour, label=label)
        at = np.asarray(rows["kappa"]) == κ
        x, y, error = (np.asarray(rows[name])[at] for name in ("tau", "icl_mean", "icl_se"))
        label = f"fits, $d={rows['d'][0]}$, $\\kappa={κ:g}$"
        axis.errorbar(x, y, yerr=error, fmt="o", color=colour, label=label)
    axis.set_yscale("log")
    axis.set_ylim(0.5, 30)
    axis.set_xlabel("prompts $\\tau=n/d^2$")
    axis.set_ylabel("$e_{ICL}$, mean ± se")
    axis.legend()
    return fig


def diversity(tables: Tables) -> Figure:
    """Errors on new tasks and on the training tasks against κ = k/d."""
    theory, rows = tables["theory"], tables["measured"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.7))
    for colour, name, label in ((COLOURS[0], "icl", "new tasks"), (COLOURS[1], "idg", "training tasks")):
        axis.plot(theory["kappa"], theory[name], color=colour, label=f"limit, {label}")
        axis.errorbar(rows["kappa"], rows[f"{name}_mean"], yerr=rows[f"{name}_se"], fmt="o", color=colour,
                      label=f"fits, {label}, $d={rows['d'][0]}$")  # fmt: skip
    axis.set_xscale("log")
    axis.set_ylim(0, None)
    axis.set_xlabel("tasks $\\kappa=k/d$")
    axis.set_ylabel("error, mean ± se")
    axis.legend()
    return fig
