"""Spectra of Hessians on batches: the top eigenvalue against the batch size, densities with fitted laws, rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN


def batch_tops(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Lines: full Hessian, isotropic law, second-order perturbation theory; points: mean and spread over batches."""
    theory, measured = tables["theory"], tables["measured"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["batch"], theory["second_order"], color=COLOURS[0], label="second order, real couplings")
    axis.plot(theory["batch"], theory["isotropic"], color=COLOURS[1], label="isotropic noise")
    axis.plot(theory["batch"], theory["full"], color="0.5", ls=":", label="full Hessian")
    axis.errorbar(
        measured["batch"], measured["mean"], yerr=measured["sd"], fmt="o", color="black", label="batches, mean ± sd"
    )
    axis.set_xscale("log")
    axis.set_xlabel("batch size $b$")
    axis.set_ylabel("top eigenvalue $\\lambda_1(H_b)$")
    axis.legend()
    return fig


def learning_rates(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Lines: exact mean-square threshold and the paper's 2/λ₁(b); points: bisected on iterated moments."""
    theory, measured = tables["theory"], tables["measured"]
    fig, axis = plt.subplots(figsize=(COLUMN, 2.6))
    axis.plot(theory["batch"], theory["exact"], color=COLOURS[0], label="exact, in mean square")
    axis.plot(
        theory["batch"], theory["batch_law"], color=COLOURS[1], ls="--", label="$2/\\lambda_1(B)$, isotropic noise"
    )
    axis.plot(measured["batch"], measured["rate"], "o", color="black", label="bisected")
    axis.axhline(2, color="0.6", ls=":", label="$2/\\lambda_1$")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    axis.set_yticks([], minor=True)
    axis.set_xlabel("batch size $B$")
    axis.set_ylabel("largest learning rate $\\eta^*$")
    axis.legend()
    return fig


def densities(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Upper: at initialisation, lower: trained. Lines: fitted laws; points: measured; above them the outliers."""
    columns = {name: {key: np.asarray(c) for key, c in table.items()} for name, table in tables.items()}
    measured, theory, outliers = columns["measured"], columns["theory"], columns["outliers"]
    laws = dict(zip(dict.fromkeys(theory["law"]), COLOURS, strict=False))
    fig, axes = plt.subplots(2, 1, figsize=(COLUMN, 4.9))
    for axis, state, title in zip(axes, ("initial", "trained"), ("at initialisation", "trained"), strict=True):
        rows = measured["state"] == state
        x, y, error = (measured[key][rows] for key in ("x", "density", "error"))
        seen = y > 0.02
        axis.errorbar(x[seen], y[seen], yerr=error[seen], fmt="o", ms=1.6, lw=0.6, color="black", label="batches of 64")
        for law, colour in laws.items():
            line = (theory["state"] == state) & (theory["law"] == law)
            shown = line & (theory["density"] > 0.005)
            axis.plot(theory["x"][shown], theory["density"][shown], color=colour, label=law + ", fitted")
        at = outliers["state"] == state
        axis.errorbar(
            outliers["measured"][at], np.full(at.sum(), 12.0), xerr=outliers["sd"][at], fmt="o", color="black",
            mfc="white", label="three largest, mean ± sd",
        )  # fmt: skip
        axis.plot(outliers["predicted"][at], np.full(at.sum(), 30.0), "v", color=COLOURS[1], label="second order")
        axis.plot(outliers["full"][at], np.full(at.sum(), 5.0), "|", color="0.5", ms=7, label="all points")
        axis.set_yscale("log")
        axis.set_ylim(0.02, 2 * y.max())
        axis.set_ylabel("density")
        axis.set_title(title, fontsize=8)
    axes[1].set_xlabel("eigenvalue $\\lambda$ of the Hessian on a batch")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=6)
    return fig


def broadening(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """A panel for each batch size. Points: measured; line: isotropic noise of the same size; grey: all points."""
    measured, theory = ({k: np.asarray(c) for k, c in tables[name].items()} for name in ("measured", "theory"))
    sizes = sorted(set(measured["batch"].tolist()))
    fig, axes = plt.subplots(len(sizes), 1, figsize=(COLUMN, 1.5 * len(sizes) + 0.5), sharex=True)
    for axis, batch in zip(axes, sizes, strict=True):
        dots, line = measured["batch"] == batch, theory["batch"] == batch
        seen = measured["density"][dots] > 0.01
        x, y, error = (measured[key][dots][seen] for key in ("x", "density", "error"))
        axis.plot(theory["x"][line], theory["full"][line], color="0.6", lw=0.8, label="all 256 points")
        axis.plot(theory["x"][line], theory["isotropic"][line], color=COLOURS[1], label="isotropic noise of its size")
        axis.errorbar(x, y, yerr=error, fmt="o", ms=1.6, lw=0.6, color="black", label="batches, by Lanczos quadrature")
        axis.set_yscale("log")
        axis.set_ylim(0.01, 1.5 * theory["full"].max())
        axis.set_ylabel("density")
        axis.set_title(f"$b = {batch}$", fontsize=8)
    axes[-1].set_xlabel("eigenvalue $\\lambda$ of the Hessian on a batch")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=6)
    return fig
