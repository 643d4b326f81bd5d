"""ReLU kernels of nearly antiparallel inputs, relative to themselves, against 90-digit recursions of those floats."""

import mpmath as mp
import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import ntk
from corollary.theory.ntk import inputs

EPS = float(np.finfo(float).eps)
LEFT = [0.6, 0.3, 0.16, 0.1417, *(10.0**-p for p in range(1, 12))]  # π − θ; `fused` keeps the first four
RELU = {"activation": ntk.Relu(), "W_std": 2**0.5}


def dual(q, r, k):
    """(E[φφ], E[φ'φ']) of ReLU (Cho & Saul 2009) through z = π − θ. 90 digits: E ~ z³ = 1e-33 is a difference."""
    z = mp.acos(max(mp.mpf(-1), min(mp.mpf(1), -k / mp.sqrt(q * r))))
    return mp.sqrt(q * r) * (mp.sin(z) - z * mp.cos(z)) / (2 * mp.pi), z / (2 * mp.pi)


def exact(x, y, depth, b_std):
    with mp.workdps(90):
        X, Y = ([mp.mpf(float(t)) for t in v] for v in (x, y))
        W2, b2 = mp.mpf(RELU["W_std"]) ** 2, mp.mpf(b_std) ** 2
        q, r, k = (W2 * mp.fdot(u, v) / len(X) + b2 for u, v in ((X, X), (Y, Y), (X, Y)))
        t = k
        for _ in range(depth):
            E, slope = dual(q, r, k)
            q, r, k = W2 * q / 2 + b2, W2 * r / 2 + b2, W2 * E + b2
            t = k + W2 * slope * t
        return k, t


def relative_errors(depth, b_std, dimension, norms, seed=0):
    """(π − θ, the larger relative error of K and Θ) for every entry of LEFT, in a random plane."""
    e, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, 2)))
    x, y = norms[0] * e[:, 0], norms[1] * np.array([np.sin(z) * e[:, 1] - np.cos(z) * e[:, 0] for z in LEFT])
    k = ntk.mlp(depth=depth, b_std=b_std, **RELU).kernel(x[None, :], y)
    for z, v, *got in zip(LEFT, y, k.nngp[0], k.ntk[0], strict=True):
        yield z, max(abs(float(mp.mpf(float(g)) / w - 1)) for g, w in zip(got, exact(x, v, depth, b_std), strict=True))


@guards(ntk.mlp, ntk.Network.kernel)
@pytest.mark.parametrize("depth", [1, 3, 10])
@pytest.mark.parametrize("b_std", [0.0, 0.1])
def test_relu_kernels_are_accurate_relative_to_themselves(depth, b_std):
    """Without bias K of one layer vanishes as (π − θ)³, and Θ as π − θ. Promised: 1e-12. `fused` forms K by subtraction
    where π − θ > 0.14: 6e-13 measured. Below 0.02 some ε: 20 for E as in `test_theory_accuracy`, 10 a layer; between,
    12/z more, for 4 ε in û + û' and z³. Measured below 0.14: 6 ε."""
    for dimension, norms in ((2, (1.0, 0.3)), (5, (1e-6, 1e4)), (50, (1e-140, 1e140)), (784, (1.0, 1.0))):
        for z, error in relative_errors(depth, b_std, dimension, norms):
            few = (20 + 10 * depth + (12 / z if z > 0.02 else 0)) * EPS
            assert error <= (1e-12 if z > 0.14 else few), (dimension, z, error)


def test_unit_vectors_alone_would_fail_that_test(monkeypatch):
    """û and û' are rounded: π − θ is off by some ε, and K by three times as many over π − θ, of itself."""
    monkeypatch.setattr(inputs, "_OPPOSITE", 0.0)
    errors = dict(relative_errors(1, 0.0, 50, (1.0, 1.0)))
    assert errors[1e-6] > 1e-12 and errors[1e-10] > 1e-8


def test_inputs_one_rounding_away_from_antiparallel_are_told_apart():
    """(1, t) and −(1, t') with neighbouring floats t, t': tan z = |t' − t|/(1 + tt') = 7e-17; one layer, W = 1:
    K = s z³/6π and Θ = −s z/2π up to z², s = |x||x'|/2."""
    t = 0.7
    x, y = np.array([[1.0, t]]), -np.array([[1.0, np.nextafter(t, 1)]])
    z = (np.nextafter(t, 1) - t) / (1 + t * t)
    s = (1 + t * t) / 2
    k = ntk.mlp(depth=1, activation=ntk.Relu()).kernel(x, y)
    assert k.nngp[0, 0] == pytest.approx(s * z**3 / (6 * np.pi), rel=30 * EPS)
    assert k.ntk[0, 0] == pytest.approx(-s * z / (2 * np.pi), rel=30 * EPS)


def test_many_nearly_antiparallel_pairs_are_those_one_by_one(backend):
    """Blocks, chunks and the scatter do not show: ±v and noise, all pairs at once and each alone."""
    rng = np.random.default_rng(3)
    x = rng.choice([-1.0, 1.0], (40, 1)) * rng.standard_normal(7) + 10.0 ** rng.uniform(-9, -1, (40, 1)) * (
        rng.standard_normal((40, 7))
    )
    net = ntk.mlp(depth=1, **RELU)
    whole = backend.numpy(net.kernel(backend.asarray(x)).nngp)
    for i in range(0, 40, 9):
        for j in range(40):
            one = net.kernel(x[i : i + 1], x[j : j + 1]).nngp[0, 0]
            assert whole[i, j] == pytest.approx(one, rel=1e-12), (i, j)
