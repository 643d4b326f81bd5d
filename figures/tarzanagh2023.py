"""Figures of Tarzanagh et al. 2023: paths in the plane, correlations, rounding, regularisation, ranks, heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]
MARKERS = ("o", "D")


def _arrays(table: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
    return {name: np.asarray(column) for name, column in table.items()}


def _tokens(axis: Axes, tokens: dict[str, np.ndarray]) -> None:
    for i, marker in enumerate(MARKERS):
        here = tokens["sequence"] == i
        for chosen in (0, 1):
            some = here & (tokens["chosen"] == chosen)
            axis.plot(tokens["x"][some], tokens["y"][some], "*" if chosen else marker, color=COLOURS[i],
                      mec="black", mew=0.5, ms=9 if chosen else 4, ls="none", zorder=3)  # fmt: skip


def _unit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points at distance log(1 + r): a path of length 10⁴ and its first steps in one picture, directions kept."""
    r = np.hypot(x, y)
    factor = np.log1p(r) / np.where(r > 0, r, 1)
    return factor * x, factor * y


def plane(tables: Tables) -> Figure:
    """Left: the tokens; middle and right: W(k) zᵢ trained on W and on (K, Q), distance on a logarithmic scale."""
    tokens, paths, rays = (_arrays(tables[name]) for name in ("tokens", "paths", "rays"))
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    _tokens(axes[0], tokens)
    axes[0].set_xlabel("tokens (stars: chosen)")
    axes[0].set_aspect("equal", adjustable="datalim")
    titles = {"w": r"trained on $W$", "kq": r"trained on $(K, Q)$"}
    for axis, (trained, title) in zip(axes[1:], titles.items(), strict=True):
        for i in range(2):
            some = (paths["trained"] == trained) & (paths["sequence"] == i)
            x, y = _unit(paths["x"][some], paths["y"][some])
            axis.plot(x, y, MARKERS[i], color=COLOURS[i], ms=3, label=f"$W(k)\\,z_{i + 1}$")
            ray = (rays["trained"] == trained) & (rays["sequence"] == i)
            direction = np.array([rays["x"][ray][0], rays["y"][ray][0]])
            end = direction / np.linalg.norm(direction) * np.max(np.hypot(x, y))
            name = r"W^{mm}" if trained == "w" else r"W^{mm}_\star"
            axis.plot([0, end[0]], [0, end[1]], color=COLOURS[i], lw=0.9, ls=("-", "--")[i],
                      label=f"${name} z_{i + 1}$")  # fmt: skip
        axis.set_xlabel(f"{title}: distance $\\log(1 + r)$")
        axis.set_aspect("equal", adjustable="datalim")
        axis.legend(loc="best")
    return fig


def hyperplanes(tables: Tables) -> Figure:
    """The plane with both chosen tokens, the line half a margin before each, and the first part of the paths."""
    tokens, paths, rays = (_arrays(tables[name]) for name in ("tokens", "paths", "rays"))
    fig, axes = plt.subplots(1, 2, figsize=(PAGE, 2.8), sharex=True, sharey=True)
    for axis, (trained, title) in zip(axes, {"w": r"$W$", "kq": r"$(K, Q)$"}.items(), strict=True):
        _tokens(axis, tokens)
        for i in range(2):
            ray = (rays["trained"] == trained) & (rays["sequence"] == i)
            p = np.array([rays["x"][ray][0], rays["y"][ray][0]])
            best = (tokens["sequence"] == i) & (tokens["chosen"] == 1)
            foot = np.array([tokens["x"][best][0], tokens["y"][best][0]]) - p / (p @ p) / 2
            along = 6 * np.array([-p[1], p[0]]) / np.linalg.norm(p)
            axis.plot(*np.stack([foot - along, foot + along], axis=1), color=COLOURS[i], ls=":", lw=1)
            some = (paths["trained"] == trained) & (paths["sequence"] == i)
            axis.plot(paths["x"][some], paths["y"][some], "-", color=COLOURS[i], lw=1.4, label=f"$W(k)\\,z_{i + 1}$")
            axis.plot([0, 50 * p[0]], [0, 50 * p[1]], color=COLOURS[i], lw=0.7, ls="--",
                      label=f"SVM, $z_{i + 1}$")  # fmt: skip
        axis.set_xlabel(f"trained on {title}")
        axis.set_xlim(-2.5, 6)
        axis.set_ylim(-3, 3)
    axes[0].legend(loc="upper right", ncol=2)
    return fig


def local(tables: Tables) -> Figure:
    """Largest attention, correlation of W, correlation of K Qᵀ, means and one standard deviation, against the step."""
    runs = _arrays(tables["runs"])
    fig, axes = plt.subplots(1, 3, figsize=(PAGE, 2.4), sharex=True)
    panels = [
        (axes[0], [("w_attention", r"$W$"), ("kq_attention", r"$(K,Q)$")], "largest attention"),
        (axes[1], [("w_frobenius", r"with $W^{mm}$"), ("w_nuclear", r"with $W^{mm}_\star$")], r"correlation of $W$"),
        (axes[2], [("kq_frobenius", r"with $W^{mm}$"), ("kq_nuclear", r"with $W^{mm}_\star$")],
         r"correlation of $KQ^\top$"),
    ]  # fmt: skip
    for axis, curves, label in panels:
        for colour, (name, said) in zip(COLOURS, curves, strict=False):
            axis.errorbar(runs["step"], runs[name], yerr=runs[f"{name}_sd"], fmt="o-", lw=0.8, color=colour,
                          label=said)  # fmt: skip
        axis.axhline(1, color="0.6", lw=0.6)
        axis.set_xlabel("step")
        axis.set_ylabel(label)
        axis.set_ylim(top=1.08)
        axis.legend(loc="lower right")
    return fig


def rounding(tables: Tables) -> Figure:
    """1 − cos with the SVM solution, and ‖W‖, of both gradients; slopes −2 and 1 of theory as lines."""
    forms = _arrays(tables["forms"])
    fig, (left, right) = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.4))
    said = {"log": "log domain", "naive": "textbook softmax"}
    for colour, (name, label) in zip(COLOURS, said.items(), strict=False):
        low, high = (np.abs(forms[name] - forms[f"{name}_{end}"]) for end in ("low", "high"))
        left.errorbar(forms["step"], forms[name], yerr=[low, high], fmt="o", color=colour, label=label)
        right.plot(forms["step"], forms[f"size_{name}"], "o", color=colour, label=label)
    k = forms["step"].astype(float)
    left.plot(k, forms["log"][-1] * (k / k[-1]) ** -2, color="black", lw=0.8, label="$k^{-2}$")
    right.plot(k, 0.1 * k, color="black", lw=0.8, label=r"$0.1\,k$: every step counts")
    for axis, label in ((left, r"$1-\cos(W, W^{mm})$, median, 10–90 %"), (right, r"$\|W\|_F$")):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks(k, [f"{v:g}" for v in k])
        axis.minorticks_off()
        axis.set_xlabel("normalised step $k$")
        axis.set_ylabel(label)
        axis.legend()
    right.set_yticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
    return fig


def path(tables: Tables) -> Figure:
    """R times the margin gap against R, both constraints: constant where the gap is C/R."""
    table = _arrays(tables["path"])
    fig, axis = plt.subplots(figsize=(COLUMN, 2.4))
    said = {"w": r"$\|W\|_F = R$, Frobenius", "kq": r"$(\|K\|^2+\|Q\|^2)/2 = R$, nuclear"}
    for colour, shift, (name, label) in zip(COLOURS, (0.97, 1.03), said.items(), strict=False):
        some = table["over"] == name
        low, high = (np.abs(table["median"][some] - table[end][some]) for end in ("low", "high"))
        axis.errorbar(shift * table["R"][some], table["median"][some], yerr=[low, high], fmt="o", color=colour,
                      label=label)  # fmt: skip
        axis.axhline(table["median"][some][-1], color=colour, lw=0.8)
    axis.set_xscale("log")
    axis.set_ylim(0, 1.4 * table["high"].max())
    axis.set_xticks(np.unique(table["R"]), [f"{R:g}" for R in np.unique(table["R"])])
    axis.minorticks_off()
    axis.set_xlabel("$R$ (shifted apart)")
    axis.set_ylabel(r"$R\,(1-$ margin · optimum$/R)$")
    axis.legend()
    return fig


def bars(tables: Tables) -> Figure:
    """Left: share of feasible draws against d; right: stacked shares of global, local and unsaturated runs."""
    table, enough = _arrays(tables["bars"]), _arrays(tables["feasible"])
    sizes = list(dict.fromkeys((int(n), int(T)) for n, T in zip(table["n"], table["T"], strict=True)))
    fig, axes = plt.subplots(1, 1 + len(sizes), figsize=(PAGE * (1 + len(sizes)) / 2, 2.6))
    left = axes[0]
    kinds = sorted({(int(n), int(T), str(a)) for n, T, a in zip(enough["n"], enough["T"], enough["attention"],
                                                               strict=True)})  # fmt: skip
    for colour, (n, T, attention) in zip(COLOURS, kinds, strict=False):
        some = (enough["n"] == n) & (enough["T"] == T) & (enough["attention"] == attention)
        left.plot(enough["d"][some], enough["feasible"][some], "o-" if attention == "cross" else "s--", lw=0.8,
                  color=colour, label=f"$n={n}$, $T={T}$, {attention}")  # fmt: skip
        left.plot([max(T - 1, n)], [1.03], "v", color=colour, ms=5)
    left.plot([], [], "v", color="0.4", label=r"$\max(T-1,\,n)$")
    left.set_xlabel("$d$")
    left.set_ylabel("share feasible")
    left.legend(loc="lower right")
    for right, (n, T) in zip(axes[1:], sizes, strict=True):
        some = (table["n"] == n) & (table["T"] == T)
        at, below = np.arange(some.sum()), np.zeros(int(some.sum()))
        for colour, name in zip(COLOURS, ("is_global", "is_local", "unsaturated"), strict=False):
            right.bar(at, table[name][some], 0.7, bottom=below, color=colour, yerr=table[f"{name}_se"][some],
                      label=name.removeprefix("is_"), error_kw={"lw": 0.8})  # fmt: skip
            below = below + table[name][some]
        right.set_xticks(at, [str(d) for d in table["d"][some]])
        right.set_xlabel(f"$d$ ($n={n}$, $T={T}$)")
        right.set_ylim(0, 1.25)
    axes[1].set_ylabel("share of runs, ± se")
    axes[1].legend(loc="upper center", ncol=3)
    return fig


def ranks(tables: Tables) -> Figure:
    """One panel for each (n, T): rank against d."""
    table = _arrays(tables["ranks"])
    kinds = list(dict.fromkeys((int(n), int(T)) for n, T in zip(table["n"], table["T"], strict=True)))
    fig, axes = plt.subplots(1, len(kinds), figsize=(max(COLUMN, min(PAGE, 2.4 * len(kinds))), 2.5), squeeze=False)
    said = {"frobenius": "Frobenius", "official": "nuclear, W off by $10^{-4}$,\ntolerance $10^{-7}$",
            "nuclear": "nuclear, certified", "most": "bound for every\nnuclear solution"}  # fmt: skip
    marks = {"frobenius": "o-", "official": "x--", "nuclear": "s-", "most": "_"}
    for axis, (n, T) in zip(axes[0], kinds, strict=True):
        some = (table["n"] == n) & (table["T"] == T)
        for colour, (name, label) in zip(COLOURS, said.items(), strict=False):
            axis.errorbar(table["d"][some], table[name][some], yerr=table[f"{name}_se"][some], fmt=marks[name],
                          lw=0.8, ms=10 if name == "most" else 3.5, color=colour, label=label)  # fmt: skip
        axis.set_xlabel(f"$d$ ($n={n}$, $T={T}$)")
        axis.set_ylim(0, 1.1 * n)
    axes[0][0].set_ylabel("mean rank, ± se")
    axes[0][0].set_ylim(0, 2.1 * kinds[0][0])
    axes[0][0].legend(loc="upper left")
    return fig


def heads(tables: Tables) -> Figure:
    """Top: 1 − correlation against the step, a panel for each d; bottom right: every run's end."""
    paths, ends = _arrays(tables["paths"]), _arrays(tables["ends"])
    ds = list(dict.fromkeys(int(d) for d in paths["d"]))
    fig, axes = plt.subplots(1, len(ds) + 1, figsize=(max(2 * COLUMN, min(1.5 * PAGE, 2.3 * (len(ds) + 1))), 2.5))
    said = {"equivalent": r"$W^{fin}+C\,W^{svm}$", "direction": r"$W^{svm}$", "single": "SVM of the top tokens"}
    for axis, d in zip(axes, ds, strict=False):
        some = paths["d"] == d
        for colour, (name, label) in zip(COLOURS, said.items(), strict=False):
            axis.errorbar(paths["step"][some], paths[name][some], yerr=paths[f"{name}_se"][some], fmt="o-", lw=0.8,
                          color=colour, label=label)  # fmt: skip
        axis.set_yscale("log")
        axis.set_xlabel(f"step ($d={d}$)")
    low, high = np.min([a.get_ylim()[0] for a in axes[:-1]]), np.max([a.get_ylim()[1] for a in axes[:-1]])
    for axis in axes[:-1]:
        axis.set_ylim(low, 3 * high)
    axes[0].set_ylabel("1 − correlation, mean ± se")
    axes[0].legend(loc="upper right")
    for colour, d in zip(COLOURS, ds, strict=False):
        some = ends["d"] == d
        axes[-1].plot(np.maximum(ends["largest"][some], 1e-300), np.maximum(ends["equivalent"][some], 1e-16), "o",
                      color=colour, alpha=0.6, label=f"$d={d}$")  # fmt: skip
    axes[-1].set_xscale("log")
    axes[-1].set_yscale("log")
    axes[-1].set_xlabel("largest lost attention")
    axes[-1].set_ylabel(r"1 − correlation, $W^{fin}+C\,W^{svm}$")
    axes[-1].legend()
    return fig


def growth(tables: Tables) -> Figure:
    """‖W‖/‖W^mm‖ against ln t, t the time of gradient flow: normalised steps far beyond what plain descent reaches."""
    table = _arrays(tables["growth"])
    fig, axis = plt.subplots(figsize=(COLUMN, 2.5))
    said = {"plain": "plain descent, rate 4", "flow": "normalised steps, $t=\\sum h/\\|\\nabla L\\|$"}
    for colour, (name, label) in zip(COLOURS, said.items(), strict=False):
        some = table["trained"] == name
        bars = [table["size"][some] - table["low"][some], table["high"][some] - table["size"][some]]
        axis.errorbar(table["log_time"][some], table["size"][some], yerr=bars, fmt="o", color=colour, label=label)
    end = table["trained"] == "flow"
    t, size = table["log_time"][end], table["size"][end]
    axis.plot(t, size[-1] + (t - t[-1]), color="black", lw=0.8, label="slope 1")
    axis.set_ylim(bottom=0)
    axis.set_xlabel(r"$\ln t$")
    axis.set_ylabel(r"$\|W\|_F/\|W^{mm}\|_F$, median, 10–90 %")
    axis.legend(loc="upper left")
    return fig
