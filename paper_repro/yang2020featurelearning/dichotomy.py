"""The dichotomy: how far training moves the last features, against the width, in networks of two hidden layers."""

from __future__ import annotations

from functools import partial

import numpy as np

from corollary.claims import Claim, Experiment, grid
from corollary.sims.ntk import scaled
from corollary.theory.ntk.abc import Abc, between, parametrization, regime
from corollary.verdicts import Rate, next_order

_rng = np.random.default_rng(2020)
X, Y = _rng.standard_normal((4, 5)), np.array([1.0, -1.0, 1.0, -1.0])
WIDTHS = {"smoke": [16, 32, 64, 128], "laptop": [32, 64, 128, 256], "paper": [64, 128, 256, 512, 1024]}
HIDDEN = 2
SLOW = parametrization("ntk", HIDDEN)._replace(c=0.5)

# name → (parametrisation, rate η, steps, γ and κ of the next order (1 + κ n^(−γ)) of what is measured)
SETTINGS = {
    "ntk": (parametrization("ntk", HIDDEN), 0.3, 3, 1.0, 4.0),
    "standard 1/n": (parametrization("standard 1/n", HIDDEN), 0.3, 3, 1.0, 4.0),
    "between": (between(0.25, HIDDEN), 0.3, 3, 0.5, 1.0),
    "mup": (parametrization("mup", HIDDEN), 0.3, 3, 1.0, 3.0),
    "slow": (SLOW, 0.3, 3, 0.5, 1.0),
    "standard": (parametrization("standard", HIDDEN), 0.003, 1, 1.0, 4.0),
}  # fmt: skip


def _experiment(name: str) -> Experiment:
    abc, rate, steps, _, _ = SETTINGS[name]
    return Experiment(
        f"yang2020featurelearning.{name.replace(' ', '-').replace('/', '-over-')}",
        partial(scaled.training, scaling=abc, x=X, y=Y),
        {s: grid(n=n, activation="erf", rate=rate, steps=steps) for s, n in WIDTHS.items()},
        replicates=8192,
    )


experiments = {name: _experiment(name) for name in SETTINGS}


def _rate(name: str, exponent: float) -> Rate:
    γ, κ = SETTINGS[name][3:]
    return Rate(
        exponent, along="n", resolution=0.1, margin=next_order(γ, κ),
        because=f"relative corrections κ n^(−{γ:g}) from f_0², the features' movement squared and the kernel's "
        f"fluctuation; measured |κ| <= {0.75 * κ:g}, {κ:g} allowed",
    )  # fmt: skip


THEOREM = (
    "A stable nontrivial abc-parametrisation moves its last features by $\\Theta(n^{-r})$, "
    "$r=\\min(a_{L+1}+b_{L+1},2a_{L+1}+c)+c-1+\\min_{l\\le L}(2a_l+[l=1])$: it learns features if $r=0$, and is in "
    "the kernel regime if $r>0$."
)


def _moves(name: str, words: str, rivals: dict) -> Claim:
    abc: Abc = SETTINGS[name][0]
    return Claim(
        rf"\text{{{words}: }}x^L_t - x^L_0 \sim n^{{-r}},\ r = {-regime(abc).features:g}",
        _rate(name, regime(abc).features),
        id=f"yang2020featurelearning.features-{name.split()[0]}",
        where="Theorem 3.4 and Table 1",
        theorem=THEOREM,
        measure=experiments[name]["features"],
        rivals=rivals,
        checked_by=["ntk.abc_exponents"],
    )


ntk_features = _moves("ntk", "tangent-kernel parametrisation", {"features learnt: n^0": 0.0, "1/n": -1.0})
standard_features = _moves(
    "standard 1/n", "standard parametrisation, rate 1/n", {"features learnt: n^0": 0.0, "1/n": -1.0}
)
between_features = _moves(
    "between", "half-way to maximal update", {"as the tangent kernel's: n^(−1/2)": -0.5, "features learnt: n^0": 0.0}
)
mup_features = _moves("mup", "maximal update", {"as the tangent kernel's: n^(−1/2)": -0.5, "n^(−1/4)": -0.25})

mup_start = Claim(
    r"\text{maximal update: } f_0 \sim n^{1/2-a_{L+1}-b_{L+1}} = n^{-1/2}",
    _rate("mup", regime(SETTINGS["mup"][0]).start),
    id="yang2020featurelearning.start",
    theorem="In any feature-learning limit the network's function $f$ must be $0$ at initialisation.",
    where="Theorem 3.4: features are learnt only where f_0 vanishes",
    measure=experiments["mup"]["start"],
    rivals={"a Gaussian process: n^0": 0.0, "1/n": -1.0},
    checked_by=["ntk.abc_exponents"],
)
slow_outputs = Claim(
    r"\text{tangent-kernel parametrisation at rate } n^{-1/2}\text{ is trivial: } f_t - f_0 \sim n^{-1/2}",
    _rate("slow", regime(SLOW).outputs),
    id="yang2020featurelearning.trivial",
    theorem="If $c$ is too large (the learning rate too small), the network's function does not change in "
    "finite time: the parametrisation is trivial.",
    where="Theorem 3.3",
    measure=experiments["slow"]["outputs"],
    rivals={"nontrivial: n^0": 0.0, "1/n": -1.0},
    checked_by=["ntk.abc_exponents"],
)
standard_diverges = Claim(
    r"\text{standard parametrisation at rate } 1\text{: one step moves the outputs by } n^{1-2a_{L+1}-c} = n",
    _rate("standard", 1 - 2 * SETTINGS["standard"][0].a[-1] - SETTINGS["standard"][0].c),
    id="yang2020featurelearning.standard-diverges",
    theorem="If $c$ is too small, SGD makes preactivations or logits blow up: the parametrisation is "
    r"unstable. The standard parametrisation admits at most a learning rate of order $1/\mathrm{width}$, and "
    "has a kernel limit there.",
    where="Theorem 3.2 and Table 1",
    measure=experiments["standard"]["outputs"],
    rivals={"stable: n^0": 0.0, "√n": 0.5},
    checked_by=["ntk.abc_exponents"],
)
