"""A slice of the space of parametrisations (Figure 2); rates, fluctuation and modes (no figure of the paper)."""

from __future__ import annotations

import numpy as np

from corollary.claims import Figure
from corollary.figures import yang2020featurelearning as pictures
from corollary.paper_repro.yang2020featurelearning import dichotomy, linear
from corollary.theory.ntk.abc import Abc, between, regime
from corollary.theory.ntk.feature_learning import mode_flow

CODES = ("unstable", "trivial", "kernel", "feature learning")


def plane(readout: float, c: float) -> Abc:
    """b = 0, hidden layers as in the tangent-kernel parametrisation: the readout's exponent and the rate's are left."""
    return Abc((0.0, 0.5, readout), (0.0, 0.0, 0.0), c)


def regions(data):
    """Regime on a grid, along the line of nontrivial ones, and at named points."""
    grid = {"a": [], "c": [], "code": []}
    for i in range(52):
        for j in range(80):
            # odd multiples of 1/80: no grid point lies on a border
            a, c = 0.3 + (2 * i + 1) / 80, -1.5 + (2 * j + 1) / 80
            grid["a"].append(a)
            grid["c"].append(c)
            grid["code"].append(CODES.index(regime(plane(a, c)).word))
    line = {"shift": [], "a": [], "c": [], "r": []}
    for shift in np.linspace(0, 0.5, 11):
        p = between(float(shift), 2)
        abc = plane(p.a[-1] + float(shift), p.c - 2 * float(shift))  # by the symmetry, to b = 0
        found = regime(abc)
        if found.word not in ("kernel", "feature learning"):
            raise ValueError(f"{abc} is {found.word}; the line of nontrivial parametrisations has left its plane")
        for name, value in zip(line, (float(shift), abc.a[-1], abc.c, -found.features), strict=True):
            line[name].append(value)
    return {"grid": grid, "line": line}


figure_2 = Figure(
    number="2",
    title="A slice of the space of abc-parametrisations (two hidden layers, b = 0, a = (0, 1/2, a₃))",
    experiments={},
    tables=regions,
    draw=pictures.regions,
    replicates=1,
    parameters=[("what is shown", "a caricature of the polyhedron", "computed from the theorem, in a plane")],
    claims=[dichotomy.mup_features],
)

LABELS = {"ntk": "tangent kernel", "standard 1/n": "standard, $1/n$", "between": "half-way", "mup": "maximal update"}


def tables(data):
    """Features' movement; root mean square of f_n − f_∞; a mode's output and features."""
    moved = {"setting": [], "n": [], "mean": [], "se": [], "exponent": []}
    for name, label in LABELS.items():
        for point, arrays in data[name]:
            y = arrays["features"]
            moved["setting"].append(label)
            moved["n"].append(point["n"])
            moved["mean"].append(float(y.mean()))
            moved["se"].append(float(y.std(ddof=1) / len(y) ** 0.5))
            moved["exponent"].append(regime(dichotomy.SETTINGS[name][0]).features)
    error = {"n": [], "rms": [], "se": [], "theory": []}
    sd = linear.LIMIT.sd[-1]
    for point, arrays in data["finite"]:
        square = np.mean((arrays["f"] - linear.LIMIT.outputs[-1]) ** 2, axis=(1, 2))
        root = float(square.mean() ** 0.5)
        error["n"].append(point["n"])
        error["rms"].append(root)
        error["se"].append(float(square.std(ddof=1) / len(square) ** 0.5 / (2 * root)))
        error["theory"].append(float(np.mean(sd**2) ** 0.5 / point["n"] ** 0.5))
    time = np.linspace(0, 1.2, 61)
    q, p = mode_flow(linear.STRENGTH, time)
    frozen = linear.STRENGTH * (1 - np.exp(-2 * time))
    theory = {"time": list(time), "output": list(q), "features": list(p), "kernel": list(frozen)}
    found = {"time": [], "output": [], "output sd": [], "features": [], "features sd": []}
    point, arrays = data["modes"][-1]
    for i, t in enumerate(linear.TIMES):
        found["time"].append(t)
        for j, name in enumerate(("output", "features")):
            found[name].append(float(arrays["mode"][:, j, i].mean()))
            found[f"{name} sd"].append(float(arrays["mode"][:, j, i].std(ddof=1)))
    return {"moved": moved, "error": error, "theory": theory, "mode": found, "width": {"n": [point["n"]]}}


figure_3 = Figure(
    number="3",
    title="Movement of features, error of finite width, and one mode of a linear network (not a figure of the paper)",
    experiments={
        **{name: dichotomy.experiments[name] for name in LABELS}, "finite": linear.finite, "modes": linear.growth,
    },
    tables=tables,
    draw=pictures.rates,
    replicates={
        s: {**dict.fromkeys(LABELS, few), "finite": many, "modes": many}
        for s, few, many in (("smoke", 32, 128), ("laptop", 64, 256), ("paper", 512, 2048))
    },
    parameters=[
        ("widths of two hidden layers", "none given", {s: ", ".join(map(str, n)) for s, n in dichotomy.WIDTHS.items()}),
        ("widths, linear", "none given", {s: ", ".join(map(str, n)) for s, n in linear.WIDTHS.items()}),
    ],
    claims=[*(getattr(dichotomy, f"{n}_features") for n in ("ntk", "standard", "between", "mup")),
            linear.limit, linear.fluctuation, linear.mode],
)  # fmt: skip
