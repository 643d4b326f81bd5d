"""How fast Newton and gradient descent converge; three printed statements that fail, with their corrections."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Erratum, Experiment, Paper, printed
from corollary.claims.experiment import EachSeed
from corollary.theory import icl
from corollary.verdicts import Identity

PAPER = Paper(
    key="fu2023newton",
    title="Transformers Learn to Achieve Second-Order Convergence Rates for In-Context Linear Regression",
    authors="Deqing Fu, Tian-Qi Chen, Robin Jia, Vatsal Sharan",
    year=2023,
    arxiv="2310.17086",
    summary="Newton's iteration needs exponentially fewer steps than descent, and attention layers can run it.",
)


# --- convergence of the two iterations
def draw(N, d, rng):
    return {"X": rng.standard_normal((N, d)), "y": rng.standard_normal(N), "xq": rng.standard_normal(d)}


instances = Experiment("fu2023newton.instances", EachSeed(draw), [{"N": 12, "d": 3}], replicates=32, source=draw)
STEPS = 3


def newton_inverse(X, steps, scale=1.0):
    """M after `steps` steps from (scale/λ_max²) S, written as the loop."""
    S = X.T @ X
    M = S * (X.dtype.type(scale) / np.linalg.eigvalsh(S)[-1] ** 2)
    for _ in range(steps):
        M = 2 * M - M @ S @ M
    return M, S


def newton_remainder(X):
    """1 − ‖I − M_k S‖, the least eigenvalue of M_k S: of the size of its rounding errors' scale, as 1 − MS is not."""
    M, S = newton_inverse(X, STEPS)
    return np.linalg.eigvalsh((M @ S + S @ M) / 2)[0]


def residual_law(X, power=2**STEPS, kappa_power=2):
    """1 − (1 − κ⁻²)^{2^k}."""
    s = np.linalg.svd(X, compute_uv=False)
    return 1 - (1 - (s[-1] / s[0]) ** (2 * kappa_power)) ** power


def linear_convergence(X):
    return residual_law(X, power=2 * STEPS)


def unsquared(X):
    return residual_law(X, kappa_power=1)


newton_convergence = Claim(
    r"\|I - M_k S\| = (1-\kappa^{-2})^{2^k}:\ \text{the log-residual doubles each step}",
    Identity(newton_remainder, residual_law),
    id="fu2023newton.newton-residual",
    where="Section 3 (iterative Newton), Theorem 5.1",
    measure=instances,
    rivals={"linear convergence: exponent 2k": linear_convergence, "κ⁻¹ for κ⁻²": unsquared},
    checked_by=["icl.newton", "icl.step_counts"],
)


def descent_residual(X, steps=9):
    """‖Π(I − ηS)‖ with the best rate, by the loop."""
    S = X.T @ X
    λ = np.linalg.eigvalsh(S)
    η, P = 2 / (λ[0] + λ[-1]), np.eye(len(S), dtype=X.dtype)
    for _ in range(steps):
        P = P - η * (S @ P)
    return np.max(np.abs(np.linalg.eigvalsh((P + P.T) / 2)))


def descent_law(X, steps=9):
    """((κ − 1)/(κ + 1))^k."""
    s = np.linalg.svd(X, compute_uv=False)
    κ = (s[0] / s[-1]) ** 2
    return ((κ - 1) / (κ + 1)) ** steps


def accelerated(X):
    s = np.linalg.svd(X, compute_uv=False)
    return ((s[0] - s[-1]) / (s[0] + s[-1])) ** 9


def short_rate(X):
    s = np.linalg.svd(X, compute_uv=False)
    return (1 - (s[-1] / s[0]) ** 2) ** 9


descent_convergence = Claim(
    r"\text{gradient descent at its best rate leaves } \big(\tfrac{\kappa-1}{\kappa+1}\big)^k",
    Identity(descent_residual, descent_law),
    id="fu2023newton.descent-residual",
    where="Section 3",
    measure=instances,
    rivals={"(√κ − 1)/(√κ + 1), accelerated": accelerated, "1 − 1/κ, the rate 1/λ_max": short_rate},
    checked_by=["icl.descent", "icl.step_counts"],
)


# --- errata
def top_direction(X, steps=5):
    """u·(I − M_kS)u in the top eigendirection u, with the printed α = 2/‖SSᵀ‖₂."""
    M, S = newton_inverse(X, steps, scale=2.0)
    u = np.linalg.eigh(S)[1][:, -1]
    return u @ u - u @ (M @ (S @ u))


def stays_at_one(X):
    return X.dtype.type(1.0) + 0 * X[0, 0]


def vanishes(X):
    return 0 * X[0, 0]


def one_half(X):
    return X.dtype.type(0.5) + 0 * X[0, 0]


printed_alpha = Claim(
    r"\alpha = 2/\|SS^\top\|_2 \Rightarrow M_1 u = 0,\ (I - M_k S)u = u \text{ for all } k \ge 1"
    r"\text{ in the top eigendirection } u",
    Identity(
        top_direction,
        stays_at_one,
        growth=128,
        because="(1 − αλ²)^{2^5} at αλ² = 2: a relative rounding of λ comes back 4·2^5 times; "
        "M_1u is a rounding error, which Newton doubles each step",
    ),
    id="fu2023newton.printed-alpha",
    where="Section 3, choice of α",
    measure=instances,
    rivals={"as printed: it converges": printed(vanishes), "it halves": one_half},
    checked_by=["icl.newton"],
)


def second_iterate(X):
    return newton_inverse(X / X.dtype.type(4), 2)[0]


def expansion(X, coefficients=(4.0, -6.0, 4.0, -1.0)):
    """Σ c_j α^j S^{2j−1}; the right coefficients are binomial, C(4, j)(−1)^{j+1}."""
    x = X / X.dtype.type(4)
    S = x.T @ x
    α, power, out = 1 / np.linalg.eigvalsh(S)[-1] ** 2, S, 0 * S
    a = α
    for c in coefficients:
        out = out + X.dtype.type(c) * a * power
        a, power = a * α, power @ S @ S
    return out


def printed_expansion(X):
    return expansion(X, (4.0, -12.0, 16.0, -16.0))


def sign_lost(X):
    return expansion(X, (4.0, 6.0, 4.0, 1.0))


moment_expansion = Claim(
    r"M_2 = 4\alpha S - 6\alpha^2 S^3 + 4\alpha^3 S^5 - \alpha^4 S^7",
    Identity(second_iterate, expansion, growth=16, because="alternating sums: terms are up to 6 times their sum"),
    id="fu2023newton.moment-expansion",
    where="Section 3, expansion of Newton's iterates in moments of S",
    measure=instances,
    rivals={"as printed: 4, −12, 16, −16": printed(printed_expansion), "all signs plus": sign_lost},
    checked_by=["icl.newton"],
)


def by_relu_layers(X, y, xq, signs=(1.0, -1.0)):
    """Three ReLU-attention layers: z_j = M x_j with M ← 2M − MSM from M₀ = αS, α = 1e-3, on X/2: every drawn prompt has
    α λ_max(S)² < 2 (else `predict` raises)."""
    return icl.newton_construction(STEPS, alpha=1e-3, value_signs=signs).predict(X / 2, y, xq)


def by_loop(X, y, xq):
    x = X / 2
    S = x.T @ x
    M = X.dtype.type(1e-3) * S
    for _ in range(STEPS):
        M = 2 * M - M @ S @ M
    return xq @ M @ (x.T @ y)


def equal_values(X, y, xq):
    return by_relu_layers(X, y, xq, (1.0, 1.0))


def one_head(X, y, xq):
    return by_relu_layers(X, y, xq, (1.0, 0.0))


relu_layers = Claim(
    r"\text{two ReLU heads of opposite values make one Newton step: } \mathrm{relu}(s) - \mathrm{relu}(-s) = s",
    Identity(by_relu_layers, by_loop, growth=4, because="sums over 12 examples in three nested layers"),
    id="fu2023newton.relu-layers",
    where="Theorem 5.1, proof",
    measure=instances,
    rivals={"as printed: equal value matrices": printed(equal_values), "one head alone": one_head},
    checked_by=["icl.newton_layer"],
)

errata = [
    Erratum(
        "Section 3, the initial value M₀ = αS", "α = 2/‖SSᵀ‖₂",
        "any α < 2/λ_max(S)², e.g. 1/λ_max(S)²; the authors' code takes 1/‖SSᵀ‖_F", ["fu2023newton.printed-alpha"],
    ),
    Erratum(
        "Section 3, moment expansion", "M₁ = 2αS − 4α²S³, M₂ = 4αS − 12α²S³ + 16α³S⁵ − 16α⁴S⁷",
        "M₁ = 2αS − α²S³, M₂ = 4αS − 6α²S³ + 4α³S⁵ − α⁴S⁷", ["fu2023newton.moment-expansion"],
    ),
    Erratum(
        "Proof of Theorem 5.1", "ReLU(s) + ReLU(−s) = s, with equal value matrices",
        "ReLU(s) − ReLU(−s) = s: the two heads need opposite value matrices", ["fu2023newton.relu-layers"],
    ),
]  # fmt: skip
