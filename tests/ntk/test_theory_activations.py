"""Further closed forms, and any function by quadrature, against each other and against values known otherwise."""

import numpy as np
import pytest
from scipy.special import erf

from corollary.testing import guards
from corollary.theory import ntk
from corollary.theory.ntk.moments import Moments

EPS = float(np.finfo(float).eps)
C = 1 / 2.4020563531719796


def gauss(x):
    return 2 / np.sqrt(np.pi) * np.exp(-x * x)


PAIRS = {
    "cos": (ntk.Cos(), np.cos, lambda x: -np.sin(x)),
    "rbf": (
        ntk.Rbf(0.7),
        lambda x: 2**0.5 * np.sin(1.4**0.5 * x + np.pi / 4),
        lambda x: 2.8**0.5 * np.cos(1.4**0.5 * x + np.pi / 4),
    ),
    "sigmoid": (ntk.SigmoidLike(), lambda x: (1 + erf(C * x)) / 2, lambda x: C * gauss(C * x) / 2),
    "sign": (ntk.Sign(), np.sign, lambda x: 0 * x),
    "polynomial": (ntk.Polynomial((1.0, -2.0, 0.5, 0.3)), lambda x: 1 - 2 * x + x**2 / 2 + 0.3 * x**3,
                   lambda x: -2 + x + 0.9 * x**2),
    "monomial": (ntk.monomial(4), lambda x: x**4, lambda x: 4 * x**3),
    "hermite": (ntk.hermite(3), lambda x: (x**3 - 3 * x) / 6**0.5, lambda x: (3 * x**2 - 3) / 6**0.5),
    "abrelu": (ntk.ABRelu(-0.3, 2.0), lambda x: 2 * np.maximum(x, 0) - 0.3 * np.minimum(x, 0),
               lambda x: np.where(x > 0, 2.0, -0.3)),
}  # fmt: skip


@guards(
    *(getattr(type(a), method) for a, _, _ in PAIRS.values() for method in ("dual", "step")),
)
@pytest.mark.parametrize("name", PAIRS)
def test_closed_forms_are_the_quadrature_of_their_function(name):
    """1e-11: panels cut at ±9 lose 1e-17 of these at most; some hundred roundings of sums, conditioning 1 + q."""
    closed, value, derivative = PAIRS[name]
    numeric = ntk.Function(value, derivative)
    q1, q2 = np.array([[0.3], [2.0], [5.0]]), np.array([[1.0, 4.0]])
    for c in (-0.95, -0.2, 0.0, 0.6, 0.999):
        s = np.sqrt(q1 * q2)
        moments, slope = closed.step(q1, q2, Moments(c * s, (1 - c) * s, (1 + c) * s))
        want, plain = numeric.dual(q1, q2, c * s), closed.dual(q1, q2, c * s)
        size = np.sqrt(closed.variance(q1)[0] * closed.variance(q2)[0])
        for got, other, exact in zip((moments.k, slope), plain, want, strict=True):
            scale = np.maximum(size, np.abs(exact))
            assert np.all(np.abs(got - exact) <= 1e-11 * scale) and np.all(np.abs(other - exact) <= 1e-11 * scale)
        np.testing.assert_allclose(moments.near + moments.far, 2 * size, rtol=1e-11)
        np.testing.assert_allclose(moments.far - moments.near, 2 * want[0], atol=1e-11 * float(size.max()))


@guards(*(type(a).variance for a, _, _ in PAIRS.values()), ntk.Function.variance)
@pytest.mark.parametrize("name", PAIRS)
def test_variances_are_gaussian_means_of_squares(name):
    """Gauss–Hermite with 200 nodes, exact to rounding for entire functions at q <= 2; with kinks, half the nodes on
    either side carry the same polynomial, so that the symmetric part, which the squares are here, is exact too."""
    closed, value, derivative = PAIRS[name]
    z, w = np.polynomial.hermite_e.hermegauss(200)
    for q in (0.3, 2.0):
        got = closed.variance(np.array([q]))
        numeric = ntk.Function(value, derivative).variance(np.array([q]))
        for f, mine, other in zip((value, derivative), got, numeric, strict=True):
            exact = np.sum(w * f(q**0.5 * z) ** 2) / np.sum(w)
            assert abs(mine[0] - exact) <= 1e-11 * exact and abs(other[0] - exact) <= 1e-11 * exact


@guards(ntk.monomial, ntk.hermite)
def test_monomials_and_hermite_polynomials_have_their_coefficients():
    """x⁴; He₄ = x⁴ − 6x² + 3 and He₆ = x⁶ − 15x⁴ + 45x² − 15 over √4! and √6! (Abramowitz & Stegun, table 22.13)."""
    assert ntk.monomial(4).coefficients == (0, 0, 0, 0, 1)
    for d, over, want in ((4, 24, (3, 0, -6, 0, 1)), (6, 720, (-15, 0, 45, 0, -15, 0, 1))):
        np.testing.assert_allclose(np.array(ntk.hermite(d).coefficients) * over**0.5, want, rtol=4 * EPS)


def test_the_erf_sigmoid_is_within_0_01_of_the_logistic_function():
    """On a grid of step 0.001: neither function moves by more than 3e-4 between its points. Beyond ±40 both are flat
    to 1e-17."""
    x = np.arange(-40, 40, 0.001)
    gap = np.abs((1 + erf(C * x)) / 2 - 1 / (1 + np.exp(-x)))
    assert 0.009 < gap.max() < 0.01 - 3e-4


def test_hermite_polynomials_are_orthonormal():
    one = np.ones(1)
    for d in range(6):
        assert ntk.hermite(d).dual(one, one, 0.3 * one)[0] == pytest.approx(0.3**d, rel=1e-12)


@guards(ntk.Function.step)
@pytest.mark.parametrize("q", [1e-4, 1.0, 1e2, 1e4, 1e6])
def test_quadrature_keeps_its_accuracy_as_the_variance_grows(q):
    """Errors 1e-12 for ReLU at every variance, and (1 + q) ε, erf's own conditioning, for erf; measured 2e-13."""
    cases = [
        (ntk.Relu(), ntk.Function(lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0), 1e-12),
        (ntk.Erf(), ntk.Function(erf, gauss), 1e-12 + 10 * (1 + q) * EPS),
    ]
    q1, q2 = np.array([[q]]), np.array([[2 * q]])
    for closed, numeric, allowed in cases:
        for angle in (1e-7, 1e-3, 0.5, 1.57, 3.0):
            s = np.sqrt(q1 * q2)
            pair = Moments(s * np.cos(angle), 2 * s * np.sin(angle / 2) ** 2, 2 * s * np.cos(angle / 2) ** 2)
            (got, dgot), (want, dwant) = numeric.step(q1, q2, pair), closed.step(q1, q2, pair)
            size = np.sqrt(closed.variance(q1)[0] * closed.variance(q2)[0])
            np.testing.assert_allclose(got.near + got.far, 2 * size, rtol=2 * allowed)
            np.testing.assert_allclose(got.far - got.near, 2 * want.k, rtol=0, atol=2 * allowed * float(size[0, 0]))
            dsize = np.sqrt(closed.variance(q1)[1] * closed.variance(q2)[1])
            assert abs(got.k - want.k) <= allowed * size and abs(dgot - dwant) <= allowed * max(
                1, *np.abs(dwant), dsize
            )
        for got, want in zip(numeric.variance(q1), closed.variance(q1), strict=True):
            np.testing.assert_allclose(got, want, rtol=allowed)


def test_gauss_hermite_would_fail_that_test():
    """128 nodes at variance 100: erf's E[φ'φ'] is off by more than a per cent."""
    z, w = np.polynomial.hermite_e.hermegauss(128)
    got = np.sum(w * gauss(10 * z) ** 2) / np.sum(w)
    assert abs(got / float(ntk.Erf().variance(np.array([100.0]))[1][0]) - 1) > 1e-2


@guards(ntk.Function.dual)
def test_a_network_of_a_user_function_has_the_kernels_of_its_closed_form():
    x = np.random.default_rng(0).standard_normal((4, 3))
    mine = ntk.mlp(depth=2, activation=ntk.Function(erf, gauss), W_std=1.3, b_std=0.2).kernel(x)
    closed = ntk.mlp(depth=2, activation=ntk.Erf(), W_std=1.3, b_std=0.2).kernel(x)
    np.testing.assert_allclose(mine.ntk, closed.ntk, rtol=1e-11)
    q1, q2, k = np.array([0.5]), np.array([2.0]), np.array([-0.7])
    for got, want in zip(ntk.Function(erf, gauss).dual(q1, q2, k), ntk.Erf().dual(q1, q2, k), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11)


def test_a_function_that_the_rule_does_not_resolve_is_an_error():
    wild = ntk.Function(lambda x: np.sin(400 * x), lambda x: 400 * np.cos(400 * x))
    with pytest.raises(ArithmeticError, match="breaks"):
        wild.dual(np.ones(1), np.ones(1), 0.5 * np.ones(1))
    hidden = ntk.Function(lambda x: np.maximum(x - 0.7, 0), lambda x: (x > 0.7) * 1.0)
    with pytest.raises(ArithmeticError, match="breaks"):
        hidden.variance(np.ones(1))
    named = ntk.Function(hidden.value, hidden.derivative, breaks=(0.7,))
    from scipy.stats import norm

    assert named.variance(np.ones(1))[1] == pytest.approx(norm.sf(0.7), rel=1e-12)


@pytest.mark.parametrize("q", [0.1, 1.0, 4.0, 25.0, 49.0, 100.0])
def test_functions_that_grow_are_followed_to_where_their_second_moment_is(q):
    """E[e^{2u}] = e^{2q} and E[e^u e^v] = e^{(q1+q2+2k)/2}: at variance 25 the weight of e^{2u} is around 10 standard
    deviations. 1e-12: the condition number of e^u at u = 200 is 200, and some hundred roundings."""
    grows = ntk.Function(np.exp, np.exp)
    for got in grows.variance(np.array([q])):
        np.testing.assert_allclose(got, np.exp(2 * q), rtol=1e-12)
    for c in (0.5, -0.9):
        got, _ = grows.dual(np.array([q]), np.array([q / 4]), np.array([c * q / 2]))
        np.testing.assert_allclose(got, np.exp((q + q / 4 + c * q) / 2), rtol=1e-12)


@pytest.mark.parametrize("degree", [20, 40])
def test_high_powers_are_their_double_factorials(degree):
    """E u^{2d} = q^d (2d − 1)!!; the panel rule's nodes carry x^80 with a condition number of 80."""
    power = ntk.Function(lambda x: x**degree, lambda x: degree * x ** (degree - 1))
    for q in (0.01, 1.0, 9.0):
        want = q**degree * float(np.prod(np.arange(1.0, 2 * degree, 2)))
        assert power.variance(np.array([q]))[0] == pytest.approx(want, rel=1e-12)


def test_a_second_moment_out_of_reach_is_an_error():
    """e^{2u} at variance 225 has its weight around 30 standard deviations, e^{u²} at variance 1 has none."""
    with pytest.raises(ArithmeticError, match="grows too fast"):
        ntk.Function(np.exp, np.exp).variance(np.array([1.0, 225.0]))
    square = ntk.Function(lambda x: np.exp(x * x), lambda x: 2 * x * np.exp(x * x))
    with pytest.raises(ArithmeticError, match="grows too fast"):
        square.dual(np.ones(1), np.ones(1), 0.5 * np.ones(1))
    with pytest.raises(TypeError, match="int64"):
        square.variance(np.array([1]))


def test_functions_take_float32():
    """The quadrature runs in float64: what is left is the rounding of the moments, some 1e-7 a layer."""
    x = np.random.default_rng(1).standard_normal((2, 3))
    for φ in (ntk.Function(erf, gauss), ntk.Function(lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0)):
        net = ntk.mlp(depth=1, activation=φ, W_std=1.3, b_std=0.2)
        single = net.kernel(x.astype(np.float32))
        assert single.ntk.dtype == np.float32
        np.testing.assert_allclose(single.ntk, net.kernel(x).ntk, rtol=2e-5)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ntk.Rbf(0.0), ValueError, "gamma"),
        (lambda: ntk.Polynomial(()), ValueError, "lowest degree first"),
        (lambda: ntk.monomial(-1), ValueError, "degree"),
        (lambda: ntk.hermite(True), ValueError, "degree"),
        (lambda: ntk.ABRelu(np.nan, 1.0), ValueError, "a is"),
        (lambda: ntk.Function(np.tanh, None), TypeError, "derivative"),  # pyright: ignore[reportArgumentType]
        (lambda: ntk.Function(np.tanh, np.cosh, breaks=()), ValueError, "breaks"),
        (lambda: ntk.Function(np.tanh, np.cosh, tolerance=0.0), ValueError, "tolerance"),
    ],
)
def test_bad_activations_are_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_the_backends_agree(backend):
    q1, q2, k = np.array([0.5, 2.0]), np.array([1.0, 1.0]), np.array([0.2, -0.7])
    for closed, *_ in PAIRS.values():
        got = closed.dual(*(backend.asarray(t) for t in (q1, q2, k)))
        for a, b in zip(got, closed.dual(q1, q2, k), strict=True):
            np.testing.assert_allclose(backend.numpy(a), b, rtol=1e-12)
