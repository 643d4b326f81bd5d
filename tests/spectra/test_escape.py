"""The simulated SGD: one step by hand, gradients of the diagonal network, what escape means, bad input."""

import numpy as np
import pytest

from corollary.sims.spectra import escape as sims


def seeds(count):
    return [np.random.SeedSequence([5, k]) for k in range(count)]


def test_a_step_on_the_whole_set_is_gradient_descent():
    """B = n without replacement: θ₁ = (1 − ηH) θ₀, and θ₀ has the covariance it was given."""
    A = np.random.default_rng(0).standard_normal((5, 3))
    point = {"rate": 0.2, "batch": 5, "replace": False}
    pair = sims.linear_step(point, seeds(3), np, gradients=A, root=lambda p: np.diag([1.0, 2.0, 0.0]))["pair"]
    for row, seed in zip(pair, seeds(3), strict=True):
        θ = np.array([1.0, 2.0, 0.0]) * np.random.default_rng(seed).standard_normal(3)
        after = θ - 0.2 * A.T @ A @ θ / 5
        assert row == pytest.approx([after @ after, θ @ θ], rel=1e-12)


def test_sgd_on_the_diagonal_network_follows_its_gradients():
    """Three steps by hand from the same draws: u ← u − η r v∘x and v ← v − η r u∘x at once, trace η(‖u‖² + ‖v‖²)."""
    X, u0, v0 = sims.balanced_minimum(3, 4, np.random.default_rng(1))
    out = sims.escape({"sharpness": 0.5, "steps": 3}, seeds(2), np, start=(X, u0, v0))
    for k, seed in enumerate(seeds(2)):
        rng = np.random.default_rng(seed)
        u, v = u0 + 1e-6 * rng.standard_normal(4), v0 + 1e-6 * rng.standard_normal(4)
        rate = 0.5 / (u0 @ u0 + v0 @ v0)
        for i in rng.integers(0, 3, 3):
            residual = (u * v - u0 * v0) @ X[i]
            u, v = u - rate * residual * v * X[i], v - rate * residual * u * X[i]
        assert out["trace"][k] == pytest.approx(rate * (u @ u + v @ v), rel=1e-13)
    assert np.all(out["escaped"] == 0)


def test_far_above_the_threshold_every_run_escapes_or_diverges():
    start = sims.balanced_minimum(8, 16, np.random.default_rng(2))
    out = sims.escape({"sharpness": 6.0, "steps": 400}, seeds(8), np, start=start)
    assert np.all(out["escaped"] == 1) and out["path"].shape == (8, 50)


def test_bad_input():
    with pytest.raises(ValueError, match="batch = 9; expected 1 to 5 rows"):
        sims.linear_step(
            {"rate": 0.1, "batch": 9, "replace": False},
            seeds(1),
            np,
            gradients=np.ones((5, 2)),
            root=lambda p: np.eye(2),
        )
