"""Feature learning: the dichotomy's table, the linear limit against networks, laws, the scaled networks of `sims`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.proofs_check.ntk import feature_learning as proofs
from corollary.sims.ntk import linear_network, scaled
from corollary.testing import guards, numpy_backend
from corollary.theory.ntk import abc, feature_learning

RNG = np.random.default_rng(3)
X, Y, Z = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 2)), RNG.standard_normal((7, 5))
HALVES = st.integers(-4, 4).map(lambda k: k / 4)


@guards(abc.regime, abc.parametrization)
@pytest.mark.parametrize(
    ("name", "hidden", "word", "exponents"),
    [
        ("ntk", 1, "kernel", (0.0, -0.5, 0.0)),
        ("ntk", 3, "kernel", (0.0, -0.5, 0.0)),
        ("standard 1/n", 2, "kernel", (0.0, -0.5, 0.0)),
        ("standard 1/n", 1, "kernel", (0.0, -1.5, 0.0)),
        ("standard", 2, "unstable", (0.0, 1.0, 1.5)),
        ("mup", 1, "feature learning", (-0.5, 0.0, 0.0)),
        ("mup", 4, "feature learning", (-0.5, 0.0, 0.0)),
        ("mean field", 1, "feature learning", (-0.5, 0.0, 0.0)),
    ],
)
def test_the_table_of_parametrisations(name, hidden, word, exponents):
    """Table 1 of the paper: r = 1/2 for the tangent kernel and for standard at rate 1/n, 0 for maximal update."""
    found = abc.regime(abc.parametrization(name, hidden))
    assert found.word == word and (found.start, found.features, found.outputs) == exponents


@guards(abc.parametrization)
def test_the_parametrisations_are_the_ones_printed():
    assert abc.parametrization("mup", 3) == ((-0.5, 0.0, 0.0, 0.5), (0.5,) * 4, 0.0)
    assert abc.parametrization("mean field", 1) == ((0.0, 1.0), (0.0, 0.0), -1.0)
    assert abc.parametrization("standard 1/n", 1) == ((0.0, 0.0), (0.0, 0.5), 1.0)
    assert abc.parametrization("standard", 1) == ((0.0, 0.0), (0.0, 0.5), 0.0)
    assert abc.parametrization("ntk", 2) == ((0.0, 0.5, 0.5), (0.0,) * 3, 0.0)


@guards(abc.between)
def test_between_the_two_every_r_occurs():
    for shift in (0.0, 0.125, 0.25, 0.5):
        p = abc.between(shift, 2)
        assert p == ((-shift, 0.5 - shift, 0.5), (shift, shift, shift), 0)
        found = abc.regime(p)
        assert (found.features, found.start, found.outputs) == (shift - 0.5, -shift, 0.0)
        assert found.word == ("feature learning" if shift == 0.5 else "kernel")
    assert abc.between(0.0, 2) == abc.parametrization("ntk", 2)
    assert abc.between(0.5, 3) == abc.parametrization("mup", 3)


@given(st.lists(st.tuples(HALVES, HALVES), min_size=2, max_size=4), HALVES, HALVES)
def test_the_symmetry_and_the_dichotomy(layers, c, shift):
    """(a + θ, b − θ, c − 2θ) is the same training; what is stable and nontrivial is one of two things, and learns
    features only where f_0 vanishes."""
    a, b = zip(*layers, strict=True)
    found = abc.regime(abc.Abc(a, b, c))
    moved = abc.Abc(tuple(v + shift for v in a), tuple(v - shift for v in b), c - 2 * shift)
    assert abc.regime(moved) == found
    if found.word in ("feature learning", "kernel"):
        assert found.outputs == 0 and (found.features == 0) == (found.word == "feature learning")
    if found.word == "feature learning":
        assert found.start <= -0.5


def test_floats_near_a_fraction_are_that_fraction():
    assert abc.regime(abc.Abc((0.0, 0.1 + 0.2 + 0.2, 0.5), (0.0, 0.0, 0.0), 0.0)).word == "kernel"


@guards(feature_learning.outputs, feature_learning.descent_step)
def test_the_moment_is_that_of_the_network(backend):
    """Five steps of seven neurons, and of their moment, on every backend."""
    x, y, z = (backend.asarray(v) for v in (X, Y, Z))
    u, v = z[:, :3], z[:, 3:]
    M = linear_network.moments(u, v)
    for _ in range(5):
        u, v = linear_network.descend(u, v, x, y, 0.1)
        M = feature_learning.descent_step(M, x, y, 0.1)
    # five steps on numbers of order one: some hundred roundings
    np.testing.assert_allclose(backend.numpy(M), backend.numpy(linear_network.moments(u, v)), atol=1e-13)
    got, want = feature_learning.outputs(M, x), linear_network.outputs(u, v, x)
    np.testing.assert_allclose(backend.numpy(got), backend.numpy(want), atol=1e-13)


@guards(feature_learning.trajectory)
def test_the_trajectory_is_the_recursion_and_its_derivative(backend):
    """Outputs from M_0 = I; sd² = Σ_{i<=j} (1 + δ_ij) (∂f/∂M_ij)² by central differences, whose error is O(h²)."""
    path = feature_learning.trajectory(backend.asarray(X), backend.asarray(Y), 0.15, 3)

    def end(M):
        for _ in range(3):
            M = feature_learning.descent_step(M, X, Y, 0.15)
        return feature_learning.outputs(M, X)

    np.testing.assert_allclose(backend.numpy(path.outputs)[3], end(np.eye(5)), rtol=1e-13, atol=1e-14)
    square = np.zeros((4, 2))
    for i in range(5):
        for j in range(i, 5):
            E = np.zeros((5, 5))
            E[i, j] = E[j, i] = 1e-5
            square += (1 + (i == j)) * ((end(np.eye(5) + E) - end(np.eye(5) - E)) / 2e-5) ** 2
    np.testing.assert_allclose(backend.numpy(path.sd)[3], square**0.5, rtol=1e-8)
    np.testing.assert_allclose(backend.numpy(path.sd)[0] ** 2, np.sum(X**2, axis=1)[:, None] * np.ones(2), rtol=1e-14)
    assert not backend.numpy(path.outputs)[0].any()


@guards(feature_learning.mode_flow)
def test_a_mode_is_the_limit_of_small_steps(backend):
    """Richardson on steps of .01 and .005: O(η²) of it is left; and .01 itself is within .013 (the claim's margin)."""
    time = np.array([0.2, 0.5, 1.0])
    mode = feature_learning.mode_flow(1.5, backend.asarray(time))

    def recursion(rate):
        M, found = np.eye(2), []
        for t in range(1, round(1 / rate) + 1):
            M = feature_learning.descent_step(M, np.ones((1, 1)), np.full((1, 1), 1.5), rate)
            if np.any(np.isclose(t * rate, time)):
                found.append([M[0, 1], M[0, 0]])
        return np.array(found).T

    got, coarse, fine = np.stack([backend.numpy(v) for v in mode]), recursion(0.01), recursion(0.005)
    np.testing.assert_allclose(2 * fine - coarse, got, atol=3e-4)
    assert np.max(np.abs(coarse - got)) < 0.013


@given(st.floats(-20, 20), st.floats(0, 3))
def test_a_mode_keeps_its_constant_and_its_sign(strength, time):
    """p² − q² = 1; q is odd in s, between 0 and s, and q(t) → s."""
    q, p = (float(v[0]) for v in feature_learning.mode_flow(strength, np.array([time])))
    mirrored = feature_learning.mode_flow(-strength, np.array([time]))
    assert abs(p * p - q * q - 1) <= 1e-14 * p * p and q == -float(mirrored.output[0])
    assert 0 <= q * np.sign(strength) <= abs(strength) * (1 + 1e-13)
    late = feature_learning.mode_flow(strength, np.array([40.0]))
    np.testing.assert_allclose(late.output, [strength], rtol=1e-13, atol=1e-14)


def test_an_experiment_records_what_descent_leaves(backend):
    point = {"n": 6, "rate": 0.1, "record_at": [0, 2]}
    run = linear_network.trained(point, [8, 9], backend.xp, x=X, y=Y, device=backend.device)
    z = np.random.default_rng(9).standard_normal((6, 5))
    u, v = z[:, :3], z[:, 3:]
    f, M = backend.numpy(run["f"]), backend.numpy(run["moments"])
    np.testing.assert_allclose(f[1, 0], linear_network.outputs(u, v, X), rtol=1e-13)
    for _ in range(2):
        u, v = linear_network.descend(u, v, X, Y, 0.1)
    np.testing.assert_allclose(f[1, 1], linear_network.outputs(u, v, X), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(M[1, 1], linear_network.moments(u, v), rtol=1e-12, atol=1e-14)


def loss(w, n, scaling, φ):
    _, before = scaled.forward(w, n, scaling, X, φ)
    return float(np.sum((before[-1][0, :, 0] - Y[:, 0]) ** 2) / (2 * len(X)))


def test_a_scaled_step_is_a_step_down_the_gradient():
    """w − w⁺ = η n^(−c) ∂loss/∂w, by central differences at every weight of a network of widths 3, 4, 4, 1."""
    scaling, n, xp = ((-0.25, 0.5, 0.75), (0.25, 0.0, 0.125), -0.5), 4, numpy_backend().xp
    φ = scaled.activation("erf")
    w = scaled.draw((3, 4, 4, 1), n, scaling, [5], xp, None)
    moved = scaled.descend(w, n, scaling, X, Y[:, :1], 0.2, φ)
    for l, weights in enumerate(w):
        for index in np.ndindex(weights.shape):
            ends = []
            for h in (1e-5, -1e-5):
                other = [v.copy() for v in w]
                other[l][index] += h
                ends.append(loss(other, n, scaling, φ))
            slope = (ends[0] - ends[1]) / 2e-5
            # differences: h² and rounding 1e-16/h, of a loss of order one
            np.testing.assert_allclose((weights - moved[l])[index], 0.2 * 4**0.5 * slope, rtol=1e-6, atol=1e-9)


def test_the_symmetry_leaves_training_alone(backend):
    """Maximal update of one hidden layer is mean field: the same functions from the same seeds."""
    runs = [
        scaled.training({"n": 8, "activation": "relu", "rate": 0.4, "steps": 3}, [1, 2], backend.xp,
                        device=backend.device, scaling=abc.parametrization(name, 1), x=X, y=Y[:, 0])
        for name in ("mup", "mean field")
    ]  # fmt: skip
    for name in ("start", "features", "outputs", "before", "after", "residual"):
        one, other = (backend.numpy(run[name]) for run in runs)
        np.testing.assert_allclose(one, other, rtol=1e-11)
    assert backend.numpy(runs[0]["features"]).min() > 0


def test_drawn_weights_have_the_scale_of_b():
    w = scaled.draw((3, 500, 500, 1), 500, ((0, 0, 0), (0.0, 0.5, 1.0), 0.0), [0], numpy_backend().xp, None)
    sizes = [float(np.std(v)) for v in w]
    # standard errors: 1/√(2·1500) = 1.8 %, 1/√(2·250000), 1/√(2·500) = 3.2 %; five of the largest
    np.testing.assert_allclose(sizes, [1.0, 500**-0.5, 1 / 500], rtol=0.16)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: abc.regime(abc.Abc((0.0,), (0.0,), 0.0)), "one each for the hidden layers and the readout"),
        (lambda: abc.regime(abc.Abc((0.0, 3**-0.5), (0.0, 0.0), 0.0)), "no fraction"),
        (lambda: abc.parametrization("mean field", 2), "exactly 1"),
        (lambda: abc.parametrization("xavier", 2), "expected one of standard"),  # pyright: ignore[reportArgumentType]
        (lambda: abc.between(0.7, 2), "0 <= shift <= 1/2"),
        (lambda: feature_learning.trajectory(X, Y, 0.1, -1), "integer >= 0"),
        (lambda: feature_learning.descent_step(np.eye(5), X, Y, 0.0), "finite number > 0"),
        (lambda: feature_learning.descent_step(np.eye(5), X, Y[:2], 0.1), "the outputs at each x"),
        (lambda: feature_learning.outputs(np.eye(3), X), r"expected \(…, d \+ o, d \+ o\)"),
        (lambda: feature_learning.mode_flow(float("nan"), np.zeros(1)), "finite number"),
        (lambda: feature_learning.mode_flow(1.0, np.array([-1.0])), "starts at time 0"),
        (lambda: scaled.draw((3, 4, 1), 4, ((0,), (0,), 0), [0], np, None), "the network has 2"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_diverging_network_says_so():
    point = {"n": 8, "activation": "relu", "rate": 1e200, "steps": 4}
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="diverged at n = 8"):
        scaled.training(point, [0], numpy_backend().xp, scaling=abc.parametrization("mup", 2), x=X, y=Y[:, 0])


def test_a_wrong_recursion_undoes_its_derivation(monkeypatch):
    right = feature_learning.descent_step
    monkeypatch.setattr(feature_learning, "descent_step", lambda M, x, y, rate: right(M, x, y, 1.02 * rate))
    assert not proofs.linear_mup_step.run().holds
