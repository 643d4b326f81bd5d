"""Figure 2: trained networks on the circle against the Gaussian limit at t = ∞."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtri

from corollary.claims import Experiment, Figure
from corollary.figures import jacot2018 as pictures
from corollary.paper_repro.jacot2018.components import gaussian, gaussian_at_convergence
from corollary.paper_repro.jacot2018.setting import L4, on_circle
from corollary.sims.ntk import experiments as sims

ANGLES = [-2.4, -0.7, 0.8, 2.2]
VALUES = np.array([0.2, -0.1, 0.3, -0.2])
GRID = [float(g) for g in np.linspace(-np.pi, np.pi, 61)]
WIDTHS = {"smoke": (50, 100), "laptop": (50, 500), "paper": (50, 1000)}

functions = Experiment(
    "jacot2018.trained-functions",
    run=partial(sims.trained_function, data=(on_circle(ANGLES), VALUES), grid=on_circle(GRID)),
    points={
        scale: [{"n": n, **L4, "learning_rate": 1.0, "steps": 1000, "tolerance": None} for n in widths]
        for scale, widths in WIDTHS.items()
    },
    block=2,
)


def tables(data):
    """10, 50 and 90 % quantiles of the limit, every network, and the training points."""
    fine = [float(g) for g in np.linspace(-np.pi, np.pi, 201)]
    mean, sd = gaussian(3, fine, on_circle(ANGLES), VALUES)
    networks = {"n": [], "replicate": [], "angle": [], "f": []}
    for point, arrays in data["functions"]:
        for k, f in enumerate(arrays["f"]):
            networks["n"] += [point["n"]] * len(GRID)
            networks["replicate"] += [k] * len(GRID)
            networks["angle"] += GRID
            networks["f"] += list(f)
    quantiles = {f"q{q}": list(mean + ndtri(q / 100) * sd) for q in (10, 50, 90)}
    return {
        "limit": {"angle": fine, **quantiles},
        "networks": networks,
        "data": {"angle": ANGLES, "y": list(VALUES)},
    }


figure_2 = Figure(
    number="2",
    title="Networks trained on four points of the circle, and the Gaussian limit at t = ∞",
    experiments={"functions": functions},
    tables=tables,
    draw=pictures.trained_functions,
    replicates=10,
    parameters=[
        ("widths n", "50, 1000", {k: ", ".join(map(str, v)) for k, v in WIDTHS.items()}),
        ("gradient steps (rate 1)", "1000", "1000"),
        ("networks", "10", "10"),
        ("training points", "4 on the circle, not given", "angles -2.4, -0.7, 0.8, 2.2"),
    ],
    claims=[gaussian_at_convergence],
)
