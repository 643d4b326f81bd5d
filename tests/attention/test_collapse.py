"""Neural collapse: antipodal pairs, the trained networks, the derivations."""

import numpy as np
import pytest
import scipy.optimize

from corollary.proofs_check.attention import collapse as proofs
from corollary.sims.attention import collapse as sim
from corollary.testing import guards
from corollary.theory import attention


@guards(attention.pairs_cross_entropy, attention.pairs_ratio)
def test_pairs_are_the_objective_of_their_factors():
    """The explicit balanced factors have the objective the formula gives; the ratio is that of the penalties."""
    for K, n, M, a in ((4, 3, 3, 5.0), (6, 2, 2, 2.0), (8, 1, 1, 4.0)):
        factors = sim.antipodal(K, n, M, a)
        logits = sim.product(factors) @ factors[-1]
        Y = np.repeat(np.eye(K), n, axis=1)
        value = sim.cross_entropy(logits, Y)[0] + 5e-4 * sum(np.sum(f * f) for f in factors)
        assert attention.pairs_cross_entropy(a, K, n, M, 1e-3) == pytest.approx(value, rel=1e-12)
        frame = attention.logit_penalty([a] * (K - 1), M, 1.0)
        assert attention.pairs_ratio(K, M) == pytest.approx(attention.logit_penalty([2 * a] * (K // 2), M, 1.0) / frame)
    assert [attention.pairs_ratio(*p) <= 1 for p in ((4, 2), (4, 3), (6, 1), (6, 2))] == [False, True, False, True]
    for K in (2, 5):
        with pytest.raises(ValueError, match="even number of classes"):
            attention.pairs_ratio(K, 2)


@guards(attention.frame_minimum)
def test_the_least_frame():
    """Against a dense grid; stationary; zero where decay wins."""
    a, value = attention.frame_minimum(4, 5, 3, 1e-3)
    grid = [attention.frame_cross_entropy(float(b), 4, 5, 3, 1e-3) for b in np.linspace(0.01, 40, 20_000)]
    assert value <= min(grid) and value == pytest.approx(min(grid), rel=1e-6)
    assert attention.frame_cross_entropy(a, 4, 5, 3, 1e-3) == pytest.approx(value, rel=1e-14)
    assert value == pytest.approx(0.0262289, abs=5e-8)
    assert attention.frame_minimum(4, 5, 2, 1.0) == (0.0, pytest.approx(np.log(4)))


def test_gradients_of_the_losses():
    """Against central differences."""
    rng = np.random.default_rng(0)
    Y = np.repeat(np.eye(3), 2, axis=1)
    for loss in (sim.squared_loss, sim.cross_entropy):
        F = rng.standard_normal((3, 6))
        got = loss(F, Y)[1].ravel()
        want = scipy.optimize.approx_fprime(F.ravel(), lambda v, loss=loss: loss(v.reshape(3, 6), Y)[0], 1e-6)
        assert got == pytest.approx(want, abs=1e-5)


def test_training_finds_the_minimum_and_its_geometry():
    """Objective, orthogonal rows and lengths of the closed form; the deep cross-entropy ends below the frame."""
    solution = attention.collapse([4, 2], [0.02, 0.01], 0.01)
    found, factors = sim.best([4, 2], [0.02, 0.01, 0.01], 4, np.random.default_rng(2))
    P = sim.product(factors)
    assert found == pytest.approx(solution.minimum, rel=1e-8)
    assert P @ P.T == pytest.approx(np.diag(solution.s2), abs=1e-3)
    point = {"K": 4, "n": 2, "depth": 3, "decay": 1e-3, "start": "pairs"}
    got = sim.entropy(point, [1], np, frame=attention.frame_minimum)
    assert got["pair"][0, 1] < 0.95 * got["pair"][0, 0] and got["rank"] == [2]


def test_a_wrong_formula_is_noticed(monkeypatch):
    """Off by 2 %: NOT DERIVED."""
    for name, proof, spoil in (
        ("collapse", proofs.collapse_by_class, lambda r: r._replace(minimum=1.02 * r.minimum)),
        ("pairs_cross_entropy", proofs.pairs_below_the_frame, lambda r: 1.02 * r),
        ("frame_cross_entropy", proofs.pairs_below_the_frame, lambda r: 1.02 * r),
        ("pairs_ratio", proofs.pairs_below_the_frame, lambda r: 1.02 * r),
    ):
        with monkeypatch.context() as patch:
            right = getattr(attention, name)
            patch.setattr(attention, name, lambda *a, right=right, spoil=spoil, **k: spoil(right(*a, **k)))
            assert proof.run().outcome == "NOT DERIVED", name
