"""Figures 1 (right) and 10: one trained layer applied again and again, damped; Figure 9: the weights of a layer."""

from __future__ import annotations

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.figures import vonoswald2023 as pictures
from corollary.paper_repro.vonoswald2023.one_layer import best_step, trained_step
from corollary.paper_repro.vonoswald2023.setting import INPUTS, SIZE, exact_gradient
from corollary.paper_repro.vonoswald2023.trained import as_stack
from corollary.sims.icl.attention import forward
from corollary.sims.icl.prompts import Sampler, generators
from corollary.sims.icl.training import train_layer, train_stack

TIMES = [1, 2, 3, 5, 8, 12, 20, 30, 50]
DAMPING = [1.0, 0.875, 0.75]
STEPS = {"smoke": 200, "laptop": 800, "paper": 5000}
POINTS = {
    s: [{**SIZE[s], "steps": n, "learning_rate": 0.02, "init": 0.3, "hold": 0.8, "damping": DAMPING}]
    for s, n in STEPS.items()
}


def repeated_run(point, seeds, xp):
    """loss (R, dampings, times, 2): ½ loss of the trained layer and of gradient descent, applied `times` times.

    Host only. Some prompts make repeated steps diverge (η λ_max > 2): the mean is over 1000 prompts as they come.
    """
    d, N, R = point["d"], point["context"], len(seeds)
    out = train_layer(point, seeds, np, gradient=exact_gradient(point))
    trained = as_stack(out["KQ"], out["PV"])
    KQ = np.tile(np.diag([1.0] * d + [0.0]), (R, 1, 1, 1))
    PV = np.tile(np.diag([0.0] * d + [-best_step(d, N)]), (R, 1, 1, 1))
    prompts = Sampler.of({**point, **INPUTS}).draw(generators(seeds, stream=1), 1000, np)
    result = np.zeros((R, len(point["damping"]), len(TIMES), 2))
    for i, λ in enumerate(point["damping"]):
        for k, (K, P) in enumerate((trained, (KQ, PV))):
            trace = forward(K, P, prompts, layers=TIMES[-1], damping=λ)
            for j, layers in enumerate(TIMES):
                query = trace.prediction if layers == TIMES[-1] else -trace.tokens[layers][:, :, -1, -1]
                gap = query - prompts.label
                result[:, i, j, k] = 0.5 * np.median(gap * gap, axis=1) / 0.4549  # median of χ²₁: robust to divergence
    return {"loss": result}


repeated = Experiment("vonoswald2023.repeated", repeated_run, POINTS, block=2)


def tables_1(data):
    point, a = data["repeated"][0]
    mean = a["loss"].mean(axis=0)
    rows = {"damping": [], "times": [], "trained": [], "descent": []}
    for i, λ in enumerate(point["damping"]):
        for j, t in enumerate(TIMES):
            for name, value in (("damping", λ), ("times", t), ("trained", mean[i, j, 0]), ("descent", mean[i, j, 1])):
                rows[name].append(value)
    return {"repeated": rows}


PARAMETERS = [
    ("d, N", "10, 10", {s: f"{p['d']}, {p['context']}" for s, p in SIZE.items()}),
    ("times applied", "1 to 50", "1 to 50"),
    ("statistic", "mean of ½(ŷ − y)²", "median of (ŷ − y)²/2 over the median of χ²₁: some prompts diverge"),
    ("training", "Adam, 2048 sampled prompts a step", "Adam on the exact population loss"),
]
figure_1 = Figure(
    number="1", title="A trained layer applied many times, beside gradient descent",
    experiments={"repeated": repeated}, tables=tables_1, draw=pictures.repeated_two, replicates=2,
    parameters=PARAMETERS, claims=[trained_step],
)  # fmt: skip
figure_10 = Figure(
    number="10", title="Damping the repeated layer",
    experiments={"repeated": repeated}, tables=tables_1, draw=pictures.repeated_all, replicates=2,
    parameters=[*PARAMETERS, ("damping λ", "1, 0.875, 0.75", "1, 0.875, 0.75")],
)  # fmt: skip

# --- Figure 9: all (d + 1)² entries, trained on sampled prompts
WEIGHTS = {
    "smoke": [{"d": 4, "context": 4, "steps": 150, "batch": 64}],
    "laptop": [{"d": 10, "context": 10, "steps": 300, "batch": 128}],
    "paper": [{"d": 10, "context": 10, "steps": 5000, "batch": 2048}],
}
COMMON = {"tied": True, "sparsity": "full", "learning_rate": 0.03, "init": 1.0, "test": 10, **INPUTS}
weights = Experiment(
    "vonoswald2023.weights", train_stack,
    {s: [{**p[0], **COMMON, "layers": k} for k in (1, 3)] for s, p in WEIGHTS.items()}, block=1,
)  # fmt: skip


def tables_9(data):
    """W_KQ/β and β W_PV of the first seed, β the mean of the first d diagonal entries of W_KQ."""
    point = data["weights"][0][0]
    rows = {"layers": [], "row": [], "column": [], "KQ": [], "PV": []}
    for p, a in data["weights"]:
        KQ, PV = a["KQ"][0, 0], a["PV"][0, 0]
        β = float(np.mean(np.diag(KQ)[: point["d"]]))
        for i in range(len(KQ)):
            for j in range(len(KQ)):
                for name, v in zip(rows, (p["layers"], i, j, KQ[i, j] / β, PV[i, j] * β), strict=True):
                    rows[name].append(v)
    return {"weights": rows, "theory": {"step": [best_step(point["d"], point["context"])]}}


figure_9 = Figure(
    number="9", title="Weights of one trained layer and of one used three times: identity blocks, −η in the corner",
    experiments={"weights": weights}, tables=tables_9, draw=pictures.matrices, replicates=1,
    parameters=[("steps, batch", "5000, 2048", {s: f"{p[0]['steps']}, {p[0]['batch']}" for s, p in WEIGHTS.items()})],
    claims=[trained_step],
)  # fmt: skip
