"""Finite size: the largest eigenvalue of the noise part, its rate N^{−2/3}, its centring and its law."""

from __future__ import annotations

from functools import cache

from corollary.claims import Claim, Experiment, grid
from corollary.paper_repro.penningtonbahri2017.surface import density
from corollary.sims.spectra.tridiagonal import tops
from corollary.theory import spectra
from corollary.verdicts import Law, Rate, Value, std

edge = Experiment(
    "penningtonbahri2017.edge", run=tops,
    points={"smoke": grid(N=[2000], beta=1), "laptop": grid(N=[100000], beta=1), "paper": grid(N=[1000000], beta=1)},
    replicates=32768, block=256,
)  # fmt: skip
sizes = Experiment(
    "penningtonbahri2017.edge-sizes", run=tops,
    points=grid(N=[100, 400, 1600, 6400], beta=1), replicates=65536, block=256,
)  # fmt: skip

tracy_widom = cache(spectra.tracy_widom)


@cache
def mean(beta):
    """Of the Tracy–Widom law: a second of quadrature, so not when the module is imported."""
    return tracy_widom(beta).moment(1)


law = Claim(
    r"N^{2/3}\left(\lambda_{\max} - 2\sqrt{1 - \tfrac1{2N}}\right) \to \mathrm{TW}_1",
    Law(
        lambda x, beta: tracy_widom(beta).cdf(x), resolution=0.09, margin=0.01,
        because="with this centring the distance is of order N^(−2/3) (Johnstone & Ma 2012): 0.006 at N = 2000",
    ),
    id="penningtonbahri2017.edge-law",
    theorem="Tracy & Widom 1996: for the Gaussian orthogonal ensemble with off-diagonal variance $1/N$, "
    r"$N^{2/3}(\lambda_{\max} - 2)$ converges in law to $\mathrm{TW}_1$.",
    where="ours: finite size of the noise part (Tracy & Widom 1996)",
    measure=edge["scaled"],
    rivals={
        "the law of Hermitian matrices": lambda x, beta: tracy_widom(2).cdf(x),
        "standard normal": lambda x, beta: _normal(x),
    },
    uses=[density],
    checked_by=["spectra.tracy_widom_two"],
)  # fmt: skip


def _normal(x):
    from corollary.arrays import ndtr

    return ndtr(x)


centring = Claim(
    r"\mathbb E N^{2/3}(\lambda_{\max} - 2) = \mu_1 + o(1): \text{ the right centring leaves } O(N^{-2/3})",
    Value(
        mean, along="N", gamma=2 / 3, resolution=0.12, margin=0.01,
        because="terms of order N^(−2/3) go into the line, the next ones are of order 1/N: 0.01 at N = 100",
    ),
    id="penningtonbahri2017.edge-centring",
    theorem="Tracy & Widom 1996: for the Gaussian orthogonal ensemble with off-diagonal variance $1/N$, "
    r"$N^{2/3}(\lambda_{\max} - 2)$ converges in law to $\mathrm{TW}_1$.",
    where="ours, as above; about 2 itself the mean is off by N^(−1/3)/2",
    measure=sizes["scaled"],
    rivals={"the Hermitian mean": lambda beta: mean(2), "no shift of the edge": 0.0},
)  # fmt: skip

rate = Claim(
    r"\mathrm{sd}\,\lambda_{\max} \sim N^{-2/3}",
    Rate(
        -2 / 3, of=std, along="N", resolution=0.1, margin=0.02,
        because="the standard deviation has corrections of order N^(−2/3), 5 % at N = 100: 0.012 of slope; the "
        "logarithm of a standard deviation of 8 adds nothing, the law being the same at each size",
    ),
    id="penningtonbahri2017.edge-rate",
    theorem="Tracy & Widom 1996: for the Gaussian orthogonal ensemble with off-diagonal variance $1/N$, "
    r"$N^{2/3}(\lambda_{\max} - 2)$ converges in law to $\mathrm{TW}_1$.",
    where="ours, as above",
    measure=sizes["top"],
    rivals={"as an outlier, N^(−1/2)": -0.5, "as inside the bulk, 1/N": -1.0},
)  # fmt: skip
