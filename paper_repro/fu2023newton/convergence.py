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
    conventions="Noiseless y = w·x, w ~ N(0, I), d = 20, contexts of 1 to 40 examples. S = XᵀX is not divided by n; "
    "Newton: M₀ = αS, w_k = M_k Xᵀy; descent: w ← w + η Xᵀ(y − Xw), η = 0.01 (code). SimE: mean cosine of the errors "
    "over contexts 1 to 40 of a sequence.",
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
    where="Section 3.1 (Iterative Newton's Method; the closed form is ours)",
    theorem=r"Iterative Newton requires $O(\log \kappa(S) + \log\log(1/\epsilon))$ steps to converge to an $\epsilon$ "
    r"error, exponentially fewer than gradient descent.",
    measure=instances,
    # products with S round at ε of 1 and the remainder is 8/κ²: in 20 000 draws κ reaches 55 with 12
    # examples, where 5 draws of 4000 cross the tolerance, and 6 with 48
    points=[{"N": 48, "d": 3}],
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
    where="Section 3.1 (Gradient Descent; the constant is ours)",
    theorem=r"GD requires $O(\kappa(S)\log(1/\epsilon))$ steps to converge to an $\epsilon$ error, $\kappa(S) = "
    r"\lambda_{\max}(S)/\lambda_{\min}(S)$.",
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
    where="Section 3.1, choice of α",
    theorem=r"$M_0 = \alpha S$ with $\alpha = 2/\|SS^\top\|_2$, $M_k = 2M_{k-1} - M_{k-1}SM_{k-1}$.",
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
    where="Section 5 and Appendix B.3",
    theorem=r"$M_1 = 2\alpha S - 4\alpha^2 S^3$, $M_2 = 4\alpha S - 12\alpha^2 S^3 + 16\alpha^3 S^5 - 16\alpha^4 "
    r"S^7$, and in general $M_k = \sum_{s=1}^{2^{k+1}-1} \beta_s S^s$ for some $\beta_s \in \mathbb R$.",
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
    theorem=r"For any $k$ there are Transformer weights such that on any in-context examples $\{x_i, y_i\}_{i=1}^n$ "
    r"and any $x_{test}$ the prediction is $x_{test}^\top \hat w_k$, $\hat w_k = M_k X^\top y$ with $M_0 = \alpha S$ "
    r"for some $\alpha > 0$, $M_j = 2M_{j-1} - M_{j-1}SM_{j-1}$. Hidden layers have dimension $O(d)$, the number of "
    "layers is $k + 8$: one a Newton iteration, 3 to initialise, 5 to read out.",
    measure=instances,
    rivals={"as printed: equal value matrices": printed(equal_values), "one head alone": one_head},
    checked_by=["icl.newton_layer"],
)

TEXT = "NeurIPS 2024 version"
CODE = "github.com/DeqingFu/transformers-icl-second-order at commit c99333c5fabfb41f2d51891b4f321030d4174bb9"
errata = [
    Erratum(
        where="Section 3.1, the initial value M₀ = αS",
        printed=r"$\alpha = 2/\|SS^\top\|_2$",
        corrected=r"any $\alpha < 2/\lambda_{\max}(S)^2$, e.g. $1/\lambda_{\max}(S)^2$; the released code has "
        r"$\alpha = 1/\|SS^\top\|_F$, before its commit 52376dd $2/\|SS^\top\|_F$",
        wrong=r"As $\|SS^\top\|_2 = \lambda_{\max}(S)^2$, the factor $1 - \alpha\lambda^2$ of the top eigendirection "
        "is −1: its error is squared to 1 in the first step and stays there.",
        version=f"{TEXT}; {CODE}",
        evidence=["fu2023newton.printed-alpha"],
    ),
    Erratum(
        where="Section 5, before Theorem 5.1, and Appendix B.3: Newton's iterates in moments of S",
        printed=r"$M_1 = 2\alpha S - 4\alpha^2 S^3$, $M_2 = 4\alpha S - 12\alpha^2 S^3 + 16\alpha^3 S^5 - 16\alpha^4 "
        "S^7$",
        corrected=r"$M_1 = 2\alpha S - \alpha^2 S^3$, $M_2 = 4\alpha S - 6\alpha^2 S^3 + 4\alpha^3 S^5 - \alpha^4 S^7$",
        wrong=r"$M_0SM_0 = \alpha^2 S^3$ enters $M_1$ with the coefficient 4 instead of 1; in general the "
        r"coefficients are binomial, $(-1)^{j+1}\binom{2^k}{j}\alpha^j$ of $S^{2j-1}$.",
        version=TEXT,
        evidence=["fu2023newton.moment-expansion"],
    ),
    Erratum(
        where="Section 5.1 and Appendix B.2, proof of Theorem 5.1",
        printed=r"two heads, $\tilde Q_1^\top \tilde K_1 = I = -\tilde Q_2^\top \tilde K_2$, with equal value matrices "
        r"$V_1 = V_2$, so that $\mathrm{ReLU}(s) + \mathrm{ReLU}(-s)$ takes the place of $s$",
        corrected=r"$V_2 = -V_1$: $\mathrm{ReLU}(s) - \mathrm{ReLU}(-s) = s$; likewise for the heads that make $M_0$",
        wrong="With equal value matrices the two heads add up to $|s|$, so the layer does not compute $M S M$ where "
        "a score is negative; the theorem itself holds.",
        version=TEXT,
        evidence=["fu2023newton.relu-layers"],
    ),
]
