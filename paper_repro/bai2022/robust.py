"""Section 4: adversarial training as a convex program. Its value is the worst case of its network; what it buys."""

from __future__ import annotations

import itertools

import numpy as np

from corollary.arrays import namespace_for
from corollary.claims import Claim, Experiment, Regime
from corollary.claims.experiment import EachSeed
from corollary.sims.convex_relu import attacks
from corollary.sims.convex_relu import network as nonconvex
from corollary.theory import convex_relu
from corollary.verdicts import Bound, Identity, Order, scaled


# --- the identity: any neurons that keep their sign on every box
def draw(n, d, rng):
    """Data, two neurons of either sign and a radius at which none changes sign on a box: half the least margin.

    Drawn again where the norms of the neurons just add up (at every point that pays, all active neurons pull alike,
    or one is alone): there the rival `apart` says the same.
    """
    while True:
        X, y = rng.standard_normal((n, d)), rng.choice((-1.0, 1.0), n)
        G = rng.standard_normal((d, 4))
        radius = np.array(0.5 * np.min(np.abs(X @ G) / np.sum(np.abs(G), axis=0)))
        drawn = {"X": X, "y": y, "G": G, "radius": radius}
        if apart(**drawn) - by_formula(**drawn) > 1e-3 * radius:
            return drawn


def by_formula(X, y, G, radius, *, order=1, clean=False):
    """For the rivals: Σ_k (1 − y f + ε‖Σ_i d_ik (v_i − w_i)‖₁)_+."""
    D = (X @ G >= 0).astype(X.dtype)
    signs = np.asarray([1, 1, -1, -1], X.dtype)
    slope = (D * signs) @ G.T
    f = np.sum(X * slope, axis=1)
    size = np.sum(np.abs(slope), axis=1) if order == 1 else np.sqrt(np.sum(slope**2, axis=1))
    worst = radius * size * X.dtype.type(0 if clean else 1)
    return np.sum(np.maximum(1 - y * f + worst, 0))


def by_theory(X, y, G, radius):
    """`robust_objective` of the package, without penalty."""
    D = (X @ G >= 0).astype(float)
    problem = convex_relu.Problem(X, y[:, None], 0.0, D, "hinge", False, True)
    keep = np.array([1.0, 1.0, 0.0, 0.0])
    return convex_relu.robust_objective(problem, G * keep, G * (1 - keep), float(radius))


def apart(X, y, G, radius):
    """The neurons' norms added one by one: Σ_i d_ik ‖v_i‖₁."""
    D = (X @ G >= 0).astype(X.dtype)
    signs = np.asarray([1, 1, -1, -1], X.dtype)
    f = np.sum(X * ((D * signs) @ G.T), axis=1)
    return np.sum(np.maximum(1 - y * f + radius * (D @ np.sum(np.abs(G), axis=0)), 0))


def by_vertices(X, y, G, radius):
    """The mapped network at every corner of every box."""
    size = np.sqrt(np.sum(G**2, axis=0))
    U, a = G / np.sqrt(size), np.asarray([1, 1, -1, -1], X.dtype) * np.sqrt(size)
    worst = np.zeros(len(X), X.dtype)
    for corner in itertools.product((-1, 1), repeat=X.shape[1]):
        f = np.maximum((X + radius * np.asarray(corner, X.dtype)) @ U, 0) @ a
        worst = np.maximum(worst, np.maximum(1 - y * f, 0))
    return np.sum(worst)


worst_case = Claim(
    r"\max_{\|\delta_k\|_\infty\le\varepsilon}\sum_k\big(1-y_kf(x_k+\delta_k)\big)_+ "
    r"= \sum_k\big(1-y_kf(x_k)+\varepsilon\|\textstyle\sum_id_{ik}(v_i-w_i)\|_1\big)_+",
    Identity(by_vertices, by_theory, scaling=False, because="robust_objective answers in float64 whatever it is given"),
    id="bai2022.worst-case",
    where="Section 4, the robust counterpart of the hinge loss for perturbations in a box",
    theorem=r"Adversarial training with the hinge loss and $\|\delta_k\|_\infty \le \epsilon$ is bounded by the convex "
    r"program $\min \sum_k (1 - y_k\sum_i d_{ik}x_k^\top(v_i - w_i) + \epsilon\|\sum_i d_{ik}(v_i - w_i)\|_1)_+ + "
    r"\beta\sum_i(\|v_i\| + \|w_i\|)$ over $v_i, w_i$ with $(2D_i - I)Xv_i \ge \epsilon\|v_i\|_1$, "
    r"$(2D_i - I)Xw_i \ge \epsilon\|w_i\|_1$.",
    measure=Experiment("bai2022.boxes", EachSeed(draw), [{"n": 8, "d": 3}], replicates=32, source=draw),
    rivals={
        "ε times the sum of the neurons' norms": apart,
        "‖·‖₂ for ‖·‖₁": lambda X, y, G, radius: by_formula(X, y, G, radius, order=2),
        "no perturbation": lambda X, y, G, radius: by_formula(X, y, G, radius, clean=True),
    },
    checked_by=["convex_relu.worst_case"],
)


# --- patterns of moved data are not needed
def enlarged(n, d, radius, rng):
    """(dual bound with the patterns of X, objective with those of moved data as well): hinge, under attack."""
    while True:
        X, y = rng.standard_normal((n, d)), rng.choice((-1.0, 1.0), n)
        D = convex_relu.all_patterns(X)
        known = {column.tobytes() for column in D.T}
        moved = X + rng.uniform(-radius, radius, (8, n, d))
        drawn = (moved @ rng.standard_normal((d, 30)) >= 0).astype(float).transpose(1, 0, 2).reshape(n, -1)
        fresh = {column.tobytes(): column for column in drawn.T if column.tobytes() not in known}
        if not fresh:
            continue  # nothing to add
        alone = convex_relu.solve_robust(X, y, 0.05, D, radius, "hinge", tol=1e-3)
        if np.any(alone.V) or np.any(alone.W):
            break  # else no neuron can keep its sign, with these patterns or others
    both = np.concatenate([D, np.stack(list(fresh.values())[:4], axis=1)], axis=1)
    more = convex_relu.solve_robust(X, y, 0.05, both, radius, "hinge", tol=1e-3)
    return np.array([alone.certificate.dual, more.objective])


perturbed = Claim(
    r"p^*_\varepsilon(\mathcal D) \le p^*_\varepsilon(\mathcal D\cup\mathcal D_{\rm perturbed}):"
    r"\ \text{a robustly feasible } v\ne0 \text{ has a pattern of the clean data}",
    Bound(resolution=0.35),
    id="bai2022.perturbed-patterns",
    where="ours: Section 4 samples patterns of perturbed data as well",
    measure=enlarged,
    points=[{"n": 4, "d": 2, "radius": 0.2}],
    replicates=128,
    rivals={
        "without them it is half a per cent higher": scaled(0.995),
        "without them it is two per cent higher": scaled(0.98),
    },
    uses=[worst_case],
    checked_by=["convex_relu.worst_case"],
)


# --- what it buys: hinge loss under attack
def wide_data(n, d, rng):
    """More dimensions than points, as for images: labels by the first coordinate's sign, blurred."""
    X = rng.standard_normal((n, d))
    return X, np.where(X[:, 0] + 0.3 * rng.standard_normal(n) > 0, 1.0, -1.0)


def as_batch(net) -> nonconvex.TwoLayer:
    return nonconvex.TwoLayer(np.asarray(net.U)[None], np.asarray(net.a)[:, 0][None])


def under_attack(n, d, radius, rng):
    """(robust network, clean network): summed hinge loss on the training inputs under 20 steps of PGD."""
    X, y = wide_data(n, d, rng)
    D = convex_relu.sample_patterns(X, 5, rng)
    robust = convex_relu.solve_robust(X, y, 0.1, D, radius, "hinge", tol=1e-3).network()
    clean = convex_relu.solve(X, y, 0.1, D, "hinge", tol=1e-3).network()
    losses = []
    for net in (robust, clean):
        if not net.U.shape[1]:
            losses.append(float(n))
            continue
        batch = as_batch(net)
        moved = attacks.pgd(batch, X, y, radius, "logistic")  # the hinge has no gradient beyond its margin
        value = nonconvex.loss_of("hinge", nonconvex.predict(batch, moved), y)[0]
        losses.append(float(namespace_for("cpu").sum(value)))
    return np.array(losses)


buys = Claim(
    r"\text{under PGD the robust program's network has the smaller hinge loss}",
    Order(),
    id="bai2022.robust-under-attack",
    where="Section 5, an experiment (adversarial accuracy)",
    measure=under_attack,
    points=[{"n": 6, "d": 9, "radius": 0.15}],
    replicates=256,
    rivals={"no order": 0.5, "it hurts more often than not": 0.25},
    regime=Regime(
        lambda n, d: d > n,
        because="with many points in few dimensions hardly a neuron keeps its sign on every box, and the robust "
        "program is the zero network: n = 16, d = 3 refutes the claim",
    ),
    uses=[worst_case],
    checked_by=["convex_relu.worst_case"],
)
