"""Theorem 1: at initialisation the tangent kernel converges to a deterministic limit."""

from __future__ import annotations

from corollary.claims import Claim, Experiment
from corollary.paper_repro.jacot2018.setting import L4, SETTING, kernel_curve
from corollary.sims.ntk import experiments as sims
from corollary.verdicts import Rate, Value, rel, std

ANGLES = [0.5, 1.0, 2.1]
WIDTHS = {"smoke": (32, 64, 128), "laptop": (64, 128, 256), "paper": (128, 256, 512, 1024)}

kernels = Experiment(
    "jacot2018.kernels",
    run=sims.initial_kernel,
    points={scale: [{"n": n, "angles": ANGLES, **L4} for n in widths] for scale, widths in WIDTHS.items()},
    replicates=16384,
    block=128,
)
one_layer = Experiment(
    "jacot2018.one-hidden-layer",
    run=sims.initial_kernel,
    points=[{"n": n, "angles": [1.0], "depth": 1, **SETTING} for n in (16, 32, 64, 128, 256)],
    replicates=16384,
    block=256,
)


def limit(angles):
    """Θ_∞ of the paper's network."""
    return kernel_curve(angles).ntk[0]


def shallow_limit(angles):
    return kernel_curve(angles, hidden=1).ntk[0]


kernel_fluctuation = Claim(
    r"\mathrm{sd}\,\Theta_n(x, x') \sim n^{-1/2}",
    Rate(
        -0.5, of=std, along="n", resolution=0.1, margin=0.04,
        because="one neuron has excess kurtosis 14, so ln of a standard deviation of 8 is low by (14/n + 2)/32: the "
        "n-dependent part shifts the slope by 0.011 on n = 16…256; the rest is left for the O(1/n) of the variance",
    ),
    id="jacot2018.kernel-fluctuation",
    theorem=r"For a network of depth $L$ at initialisation, with a Lipschitz nonlinearity $\sigma$, as $n_1, "
    r"\dots, n_{L-1} \to \infty$: $\Theta^{(L)} \to \Theta^{(L)}_\infty \otimes \mathrm{Id}_{n_L}$ in "
    r"probability, where $\Theta^{(1)}_\infty = \Sigma^{(1)}$ and $\Theta^{(L+1)}_\infty = "
    r"\Theta^{(L)}_\infty \dot\Sigma^{(L+1)} + \Sigma^{(L+1)}$.",
    where="Theorem 1, which states no rate; the rate is ours (the law of large numbers in its proof)",
    measure=one_layer["ntk"],
    rivals={"does not self-average": 0.0, "variance taken for standard deviation": -1.0},
)  # fmt: skip

no_mean_bias = Claim(
    r"\mathbb{E}\,\Theta_n(x, x') = \Theta_\infty(x, x') \text{ at every width, with one hidden layer}",
    Value(shallow_limit, resolution=rel(0.1)),
    id="jacot2018.no-mean-bias",
    theorem=r"For a network of depth $L$ at initialisation, with a Lipschitz nonlinearity $\sigma$, as $n_1, "
    r"\dots, n_{L-1} \to \infty$: $\Theta^{(L)} \to \Theta^{(L)}_\infty \otimes \mathrm{Id}_{n_L}$ in "
    r"probability, where $\Theta^{(1)}_\infty = \Sigma^{(1)}$ and $\Theta^{(L+1)}_\infty = "
    r"\Theta^{(L)}_\infty \dot\Sigma^{(L+1)} + \Sigma^{(L+1)}$.",
    where="Theorem 1 with one hidden layer; that no width is biased is ours",
    measure=one_layer["ntk"],
    points=[{"n": n, "angles": [1.0], "depth": 1, **SETTING} for n in (16, 64)],
    rivals={
        "a bias of 4/n": lambda angles, n: shallow_limit(angles) * (1 + 4 / n),
        "NNGP kernel taken for the NTK": lambda angles: kernel_curve(angles, hidden=1).nngp[0],
    },
    checked_by=["ntk.one_hidden_layer_mean"],
)  # fmt: skip

kernel_limit = Claim(
    r"\Theta^{(L)}_n(x, x') \to \Theta^{(L)}_\infty(x, x') \text{ as } n \to \infty",
    Value(
        limit, along="n", resolution=rel(0.06), margin=rel(0.01),
        because="the line in 1/n leaves terms of order 1/n²: with (3/n)² at the smallest width, n = 32, 0.9 %",
    ),
    id="jacot2018.kernel-limit",
    where="Theorem 1",
    theorem=r"With a Lipschitz nonlinearity, as the widths $n_1, \dots, n_{L-1} \to \infty$, the NTK at initialisation "
    r"converges in probability to a deterministic kernel: "
    r"$\Theta^{(L)} \to \Theta^{(L)}_\infty \otimes \mathrm{Id}_{n_L}$.",
    measure=kernels["ntk"],
    rivals={
        "NNGP kernel taken for the NTK": lambda angles: kernel_curve(angles).nngp[0],
        "one hidden layer fewer": lambda angles: kernel_curve(angles, hidden=2).ntk[0],
    },
    uses=[kernel_fluctuation],
    checked_by=["ntk.relu_value", "ntk.relu_slope", "ntk.layer_step"],
)  # fmt: skip
