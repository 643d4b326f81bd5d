"""Ahn, Cheng, Daneshmand, Sra 2023: Transformers learn to implement preconditioned gradient descent (2306.00297).

Linear attention Z ← Z + (1/n) P Z M Zᵀ Q Z with the query masked out of the keys; the prediction is minus the last
entry. Theorem 1: for x ~ N(0, Σ), w ~ N(0, I) the global minimiser of one layer is one preconditioned step, with
eigenvalues 1/((n+1)/n λ_i + (1/n) Σ_k λ_k). Deeper layers, w ~ N(0, Σ⁻¹): A_i = −a_i Σ⁻¹ (Theorems 3 and 4), a step in
coordinates where the data are isotropic. Here K = −A multiplies the mean gradient Xᵀy/n; losses have no ½.

    python -m corollary.paper_repro.ahn2023 --figure variable-L
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from corollary.claims import Claim, Erratum, Experiment, Figure, Paper, printed
from corollary.figures import ahn2023 as pictures
from corollary.sims.icl.prompts import Sampler
from corollary.sims.icl.training import train_layer, train_stack
from corollary.theory import icl
from corollary.verdicts import Order, Rate, Value, rel

PAPER = Paper(
    key="ahn2023",
    title="Transformers learn to implement preconditioned gradient descent for in-context learning",
    authors="Kwangjun Ahn, Xiang Cheng, Hadi Daneshmand, Suvrit Sra",
    year=2023,
    arxiv="2306.00297",
    summary="Minimisers of the loss of linear attention are preconditioned gradient descent, layer by layer.",
)

# --- Theorem 1: the preconditioner of one layer
SPECTRUM = np.array([1.0, 0.5, 2.0])
ROOT = np.diag(np.sqrt(SPECTRUM))
LAYER = {"d": 3, "context": 5, "steps": 350, "learning_rate": 0.03, "init": 0.4, "batch": 96}


def layer_run(point, seeds, xp):
    """diagonal (R, 3) of K in the eigenbasis of Σ."""
    K = train_layer(point, seeds, xp, L=ROOT)["K"]
    return {"diagonal": xp.stack([K[:, i, i] for i in range(3)], axis=1)}


def eigenvalues(context: int) -> np.ndarray:
    """1/((n+1)/n λ_i + (1/n) Σ_k λ_k), from the general optimum."""
    return np.diag(icl.optimal_preconditioner(icl.LinearTask(3, context, np.diag(SPECTRUM))))


preconditioner = Claim(
    r"K^* = \Gamma^{-1},\quad \Gamma = \tfrac{n+1}{n}\Sigma + \tfrac{\mathrm{tr}\Sigma}{n} I",
    Value(
        eigenvalues, resolution=0.08, margin=0.015,
        because="training stops with noise of 2 to 3 % in each entry; its mean is off by the square of that and the "
        "last hundredth of the learning rate",
    ),
    id="ahn2023.preconditioner",
    where="Theorem 1",
    measure=Experiment("ahn2023.one-layer", layer_run, [LAYER], replicates=256)["diagonal"],
    rivals={
        "Σ⁻¹, its limit of long contexts": 1 / SPECTRUM,
        "the trace forgotten": lambda context: context / (context + 1) / SPECTRUM,
        "a plain step": lambda context: np.full(3, icl.optimal_step(icl.LinearTask(3, context, np.diag(SPECTRUM)))),
    },
    checked_by=["icl.preconditioner", "icl.population_loss"],
)  # fmt: skip


# --- how the excess falls with the length of the prompts seen in training
def excess_at(N, test, rng):
    """Excess of the layer trained at context N on prompts of the same length ("same") or of unlimited length."""
    task = icl.LinearTask(3, N, np.diag(SPECTRUM), noise=0.3)
    K = icl.optimal_preconditioner(task)
    return icl.excess(K, task if test == "same" else task.with_context(10**9))


LENGTHS = [100, 200, 400, 800, 1600, 3200]
same_length = Claim(
    r"\text{excess} \sim 1/n \text{ when tests are as long as the prompts of training}",
    Rate(-1.0, along="N", sequence=True, resolution=0.02),
    id="ahn2023.excess-rate",
    where="Theorem 1 (the value of its minimum)",
    measure=excess_at,
    points=[{"N": n, "test": "same"} for n in LENGTHS],
    rivals={"n^(-1/2)": -0.5, "n^(-2)": -2.0},
    checked_by=["icl.preconditioner"],
)
long_tests = Claim(
    r"\text{excess} \sim 1/n^2 \text{ on unlimited test prompts: what is left is the bias of } K^*",
    Rate(-2.0, along="N", sequence=True, resolution=0.02),
    id="ahn2023.long-tests",
    where="Theorem 1 (Zhang, Frei, Bartlett 2023, Theorem 4.2, in this setting)",
    measure=excess_at,
    points=[{"N": n, "test": "unlimited"} for n in LENGTHS],
    rivals={"1/n, as at equal lengths": -1.0, "n^(-3/2)": -1.5},
    checked_by=["icl.preconditioner"],
)

# --- the landscape: spurious local minima of rank one
LAND = icl.LinearTask(3, 5, np.diag(SPECTRUM), noise=0.2)


def trapped(steps, rng):
    """Exact loss after descent from a random point near the rank-one weights A = 0, c = 0, K = b uᵀ."""
    Λ, C = LAND.input_cov, icl.label_moment(LAND)
    half = np.linalg.eigh(C)
    root = half[1] * half[0] ** -0.5 @ half[1].T
    U, s, Vt = np.linalg.svd(np.sqrt(Λ) @ LAND.weight_cov @ Λ @ root)
    b, u = U[:, 0] * s[0] / np.sqrt(np.diag(Λ)), root @ Vt[0]
    balance = math.sqrt(np.linalg.norm(u) / np.linalg.norm(b))
    KQ, PV = np.vstack([np.zeros((3, 3)), b * balance]), np.append(u / balance, 0.0)
    KQ, PV = KQ + 0.05 * rng.standard_normal(KQ.shape), PV + 0.05 * rng.standard_normal(PV.shape)
    for _ in range(steps):
        g = icl.population_loss_gradient(icl.Attention(KQ, PV), LAND)
        KQ, PV = KQ - 0.02 * g.KQ, PV - 0.02 * g.PV
    return icl.population_loss(icl.Attention(KQ, PV), LAND)


spurious_minima = Claim(
    r"\text{local minima of rank one: descent from nearby ends at } t - s_1^2",
    Value(
        lambda: icl.rank_one_excess(LAND), resolution=0.02, margin=0.01,
        because="200 steps of 0.02 leave some of the start's excess, of order 0.05² per weight",
    ),
    id="ahn2023.rank-one-minima",
    where="Theorem 1 (says where the global minimum is, not that descent finds it from anywhere)",
    measure=trapped,
    points=[{"steps": 200}],
    replicates=256,
    rivals={
        "descent finds the global minimum": lambda: icl.optimal_excess(LAND),
        "it stays at the prediction 0": LAND.signal,
    },
    checked_by=["icl.population_loss", "icl.gradient"],
)  # fmt: skip


# --- the released baselines see one example fewer
def released_baseline(d, context, rng):
    """Mean loss of one step as in the authors' notebooks: N = Z.shape[0] − 1 examples, then the slice 0 : N − 1."""
    X, y, xq, label = (a[0] for a in Sampler(d, context).draw([rng], 1024, np))
    query = np.concatenate([xq, np.zeros((len(xq), 1))], axis=1)[:, None, :]
    Z = np.concatenate([np.concatenate([X, y[:, :, None]], axis=2), query], axis=1)
    N = Z.shape[1] - 1
    examples, targets = Z[:, 0 : N - 1, :-1], Z[:, 0 : N - 1, -1]
    η = icl.optimal_step(icl.LinearTask(d, N - 1))  # the best step for what it sees; theirs is a grid search
    prediction = η / (N - 1) * np.einsum("bd,bnd,bn->b", xq, examples, targets)
    return float(np.mean((prediction - label) ** 2))


def one_step_risk(d: int, context: int) -> float:
    return icl.optimal_excess(icl.LinearTask(d, context))


off_by_one = Claim(
    r"\text{the released descent baseline has the risk of a context of } n-1 \text{ examples}",
    Value(lambda d, context: one_step_risk(d, context - 1), resolution=rel(0.06)),
    id="ahn2023.baseline-off-by-one",
    where="Section 5, figures (released notebooks: do_gd, do_preconditioned_gd)",
    measure=released_baseline,
    points=[{"d": 3, "context": 4}],
    replicates=512,
    rivals={
        "as described: n examples": printed(one_step_risk),
        "n − 2 examples": lambda d, context: one_step_risk(d, context - 2),
    },
    checked_by=["icl.preconditioner"],
)
erratum = Erratum(
    "Section 5, descent baselines of the figures (released notebooks)", "baselines use the n examples of the prompt",
    "N = Z.shape[0] − 1 is already the number of examples; the slice 0 : N − 1 drops one more",
    ["ahn2023.baseline-off-by-one"],
)  # fmt: skip

# --- several layers, w ~ N(0, Σ⁻¹)
DEEP = {
    "d": 3,
    "context": 8,
    "tied": False,
    "learning_rate": 0.04,
    "init": 0.4,
    "test": 4000,
    "steps": 200,
    "batch": 64,
}
TURN = np.linalg.qr(np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 1.0], [0.2, 0.4, 1.5]]))[0]
SKEW = TURN @ np.diag([1.0, 0.7, 0.45])  # Σ = SKEW SKEWᵀ, eigenvalues 1, 0.49, 0.2


def deep_run(point, seeds, xp):
    """loss (R,) on fresh prompts; distance (R, layers): ‖B − (tr B/d) I‖_F/‖B‖_F for B = Σ^½ A_i Σ^½."""
    out = train_stack(point, seeds, xp, L=SKEW, M=np.linalg.inv(SKEW).T)
    A, d = out["KQ"][:, :, :-1, :-1], point["d"]
    values, vectors = np.linalg.eigh(SKEW @ SKEW.T)
    root = xp.asarray(vectors * np.sqrt(values) @ vectors.T)
    B = xp.matmul(xp.matmul(root, A), root)
    trace = sum(B[:, :, i, i] for i in range(d)) / d
    rest = B - trace[..., None, None] * xp.eye(d)
    norm = lambda m: xp.sqrt(xp.sum(m * m, axis=(2, 3)))  # noqa: E731
    return {"loss": out["loss"], "distance": norm(rest) / norm(B)}


def closeness(point, seeds, xp):
    """pair (R, 2): distance of Σ^½A₁Σ^½ from a multiple of I, and that of Σ (what a plain step A ∝ I would have)."""
    distance = deep_run(point, seeds, xp)["distance"]
    Σ = SKEW @ SKEW.T
    plain = np.linalg.norm(Σ - np.trace(Σ) / 3 * np.eye(3)) / np.linalg.norm(Σ)
    worst = xp.max(distance, axis=1)
    return {"pair": xp.stack([worst, 0 * worst + plain / 2], axis=1)}


inverse_covariance = Claim(
    r"A_i = -a_i\Sigma^{-1} \text{ in every layer: } \Sigma^{1/2}A_i\Sigma^{1/2} \text{ end near } a_i I",
    Order(),
    id="ahn2023.deep-preconditioner",
    where="Theorem 3",
    measure=Experiment(
        "ahn2023.two-layers", closeness, [{**DEEP, "layers": 2, "sparsity": "gd"}], replicates=96
    )["pair"],
    rivals={"no order": 0.5, "plain steps A ∝ I": 0.1},
)  # fmt: skip

DEPTHS = {"smoke": (1, 2), "laptop": (1, 2, 3), "paper": (1, 2, 3, 4)}
BUDGET = {"smoke": {"steps": 100}, "laptop": {}, "paper": {"d": 3, "context": 20, "steps": 5000, "batch": 1024}}
by_depth = Experiment(
    "ahn2023.variable-L", deep_run,
    {
        s: [{**DEEP, **BUDGET[s], "layers": k, "sparsity": f} for f in ("gd", "gd++") for k in v]
        for s, v in DEPTHS.items()
    },
    block=4,
)  # fmt: skip
CONTEXTS = {"smoke": (4, 12), "laptop": (2, 4, 8, 16), "paper": (2, 4, 8, 12, 16, 20)}
by_context = Experiment(
    "ahn2023.variable-N", deep_run,
    {s: [{**DEEP, **BUDGET[s], "context": n, "layers": 2, "sparsity": "gd"} for n in v] for s, v in CONTEXTS.items()},
    block=4,
)  # fmt: skip


@cache
def stack_risk(d: int, context: int, layers: int) -> float:
    """Best steps of preconditioned descent: with w ~ N(0, Σ⁻¹) those of the isotropic task."""
    return icl.optimal_steps(icl.LinearTask(d, context), layers).excess


def _rows(results, along: str) -> dict:
    rows = {"form": [], along: [], "mean": [], "sd": [], "distance": []}
    for point, a in results:
        for name, v in (
            ("form", point["sparsity"]), (along, point[along]), ("mean", float(a["loss"].mean())),
            ("sd", float(a["loss"].std(ddof=1))), ("distance", float(a["distance"].mean())),
        ):  # fmt: skip
            rows[name].append(v)
    return rows


def tables_depth(data):
    point = data["stacks"][0][0]
    depths = sorted({p["layers"] for p, _ in data["stacks"]})
    risk = [stack_risk(point["d"], point["context"], k) for k in depths]
    return {"trained": _rows(data["stacks"], "layers"), "theory": {"layers": depths, "risk": risk}}


def tables_context(data):
    d = data["stacks"][0][0]["d"]
    fine = list(range(2, 21))
    theory = {"context": fine, "one": [one_step_risk(d, n) for n in fine], "two": [stack_risk(d, n, 2) for n in fine]}
    return {"trained": _rows(data["stacks"], "context"), "theory": theory}


PARAMETERS = [
    ("d, n", "5, 20", {"smoke": "3, 8", "laptop": "3, 8", "paper": "3, 20"}),
    ("Σ", "eigenvalues 1, 1, 1/4, 1/16, 1, rotated", "eigenvalues 1, 0.49, 0.2, rotated"),
    ("training", "20 000 to 100 000 steps of Adam, 20 000 prompts", {"smoke": "100 × 64", "laptop": "200 × 64",
                                                                      "paper": "5000 × 1024"}),
]  # fmt: skip
figure_depth = Figure(
    number="variable-L", title="Loss by number of layers; preconditioned descent and GD++",
    experiments={"stacks": by_depth}, tables=tables_depth, draw=pictures.by_depth,
    replicates={"smoke": 2, "laptop": 4, "paper": 5}, parameters=PARAMETERS, claims=[inverse_covariance],
)  # fmt: skip
figure_context = Figure(
    number="variable-N", title="Loss by context length; two trained layers",
    experiments={"stacks": by_context}, tables=tables_context, draw=pictures.by_context,
    replicates={"smoke": 2, "laptop": 4, "paper": 5}, parameters=PARAMETERS, claims=[off_by_one],
)  # fmt: skip

if __name__ == "__main__":
    import sys

    from corollary.cli import main

    sys.argv[1:1] = ["reproduce", PAPER.key]
    main()
