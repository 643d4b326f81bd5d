"""Where the noise comes from: a batch of b of N per-sample Hessians has s² = P σ²(1/b − 1/N), and what that does.

Synthetic pools of N matrices with isotropic noise about θ e₁e₁ᵀ, batches drawn without replacement and averaged for
real: the bulk broadens to 2s, and the outlier drowns on batches smaller than b* = P σ²/θ².
"""

from __future__ import annotations

from corollary.claims import Claim, Experiment
from corollary.paper_repro.granziol2020.spiked import lifted
from corollary.sims.spectra.batches import batch_hessian
from corollary.theory import spectra
from corollary.verdicts import Value, ratio, rel

NOISE, SAMPLES = 9.0, 40
pools = Experiment(
    "granziol2020.batch-noise", run=batch_hessian,
    points=[{"P": 12, "samples": 24, "batch": b, "theta": 1.0, "noise": NOISE} for b in (2, 12)], replicates=4096,
)  # fmt: skip
SIZES = {"smoke": (40, 80), "laptop": (40, 80, 160), "paper": (100, 200, 400)}
broad = Experiment(
    "granziol2020.batch-broadening", run=batch_hessian,
    points={
        s: [{"P": P, "samples": 24, "batch": 12, "theta": 1.0, "noise": NOISE} for P in sizes]
        for s, sizes in SIZES.items()
    },
    replicates=2048,
)  # fmt: skip
drowning = Experiment(
    "granziol2020.batch-detachment", run=batch_hessian,
    points={
        s: [{"P": P, "samples": SAMPLES, "batch": b, "theta": 1.0, "noise": NOISE} for b in (4, 14) for P in sizes]
        for s, sizes in SIZES.items()
    },
    replicates=2048,
)  # fmt: skip


def width(batch, samples, noise):
    return 2 * (noise * (1 / batch - 1 / samples)) ** 0.5


def overlap(critical, batch, samples):
    """1 − s²/θ² where that is positive; s²/θ² = b*(1/b − 1/N)."""
    return max(0.0, 1 - critical * (1 / batch - 1 / samples))


size = Claim(
    r"\mathbb E\|H_b - H\|_F^2/P = P\sigma^2\left(\tfrac1b - \tfrac1N\right)",
    Value(lambda batch, samples: 1 / batch - 1 / samples, of=ratio, resolution=rel(0.03)),
    id="granziol2020.batch-noise",
    where="ours: noise of batches drawn without replacement (the setting of Section 3)",
    measure=pools["spread"],
    rivals={
        "1/b: with replacement": lambda batch: 1 / batch,
        "1/b²": lambda batch: 1 / batch**2,
        "N/(N − 1) times it, as if the pool's variance were over N": lambda batch, samples: (
            (1 / batch - 1 / samples) * samples / (samples - 1)
        ),
    },
)
broadening = Claim(
    r"\text{the bulk of } H_b \text{ ends at } 2s = 2\sqrt{P\sigma^2(1/b - 1/N)}",
    Value(
        width, along="P", gamma=2 / 3, resolution=0.12, margin=0.06,
        because="edges converge as P^(−2/3), which the line takes; next orders 1/P: s/P = 0.015 at 40, less the line",
    ),
    id="granziol2020.batch-broadening",
    theorem="The magnitude of the extremal values of the batch Hessian is larger than that of the empirical "
    "Hessian (abstract).",
    where="Section 3 (broadening of the spectrum)",
    measure=broad["edge"],
    rivals={
        "with replacement, 1/b": lambda batch, noise: 2 * (noise / batch) ** 0.5,
        "twice the variance": lambda batch, samples, noise: width(batch, samples, 2 * noise),
        "the diagonal's scale for the edge, √2 s": lambda batch, samples, noise: width(batch, samples, noise) / 2**0.5,
    },
    uses=[size],
)  # fmt: skip
detachment = Claim(
    r"\langle v, e_1\rangle^2 \to \left(1 - b^*\left(\tfrac1b - \tfrac1N\right)\right)_+,\ b^* = P\sigma^2/\theta^2:"
    r"\text{ below } b^* \text{ the outlier drowns}",
    Value(
        lambda batch, samples, theta, noise: overlap(spectra.critical_batch(theta, noise), batch, samples),
        along="P", resolution=0.1, margin=0.03,
        because="drowned, the overlap is of order (1 − θ²/s²)^(−2)/P, 4/P at b = 4, which the line takes; the rest is "
        "of order its square, (4/P)² = 0.01 at P = 40",
    ),
    id="granziol2020.additive-critical-batch",
    theorem=r"Benaych-Georges & Nadakuditi 2011: for $A$ of finite rank with eigenvalue $\theta$ and a "
    "Wigner matrix of variance $s^2/N$, the squared overlap of the top eigenvector with that of $A$ tends to "
    r"$1 - s^2/\theta^2$ if $\theta > s$, and to $0$ otherwise.",
    where="ours: outliers drown on small batches (Benaych-Georges & Nadakuditi 2011); P σ² = 9, θ = 1: b = "
    "4 and 14",
    measure=drowning["overlap"],
    rivals={
        "half of it, P σ²/(2θ²)": lambda batch, samples, theta, noise: overlap(noise / theta**2 / 2, batch, samples),
        "twice": lambda batch, samples, theta, noise: overlap(2 * noise / theta**2, batch, samples),
        "with replacement, 1/b": lambda batch, theta, noise: max(0.0, 1 - noise / theta**2 / batch),
    },
    uses=[lifted, size],
    checked_by=["spectra.outlier_of_a_sum"],
)  # fmt: skip
