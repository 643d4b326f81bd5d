"""Features of trained networks: clusters of points, whose features come to follow the labels, or stay (for Figure 1).

The paper shows Word2Vec embeddings of American cities and states, which come apart in maximal update and not in the
tangent kernel's parametrisation. Here: four clusters of 12 points in 8 dimensions, two of each label.
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import yang2020featurelearning as pictures
from corollary.paper_repro.yang2020featurelearning.dichotomy import mup_features, ntk_features
from corollary.sims.ntk import scaled
from corollary.theory.ntk.abc import parametrization
from corollary.verdicts import Order

_rng = np.random.default_rng(2021)
COUNT = 48
_centres = _rng.standard_normal((4, 8))
WHICH = np.arange(COUNT) % 4
X = (_centres / np.linalg.norm(_centres, axis=1, keepdims=True))[WHICH] + 0.35 * _rng.standard_normal((COUNT, 8))
Y = np.where(WHICH < 2, 1.0, -1.0)
NAMES = {"ntk": "tangent kernel", "standard 1/n": "standard, rate 1/n", "mup": "maximal update"}
SCALINGS = {name: parametrization(name, 2) for name in ("ntk", "standard 1/n", "mup")}
POINTS = {
    s: [{"n": n, "activation": "erf", "rate": 1.0, "steps": steps}]
    for s, n, steps in (("smoke", 64, 50), ("laptop", 256, 100), ("paper", 2048, 100))
}


def separation(gram):
    """(R,): the share of the features' variance over the points that lies along the labels."""
    C = np.eye(COUNT) - 1 / COUNT
    K, z = C @ gram @ C, Y / np.sqrt(COUNT)
    return z @ K @ z / np.trace(K, axis1=1, axis2=2)


def trained(point, seeds, xp):
    """grams (R, 4, N, N): of the last features at the start and after training, in the order of NAMES; pairs (R, 2) of
    separations: (tangent kernel, maximal update), (standard at rate 1/n, maximal update)."""
    runs = {name: scaled.training(point, seeds, np, scaling=s, x=X, y=Y) for name, s in SCALINGS.items()}
    after = {name: run["after"] for name, run in runs.items()}
    share = {name: separation(gram) for name, gram in after.items()}
    return {
        "grams": np.stack([runs["mup"]["before"], *after.values()], axis=1),
        "ntk_mup": np.stack([share["ntk"], share["mup"]], axis=1),
        "standard_mup": np.stack([share["standard 1/n"], share["mup"]], axis=1),
    }


networks = Experiment("yang2020featurelearning.clusters", trained, POINTS, replicates=256, block=4)


def _below(name: str) -> Claim:
    return Claim(
        rf"\text{{features follow the labels more in maximal update than in {NAMES[name]}}}",
        Order(),
        id=f"yang2020featurelearning.{name.split()[0]}-below-mup",
        where="Figure 1 (clusters for words); on clusters of our own",
        theorem="Figure 1: Word2Vec embeddings of US cities and states are essentially random in the kernel limit, and "
        "are naturally separated as the width grows in the feature-learning regime. The standard parametrisation has a "
        "kernel limit at the largest learning rate it admits, of order 1/width.",
        measure=networks[f"{name.split()[0]}_mup"],
        rivals={"no order": 0.5, "the other way round": 0.1},
        uses=[mup_features],
    )


ntk_below, standard_below = _below("ntk"), _below("standard 1/n")


def tables(data):
    """First two principal components of the last features, of the first network, with signs that put label 1 right and
    up."""
    rows = {"panel": [], "cluster": [], "label": [], "x": [], "y": []}
    ((_, arrays),) = data["networks"]
    C = np.eye(COUNT) - 1 / COUNT
    for panel, gram in zip(("start", *NAMES.values()), arrays["grams"][0], strict=True):
        if panel == NAMES["standard 1/n"]:
            continue
        λ, vectors = np.linalg.eigh(C @ gram @ C)
        scores = vectors[:, :-3:-1] * np.sqrt(λ[:-3:-1])
        scores = scores * np.where(Y @ scores < 0, -1.0, 1.0)
        rows["panel"] += [panel] * COUNT
        rows["cluster"] += WHICH.tolist()
        rows["label"] += Y.tolist()
        rows["x"] += scores[:, 0].tolist()
        rows["y"] += scores[:, 1].tolist()
    return {"components": rows}


figure_1 = Figure(
    number="1",
    title="Principal components of the last features: at the start, and after training in two parametrisations",
    experiments={"networks": networks},
    tables=tables,
    draw=pictures.components,
    replicates=1,
    parameters=[
        ("data", "words: American cities and states", "four clusters of 12 points in 8 dimensions, two of each label"),
        ("width n", "64 and infinite", {s: str(p[0]["n"]) for s, p in POINTS.items()}),
        ("training", "Word2Vec (CBOW)", "50 or 100 steps of full-batch descent, two hidden layers, erf"),
    ],
    claims=[ntk_below, standard_below, ntk_features, mup_features],
)
