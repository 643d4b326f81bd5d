"""A diagonal network at batch 1, started next to a minimum of η tr H = c: it stays for c < 2 and leaves for c > 2.

All gradients have one norm there, so that 2/tr H is the exact threshold in mean square, not only a bound.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from corollary.claims import Claim, Experiment, Figure, grid
from corollary.figures import wu2023stability as pictures
from corollary.paper_repro.wu2023stability.trace import trace_bound
from corollary.sims.spectra.escape import balanced_minimum, escape
from corollary.verdicts import Threshold, Value, probability

START = balanced_minimum(12, 24, np.random.default_rng(4))
X, U, V = START
TRACE = U @ U + V @ V
SHARPEST = np.linalg.eigvalsh((X * V) @ (X * V).T + (X * U) @ (X * U).T)[-1] / 12
STEPS = {"smoke": 3000, "laptop": 6000, "paper": 12000}

run = partial(escape, start=START)
around = Experiment(
    "wu2023stability.escape", run=run,
    points={s: grid(sharpness=[1.6, 1.8, 2.2, 2.4], steps=[n]) for s, n in STEPS.items()},
    replicates=256, source=escape,
)  # fmt: skip

threshold = Claim(
    r"\text{escape} \iff \eta \operatorname{tr} H > 2",
    Threshold(
        2.0, success="sharpness", resolution=0.2, margin=0.2,
        because="the threshold is one of mean squares; single paths shrink for some distance above it, and need time",
    ),
    id="wu2023stability.escape",
    where="ours: an experiment on the paper's diagonal networks",
    measure=around["escaped"],
    points={s: grid(sharpness=[1.6, 2.4], steps=[n]) for s, n in STEPS.items()},
    given="one minimum",
    rivals={
        "gradient descent's η λ_max = 2": float(2 * TRACE / SHARPEST),
        "half of it: η tr H = 1": 1.0,
    },
    uses=[trace_bound],
)  # fmt: skip


def flatter(point, seeds, xp):
    """1 where SGD ended at η tr H ≤ 2."""
    return {"flat": (escape(point, seeds, xp, start=START)["trace"] <= 2).astype(float)}


settled = Claim(
    r"\text{having escaped, SGD settles where } \eta \operatorname{tr} H \le 2",
    Value(1.0, of=probability, resolution=0.2, side="at least"),
    id="wu2023stability.settles-flatter",
    where="ours: the same experiment",
    measure=Experiment(
        "wu2023stability.flatter", run=flatter,
        points={s: grid(sharpness=[2.5], steps=[n]) for s, n in STEPS.items()}, replicates=512, source=escape,
    )["flat"],
    given="one minimum",
    rivals={"half of the runs": 0.5, "two runs in three": 0.667},
    uses=[threshold],
)  # fmt: skip


def tables(experiments):
    """Share escaped and η tr H at the end against η tr H at the start; three paths."""
    shares = {"start": [], "escaped": [], "end": [], "low": [], "high": []}
    paths = {"start": [], "step": [], "trace": []}
    for point, arrays in experiments["curve"]:
        ends = arrays["trace"]
        shares["start"].append(point["sharpness"])
        shares["escaped"].append(arrays["escaped"].mean())
        for name, q in (("low", 0.1), ("end", 0.5), ("high", 0.9)):
            shares[name].append(float(np.quantile(ends, q)))
        if point["sharpness"] in (1.8, 2.2, 3.0):
            path = arrays["path"][0]
            paths["start"] += [point["sharpness"]] * len(path)
            paths["step"] += (np.arange(1, len(path) + 1) * (point["steps"] // 50)).tolist()
            paths["trace"] += path.tolist()
    return {"shares": shares, "paths": paths}


curve = Experiment(
    "wu2023stability.curve", run=run,
    points={s: grid(sharpness=[1.4, 1.6, 1.8, 1.9, 2.0, 2.1, 2.2, 2.4, 2.6, 3.0], steps=[n]) for s, n in STEPS.items()},
    replicates=64, source=escape,
)  # fmt: skip
figure = Figure(
    number="escape",
    title="SGD at batch 1 next to a minimum: share that escapes, and where it ends",
    experiments={"curve": curve},
    tables=tables,
    draw=pictures.escape,
    replicates={"smoke": 16, "laptop": 32, "paper": 64},
    parameters=[("network", "two-layer diagonal and ReLU", "u∘v, d = 24, 12 points of ±1, batch 1")],
    claims=[threshold, settled],
)
