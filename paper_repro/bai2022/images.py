"""Section 5 on two classes of images: accuracy against iterations of ADMM, and accuracy under attack."""

from __future__ import annotations

from functools import partial

import numpy as np

from corollary.arrays import namespace_for
from corollary.claims import Claim, Experiment, Figure
from corollary.claims.experiment import EachSeed
from corollary.figures import bai2022 as pictures
from corollary.paper_repro.bai2022.admm import Trajectory
from corollary.paper_repro.bai2022.data import described, source, two_classes
from corollary.paper_repro.bai2022.robust import as_batch, buys, worst_case
from corollary.sims.convex_relu import attacks, training
from corollary.sims.convex_relu import network as nonconvex
from corollary.theory import convex_relu
from corollary.verdicts import Bound

DATA = source()
SHAPE = f"{described(DATA)}, {'standardised' if DATA.startswith('CSV') else '4 × 4 pixels in [0, 1]'}"
LITTLE = 0.02  # β over the critical β: enough not to interpolate
TEST = 200


def split(data: str, count: int, rng: np.random.Generator):
    """`count` training inputs and labels, TEST others."""
    X, y = two_classes(data)
    order = rng.permutation(len(y))
    train, test = order[:count], order[count : count + TEST]
    return X[train], y[train], X[test], y[test]


def patterns_on(X: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` sampled patterns and that of the constant input: grey values are positive, its cone has most room."""
    return np.concatenate([convex_relu.sample_patterns(X, count, rng), np.ones((len(X), 1))], axis=1)


def right(f: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.where(f >= 0, 1.0, -1.0) == y))


def learning(data, count, patterns, steps, rng):
    """Test accuracy of the network of ADMM's iterate v^k as it is, k = 1 … steps, and of the optimum's network."""
    X, y, X_test, y_test = split(data, count, rng)
    D = patterns_on(X, patterns, rng)
    beta = LITTLE * convex_relu.critical_beta(X, y, D)
    run = Trajectory(X, y, beta, D, float(beta), steps, every=1)
    accuracy = []
    for k in range(1, steps + 1):
        v = run.copies[k]
        f = np.sum(np.maximum(X_test @ v[0].T, 0), axis=1) - np.sum(np.maximum(X_test @ v[1].T, 0), axis=1)
        accuracy.append(right(f, y_test))
    best = convex_relu.solve(X, y, beta, D, tol=1e-2).network()
    optimum = right(np.asarray(best.predict(X_test)), y_test)
    short = np.flatnonzero(np.array(accuracy) < 0.95 * optimum)
    return {"accuracy": np.array(accuracy), "optimum": optimum, "needed": float(short[-1] + 2 if len(short) else 1)}


early = Experiment(
    "bai2022.early", EachSeed(learning), [{"data": DATA, "count": 40, "patterns": 15, "steps": 16}], replicates=128,
    block=8, source=learning,
)  # fmt: skip

early_accuracy = Claim(
    r"\text{from iteration 8 on ADMM's iterate has 95 \% of the optimum's accuracy, or more}",
    Bound(8.0, resolution=0.35),
    id="bai2022.early-accuracy",
    where="Abstract and Section 5 (experiments), the numbers ours",
    theorem="Abstract: the initial several iterations of ADMM often yield a solution with high prediction accuracy.",
    measure=early["needed"],
    rivals={"from the second": 2.0, "from the third": 3.0},
)

LEARN = {"smoke": 60, "laptop": 100, "paper": 200}
curves = Experiment(
    "bai2022.learning", EachSeed(learning),
    {scale: [{"data": DATA, "count": k, "patterns": 20, "steps": 60}] for scale, k in LEARN.items()}, replicates=8,
    block=1, source=learning,
)  # fmt: skip


def learning_tables(data):
    columns = {"step": [], "mean": [], "se": [], "optimum": []}
    _, arrays = data["curves"][0]
    values = arrays["accuracy"]
    for k in range(values.shape[1]):
        if k < 20 or k % 5 == 4:
            columns["step"].append(k + 1)
            columns["mean"].append(float(values[:, k].mean()))
            columns["se"].append(float(values[:, k].std(ddof=1) / np.sqrt(len(values))))
            columns["optimum"].append(float(arrays["optimum"].mean()))
    return {"accuracy": columns}


figure_3 = Figure(
    number="3",
    title=f"Test accuracy against iterations of ADMM: {described(DATA)}",
    experiments={"curves": curves},
    tables=learning_tables,
    draw=pictures.learning,
    replicates={"smoke": 2, "laptop": 5, "paper": 8},
    parameters=[
        ("data", "mammographic masses (UCI), MNIST, Fashion-MNIST, CIFAR-10", SHAPE),
        ("training points", "all", {k: str(v) for k, v in LEARN.items()}),
        ("patterns", "120 and others", "20"),
        ("β", "1e-4 and others", "2 % of the critical β"),
    ],
    claims=[early_accuracy],
)

RADII = [0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3]
RADIUS = 0.1
PENALTY = 0.05
LABELS = {
    "clean": "convex, clean inputs",
    "robust": f"convex, robust program, ε = {RADIUS:g}",
    "fgsm": f"gradient descent, FGSM, ε = {RADIUS:g}",
    "pgd": f"gradient descent, PGD, ε = {RADIUS:g}",
}


def adversarially(X, y, inner, rng) -> nonconvex.TwoLayer:
    """The paper's baseline: gradient descent on the hinge loss of inputs that the inner attack moves at every step.

    With the 10 neurons of the convex programs, or at twice the rate, some runs end stuck at a far higher loss.
    """
    net = nonconvex.init(X.shape[1], WIDTH, [rng], namespace_for("cpu"))
    # the hinge has no gradient beyond its margin: attacks use the logistic loss, here and below
    moved = partial(inner, radius=RADIUS, loss="logistic")
    return training.descend(net, X, y, PENALTY, "hinge", learning_rate=2e-3, steps=DESCENT, perturb=moved).net


def attacked(data, count, patterns, rng):
    """Test accuracies under PGD at RADII of four networks trained on `count` inputs: see LABELS."""
    X, y, X_test, y_test = split(data, count, rng)
    D = patterns_on(X, patterns, rng)
    nets = {
        "clean": as_batch(convex_relu.solve(X, y, PENALTY, D, "hinge", tol=1e-3).network()),
        "robust": as_batch(convex_relu.solve_robust(X, y, PENALTY, D, RADIUS, "hinge", tol=1e-3).network()),
        "fgsm": adversarially(X, y, attacks.fgsm, rng),
        "pgd": adversarially(X, y, partial(attacks.pgd, steps=5), rng),
    }
    out = {}
    for name, batch in nets.items():
        accuracy = []
        for eps in RADII:
            moved = attacks.pgd(batch, X_test, y_test, eps, "logistic") if eps else X_test
            accuracy.append(right(nonconvex.predict(batch, moved)[0], y_test))
        out[name] = np.array(accuracy)
    return out


DESCENT, WIDTH = 1000, 50
TRAIN = {"smoke": 12, "laptop": 32, "paper": 100}
accuracies = Experiment(
    "bai2022.accuracies", EachSeed(attacked),
    {scale: [{"data": DATA, "count": k, "patterns": 4}] for scale, k in TRAIN.items()}, replicates=10, block=1,
    source=attacked,
)  # fmt: skip


def accuracy_tables(data):
    columns = {"network": [], "radius": [], "mean": [], "se": []}
    _, arrays = data["accuracies"][0]
    for name, label in LABELS.items():
        values = arrays[name]
        for i, eps in enumerate(RADII):
            columns["network"].append(label)
            columns["radius"].append(eps)
            columns["mean"].append(float(values[:, i].mean()))
            columns["se"].append(float(values[:, i].std(ddof=1) / np.sqrt(len(values))))
    return {"accuracy": columns}


figure_4 = Figure(
    number="4",
    title=f"Accuracy under attack: {described(DATA)}",
    experiments={"accuracies": accuracies},
    tables=accuracy_tables,
    draw=pictures.robustness,
    replicates={"smoke": 2, "laptop": 5, "paper": 10},
    parameters=[
        ("data", "CIFAR-10 bird against ship, downsampled", SHAPE),
        ("training images", "600", {k: str(v) for k, v in TRAIN.items()}),
        ("training radius", "10/255", f"{RADIUS:g}; of the constant input too"),
        ("baseline", "gradient descent with FGSM and PGD", f"the same: {DESCENT} steps, hinge loss, {WIDTH} neurons"),
    ],
    claims=[worst_case, buys],
)
