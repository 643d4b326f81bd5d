"""The GPU's kernel of all layers: its text compiled for the host against plain formulas; for a GPU; and run on one."""

import numpy as np
import pytest

from corollary.testing import host_kernels
from corollary.theory import ntk
from corollary.theory.ntk import fused, fused_cuda

NEAR = 0.99


@pytest.fixture(scope="module")
def on_host(host_kernel):
    return lambda dtype: host_kernel(fused_cuda.SOURCE, "dense_layers", dtype)


NETS = {
    "relu 3": ntk.mlp(depth=3, activation=ntk.Relu(), W_std=2**0.5),
    "relu 10, bias": ntk.mlp(depth=10, activation=ntk.Relu(), W_std=1.4, b_std=0.3),
    "abs 40": ntk.mlp(depth=40, activation=ntk.Abs(), W_std=1.0, b_std=1.0),  # features nearly parallel in the end
    "leaky −3": ntk.mlp(depth=4, activation=ntk.LeakyRelu(-3.0), W_std=0.5, b_std=0.1),
    "identity": ntk.mlp(depth=3, activation=ntk.Identity(), W_std=1.2, b_std=0.2),
    "mixed": ntk.serial(ntk.Dense(1.3), ntk.ABRelu(0.2, 1.5), ntk.Dense(0.7, 0.4), ntk.Dense(1.1, 0.2), ntk.Relu()),
    "dense": ntk.serial(ntk.Dense(0.7, 0.5)),
    "zero": ntk.serial(ntk.Dense(1.0), ntk.ABRelu(0.0, 0.0), ntk.Dense(1.0, 0.5)),
}


def points(dtype="float64"):
    """300 vectors of several lengths, with duplicates, multiples, antipodes, near misses of both, and a zero."""
    rng = np.random.default_rng(8)
    base = rng.standard_normal((120, 6)) * 10 ** rng.uniform(-2, 2, (120, 1))
    near = base[:60] * (1 + 1e-5 * rng.standard_normal((60, 6)))
    rows = [base, base[:40], -3 * base[:40], near, -near[:39], np.zeros((1, 6))]
    return np.concatenate(rows).astype(dtype)


def small(x):
    """Without components whose squares float32 would lose."""
    return np.where(np.abs(x) < 1e-3, 0, x).astype(x.dtype)


def twin(net, c, sides, eps):
    """c and τ of the outputs, and bounds of what rounding does to the kernel's. In a wider type than the kernel's.

    sides: α, β of either side (layers with bias, n), broadcast. The bounds carry errors of c, of the gap g = 1 − c and
    of τ through the derivatives dc'/dc = 1 − κθ/π and dθ/dc = 1/sin θ; each operation, and each α and β, is off by eps.
    """
    g, t, dc, dg, dt = 1 - c, 0 * c, 0 * c, eps * (1 - c), 0 * c
    factors = iter(zip(*sides, strict=True))
    for layer in net.layers:
        if isinstance(layer, ntk.Dense):
            if layer.b_std:
                a1, b1, a2, b2 = next(factors)
                a, b, apart = a1 * a2, b1 * b2, np.abs(a1 - a2) + np.abs(b1 - b2)
                dc = a * dc + 4 * eps * (np.abs(a * c) + b)
                dg = a * dg + 4 * eps * (a * g + apart**2) + 2 * eps * apart + 2 * eps**2 * (apart > 0)
                c, g, t, dt = a * c + b, a * g + ((a1 - a2) ** 2 + (b1 - b2) ** 2) / 2, a * t, a * dt + 4 * eps * a * t
            t, dt = t + c, dt + dc + eps * np.abs(t + c)
            continue
        α2, β2 = layer._squares
        κ, acute = 2 * β2 / (α2 + β2), c >= 0
        z = 2 * np.arcsin(np.sqrt(np.where(acute, g, 1 + c) / 2))
        slope = np.where(acute, 1 - κ * z / np.pi, 1 - κ + κ * z / np.pi)
        turn = np.where(acute, dg, dc) / np.where(z > 0, np.sin(z), 1)  # an input with itself: z = 0, exactly
        d_slope = κ / np.pi * (turn + 6 * eps * z) + eps * (np.abs(slope) + np.abs(1 - κ))
        rounded = eps * (3 * κ / np.pi * (z * np.abs(c) + np.sin(z)) + 2 * np.abs(slope * c) + np.abs((1 - κ) * c))
        dt, t = np.abs(slope) * dt + np.abs(t) * d_slope + eps * np.abs(slope * t), slope * t
        dg = slope * dg + 4 * eps * g + 6 * eps * κ / np.pi * z
        g = slope * g + κ / np.pi * (z - np.sin(z))
        c, dc = slope * c + κ / np.pi * np.sin(z), np.abs(slope) * dc + rounded + eps
        g, dg = np.where(acute, g, 1 - c), np.where(acute, dg, dc + eps)
    return c, t, dc, dt


def cosines(rng, n1, n2, dtype):
    """Random ones, and some at and beside ±1, 0, ±0.99, and outside [−1, 1] as rounding leaves them."""
    c = rng.uniform(-1, 1, (n1, n2)).astype(dtype)
    edge = np.array([0, 1, NEAR], dtype=dtype)
    edges = np.concatenate([s * np.nextafter(edge, towards) for s in (1, -1) for towards in (edge, dtype(2), dtype(0))])
    c.ravel()[: edges.size] = edges
    return c


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("net", [n for k, n in NETS.items() if k != "zero"], ids=[k for k in NETS if k != "zero"])
def test_the_kernel_is_the_recursion_to_rounding(on_host, net, mirror, dtype):
    """A panel inside larger results, sizes no multiples of a tile; nothing outside the panel and its mirror is touched.
    The reference is in twice the precision, or in `long double`; factor 2 for it and for terms of second order."""
    rng, eps = np.random.default_rng(3), np.finfo(dtype).eps
    real = np.longdouble if dtype is np.float64 else np.float64
    h, w, first1, first2 = (41, 71, 7, 7) if mirror else (70, 45, 3, 11)
    n1, n2 = (first1 + w,) * 2 if mirror else (first1 + h + 2, first2 + w + 5)
    biased = sum(layer.b_std != 0 for layer in net.layers if isinstance(layer, ntk.Dense))
    angles = [rng.uniform(0, 1.5, (max(1, biased), n)).astype(real) for n in (n1, n2)]
    roots = [rng.uniform(0.1, 9, n).astype(dtype) for n in (n1, n2)]
    if mirror:
        angles[1], roots[1] = angles[0], roots[0]
    given = [(np.cos(v).astype(dtype), np.sin(v).astype(dtype), r) for v, r in zip(angles, roots, strict=True)]
    c, (code, *numbers) = cosines(rng, h, w, dtype), fused_cuda._program(net.layers)
    K, T = np.full((2, n1, n2), np.nan, dtype)
    count, found, capacity = np.zeros(1, np.int32), np.full(12, -1, np.int64), 10
    on_host(dtype)((-(-w // 32), -(-h // 32)), (32, 8), (
        c, np.int64(h), np.int64(w), np.int64(first1), np.int64(first2), np.int32(mirror), np.int32(len(code)), code,
        *(v.astype(dtype) for v in numbers), dtype(NEAR), *given[0], np.int64(n1), *given[1], np.int64(n2),
        K, T, count, found, np.int64(capacity),
    ))  # fmt: skip
    rows, columns = slice(first1, first1 + h), slice(first2, first2 + w)
    wanted = np.triu(np.ones((h, w), bool)) if mirror else np.ones((h, w), bool)
    near = np.abs(c) > dtype(NEAR)
    if mirror:  # an input with itself
        near, c = near & ~np.eye(h, w, dtype=bool), np.where(np.eye(h, w, dtype=bool), 1, c)
    one, two = angles[0][:biased, rows, None], angles[1][:biased, None, columns]
    wc, wt, dc, dt = twin(
        net, np.where(near, 0, c).astype(real), [f(v) for v in (one, two) for f in (np.cos, np.sin)], eps
    )
    wc, wt = np.where(near, 0, wc), np.where(near, 0, wt)
    size = roots[0][rows, None].astype(real) * roots[1][columns]
    for got, want, error in ((K, wc, dc), (T, wt, dt)):
        miss = np.abs(got[rows, columns] - want * size)
        assert np.all(miss[wanted] <= 2 * ((error + 3 * eps * np.abs(want)) * size)[wanted])
        assert np.max(error[wanted] / np.maximum(np.abs(want), 1)[wanted]) < 40 * eps * len(code)  # bounds no excuse
    listed, beyond = found[:capacity], found[capacity:]
    assert int(count[0]) == np.sum(near & wanted) > capacity
    assert len(set(listed)) == capacity and np.all((near & wanted).ravel()[listed]) and np.all(beyond == -1)
    expected = np.zeros((n1, n2), bool)
    expected[rows, columns] = wanted
    if mirror:
        expected |= expected.T
        assert np.array_equal(K, K.T, equal_nan=True) and np.array_equal(T, T.T, equal_nan=True)
    assert np.array_equal(np.isfinite(K), expected) and np.array_equal(np.isfinite(T), expected)


def kernels(monkeypatch, net, launch, *x):
    """(through the kernel, layer by layer)."""
    with monkeypatch.context() as m:
        m.setattr(fused, "applies", lambda layers, x: False)
        plain = net.kernel(*x)
    with monkeypatch.context() as m:
        m.setattr(fused, "gram", lambda *arguments: fused_cuda.gram(*arguments, launch=launch))
        return net.kernel(*x), plain


def agree(net, got, want, own, two):
    """Θ and K to rounding, of √(k k'); of one set of inputs exactly symmetric. Each side knows the angle to some 4 ε a
    layer (root, arcsine, product), and the cosine of the inputs to ε, their angle to ε/sin θ, sin θ >= 0.14 here."""
    tolerance = (8 * len(net.layers) + 16) * float(np.finfo(got.ntk.dtype).eps)
    for name in ("nngp", "ntk"):
        left = np.sqrt(np.diag(getattr(own, name)))
        scale = np.outer(left, left[50:290] if two else left)
        assert np.all(np.abs(getattr(got, name) - getattr(want, name)) <= tolerance * scale)
        if not two:
            assert np.array_equal(getattr(got, name), getattr(got, name).T)


CASES = [(name, two, "one") for name in NETS for two in (False, True)] + [
    (name, two, panels) for name in ("relu 3", "mixed") for two in (False, True) for panels in ("many", "redone")
]


@pytest.mark.parametrize("net, two, panels", CASES)
def test_panels_of_the_kernel_agree_with_the_layers_one_by_one(monkeypatch, on_host, net, two, panels):
    """Parallel, antiparallel, equal and zero inputs included. "many": panels of some 30 rows; "redone": no list for
    left-out pairs, so that panels with any go whole through the accurate steps, in blocks smaller than a panel."""
    if panels != "one":
        monkeypatch.setattr(fused_cuda, "_PAIRS", 9000)
        monkeypatch.setattr(fused_cuda, "_PANELS", 20)
        monkeypatch.setattr(fused_cuda, "_MANY", 100)  # close pairs of some panels at a time, and of the last ones
    if panels == "redone":
        monkeypatch.setattr(fused_cuda, "_LEAST", 0)
        monkeypatch.setattr(fused_cuda, "_FEW", 1e-4)
        monkeypatch.setattr(fused_cuda, "_WHOLE", 101)
    x = points()
    arguments = (x, x[50:290] * 1.0) if two else (x,)
    got, want = kernels(monkeypatch, NETS[net], on_host(float), *arguments)
    own = kernels(monkeypatch, NETS[net], on_host(float), x)[1] if two else want
    agree(NETS[net], got, want, own, two)


def test_a_panel_redone_is_symmetric_though_its_blocks_are_not(monkeypatch):
    """What a matrix product leaves below the diagonal is not used."""
    monkeypatch.setattr(fused_cuda, "_WHOLE", 3)
    full = np.random.default_rng(0).standard_normal((2, 10, 10))
    K, T = np.zeros((2, 10, 10))
    for rows in (slice(0, 4), slice(4, 10)):
        fused_cuda._redo(K, T, rows, rows.start, True, lambda r, c: (full[0][r, c], full[1][r, c]))
    for got, given in ((K, full[0]), (T, full[1])):
        np.testing.assert_array_equal(got, np.triu(given) + np.triu(given, 1).T)


@pytest.mark.parametrize("net", ["relu 3", "relu 10, bias", "mixed"])
def test_float32_has_the_same_error_in_its_own_units(monkeypatch, on_host, net):
    x = small(points("float32"))
    got, want = kernels(monkeypatch, NETS[net], on_host(np.float32), x)
    assert got.ntk.dtype == np.float32
    agree(NETS[net], got, want, want, False)


def test_a_list_that_is_too_short_is_not_believed(monkeypatch, on_host):
    """A kernel that reports one pair fewer than it leaves out would fail the tests above."""
    x, net, honest = points(), NETS["relu 3"], on_host(float)

    def forgetful(grid, block, arguments):
        honest(grid, block, arguments)
        arguments[-3][0] -= arguments[-3][0] > 0

    got, want = kernels(monkeypatch, net, forgetful, x)
    with pytest.raises(AssertionError):
        agree(net, got, want, want, False)


@pytest.mark.parametrize("two", [False, True])
def test_memory_beside_the_results_is_small(monkeypatch, on_host, two):
    """Peak within 1.3 times both results, n = 1500, d = 100: a quarter of the rows at a time, unit vectors 0.03."""
    import tracemalloc

    x, launch = np.random.default_rng(0).standard_normal((1500, 100)), on_host(float)
    monkeypatch.setattr(fused, "gram", lambda *arguments: fused_cuda.gram(*arguments, launch=launch))
    tracemalloc.start()
    k = NETS["relu 3"].kernel(*((x, x + 1) if two else (x,)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 1.3 * (k.nngp.nbytes + k.ntk.nbytes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_compiles_for_a_gpu(tmp_path, dtype):
    try:
        host_kernels.compiler("nvcc")
    except RuntimeError as reason:
        pytest.skip(str(reason))
    assert ".entry dense_layers(" in host_kernels.ptx(fused_cuda.SOURCE, dtype, tmp_path)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_on_a_gpu_the_kernel_agrees_with_the_layers_one_by_one(monkeypatch, net, two, dtype):
    from corollary.testing import cupy_backend

    try:
        backend = cupy_backend()
    except RuntimeError as reason:
        pytest.skip(str(reason))
    x = points(dtype) if dtype == "float64" else small(points(dtype))
    sets = [backend.asarray(v, dtype) for v in ((x, x[50:290]) if two else (x,))]
    calls = []
    monkeypatch.setattr(fused_cuda, "gram", lambda *a, honest=fused_cuda.gram: calls.append(1) or honest(*a))
    got = net.kernel(*sets)
    assert calls == [1]
    with monkeypatch.context() as m:
        m.setattr(fused, "applies", lambda layers, x: False)
        want, own = net.kernel(*sets), net.kernel(sets[0])
    got, want, own = (ntk.Kernel(backend.numpy(k.nngp), backend.numpy(k.ntk)) for k in (got, want, own))
    agree(net, got, want, own, two)
