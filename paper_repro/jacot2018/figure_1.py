"""Figure 1: the kernel of networks of two widths on the circle, before and after training."""

from __future__ import annotations

from functools import partial

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.figures import jacot2018 as pictures
from corollary.paper_repro.jacot2018.initialisation import kernel_limit
from corollary.paper_repro.jacot2018.setting import L4, kernel_curve, on_circle
from corollary.sims.ntk import experiments as sims

GRID = [float(g) for g in np.linspace(-np.pi, np.pi, 25)]
_inputs = np.random.default_rng(1806).standard_normal((20, 2))  # one data set for all networks, as in the paper
DATA = (_inputs, _inputs[:, 0] * _inputs[:, 1])
WIDTHS = {"smoke": (64, 256), "laptop": (100, 500), "paper": (500, 10000)}
STEPS = {"smoke": 50, "laptop": 200, "paper": 200}

curves = Experiment(
    "jacot2018.kernel-curves",
    run=partial(sims.trained_kernel, data=DATA, probe=on_circle(0.0)[0], grid=on_circle(GRID)),
    points={
        scale: [{"n": n, **L4, "learning_rate": 1.0, "steps": STEPS[scale]} for n in widths]
        for scale, widths in WIDTHS.items()
    },
    block=2,
)


def tables(data):
    """The limit as a fine curve; mean and standard deviation over initialisations at the grid."""
    fine = [float(g) for g in np.linspace(-np.pi, np.pi, 201)]
    columns = {"n": [], "angle": [], "start_mean": [], "start_sd": [], "end_mean": [], "end_sd": []}
    for point, arrays in data["curves"]:
        columns["n"] += [point["n"]] * len(GRID)
        columns["angle"] += GRID
        for when, name in (("start", "before"), ("end", "after")):
            columns[f"{when}_mean"] += list(arrays[name].mean(axis=0))
            columns[f"{when}_sd"] += list(arrays[name].std(axis=0, ddof=1))
    return {"limit": {"angle": fine, "ntk": list(kernel_curve(fine).ntk[0])}, "networks": columns}


figure_1 = Figure(
    number="1",
    title="Convergence of the NTK to its limit at initialisation, and its change in training",
    experiments={"curves": curves},
    tables=tables,
    draw=pictures.kernel_curves,
    replicates=10,
    parameters=[
        ("widths n", "500, 10000", {k: ", ".join(map(str, v)) for k, v in WIDTHS.items()}),
        ("gradient steps (rate 1)", "200", {k: str(v) for k, v in STEPS.items()}),
        ("initialisations", "10", "10"),
        ("training points (N(0, I₂), target x₁x₂)", "not given", "20"),
    ],
    claims=[kernel_limit],
)
