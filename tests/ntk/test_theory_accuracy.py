"""How accurate the infinite-width kernels are, and where: against 60-digit recursions fed with the same floats."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import ntk
from corollary.theory.ntk.moments import Moments

EPS = float(np.finfo(float).eps)
# both sides of the angle arccos(0.99) = 0.1415 beyond which the matrix product is trusted, and every decade below
SMALL = [1e-11, 1e-9, 1e-7, 1e-5, 1e-3, 0.1, 0.1415, 0.1417]
ANGLES = [*SMALL, 0.5, 1.57, 2.0, 2.5, *(np.pi - t for t in SMALL)]


def bent(slope):
    """60-digit (E[φφ], E[φ'φ']) of φ(x) = max(x,0) + slope·min(x,0), from Cho & Saul's J1, J0 at θ and π − θ."""

    def dual(q, r, k):
        s = mp.sqrt(q * r)
        c = max(mp.mpf(-1), min(mp.mpf(1), k / s)) if s else mp.mpf(0)
        same, cross = mp.acos(c), mp.acos(-c)
        J1 = [(mp.sin(t) + (mp.pi - t) * mp.cos(t)) / (2 * mp.pi) for t in (same, cross)]
        J0 = [(mp.pi - t) / (2 * mp.pi) for t in (same, cross)]
        a = mp.mpf(slope)
        return s * ((1 + a * a) * J1[0] - 2 * a * J1[1]), (1 + a * a) * J0[0] + 2 * a * J0[1]

    return dual


def erf_dual(q, r, k):
    P = (1 + 2 * q) * (1 + 2 * r)
    return 2 / mp.pi * mp.asin(2 * k / mp.sqrt(P)), 4 / mp.pi / mp.sqrt(P - 4 * k * k)


def sin_dual(q, r, k):
    minus, plus = mp.exp(-(q + r - 2 * k) / 2), mp.exp(-(q + r + 2 * k) / 2)
    return (minus - plus) / 2, (minus + plus) / 2


def gelu_dual(q, r, k):
    Q = (1 + q) * (1 + r)
    D = Q - k * k
    angle = mp.pi / 2 + mp.asin(k / mp.sqrt(Q))
    E = k * angle + q * r * mp.sqrt(D) / Q + k * k / (Q * mp.sqrt(D))
    return E / (2 * mp.pi), (angle + k * (3 + q + r + k * k / D) / (Q * mp.sqrt(D))) / (2 * mp.pi)


def oracle(dual, x, y, depth, W_std, b_std):
    """(nngp, ntk, √(nngp nngp'), √(ntk ntk')) at 60 digits; W_std and b_std are the floats too."""
    with mp.workdps(60):
        X, Y = ([mp.mpf(float(t)) for t in v] for v in (x, y))
        W2, b2 = mp.mpf(W_std) ** 2, mp.mpf(b_std) ** 2
        q, r, k = (W2 * mp.fdot(u, v) / len(X) + b2 for u, v in ((X, X), (Y, Y), (X, Y)))
        t, tq, tr = k, q, r
        for _ in range(depth):
            (E, dE), (Eq, dq), (Er, dr) = dual(q, r, k), dual(q, q, q), dual(r, r, r)
            q, r, k = W2 * Eq + b2, W2 * Er + b2, W2 * E + b2
            t, tq, tr = k + W2 * dE * t, q + W2 * dq * tq, r + W2 * dr * tr
        return k, t, mp.sqrt(q * r), mp.sqrt(tq * tr)


def pairs(dimension, norms, seed=0):
    """One x and one y for each of ANGLES, in a random plane of R^dimension."""
    e, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, 2)))
    y = [norms[1] * (np.cos(a) * e[:, 0] + np.sin(a) * e[:, 1]) for a in ANGLES]
    return norms[0] * e[:, 0], np.array(y)


def worst_errors(net, dual, x, y, depth, W_std, b_std):
    """For every angle, |error|, |value| and √(k k') of nngp and ntk."""
    k = net.kernel(x[None, :], y)
    for i, angle in enumerate(ANGLES):
        nngp, tangent, s, st_ = oracle(dual, x, y[i], depth, W_std, b_std)
        for got, want, scale in ((k.nngp[0, i], nngp, s), (k.ntk[0, i], tangent, st_)):
            yield angle, float(abs(mp.mpf(float(got)) - want)), float(abs(want)), float(scale)


RELU_FAMILY = [(ntk.Relu(), 0), (ntk.LeakyRelu(0.1), 0.1), (ntk.LeakyRelu(-3.0), -3.0), (ntk.Abs(), -1)]


@guards(ntk.mlp, ntk.Network.kernel)
@pytest.mark.parametrize("activation, slope", RELU_FAMILY, ids=str)
@pytest.mark.parametrize("b_std", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dimension, norms, depth", [
    (2, (1.0, 0.3), 10), (5, (1e-6, 1e4), 3), (7, (1e4, 1e4), 3), (3, (1e-6, 1e-6), 1), (784, (1.0, 1.0), 10),
])  # fmt: skip
def test_relu_family_is_accurate_to_1e_12_at_every_angle_norm_bias_and_depth(
    activation, slope, b_std, dimension, norms, depth
):
    """Relative to the value up to angle 2.5, to √(k(x,x) k(x',x')) beyond: 1e-12 promised, 1e-14 measured."""
    net = ntk.mlp(depth=depth, activation=activation, W_std=2**0.5, b_std=b_std)
    x, y = pairs(dimension, norms)
    for angle, error, value, scale in worst_errors(net, bent(slope), x, y, depth, 2**0.5, b_std):
        assert error <= 1e-12 * (value if angle <= 2.5 else scale), (angle, error, value)


@pytest.mark.parametrize("power", range(0, 13))
def test_relu_is_as_accurate_as_its_gaps_near_pi(power):
    """E = √(qq') (sin z − z cos z)/2π with z = 2 atan(√far/√near) from the same floats, to 20 ε of itself: some ten
    roundings in the series, three in z³. By subtraction it would lose 3/z² of them; at z < 1e-8 all."""
    z = 10.0**-power
    for start in (z, 0.7 * z, 0.499, 0.501, 1.5):
        near, far = (np.array([[2 * t**2]]) for t in (np.cos(start / 2), np.sin(start / 2)))
        got, _ = ntk.Relu().step(np.ones((1, 1)), np.ones((1, 1)), Moments((far - near) / 2, near, far))
        with mp.workdps(60):
            angle = 2 * mp.atan2(mp.sqrt(mp.mpf(far.item())), mp.sqrt(mp.mpf(near.item())))
            want = (mp.sin(angle) - angle * mp.cos(angle)) / (2 * mp.pi)
            assert abs(got.k.item() - want) <= 20 * EPS * want, (start, float(got.k.item() / want - 1))


SMOOTH = [(ntk.Erf(), erf_dual), (ntk.Sin(), sin_dual), (ntk.Gelu(), gelu_dual)]


@pytest.mark.parametrize("activation, dual", SMOOTH, ids=["erf", "sin", "gelu"])
@pytest.mark.parametrize("norm", [1e-6, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("depth", [1, 4])
def test_smooth_kernels_have_the_stated_conditioning(activation, dual, norm, depth):
    """Error (1+√q) ε per layer, q the largest variance, relative to √(k(x,x) k(x',x')), at every angle.

    The factor 10 covers some tens of roundings of either sign per layer; measured: at most 3.
    """
    for b_std in (0.0, 1.0):
        net = ntk.mlp(depth=depth, activation=activation, W_std=2**0.5, b_std=b_std)
        x, y = pairs(3, (norm, norm))
        q = 2 * norm**2 / 3 + b_std**2
        for angle, error, _, scale in worst_errors(net, dual, x, y, depth, 2**0.5, b_std):
            assert error <= 10 * (depth + 1) * (1 + q**0.5) * EPS * scale, (angle, b_std, error / scale)


@pytest.mark.parametrize("activation, dual", SMOOTH[:2], ids=["erf", "sin"])
def test_the_plain_recursion_would_fail_that_test(activation, dual):
    """At variance 7e7 and small angles the subtraction in D (in q₁+q₂−2k for sin) loses q, not √q."""
    x, y = pairs(3, (1e4, 1e4))
    q, r, k = (2 * t / 3 for t in (np.sum(x * x), np.sum(y * y, axis=1), y @ x))
    E, dE = activation.dual(np.full_like(r, q), r, k)
    plain = 2 * E + 2 * dE * k
    errors = []
    for i in range(len(ANGLES)):
        nngp, tangent, _, scale = oracle(dual, x, y[i], 1, 2**0.5, 0.0)
        errors.append(float(abs(mp.mpf(plain[i]) + nngp - 2 * mp.mpf(E[i]) - tangent) / scale))
    assert max(errors) > 100 * 20 * (1 + q**0.5) * EPS


variances = st.floats(1e-3, 30)
ACTIVATIONS = [ntk.Relu(), ntk.LeakyRelu(0.3), ntk.Abs(), ntk.Identity(), ntk.Erf(), ntk.Sin(), ntk.Gelu()]


@guards(*(method for a in ACTIVATIONS for method in (type(a).step, type(a).dual)))
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@given(q=variances, r=variances, angle=st.floats(1e-6, np.pi - 1e-6))
def test_the_accurate_step_agrees_with_the_plain_dual_to_its_conditioning(activation, q, r, angle):
    """ReLU family: an error ε/sin θ in the angle; smooth: (1+q)ε of values up to 1. 30: roundings of both forms."""
    q, r = np.array([[q]]), np.array([[r]])
    s = np.sqrt(q) * np.sqrt(r)
    near, far = 2 * s * np.sin(angle / 2) ** 2, 2 * s * np.cos(angle / 2) ** 2
    k = (far - near) / 2
    moments, slope = activation.step(q, r, Moments(k, near, far))
    E, dE = activation.dual(q, r, k)
    size = np.sqrt(activation.variance(q)[0] * activation.variance(r)[0])
    value = max(1.0, float(s[0, 0]), float(size[0, 0]))
    top = max(1.0, float(activation.variance(q)[1].max()), float(activation.variance(r)[1].max()))
    worse = 1 / np.sin(angle) if hasattr(activation, "_squares") else 1 + max(float(q[0, 0]), float(r[0, 0]))
    assert abs(moments.k - E) <= 30 * EPS * value * worse
    assert abs(slope - dE) <= 30 * EPS * top * worse
    # the gaps are those of the features: near + far = 2√(VV'), far − near = 2E
    np.testing.assert_allclose(moments.near + moments.far, 2 * size, rtol=30 * EPS)
    np.testing.assert_allclose(moments.far - moments.near, 2 * moments.k, atol=60 * EPS * float(size.max()))


@guards(*(type(a).variance for a in ACTIVATIONS))
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@given(q=variances)
def test_the_variances_are_the_plain_dual_on_the_diagonal(activation, q):
    """E φ(u)² and E φ'(u)², u ~ N(0, q): arccos(1 − ε) is √(2ε) in ReLU's dual, the smooth ones lose (1+q)ε."""
    q = np.array([q])
    allowed = 4 * EPS**0.5 if hasattr(activation, "_squares") else 30 * EPS * (1 + q[0])
    for variance, dual in zip(activation.variance(q), activation.dual(q, q, q), strict=True):
        np.testing.assert_allclose(variance, dual, rtol=allowed)


def test_relu_layers_above_a_smooth_layer_keep_exact_duplicates_exact():
    """Without the rule for duplicates Θ of equal points would be off by √ε = 1e-8."""
    net = ntk.serial(ntk.Dense(1.3, 0.2), ntk.Erf(), ntk.Dense(1.3, 0.2), ntk.Relu(), ntk.Dense(1.3, 0.2))
    x = np.random.default_rng(5).standard_normal((4, 3))
    two = net.kernel(x, x.copy())
    for i in range(4):
        with mp.workdps(50):
            W2, b2 = mp.mpf(1.3) ** 2, mp.mpf(0.2) ** 2
            v = [mp.mpf(float(t)) for t in x[i]]
            q = W2 * mp.fdot(v, v) / 3 + b2
            E, dE = erf_dual(q, q, q)
            t = W2 * E + b2 + W2 * dE * q
            want = W2 * (W2 * E + b2) / 2 + b2 + W2 * t / 2
        assert abs(two.ntk[i, i] / float(want) - 1) <= 40 * EPS


def test_parallel_vectors_of_any_length_are_exactly_parallel():
    """Multiples of one vector that floats hold exactly give angle 0 or π exactly: no rounding of the unit vectors."""
    x = np.array([[1.0, 2.0, -5.0]])
    y = np.array([[3.0, 6.0, -15.0], [-3.0, -6.0, 15.0], [-7.0, -14.0, 35.0]])
    k = ntk.mlp(depth=1, activation=ntk.Relu()).kernel(x, y)
    assert k.nngp[0, 1] == k.ntk[0, 1] == k.nngp[0, 2] == k.ntk[0, 2] == 0
    assert k.ntk[0, 0] == pytest.approx(2 * 3 * 30 / 3 / 2, rel=4 * EPS)


def test_zero_vectors_have_the_kernel_of_the_bias_alone():
    """x = 0: no NaN, 0 without bias, and with bias the 60-digit recursion at K⁰ = 0."""
    x = np.array([[0.0, 0.0], [1.0, -2.0], [0.0, 0.0]])
    for activation, slope in RELU_FAMILY:
        still = ntk.mlp(depth=3, activation=activation).kernel(x)
        assert np.all(still.nngp[0] == 0) and np.all(still.ntk[0] == 0)
        k = ntk.mlp(depth=3, activation=activation, W_std=1.5, b_std=0.4).kernel(x)
        for j in range(3):
            nngp, tangent, *_ = oracle(bent(slope), x[0], x[j], 3, 1.5, 0.4)
            assert k.nngp[0, j] == pytest.approx(float(nngp), rel=40 * EPS)
            assert k.ntk[0, j] == pytest.approx(float(tangent), rel=40 * EPS)


def test_blocks_and_chunks_do_not_show():
    """700 points span three blocks of 256; nearly parallel pairs lie within and across them."""
    rng = np.random.default_rng(2)
    base = rng.standard_normal((350, 4))
    x = np.concatenate([base, base * rng.uniform(-2, 2, (350, 1)) + 1e-9 * rng.standard_normal((350, 4))])
    net = ntk.mlp(depth=2, activation=ntk.Relu(), W_std=2**0.5, b_std=0.1)
    k, order = net.kernel(x), rng.permutation(700)
    assert np.array_equal(k.ntk, k.ntk.T) and np.array_equal(k.nngp, k.nngp.T)
    shuffled = net.kernel(x[order])
    diagonal = np.sqrt(np.diag(k.ntk))
    # only the matrix product may round differently: a few ε in cos θ, at most 8 times that in the angle
    for other in (net.kernel(x, x + 0.0).ntk, shuffled.ntk[np.ix_(np.argsort(order), np.argsort(order))]):
        assert np.all(np.abs(other - k.ntk) <= 200 * EPS * np.outer(diagonal, diagonal))
    for i, j in ((0, 350), (349, 699), (5, 300), (0, 699)):
        one = net.kernel(x[i : i + 1], x[j : j + 1])
        assert abs(one.ntk[0, 0] - k.ntk[i, j]) <= 200 * EPS * diagonal[i] * diagonal[j]


def test_float32_stays_float32_and_is_accurate_to_its_own_rounding(backend):
    """Angles to some ε₃₂: 1e-5 of the diagonal at depth 3, duplicates and antipodes included."""
    x = np.random.default_rng(4).standard_normal((6, 5)).astype(np.float32)
    x = np.concatenate([x, x[:2], -x[:2]])
    for activation in ACTIVATIONS:
        net = ntk.mlp(depth=3, activation=activation, W_std=1.4, b_std=0.1)
        exact, k = net.kernel(x.astype(float)), net.kernel(backend.asarray(x, dtype="float32"))
        assert k.ntk.dtype == backend.xp.float32
        scale = np.sqrt(np.outer(np.diag(exact.ntk), np.diag(exact.ntk)))
        assert np.all(np.abs(backend.numpy(k.ntk) - exact.ntk) <= 1e-5 * scale)


def test_overflow_is_an_error_that_names_the_layer():
    x = np.ones((2, 3), dtype=np.float32)
    net = ntk.mlp(depth=10, activation=ntk.Relu(), W_std=1e4)
    with pytest.raises(OverflowError, match=r"layer 8 .*float32.*float64"):
        net.kernel(x)
    assert np.all(np.isfinite(net.kernel(x.astype(float)).ntk))
    with pytest.raises(OverflowError, match="layer 0"):
        net.kernel(np.full((2, 3), 1e200))


def test_sin_of_huge_variances_neither_overflows_nor_gives_nan():
    """cosh and sinh of q = 1e8 are beyond floats; the difference of decaying exponentials is not."""
    x = np.array([[1e4, 0.0], [1e4, 1e-4], [-1e4, 0.0]])
    k = ntk.mlp(depth=1, activation=ntk.Sin()).kernel(x)
    # E sin(u)sin(v) = e^{−|x−x'|²/2d}/2 there, d = 2
    np.testing.assert_allclose(k.nngp[0], [0.5, 0.5 * np.exp(-(1e-8) / 4), -0.5], rtol=1e-12)
