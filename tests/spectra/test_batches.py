"""Batches of a pool of Hessians: the drawn objects against their definition, seed by seed, and in the mean."""

import numpy as np
import pytest

from corollary.sims.spectra.batches import batch_hessian

POINT = {"P": 20, "samples": 8, "batch": 3, "theta": 4.0, "noise": 2.0}


def by_definition(seed, P, samples, batch, theta, noise):
    """The pool kept whole, centred, its chosen members averaged."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(samples, batch, replace=False)
    G = rng.standard_normal((samples, P, P))
    G = (G + G.transpose(0, 2, 1)) * np.sqrt(noise / (2 * P))
    planted = np.zeros((P, P))
    planted[0, 0] = theta
    H = planted + G - G.mean(axis=0)
    return H, H[chosen].mean(axis=0), planted


def test_a_batch_is_the_mean_of_its_samples():
    got = batch_hessian(POINT, [1, 2], np)
    for k, seed in enumerate([1, 2]):
        H, Hb, planted = by_definition(seed, **POINT)
        np.testing.assert_allclose(H.mean(axis=0), planted, atol=1e-14)
        spread = np.sum((Hb - planted) ** 2) / 20, np.sum((H - planted) ** 2) / 20 / 7
        np.testing.assert_allclose(got["spread"][k], spread, rtol=1e-12)
        assert got["edge"][k] == pytest.approx(np.linalg.eigvalsh(Hb - planted)[-1], rel=1e-12)
        values, vectors = np.linalg.eigh(Hb)
        assert got["top"][k] == pytest.approx(values[-1], rel=1e-12)
        assert got["overlap"][k] == pytest.approx(vectors[0, -1] ** 2, abs=1e-8)
    assert got["residual"].max() < 1e-7


def test_the_noise_shrinks_by_one_over_b_less_one_over_n():
    """1000 pools: ratios of means to about 1 % (P(P + 1)/2 = 210 squares each); all N samples have no noise at all."""
    spread = batch_hessian({**POINT, "P": 6}, range(1000), np)["spread"].mean(axis=0)
    assert spread[1] == pytest.approx(2.0 * 7 / 6, rel=0.02)  # diagonal entries count twice: (P + 1)/P
    assert spread[0] / spread[1] == pytest.approx(1 / 3 - 1 / 8, rel=0.03)
    whole = batch_hessian({**POINT, "batch": 8}, [3], np)
    assert whole["spread"][0, 0] < 1e-28 and whole["top"][0] == pytest.approx(4.0, rel=1e-13)


@pytest.mark.parametrize("change", [{"P": 1}, {"batch": 0}, {"batch": 9}, {"batch": 2.5}])
def test_bad_points(change):
    with pytest.raises(ValueError, match="expected integers, P >= 2, 1 <= batch <= samples"):
        batch_hessian({**POINT, **change}, [0], np)
