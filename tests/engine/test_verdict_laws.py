"""Law and Identity where they are hard: atoms, lattices, finite matrices; fifty digits, unstable formulas."""

import mpmath
import numpy as np
import pytest
from scipy.special import ndtr, pdtr

from corollary.verdicts import ClaimError, Identity, Law, Outcome, judge


@pytest.fixture
def rng():
    return np.random.default_rng(15)


# --- Law ------------------------------------------------------------------------------------------------------------
def test_a_lattice_needs_no_special_care(rng):
    """Poisson(3): F(x⁻) is F just below x. Taken as F(x), 64 draws would already be refuted by P(X = 3) = .22."""
    F = lambda x: np.where(x < 0, 0.0, pdtr(np.maximum(x, 0), 3.0))  # noqa: E731
    x = rng.poisson(3.0, 4096).astype(float)
    rivals = {
        "Poisson(4)": lambda x: np.where(x < 0, 0.0, pdtr(np.maximum(x, 0), 4.0)),
        "normal": lambda x: ndtr(x - 3),
    }
    verdict = judge(Law(F, resolution=0.1), [x], rivals=rivals)
    assert verdict.outcome is Outcome.CONFIRMED and len(verdict.rivals_rejected) == 2
    assert judge(Law(F, left=F, resolution=0.1), [x]).outcome is Outcome.REFUTED


def test_dependent_points_are_no_law_of_scalars(rng):
    with pytest.raises(ClaimError, match="spectrum="):
        judge(Law(ndtr, resolution=0.1), [rng.standard_normal((100, 30))])
    with pytest.raises(ClaimError, match="values in"):
        judge(Law(lambda x: 2 * ndtr(x), resolution=0.1), [rng.standard_normal(100)])
    with pytest.raises(ClaimError, match="NaN"):
        judge(Law(ndtr, resolution=0.1), [np.full(100, np.nan)])


def semicircle(x, radius=2.0):
    u = np.clip(np.asarray(x) / radius, -1, 1)
    return 0.5 + (u * np.sqrt(1 - u**2) + np.arcsin(u)) / np.pi


def test_the_bias_of_a_finite_matrix_must_be_declared(rng):
    """GOE, N = 30: the Chebyshev means are off by up to .5/N. Declared (.6/N): confirmed, 10 % in radius rejected."""
    N = 30
    g = rng.standard_normal((1500, N, N))
    spectra = np.linalg.eigvalsh(g + np.swapaxes(g, 1, 2)) / np.sqrt(2 * N)
    honest = Law(semicircle, spectrum=(-2.0, 2.0), margin=0.6 / N, because="1/N bias of GOE", resolution=0.02)
    rivals = {"radius + 10 %": lambda x: semicircle(x, 2.2)}
    verdict = judge(honest, [spectra], rivals=rivals)
    assert verdict.outcome is Outcome.CONFIRMED and verdict.rivals_rejected == ["radius + 10 %"]
    careless = judge(Law(semicircle, spectrum=(-2.0, 2.0), resolution=0.002), [spectra])
    assert careless.outcome is Outcome.REFUTED
    with pytest.raises(ClaimError, match="eigenvalues of one matrix"):
        judge(honest, [spectra[:, 0]])


def test_chebyshev_means_of_a_law_are_its_moments():
    """Semicircle: E T_j = 0 but for E T_2 = −1/2; uniform: E T_2 = −1/3, E T_4 = −1/15. Midpoints to 1e-7."""
    T = Law(semicircle, spectrum=(-2.0, 2.0), resolution=1.0).targets([{}], [()])
    np.testing.assert_allclose(T, [0, -0.5, 0, 0, 0, 0, 0, 0], atol=1e-6)
    U = Law(lambda x: (x + 1) / 2, spectrum=(-1.0, 1.0), resolution=1.0).targets([{}], [()])
    np.testing.assert_allclose(U[[0, 1, 2, 3]], [0, -1 / 3, 0, -1 / 15], atol=1e-6)


# --- Identity -------------------------------------------------------------------------------------------------------
def variance(x):
    return np.mean((x - np.mean(x)) ** 2)


def by_pairs(x):
    return np.sum((x[:, None] - x[None, :]) ** 2) / (2 * x.dtype.type(x.size) ** 2)


def exact_variance(x):
    m = sum(x) / len(x)
    return sum((a - m) ** 2 for a in x) / len(x)


def exact_by_pairs(x):
    return sum((a - b) ** 2 for a in x for b in x) / (2 * mpmath.mpf(len(x)) ** 2)


def test_fifty_digits_catch_what_rounding_hides(rng):
    x = [rng.standard_normal((32, 5))]
    rivals = {"ddof 1": lambda x: np.var(x, ddof=1)}
    exact = judge(Identity(variance, by_pairs, exact=(exact_variance, exact_by_pairs)), x, rivals=rivals)
    assert exact.outcome is Outcome.CONFIRMED and any("50 digits" in note for note in exact.notes)

    def defect(size):
        return lambda x: exact_by_pairs(x) * (1 + mpmath.mpf(size))

    for size in ("1e-15", "1e-30", "1e-40"):
        off = judge(Identity(variance, by_pairs, exact=(exact_variance, defect(size))), x)
        assert off.outcome is Outcome.REFUTED
    with pytest.raises(ClaimError, match="is not `left`"):
        judge(Identity(variance, by_pairs, exact=(lambda x: 2 * exact_variance(x), exact_by_pairs)), x)
    with pytest.raises(ClaimError, match="exact= gives 5"):
        judge(Identity(variance, by_pairs, exact=(lambda x: x, lambda x: x)), x)


def test_an_identity_wants_its_32_inputs(rng):
    with pytest.raises(ClaimError, match="32 replicates are needed.*20 were given"):
        judge(Identity(variance, by_pairs), [rng.standard_normal((20, 5))])


def test_an_unstable_formula_needs_growth_with_a_reason(rng):
    """The one-pass variance at mean 300: true, but its rounding error is 10⁴ times that of the two-pass form."""
    x = [300 + rng.standard_normal((32, 8))]
    one_pass = lambda x: np.mean(x**2) - np.mean(x) ** 2  # noqa: E731
    assert judge(Identity(variance, one_pass), x).outcome is not Outcome.CONFIRMED
    with pytest.raises(ClaimError, match="because="):
        Identity(variance, one_pass, growth=1e5)


def test_complex_sides_are_compared_too(rng):
    x = [rng.standard_normal((32, 4))]

    def spectrum(x):
        k = np.arange(4)
        phases = np.exp(-2j * np.pi * np.outer(k, k) / 4).astype(np.result_type(x.dtype, np.complex64))
        return phases @ x

    rivals = {"conjugate": lambda x: np.conj(np.fft.fft(x))}
    identity = Identity(np.fft.fft, spectrum, scaling=False, because="numpy.fft.fft")
    with pytest.raises(ClaimError):  # a ufunc-like function of `a`, not of `x`: named arguments are required
        judge(identity, x, rivals=rivals)
    whole = Identity(lambda x: np.fft.fft(x), spectrum, scaling=False, because="FFT computes in double here")
    assert judge(whole, x, rivals=rivals).outcome is Outcome.CONFIRMED
