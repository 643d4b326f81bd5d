"""Theorem 2 as a picture (not in the paper): the kernel's movement in training against width.

Slopes −1 (smooth) and −1/2 (sign flips of ReLU neurons) are claims of `training`. The exponent of the ReLU kernel
itself is plotted without a guide and asserted nowhere: between widths 128 and 2048 it still drifts.
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Figure
from corollary.figures import jacot2018 as pictures
from corollary.paper_repro.jacot2018.training import WIDTHS, relu, sign_flips, smooth, smooth_kernel_movement

SERIES = [
    ("erf: kernel", "smooth", "movement", -1.0),
    ("ReLU: kernel", "relu", "movement", np.nan),
    ("ReLU: share of signs flipped", "relu", "flipped", -0.5),
]


def tables(data):
    """Mean and standard error over networks, each series with the slope of its claim (none: NaN)."""
    movement = {"series": [], "n": [], "mean": [], "se": [], "guide": []}
    for label, experiment, array, slope in SERIES:
        for point, arrays in data[experiment]:
            values = arrays[array]
            movement["series"].append(label)
            movement["n"].append(point["n"])
            movement["mean"].append(float(values.mean()))
            movement["se"].append(float(values.std(ddof=1) / np.sqrt(len(values))))
            movement["guide"].append(slope)
    return {"movement": movement}


theorem_2 = Figure(
    number="Theorem 2",
    title="Movement of the kernel in training against width (not a figure of the paper)",
    experiments={"smooth": smooth, "relu": relu},
    tables=tables,
    draw=pictures.kernel_movement,
    replicates=64,
    parameters=[
        ("widths n", "none given", {k: ", ".join(map(str, v)) for k, v in WIDTHS.items()}),
        ("hidden layers; training points", "none given", "1; 4 on the circle"),
        ("time η t", "none given", "50"),
    ],
    claims=[smooth_kernel_movement, sign_flips],
)
