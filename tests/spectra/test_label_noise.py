"""Shares of label noise: the closed form against enumeration, the experiments against their definitions."""

from functools import partial

import numpy as np
import pytest

from corollary.sims.spectra import label_noise as sims
from corollary.testing import guards
from corollary.theory.spectra import label_noise as theory

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
LABELS = RNG.integers(0, 3, 60)
POINT = {"n": 40, "p": 12, "flip": 0.5, "keep": [2, 6, 12]}


def seeds(*numbers):
    return [np.random.SeedSequence([3, k]) for k in numbers]


@guards(theory.noise_share, theory.fresh_noise_share)
def test_shares_by_enumeration():
    """Two points, two classes, flip 1/2, the subspace (1, 1)/√2: every outcome weighed by hand.

    Equal labels: S = 1. Nothing changes in 9 of 16 cases, one label in 6, both in 1: ‖PN‖² = 1 and 4 of ‖N‖² = 2 and 4.
    """
    assert theory.noise_share(1.0, 1, 2, 0.5) == pytest.approx((6 * 1 + 1 * 4) / (6 * 2 + 1 * 4), abs=1e-15)
    assert theory.noise_share(0.0, 1, 2, 0.5) == theory.fresh_noise_share(1, 2, 0.5) == pytest.approx(3 / 8, abs=1e-15)


@pytest.mark.parametrize(("k", "n", "flip"), [(0, 5, 0.3), (5, 5, 0.3), (2, 7, 1.0)])
def test_shares_of_nothing_and_everything(k, n, flip):
    """No direction holds nothing, all directions hold all; labels all redrawn: half of the mean along the signal."""
    if k in (0, n):
        assert theory.noise_share(k / n, k, n, flip) == pytest.approx(k / n, abs=1e-15)
    else:
        assert theory.noise_share(0.5, k, n, flip) == pytest.approx(0.25 + k / n / 2, abs=1e-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1.2, 1, 2, 0.5), "signal_share = 1.2"), ((0.5, 3, 2, 0.5), "k = 3, n = 2"), ((0.5, 1, 2, 0.0), "flip = 0.0"),
     ((float("nan"), 1, 2, 0.5), "signal_share = nan"), ((0.5, -1, 2, 0.5), "k = -1")],
)  # fmt: skip
def test_shares_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        theory.noise_share(*arguments)


def test_random_features_measure_what_they_say():
    """Shares against projections made by least squares, errors against a least-squares fit; all of the space: 1."""
    out = sims.random_features(POINT, seeds(1), np, x=X, labels=LABELS)
    draw = sims.Draw(POINT, seeds(1)[0], X, LABELS)
    W = draw.rng.standard_normal((5, 12)) / np.sqrt(5)
    F, T = np.maximum(draw.train @ W, 0), np.maximum(draw.test @ W, 0)
    for i, k in enumerate(POINT["keep"]):
        values, vectors = np.linalg.eigh(F.T @ F)
        top = vectors[:, np.argsort(-values)[:k]]
        Q = np.linalg.qr(F @ top)[0]
        s, noise = draw.clean - 1 / 3, draw.noisy - draw.clean
        assert out["signal"][0, i] == pytest.approx(np.sum((Q.T @ s) ** 2) / np.sum(s**2), rel=1e-9)
        assert out["noise"][0, i] == pytest.approx(np.sum((Q.T @ noise) ** 2) / (2 * 40 * 0.5 * 2 / 3), rel=1e-9)
        for name, targets in (("error_noisy", draw.noisy), ("error_clean", draw.clean)):
            fit = np.linalg.lstsq(F @ top, targets, rcond=None)[0]
            assert out[name][0, i] == np.mean((T @ top @ fit).argmax(axis=1) != draw.test_labels)


def test_a_replicate_depends_on_its_own_seed_only():
    run = partial(sims.trained_features, x=X, labels=LABELS)
    point = {**POINT, "learning_rate": 1.0, "steps": 20}
    together, alone = run(point, seeds(1, 2), np), run(point, seeds(2), np)
    for name, array in together.items():
        np.testing.assert_array_equal(array[1:], alone[name])
    moments = [f"{name}_{when}" for name in ("signal", "noise", "error") for when in ("before", "after")]
    assert set(together) == {*moments, "energy", "fitted"}
    assert not np.array_equal(together["signal_before"], together["signal_after"])


def test_energy_is_that_of_the_noise_drawn():
    """‖N‖² in units of its mean: one on average, and twice a whole number of changed labels in each draw."""
    point = {**POINT, "learning_rate": 1.0, "steps": 0}
    energy = sims.trained_features(point, seeds(*range(300)), np, x=X, labels=LABELS)["energy"]
    assert abs(energy.mean() - 1) < 4.5 * energy.std(ddof=1) / np.sqrt(300)
    classes = int(LABELS.max()) + 1
    changed = energy * point["n"] * point["flip"] * (1 - 1 / classes)
    np.testing.assert_allclose(changed, np.round(changed), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"n": 60}, "n = 60; expected fewer"), ({"flip": 1.5}, "flip = 1.5"), ({"keep": [13]}, "from 1 to 12"),
     ({"keep": []}, "keep = ")],
)  # fmt: skip
def test_bad_points(change, message):
    with pytest.raises(ValueError, match=message):
        sims.random_features({**POINT, **change}, seeds(1), np, x=X, labels=LABELS)
