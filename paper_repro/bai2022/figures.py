"""The figures: convergence of ADMM, violation of the sampled program, accuracy under attack on real images.

Figure 3 uses scikit-learn's bundled digits (3 against 8); set COROLLARY_MNIST to a folder of IDX files (MNIST, Fashion-
MNIST) or COROLLARY_CSV to a CSV file (last column: label 0 or 1) to use those. The paper uses CIFAR-10 and UCI sets.
"""

from __future__ import annotations

import os

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.claims.experiment import EachSeed
from corollary.figures import bai2022 as pictures
from corollary.paper_repro.bai2022.admm import STEPS, Trajectory, problem, rate, raw_below
from corollary.paper_repro.bai2022.robust import as_batch, buys, worst_case
from corollary.paper_repro.bai2022.scp import mean_violation, scenarios
from corollary.sims.common import data as sources
from corollary.sims.convex_relu import attacks
from corollary.sims.convex_relu import network as nonconvex
from corollary.theory import convex_relu


def trajectory(n, d, patterns, rng):
    while True:
        X, y, beta, D = problem(n, d, patterns, rng)
        run = Trajectory(X, y, beta, D, 1.0, STEPS)
        if run.distance[-1] <= 1e-10 * run.distance[0]:
            break
    lam = convex_relu.linearised_rate(run.factors, run.state, beta)
    return {"distance": run.distance, "rate": np.array(lam)}


tails = Experiment(
    "bai2022.tails", EachSeed(trajectory), [{"n": 5, "d": 2, "patterns": 6}], replicates=3, block=3, source=trajectory
)
LOOKS = [3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800]


def gaps(n, d, patterns, rng):
    X, y, beta, D = problem(n, d, patterns, rng)
    run = Trajectory(X, y, beta, D, float(beta), LOOKS[-1], every=1)
    best = convex_relu.solve(X, y, beta, D, tol=1e-9).objective
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
        last = int(np.argmax(distance < 1e-11 * distance[0])) or len(distance) - 1
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
    title="How often a new direction is violated after N sampled ones (n = 8, d = 3)",
    experiments={"scenarios": scenarios},
    tables=violation_tables,
    draw=pictures.violation,
    replicates={"smoke": 24, "laptop": 64, "paper": 256},
    parameters=[
        ("data", "not given", "n = 8, d = 3, N(0, 1)"),
        ("N", "not given", {"smoke": "20, 100", "laptop": "20 … 300", "paper": "20 … 1000"}),
    ],
    claims=[mean_violation],
)  # fmt: skip

RADII = [0.0, 0.05, 0.1, 0.15, 0.2, 0.3]


def images() -> tuple[np.ndarray, np.ndarray]:
    """Inputs with an extra coordinate that is one, labels ±1."""
    if path := os.environ.get("COROLLARY_CSV"):
        _, table = sources.read_csv(path)
        X, y = table[:, :-1], np.where(table[:, -1] > 0, 1.0, -1.0)
        X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12)
    else:
        path = os.environ.get("COROLLARY_MNIST")
        X, labels = sources.mnist(path) if path else sources.digits()
        if labels is None:
            raise ValueError("COROLLARY_MNIST names a file of images alone; expected a folder that holds labels too")
        keep = np.isin(labels, (3, 8))
        X, y = X[keep], np.where(labels[keep] == 3, 1.0, -1.0)
    return np.concatenate([X, np.ones((len(X), 1))], axis=1), y


def attacked(count, patterns, radius, rng):
    """Test accuracies under PGD at RADII of the clean and the robust network, trained on `count` images."""
    X, y = images()
    order = rng.permutation(len(y))
    train, test = order[:count], order[count : count + 200]
    D = convex_relu.sample_patterns(X[train], patterns, rng)
    clean = convex_relu.solve(X[train], y[train], 0.05, D, "hinge", tol=1e-3).network()
    robust = convex_relu.solve_robust(X[train], y[train], 0.05, D, radius, "hinge", tol=1e-3).network()
    out = {}
    for name, net in (("clean", clean), ("robust", robust)):
        batch = as_batch(net)
        accuracy = []
        for eps in RADII:
            moved = attacks.pgd(batch, X[test], y[test], eps, "logistic") if eps else X[test]
            accuracy.append(np.mean(np.sign(nonconvex.predict(batch, moved)[0]) == y[test]))
        out[name] = np.array(accuracy)
    return out


TRAIN = {"smoke": 10, "laptop": 24, "paper": 60}
accuracies = Experiment(
    "bai2022.accuracies", EachSeed(attacked),
    {scale: [{"count": k, "patterns": 3, "radius": 0.1}] for scale, k in TRAIN.items()}, replicates=4, block=2,
    source=attacked,
)  # fmt: skip


def accuracy_tables(data):
    columns = {"network": [], "radius": [], "mean": [], "se": []}
    _, arrays = data["accuracies"][0]
    for name, label in (("clean", "trained on clean inputs"), ("robust", "robust program, ε = 0.1")):
        values = arrays[name]
        for i, eps in enumerate(RADII):
            columns["network"].append(label)
            columns["radius"].append(eps)
            columns["mean"].append(float(values[:, i].mean()))
            columns["se"].append(float(values[:, i].std(ddof=1) / np.sqrt(len(values))))
    return {"accuracy": columns}


figure_3 = Figure(
    number="3",
    title="Accuracy under attack: digits 3 against 8",
    experiments={"accuracies": accuracies},
    tables=accuracy_tables,
    draw=pictures.robustness,
    replicates={"smoke": 2, "laptop": 4, "paper": 10},
    parameters=[
        ("data", "CIFAR-10 bird against ship, downsampled", "digits 3 against 8, 8 × 8 pixels in [0, 1]"),
        ("training images", "600", {k: str(v) for k, v in TRAIN.items()}),
        ("training radius", "10/255", "0.1"),
    ],
    claims=[worst_case, buys],
)
