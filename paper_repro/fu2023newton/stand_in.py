"""A trained stack in the place of GPT-2: which iterates do the layers of linear attention resemble?

Stand-in for the paper's Figure 3 (layers of a trained transformer against Newton and descent steps). It is not the
paper's experiment: four linear layers with the weights of GD++ free, d = 4, one context length. After every layer the
prediction is read off; its errors over prompts are compared with those of Newton's and descent's iterates on the same.
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.figures import fu2023newton as pictures
from corollary.sims.icl import algorithms
from corollary.sims.icl.attention import forward
from corollary.sims.icl.metrics import error_similarity
from corollary.sims.icl.prompts import Sampler, generators
from corollary.sims.icl.training import train_stack

COMMON = {"d": 4, "context": 12, "tied": False, "sparsity": "gd++", "learning_rate": 0.03, "init": 0.3, "test": 10}
POINTS = {
    "smoke": [{**COMMON, "layers": 2, "steps": 80, "batch": 48}],
    "laptop": [{**COMMON, "layers": 4, "steps": 300, "batch": 64}],
    "paper": [{**COMMON, "layers": 8, "steps": 10000, "batch": 512}],
}
NEWTON, DESCENT = list(range(13)), [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]


def stand_in_run(point, seeds, xp):
    """newton, descent (R, layers, steps): similarity of errors after each layer; host only."""
    out = train_stack(point, seeds, np)
    prompts = Sampler.of(point).draw(generators(seeds, stream=1), 400, np)
    result = {"newton": [], "descent": []}
    depth = point["layers"]
    layers = [
        forward(out["KQ"][:, :k], out["PV"][:, :k], prompts).prediction - prompts.label for k in range(1, depth + 1)
    ]
    for r in range(len(seeds)):
        X, y, xq, label = (a[r] for a in prompts)
        S, v = np.swapaxes(X, 1, 2) @ X, np.einsum("bnd,bn->bd", X, y)
        c = algorithms.Contexts(S[:, None], v[:, None], xq[:, None], label[:, None], X, y)
        best = 2 / (np.linalg.eigvalsh(S)[:, 0] + np.linalg.eigvalsh(S)[:, -1])
        left = np.stack([e[r][None] for e in layers])
        for name, runs in (
            ("newton", algorithms.newton(c, NEWTON)),
            ("descent", algorithms.gradient_descent(c, DESCENT, float(np.median(best)) / 2)),
        ):
            result[name].append(error_similarity(left, np.stack([e[:, 0][None] for e in runs])))
    return {name: np.array(rows) for name, rows in result.items()}


stand_in = Experiment("fu2023newton.stand-in", stand_in_run, POINTS, block=2)


def tables(data):
    point, a = data["stand_in"][0]
    out = {}
    for name, steps in (("newton", NEWTON), ("descent", DESCENT)):
        mean = a[name].mean(axis=0)
        out[name] = {
            "layer": [k for k in range(1, point["layers"] + 1) for _ in steps],
            "steps": steps * point["layers"],
            "similarity": [float(v) for v in mean.ravel()],
        }
    return out


figure_3 = Figure(
    number="3", title="A trained linear-attention stack (standing in for GPT-2): similarity of its layers to iterates",
    experiments={"stand_in": stand_in}, tables=tables, draw=pictures.layers,
    replicates={"smoke": 1, "laptop": 2, "paper": 5},
    parameters=[
        ("model", "GPT-2, 12 layers, 8 heads", {s: f"{p[0]['layers']} linear layers" for s, p in POINTS.items()}),
        ("d, n", "20, 40", "4, 12"),
        ("errors compared over", "contexts 1 to 40", "400 prompts of one length"),
    ],
)  # fmt: skip
