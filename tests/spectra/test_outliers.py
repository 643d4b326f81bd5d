"""Outliers: closed forms at hand-made points, the experiments against dense linear algebra, and bad input."""

import math

import numpy as np
import pytest

from corollary.sims.common.curvature import Curvature
from corollary.sims.common.networks import Network, init
from corollary.sims.spectra import spiked as sims
from corollary.testing import guards
from corollary.theory.spectra import outliers


@guards(outliers.additive_outlier)
def test_additive_outliers_by_hand():
    """Bulk at 0: 3 + 1/3, overlap 8/9; bulk at ±1: 3 + (1/2 + 1/4)/2, 1 − (1/4 + 1/16)/2; θ < s: swallowed."""
    assert outliers.additive_outlier(3.0, 1.0) == pytest.approx((10 / 3, 8 / 9, True), rel=1e-15)
    assert outliers.additive_outlier(3.0, 1.0, [-1.0, 1.0]) == pytest.approx((3.375, 0.84375, True), rel=1e-15)
    gone = outliers.additive_outlier(0.9, 1.0)
    assert math.isnan(gone.position) and gone.overlap == 0 and not gone.detached


@guards(outliers.batch_outlier, outliers.critical_batch)
def test_batches_by_hand():
    """noise 6, θ = 2: s² = 6/4 at b = 4; b* = 1.5; all samples: nothing is added."""
    assert outliers.batch_outlier(2.0, 6.0, 4) == pytest.approx((2.75, 1 - 1.5 / 4, True), rel=1e-15)
    assert outliers.critical_batch(2.0, 6.0) == 1.5
    assert not outliers.batch_outlier(2.0, 6.0, 1.4).detached and outliers.batch_outlier(2.0, 6.0, 1.6).detached
    assert outliers.batch_outlier(2.0, 6.0, 50, 50).position == 2.0
    # below the bulk everything is mirrored
    assert outliers.batch_outlier(-2.0, 6.0, 4) == pytest.approx((-2.75, 1 - 1.5 / 4, True), rel=1e-15)
    assert not outliers.batch_outlier(-2.0, 6.0, 1.4).detached and outliers.critical_batch(-2.0, 6.0) == 1.5


@guards(outliers.perturbed_top)
def test_second_order_is_the_mean_over_small_noise():
    """4 + 1·0.3/(4 − 1) + 0.2/(4 + 2), in any order; its own coupling does not enter."""
    assert outliers.perturbed_top([1.0, 4.0, -2.0], [0.3, 99.0, 0.2]) == pytest.approx(4 + 0.1 + 0.2 / 6, rel=1e-15)
    second = outliers.perturbed_top([1.0, 4.0, -2.0], [99.0, 0.3, 0.2], place=1)
    assert second == pytest.approx(1 - 0.3 / 3 + 0.2 / 3, rel=1e-15)
    with pytest.raises(ValueError, match="place = 3; expected 0 to 2"):
        outliers.perturbed_top([1.0, 4.0, -2.0], [0.3, 99.0, 0.2], place=3)


def test_spiked_matrices_have_the_variances_they_claim():
    """θ = 50 in small noise: top = θ + s g₁₁√2/√N …: mean θ + s²/θ, and the residual shows eigh worked."""
    point = {"N": 40, "theta": 50.0, "s": 0.1}
    out = sims.spiked(point, [np.random.SeedSequence([1, k]) for k in range(400)], np)
    centred = (out["top"] - 50 - 0.01 / 50) / (0.1 * math.sqrt(2 / 40))  # diagonal entries: variance 2 s²/N
    assert abs(centred.mean()) < 4.5 / 20 and abs(centred.std() - 1) < 4.5 / math.sqrt(800)
    assert out["residual"].max() < 1e-11 and out["overlap"].min() > 0.99


def test_a_spike_on_the_backends(backend):
    point = {"N": 30, "theta": 3.0, "s": 1.0, "bulk": [-1.0, 1.0]}
    seeds = [np.random.SeedSequence([2, k]) for k in range(3)]
    xp = backend.xp
    if backend.name == "strict":
        pytest.skip("draws on the default device of xp: run(point, seeds, xp) has no device to name")
    got = {k: backend.numpy(v) for k, v in sims.spiked(point, seeds, xp).items()}
    host = sims.spiked(point, seeds, np)
    np.testing.assert_allclose(got["top"], host["top"], rtol=1e-12)


def test_batch_tops_are_those_of_the_dense_batch_hessian():
    rng = np.random.default_rng(0)
    net, params = Network("tanh", 1.0, 0.1), init((4, 3, 2), (0,), np)
    full = Curvature(net, params, rng.standard_normal((12, 4)), rng.integers(0, 2, 12), "cross_entropy")
    seed = np.random.SeedSequence(5)
    got = sims.batch_top({"batch": 5}, [seed], np, curvature=full)
    rows = np.random.default_rng(seed).choice(12, 5, replace=False)
    dense = Curvature(net, params, full.x[rows], full.y[rows], "cross_entropy")(np.eye(full.size))
    assert got["top"][0] == pytest.approx(np.linalg.eigvalsh(dense)[-1], rel=1e-9)
    with pytest.raises(ValueError, match="batch = 13; expected a number of points from 1 to 12"):
        sims.batch_top({"batch": 13}, [seed], np, curvature=full)


def test_spectra_of_batches_are_those_of_the_dense_hessian():
    """All points: one Hessian; eigenvalues exact, moments within 4.5 standard errors, a density of mass one."""
    rng = np.random.default_rng(0)
    net, params = Network("tanh", 1.0, 0.1), init((4, 3, 2), (0,), np)
    full = Curvature(net, params, rng.standard_normal((12, 4)), rng.integers(0, 2, 12), "cross_entropy")
    values = np.linalg.eigvalsh(full(np.eye(full.size)))
    point = {"batch": 12, "low": -1.5, "high": 1.5, "grid": 301, "outliers": 2}
    got = sims.batch_spectrum(point, [np.random.SeedSequence([3, k]) for k in range(60)], np, curvature=full)
    np.testing.assert_allclose(got["tops"], np.tile(values[[-1, -2]], (60, 1)), rtol=1e-9)
    exact = [np.mean(values[:-2] ** p) for p in (1, 2, 3)]
    errors = got["moments"].std(axis=0, ddof=1) / np.sqrt(60)
    assert np.all(np.abs(got["moments"].mean(axis=0) - exact) < 4.5 * errors + 1e-12)
    # sums of normals one spacing wide miss one by 2 exp(−2π²) = 5e-9
    np.testing.assert_allclose(got["pdf"].sum(axis=1) * 0.01, 1, rtol=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: outliers.additive_outlier(1.0, 1.0, [2.0]), "does not lie above the bulk, which ends at 2.0"),
        (lambda: outliers.additive_outlier(1.0, -1.0), "s = -1.0"),
        (lambda: outliers.additive_outlier(math.nan, 1.0), "theta = nan"),
        (lambda: outliers.additive_outlier(1.0, 1.0, []), "bulk"),
        (lambda: outliers.batch_outlier(1.0, 1.0, 11, 10), "batch = 11"),
        (lambda: outliers.batch_outlier(0.0, 1.0, 5), "theta = 0.0"),
        (lambda: outliers.critical_batch(1.0, -1.0), "noise = -1.0"),
        (lambda: outliers.perturbed_top([1.0], []), "1 eigenvalues and 0 couplings"),
        (lambda: outliers.perturbed_top([1.0, 1.0], [0.0, 0.0]), "not simple"),
        (lambda: outliers.perturbed_top([1.0, 2.0], [-1.0, 0.0]), "couplings are mean squares"),
        (lambda: sims.spiked({"N": 1, "theta": 1.0, "s": 1.0}, [], np), "N = 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
