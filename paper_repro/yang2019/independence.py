r"""Gradient independence, and a readout that breaks it.

z = W φ(u)/√n and f = (1/√n) v·φ(z); back through z goes d = Wᵀ (v ⊙ φ'(z))/√n. Were Wᵀ independent of z, d_j would have
the second moment E[φ'(z)²], 1/2 for ReLU. But d_j = (1/√n) Σ_i W_ij v_i φ'(z_i), and z_i depends on W_ij through
W_ij φ(u_j)/√n: by Stein's lemma d_j has the mean v̄ E[φ''(z)] φ(u_j), v̄ the mean of v. For v = (1, …, 1) and ReLU,

    (1/n) |d|² → E[φ'²] + E[φ'']² E[φ(u)²] = 1/2 + (1/√(2πq))² q = 1/2 + 1/(2π),    q = Var z = E[φ(u)²];

for a centred random v, v̄ = 0 and 1/2 stands.
"""

from __future__ import annotations

import math

from corollary.claims import Claim, Experiment
from corollary.sims.ntk.any_architecture import squared_gradients
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
INDEPENDENT, DEPENDENT = 0.5, 0.5 + 1 / (2 * math.pi)
_SETTINGS = {
    "along": "n", "resolution": rel(0.08), "margin": rel(0.01),
    "because": "the line in 1/n leaves terms of order 1/n²: with (3/n)² at n = 32, 0.9 %",
}  # fmt: skip

mean_readout = Claim(
    r"\tfrac1n\big\|\tfrac1{\sqrt n} W^\top \phi'(z)\big\|^2 \to \tfrac12 + \tfrac1{2\pi}"
    r"\text{ for a readout by the mean}",
    Value(DEPENDENT, **_SETTINGS),
    id="yang2019.mean-readout",
    where="Gradient independence: why the readout must be random and centred",
    measure=SQUARES["mean"],
    rivals={"gradient independence": INDEPENDENT, "twice the correction": 0.5 + 1 / math.pi},
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
)
