"""The figures: gradient descent against p*, and the number of patterns."""

from __future__ import annotations

import numpy as np

from corollary.arrays import namespace_for
from corollary.claims import Experiment, Figure
from corollary.claims.experiment import EachSeed
from corollary.figures import pilanci2020 as pictures
from corollary.paper_repro.pilanci2020.theorem import data_of, never_below, optimum, pattern_count, reached
from corollary.sims.convex_relu import network as nonconvex
from corollary.sims.convex_relu import training
from corollary.theory import convex_relu

CURVE_STEPS = {"smoke": 300, "laptop": 3000, "paper": 30000}
WIDTHS = (4, 8, 24)


def looks(steps):
    """The numbers of steps after which the objective is recorded: 0, and evenly on a logarithmic axis up to all."""
    return [0, *np.unique(np.geomspace(1, steps, 60).round().astype(int)).tolist()]


def descent_curves(point, seeds, xp):
    """Objectives (R, K) of gradient descent at recorded steps, in units of p*."""
    X, y, beta = data_of(point["instance"])
    net = nonconvex.init(X.shape[1], point["width"], list(seeds), namespace_for("cpu"))
    steps = point["steps"]
    run = training.descend(net, X, y, beta, learning_rate=2e-2, steps=steps, record_at=set(looks(steps)) - {steps})
    return {"objective": np.asarray(run.history).T / optimum(point["instance"]).objective}


curves = Experiment(
    "pilanci2020.descent", descent_curves,
    points={scale: [{"instance": 1, "width": m, "steps": s} for m in WIDTHS] for scale, s in CURVE_STEPS.items()},
    replicates=8, block=8,
)  # fmt: skip


def curve_tables(data):
    columns = {"width": [], "replicate": [], "step": [], "ratio": []}
    for point, arrays in data["curves"]:
        at = looks(point["steps"])
        for k, row in enumerate(arrays["objective"]):
            columns["width"] += [point["width"]] * len(at)
            columns["replicate"] += [k] * len(at)
            columns["step"] += at
            columns["ratio"] += list(row)
    return {"runs": columns}


figure_1 = Figure(
    number="1",
    title="Gradient descent on networks of three widths against the convex optimum p* (n = 8, d = 3)",
    experiments={"curves": curves},
    tables=curve_tables,
    draw=pictures.descent,
    replicates=8,
    parameters=[
        ("hidden neurons m", "8, 15, 50", ", ".join(map(str, WIDTHS))),
        ("gradient steps", "not given", {k: str(v) for k, v in CURVE_STEPS.items()}),
        ("data", "n = 5, d = 2 (one example)", "n = 8, d = 3, N(0, 1)"),
    ],
    claims=[never_below, reached],
)


def counts(n, d, rng):
    return {"count": float(convex_relu.all_patterns(rng.standard_normal((n, d))).shape[1])}


pattern_counts = Experiment(
    "pilanci2020.pattern-counts", EachSeed(counts),
    points=[{"n": n, "d": d} for d in (2, 3, 4) for n in (4, 6, 8, 11)], replicates=3, block=3, source=counts,
)  # fmt: skip


def count_tables(data):
    measured = {"d": [], "n": [], "count": []}
    for point, arrays in data["counts"]:
        measured["d"].append(point["d"])
        measured["n"].append(point["n"])
        measured["count"].append(float(np.mean(arrays["count"])))
    theory = {"d": [], "n": [], "count": [], "bound": [], "all": []}
    for d in (2, 3, 4):
        for n in range(4, 13):
            theory["d"].append(d)
            theory["n"].append(n)
            theory["count"].append(convex_relu.pattern_count(n, d))
            theory["bound"].append(convex_relu.pattern_bound(n, d))
            theory["all"].append(2**n)
    return {"measured": measured, "theory": theory}


figure_2 = Figure(
    number="2",
    title="Number of activation patterns: enumerated, formula, and the paper's bound",
    experiments={"counts": pattern_counts},
    tables=count_tables,
    draw=pictures.counts,
    replicates=3,
    parameters=[("rank r = d", "any", "2, 3, 4"), ("points n", "any", "4 … 11")],
    claims=[pattern_count],
)
