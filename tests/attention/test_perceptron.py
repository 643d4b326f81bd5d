"""Large steps on separable data: the distance from the perceptron, the imbalanced example, the experiments."""

import numpy as np
import pytest

from corollary.arrays import to_numpy
from corollary.proofs_check.attention import perceptron as proofs
from corollary.sims.attention import perceptron as sim
from corollary.testing import guards
from corollary.theory import attention

DATA = {"n": 16, "d": 3, "margin": 0.2, "steps": 12}


@guards(attention.perceptron_gap)
def test_the_gap_is_the_sum_over_rows_and_steps():
    """Against loops; silent (inf) where its hypothesis fails; NaN, zero and negative rates refused."""
    B = sim.separable(9, 3, 0.3, np.random.default_rng(1))
    P = attention.perceptron(B, 6)
    γ = 0.5 * attention.equality_step(B, 6)
    total = sum(np.linalg.norm(b) * np.exp(-γ * abs(b @ P[s])) for b in B for s in range(1, 6)) / 9
    assert attention.perceptron_gap(B, 6, γ) == pytest.approx(np.e * total, rel=1e-12)
    assert attention.perceptron_gap(B, 6, γ / 1e3) == np.inf
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="positive step size"):
            attention.perceptron_gap(B, 6, bad)


def test_bad_steps_and_data_beyond_the_range_of_squares():
    """Negative or fractional steps, norms below 1e-100 or above 1e100: one error each; no step is no step."""
    B = np.array([[1.0, 0.0], [1.0, 1.0]])
    for steps in (-1, 2.0):
        with pytest.raises(ValueError, match="integer >= 0"):
            attention.perceptron(B, steps)  # pyright: ignore[reportArgumentType]
    assert attention.perceptron(B, 0).tolist() == [[0, 0]]
    for scale in (1e-200, 1e200):
        with pytest.raises(ValueError, match="rescale the data"):
            attention.hard_margin(scale * B)


@guards(attention.imbalanced_example, attention.imbalanced_steps)
def test_the_imbalanced_example():
    """Its rows; its steps are those of the perceptron; where the walk is another, an error."""
    B = attention.imbalanced_example(17)
    assert B.shape == (17, 2) and (B[:16] == [1, 0]).all() and (B[16] == [-1, 0.5]).all()
    for n, height in ((11, 0.5), (17, 0.5), (40, 0.9), (100, 0.5), (1000, 0.5)):
        B = attention.imbalanced_example(n, height)
        path = attention.perceptron(B, n)
        walked = int((path @ B.T > 0).all(axis=1).argmax())
        assert attention.imbalanced_steps(n, height) == walked > 0
    with pytest.raises(ValueError, match="meets a margin of 0"):
        attention.imbalanced_steps(10)  # the first coordinate is exactly 0 after 4 corrections
    for bad in ((3, 0.5), (20, 0.0), (20, 1.5)):
        with pytest.raises(ValueError, match="expected n >= 4"):
            attention.imbalanced_example(*bad)


def test_descent_is_the_gradient_of_the_loss(backend):
    """One step of the batch against loops over the rows, plain and normalised, on every backend."""
    rng = np.random.default_rng(3)
    B, P, γ = rng.standard_normal((4, 7, 3)), rng.standard_normal((4, 3)), np.array([0.1, 1.0, 30.0, 4e3])
    for normalised in (False, True):
        got = to_numpy(sim.descend(*(backend.asarray(a) for a in (B, P, γ)), normalised=normalised))
        for r in range(4):
            z = γ[r] * (B[r] @ P[r])
            log = -np.logaddexp(0, z)
            w = np.exp(log - np.logaddexp.reduce(log)) if normalised else np.exp(log) / 7
            assert got[r] == pytest.approx(P[r] + w @ B[r], rel=1e-11)


def test_the_normalised_weights_survive_underflow():
    """Where every σ underflows the weights are those of the smallest margin."""
    z = np.array([[2000.0, 1500.0, 1501.0]])
    assert sim.weights(z, False).sum() == 0
    assert sim.weights(z, True)[0] == pytest.approx([0, 1 / (1 + np.exp(-1)), 1 / (1 + np.e)])


def test_separation_and_its_steps():
    """The drawn data have the margin; first_separation is the first step without a mistake, 1 where one will do."""
    B = sim.drawn({"n": 20, "d": 4, "margin": 0.3}, [1, 2, 3], np)
    assert all(attention.hard_margin(b).margin >= 0.3 * (1 - 1e-9) for b in B)
    T = sim.first_separation(B, np.full(3, 1e6))
    for b, t in zip(B, T, strict=True):
        path = attention.perceptron(b, int(t))
        assert (path @ b.T > 0).all(axis=1).argmax() == t
    assert sim.first_separation(np.ones((1, 2, 2)), np.ones(1)) == [1]


def test_the_example_is_drawn_with_its_bounds():
    """Steps and bounds of shuffled, swapped data are those of the example at heights in [low, 1]."""
    got = sim.example({"n": 30, "low": 0.5, "rate": 1e8}, [1, 2, 3, 4], np, data=attention.imbalanced_example,
                      bounds=attention.step_bounds)  # fmt: skip
    for (T, bound), (T_normalised, normalised) in zip(got["plain"], got["normalised"], strict=True):
        assert bound == pytest.approx(30 * normalised) and T_normalised <= normalised
        heights = np.linspace(0.5, 1, 100_001)
        said = (1 + heights**2) * (1 + 4 / heights**2)  # R² and ‖(1, 2/h)‖², decreasing in h
        height = float(np.interp(-normalised, -said, heights))
        assert T == attention.imbalanced_steps(30, height)


def test_data_that_are_never_separated(monkeypatch):
    """An error, after the limit."""
    monkeypatch.setattr(sim, "LIMIT", 20)
    with pytest.raises(RuntimeError, match="are the data separable"):
        sim.first_separation(np.array([[[1.0, 0.0], [-1.0, 0.0]]]), np.ones(1))


def test_losses_and_shares_on_the_way():
    """Loss log 2 and every row wrong at the start; pairs are (large, small) steps and (small, large) losses."""
    point = {"n": 30, "d": 4, "margin": 0.2, "steps": 8, "small": 0.5, "large": 1e3}
    got = sim.step_sizes(point, [5, 6], np)
    for name in ("small", "large"):
        assert got[f"path_{name}"][:, 0] == pytest.approx(np.log(2)) and (got[f"wrong_{name}"][:, 0] == 1).all()
    assert got["loss"][:, 1] == pytest.approx(got["path_large"].max(axis=1))
    B = sim.drawn(point, [5, 6], np)
    assert got["steps"][:, 1] == pytest.approx(sim.first_separation(B, np.full(2, 0.5)))


def test_a_wrong_formula_is_noticed(monkeypatch):
    """Bounds off by 2 %, one step more, a wrong gap: NOT DERIVED for the disagreement."""
    for name, proof, spoil in (
        ("step_bounds", proofs.steps_to_separation, lambda r: r._replace(plain=1.02 * r.plain)),
        ("step_bounds", proofs.steps_to_separation, lambda r: r._replace(normalised=1.02 * r.normalised)),
        ("imbalanced_steps", proofs.the_imbalanced_walk, lambda r: r + 1),
        ("perceptron_gap", proofs.descent_is_the_perceptron, lambda r: 1.02 * r),
        ("equality_step", proofs.descent_is_the_perceptron, lambda r: 1.02 * r),
    ):
        with monkeypatch.context() as patch:
            right = getattr(attention, name)
            patch.setattr(attention, name, lambda *a, right=right, spoil=spoil, **k: spoil(right(*a, **k)))
            assert proof.run().problem.startswith("the code differs"), name
