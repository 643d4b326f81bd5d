"""Elmoznino, Marty, Kasetty, Gagnon et al. 2024: In-context learning and Occam's razor (2410.14086).

The next-example loss of an in-context learner is a prequential code length: L_preq(D; T) = Σ_i −log₂ p_{θ_i}(d_{i+1}),
θ_i = T(d_1…d_i); it bounds the complexity of data and model together, so that minimising it prefers simple models. The
paper trains transformers; here its linear-regression experiment (x ∈ R³, σ² = 0.04) is done exactly: a Bayesian
learner, whose prequential code is the marginal likelihood, and one linear-attention layer K = ηI, trained on the next
example or on the train risk (the query is one of the context's own examples). Sinusoids, Mastermind and HMMs are not
repeated. Section, figure and equation numbers are those of the ICML version.

    python -m corollary.paper_repro.elmoznino2024prequential --figure 2
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Paper
from corollary.claims.experiment import EachSeed
from corollary.figures import elmoznino2024prequential as pictures
from corollary.sims.icl.prompts import Sampler
from corollary.theory import icl
from corollary.verdicts import Identity, Order, Rate, Value, ratio, rel

PAPER = Paper(
    key="elmoznino2024prequential",
    title="In-context learning and Occam's razor",
    authors="Eric Elmoznino, Tom Marty, Tejas Kasetty, Leo Gagnon, Sarthak Mittal, Mahan Fathi, Dhanya Sridhar, "
    "Guillaume Lajoie",
    year=2024,
    arxiv="2410.14086",
    summary="Training on the next example minimises a prequential code length, which contains an Occam factor.",
    conventions="Code lengths in bits; squared errors without ½ and with a noisy label, inputs standard normal. η "
    "multiplies the mean gradient, (η/N) Xᵀ(y − Xw); the paper's learners are transformers, trained by gradient.",
)
DIMENSION, NOISE = 3, 0.04
LN2 = float(np.log(2.0))


# --- the code length of a Bayesian learner
def draw(N, d, rng):
    return {"X": rng.standard_normal((N, d)), "y": rng.standard_normal(N)}


def coded(X, y):
    """Σ −log₂ p(y_{i+1} | y_1…y_i), example by example."""
    return np.sum(icl.code_lengths(X, y, NOISE))


def marginal(X, y, occam=1.0, unit=LN2):
    """−log₂ N(y; 0, XXᵀ + σ²I); the determinant is the Occam factor."""
    Σ = X @ X.T + X.dtype.type(NOISE) * np.eye(len(y), dtype=X.dtype)
    nats = y @ np.linalg.solve(Σ, y) + X.dtype.type(occam) * np.linalg.slogdet(Σ)[1]
    return (nats + X.dtype.type(len(y) * np.log(2 * np.pi))) / X.dtype.type(2 * unit)


def without_occam(X, y):
    return marginal(X, y, occam=0.0)


def in_nats(X, y):
    return marginal(X, y, unit=1.0)


def plugged_in(X, y):
    """Code of the targets by the best fit to all of them: no price for the model."""
    r = y - X @ np.linalg.solve(X.T @ X, X.T @ y)
    σ2 = X.dtype.type(NOISE)
    nats = r @ r / σ2 + X.dtype.type(len(y) * np.log(2 * np.pi * NOISE))
    return nats / X.dtype.type(2 * LN2)


code_length = Claim(
    r"\sum_i -\log_2 p(y_{i+1}\mid y_1,\dots,y_i) = -\log_2 p(y)",
    Identity(
        coded, marginal, growth=64,
        because="every rank-one update passes on its rounding, amplified by the gain up to 1/σ² = 25 of the one before",
    ),
    id="elmoznino2024prequential.code-length",
    where="equation (4) (for a Bayesian learner the right side is ours)",
    theorem=r"$L_{preq}(D; T) = \sum_{i=0}^{N-1} -\log_2 p_{\theta_i}(d_{i+1}) \ge K(D)$, $\theta_i = T(D_{1:i})$, "
    r"for any ordered dataset $D = \{d_1, \dots, d_N\}$ and learner $T$ (its own length $K(T)$ added if it is not "
    "known).",
    measure=Experiment(
        "elmoznino2024prequential.data", EachSeed(draw), [{"N": 8, "d": DIMENSION}], replicates=32, source=draw
    ),
    rivals={"without the Occam factor": without_occam, "nats for bits": in_nats, "the best fit, free": plugged_in},
    checked_by=["icl.code_length"],
)  # fmt: skip

# --- one linear-attention layer: next example against train risk
BATCH = 512


def products(d, context, noise, rng):
    """(label·p, p²) summed over prompts, p = x·g: row 0 for the next example, row 1 for example 1 of the context."""
    X, y, xq, label = (a[0] for a in Sampler(d, context, noise=noise).draw([rng], BATCH, np))
    g = np.einsum("bn,bnd->bd", y, X) / context
    rows = []
    for query, target in ((xq, label), (X[:, 0], y[:, 0])):
        p = np.sum(query * g, axis=1)
        rows.append([np.mean(target * p), np.mean(p * p)])
    return np.array(rows)


def next_example(d, context, noise, rng):
    return products(d, context, noise, rng)[0]


def own_example(d, context, noise, rng):
    return products(d, context, noise, rng)[1]


def best_step(d, context, noise) -> float:
    return icl.optimal_step(icl.LinearTask(d, context, noise=noise))


def train_step(d, context, noise) -> float:
    return icl.train_risk_step(icl.LinearTask(d, context, noise=noise))


SHORT = [{"d": DIMENSION, "context": 6, "noise": NOISE}]
prequential_step = Claim(
    r"\text{trained on the next example: } \eta = \frac{N}{N+d+1+\sigma^2}",
    Value(best_step, of=ratio, resolution=rel(0.06)),
    id="elmoznino2024prequential.next-example-step",
    where="ours (Section 3.1, prequential ICL, for one linear-attention layer)",
    measure=next_example,
    points=SHORT,
    replicates=1024,
    rivals={
        "the step of the train risk": train_step,
        "the full step of long contexts": 1.0,
        "N/(N + d)": lambda d, context: context / (context + d),
    },
    checked_by=["icl.step_size"],
)
train_risk_step = Claim(
    r"\text{trained on the train risk: a smaller step, } \eta = N\,\mathrm{num}/\mathrm{den}",
    Value(train_step, of=ratio, resolution=rel(0.06)),
    id="elmoznino2024prequential.train-risk-step",
    where="ours (Section 3.1, train-risk ICL, for one linear-attention layer)",
    measure=own_example,
    points=SHORT,
    replicates=1024,
    rivals={
        "the prequential step": best_step,
        "half of it": lambda d, context, noise: best_step(d, context, noise) / 2,
    },
    checked_by=["icl.train_risk"],
)


def fresh_losses(d, context, noise, rng):
    """Mean losses on 1024 fresh prompts of the two learners: prequential, train risk."""
    prompts = Sampler(d, context, noise=noise).draw([rng], 1024, np)
    X, y, xq, label = (a[0] for a in prompts)
    p = np.einsum("bn,bnd,bd->b", y, X, xq) / context
    return np.array([np.mean((f(d, context, noise) * p - label) ** 2) for f in (best_step, train_step)])


worse = Claim(
    r"\text{at short contexts the learner trained on the train risk generalises worse}",
    Order(),
    id="elmoznino2024prequential.train-risk-worse",
    where="Section 3.1, Figure 2",
    theorem="Across all tasks prequential ICL generalizes better than train-risk ICL at short context lengths; the "
    "gap is small for linear regression and grows with the difficulty of the task.",
    measure=fresh_losses,
    points=SHORT,
    replicates=256,
    rivals={"no order": 0.5, "train-risk learners overfit less": 0.1},
    uses=[prequential_step, train_risk_step],
)


def gap(context, rng):
    """Exact excess of the train-risk learner over the prequential one."""
    task = icl.LinearTask(DIMENSION, context, noise=NOISE)
    return icl.excess(icl.train_risk_step(task) * np.eye(DIMENSION), task) - icl.optimal_excess(task)


gap_closes = Claim(
    r"\text{the gap closes as } N^{-2} \text{ when contexts grow}",
    Rate(-2.0, along="context", sequence=True, resolution=0.05),
    id="elmoznino2024prequential.gap-closes",
    where="Section 3.1, Figure 2 (the rate is ours)",
    theorem="For large context lengths the generalization error is the same for prequential and train-risk ICL.",
    measure=gap,
    points=[{"context": n} for n in (200, 400, 800, 1600, 3200, 6400)],
    rivals={"1/N, as the excess itself": -1.0, "a constant gap": 0.0},
    checked_by=["icl.train_risk", "icl.preconditioner"],
)

# --- figures
LENGTHS = {"smoke": (2, 8), "laptop": (2, 3, 5, 8, 12, 20, 32), "paper": (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)}


def learners_run(point, seeds, xp):
    """loss (R, 4): prequential layer, train-risk layer, least squares (least norm), Bayes (ridge); host only."""
    d, N, σ2 = point["d"], point["context"], point["noise"]
    rows = []
    for seed in seeds:
        X, y, xq, label = (a[0] for a in Sampler.of(point).draw([np.random.default_rng(seed)], 1024, np))
        p = np.einsum("bn,bnd,bd->b", y, X, xq) / N
        fits = [np.matmul(np.linalg.pinv(X), y[:, :, None])[:, :, 0]]
        Xt = np.swapaxes(X, 1, 2)
        fits.append(np.linalg.solve(Xt @ X + σ2 * np.eye(d), Xt @ y[:, :, None])[:, :, 0])
        guesses = [f(d, N, σ2) * p for f in (best_step, train_step)] + [np.sum(w * xq, axis=1) for w in fits]
        # least squares has infinite variance near N = d: medians, in units where a Gaussian error gives its variance
        rows.append([np.median((g - label) ** 2) / 0.4549 for g in guesses])
    return {"loss": xp.asarray(np.array(rows))}


learners = Experiment(
    "elmoznino2024prequential.learners", learners_run,
    {s: [{"d": DIMENSION, "context": n, "noise": NOISE} for n in v] for s, v in LENGTHS.items()},
)  # fmt: skip
NAMES = ["prequential layer", "train-risk layer", "least squares", "Bayes"]


def tables_2(data):
    """Robust loss of four learners (points) and exact mean excess of the two layers (lines)."""
    rows = {"learner": [], "context": [], "mean": [], "se": []}
    for point, a in data["learners"]:
        for i, name in enumerate(NAMES):
            v = a["loss"][:, i]
            rows["learner"].append(name)
            rows["context"].append(point["context"])
            rows["mean"].append(float(v.mean()))
            rows["se"].append(float(v.std(ddof=1) / np.sqrt(len(v))))
    fine = sorted({int(n) for n in np.geomspace(2, 70, 40)})
    tasks = [icl.LinearTask(DIMENSION, n, noise=NOISE) for n in fine]
    exact = {
        "context": fine,
        "prequential layer": [icl.optimal_excess(t) for t in tasks],
        "train-risk layer": [icl.excess(icl.train_risk_step(t) * np.eye(DIMENSION), t) for t in tasks],
    }
    return {"measured": rows, "exact": exact}


def codes_run(point, seeds, xp):
    """bits (R, N): code lengths of the Bayesian learner on one data set a replicate."""
    rows = []
    for seed in seeds:
        X, y, _, _ = (a[0, 0] for a in Sampler.of(point).draw([np.random.default_rng(seed)], 1, np))
        rows.append(icl.code_lengths(X, y, point["noise"]))
    return {"bits": xp.asarray(np.array(rows))}


codes = Experiment(
    "elmoznino2024prequential.codes", codes_run, [{"d": DIMENSION, "context": 30, "noise": NOISE}], block=64
)


def tables_codes(data):
    """Mean bits per example; −log₂ of the noise density is what remains when w is known."""
    _, a = data["codes"][0]
    n = a["bits"].shape[1]
    floor = 0.5 * np.log2(2 * np.pi * np.e * NOISE)
    return {
        "bits": {
            "example": list(range(1, n + 1)),
            "mean": [float(v) for v in a["bits"].mean(axis=0)],
            "se": [float(v) for v in a["bits"].std(axis=0, ddof=1) / np.sqrt(len(a["bits"]))],
            "floor": [float(floor)] * n,
        }
    }


PARAMETERS = [
    ("learner", "transformer, 4 layers", "one linear-attention layer; Bayesian regression"),
    ("d, σ²", "3 and a bias, 0.04", "3, 0.04"),
]
figure_2 = Figure(
    number="2", title="Generalisation by context length: trained on the next example, or on the train risk",
    experiments={"learners": learners}, tables=tables_2, draw=pictures.learners,
    replicates={"smoke": 4, "laptop": 16, "paper": 64}, parameters=PARAMETERS, claims=[worse, gap_closes],
)  # fmt: skip
figure_code = Figure(
    number="prequential-code", title="Bits per example of the Bayesian learner (not a figure of the paper)",
    experiments={"codes": codes}, tables=tables_codes, draw=pictures.codes,
    replicates={"smoke": 64, "laptop": 512, "paper": 4096}, parameters=PARAMETERS, claims=[code_length],
)  # fmt: skip

if __name__ == "__main__":
    import sys

    from corollary.cli import main

    sys.argv[1:1] = ["reproduce", PAPER.key]
    main()
