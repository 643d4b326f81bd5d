"""Figure 4: regression of sine waves; an MLP in front of the linear layer makes the features (Proposition 2).

The text draws amplitudes from U(0.1, 5), the released code from U(0.1, 0.5); the text's are used. The paper compares
the trained layer with a meta-learned step of gradient descent on such features: here both are trained, K free and
K = ηI.
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import vonoswald2023 as pictures
from corollary.sims.icl.prompts import generators
from corollary.sims.icl.sine import train_sine, waves
from corollary.verdicts import Order

BASE = {"context": 10, "amplitudes": (0.1, 5.0), "test": 500}
CLAIM = {**BASE, "hidden": 16, "features": 8, "steps": 120, "batch": 32, "learning_rate": 0.02, "record_at": [120]}
SIZES = {
    "smoke": {**BASE, "hidden": 16, "features": 8, "steps": 80, "batch": 32, "learning_rate": 0.02},
    "laptop": {**BASE, "hidden": 32, "features": 16, "steps": 250, "batch": 48, "learning_rate": 0.015},
    "paper": {**BASE, "hidden": 160, "features": 40, "steps": 50_000, "batch": 2048, "learning_rate": 0.001},
}


def raw_loss(point, seeds, xp):
    """(R,): ½ loss of the best linear layer on the raw tokens (x, 1): least squares in its two weights, in sample."""
    w = waves(point, generators(seeds, stream=1), point["test"], np)
    N, losses = w.x.shape[2], []
    for x, y, q, label in zip(w.x, w.y, w.xq, w.label, strict=True):
        p = np.stack([np.sum(y * x, axis=1) * q / N, np.sum(y, axis=1) / N], axis=1)
        losses.append(np.mean((p @ np.linalg.lstsq(p, label)[0] - label) ** 2) / 2)
    return xp.asarray(np.array(losses))


def pair_run(point, seeds, xp):
    """features (R, 2): ½ loss with trained features, and of the best linear layer without any."""
    path = train_sine({**point, "plain": False}, seeds, xp)["path"]
    return {"features": xp.stack([path[:, -1], raw_loss(point, seeds, xp)], axis=1)}


features_help = Claim(
    r"\text{with an MLP in front, the layer regresses on learnt features: below every linear layer on } (x, 1, y)",
    Order(),
    id="vonoswald2023.sine-features",
    where="Section 3, Proposition 2, Figure 4",
    theorem="Given a Transformer block, an MLP $m(e)$ that transforms the tokens $e_j = (x_j, y_j)$ followed by an "
    r"attention layer, weights exist that lead to gradient descent on $\frac{1}{2N}\sum_{i=1}^N \|Wm(x_i) - y_i\|^2$: "
    r"least-squares regression with the kernel $k(x, y) = m(x)^\top m(y)$.",
    measure=Experiment("vonoswald2023.sine-pairs", pair_run, [CLAIM], replicates=96)["features"],
    rivals={"no order": 0.5, "the other way round": 0.1},
)

TIMES = {s: sorted({int(t) for t in np.geomspace(1, p["steps"], 10)} | {0, p["steps"]}) for s, p in SIZES.items()}


def figure_run(point, seeds, xp):
    """path (R, 2, S): ½ loss along training of K free and of K = ηI; zero, raw (R,)."""
    runs = [train_sine({**point, "plain": plain}, seeds, xp) for plain in (False, True)]
    path = xp.stack([r["path"] for r in runs], axis=1)
    return {"path": path, "zero": runs[0]["zero"], "raw": raw_loss(point, seeds, xp)}


curves = Experiment(
    "vonoswald2023.sine-curves", figure_run, {s: [{**p, "record_at": TIMES[s]}] for s, p in SIZES.items()}, block=1
)


def tables(data):
    point, a = data["curves"][0]
    mean, sd = a["path"].mean(axis=0), a["path"].std(axis=0, ddof=1)
    rows = {"step": list(point["record_at"])}
    for i, name in enumerate(("layer", "descent")):
        rows |= {f"{name}_mean": list(mean[i]), f"{name}_sd": list(sd[i])}
    return {"training": rows, "lines": {"zero": [float(a["zero"].mean())], "raw": [float(a["raw"].mean())]}}


figure_4 = Figure(
    number="4", title="Sine waves: features from an MLP, one linear-attention layer or one step of descent on top",
    experiments={"curves": curves}, tables=tables, draw=pictures.sine,
    replicates={"smoke": 2, "laptop": 2, "paper": 5},
    parameters=[
        ("hidden, features", "160, 40", {s: f"{p['hidden']}, {p['features']}" for s, p in SIZES.items()}),
        ("N; x; phase", "10; U(−5, 5); U(0, π)", "10; U(−5, 5); U(0, π)"),
        ("amplitude", "U(0.1, 5) in the text, U(0.1, 0.5) in the code", "U(0.1, 5)"),
        ("training steps, batch", "50 000, 2048", {s: f"{p['steps']}, {p['batch']}" for s, p in SIZES.items()}),
        ("comparison", "meta-learned step of descent", "the same network with K = ηI, trained alike"),
    ],
    claims=[features_help],
)  # fmt: skip
