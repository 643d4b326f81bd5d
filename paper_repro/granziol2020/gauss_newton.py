"""The generalised Gauss–Newton form: noise of a positive matrix is multiplicative, and its outliers obey another law.

A population eigenvalue ℓ above a bulk at 1, seen in b samples of P parameters, c = P/b: ℓ(1 + c/(ℓ − 1)), until it
drowns in the edge (1 + √c)² at ℓ = 1 + √c, b* = P/(ℓ − 1)².
"""

from __future__ import annotations

from corollary.claims import Claim, Experiment
from corollary.paper_repro.granziol2020.spiked import lifted
from corollary.sims.spectra.spiked import spiked_covariance
from corollary.theory import spectra
from corollary.verdicts import Value

SIZES = {"smoke": (50, 100), "laptop": (100, 200), "paper": (200, 400, 800)}
samples = Experiment(
    "granziol2020.gauss-newton", run=spiked_covariance,
    points={s: [{"N": N, "ratio": 0.5, "ell": 4.0} for N in sizes] for s, sizes in SIZES.items()}, replicates=8192,
)  # fmt: skip
DROWNED = {"smoke": (50, 100, 200), "laptop": (60, 120, 240), "paper": (200, 400, 800)}
drowned = Experiment(
    "granziol2020.drowned", run=spiked_covariance,
    points={s: [{"N": N, "ratio": 4.0, "ell": 2.0} for N in sizes] for s, sizes in DROWNED.items()}, replicates=8192,
)  # fmt: skip
UNIT = spectra.atoms([1.0])

position = Claim(
    r"\lambda \to \ell\left(1 + \frac{P/b}{\ell - 1}\right)\quad(\ell > 1 + \sqrt{P/b})",
    Value(
        lambda ratio, ell: spectra.sample_outlier(ell, ratio, UNIT).position, along="N", resolution=0.25, margin=0.05,
        because="terms of 1/N² left by the line: (10/N)² at N = 50 times the outlier",
    ),
    id="granziol2020.gauss-newton-outlier",
    theorem="Baik & Silverstein 2006, after Baik, Ben Arous & Péché 2005: in a sample covariance matrix of "
    r"$n$ samples in dimension $p$, $p/n \to c$, with population eigenvalues $\ell$ and else $1$, the largest "
    r"eigenvalue tends almost surely to $\ell\left(1 + \frac{c}{\ell - 1}\right)$ if $\ell > 1 + \sqrt c$, "
    r"and to $(1 + \sqrt c)^2$ otherwise.",
    where="ours for the generalised Gauss–Newton matrix (Baik & Silverstein 2006); the paper has similar "
    "results (abstract)",
    measure=samples["top"],
    rivals={
        "noise does not move it": lambda ratio, ell: ell,
        "as for additive noise, ℓ + c/ℓ": lambda ratio, ell: ell + ratio / ell,
        "c for c²": lambda ratio, ell: ell * (1 + ratio**2 / (ell - 1)),
    },
    uses=[lifted],
    checked_by=["spectra.outlier_of_a_sample"],
)  # fmt: skip
overlap = Claim(
    r"\langle v, e_1\rangle^2 \to \frac{1 - c/(\ell-1)^2}{1 + c/(\ell-1)}",
    Value(
        lambda ratio, ell: spectra.sample_outlier(ell, ratio, UNIT).overlap, along="N", resolution=0.05, margin=0.01,
        because="as for the position",
    ),
    id="granziol2020.gauss-newton-overlap",
    theorem="Paul 2007: the squared overlap of the top sample eigenvector with the population one tends to "
    r"$\frac{1 - c/(\ell - 1)^2}{1 + c/(\ell - 1)}$ if $\ell > 1 + \sqrt c$, and to $0$ otherwise.",
    where="ours for the generalised Gauss–Newton matrix (Paul 2007)",
    measure=samples["overlap"],
    rivals={
        "without the denominator": lambda ratio, ell: 1 - ratio / (ell - 1) ** 2,
        "additive noise of the same size": lambda ratio, ell: 1 - ratio / ell**2,
    },
    checked_by=["spectra.outlier_of_a_sample"],
)  # fmt: skip
detachment = Claim(
    r"b < b^* = P/(\ell-1)^2:\ \lambda_1 \to (1 + \sqrt{P/b})^2",
    Value(
        lambda ratio, ell: (1 + ratio**0.5) ** 2, along="N", gamma=2 / 3, resolution=0.5, margin=0.2,
        because="edges converge as N^(−2/3), which the line takes; next orders 1/N: 9 · 10/N at N = 50, less the line",
    ),
    id="granziol2020.critical-batch",
    theorem="Baik & Silverstein 2006, after Baik, Ben Arous & Péché 2005: in a sample covariance matrix of "
    r"$n$ samples in dimension $p$, $p/n \to c$, with population eigenvalues $\ell$ and else $1$, the largest "
    r"eigenvalue tends almost surely to $\ell\left(1 + \frac{c}{\ell - 1}\right)$ if $\ell > 1 + \sqrt c$, "
    r"and to $(1 + \sqrt c)^2$ otherwise.",
    where="ours: outliers drown on small batches (Baik & Silverstein 2006); ℓ = 2, P/b = 4: b* = P",
    measure=drowned["top"],
    rivals={
        "the outlier's formula, ℓ(1 + c/(ℓ − 1))": lambda ratio, ell: ell * (1 + ratio / (ell - 1)),
        "the edge 1 + c": lambda ratio, ell: 1 + ratio,
    },
    uses=[position],
)  # fmt: skip
