"""Laws of spectra from their transforms: the cubic of Wishart + Wigner, the quartic of Pennington–Worah, moments, TW₂."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterator
from random import Random
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp
from scipy.special import airy

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import spectra

Steps = Generator[Step | Agreement, None, None]

z, G, φ, ε = sp.symbols("z G phi epsilon")
CUBIC = 2 * ε * φ * G**3 - (2 * ε + z * φ) * G**2 + (z + φ - 1) * G - 1


def _complex_points(seed: int, count: int = 24) -> list[tuple[float, float, complex]]:
    rng = Random(seed)
    return [
        (rng.uniform(0.1, 1.5), rng.uniform(0.05, 1.0), complex(rng.uniform(-2, 4), rng.uniform(0.05, 1)))
        for _ in range(count)
    ]


@derivation(of=spectra.wishart_wigner, method="symbolic")
def cubic() -> Steps:
    """R-transforms add: z = 1/(1 − φG) + 2εG + 1/G, cleared of fractions, is the cubic; G is its root with Im G < 0."""
    relation = 1 / (1 - φ * G) + 2 * ε * G + 1 / G - z
    cleared = sp.expand(sp.cancel(relation * G * (1 - φ * G)))
    remainder = sp.expand(cleared + CUBIC)
    yield step("G(1 − φG)(R(G) + 1/G − z) + cubic", remainder, holds=remainder == 0)

    def root(a: float, e: float, point: complex) -> Any:
        with mp.workdps(40):
            coefficients = [2 * e * a, -(2 * e + point * a), point + a - 1, -1]
            return next(r for r in mp.polyroots([mp.mpmathify(c) for c in coefficients], maxsteps=200) if r.imag < 0)

    # companion eigenvalues, polished: a few roundings
    yield agree(root, lambda a, e, at: spectra.wishart_wigner(a, e).stieltjes(at), _complex_points(1), digits=13)


def _non_crossing(n: int) -> Iterator[tuple[int, ...]]:
    """Block sizes of every non-crossing partition of n points in a row: the block of the first point, then the arcs."""
    if n == 0:
        yield ()
        return
    for k in range(n):
        for rest in itertools.combinations(range(1, n), k):
            cuts = [0, *rest, n]
            inner = [list(_non_crossing(b - a - 1)) for a, b in itertools.pairwise(cuts)]
            for choice in itertools.product(*inner):
                yield (k + 1, *itertools.chain.from_iterable(choice))


@derivation(of=(spectra.wishart_wigner, spectra.Law.moment), method="rational")
def moments_to_order_eight() -> Steps:
    """m_n = Σ over non-crossing partitions of products of κ_k = φ^{k−1} + 2ε[k = 2] (Speicher 1994), n ≤ 8."""
    counts = [sum(1 for _ in _non_crossing(n)) for n in range(1, 9)]
    yield step("their numbers are Catalan's", counts, holds=counts == [sp.catalan(n) for n in range(1, 9)])

    def summed(a: sp.Rational, e: sp.Rational, n: int) -> Any:
        kappa = [a ** (k - 1) + (2 * e if k == 2 else 0) for k in range(1, n + 1)]
        return sp.Float(sum(math.prod(kappa[k - 1] for k in blocks) for blocks in _non_crossing(n)), 30)

    cases = [(sp.Rational(a, 4), sp.Rational(e, 10), n) for a, e in ((1, 2), (3, 1), (6, 5)) for n in range(1, 9)]
    # Gauss rules in the angle of a band: rounding
    yield agree(summed, lambda a, e, n: spectra.wishart_wigner(float(a), float(e)).moment(n), cases, digits=13)


@derivation(of=(spectra.relu_wishart_wigner, spectra.Law.r_transform), method="symbolic")
def relu_noise() -> Steps:
    """Jumps ±a at rate 1/(2φ), a = φ√(ε/2), sum to εφ g/(2 − εφ² g²)."""
    g, a = sp.symbols("g a", positive=True)
    jumps = (a / (1 - a * g) - a / (1 + a * g)) / (2 * φ)
    remainder = sp.simplify(jumps.subs(a, φ * sp.sqrt(ε / 2)) - ε * φ * g / (2 - ε * φ**2 * g**2))
    yield step("Σ rate t/(1 − tg) − εφg/(2 − εφ²g²)", remainder, holds=remainder == 0)
    rng = Random(8)
    cases = [(rng.uniform(0.1, 1), rng.uniform(0.1, 1), rng.uniform(-0.2, 0.2)) for _ in range(24)]

    def closed(p: float, e: float, x: float) -> float:
        return 1 / (1 - p * x) + e * p * x / (2 - e * p * p * x * x)

    # R = x − 1/g loses 1/|g| ≤ some hundreds of roundings
    yield agree(closed, lambda p, e, x: spectra.relu_wishart_wigner(p, e).r_transform(x), cases, digits=11)


@derivation(of=spectra.activation_covariance, method="digits")
def quartic() -> Steps:
    """Pennington & Worah, Theorem 1: P = 1 + (η − ζ) t P_φP_ψ + tζP_φP_ψ/(1 − tζP_φP_ψ), t = 1/(zψ), is rational in
    q = t P_φP_ψ; the branch with P → 1 is followed from far above."""
    η, ζ, ψ, q, P = sp.symbols("eta zeta psi q P", positive=True)
    curve = 1 + (η - ζ) * q + ζ * q / (1 - ζ * q)
    a, b = 1 + (curve - 1) * φ, 1 + (curve - 1) * ψ
    t = q / (a * b)
    remainder = sp.simplify(1 + (η - ζ) * t * a * b + t * ζ * a * b / (1 - t * ζ * a * b) - curve)
    yield step("along q the equation of the theorem holds", remainder, holds=remainder == 0)
    Pφ, Pψ, T = 1 + (P - 1) * φ, 1 + (P - 1) * ψ, sp.Symbol("t")
    full = sp.Poly(sp.expand((P - 1 - (η - ζ) * T * Pφ * Pψ) * (1 - T * ζ * Pφ * Pψ) - T * ζ * Pφ * Pψ), P)
    yield step("cleared of fractions its degree in P is", full.degree(), holds=full.degree() == 4)
    coefficients = sp.lambdify((φ, ψ, η, ζ, T), full.all_coeffs(), "mpmath")

    def followed(p: float, s: float, e: float, c: float, at: complex) -> Any:
        with mp.workdps(30):
            last = mp.mpf(1)
            for k in range(24, -1, -1):
                here = mp.mpmathify(at) + 1j * (mp.mpf(2) ** k - 1)
                roots = mp.polyroots(coefficients(p, s, e, c, 1 / (here * s)), maxsteps=500, extraprec=80)
                last = min(roots, key=lambda r: abs(r - last))
            return (s * last + 1 - s) / mp.mpmathify(at)

    rng = Random(4)
    cases = []
    for _ in range(20):
        e = rng.uniform(0.3, 1)
        at = complex(rng.uniform(-0.5, 2), rng.uniform(0.1, 1))
        cases.append((rng.uniform(0.3, 2), rng.uniform(0.3, 2), e, rng.uniform(0.2, 0.95) * e, at))
    yield agree(followed, lambda *p: spectra.activation_covariance(*p[:4]).stieltjes(p[4]), cases, digits=12)


@derivation(of=(spectra.tracy_widom, spectra.TracyWidom.cdf), method="digits")
def tracy_widom_two() -> Steps:
    """The Airy kernel is a square: K(x, y) = ∫₀^∞ Ai(x + t) Ai(y + t) dt = B², so det(1 − K) = det(1 − B) det(1 + B)."""
    x, y, t = sp.symbols("x y t", real=True)
    product = sp.airyai(x + t) * sp.airyai(y + t)
    whole = (sp.airyai(x + t) * sp.airyaiprime(y + t) - sp.airyaiprime(x + t) * sp.airyai(y + t)) / (x - y)
    remainder = sp.simplify(sp.diff(whole, t) + product)
    yield step("d/dt of the Airy kernel at x + t, y + t, plus Ai Ai", remainder, holds=remainder == 0)

    def kernel_determinant(s: float) -> float:
        nodes, w = np.polynomial.legendre.leggauss(90)
        at, root = s + (1 + nodes) * (16 - s) / 2, np.sqrt(w * (16 - s) / 2)
        a, d = airy(at)[:2]
        with np.errstate(invalid="ignore", divide="ignore"):
            K = (np.outer(a, d) - np.outer(d, a)) / (at[:, None] - at)
        np.fill_diagonal(K, d**2 - at * a**2)
        return float(np.linalg.det(np.eye(90) - root[:, None] * K * root))

    cases = [(float(s),) for s in np.linspace(-6, 3, 24)]
    # differences of nearly equal numbers in the kernel: some 1e-13 absolute
    yield agree(kernel_determinant, lambda s: spectra.tracy_widom(2).cdf(s), cases, digits=12, scale=1.0)
