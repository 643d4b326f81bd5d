"""Mahankali, Hashimoto, Ma 2023: One Step of Gradient Descent is Provably the Optimal In-Context Learner (2307.03576).

One layer of linear self-attention, v_i = (x_i, y_i), query (x_{n+1}, 0) outside the keys, trained on E(y_{n+1} − ŷ)².
Theorems 1 to 3: isotropic data, skewed data, nonlinear targets. The paper's step sizes are expectations; figures ours.

    python -m corollary.paper_repro.mahankali2023 --figure 1
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Paper
from corollary.figures import mahankali2023 as pictures
from corollary.sims.icl.attention import layer_prediction
from corollary.sims.icl.prompts import TARGETS, Sampler
from corollary.sims.icl.training import train_layer
from corollary.theory import icl
from corollary.verdicts import Bound, Rate, Value, rel

PAPER = Paper(
    key="mahankali2023",
    title="One Step of Gradient Descent is Provably the Optimal In-Context Learner with One Layer of Linear "
    "Self-Attention",
    authors="Arvind Mahankali, Tatsunori B. Hashimoto, Tengyu Ma",
    year=2023,
    arxiv="2307.03576",
    summary="The global minimiser of the loss of one linear self-attention layer is one step of gradient descent.",
    conventions="Loss E(y_{n+1} − ŷ)² without ½, its label noisy in the paper, clean here: σ² less. The query is no "
    "key. η multiplies the mean gradient Xᵀy/n; theirs, η/n, the sum. Λ, Λ⁻¹: covariances of inputs and weights.",
)

RECALLED = "As recalled (beyond the abstract its wording was not compared): "
ONE = RECALLED + (
    r"for $x_i \sim N(0, I)$, $w \sim N(0, I)$ every global minimizer of the pre-training loss makes one step of GD, "
    r"$\eta \sum_i y_i x_i^\top x_{n+1}$, $\eta = E[\bar w^\top X^\top y]/E\|X^\top y\|^2$, $\bar w$ ridge at "
    r"$\sigma^2$."
)
TRAINING = {"steps": 200, "learning_rate": 0.03, "init": 0.4, "batch": 96}
NOISE_OF_ADAM = (
    "noise of the gradients shortens the step that training ends at, most with few examples: in trials of 256 seeds by "
    "1.5 (0.3) % at n = 3, 0.7 (0.2) % at 10; Theorem 3's η by 0.4 (0.2) %, an entry of Theorem 2's K by 0.008 (0.002)"
)


# --- Theorem 1: isotropic data
def step(d, context, noise) -> float:
    """η = n/(n + d + 1 + σ²)."""
    return icl.optimal_step(icl.LinearTask(d, context, noise=noise))


def isotropic_run(point, seeds, xp):
    """Layers trained on sampled prompts: the step they make, tr K/d, and what K is beside ηI (off)."""
    K = train_layer(point, seeds, xp)["K"]
    d = point["d"]
    η = sum(K[:, i, i] for i in range(d)) / d
    rest = K - η[:, None, None] * xp.eye(d)
    return {"step": η, "off": xp.sqrt(xp.sum(rest * rest, axis=(1, 2)) / d), "K": K}


STEP_POINTS = {
    "smoke": [{"d": 3, "context": 5, "noise": 1.0, **TRAINING}],
    "laptop": [{"d": 3, "context": n, "noise": s, **TRAINING} for n, s in ((3, 1.0), (5, 0.0), (5, 1.0), (10, 1.0))],
    # the gradients' noise shortens η by its square: after 200 steps of 96 prompts by 3.6 % (n = 2), by 1.3 % (n = 10)
    "paper": [{"d": 5, "context": n, "noise": s, **TRAINING, "steps": 400, "batch": 7680 // n}
              for n in (2, 5, 10, 20, 40) for s in (0.0, 1.0)],
}  # fmt: skip
trained = Experiment("mahankali2023.trained-layers", isotropic_run, STEP_POINTS, replicates=256)

one_step = Claim(
    r"\hat y = \tfrac{\eta}{n}\sum_i y_i\, x_i^\top x_{n+1},\quad \eta = \frac{n}{n+d+1+\sigma^2}",
    Value(step, resolution=rel(0.06), margin=rel(0.02), because=NOISE_OF_ADAM),
    id="mahankali2023.one-step",
    where="Theorem 1",
    theorem=ONE,
    measure=trained["step"],
    points={scale: [p for p in points if p["noise"] > 0] for scale, points in STEP_POINTS.items()},
    rivals={
        "noise forgotten: n/(n + d + 1)": lambda d, context: context / (context + d + 1),
        "n/(n + d + σ²), the step for inputs on a sphere": lambda d, context, noise: context / (context + d + noise),
        "n/(n + d), its limit of many dimensions": lambda d, context: context / (context + d),
    },
    checked_by=["icl.step_size"],
)


def losses(d, context, noise, rng):
    """Mean loss (clean label) of the best step over 256 prompts."""
    prompts = Sampler(d, context, noise=noise).draw([rng], 256, np)
    layer = icl.preconditioner_weights(step(d, context, noise) * np.eye(d))
    gap = layer_prediction(layer.KQ[None], layer.PV[None], prompts) - prompts.label
    return float(np.mean(gap * gap))


def excess(d, context, noise) -> float:
    """d(d + 1 + σ²)/(n + d + 1 + σ²)."""
    return icl.optimal_excess(icl.LinearTask(d, context, noise=noise))


loss_rate = Claim(
    r"\min E(\hat y - w^\top x_{n+1})^2 = \frac{d(d+1+\sigma^2)}{n+d+1+\sigma^2}",
    Rate(-1.0, along="context", curve=excess, resolution=0.05),
    id="mahankali2023.loss",
    where="ours (the value of the minimum in Theorem 1)",
    measure=losses,
    points=[{"d": 4, "context": n, "noise": 0.5} for n in (4, 8, 16, 32, 64)],
    replicates=1024,
    rivals={
        "noise forgotten": lambda d, context: d * (d + 1) / (context + d + 1),
        "the loss of least squares, σ²d/n, far away": lambda d, context, noise: noise * d / context,
        "with the noise of the label": lambda d, context, noise: excess(d, context, noise) + noise,
    },
    checked_by=["icl.preconditioner"],
)


def negative_loss(d, context, noise, rng):
    """−E(ŷ − w·x)² of a layer with random weights (u, b free) after a random number of exact descent steps."""
    task = icl.LinearTask(d, context, noise=noise)
    weights = icl.Attention(0.5 * rng.standard_normal((d + 1, d)), 0.5 * rng.standard_normal(d + 1))
    for _ in range(int(rng.integers(0, 40))):
        g = icl.population_loss_gradient(weights, task)
        size = math.sqrt(float(np.sum(g.KQ**2) + np.sum(g.PV**2)))
        rate = 0.05 / max(1.0, size)
        weights = icl.Attention(weights.KQ - rate * g.KQ, weights.PV - rate * g.PV)
    return -icl.population_loss(weights, task)


global_minimum = Claim(
    r"E(\hat y_\theta - w^\top x_{n+1})^2 \ge \frac{d(d+1+\sigma^2)}{n+d+1+\sigma^2} \text{ for all weights } \theta",
    Bound(lambda d, context, noise: -excess(d, context, noise)),
    id="mahankali2023.global-minimum",
    where="Theorem 1 (its minimum as a number is ours)",
    theorem=ONE,
    measure=negative_loss,
    points=[{"d": 2, "context": 4, "noise": 0.5}],
    replicates=2048,
    rivals={
        "1.3 times that": lambda d, context, noise: -1.3 * excess(d, context, noise),
        "the loss of predicting 0": lambda d: -float(d),
    },
    checked_by=["icl.population_loss", "icl.preconditioner"],
)

# --- Theorem 2: x ~ N(0, Λ), w ~ N(0, Λ⁻¹)
TURN = np.array([[0.8, -0.6], [0.6, 0.8]])
ROOT = TURN @ np.diag([1.5, 0.75])  # Λ = ROOT ROOTᵀ
COVARIANCE = ROOT @ ROOT.T
INVERSE = np.linalg.inv(COVARIANCE)
SKEW = [{"d": 2, "context": 6, "noise": 0.5, **TRAINING, "steps": 300}]


def skew_run(point, seeds, xp):
    return {"K": train_layer(point, seeds, xp, L=ROOT, M=np.linalg.inv(ROOT).T)["K"]}


def skew(context: int, noise: float) -> np.ndarray:
    """K* = n/(n + d + 1 + σ²) Λ⁻¹: tr ΛΩ = d, whatever Λ."""
    return icl.optimal_preconditioner(icl.LinearTask(2, context, COVARIANCE, INVERSE, noise))


preconditioned = Claim(
    r"\hat y = \frac{1}{n+d+1+\sigma^2}\sum_i y_i\, x_i^\top \Lambda^{-1} x_{n+1}",
    Value(
        skew, resolution=0.08, margin=0.015,
        because=NOISE_OF_ADAM + "; entries are below 1.2, and the slow eigendirection of Λ is the last to arrive",
    ),
    id="mahankali2023.preconditioned",
    where="Theorem 2",
    theorem=RECALLED + r"for $x_i \sim N(0, \Lambda)$, $w \sim N(0, \Lambda^{-1})$: one step preconditioned with "
    r"$\Lambda^{-1}$.",
    measure=Experiment("mahankali2023.skew-layers", skew_run, SKEW, replicates=256)["K"],
    rivals={
        "plain step ηI": lambda context, noise: icl.optimal_step(
            icl.LinearTask(2, context, COVARIANCE, INVERSE, noise)
        ) * np.eye(2),
        "Λ for Λ⁻¹": lambda context, noise: context / (context + 3 + noise) * COVARIANCE,
        "noise forgotten": lambda context: context / (context + 3) * INVERSE,
    },
    checked_by=["icl.preconditioner"],
)  # fmt: skip


# --- Theorem 3: y = f(w·x) + ε, |w| = 1
@cache
def moments(target: str) -> icl.TargetMoments:
    return icl.target_moments(lambda z: float(TARGETS[target](np.asarray(z))), breaks=[0.0])


def nonlinear_step(d, context, noise, target) -> float:
    return icl.nonlinear_optimum(moments(target), d, context, noise).step


def linear_in_disguise(d, context, noise, target) -> float:
    """The step if z²f² were E f²: a label independent of the length of x along w."""
    m = moments(target)
    return icl.nonlinear_optimum(m._replace(m22=m.m2), d, context, noise).step


NONLINEAR = [{"d": 3, "context": 6, "noise": 0.1, "target": t, "sphere": True, **TRAINING} for t in ("tanh3", "sign")]
nonlinear_layers = Experiment("mahankali2023.nonlinear", isotropic_run, NONLINEAR, replicates=384)

nonlinear_target = Claim(
    r"\eta = \frac{n a_1^2}{(d-1)m_2 + m_{22} + \sigma^2 d + (n-1)a_1^2}"
    r",\quad a_1 = E z f,\ m_2 = E f^2,\ m_{22} = E z^2 f^2",
    Value(nonlinear_step, resolution=rel(0.06), margin=rel(0.01), because=NOISE_OF_ADAM + "; labels are bounded"),
    id="mahankali2023.nonlinear-target",
    where="Theorem 3",
    theorem=RECALLED
    + r"for $x_i \sim N(0, I)$, $y_i = f(x_i) + \epsilon_i$ and a random $f$ of rotation-invariant law, "
    r"$f$ and $-f$ alike: still one step of GD on the linear loss.",
    measure=nonlinear_layers["step"],
    points={"smoke": NONLINEAR[:1], "laptop": NONLINEAR, "paper": NONLINEAR},
    rivals={
        "m₂₂ taken for m₂": linear_in_disguise,
        "the step of the linear target": lambda d, context, noise: (
            icl.nonlinear_optimum(icl.TargetMoments(1.0, 1.0, 3.0), d, context, noise).step
        ),
    },
    checked_by=["icl.nonlinear"],
)

# --- figures: the theorems drawn
CURVES = {
    "smoke": [{"d": 3, "context": n, "noise": 1.0, **TRAINING} for n in (3, 10)],
    "laptop": [{"d": 3, "context": n, "noise": s, **TRAINING} for s in (0.0, 1.0) for n in (2, 4, 8, 16, 32)],
    "paper": STEP_POINTS["paper"],
}
curves = Experiment("mahankali2023.curves", isotropic_run, CURVES)


def tables_1(data):
    """Theory as a fine curve a noise level; trained steps with their standard deviation over seeds."""
    rows = {"noise": [], "context": [], "step": [], "sd": []}
    for point, arrays in data["curves"]:
        found = (point["noise"], point["context"], float(arrays["step"].mean()), float(arrays["step"].std(ddof=1)))
        for name, value in zip(rows, found, strict=True):
            rows[name].append(value)
    d, fine = data["curves"][0][0]["d"], np.unique(np.round(np.geomspace(2, 45, 40)).astype(int))
    theory = {"noise": [], "context": [], "step": []}
    for noise in sorted(set(rows["noise"])):
        theory["noise"] += [noise] * len(fine)
        theory["context"] += [int(n) for n in fine]
        theory["step"] += [step(d, int(n), noise) for n in fine]
    return {"theory": theory, "trained": rows}


figure_1 = Figure(
    number="1",
    title="Theorem 1 (not a figure of the paper): the step a trained layer makes, against context length",
    experiments={"curves": curves},
    tables=tables_1,
    draw=pictures.steps,
    replicates={"smoke": 4, "laptop": 6, "paper": 10},
    parameters=[
        ("dimension", "any", {"smoke": "3", "laptop": "3", "paper": "5"}),
        ("training", "global minimum", "Adam on 96 sampled prompts a step; at scale paper on 7680/n"),
    ],
    claims=[one_step],
)


def tables_2(data):
    """Entries of the trained K against those of K* and of the rivals."""
    point, arrays = data["skew"][0]
    K, context, noise = arrays["K"], point["context"], point["noise"]
    plain = icl.optimal_step(icl.LinearTask(2, context, COVARIANCE, INVERSE, noise))
    entries = [(0, 0), (0, 1), (1, 0), (1, 1)]
    return {
        "entries": {
            "entry": [f"K{i + 1}{j + 1}" for i, j in entries],
            "theory": [float(skew(context, noise)[e]) for e in entries],
            "plain": [plain * float(i == j) for i, j in entries],
            "mean": [float(K[:, i, j].mean()) for i, j in entries],
            "sd": [float(K[:, i, j].std(ddof=1)) for i, j in entries],
        }
    }


figure_2 = Figure(
    number="2",
    title="Theorem 2 (not a figure of the paper): trained layers precondition with the inverse covariance",
    experiments={"skew": Experiment("mahankali2023.skew-figure", skew_run, SKEW)},
    tables=tables_2,
    draw=pictures.entries,
    replicates={"smoke": 4, "laptop": 12, "paper": 48},
    parameters=[("eigenvalues of Λ", "any", "2.25 and 0.5625, rotated"), ("n, σ²", "any", "6, 0.5")],
    claims=[preconditioned],
)

if __name__ == "__main__":
    import sys

    from corollary.cli import main

    sys.argv[1:1] = ["reproduce", PAPER.key]
    main()
