"""The spiked law where it is exact: a planted eigenvalue in GOE noise of scale s, bulk [−2s, 2s]."""

from __future__ import annotations

from corollary.claims import Claim, Experiment, Paper
from corollary.sims.spectra.spiked import spiked
from corollary.theory.spectra.outliers import additive_outlier
from corollary.verdicts import Rate, Value, std

PAPER = Paper(
    key="granziol2020",
    title="Learning Rates as a Function of Batch Size: A Random Matrix Theory Approach to Neural Network Training",
    authors="Diego Granziol, Stefan Zohren, Stephen Roberts",
    year=2020,
    arxiv="2006.09092",
    summary="Noise of mini-batches broadens the Hessian's spectrum and lifts its outliers: θ + Pσ²/(bθ).",
    conventions="P parameters; noise of per-example Hessians with variance σ² per entry; b the batch, N the examples, "
    "drawn without replacement: s² = Pσ²(1/b − 1/N).",
)

SPIKES = [{"theta": 3.0, "s": 1.0}, {"theta": 1.5, "s": 1.0}]
SIZES = {"smoke": (100, 200), "laptop": (100, 200, 400), "paper": (200, 400, 800)}
flat = Experiment(
    "granziol2020.spiked",
    run=spiked,
    points={s: [{"N": N, **spike} for spike in SPIKES for N in sizes] for s, sizes in SIZES.items()},
    replicates=4096,
)
two_atoms = Experiment(
    "granziol2020.two-atoms",
    run=spiked,
    points={s: [{"N": N, "theta": 3.0, "s": 1.0, "bulk": [-1.5, 1.5]} for N in ns] for s, ns in SIZES.items()},
    replicates=4096,
)
sizes = Experiment(
    "granziol2020.fluctuation",
    run=spiked,
    points={
        "smoke": [{"N": N, "theta": 3.0, "s": 1.0} for N in (16, 32, 64, 128)],
        "laptop": [{"N": N, "theta": 3.0, "s": 1.0} for N in (32, 64, 128, 256)],
        "paper": [{"N": N, "theta": 3.0, "s": 1.0} for N in (32, 64, 128, 256, 512)],
    },
    replicates=16384,
    block=64,
)


def position(theta, s):
    return additive_outlier(theta, s).position


lifted = Claim(
    r"\lambda \to \theta + s^2/\theta",
    Value(
        position, along="N", resolution=0.06, margin=0.02,
        because="the line in 1/N leaves terms of order 1/N²: at θ = 1.5, close to the threshold, (10/N)² at N = 100",
    ),
    id="granziol2020.outlier",
    theorem=r"As recalled (its wording was not compared with the paper): $\lambda_1(H_b) = \lambda_1 + "
    r"\tfrac{P}{\mathfrak b}\tfrac{\sigma^2}{\lambda_1}$ if $\lambda_1 > \sigma\sqrt{P/\mathfrak b}$, else "
    r"$2\sigma\sqrt{P/\mathfrak b}$, with $\mathfrak b = b/(1 - b/N)$.",
    where="Theorem (additive noise)",
    measure=flat["top"],
    rivals={
        "noise does not move it": lambda theta: theta,
        "the diagonal's variance 2s² for s²": lambda theta, s: theta + 2 * s**2 / theta,
        "standard deviation for variance": lambda theta, s: theta + s / theta**2,
    },
    checked_by=["spectra.outlier_of_a_sum"],
)  # fmt: skip

overlap = Claim(
    r"\langle v, e_1\rangle^2 \to 1 - s^2/\theta^2",
    Value(
        lambda theta, s: additive_outlier(theta, s).overlap, along="N", resolution=0.06, margin=0.02,
        because="as for the position",
    ),
    id="granziol2020.overlap",
    theorem=r"Benaych-Georges & Nadakuditi 2011: for $A$ of finite rank with eigenvalue $\theta$ and a "
    "Wigner matrix of variance $s^2/N$, the squared overlap of the top eigenvector with that of $A$ tends to "
    r"$1 - s^2/\theta^2$ if $\theta > s$, and to $0$ otherwise.",
    where="ours for the batch Hessian: additive noise (Benaych-Georges & Nadakuditi 2011)",
    measure=flat["overlap"],
    rivals={"1 − s/θ": lambda theta, s: 1 - s / theta, "the vector is kept": 1.0},
    checked_by=["spectra.outlier_of_a_sum"],
)  # fmt: skip

general_bulk = Claim(
    r"\lambda \to \theta + s^2\, \overline{1/(\theta - x)} \text{ over a bulk } x = \pm \tfrac32",
    Value(
        additive_outlier(3.0, 1.0, [-1.5, 1.5]).position, along="N", resolution=0.05, margin=0.01,
        because="terms of order 1/N² of the line: (10/N)² at N = 100",
    ),
    id="granziol2020.general-bulk",
    theorem="Capitaine, Donati-Martin, Féral, Février 2011: if the eigenvalues of $A$ have the limit law "
    r"$\mu$ and $\theta$ is one of them outside its support, then $A$ plus a Wigner matrix of variance "
    r"$s^2/N$ has an eigenvalue that tends to $\theta + s^2 \int \frac{d\mu(x)}{\theta - x}$, if $s^2 \int "
    r"\frac{d\mu(x)}{(\theta - x)^2} < 1$.",
    where="ours: the paper's formula is the case of a bulk at 0 (Capitaine, Donati-Martin, Féral, Février "
    "2011)",
    measure=two_atoms["top"],
    rivals={"the bulk taken to be at 0": position(3.0, 1.0), "noise does not move it": 3.0},
    checked_by=["spectra.outlier_of_a_sum"],
)  # fmt: skip

fluctuation = Claim(
    r"\mathrm{sd}\,\lambda \sim N^{-1/2}",
    Rate(
        -0.5, of=std, along="N", resolution=0.12, margin=0.03,
        because="N times the variance tends to 2(1 − s²/θ²) with corrections of order 1/N: 10 % at N = 16 would move "
        "the slope by 0.02; logarithms of standard deviations of 8 add 0.003",
    ),
    id="granziol2020.outlier-fluctuation",
    theorem="Capitaine, Donati-Martin, Féral 2009: when $A_N$ has a sole simple non-null eigenvalue large "
    r"enough, the largest eigenvalue of $M_N = W_N/\sqrt N + A_N$ tends to $\theta + \sigma^2/\theta$ almost "
    "surely, and fluctuates about it by order $N^{-1/2}$, by a law that depends on that of the entries and "
    "on $A_N$.",
    where="ours: finite size (Capitaine, Donati-Martin, Féral 2009)",
    measure=sizes["top"],
    rivals={"as an edge, N^(−2/3)": -2 / 3, "as a linear statistic, 1/N": -1.0},
)  # fmt: skip
