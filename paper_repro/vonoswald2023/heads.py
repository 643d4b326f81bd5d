"""Figures 11 and 12: one softmax head cannot be linear in its input; two heads of opposite sign nearly can."""

from __future__ import annotations

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import vonoswald2023 as pictures
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
    where="Appendix, Figures 11 and 12",
    measure=heads["loss"],
    rivals={"no order": 0.5, "the other way round": 0.1},
)


def tables(data):
    point, a = data["heads"][0]
    best = icl.optimal_excess(icl.LinearTask(point["d"], point["context"]))
    return {
        "heads": {
            "heads": [1, 2],
            "mean": [float(a["loss"][:, i].mean()) for i in (1, 0)],
            "sd": [float(a["loss"][:, i].std(ddof=1)) for i in (1, 0)],
        },
        "theory": {"linear": [best], "zero": [float(point["d"])]},
    }


figure_11 = Figure(
    number="11", title="Softmax self-attention with one head and with two (Figure 12), beside one linear layer",
    experiments={"heads": heads}, tables=tables, draw=pictures.heads,
    replicates={"smoke": 4, "laptop": 6, "paper": 5},
    parameters=[
        ("d, N", "10, 10", {s: f"{p['d']}, {p['context']}" for s, p in SIZES.items()}),
        ("inputs", "uniform", "Gaussian"),
        ("training steps, batch", "5000, 2048", {s: f"{p['steps']}, {p['batch']}" for s, p in SIZES.items()}),
    ],
    claims=[two_heads],
)  # fmt: skip
