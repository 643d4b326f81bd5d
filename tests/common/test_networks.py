"""Networks against a twin that reads like the definition and differentiates by complex step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from corollary.sims.common.activations import activation
from corollary.sims.common.networks import Network, Params, backward, forward, init, jvp
from corollary.testing import numpy_backend, strict_backend

# analytic continuations, so that Im φ(z + ih)/h = φ′(z) to rounding: no cancellation, unlike a difference quotient
COMPLEX = {
    "identity": lambda z: z,
    "relu": lambda z: np.where(z.real > 0, z, 0),
    "leaky_relu": lambda z: np.where(z.real > 0, z, 0.1 * z),
    "abs": lambda z: np.where(z.real > 0, z, -z),
    "erf": special.erf,
    "sin": np.sin,
    "tanh": np.tanh,
    "gelu": lambda z: z * special.erfc(-z / np.sqrt(2)) / 2,
}
H = 1e-20
NAMES = sorted(COMPLEX)


def make(name, W_std=1.3, b_std=0.4):
    return Network(activation(name, slope=0.1 if name == "leaky_relu" else None), W_std, b_std)


def twin(name, W, b, x, W_std=1.3, b_std=0.4):
    """f(x) for one network and one point: the definition, neuron by neuron; W, b may be complex."""
    a = x
    for l in range(len(W)):
        z = np.array([W_std / np.sqrt(len(a)) * np.sum(row * a) for row in W[l]])
        if b:
            z = z + b_std * b[l]
        a = COMPLEX[name](z)
    return z


def host(backend, params, s):
    """(W, b) of replicate s as NumPy arrays."""
    return [backend.numpy(W)[s] for W in params.W], [backend.numpy(b)[s] for b in params.b]


def setup(backend, bias=True, widths=(3, 5, 4, 2), seeds=(11, 12), points=3):
    params = init(widths, seeds, backend.xp, bias=bias, device=backend.device)
    rng = np.random.default_rng(5)
    return params, rng.standard_normal((points, widths[0])), rng.standard_normal((len(seeds), points, widths[-1]))


def direction(backend, params, seed):
    rng = np.random.default_rng(seed)
    return Params(*(tuple(backend.asarray(rng.standard_normal(p.shape)) for p in group) for group in params))


# sums of at most 5 products through 3 layers, values O(1): a few tens of roundings of 1.1e-16, cushioned tenfold
TOLERANCE = 1e-13


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_forward_is_the_definition(name, bias, backend):
    """z = (W_std/√n) W a + b_std b, layer by layer, for each replicate and point."""
    params, x, _ = setup(backend, bias)
    f = backend.numpy(forward(make(name), params, backend.asarray(x)).z[-1])
    for s in range(2):
        W, b = host(backend, params, s)
        for i in range(len(x)):
            assert np.max(np.abs(f[s, i] - twin(name, W, b, x[i]))) < TOLERANCE


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_backward_is_the_gradient_by_complex_step(name, bias, backend):
    """∂⟨df, f⟩/∂θ equals Im⟨df, f(θ + ih e)⟩/h for every parameter e."""
    params, x, df = setup(backend, bias)
    net = make(name)
    g = backward(net, params, forward(net, params, backend.asarray(x)), backend.asarray(df))
    assert len(g.b) == (3 if bias else 0)
    s = 1
    W, b = host(backend, params, s)
    for got, theta in zip([*g.W, *g.b], [*W, *b], strict=True):
        got = backend.numpy(got)[s]
        for index in np.ndindex(theta.shape):
            group = [t.astype(complex) if t is theta else t for t in [*W, *b]]
            changed = next(t for t in group if t.dtype == complex)
            changed[index] += 1j * H
            Wc, bc = group[: len(W)], group[len(W) :]
            exact = sum(np.sum(df[s, i] * twin(name, Wc, bc, x[i])).imag / H for i in range(len(x)))
            assert abs(got[index] - exact) < TOLERANCE * 10  # up to 3 × 2 such sums with weights df


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_jvp_is_the_directional_derivative_by_complex_step(name, bias, backend):
    """J v equals Im f(θ + ihv)/h."""
    params, x, _ = setup(backend, bias)
    net, v = make(name), direction(backend, params, 8)
    got = backend.numpy(jvp(net, params, forward(net, params, backend.asarray(x)), v))
    for s in range(2):
        (W, b), (V, c) = host(backend, params, s), host(backend, v, s)
        Wc = [w + 1j * H * d for w, d in zip(W, V, strict=True)]
        bc = [w + 1j * H * d for w, d in zip(b, c, strict=True)]
        for i in range(len(x)):
            assert np.max(np.abs(got[s, i] - np.imag(twin(name, Wc, bc, x[i])) / H)) < TOLERANCE * 10


@pytest.mark.parametrize("name", ["erf", "sin", "tanh", "gelu", "identity"])
def test_jvp_is_the_limit_of_differences_of_forward(name, backend):
    """(f(θ + hv) − f(θ − hv))/2h − J v = O(h²): dividing h by 10 divides the error by 100 ± 5."""
    params, x, _ = setup(backend)
    xs, net, v = backend.asarray(x), make(name), direction(backend, params, 8)

    def f(h):
        moved = Params(*(tuple(p + h * d for p, d in zip(*pair, strict=True)) for pair in zip(params, v, strict=True)))
        return backend.numpy(forward(net, moved, xs).z[-1])

    exact = backend.numpy(jvp(net, params, forward(net, params, xs), v))
    errors = [np.linalg.norm((f(h) - f(-h)) / (2 * h) - exact) for h in (1e-2, 1e-3)]
    # the next term of the expansion is h⁴: relative O(h²) = 1e-4 times constants ≲ 100; rounding adds ε/h ≈ 1e-13
    assert 95 < errors[0] / errors[1] < 105


@settings(max_examples=40)
@given(
    name=st.sampled_from(NAMES),
    widths=st.lists(st.integers(1, 7), min_size=3, max_size=5),
    points=st.integers(1, 4),
    replicates=st.integers(1, 3),
    bias=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_backward_is_the_adjoint_of_jvp(name, widths, points, replicates, bias, seed):
    """⟨df, J v⟩ = ⟨Jᵀ df, v⟩ for every architecture, up to rounding of the two sums."""
    backend = numpy_backend()
    params = init(widths, list(range(seed, seed + replicates)), backend.xp, bias=bias)
    rng = np.random.default_rng(seed)
    x, df = rng.standard_normal((points, widths[0])), rng.standard_normal((replicates, points, widths[-1]))
    net, v = make(name), direction(backend, params, seed + 1)
    trace = forward(net, params, x)
    left = df * jvp(net, params, trace, v)
    g = backward(net, params, trace, df)
    right = [np.sum(a * b) for a, b in zip([*g.W, *g.b], [*v.W, *v.b], strict=True)]
    # both are sums over the same paths through the network; their absolute sums bound the rounding
    size = np.sum(np.abs(left)) + sum(
        float(np.sum(np.abs(a * b))) for a, b in zip([*g.W, *g.b], [*v.W, *v.b], strict=True)
    )
    assert abs(np.sum(left) - sum(right)) <= 1e-13 * (size + 1.0)


def test_a_replicate_does_not_depend_on_its_batch(backend):
    """Seeds [a, b] give for b what [b] gives alone: bit for bit on the CPU, where matmul runs replicate by replicate;
    to rounding on a GPU, where the library may choose another algorithm for another batch."""
    seeds = [np.random.SeedSequence([3, 4]), 17, np.random.SeedSequence(9)]
    x = backend.asarray(np.random.default_rng(0).standard_normal((4, 6)))
    net = make("gelu")
    both = init((6, 40, 30, 2), seeds, backend.xp, device=backend.device)
    alone = init((6, 40, 30, 2), seeds[2:], backend.xp, device=backend.device)
    f2 = forward(net, both, x)
    f1 = forward(net, alone, x)
    g2 = backward(net, both, f2, f2.z[-1])
    g1 = backward(net, alone, f1, f1.z[-1])
    for many, one in zip([f2.z[-1], *both.W, *g2.W, *g2.b], [f1.z[-1], *alone.W, *g1.W, *g1.b], strict=True):
        difference = np.max(np.abs(backend.numpy(many)[2] - backend.numpy(one)[0]))
        assert difference <= (1e-12 if backend.name == "cupy" else 0.0)


def test_inputs_of_their_own_for_each_replicate(backend):
    """x (S, N, d) gives replicate s the outputs that x[s] gives all replicates."""
    params, _, _ = setup(backend)
    x = np.random.default_rng(1).standard_normal((2, 3, 3))
    net = make("tanh")
    own = backend.numpy(forward(net, params, backend.asarray(x)).z[-1])
    for s in range(2):
        shared = backend.numpy(forward(net, params, backend.asarray(x[s])).z[-1])
        assert np.max(np.abs(own[s] - shared[s])) < TOLERANCE


def test_weights_do_not_depend_on_biases_dtype_or_device(backend):
    """The draw of a seed is one: without biases the same weights, float32 its rounding, each device the same."""
    full = init((3, 5, 2), [4], backend.xp, device=backend.device)
    bare = init((3, 5, 2), [4], backend.xp, bias=False, device=backend.device)
    single = init((3, 5, 2), [4], backend.xp, dtype="float32", device=backend.device)
    reference = init((3, 5, 2), [4], np)
    for l in range(2):
        W = backend.numpy(full.W[l])
        assert np.array_equal(W, backend.numpy(bare.W[l]))
        assert np.array_equal(W.astype(np.float32), backend.numpy(single.W[l]))
        assert np.array_equal(W, reference.W[l])
    assert single.b[0].dtype == backend.xp.float32 and bare.b == ()


def test_all_entries_are_standard_normal():
    """The pooled weights and biases stay within the Dvoretzky-Kiefer-Wolfowitz band of N(0, 1) at level 1e-6."""
    params = init((10, 50, 20, 3), list(range(30)), np)
    sample = np.sort(np.concatenate([p.ravel() for p in [*params.W, *params.b]]))
    n = len(sample)
    F = special.ndtr(sample)
    distance = max(np.max(np.arange(1, n + 1) / n - F), np.max(F - np.arange(n) / n))
    assert distance < np.sqrt(np.log(2 / 1e-6) / (2 * n)) < 0.02  # 0.02: a scale off by 10 % (0.024) would be seen


def test_float32_stays_float32(backend):
    params = init((3, 5, 1), [0], backend.xp, dtype="float32", device=backend.device)
    net, x = make("gelu"), backend.asarray(np.ones((2, 3)), dtype="float32")
    trace = forward(net, params, x)
    gradient = backward(net, params, trace, trace.z[-1])
    for out in (trace.z[-1], *gradient.W, *gradient.b, jvp(net, params, trace, gradient)):
        assert out.dtype == backend.xp.float32


@pytest.mark.parametrize(
    ("widths", "seeds", "error", "message"),
    [
        ((3, 1), [0], ValueError, "no hidden layer"),
        ((), [0], ValueError, "no hidden layer"),
        ((3, 0, 1), [0], ValueError, "at least 1"),
        ((3, 5.0, 1), [0], TypeError, "width 5.0 is no integer"),
        ((3, True, 1), [0], TypeError, "no integer"),
        ((3, 5, 1), [], ValueError, "seeds is empty"),
        ((3, 5, 1), 7, TypeError, "expected a list"),
        ((3, 5, 1), [0.5], TypeError, "seed 0.5"),
        ((3, 5, 1), [-1], TypeError, "seed -1"),
    ],
)
def test_init_refuses(widths, seeds, error, message):
    with pytest.raises(error, match=message):
        init(widths, seeds, np)


def test_init_refuses_other_dtypes():
    with pytest.raises(TypeError, match="dtype = 'int64'; expected 'float64' or 'float32'"):
        init((1, 1, 1), [0], np, dtype="int64")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("rellu",), ValueError, "did you mean 'relu'"),
        ((max,), TypeError, "expected an activation or its name"),
        (("relu", 0.0), ValueError, "W_std = 0.0"),
        (("relu", float("nan")), ValueError, "W_std = nan"),
        (("relu", 1.0, -0.1), ValueError, "b_std = -0.1"),
        (("relu", 1.0, float("inf")), ValueError, "b_std = inf"),
    ],
)
def test_network_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        Network(*arguments)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones((2, 4)), ValueError, r"x has shape \(2, 4\); expected \(N, 3\), or \(2, N, 3\)"),
        (np.ones(3), ValueError, r"x has shape \(3,\)"),
        (np.ones((3, 2, 3)), ValueError, r"x has shape \(3, 2, 3\)"),
        (np.ones((0, 3)), ValueError, "x is empty"),
        (np.ones((2, 3), dtype=int), TypeError, "x has dtype int64"),
        (np.ones((2, 3), dtype=np.float32), TypeError, "x is float32, the weights are float64"),
        (np.full((2, 3), np.nan), ValueError, "6 entries that are NaN"),
        ([[1.0, 2.0, 3.0]], TypeError, "expected a NumPy or CuPy array, got builtins.list"),
    ],
)
def test_forward_refuses(x, error, message):
    params, _, _ = setup(numpy_backend())
    with pytest.raises(error, match=message):
        forward(make("relu"), params, x)


def test_namespaces_do_not_mix(backend):
    """Weights and inputs of two libraries in one call are an error, not a conversion."""
    params, x, _ = setup(backend)
    other = numpy_backend() if backend.name != "numpy" else strict_backend()
    with pytest.raises(TypeError, match="in one call"):
        forward(make("relu"), params, other.asarray(x))
