"""Activations against 50-digit values; the derivative against the derivative of the 50-digit function."""

import mpmath
import numpy as np
import pytest

from corollary.sims.common.activations import activation

EXACT = {
    "identity": lambda z: z,
    "relu": lambda z: max(z, mpmath.mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else z * mpmath.mpf(0.1),
    "abs": abs,
    "erf": mpmath.erf,
    "sin": mpmath.sin,
    "tanh": mpmath.tanh,
    "gelu": lambda z: z * mpmath.ncdf(z),
}
POINTS = np.array([-30.0, -7.5, -2.0, -0.7, -1e-3, -1e-12, 1e-12, 1e-3, 0.3, 1.0, 3.25, 8.0, 25.0])


def make(name):
    return activation(name, slope=0.1 if name == "leaky_relu" else None)


def condition(name, z, value, slope):
    """|z φ′/φ|: the relative error a rounded argument alone causes, in units of ε."""
    return 1.0 + abs(z * slope / value) if value else 1.0


@pytest.mark.parametrize("name", sorted(EXACT))
def test_value_is_exact_to_rounding(name, backend):
    """φ agrees with 50 digits to 8 ε times its condition number, tails included."""
    got = backend.numpy(make(name).value(backend.asarray(POINTS)))
    with mpmath.workdps(50):
        for z, computed in zip(POINTS, got, strict=True):
            exact = EXACT[name](mpmath.mpf(z))
            slope = mpmath.diff(EXACT[name], mpmath.mpf(z))
            # 8: a handful of roundings in the library function and ours; numbers below 1e-300 have lost digits
            allowed = 8 * 2.3e-16 * abs(exact) * condition(name, z, exact, slope) + mpmath.mpf(1e-300)
            assert abs(mpmath.mpf(computed) - exact) <= allowed, (z, computed, exact)


@pytest.mark.parametrize("name", ["erf", "sin", "tanh", "gelu", "identity", "relu", "leaky_relu", "abs"])
def test_second_is_the_second_derivative(name, backend):
    """φ″ agrees with the second derivative of the 60-digit φ to 1e-13 of 1 + |φ″| on [−4, 4], kinks left out."""
    points = np.array([-4.0, -2.5, -1.0, -0.3, 0.2, 0.9, 1.4142, 3.7])
    phi = make(name)
    assert phi.second is not None
    got = backend.numpy(phi.second(backend.asarray(points)))
    with mpmath.workdps(60):
        for z, computed in zip(points, got, strict=True):
            exact = mpmath.diff(EXACT[name], mpmath.mpf(z), 2, h=mpmath.mpf(10) ** -15)
            # 1e-13: a few dozen ε; the difference quotient itself is good to 1e-28
            assert abs(computed - exact) <= 1e-13 * (1 + abs(exact)), (z, computed, exact)


@pytest.mark.parametrize("name", sorted(EXACT))
def test_derivative_is_the_derivative(name, backend):
    """φ′ agrees with the high-precision derivative of φ to 8 ε (1 + z²) relative, tails included.

    1 + z²: rounding the argument of exp(−z²) changes it by z² ε; erf′ and tanh′ at |z| = 30 are far below 1e-300 or
    tiny, and must still be right where they are representable.
    """
    got = backend.numpy(make(name).derivative(backend.asarray(POINTS)))
    with mpmath.workdps(700):  # erf(30) differs from 1 in its 393rd digit
        for z, computed in zip(POINTS, got, strict=True):
            exact = mpmath.diff(EXACT[name], mpmath.mpf(z), h=mpmath.mpf(10) ** -200)
            if name == "gelu" and z < -2:  # Φ(z) + z φ(z): for z → −∞ the sum cancels to −z φ(z)(1 + O(z⁻²)), benign
                assert exact < 0
            allowed = 8 * 2.3e-16 * abs(exact) * (1 + z * z) + mpmath.mpf(1e-300)
            assert abs(mpmath.mpf(computed) - exact) <= allowed, (z, computed, exact)


@pytest.mark.parametrize(("name", "at_zero"), [("relu", 0.0), ("leaky_relu", 0.1), ("abs", 0.0)])
def test_kink_convention(name, at_zero, backend):
    """φ′(0) is what the module's table says."""
    got = backend.numpy(make(name).derivative(backend.asarray([0.0, -0.0])))
    assert got.tolist() == [at_zero, at_zero]


@pytest.mark.parametrize("name", sorted(EXACT))
def test_float32_stays_float32_and_nan_stays_nan(name, backend):
    z = backend.asarray([0.5, np.nan], dtype="float32")
    value = backend.numpy(make(name).value(z))
    slope = backend.numpy(make(name).derivative(z))
    assert value.dtype == slope.dtype == np.float32
    assert np.isfinite(value[0]) and np.isnan(value[1])


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="unknown activation 'ReLu'; did you mean 'relu'"):
        activation("ReLu")
    with pytest.raises(ValueError, match="known: abs, erf, gelu, identity, leaky_relu, relu, sin, tanh"):
        activation("zzz")


def test_the_slope_is_required_where_it_means_something_and_refused_elsewhere():
    for slope in (None, float("nan")):
        with pytest.raises(ValueError, match="leaky_relu has slope="):
            activation("leaky_relu", slope=slope)
    with pytest.raises(ValueError, match="takes no slope"):
        activation("relu", slope=0.1)
