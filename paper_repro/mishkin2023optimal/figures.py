"""The figures: the solution path, pruning on real data, and two optimal networks that differ between the points.

Figure 2 uses data that scikit-learn bundles; the paper uses UCI sets, CIFAR-10 and MNIST. A CSV file of yours (last
column: label 0 or 1) joins them when COROLLARY_CSV names it, with a digest of its content in the experiment's point.
"""

from __future__ import annotations

import os

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.claims.experiment import EachSeed
from corollary.figures import mishkin2023optimal as pictures
from corollary.paper_repro.bai2022.data import described, digest, standardised, table
from corollary.paper_repro.mishkin2023optimal.theory import all_optimal, line_data, same_total, slope, solved, width
from corollary.sims.common.data import digits
from corollary.theory import convex_relu

SHARES = {"smoke": 6, "laptop": 14, "paper": 40}


def path_run(n, d, count, rng):
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    D = convex_relu.all_patterns(X)
    shares = np.geomspace(0.02, 1.05, count)
    P = convex_relu.path(X, y, D, list(shares * convex_relu.critical_beta(X, y, D)), tol=1e-7)
    pruned = [s.network().prune(tol=1e-6).U.shape[1] for s in P.solutions]
    return {"beta": P.betas, "p": P.objective, "T": P.penalty, "loss": P.loss, "neurons": np.array(pruned, float)}


paths = Experiment(
    "mishkin2023optimal.paths", EachSeed(path_run),
    {scale: [{"n": 10, "d": 2, "count": k}] for scale, k in SHARES.items()}, replicates=1, block=1, source=path_run,
)  # fmt: skip


def path_tables(data):
    _, arrays = data["paths"][0]
    return {"path": {name: list(values[0]) for name, values in arrays.items()}}


figure_1 = Figure(
    number="1",
    title="The solution path: p(β) concave with slope T(β); T falls, neurons leave, the network is zero from β_c on",
    experiments={"paths": paths},
    tables=path_tables,
    draw=pictures.path,
    replicates=1,
    parameters=[
        ("data", "none in the paper", "n = 10, d = 2, N(0, 1)"),
        ("β", "none", {k: str(v) for k, v in SHARES.items()}),
    ],
    claims=[slope],
)


def dataset(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Standardised inputs with a constant column, labels ±1."""
    from sklearn import datasets

    if name.startswith("CSV:"):
        _, known, path = name.split(":", 2)
        if known != "missing" and digest(path) != known:
            raise ValueError(
                f"{path} has digest {digest(path)}; expected {known}: the file changed since it was planned"
            )
        X, labels = table(path)
        positive = labels > 0
    elif name == "digits":
        X, labels = digits()
        assert labels is not None
        keep = np.isin(np.asarray(labels), (3, 8))
        X, positive = X[keep], labels[keep] == 3
    else:
        X, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
        positive = labels == 0 if name != "breast_cancer" else labels == 1
        positive = labels == 1 if name == "iris" else positive  # the class that is not separable
    return np.concatenate([standardised(X), np.ones((len(X), 1))], axis=1), np.where(positive, 1.0, -1.0)


YOURS = [f"CSV:{digest(path)}:{path}" for path in [os.environ.get("COROLLARY_CSV")] if path]
NAMES = ["iris", "wine", "breast_cancer", "digits", *YOURS]
COUNT = {"smoke": 15, "laptop": 20, "paper": 30}


def pruning_run(data, count, patterns, rng):
    X, y = dataset(data)
    pick = rng.permutation(len(y))
    train, test = pick[:count], pick[count:]
    gates = convex_relu.sample_gates(X[train], patterns, rng)
    D = convex_relu.patterns_of(X[train], gates)
    beta = 0.002 * convex_relu.critical_beta(X[train], y[train], D)
    # an optimum of generic data is minimal already; a first-order solution to 1 % spreads over more neurons
    net = convex_relu.solve(X[train], y[train], beta, D, tol=1e-2, solver="admm").network()
    small = net.prune(tol=1e-7)
    accuracy = [np.mean(np.sign(m.predict(X[test])) == y[test]) for m in (net, small)]
    change = np.max(np.abs(np.asarray(small.predict(X[train])) - np.asarray(net.predict(X[train]))))
    return {"before": float(net.U.shape[1]), "after": float(small.U.shape[1]), "accuracy": np.array(accuracy),
            "change": float(change)}  # fmt: skip


pruning = Experiment(
    "mishkin2023optimal.pruning", EachSeed(pruning_run),
    {scale: [{"data": name, "count": k, "patterns": 40} for name in NAMES] for scale, k in COUNT.items()},
    replicates=5, block=1, source=pruning_run,
)  # fmt: skip


def shown(name: str) -> str:
    return described(name) if ":" in name else name


def pruning_tables(data):
    columns = {"data": [], "change": []}
    for name in ("before", "after", "accuracy_before", "accuracy_after"):
        columns[name], columns[f"{name}_se"] = [], []
    for point, arrays in data["pruning"]:
        columns["data"].append(shown(point["data"]))
        columns["change"].append(float(arrays["change"].max()))
        accuracy = {"accuracy_before": arrays["accuracy"][:, 0], "accuracy_after": arrays["accuracy"][:, 1]}
        for name, values in ({k: arrays[k] for k in ("before", "after")} | accuracy).items():
            count = len(values)
            columns[name].append(float(values.mean()))
            columns[f"{name}_se"].append(float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0)
    return {"pruning": columns}


figure_2 = Figure(
    number="2",
    title="Neurons before and after pruning, and the accuracy on the rest of the data",
    experiments={"pruning": pruning},
    tables=pruning_tables,
    draw=pictures.pruning,
    replicates={"smoke": 1, "laptop": 3, "paper": 5},
    parameters=[
        ("data sets", "10 from UCI", ", ".join(["iris, wine, breast cancer, digits 3 against 8 (bundled)",
                                               *map(shown, YOURS)])),
        ("training points", "half of each", {k: str(v) for k, v in COUNT.items()}),
        ("gates", "25", "40"),
        ("penalty", "λ = 0.01", "0.2 % of the critical β, solved by ADMM to 1 %"),
        ("repeats", "5", {"smoke": "1", "laptop": "3", "paper": "5"}),
    ],
    claims=[width],
)  # fmt: skip


def optima(n, rng):
    """The first instance drawn whose optimum is not unique: its neurons' kinks, and α in three solutions."""
    while True:
        X, y = line_data(n, rng)
        s, _ = solved(X, y, 0.05)
        O = convex_relu.optimal_set(s)
        if O.dimension:
            break
    vertices = [O.minimal(rng) for _ in range(20)]
    apart = max(vertices, key=lambda a: float(np.linalg.norm(a - vertices[0])))
    slope_, bias = O.directions
    alphas = np.zeros((3, 3 * n))
    kinks, facing = np.full(3 * n, np.nan), np.zeros(3 * n)
    m = len(O.signs)
    kinks[:m], facing[:m] = -bias / slope_, np.sign(slope_)
    alphas[:, :m] = np.stack([vertices[0], apart, O.minimum_norm()]) * O.signs
    return {"x": X[:, 0], "kinks": kinks, "facing": facing, "alphas": alphas}


solutions = Experiment(
    "mishkin2023optimal.solutions", EachSeed(optima), [{"n": 6}], replicates=1, block=1, source=optima
)


def solution_tables(data):
    _, arrays = data["solutions"][0]
    neurons = {"solution": [], "neuron": [], "kink": [], "facing": [], "alpha": []}
    used = np.flatnonzero(np.isfinite(arrays["kinks"][0]))
    order = used[np.argsort(arrays["kinks"][0][used])]
    for name, alpha in zip(("one vertex", "another vertex", "minimum norm"), arrays["alphas"][0], strict=True):
        for place, i in enumerate(order):
            neurons["solution"].append(name)
            neurons["neuron"].append(place)
            neurons["kink"].append(float(arrays["kinks"][0][i]))
            neurons["facing"].append("right" if arrays["facing"][0][i] > 0 else "left")
            neurons["alpha"].append(float(alpha[i]))
    return {"neurons": neurons}


figure_3 = Figure(
    number="3",
    title="Three optimal networks of one program: the same fit and the same Σα, spread over different neurons",
    experiments={"solutions": solutions},
    tables=solution_tables,
    draw=pictures.solutions,
    replicates=1,
    parameters=[
        ("data", "n = 4, d = 2", "n = 6 points on a line, with bias"),
        ("penalty", "λ = 0.01", "5 % of the critical β"),
    ],
    claims=[same_total, all_optimal],
)
