"""The optimal polytope, minimal models, pruning, and the solution path."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Paper
from corollary.claims.experiment import EachSeed
from corollary.theory import convex_relu
from corollary.verdicts import Bound, Value, median, scaled

PAPER = Paper(
    key="mishkin2023optimal",
    title="Optimal Sets and Solution Paths of ReLU Networks",
    authors="Aaron Mishkin, Mert Pilanci",
    year=2023,
    arxiv="2306.00119",
    summary="The optimal set of a ReLU network is a polytope; minimal networks, pruning and the regularisation path.",
    conventions="½‖f − y‖² summed over points, β/2 (‖U‖² + ‖a‖²) ⇔ β Σ (‖v_i‖ + ‖w_i‖); their λ is β. ν = y − f*, "
    "q_i = Proj(±XᵀD_iν) onto the cone 𝒦_i = {u: (2D_i − I)Xu ≥ 0}, Z has the columns ±D_iXq_i/‖q_i‖ with ‖q_i‖ = β, "
    "α_i = ‖v_i‖ or ‖w_i‖, T = Σ α. Theorems are stated as recalled: only the abstract was compared with the paper's.",
)

SHARE = 0.1  # β over the critical β


def crossed(d: int, rng: np.random.Generator):
    """Points a_j e_j and −b_j e_j for every axis, turned at random, targets positive: the 2^d cells share the fit,
    Z has 2^d columns and rank d + 1, and every instance has a polytope of optima."""
    sizes, turn = rng.uniform(0.5, 2, (2, d)), np.linalg.qr(rng.standard_normal((d, d)))[0]
    return np.concatenate([np.diag(sizes[0]), -np.diag(sizes[1])]) @ turn, rng.uniform(1, 2, 2 * d)


def line_data(n: int, rng: np.random.Generator):
    """Points on a line with a bias: X = (x, 1). Kinks may sit anywhere between two points; one draw in some 70 (n = 7)
    has more than one optimum."""
    x = np.sort(rng.uniform(-1, 1, n))
    return np.stack([x, np.ones(n)], axis=1), rng.standard_normal(n)


def solved(X, y, share: float = SHARE):
    D = convex_relu.all_patterns(X)
    beta = share * convex_relu.critical_beta(X, y, D)
    return convex_relu.solve(X, y, beta, D, tol=1e-8), beta


# --- Section 3: the polytope
def polytope(d, rng):
    """A random vertex and the minimum-norm point of the optimal set, as networks, against the solver's solution; and a
    point past the vertex, where Zα = f* still holds and α ≥ 0 does not: its neurons with α < 0 point along q_i too."""
    X, y = crossed(d, rng)
    s, beta = solved(X, y)
    O = convex_relu.optimal_set(s)
    vertex, least = O.minimal(rng), O.minimum_norm()

    def excess(alpha) -> float:
        net = O.network(np.abs(alpha))
        f = np.maximum(X @ net.U, 0) @ (np.sign(alpha[alpha != 0]) * net.a[:, 0])
        return float(np.sum((f - y) ** 2) / 2 + beta * net.weight_penalty() - s.objective)

    null = np.linalg.svd(O.columns)[2][-1]  # Z null = 0, so Σ null = 0
    null = null if np.min(null[vertex == 0]) < -np.max(null[vertex == 0]) else -null
    past = vertex + O.total / 2 * null / np.sum(np.abs(null))
    return {
        "set": np.array([max(excess(vertex), excess(least)) / s.objective,
                         excess(past) / (-2 * beta * np.sum(past[past < 0]))]),
        "total": np.sum(vertex) / np.sum(least),
        "squares": np.sum(least**2) / np.sum(vertex**2),
        "neurons": np.array([np.sum(vertex > 0), O.rank], dtype=float),
        "pruned": np.array([*pruned(O.network(least), X)], dtype=float),
    }  # fmt: skip


def pruned(net, X) -> tuple[int, int]:
    """(neurons after pruning, rank of the neurons' contributions before), both on columns of length one to 1e-6.

    A singular value of a subset of the columns is at most that of all of them, so rounding cannot break the bound.
    """
    Z = np.maximum(X @ np.asarray(net.U), 0) * np.asarray(net.a)[:, 0]
    size = np.linalg.norm(Z, axis=0)
    Z = Z[:, size > 0] / size[size > 0]
    return net.prune(X, tol=1e-6).U.shape[1], int(np.linalg.matrix_rank(Z, tol=1e-6))


polytopes = Experiment("mishkin2023optimal.polytopes", EachSeed(polytope), [{"d": 3}], replicates=256, source=polytope)
POLYTOPE = (
    r"Abstract: the global optima of the convex parameterisation are a polyhedral set. With $\nu = y - f^*$ and "
    r"$q_i$ the projection of $\pm X^\top D_i\nu$ onto $\mathcal{K}_i$ it is $\{v_i = \alpha_i q_i/\|q_i\|:\ "
    r"\alpha \ge 0,\ Z\alpha = f^*,\ \alpha_i = 0 \text{ where } \|q_i\| < \beta\}$."
)

same_total = Claim(
    r"\textstyle\sum_i\alpha_i = T \text{ at every point of } \{\alpha\ge0:\ Z\alpha=f^*\}",
    Value(
        1.0, of=median, resolution=0.005, margin=1e-3,
        because="solutions are certified to 1e-8 of p*; T moves with its root",
    ),
    id="mishkin2023optimal.same-total",
    where="The polyhedral characterisation of the optimal set",
    theorem=POLYTOPE,
    measure=polytopes["total"],
    rivals={
        "vertices are sparser, so they pay less: 1 % less": 0.99,
        "the minimum-norm solution pays less: 1 % less": 1.01,
    },
    checked_by=["convex_relu.optimal_polytope"],
)  # fmt: skip

all_optimal = Claim(
    r"L(Z\alpha)+\beta\textstyle\sum_i|\alpha_i| = p^* \text{ for all } \alpha\ge0 \text{ with } Z\alpha=f^*,\quad "
    r"p^*+2\beta\sum_i\max(-\alpha_i,0) \text{ without } \alpha\ge0",
    # the excess over p* of a vertex and of the minimum norm, and that of a point past the vertex over 2βΣα₋
    Value(np.array([0.0, 1.0]), resolution=np.array([1e-5, 0.05])),
    id="mishkin2023optimal.all-optimal",
    where="The polyhedral characterisation of the optimal set",
    theorem=POLYTOPE,
    measure=polytopes["set"],
    rivals={
        "Zα = f* alone, neurons of either sign": np.array([0.0, 0.0]),
        "past a vertex it costs βΣα₋": np.array([0.0, 0.5]),
    },
    uses=[same_total],
    checked_by=["convex_relu.optimal_polytope"],
)

minimal = Claim(
    r"\text{a vertex has at most } \operatorname{rank} Z \text{ neurons}",
    Bound(resolution=0.25),
    id="mishkin2023optimal.minimal",
    where="Minimal models: vertices of the optimal set",
    theorem=r"The vertices of the optimal set are the minimal networks, optima which no neuron can be left out of: "
    r"their columns of $Z$ are independent, so that they have at most $\operatorname{rank} Z \le n$ neurons.",
    measure=polytopes["neurons"],
    rivals={"at most half of rank Z": scaled(0.5), "at most rank Z − 1 where rank Z ≤ 10": scaled(0.9)},
    checked_by=["convex_relu.minimal_models"],
)


# --- pruning
width = Claim(
    r"m \le \operatorname{rank} Z \text{ neurons after pruning the solution of least norm}",
    Bound(resolution=0.25),
    id="mishkin2023optimal.width",
    where="The algorithm for optimal pruning",
    theorem=r"While the contributions $D_iXv_i$ of the neurons in use are dependent, $\sum_i b_iD_iXv_i = 0$, scale "
    r"neuron $i$ by $1 - b_i/\max_j b_j$: one of them goes, and the network stays optimal. It ends at a minimal one.",
    measure=polytopes["pruned"],
    rivals={"at most half of rank Z": scaled(0.5), "at most rank Z − 1 where rank Z ≤ 10": scaled(0.9)},
    uses=[minimal],
    checked_by=["convex_relu.minimal_models"],
)


# --- the path
def secant(n, d, step, rng):
    """(p(β(1+h)) − p(β(1−h)))/(2hβ) over T(β)."""
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    D = convex_relu.all_patterns(X)
    beta = 0.2 * convex_relu.critical_beta(X, y, D)
    P = convex_relu.path(X, y, D, [beta * (1 - step), beta, beta * (1 + step)], tol=1e-7)
    return (P.objective[2] - P.objective[0]) / (2 * step * beta * P.penalty[1])


slope = Claim(
    r"\frac{dp}{d\beta} = T(\beta) = \textstyle\sum_i\|v_i\|+\|w_i\|",
    Value(
        1.0, resolution=0.05, margin=0.02,
        because="a central difference with h = 1 % leaves h² p‴β²/6T, a few per cent where a neuron enters nearby",
    ),
    id="mishkin2023optimal.slope",
    where="ours, beside the paper's conditions for a continuous regularisation path",
    measure=secant,
    points=[{"n": 6, "d": 2, "step": 0.01}],
    replicates=256,
    rivals={
        "the weights' squares, ‖U‖² + ‖a‖² = 2T": 2.0,
        "the factor ½ of the weight decay kept: T/2": 0.5,
    },
    checked_by=["convex_relu.slope"],
)  # fmt: skip


def chord(n, d, rng):
    """(mean of p at β₁ and β₂, p at their middle)."""
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    D = convex_relu.all_patterns(X)
    top = convex_relu.critical_beta(X, y, D)
    low, high = np.sort(rng.uniform(0.02, 1.0, 2)) * top
    P = convex_relu.path(X, y, D, [low, (low + high) / 2, high], tol=1e-4)  # bounds are rigorous
    lower = [s.certificate.dual for s in P.solutions]
    return np.array([(lower[0] + lower[2]) / 2, P.objective[1]])


concave = Claim(
    r"p\big(\tfrac{\beta_1+\beta_2}2\big) \ge \tfrac12\big(p(\beta_1)+p(\beta_2)\big)",
    Bound(resolution=0.3),
    id="mishkin2023optimal.concave",
    where="ours, beside the paper's conditions for a continuous regularisation path",
    measure=chord,
    points=[{"n": 6, "d": 2}],
    replicates=256,
    rivals={"by two per cent": scaled(0.98), "by ten per cent": scaled(0.9)},
    checked_by=["convex_relu.slope"],
)
