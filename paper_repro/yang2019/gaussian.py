"""Outputs of networks with shared weights are Gaussian, with the NNGP kernel's variance."""

from __future__ import annotations

from functools import partial

from scipy.special import ndtr

from corollary.claims import Claim, Experiment
from corollary.paper_repro.yang2019.setting import NETWORKS, limit
from corollary.sims.ntk import any_architecture as sims
from corollary.theory import ntk
from corollary.verdicts import Law

WIDTHS = {"smoke": 64, "laptop": 256, "paper": 1024}

values = {
    name: Experiment(
        f"yang2019.output-{name.lower()}",
        run=partial(sims.output, layers=NETWORKS[name][1], x=NETWORKS[name][0][:1]),
        points={scale: [{"n": n}] for scale, n in WIDTHS.items()},
        replicates=8192,
        block=256,
    )
    for name in ("RNN", "attention")
}


def gaussian(x, name):
    return ndtr(x / limit(name).nngp[0, 0] ** 0.5)


def tangent(x, name):
    """The tangent kernel taken for the variance."""
    return ndtr(x / limit(name).ntk[0, 0] ** 0.5)


def last_token(x):
    """A recurrent network that forgets all but its last token."""
    tokens, _, _ = NETWORKS["RNN"]
    net = ntk.Serial(ntk.Rnn(ntk.Erf(), 1.2, 0.8, 0.1), ntk.Dense(1.0, 0.1))
    return ndtr(x / net.kernel(tokens[:1, -1:]).nngp[0, 0] ** 0.5)


def laplace(x, name):
    """The right variance, but double exponential tails."""
    import numpy as np

    scale = (limit(name).nngp[0, 0] / 2) ** 0.5
    half = np.exp(-np.abs(x) / scale) / 2
    return np.where(x < 0, half, 1 - half)


def _claim(name: str, rivals: dict) -> Claim:
    return Claim(
        rf"\text{{{name}: }} f(x) \sim \mathcal N(0, \Sigma_\infty(x, x))",
        Law(
            partial(gaussian, name=name), resolution=0.07, margin=0.01,
            because="given its last features f is Gaussian with a variance that fluctuates by some 2/√n: at n = 64 the "
            "mixture over it is within 0.01 of one Gaussian",
        ),
        id=f"yang2019.gaussian-{name.lower()}",
        where="Gaussian process behavior",
        theorem="At infinite width the outputs of a network that a tensor program expresses, with a centred random "
        r"readout, are jointly Gaussian with the covariance $\Sigma_\infty$.",
        measure=values[name]["f"],
        rivals={"tangent kernel for the variance": partial(tangent, name=name),
                "Laplace's law of that variance": partial(laplace, name=name), **rivals},
    )  # fmt: skip


rnn_gaussian = _claim("RNN", {"only the last token counts": last_token})
attention_gaussian = _claim("attention", {})
