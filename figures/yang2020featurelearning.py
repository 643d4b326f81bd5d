"""Yang, Hu 2020: learnt features, the regions of parametrisations, and rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, NullFormatter

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def components(tables: Tables) -> Figure:
    """One panel each; colour is the label, the marker the cluster."""
    table = {name: np.asarray(column) for name, column in tables["components"].items()}
    panels = list(dict.fromkeys(table["panel"]))
    fig, axes = plt.subplots(1, len(panels), figsize=(PAGE, 2.5))
    for axis, panel in zip(axes, panels, strict=True):
        for cluster, marker in enumerate("os^D"):
            rows = (table["panel"] == panel) & (table["cluster"] == cluster)
            label = int(table["label"][rows][0])
            axis.plot(
                table["x"][rows], table["y"][rows], marker, color=COLOURS[0 if label > 0 else 1],
                label=f"cluster {cluster + 1}, label {label:+d}",
            )  # fmt: skip
        axis.set_title(panel)
        axis.set_xlabel("first component")
        axis.margins(0.1)
    axes[0].set_ylabel("second component")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=4)
    return fig


def regions(tables: Tables) -> Figure:
    """Stable ones shaded, the nontrivial line with its two ends."""
    grid = tables["grid"]
    a, c = np.unique(grid["a"]), np.unique(grid["c"])
    stable = np.reshape(np.asarray(grid["code"]) > 0, (len(a), len(c))).T
    fig, axis = plt.subplots(figsize=(COLUMN, 2.9))
    axis.pcolormesh(a, c, stable, cmap=ListedColormap(["white", "#DDDDDD"]), shading="nearest", rasterized=True)
    line = tables["line"]
    axis.plot(line["a"], line["c"], color=COLOURS[0], lw=2, label="kernel regime, $r > 0$")
    axis.plot(line["a"][-1], line["c"][-1], "o", color=COLOURS[1], ms=7, label="feature learning, $r = 0$")
    axis.annotate("tangent kernel", (line["a"][0], line["c"][0]), xytext=(8, 3), textcoords="offset points")
    axis.annotate("maximal update", (line["a"][-1], line["c"][-1]), xytext=(9, 2), textcoords="offset points")
    axis.text(1.25, 0.0, "trivial", ha="center", va="center")
    axis.text(0.62, -1.0, "unstable", ha="center", va="center")
    axis.set_xlabel("readout: $a_3$ ($b = 0$)")
    axis.set_ylabel("rate: $c$")
    axis.set_ylim(c.min(), c.max())
    fig.legend(loc="outside lower center", ncol=2)
    return fig


def rates(tables: Tables) -> Figure:
    """Movement of the features with lines n^(−r); error of finite width with its predicted line; one mode in time."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(PAGE, 2.8))
    table = {name: np.asarray(column) for name, column in tables["moved"].items()}
    for colour, setting in zip(COLOURS, dict.fromkeys(table["setting"]), strict=False):
        rows = table["setting"] == setting
        n, mean, exponent = table["n"][rows].astype(float), table["mean"][rows], table["exponent"][rows][0]
        left.errorbar(n, mean, yerr=table["se"][rows], fmt="o", color=colour, label=setting)
        left.plot(n, np.exp(np.mean(np.log(mean / n**exponent))) * n**exponent, color=colour)
    left.set_ylabel("movement of $x^L$, mean ± se")
    left.set_title("lines: $n^{-r}$")
    left.set_yscale("log")
    left.set_yticks([0.01, 0.03, 0.1, 0.3])
    left.set_ylim(table["mean"].min() / 6, 1.3 * table["mean"].max())
    left.legend(loc="lower left", ncol=1)
    error = {name: np.asarray(column, dtype=float) for name, column in tables["error"].items()}
    middle.plot(error["n"], error["theory"], color="black", label="theory, $C/\\sqrt{n}$")
    middle.errorbar(error["n"], error["rms"], yerr=error["se"], fmt="o", color=COLOURS[0], label="networks")
    middle.set_yscale("log")
    middle.set_yticks([0.005, 0.01, 0.02, 0.03, 0.05, 0.08])
    middle.set_ylim(0.8 * error["rms"].min(), 1.2 * error["rms"].max())
    middle.set_ylabel("rms of $f_n - f_\\infty$")
    middle.set_title("linear network, trained")
    middle.legend(loc="lower left")
    for axis in (left, middle):
        axis.set_xscale("log", base=2)
        axis.set_xlabel("width $n$")
        axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    theory, found = tables["theory"], tables["mode"]
    for colour, name, symbol in ((COLOURS[0], "output", "q"), (COLOURS[1], "features", "p")):
        right.plot(theory["time"], theory[name], color=colour, label=f"{name} ${symbol}$")
        right.errorbar(found["time"], found[name], yerr=found[f"{name} sd"], fmt="o", color=colour)
    right.plot(theory["time"], theory["kernel"], "--", color=COLOURS[0], lw=0.8, label="$q$ at fixed kernel")
    right.plot(
        theory["time"], np.ones(len(theory["time"])), "--", color=COLOURS[1], lw=0.8, label="$p$ at fixed kernel"
    )
    right.set_xlabel("time $\\eta t$")
    right.set_title(f"one mode; $n = {tables['width']['n'][0]}$, ± sd")
    right.set_ylim(0, 3.1)
    right.legend(loc="upper left")
    return fig
