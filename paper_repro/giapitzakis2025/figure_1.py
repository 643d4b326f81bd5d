"""Figure 1: models until a share 1 − δ of the inputs of two ones is read right, drawn and trained."""

from __future__ import annotations

import numpy as np

from corollary.claims import Experiment, Figure, grid
from corollary.figures import giapitzakis2025 as pictures
from corollary.paper_repro.giapitzakis2025.ensembles import enough, joint
from corollary.paper_repro.giapitzakis2025.prediction import KERNELS, standard, variance
from corollary.sims.ntk import permutation_networks
from corollary.theory.ntk.permutations import permutation_ensemble

SIZES = {"smoke": [5, 10], "laptop": [5, 10, 15, 20, 25, 30], "paper": list(range(2, 31))}


DELTAS = (0.1, 0.001)


def models_needed(point, seeds, xp):
    """needed (R, 2): limit networks added until a share 1 − δ of 1000 random inputs of two ones is read right.

    Drawn from their joint law at all inputs of two ones; `at_once` of them together, 1 % of the bound.
    """
    k, kernel = point["k"], point["kernel"]
    bits = permutation_networks.pairs(k)
    mean, root = joint(k, kernel, bits)
    most = permutation_ensemble(k, 2, DELTAS[1] / len(bits), kernel)
    at_once = max(1, permutation_ensemble(k, 2, DELTAS[0], kernel) // 100)
    found = []
    for seed in seeds:
        rng, total, N, needed = np.random.default_rng(seed), 0.0, 0, [np.nan, np.nan]
        weights = rng.multinomial(1000, np.full(len(bits), 1 / len(bits))) / 1000
        while N < most and np.any(np.isnan(needed)):
            N += at_once
            total = total + at_once * mean + at_once**0.5 * (root @ rng.standard_normal((len(root), k)))
            share = weights @ np.all((total > 0) == (bits > 0), axis=1)
            needed = [N if np.isnan(old) and share >= 1 - δ else old for old, δ in zip(needed, DELTAS, strict=True)]
        found.append(needed)
    return {"needed": xp.asarray(np.array(found, dtype=float))}


def tables(data):
    """Models needed against k for both kernels and both δ, drawn and trained, beside the bound for one input."""
    rows = {"delta": [], "kernel": [], "source": [], "k": [], "median": [], "least": [], "most": [], "bound": []}
    for source in ("drawn", "trained"):
        for point, arrays in data[source]:
            kernel = point["kernel"] if source == "drawn" else KERNELS[point["parametrization"]]
            for i, δ in enumerate(DELTAS):
                values = arrays["needed"][:, i]
                row = (δ, kernel, source, point["k"], np.median(values), values.min(), values.max())
                for name, value in zip(rows, (*row, permutation_ensemble(point["k"], 2, δ, kernel)), strict=True):
                    rows[name].append(value if isinstance(value, str) else float(value))
    return {"models": rows}


drawn = Experiment(
    "giapitzakis2025.drawn", models_needed,
    {s: grid(kernel=["ntk", "nngp"], k=ks) for s, ks in SIZES.items()}, replicates=10, block=2,
)  # fmt: skip
TRAINED = {"smoke": ([3, 5], 256), "laptop": ([5, 10], 512), "paper": ([5, 10, 15, 20, 25, 30], 50000)}
ensembles = Experiment(
    "giapitzakis2025.ensembles", permutation_networks.ensembles,
    {
        s: grid(k=ks, n=n, parametrization=["ntk", "standard"], deltas=[list(DELTAS)], most=20000, at_once=16)
        for s, (ks, n) in TRAINED.items()
    },
    replicates=10, block=1,
)  # fmt: skip

figure_1 = Figure(
    number="1",
    title="Models until a share 1 − δ of inputs with two ones is read right: drawn from the closed form, and trained",
    experiments={"drawn": drawn, "trained": ensembles},
    tables=tables,
    draw=pictures.models,
    replicates={"smoke": 2, "laptop": 2, "paper": 10},
    parameters=[
        ("k, drawn", "none", {s: ", ".join(map(str, ks)) for s, ks in SIZES.items()}),
        ("k, trained", "2, …, 30 (δ = 0.1); 5, 10, …, 30 (δ = 0.001)",
         {s: ", ".join(map(str, ks)) for s, (ks, _) in TRAINED.items()}),
        ("width n, trained", "50000", {s: str(n) for s, (_, n) in TRAINED.items()}),
        ("training", "standard parametrisation, rate 10^-3, 10000 epochs", "both parametrisations, to 10^-6"),
        ("trials", "1", {"smoke": "2", "laptop": "2", "paper": "10"}),
    ],
    claims=[enough, standard, variance],
)  # fmt: skip
