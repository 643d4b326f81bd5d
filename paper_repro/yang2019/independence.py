r"""Gradient independence, and a readout that breaks it.

z = W relu(u)/√n, f = (1/√n) v·relu(z), u ~ N(0, I): back through z goes d = Wᵀ (v ⊙ relu'(z))/√n. Were Wᵀ independent
of z, d_j would have the second moment E[v²] E[relu'²] = 1/2. But z depends on W, and `ntk.squared_backprop` has for
v = (1, …, 1), with q = E[relu(u)²] = Var z,

    (1/n) |d|² → E[relu'²] + E[relu'']² q = 1/2 + (1/√(2πq))² q = 1/2 + 1/(2π);

for a centred random v, 1/2 stands.
"""

from __future__ import annotations

import math

from corollary.claims import Claim, Experiment
from corollary.sims.ntk.any_architecture import squared_gradients
from corollary.theory import ntk
from corollary.verdicts import Value, rel

SQUARES = Experiment(
    "yang2019.squared-gradients",
    run=squared_gradients,
    points={
        "smoke": [{"n": n} for n in (32, 64, 128)],
        "laptop": [{"n": n} for n in (64, 128, 256)],
        "paper": [{"n": n} for n in (256, 512, 1024)],
    },
    replicates=8192,
    block=64,
)
_q = 0.5  # E relu(u)², u ~ N(0, 1)
_MOMENTS = (0.5, 1 / math.sqrt(2 * math.pi * _q), _q)  # E relu'(z)², E relu''(z), E relu(u)²
DEPENDENT = ntk.squared_backprop(*_MOMENTS, readout_mean=1.0, readout_square=1.0)
INDEPENDENT = ntk.squared_backprop(*_MOMENTS, readout_mean=0.0, readout_square=1.0)
_SETTINGS = {
    "along": "n", "resolution": rel(0.08), "margin": rel(0.01),
    "because": "the line in 1/n leaves terms of order 1/n²: with (3/n)² at n = 32, 0.9 %",
}  # fmt: skip

mean_readout = Claim(
    r"\tfrac1n\big\|\tfrac1{\sqrt n} W^\top \phi'(z)\big\|^2 \to \tfrac12 + \tfrac1{2\pi}"
    r"\text{ for a readout by the mean}",
    Value(DEPENDENT, **_SETTINGS),
    id="yang2019.mean-readout",
    theorem="There are conditions under which assuming that the weights in backpropagation are independent "
    "of those in the forward pass leads to correct gradients, and corrections when it does not (abstract). "
    "Sufficient is that the output layer is sampled independently, with zero mean, and is used nowhere else "
    "(Simple GIA Check; Yang 2020, 2006.14548).",
    where="Gradient independence: why the readout must be random and centred",
    measure=SQUARES["mean"],
    rivals={"gradient independence": INDEPENDENT, "twice the correction": 0.5 + 1 / math.pi},
    checked_by=["ntk.gradient_independence"],
)

random_readout = Claim(
    r"\tfrac1n\big\|\tfrac1{\sqrt n} W^\top (v \odot \phi'(z))\big\|^2 \to \tfrac12"
    r"\text{ for a centred random readout } v",
    Value(INDEPENDENT, **_SETTINGS),
    id="yang2019.random-readout",
    where="Gradient independence",
    theorem="If the readout is random, centred and used nowhere else, limits of the backward pass may be computed as "
    r"if $W^\top$ were independent of $W$.",
    measure=SQUARES["random"],
    rivals={"as for a readout by the mean": DEPENDENT, "no mask": 1.0},
    checked_by=["ntk.gradient_independence"],
)
