"""Figure 5: inputs and targets in tokens of their own; a softmax layer learns to copy neighbours (Proposition 3)."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import vonoswald2023 as pictures
from corollary.sims.icl.copying import train_copying
from corollary.theory import icl
from corollary.verdicts import Order

CLAIM = {"d": 1, "context": 3, "steps": 200, "batch": 48, "learning_rate": 0.03, "init": 0.1, "test": 500}
SIZES = {
    "smoke": {"d": 1, "context": 3, "steps": 100, "batch": 32, "learning_rate": 0.03, "init": 0.1, "test": 500},
    "laptop": {"d": 2, "context": 4, "steps": 500, "batch": 64, "learning_rate": 0.02, "init": 0.1, "test": 1000},
    "paper": {"d": 10, "context": 10, "steps": 50_000, "batch": 2048, "learning_rate": 1e-3, "init": 0.1, "test": 5000},
}  # fmt: skip


def pair_run(point, seeds, xp):
    """copy (R, 2): twice the share of even attention, and the mean attention on the neighbour that belongs to a token
    (of x- and y-tokens the higher); loss (R, 2): trained, and of predicting 0."""
    out = train_copying({**point, "record_at": [point["steps"]]}, seeds, xp)
    partner, loss = xp.max(out["partner"][:, -1, :], axis=1), out["path"][:, -1]
    even = 2 / (2 * point["context"] + 1)
    return {
        "copy": xp.stack([0 * partner + even, partner], axis=1),
        "loss": xp.stack([loss, 0 * loss + point["d"]], axis=1),
    }  # fmt: skip


pairs = Experiment("vonoswald2023.copying-pairs", pair_run, [CLAIM], replicates=96)
copies = Claim(
    r"\text{the softmax layer learns to look at the neighbour that belongs to its token}",
    Order(),
    id="vonoswald2023.copying",
    where="Section 4, Proposition 3, Figure 5",
    theorem="Given a 1-head linear or softmax attention layer, the tokens $e_{2j} = (x_j)$, $e_{2j+1} = (0, y_j)$ "
    "and concatenated positional encodings, one can construct $W_K$, $W_Q$, $W_V$ and $P$ such that all tokens are "
    "transformed into ones equivalent to those required in Proposition 1.",
    measure=pairs["copy"],
    rivals={"no order: attention stays even or goes elsewhere": 0.5, "the other way round": 0.1},
)
pairs_up = Claim(
    r"\text{so the linear layer behind it predicts; on split tokens alone } E\,\hat y\, y_q = 0 \text{ and it cannot}",
    Order(),
    id="vonoswald2023.split-tokens",
    where="Section 4, Figure 5",
    theorem="A two-layer Transformer on split tokens matches one step of GD, not two, once its first layer has become "
    "sensitive to the next token; with linear layers alone it could not be trained.",
    measure=pairs["loss"],
    rivals={"no order": 0.5, "the other way round": 0.1},
    uses=[copies],
)

TIMES = {s: sorted({int(t) for t in np.geomspace(1, p["steps"], 12)} | {0, p["steps"]}) for s, p in SIZES.items()}
curves = Experiment(
    "vonoswald2023.copying-curves", train_copying,
    {s: [{**p, "record_at": TIMES[s]}] for s, p in SIZES.items()}, block=2,
)  # fmt: skip


def tables(data):
    point, a = data["curves"][0]
    rows = {"step": list(point["record_at"])}
    for name, v in (("loss", a["path"]), ("to_x", a["partner"][:, :, 0]), ("to_y", a["partner"][:, :, 1])):
        rows |= {f"{name}_mean": list(v.mean(axis=0)), f"{name}_sd": list(v.std(axis=0, ddof=1))}
    best = icl.optimal_excess(icl.LinearTask(point["d"], point["context"]))
    return {
        "training": rows,
        "lines": {"zero": [float(point["d"])], "step": [best], "even": [1 / (2 * point["context"] + 1)]},
    }


figure_5 = Figure(
    number="5", title="Split tokens: softmax attention learns to copy, linear attention then regresses",
    experiments={"curves": curves}, tables=tables, draw=pictures.copying,
    replicates={"smoke": 2, "laptop": 3, "paper": 5},
    parameters=[
        ("d, N", "10, 10", {s: f"{p['d']}, {p['context']}" for s, p in SIZES.items()}),
        ("inputs", "uniform", "Gaussian"),
        ("training steps, batch", "50 000, 2048", {s: f"{p['steps']}, {p['batch']}" for s, p in SIZES.items()}),
        ("copying seen in", "derivatives of the first layer", "its attention"),
    ],
    claims=[copies, pairs_up],
)  # fmt: skip
