"""A rate of your own, with rivals, in a plain pytest file.

The largest of n standard normal numbers lies near √(2 ln n), but how much does it vary? Extreme-value theory:
its standard deviation falls like (ln n)^(-1/2), far more slowly than that of a mean. In ln n it is a power: a `Rate`.

    pytest examples/test_my_rate.py                                   # a table of verdicts stands at the end
    pytest examples/test_my_rate.py --verdicts-json verdicts.json     # for `corollary report verdicts.json`
    corollary verify examples/test_my_rate.py                         # the same claim from the command line
"""

import numpy as np

from corollary import Claim, Rate, std


def largest(log_n, rng):
    """The largest of n = e^log_n normals, without drawing them all: Φ of it is U^(1/n). All chance comes from rng."""
    from scipy.special import ndtri

    return -ndtri(-np.expm1(np.log(rng.random()) * np.exp(-float(log_n))))  # 1 − U^(1/n), exact where n is e^32


spread_of_the_maximum = Claim(
    r"$\mathrm{sd}\,\max_{i\le n} g_i \sim (\ln n)^{-1/2}$ for independent standard normal $g_i$",
    Rate(
        -1 / 2, of=std, along="log_n", resolution=0.1, margin=0.03,
        because="by quadrature the slope on these sizes is -0.505; excess kurtosis κ rises from 1.2 to 2.2, and the "
        "mean log of a standard deviation of 8, low by (κ + 2)/32, shifts the slope by another -0.015",
    ),
    measure=largest,
    points={"log_n": [8, 16, 32, 64]},
    replicates=16384,
    rivals={"it does not fall": 0.0, "variance taken for standard deviation": -1.0},
    where="Fisher & Tippett 1928",
)  # fmt: skip


def test_the_spread_of_the_maximum(verdicts):
    verdicts.check(spread_of_the_maximum)  # raises Refuted, Underpowered or OutOfDomain with the full report
