"""Two hidden layers by brute force: no closed-form dual and no recursion is shared with `theory/`."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from math import factorial
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.networks import (
    CLOSED,
    B,
    W,
    coded,
    dense,
    dphi,
    input_pairs,
    phi,
    quadrature,
    recursion,
    tangent_kernel,
)
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]
ORDER = 10  # moments kept: X <= 4 and t <= 1.5²/128, so the first one dropped is below (tX)^11/11! = 1e-20


@derivation(of=ntk.mlp, method="digits")
def nested_quadrature() -> Steps:
    """Θ = Σ + W_std² E[φ'φ'] Θ⁽¹⁾ with two hidden layers of ReLU or erf: every expectation by quadrature, 25 digits."""
    oracles: dict[str, Any] = {}
    for name in ("Relu", "Erf"):
        f = quadrature(name)
        fine = (f.variance, f.value, f.slope)
        # 16 nodes a unit instead of 32 leave 1e-27
        oracles[name] = tuple(partial(g, per_unit=16) for g in fine)
        x, y, W_std, b_std = input_pairs(61, 1)[0]
        with mp.workdps(60):
            routes = [recursion(x, y, 2, W_std, b_std, oracle) for oracle in (oracles[name], fine)]
            change = max(abs(less / more - 1) for less, more in zip(*routes, strict=True))
        yield step(
            f"{name}: relative change with twice the nodes", mp.nstr(change, 2), holds=change < mp.mpf(10) ** -25
        )
    cases = [(which, name, *pair) for name in oracles for pair in input_pairs(62, 10) for which in (0, 1)]
    results = {}

    def derived(which, name, x, y, *stds):
        key = (name, *x, *y)
        if key not in results:
            results[key] = recursion(x, y, 2, *stds, oracles[name])
        return results[key][which]

    def code(which, name, x, y, *stds):
        return coded(x, y, 2, *stds, CLOSED[name][0]())[which]

    # some 20 roundings of 1.1e-16 a layer; entries near zero are compared on the scale 0.1
    yield agree(derived, code, cases, digits=13, scale=0.1)


@derivation(of=(ntk.mlp, ntk.Sin), method="digits")
def sine_network_of_finite_width() -> Steps:
    """E Θ_n and E Σ_n of a network with two hidden layers of n sines, exactly, extrapolated to n = ∞.

    Given the first layer, z ± z' of a second-layer neuron are sums of independent normals, so the mean over the second
    layer is a characteristic function, and that over the first is the n-th power of one two-dimensional integral.
    """
    n, x, y = 2, sp.symbols("x:1"), sp.symbols("y:1")
    U, b, c = sp.symbols(f"U:{n}"), sp.symbols(f"b:{n}"), sp.symbols(f"c:{n}")
    A = [sp.symbols(f"A{j}_:{n}") for j in range(n)]
    a, β = sp.symbols(f"a:{n}"), sp.Symbol("β")
    first = [[dense(p, [U[i]], b[i]) for i in range(n)] for p in (x, y)]
    second = [[dense([phi(h) for h in row], A[j], c[j]) for j in range(n)] for row in first]
    f, g = (dense([phi(h) for h in row], a, β) for row in second)
    kernel = tangent_kernel(f, g, [*U, *b, *(p for row in A for p in row), *c, *a, β])
    mean = _drop_cross_terms(kernel, a)
    features, slopes = ([[op(h) for h in row] for row in second] for op in (phi, dphi))
    inner = W**2 / n * sum(phi(s) * phi(t) for s, t in zip(*first, strict=True)) + B**2
    below = W**2 * x[0] * y[0] + B**2
    readout = W**2 / n * sum(features[0][j] * features[1][j] for j in range(n)) + B**2
    middle = W**2 / n * sum(slopes[0][j] * slopes[1][j] for j in range(n)) * inner
    paths = [(i, j) for i in range(n) for j in range(n)]
    front = sum(slopes[0][j] * slopes[1][j] * A[j][i] ** 2 * dphi(first[0][i]) * dphi(first[1][i]) for i, j in paths)
    remainder = sp.expand(mean - readout - middle - W**4 / n**2 * below * front)
    yield step(
        "width 2, mean over the readout a: three sums, for the parameters of each layer; remainder",
        remainder,
        holds=remainder == 0,
    )
    gain, α = sp.symbols("g α", real=True)
    characteristic = sp.exp(-(gain**2) / 2)  # E e^{igα}, α ~ N(0,1), as in sin_expectations
    second_moment = -sp.diff(characteristic, gain, 2)
    yield step(
        "E[α² e^{igα}] = −d²/dg² E e^{igα}",
        sp.factor(second_moment),
        holds=sp.simplify(second_moment - (1 - gain**2) * characteristic) == 0,
    )
    N, μ = sp.symbols("n μ", positive=True)
    limit = sp.limit((1 - W**2 * μ / (2 * N)) ** N, N, sp.oo)
    yield step(
        "(E e^{−tX})ⁿ with t = W_std²/2n tends to the Gaussian value of variance W_std² E X",
        limit,
        holds=sp.simplify(limit - sp.exp(-(W**2) * μ / 2)) == 0,
    )
    points = input_pairs(63, 20)
    at = [mean_kernels(2**j, _moments(*points[0]), *points[0])[1] for j in (6, 7, 8)]
    ratio = (at[0] - at[1]) / (at[1] - at[2])
    yield step(
        "the bias halves with the width: ratio of successive differences, widths 64, 128, 256",
        mp.nstr(ratio, 5),
        holds=abs(ratio - 2) < 0.1,
    )

    def derived(which, *pair):
        moments = _moments(*pair)
        return _extrapolate([mean_kernels(2**j, moments, *pair)[which] for j in range(6, 14)])

    def code(which, x, y, *stds):
        return coded(x, y, 2, *stds, ntk.Sin())[which]

    # the moments of order m carry some 30 roundings of 1.1e-16 of 4^m; they enter with factors (W_std²/2)^m/m! that sum
    # to at most e^4.5 = 90: 3e-13 at worst, on a scale of 0.1: 3e-12
    cases = [(which, *pair) for pair in points for which in (0, 1)]
    yield agree(derived, code, cases, digits=11, scale=0.1)


def _drop_cross_terms(kernel: sp.Expr, a: tuple[sp.Symbol, ...]) -> sp.Expr:
    """Mean over independent a_j ~ N(0,1) of a polynomial of degree 2 in them."""
    poly = sp.Poly(kernel, *a)
    assert poly.total_degree() <= 2, "E a⁴ = 3 would enter"
    return sp.expand(sum(c for powers, c in poly.terms() if all(p % 2 == 0 for p in powers)))


def _moments(x: np.ndarray, y: np.ndarray, W_std: float, b_std: float) -> dict[tuple[str, int], list[Any]]:
    """E[X^m], E[sin u sin v X^m], E[cos u cos v X^m] for X = (sin u ± sin v)², by the trapezoidal rule in the plane.

    Step 1/4 on [−9, 9]: for the frequencies that matter (|ω| <= 10) the error is e^{−(8π − 10)²/2} and e^{−81/2}.
    """
    q1, q2, k = (W_std**2 * float(s @ t) / len(x) + b_std**2 for s, t in ((x, x), (y, y), (x, y)))
    z = np.arange(-36, 37) / 4
    weight = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / 4
    u = np.sqrt(q1) * z[:, None] + 0 * z[None, :]
    v = k / np.sqrt(q1) * z[:, None] + np.sqrt(q2 - k**2 / q1) * z[None, :]
    plane = weight[:, None] * weight[None, :]
    factors = {"1": 1.0, "ss": np.sin(u) * np.sin(v), "cc": np.cos(u) * np.cos(v)}
    return {
        (name, sign): [
            mp.mpf(float(np.sum(plane * factor * (np.sin(u) + sign * np.sin(v)) ** (2 * m)))) for m in range(ORDER + 1)
        ]
        for name, factor in factors.items()
        for sign in (-1, 1)
    }


def mean_kernels(
    n: int, moments: dict[tuple[str, int], list[Any]], x: np.ndarray, y: np.ndarray, W_std: float, b_std: float
) -> tuple[Any, Any]:
    """(E Σ_n, E Θ_n) of two hidden layers of n sines."""
    with mp.workdps(50):
        w, b = mp.mpf(W_std) ** 2, mp.mpf(b_std) ** 2
        t = w / (2 * n)
        below = w * mp.fdot(map(float, x), map(float, y)) / len(x) + b
        Σ, Θ = b, mp.mpf(0)
        for sign, damping in ((-1, mp.mpf(1)), (1, mp.exp(-2 * b))):  # z − z' has no bias, z + z' has it twice
            series = {}
            for name in ("1", "ss", "cc"):
                E = moments[name, sign]
                series[name] = mp.fsum((-t) ** m / factorial(m) * E[m] for m in range(ORDER + 1))
            E = moments["cc", sign]
            weighted = series["cc"] - 2 * t * mp.fsum((-t) ** m / factorial(m) * E[m + 1] for m in range(ORDER))
            power = series["1"] ** (n - 1)
            Σ -= sign * w / 2 * damping * power * series["1"]
            Θ += w / 2 * damping * power * (w * series["ss"] + b * series["1"] + w * below * weighted)
        return Σ, Σ + Θ


def _extrapolate(values: list[Any]) -> Any:
    """Richardson: the limit of a power series in 1/n from widths that double."""
    with mp.workdps(50):
        for order in range(1, len(values)):
            values = [b + (b - a) / (2**order - 1) for a, b in zip(values, values[1:], strict=False)]
        return values[0]
