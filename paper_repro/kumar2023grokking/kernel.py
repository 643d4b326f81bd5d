"""The initial kernel's eigenvalues and the target's alignment, where three printed formulas fail."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Erratum, printed
from corollary.paper_repro.kumar2023grokking.closure import BETA, GIVEN
from corollary.theory.ntk import grokking
from corollary.verdicts import Value, ratio, rel


def rayleigh(mode, D, epsilon, rng):
    """(ψ·Kψ/m², |ψ|²/m) over two independent samples of m = 256 points."""
    x, z = rng.standard_normal((2, 256, D)) / np.sqrt(D)
    psi, phi = ((v[:, 0] * v[:, 1] if mode == "quadratic" else np.sum(v * v, axis=1)) for v in (x, z))
    G = x @ z.T
    return np.array([psi @ (G * (1 + epsilon**2 * G)) @ phi / 256**2, np.mean(psi**2)])


def eigenvalue(mode, D, epsilon):
    return getattr(grokking.kernel_eigenvalues(D, epsilon), mode)


eigenvalues = Claim(
    r"\lambda_{\text{quadr}} = \frac{2\epsilon^2}{D^2},\quad \lambda_{|x|^2} = \frac{\epsilon^2}{D}\Big(1+\frac2D\Big)",
    Value(eigenvalue, of=ratio, resolution=rel(0.2)),
    id="kumar2023grokking.eigenvalues",
    theorem=r"As printed: $\lambda_{\rm quadr} = 2\epsilon/D^2$ in Section 5 and in the text at Equation 17, "
    r"where Equations 13–15 give $2\epsilon^2/D^2$; and Equation 16 gives the eigenvalue of $|x|^2$ without "
    r"the factor $\epsilon^2$.",
    where="Section 5, Equations 13–16",
    measure=rayleigh,
    points=[{"mode": m, "D": 4, "epsilon": 0.5} for m in ("quadratic", "radial")],
    replicates=8192,
    rivals={
        "as printed: 2ε/D²; (1/D)(1 + 2/D)": printed(
            lambda mode, D, epsilon: 2 * epsilon / D**2 if mode == "quadratic" else (1 + 2 / D) / D
        ),
        "ε²/D² and ε²/D": lambda mode, D, epsilon: epsilon**2 / D ** (2 if mode == "quadratic" else 1),
    },
    checked_by=["ntk.committee_eigenvalues"],
)  # fmt: skip


def aligned(epsilon, rng):
    """The mean of y K y′ over 128 × 128 pairs of independent points."""
    x, z = rng.standard_normal((2, 128, 4)) / 2
    K = grokking.tangent_kernel(GIVEN, x, z, 1.0, epsilon, 1)
    return (x @ BETA) ** 2 @ K @ (z @ BETA) ** 2 / (4 * 128**2)


def alignment(epsilon):
    return float(grokking.target_alignment(GIVEN, BETA, epsilon))


target_alignment = Claim(
    r"\mathbb E\, y K y' = \frac{\epsilon^2}{4D^4}"
    r"\big[|\beta|^4 \operatorname{tr} M + 8|\beta|^2 \beta^\top M \beta\big]",
    Value(alignment, resolution=rel(0.2)),
    id="kumar2023grokking.alignment",
    theorem=r"As printed, Equation 20 is four times $\frac{\epsilon^2}{4D^4}(|\beta|^4\,\mathrm{tr}\,M + "
    r"8\,|\beta|^2\,\beta\cdot M\beta)$ for the target $y = \frac12(\beta\cdot x)^2$.",
    where="Equation 20",
    measure=aligned,
    points=[{"epsilon": 0.8}],
    replicates=8192,
    given="one pair (w̄, M)",
    rivals={
        "as printed: four times that": printed(lambda epsilon: 4 * alignment(epsilon)),
        "4 for 8": lambda epsilon: epsilon**2 / 4**5
        * (float(BETA @ BETA) ** 2 * np.trace(GIVEN.second) + 4 * float(BETA @ BETA) * BETA @ GIVEN.second @ BETA),
    },
    checked_by=["ntk.committee_alignment", "ntk.committee_kernel"],
)  # fmt: skip


errata = [
    Erratum(
        where="Section 5 and the text at Equation 17",
        printed=r"$\lambda_{\rm quadr} = 2\epsilon/D^2$",
        corrected=r"$2\epsilon^2/D^2$, as the paper's own Equations 13–15 give",
        evidence=["kumar2023grokking.eigenvalues"],
        version="arXiv:2310.06110v3",
        wrong=r"The kernel is quadratic in $\epsilon$ there: a factor $\epsilon$ is lost.",
    ),
    Erratum(
        where="Equation 16",
        printed=r"the eigenvalue of $|x|^2$ without $\epsilon^2$: $\tfrac1D(1 + \tfrac2D)$",
        corrected=r"$\tfrac{\epsilon^2}{D}(1 + \tfrac2D)$",
        evidence=["kumar2023grokking.eigenvalues"],
        version="arXiv:2310.06110v3",
        wrong=r"The factor $\epsilon^2$ is missing.",
    ),
    Erratum(
        where="Equation 20",
        printed=r"four times the mean of $y\, K\, y'$ for $y = \tfrac12(\beta\cdot x)^2$",
        corrected=r"$\tfrac{\epsilon^2}{4D^4}\left(|\beta|^4\,\mathrm{tr}\,M + 8\,|\beta|^2\,\beta\cdot M\beta\right)$",
        evidence=["kumar2023grokking.alignment"],
        version="arXiv:2310.06110v3",
        wrong=r"It belongs to $y = (\beta\cdot x)^2$: a factor 4 too large for the target as stated.",
    ),
]
