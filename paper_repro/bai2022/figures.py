"""The figures on synthetic data: convergence of ADMM, violation of the sampled program."""

from __future__ import annotations

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.claims.experiment import EachSeed
from corollary.figures import bai2022 as pictures
from corollary.paper_repro.bai2022.admm import Trajectory, problem, rate, raw_below
from corollary.paper_repro.bai2022.scp import mean_violation, scenarios
from corollary.theory import convex_relu

STEPS = 500


def trajectory(n, d, patterns, rng):
    """An instance whose run ends within STEPS (the tail is in reach), and its rate."""
    while True:
        X, y, beta, D = problem(n, d, patterns, rng)
        run = Trajectory(X, y, beta, D, 1.0, STEPS)
        if run.distance[-1] <= 1e-10 * run.distance[0]:
            break
    lam = convex_relu.linearised_rate(run.factors, run.state, beta)
    return {"distance": run.distance, "rate": np.array(lam)}


tails = Experiment(
    "bai2022.tails", EachSeed(trajectory), [{"n": 5, "d": 2, "patterns": 6}], replicates=3, block=1, source=trajectory
)
LOOKS = [3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800]


def gaps(n, d, patterns, rng):
    X, y, beta, D = problem(n, d, patterns, rng)
    run = Trajectory(X, y, beta, D, float(beta), LOOKS[-1], every=1)
    best = convex_relu.solve(X, y, beta, D, tol=1e-8).objective
    return {
        "raw": np.array([run.objective(run.copies[k]) / best - 1 for k in LOOKS]),
        "projected": np.array([run.objective(run.projected(run.copies[k])) / best - 1 for k in LOOKS]),
    }


gap_runs = Experiment(
    "bai2022.gaps", EachSeed(gaps), [{"n": 40, "d": 4, "patterns": 20}], replicates=1, block=1, source=gaps
)


def convergence_tables(data):
    runs = {"replicate": [], "step": [], "distance": [], "predicted": []}
    _, arrays = data["tails"][0]
    for k in range(len(arrays["rate"])):
        distance, lam = arrays["distance"][k], float(arrays["rate"][k])
        # the end of the run stands for the limit: near it distances are too small
        last = int(np.argmax(distance < 1e-11 * distance[0])) or int(0.85 * len(distance))
        anchor = int(np.argmax(distance < 1e-6 * distance[0]))
        for t in range(0, last, 2):
            runs["replicate"].append(k)
            runs["step"].append(t)
            runs["distance"].append(float(distance[t]))
            runs["predicted"].append(
                float(distance[anchor] * lam ** (t - anchor)) if t >= anchor // 2 else float("nan")
            )
    _, arrays = data["gaps"][0]
    return {
        "runs": runs,
        "gaps": {"step": LOOKS, "raw": list(arrays["raw"][0]), "projected": list(arrays["projected"][0])},
    }


figure_1 = Figure(
    number="1",
    title="ADMM: the tail contracts at the linearised rate; the iterate must be projected before it bounds p*",
    experiments={"tails": tails, "gaps": gap_runs},
    tables=convergence_tables,
    draw=pictures.convergence,
    replicates={"tails": 3, "gaps": 1},
    parameters=[
        ("n, d, patterns (left)", "n = 6, d = 5, 8 patterns", "5, 2, 6"),
        ("n, d, patterns (right)", "n = 6, d = 5, 8 patterns", "40, 4, 20"),
        ("iterations", "2000", f"{STEPS}; {LOOKS[-1]}"),
    ],
    claims=[rate, raw_below],
)  # fmt: skip


def violation_tables(data):
    measured = {"N": [], "mean": [], "se": []}
    for point, arrays in data["scenarios"]:
        v = arrays["violation"]
        measured["N"].append(point["N"])
        measured["mean"].append(float(v.mean()))
        measured["se"].append(float(v.std(ddof=1) / np.sqrt(len(v))))
    theory = {"N": [], "bound": [], "rank": [], "paper": []}
    levels = np.linspace(0.001, 0.999, 999)
    for N in np.unique(np.geomspace(15, 1200, 40).astype(int)):
        # E V = ∫ P(V > ξ) dξ with the paper's sufficient N turned into the least ψ it allows at each ξ
        psi = np.minimum(1.0, np.minimum(9 / (levels * (N + 1)), np.exp(9 - N * levels / 2)))
        theory["N"].append(int(N))
        theory["bound"].append(convex_relu.mean_violation_bound(8, int(N)))
        theory["rank"].append(4 / (N + 1))
        theory["paper"].append(float(np.mean(psi)))
    return {"measured": measured, "theory": theory}


figure_2 = Figure(
    number="2",
    title="How often a new direction breaks the dual's constraint after N sampled ones (n = 8, d = 3)",
    experiments={"scenarios": scenarios},
    tables=violation_tables,
    draw=pictures.violation,
    replicates={"smoke": 24, "laptop": 40, "paper": 256},
    parameters=[
        ("data", "not given", "n = 8, d = 3, N(0, 1)"),
        ("N", "not given", {"smoke": "20, 100", "laptop": "20 … 300", "paper": "20 … 1000"}),
    ],
    claims=[mean_violation],
)  # fmt: skip
