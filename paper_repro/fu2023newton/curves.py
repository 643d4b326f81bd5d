"""The algorithm curves of Figures 2, 4, 5, 7 and 15, the heat maps of Figure 26; no transformer in any of them.

Figures 4 and 15 are those of ill-conditioned data: Σ has eigenvalues 100 and 1, ten each, in a random basis a sequence.
L-BFGS (memory 10) stands for the paper's BFGS and L-BFGS.
"""

from __future__ import annotations

import math

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.figures import fu2023newton as pictures
from corollary.paper_repro.fu2023newton.matching import (
    RATE,
    ill_conditioned,
    matching_slope,
    newton_wins,
    one_context,
    sequences,
)
from corollary.sims.icl import algorithms
from corollary.sims.icl.metrics import best_match, error_similarity, weight_similarity

COUNT = {"smoke": 8, "laptop": 16, "paper": 320}
MOST = {"smoke": (14, 8), "laptop": (23, 10), "paper": (23, 12)}  # Newton steps; log₂ of descent steps
QUASI = list(range(1, 31))


def points(spread: float) -> dict:
    return {
        s: [{"sequences": COUNT[s], "spread": spread, "rate": RATE / spread, "newton": k, "doublings": j}]
        for s, (k, j) in MOST.items()
    }  # fmt: skip


def chosen(point) -> tuple[list[int], list[int]]:
    """Steps of Newton 1, 2, …; of descent 1, 2, 4, …."""
    return list(range(1, point["newton"] + 1)), [2**j for j in range(point["doublings"] + 1)]


def curves_run(point, seeds, xp):
    """errors of every algorithm, recorded step and context length (medians over sequences), and the similarities of
    Newton's errors (descent, newton, lbfgs, cg) and induced weights (weights: descent's) with others'. Host only."""
    ks, js = chosen(point)
    out = {}
    for seed in seeds:
        c = sequences(20, 40, point["sequences"], np.random.default_rng(seed), point["spread"])
        runs = {
            "newton": algorithms.newton(c, ks), "descent": algorithms.gradient_descent(c, js, point["rate"]),
            "lbfgs": algorithms.lbfgs(c, QUASI), "cg": algorithms.conjugate_gradients(c, QUASI),
            "online": [algorithms.online_descent(c)],
        }  # fmt: skip
        runs = {name: np.stack(r) for name, r in runs.items()}
        for name, r in runs.items():
            out.setdefault(f"{name}_errors", []).append(np.median(r**2, axis=1))
        for name in ("newton", "descent", "lbfgs", "cg"):
            out.setdefault(name, []).append(error_similarity(runs["newton"], runs[name]))
        pair = (
            algorithms.newton(c, ks, read=algorithms.weights),
            algorithms.gradient_descent(c, js, point["rate"], read=algorithms.weights),
        )
        out.setdefault("weights", []).append(weight_similarity(*(np.stack(r) for r in pair)))
    return {name: np.array(v) for name, v in out.items()}


isotropic = Experiment("fu2023newton.curves", curves_run, points(1.0), block=1)
ill = Experiment("fu2023newton.ill-conditioned-curves", curves_run, points(100.0), block=1)
AFTER = (5, 10, 15, 20, 22, 25, 30, 35)  # examples, of Figure 2
SHOWN = {"newton": (5, 10, 20), "descent": (4, 32, 256), "lbfgs": (10, 30), "cg": (5, 20)}
TITLES = {"newton": "Newton", "descent": "descent", "lbfgs": "L-BFGS", "cg": "CG", "online": "online"}


def _errors(data, name: str) -> tuple[dict, np.ndarray]:
    point, a = data["curves"][0]
    return point, np.exp(np.mean(np.log(a[f"{name}_errors"] + 1e-30), axis=0))


def tables_progress(data):
    """Errors of Newton and of descent by number of steps, for several context lengths."""
    out = {}
    for name, i in (("newton", 0), ("descent", 1)):
        point, mean = _errors(data, name)
        steps = chosen(point)[i]
        out[name] = {
            "context": [n for n in AFTER for _ in steps], "steps": steps * len(AFTER),
            "error": [float(v) for n in AFTER for v in mean[:, n - 1]],
        }  # fmt: skip
    return out


def tables_contexts(data, shown=SHOWN):
    """Errors by context length."""
    rows = {"algorithm": [], "context": [], "error": []}
    for name in (n for n in TITLES if n in shown or n == "online"):
        point, mean = _errors(data, name)
        steps = {"newton": chosen(point)[0], "descent": chosen(point)[1]}.get(name, QUASI)
        for k in (k for k in shown.get(name, (0,)) if k <= max(steps)):
            row = mean[steps.index(k)] if k else mean[0]
            rows["algorithm"] += [f"{TITLES[name]} {k}" if k else TITLES[name]] * len(row)
            rows["context"] += list(range(1, len(row) + 1))
            rows["error"] += [float(v) for v in row]
    return {"curves": rows}


def tables_online(data):
    """Errors by context length of online descent and of five Newton steps."""
    return tables_contexts(data, {"newton": (5,)})


def tables_steps(data):
    """Errors at 40 examples by number of steps."""
    rows = {"algorithm": [], "steps": [], "error": []}
    for name in ("newton", "descent", "lbfgs", "cg"):
        point, mean = _errors(data, name)
        steps = {"newton": chosen(point)[0], "descent": chosen(point)[1]}.get(name, QUASI)
        rows["algorithm"] += [TITLES[name]] * len(steps)
        rows["steps"] += steps
        rows["error"] += [float(v) for v in mean[:, -1]]
    return {"steps": rows}


def tables_similarity(data):
    point, a = data["curves"][0]
    ks, js = chosen(point)
    out = {}
    for name, steps in (("descent", js), ("newton", ks), ("lbfgs", QUASI)):
        mean = a[name].mean(axis=0)
        out[name] = {"newton": [k for k in ks for _ in steps], "other": steps * len(ks),
                     "similarity": [float(v) for v in mean.ravel()]}  # fmt: skip
    best, weights = (best_match(a[name].mean(axis=0)) for name in ("descent", "weights"))
    out["match"] = {
        "newton": ks, "log2": [math.log2(js[i]) for i in best], "log2_weights": [math.log2(js[i]) for i in weights],
    }  # fmt: skip
    return out


def parameters(setting: str) -> list:
    return [
        ("d, contexts", "20, 1 to 40", "20, 1 to 40"),
        ("Σ", setting, setting),
        ("sequences", "320", {s: str(n) for s, n in COUNT.items()}),
        (
            "steps of Newton, of descent",
            "1 to 23, 1 to 4096",
            {s: f"1 to {k}, 1 to {2**j}" for s, (k, j) in MOST.items()},
        ),
        ("Newton's α", "2/‖SSᵀ‖₂ in the text, 1/‖SSᵀ‖_F in the code", "1/λ_max(S)²"),
        ("online descent", "η = 1/|x|²", "η = 1/|x|²"),
        ("errors", "mean of squares", "median of squares"),
        ("quasi-Newton", "BFGS, L-BFGS", "L-BFGS, memory 10"),
    ]


SPREAD = "eigenvalues 100 and 1, ten each, rotated"
figure_2 = Figure(
    number="2", title="Squared error by number of steps, panels (b) and (c): Newton and descent at 5 to 35 examples",
    experiments={"curves": isotropic}, tables=tables_progress, draw=pictures.progress, replicates=1,
    parameters=parameters("identity"), claims=[newton_wins],
)  # fmt: skip
figure_4 = Figure(
    number="4", title="Ill-conditioned data: squared error at 40 examples by number of steps (no transformer)",
    experiments={"curves": ill}, tables=tables_steps, draw=pictures.steps, replicates=1,
    parameters=parameters(SPREAD), claims=[newton_wins, ill_conditioned],
)  # fmt: skip
figure_5 = Figure(
    number="5", title="Online descent and five Newton steps by context length, left panel (no LSTM, no transformer)",
    experiments={"curves": isotropic}, tables=tables_online, draw=pictures.curves, replicates=1,
    parameters=parameters("identity"), claims=[newton_wins],
)  # fmt: skip
figure_7 = Figure(
    number="7", title="Squared error by context length, panel (b): Newton; with descent, L-BFGS, CG, online descent",
    experiments={"curves": isotropic}, tables=tables_contexts, draw=pictures.curves, replicates=1,
    parameters=parameters("identity"), claims=[newton_wins],
)  # fmt: skip
figure_15 = Figure(
    number="15", title="Figure 7 for ill-conditioned data",
    experiments={"curves": ill}, tables=tables_contexts, draw=pictures.curves, replicates=1,
    parameters=parameters(SPREAD), claims=[ill_conditioned],
)  # fmt: skip
figure_26 = Figure(
    number="26", title="Similarity of errors: Newton against descent, itself and L-BFGS",
    experiments={"curves": isotropic}, tables=tables_similarity, draw=pictures.similarity, replicates=1,
    parameters=parameters("identity"), claims=[matching_slope, one_context],
)  # fmt: skip
figure_26_ill = Figure(
    number="26 ill-conditioned", title="Figure 26 for ill-conditioned data (not a figure of the paper)",
    experiments={"curves": ill}, tables=tables_similarity, draw=pictures.similarity, replicates=1,
    parameters=parameters(SPREAD), claims=[ill_conditioned],
)  # fmt: skip
