"""tr H ≤ 2/η at batch 1 and only there; traces as norms of the weights."""

from __future__ import annotations

import itertools

import numpy as np

from corollary.claims import Claim
from corollary.paper_repro.wu2023stability.operator import moments
from corollary.theory import spectra
from corollary.verdicts import Bound, Value, rel, scaled


def drawn_gradients(rng):
    """6 × 3, general in half of the draws and of equal norms in the other."""
    A = rng.standard_normal((6, 3)) * rng.uniform(0.3, 2, 3)
    return A / np.linalg.norm(A, axis=1, keepdims=True) if rng.random() < 0.5 else A


def at_batch(batch, rng):
    """(tr H, 2/η*) of random gradients."""
    A = drawn_gradients(rng)
    return np.array([np.mean(np.sum(A * A, axis=1)), 2 / spectra.critical_rate(A, batch)])


trace_bound = Claim(
    r"\text{SGD of batch 1 stable in mean square} \implies \operatorname{tr} H \le 2/\eta",
    Bound(resolution=0.02, rounding=1e-10),
    id="wu2023stability.trace-bound",
    theorem=r"If a global minimum is linearly stable for SGD, then the trace of the Hessian must be less than or equal "
    r"to $2/\eta$, where $\eta$ denotes the learning rate; for gradient descent stability constrains only the largest "
    r"eigenvalue (abstract; the theorem, as recalled, is for batches of one).",
    where="Theorem (batch 1); equality for equal gradient norms",
    measure=at_batch,
    points=[{"batch": 1}],
    rivals={"tr H ≤ 1.9/η": scaled(0.95), "tr H ≤ 1/η": scaled(0.5)},
    uses=[moments],
    checked_by=["spectra.critical_rate_of_sgd"],
)
trap = Claim(
    r"\text{the same for batches of four: } \operatorname{tr} H \le 2/\eta",
    Bound(resolution=0.02, rounding=1e-10),
    id="wu2023stability.trace-bound-needs-batch-one",
    where="ours: a reading that is false, as the bound is for batch 1",
    measure=at_batch,
    points=[{"batch": 4}],
    expected="REFUTED",
    rivals={"tr H ≤ 1/η": scaled(0.5), "tr H ≤ 1.6/η": scaled(0.8)},
    uses=[trace_bound],
)


def relu_gradient(width, d, rng):
    """‖∇f(x)‖² of a fixed two-layer ReLU network at a fresh normal x."""
    W, a = weights(width, d)
    x = rng.standard_normal(d)
    z = W @ x
    return np.sum(np.maximum(z, 0) ** 2) + np.sum(a[z > 0] ** 2) * (x @ x)


def weights(width, d):
    fixed = np.random.default_rng(17)
    return fixed.standard_normal((width, d)), 2 * fixed.standard_normal(width)


relu = Claim(
    r"\operatorname{tr} H = \tfrac12\big(\textstyle\sum_j \|w_j\|^2 + d \sum_j a_j^2\big)"
    r"\ \text{(two-layer ReLU, } x \sim N(0, 1_d))",
    Value(lambda width, d: spectra.relu_trace(*weights(width, d)), resolution=rel(0.1)),
    id="wu2023stability.relu-norm",
    theorem="For two-layer ReLU networks and diagonal linear networks these metrics of sharpness (Frobenius "
    "norm and trace of the Hessian) are equivalent to certain parameter norms (abstract).",
    where="Section 4 (two-layer ReLU networks); the identity at Gaussian inputs is ours",
    measure=relu_gradient,
    points=[{"width": 20, "d": 10}],
    replicates=16384,
    given="one network",
    rivals={
        "no factor d": lambda width, d: spectra.relu_trace(*weights(width, d))
        - (d - 1) / 2 * float(np.sum(weights(width, d)[1] ** 2)),
        "every unit active": lambda width, d: 2 * spectra.relu_trace(*weights(width, d)),
    },
    checked_by=["spectra.trace_of_a_relu_network"],
)  # fmt: skip


def sides(d, rng):
    """(2‖u∘v‖₁, tr H) of a diagonal network on signs; balanced, |u| = |v|, in half of the draws.

    tr H = mean ‖∇f‖² over all 2ᵈ sign vectors, ∇f of f = Σ u_k v_k x_k by complex steps: no formula for the trace.
    """
    u, v = rng.standard_normal(d), rng.standard_normal(d)
    if rng.random() < 0.5:
        v = np.abs(u) * np.sign(v)
    x = np.array(list(itertools.product((-1.0, 1.0), repeat=d)))
    θ = np.concatenate([u, v]) + 1e-30j * np.eye(2 * d)  # one row a direction
    slopes = ((θ[:, :d] * θ[:, d:]) @ x.T).imag / 1e-30  # (2d, 2ᵈ)
    return np.array([2 * np.sum(np.abs(u * v)), np.mean(np.sum(slopes**2, axis=0))])


diagonal = Claim(
    r"\operatorname{tr} H \ge 2\|\beta\|_1,\ \beta = u \circ v:\ "
    r"\text{stable at batch 1} \implies \|\beta\|_1 \le 1/\eta",
    Bound(resolution=0.02, rounding=1e-12),
    id="wu2023stability.diagonal-norm",
    theorem="For two-layer ReLU networks and diagonal linear networks these metrics of sharpness (Frobenius "
    "norm and trace of the Hessian) are equivalent to certain parameter norms (abstract).",
    where="Section 4 (diagonal linear networks); the constants are re-derived here",
    measure=sides,
    points=[{"d": 5}],
    rivals={"twice as strong: tr H ≥ 4‖β‖₁": scaled(0.5), "tr H ≥ 2.2‖β‖₁": scaled(1 / 1.1)},
    uses=[trace_bound],
    checked_by=["spectra.trace_of_a_diagonal_network"],
)
