"""How many steps of gradient descent match k steps of Newton: Figure 26, and the algorithm curves of Figure 2."""

from __future__ import annotations

import math

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import fu2023newton as pictures
from corollary.paper_repro.fu2023newton.convergence import descent_convergence, newton_convergence
from corollary.sims.icl import algorithms
from corollary.sims.icl.metrics import error_similarity
from corollary.verdicts import Order, Value

# --- matching steps: log₂(descent steps) ≈ k/2 where near-singular contexts dominate
RATE = 0.01
NEWTON = {"smoke": [6, 8, 10, 12], "laptop": [6, 8, 10, 12, 14], "paper": [8, 10, 12, 14, 16, 18, 20]}
MATCH = {
    "smoke": [{"d": 20, "n": 40, "sequences": 4, "newton": NEWTON["smoke"], "most": 9}],
    "laptop": [{"d": 20, "n": 40, "sequences": 8, "newton": NEWTON["laptop"], "most": 9.5}],
    "paper": [{"d": 20, "n": 40, "sequences": 64, "newton": NEWTON["paper"], "most": 12}],
}


def sequences(d, n, count, rng):
    X = rng.standard_normal((count, n + 1, d))
    return algorithms.contexts(X, np.einsum("bnd,bd->bn", X, rng.standard_normal((count, d))))


def ladder(most: float) -> list[int]:
    """Numbers of descent steps, an eighth of a power of two apart, up to 2^most."""
    return sorted({round(2 ** (j / 8)) for j in range(int(8 * most) + 1)})


def match_slope(d, n, sequences, newton, most, rng):
    """Slope of log₂(best-matching descent steps) against Newton steps, by similarity of errors over contexts 1…n."""
    c = globals()["sequences"](d, n, sequences, rng)
    steps = ladder(most)
    left = np.stack(algorithms.newton(c, newton))
    right = np.stack(algorithms.gradient_descent(c, steps, RATE))
    best = np.argmax(error_similarity(left, right), axis=1)
    return float(np.polyfit(newton, np.log2([steps[i] for i in best]), 1)[0])


matching_slope = Claim(
    r"\log_2(\text{best-matching descent steps}) \approx k/2 + \text{const},\ 2^k \ll \kappa^2",
    Value(
        0.5, resolution=0.15, margin=0.08,
        because="the paper says ≈: a frontier eigenvalue 2^{−k/2} that is sharp to a factor √2 at either end of six "
        "Newton steps leaves 0.5/6 to the slope",
    ),
    id="fu2023newton.matching-slope",
    where="Figure 26 (a)",
    measure=match_slope,
    points=MATCH,
    replicates=512,
    rivals={
        "1: one well-conditioned context": 1.0,
        "1/4: frontier at 2^{−k/4}": 0.25,
        "0.8": 0.8,
    },
    uses=[newton_convergence, descent_convergence],
)  # fmt: skip


def error_after_twelve(rng):
    """Median squared errors at 40 examples after 12 steps: Newton, descent."""
    c = sequences(20, 40, 16, rng)
    runs = algorithms.newton(c, [12])[0], algorithms.gradient_descent(c, [12], RATE)[0]
    return np.array([np.median(r[:, -1] ** 2) for r in runs])


newton_wins = Claim(
    r"\text{after 12 steps Newton is ahead of gradient descent}",
    Order(),
    id="fu2023newton.newton-ahead",
    where="Figure 2, Figure 4 (algorithm curves)",
    measure=error_after_twelve,
    replicates=256,
    rivals={"no order": 0.5, "the other way round": 0.1},
)

# --- figures
CURVES = {"smoke": [{"sequences": 8}], "laptop": [{"sequences": 32}], "paper": [{"sequences": 320}]}
HEAT = {"newton": list(range(1, 19)), "descent": [round(2**j) for j in range(10)], "cg": list(range(1, 21))}


def curves_run(point, seeds, xp):
    """Median squared error by context length for each algorithm, and the similarities of errors. Host only."""
    rows, heat = [], {"descent": [], "newton": [], "cg": []}
    for seed in seeds:
        c = sequences(20, 40, point["sequences"], np.random.default_rng(seed))
        newton = np.stack(algorithms.newton(c, HEAT["newton"]))
        descent = np.stack(algorithms.gradient_descent(c, HEAT["descent"], RATE))
        cg = np.stack(algorithms.conjugate_gradients(c, HEAT["cg"]))
        chosen = [newton[i] for i in (3, 7, 11)] + [descent[i] for i in (2, 5, 9)] + [cg[4], cg[19]]
        chosen.append(algorithms.online_descent(c, 0.05))
        rows.append([np.median(r**2, axis=0) for r in chosen])
        for name, other in (("descent", descent), ("newton", newton), ("cg", cg)):
            heat[name].append(error_similarity(newton, other))
    return {"curves": np.array(rows), **{k: np.array(v) for k, v in heat.items()}}


NAMES = ["Newton 4", "Newton 8", "Newton 12", "descent 4", "descent 32", "descent 512", "CG 5", "CG 20", "online"]
curves = Experiment("fu2023newton.curves", curves_run, CURVES, block=1)


def tables_2(data):
    _, a = data["curves"][0]
    mean = np.exp(np.mean(np.log(a["curves"] + 1e-30), axis=0))
    rows = {"algorithm": [], "context": [], "error": []}
    for name, row in zip(NAMES, mean, strict=True):
        rows["algorithm"] += [name] * len(row)
        rows["context"] += list(range(1, len(row) + 1))
        rows["error"] += [float(v) for v in row]
    return {"curves": rows}


def tables_26(data):
    _, a = data["curves"][0]
    out = {}
    for name in ("descent", "newton", "cg"):
        mean = a[name].mean(axis=0)
        steps = HEAT[name]
        out[name] = {"newton": [k for k in HEAT["newton"] for _ in steps], "other": steps * len(HEAT["newton"]),
                     "similarity": [float(v) for v in mean.ravel()]}  # fmt: skip
    best = np.argmax(a["descent"].mean(axis=0), axis=1)
    out["match"] = {"newton": HEAT["newton"], "log2": [math.log2(HEAT["descent"][i]) for i in best]}
    return out


PARAMETERS = [
    ("d, contexts", "20, 1 to 40", "20, 1 to 40"),
    ("sequences", "320", {s: str(p[0]["sequences"]) for s, p in CURVES.items()}),
    ("Newton's α", "2/‖SSᵀ‖₂ in the text, 1/‖SSᵀ‖_F in the code", "1/λ_max(S)²"),
]
figure_2 = Figure(
    number="2", title="Squared error by context length (the algorithm curves; no transformer)",
    experiments={"curves": curves}, tables=tables_2, draw=pictures.curves, replicates=1, parameters=PARAMETERS,
    claims=[newton_wins],
)  # fmt: skip
figure_26 = Figure(
    number="26", title="Similarity of errors: Newton against descent, itself and conjugate gradients (for BFGS)",
    experiments={"curves": curves}, tables=tables_26, draw=pictures.similarity, replicates=1, parameters=PARAMETERS,
    claims=[matching_slope],
)  # fmt: skip
