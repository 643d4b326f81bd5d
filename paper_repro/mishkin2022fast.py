"""Mishkin, Sahiner, Pilanci 2022: Fast Convex Optimization for Two-Layer ReLU Networks (2202.01331).

Dropping the cones of the convex program gives gated networks, an unconstrained group lasso that accelerated proximal
gradient (FISTA with restarts) solves; a cone decomposition z = v − w turns a gated network into a ReLU network with the
same predictions. Over the same patterns the gated optimum lies below the ReLU optimum. Loss ½‖f − y‖² (theirs is
‖f − y‖²/2n: λ = β/n).

    python -m corollary.paper_repro.mishkin2022fast --figure 1
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Paper
from corollary.claims.experiment import EachSeed
from corollary.figures import mishkin2022fast as pictures
from corollary.theory import convex_relu
from corollary.theory.convex_relu import fista
from corollary.verdicts import Bound, Identity, scaled

PAPER = Paper(
    key="mishkin2022fast",
    title="Fast Convex Optimization for Two-Layer ReLU Networks: Equivalent Model Classes and Cone Decompositions",
    authors="Aaron Mishkin, Arda Sahiner, Mert Pilanci",
    year=2022,
    arxiv="2202.01331",
    summary="Gated networks as an unconstrained group lasso, FISTA for it, and cone decompositions back to ReLU.",
    conventions="½‖f − y‖² summed over points, β Σ ‖z_i‖ (theirs is ‖f − y‖²/2n with λ = β/n). Gates g_i, patterns "
    "D_i = diag(1[X g_i ≥ 0]); gated network Σ D_i X z_i, ReLU network Σ D_i X (v_i − w_i) with v_i, w_i in the cone "
    "𝒦_i = {u: (2D_i − I)Xu ≥ 0}. Theorems are stated as recalled: only the abstract was compared with the paper's.",
)

SHARE = 0.1  # β over the critical β of the ReLU program


def data(n: int, d: int, patterns: int, rng: np.random.Generator):
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    D = convex_relu.sample_patterns(X, patterns, rng)
    return X, y, SHARE * convex_relu.critical_beta(X, y, D), D


# --- gated below ReLU
def both(n, d, patterns, rng):
    """(dual bound of the gated program, objective of the ReLU program) over the same patterns."""
    X, y, beta, D = data(n, d, patterns, rng)
    gated = convex_relu.solve(X, y, beta, D, gated=True, tol=1e-3)  # both bounds are rigorous at any tolerance
    relu = convex_relu.solve(X, y, beta, D, tol=1e-3)
    return np.array([gated.certificate.dual, relu.objective])


gated_below = Claim(
    r"p^*_{\rm gated}(\mathcal D) \le p^*_{\rm ReLU}(\mathcal D)",
    Bound(resolution=0.25),
    id="mishkin2022fast.gated-below",
    where="The gated program, which is the ReLU program without its cones",
    theorem=r"The convex ReLU program is $\min \tfrac12\|\sum_i D_iX(v_i - w_i) - y\|^2 + \beta\sum_i(\|v_i\| + "
    r"\|w_i\|)$ over $v_i, w_i \in \mathcal{K}_i$. Without the cones it is that of gated networks, "
    r"$\min \tfrac12\|\sum_i D_iXz_i - y\|^2 + \beta\sum_i\|z_i\|$.",
    measure=both,
    points=[{"n": 12, "d": 3, "patterns": 8}],
    replicates=256,
    rivals={"half of it": scaled(0.5), "six tenths of it": scaled(0.6)},
    checked_by=["convex_relu.conjugates"],
)


def nested(n, d, patterns, rng):
    """(dual bound over all patterns drawn, objective over the first half of them), gated."""
    X, y, beta, D = data(n, d, patterns, rng)
    more = convex_relu.solve(X, y, beta, D, gated=True, tol=1e-3)
    fewer = convex_relu.solve(X, y, beta, D[:, : D.shape[1] // 2], gated=True, tol=1e-3)
    return np.array([more.certificate.dual, fewer.objective])


more_patterns = Claim(
    r"\mathcal D\subset\mathcal D' \Rightarrow p^*(\mathcal D') \le p^*(\mathcal D)",
    Bound(resolution=0.25),
    id="mishkin2022fast.more-patterns",
    where="ours: why the objective falls with the number of patterns in Figure 5",
    measure=nested,
    points=[{"n": 12, "d": 3, "patterns": 10}],
    replicates=256,
    rivals={"half of it": scaled(0.5), "ten per cent lower": scaled(0.9)},
    checked_by=["convex_relu.nested_patterns"],
)


# --- cone decomposition
def draw_gates(n, d, count, rng):
    """Data, gates that are open somewhere, and the weights of a gated network, none of them in the cone of its gate,
    where there is nothing to decompose. No point within 0.1 (a cosine) of a gate: τ grows like the inverse, and v and w
    cancel by as much."""
    while True:
        X, G, Z = rng.standard_normal((n, d)), rng.standard_normal((d, count)), rng.standard_normal((d, count))
        cosines = X @ G / np.linalg.norm(X, axis=1)[:, None] / np.linalg.norm(G, axis=0)
        outside, opened = np.any((X @ Z) * cosines < 0, axis=0), np.any(cosines > 0, axis=0)
        if np.min(np.abs(cosines)) > 0.1 and np.all(outside & opened):
            return {"X": X, "G": G, "Z": Z}


def gated_fit(X, G, Z):
    return np.sum((X @ G >= 0).astype(X.dtype) * (X @ Z), axis=1)


def decomposed(X, G, Z, *, keep_w=True, share=1.0):
    """ReLU network with v = z + τ g, w = τ g, τ the least that puts v into the cone of g's pattern."""
    E = np.where(X @ G >= 0, np.asarray(1, X.dtype), np.asarray(-1, X.dtype))
    tau = np.max(np.maximum(-E * (X @ Z), 0) / (E * (X @ G)), axis=0) * X.dtype.type(share)
    V, W = Z + tau * G, tau * G
    out = np.sum(np.maximum(X @ V, 0), axis=1)
    return out - np.sum(np.maximum(X @ W, 0), axis=1) if keep_w else out


decomposition = Claim(
    r"D_iXz_i = (Xv_i)_+ - (Xw_i)_+,\quad z_i=v_i-w_i,\ v_i,w_i\in\mathcal K_i",
    Identity(gated_fit, decomposed, growth=64, because="v and w cancel by τ, which is up to 10 times ‖z‖/‖g‖"),
    id="mishkin2022fast.cone-decomposition",
    where="Cone decompositions: K − K is the whole space for a cone with an interior",
    theorem="Abstract: with zero regularisation the convex reformulation is exactly equivalent to unconstrained "
    r"optimisation of a convex gated ReLU network with non-singular gates. Each $z_i$ is $v_i - w_i$ with "
    r"$v_i, w_i \in \mathcal{K}_i$, as $\mathcal{K}_i - \mathcal{K}_i$ is the whole space for a non-singular gate.",
    measure=Experiment(
        "mishkin2022fast.gates", EachSeed(draw_gates), [{"n": 6, "d": 3, "count": 3}], replicates=32, source=draw_gates
    ),
    rivals={
        "v alone": lambda X, G, Z: decomposed(X, G, Z, keep_w=False),
        "no shift: (Xz)_+": lambda X, G, Z: np.sum(np.maximum(X @ Z, 0), axis=1),
    },
    checked_by=["convex_relu.cone_decomposition"],
)  # fmt: skip


# --- FISTA's rate
def after(n, d, patterns, k, rng):
    """(p_k − p*, 2L‖z*‖²/(k+1)²) from z = 0."""
    X, y, beta, D = data(n, d, patterns, rng)
    best = convex_relu.solve(X, y, beta, D, gated=True, tol=1e-5)  # p_k − p* is a few per cent of p* or more
    gap = objective(X, y, beta, D, k) - best.certificate.dual
    return np.array([gap, 2 * fista.lipschitz(X, D) * np.sum((best.V - best.W) ** 2) / (k + 1) ** 2])


def objective(X, y, beta, D, k) -> float:
    z = fista.fista(X, y[:, None], np.array([beta]), D, "squared", steps=k)[0][0]
    f = np.sum(X * (D @ z), axis=1)
    return float(np.sum((f - y) ** 2) / 2 + beta * np.sum(np.linalg.norm(z, axis=1)))


rate = Claim(
    r"p(z_k)-p^* \le \frac{2L\|z^*\|^2}{(k+1)^2},\quad L=\lambda_{\max}\big((XX^\top)\circ(DD^\top)\big)",
    Bound(resolution=0.25),
    id="mishkin2022fast.fista",
    where="R-FISTA for gated networks, by the theorem for FISTA (Beck & Teboulle 2009, Theorem 4.4)",
    theorem=r"Beck & Teboulle 2009, Theorem 4.4: with the constant step $1/L$, $L$ a Lipschitz constant of the smooth "
    r"part's gradient, FISTA has $F(x_k) - F(x^*) \le \tfrac{2L\|x_0 - x^*\|^2}{(k+1)^2}$ for every minimiser $x^*$, "
    r"$k \ge 1$. It is about FISTA without restarts; for the method with them it is a claim of ours.",
    measure=after,
    points={
        scale: [{"n": 16, "d": 4, "patterns": 10, "k": k} for k in ks]
        for scale, ks in {"smoke": (20,), "laptop": (10, 20), "paper": (10, 20, 30)}.items()
    },
    replicates=256,
    rivals={
        "twelve times smaller": scaled(1 / 12),
        "twenty times smaller": scaled(0.05),
    },
    checked_by=["convex_relu.accelerated_rate"],
)

# --- figures
MOST = {"smoke": 32, "laptop": 64, "paper": 256}


def powers(most: int) -> list[int]:
    return [2**k for k in range(1, int(most).bit_length())]


def against_count(n, d, most, rng):
    """Gated and ReLU optimum over the first 2, 4, … `most` patterns drawn, over the ReLU optimum of all patterns."""
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    everything = convex_relu.all_patterns(X)
    beta = SHARE * convex_relu.critical_beta(X, y, everything)
    best = convex_relu.solve(X, y, beta, everything, tol=1e-4).objective
    D = convex_relu.patterns_of(X, rng.standard_normal((d, most)))
    out = {"gated": [], "relu": []}
    for count in powers(most):
        drawn = np.unique(D[:, :count], axis=1)
        out["gated"].append(convex_relu.solve(X, y, beta, drawn, gated=True, tol=1e-4).objective / best)
        out["relu"].append(convex_relu.solve(X, y, beta, drawn, tol=1e-4).objective / best)
    return {name: np.array(values) for name, values in out.items()}


counts = Experiment(
    "mishkin2022fast.pattern-counts", EachSeed(against_count),
    {scale: [{"n": 12, "d": 3, "most": k}] for scale, k in MOST.items()}, replicates=12, block=1, source=against_count,
)  # fmt: skip


def count_tables(gathered):
    columns = {"patterns": [], "network": [], "mean": [], "se": []}
    point, arrays = gathered["counts"][0]
    for i, count in enumerate(powers(point["most"])):
        for name, label in (("gated", "gated"), ("relu", "ReLU")):
            ratio = arrays[name][:, i]
            columns["patterns"].append(count)
            columns["network"].append(label)
            columns["mean"].append(float(ratio.mean()))
            columns["se"].append(float(ratio.std(ddof=1) / np.sqrt(len(ratio))))
    return {"objective": columns}


figure_1 = Figure(
    number="1",
    title="Optimal value against the number of sampled gates, in units of the ReLU optimum over all patterns",
    experiments={"counts": counts},
    tables=count_tables,
    draw=pictures.against_count,
    replicates={"smoke": 4, "laptop": 8, "paper": 12},
    parameters=[
        ("data", "synthetic, d = 50, 100 planted patterns", "n = 12, d = 3, N(0, 1): all patterns can be enumerated"),
        ("sampled gates", "10 … 10000", {k: ", ".join(map(str, powers(v))) for k, v in MOST.items()}),
        ("instances", "10", {"smoke": "4", "laptop": "8", "paper": "12"}),
    ],
    claims=[gated_below, more_patterns],
)

LOOKS = [1, 2, 4, 7, 12, 20, 35, 60, 100, 170, 300]


def curve(n, d, patterns, rng):
    X, y, beta, D = data(n, d, patterns, rng)
    best = convex_relu.solve(X, y, beta, D, gated=True, tol=1e-9)
    start = 2 * fista.lipschitz(X, D) * np.sum((best.V - best.W) ** 2)
    p = best.certificate.dual
    gaps = [objective(X, y, beta, D, k) - p for k in LOOKS]
    return {"gap": np.array(gaps) / p, "bound": np.array([start / (k + 1) ** 2 for k in LOOKS]) / p}


curves = Experiment(
    "mishkin2022fast.curves", EachSeed(curve), [{"n": 40, "d": 5, "patterns": 30}], replicates=6, block=1, source=curve
)


def curve_tables(gathered):
    columns = {"replicate": [], "k": [], "gap": [], "bound": []}
    _, arrays = gathered["curves"][0]
    for i in range(len(arrays["gap"])):
        columns["replicate"] += [i] * len(LOOKS)
        columns["k"] += LOOKS
        columns["gap"] += list(arrays["gap"][i])
        columns["bound"] += list(arrays["bound"][i])
    return {"fista": columns}


figure_2 = Figure(
    number="2",
    title="FISTA with restarts on gated networks, against its worst-case bound",
    experiments={"curves": curves},
    tables=curve_tables,
    draw=pictures.convergence,
    replicates={"smoke": 3, "laptop": 6, "paper": 6},
    parameters=[("data", "UCI sets", "n = 40, d = 5, N(0, 1)"), ("patterns", "5000", "30")],
    claims=[rate],
)
