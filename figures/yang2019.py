"""Tangent kernels of five architectures against width; Gaussian outputs; squared back-propagated vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from corollary.figures.style import COLOURS, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def _rows(table: Mapping[str, Sequence[Any]], by: str) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The table in parts, one for each word in column `by`, in their order."""
    words = np.asarray(table[by])
    return [
        (str(w), {name: np.asarray(column)[words == w] for name, column in table.items()})
        for w in dict.fromkeys(table[by])
    ]


def convergence(tables: Tables) -> Figure:
    """Deviation with lines of slope −1/2; densities against the normal one; squared gradients against both limits."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(PAGE, 2.7))
    for colour, (name, rows) in zip(COLOURS, _rows(tables["deviation"], "network"), strict=False):
        n = rows["n"].astype(float)
        left.errorbar(n, rows["rms"], yerr=rows["se"], fmt="o", color=colour, label=name)
        constant = np.exp(np.mean(np.log(rows["rms"] * np.sqrt(n))))
        left.plot(n, constant / np.sqrt(n), color=colour, lw=0.8)
    left.set_xscale("log", base=2)
    left.set_yscale("log")
    left.yaxis.set_major_formatter(ScalarFormatter())
    left.yaxis.set_minor_formatter(NullFormatter())
    left.set_yticks([0.1, 0.2, 0.4, 0.8])
    left.set_xlabel("width $n$")
    left.set_ylabel("rms of $\\Theta_n/\\Theta_\\infty - 1$")
    left.set_title("lines: slope $-1/2$")
    low, high = left.get_ylim()
    left.set_ylim(low / 2.6, high)
    left.legend(loc="lower left", ncol=2, columnspacing=0.8, handletextpad=0.2)
    x = np.linspace(-3.5, 3.5, 201)
    middle.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color="black", label="normal")
    for colour, (name, rows) in zip(COLOURS[3:], _rows(tables["outputs"], "network"), strict=False):
        middle.errorbar(rows["x"], rows["density"], yerr=rows["se"], fmt="o", color=colour, label=name, elinewidth=0.8)
    middle.set_xlabel("$f(x)/\\Sigma_\\infty(x,x)^{1/2}$")
    middle.set_ylabel("density")
    middle.set_ylim(0, 0.56)
    middle.legend(loc="upper left")
    styles = ("-", "--")
    for style, name, value in zip(styles, tables["theory"]["name"], tables["theory"]["value"], strict=True):
        right.axhline(value, color="black", lw=1, ls=style, label=name)
    for colour, (name, rows) in zip(COLOURS, _rows(tables["squares"], "readout"), strict=False):
        right.errorbar(rows["n"].astype(float), rows["mean"], yerr=rows["se"], fmt="o", color=colour, label=name)
    right.set_xscale("log", base=2)
    right.set_xlabel("width $n$")
    right.set_ylabel("squared gradient, mean ± se")
    right.set_ylim(0.42, 0.95)
    right.margins(x=0.15)
    right.legend(loc="upper left", handletextpad=0.4)
    return fig
