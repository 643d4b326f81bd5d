"""The spectrum of a matrix ensemble of your own against the law you derived for it.

A = D + sW: half of D's eigenvalues are +1, half −1, and W is a GOE matrix with spectrum [−2, 2], as where a
curvature with two levels is seen through noise. Free probability: the Stieltjes transform G solves the cubic
G ((z − s²G)² − 1) = z − s²G (Pastur 1972), and the density is −Im G/π.

A replicate is one whole matrix, because the eigenvalues of one matrix are not independent; `spectrum=` says so.
"""

from functools import cache

import numpy as np

from corollary import Claim, Law

N = 100
NOISE = 0.7  # s


@cache
def _table(s, classical=False):
    """(x, F): the distribution function by quadrature of the density on a grid fine enough for 1e-4."""
    x = np.linspace(-4.0, 4.0, 4001)
    if classical:  # eigenvalues added as if they were independent numbers: ±1 plus a semicircle variable
        density = np.sum([np.sqrt(np.clip(4 * s**2 - (x - level) ** 2, 0, None)) for level in (-1, 1)], axis=0)
    else:
        v = s**2
        roots = np.array([np.roots([v**2, -2 * v * z, z**2 - 1 + v, -z]) for z in x])
        density = -roots.imag.min(axis=1)
    F = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return x, F / F[-1]


def free_law(x):
    return np.interp(x, *_table(NOISE))


def semicircle(x):
    """The right mean and variance 1 + s², the wrong shape: what one gets by forgetting that D has only two levels."""
    t = np.clip(x / (2 * np.sqrt(1 + NOISE**2)), -1, 1)
    return 0.5 + (t * np.sqrt(1 - t**2) + np.arcsin(t)) / np.pi


def classical(x):
    return np.interp(x, *_table(NOISE, True))


def less_noise(x):
    return np.interp(x, *_table(NOISE / np.sqrt(2)))


def eigenvalues(rng):
    W = rng.standard_normal((N, N))
    return np.linalg.eigvalsh(np.diag(np.repeat([1.0, -1.0], N // 2)) + NOISE * (W + W.T) / np.sqrt(2 * N))


two_levels = Claim(
    r"the spectrum of $D + sW$ has the law whose $G$ solves $G\,((z - s^2 G)^2 - 1) = z - s^2 G$",
    Law(
        free_law, spectrum=(-3.0, 3.0), resolution=0.02, margin=1.0 / N,
        because="the 1/N bias of Chebyshev means: at N = 50, 100, 200 at most 0.75/N was seen, and it scales as 1/N",
    ),
    measure=eigenvalues,
    replicates=512,
    rivals={"a semicircle of equal variance": semicircle, "added as numbers": classical, "s²/2 for s²": less_noise},
)  # fmt: skip


def test_the_spectrum_of_two_levels_in_noise(verdicts):
    verdicts.check(two_levels)
