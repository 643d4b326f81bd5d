"""Figure 12: one softmax head cannot be linear in its input; two heads of opposite sign nearly can."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import vonoswald2023 as pictures
from corollary.paper_repro.vonoswald2023.setting import INPUTS, task
from corollary.sims.icl.training import train_softmax
from corollary.theory import icl
from corollary.verdicts import Order

COMMON = {"learning_rate": 0.04, "init": 0.05, "test": 4000}
SIZES = {
    "smoke": {"d": 2, "context": 6, "steps": 120, "batch": 64, **COMMON},
    "laptop": {"d": 5, "context": 10, "steps": 300, "batch": 96, **COMMON},
    "paper": {"d": 10, "context": 10, "steps": 5000, "batch": 2048, **COMMON},
}


def heads_run(point, seeds, xp):
    """loss (R, 2): of two trained heads and of one, on fresh prompts, with equal seeds."""
    return {"loss": xp.stack([train_softmax({**point, "heads": h}, seeds, xp)["loss"] for h in (2, 1)], axis=1)}


heads = Experiment("vonoswald2023.softmax-heads", heads_run, {s: [p] for s, p in SIZES.items()}, replicates=96)

two_heads = Claim(
    r"\text{a softmax layer with two heads ends below one with one head}",
    Order(),
    id="vonoswald2023.two-softmax-heads",
    where="Appendix A.9, Figure 12",
    theorem="A single layer of softmax self-attention is not able to match GD; its performance increases drastically "
    "with two heads instead of one.",
    measure=heads["loss"],
    rivals={"no order": 0.5, "the other way round": 0.1},
)


# --- the figures: learning curves, on the paper's inputs
TIMES = {s: sorted({int(t) for t in np.geomspace(1, p["steps"], 12)} | {0, p["steps"]}) for s, p in SIZES.items()}
CURVES = {s: {**p, **INPUTS, "record_at": TIMES[s], "test": 2000} for s, p in SIZES.items()}


def curves(heads: int) -> Experiment:
    return Experiment(
        f"vonoswald2023.softmax-curve-{heads}", train_softmax, {s: [{**p, "heads": heads}] for s, p in CURVES.items()},
        block=2,
    )  # fmt: skip


def tables(data):
    """½ loss along training (mean, sd over seeds); the best linear layer's, exactly, and that of predicting 0."""
    point, a = data["heads"][0]
    path = a["path"] / 2
    return {
        "heads": {
            "step": list(point["record_at"]), "mean": list(path.mean(axis=0)), "sd": list(path.std(axis=0, ddof=1)),
        },
        "theory": {
            "linear": [icl.optimal_excess(task(point["d"], point["context"])) / 2], "zero": [point["d"] / 24],
            "heads": [point["heads"]],
        },
    }  # fmt: skip


PARAMETERS = [
    ("d, N", "10, 10", {s: f"{p['d']}, {p['context']}" for s, p in SIZES.items()}),
    ("inputs", "U(−1, 1) in the text, U(−½, ½) in the code", "U(−½, ½)"),
    ("training steps, batch", "5000, 2048", {s: f"{p['steps']}, {p['batch']}" for s, p in SIZES.items()}),
]
figure_12a = Figure(
    number="12a", title="Softmax self-attention with one head, beside one step of gradient descent",
    experiments={"heads": curves(1)}, tables=tables, draw=pictures.heads,
    replicates={"smoke": 2, "laptop": 4, "paper": 5}, parameters=PARAMETERS, claims=[two_heads],
)  # fmt: skip
figure_12b = Figure(
    number="12b", title="Softmax self-attention with two heads, beside one step of gradient descent",
    experiments={"heads": curves(2)}, tables=tables, draw=pictures.heads,
    replicates={"smoke": 2, "laptop": 4, "paper": 5}, parameters=PARAMETERS, claims=[two_heads],
)  # fmt: skip
