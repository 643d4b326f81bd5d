"""The GPU's kernels of ADMM and FISTA: their text compiled for the host, against the plain steps; for a GPU; on one."""

from types import SimpleNamespace

import numpy as np
import pytest

from corollary.testing import host_kernels
from corollary.theory import convex_relu
from corollary.theory.convex_relu import admm, fista, fused_cuda
from corollary.theory.convex_relu.first_order import by_admm
from corollary.theory.convex_relu.problem import checked

NAMES = ("groups", "cones", "prox", "momentum")
EPS = {name: float(np.finfo(name).eps) for name in ("float32", "float64")}


@pytest.fixture(scope="module")
def on_host(host_kernel):
    """kernels(dtype)(name), as `kernels=` of the steps takes them."""
    return lambda dtype: lambda name: host_kernel(fused_cuda.SOURCE, name, dtype)


def problem(loss="squared", n=23, d=5, P=7, B=3, dtype="float64", seed=0, zero_row=True):
    """Rows and patterns as they come, a zero row among them; targets (n, B)."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[3] *= not zero_row
    Y = rng.standard_normal((n, B))
    D = (X @ rng.standard_normal((d, P)) >= 0).astype(dtype)
    return X.astype(dtype), (Y if loss == "squared" else np.where(Y > 0, 1, -1)).astype(dtype), D


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("d", [1, 32, 33, 70])
def test_groups_is_its_formula(on_host, dtype, d):
    """15 operations of a component, and ‖p‖ by 32 partial sums: relative 60 ε at worst, of sizes up to 8 (u), 24 (p)
    and 32 (what is added up in 2v − p): the normal numbers drawn are within four of zero."""
    rng, (B, P) = np.random.default_rng(d), (2, 5)
    p, Z = (rng.standard_normal((B, 2, P, d)).astype(dtype) for _ in range(2))
    push, shrink = rng.standard_normal((P, B, d)).astype(dtype), rng.random((B, 2, P)).astype(dtype)
    p[0, 0, 0], Z[0, 0, 0], push[0, 0] = 0, 0, 0  # a group that stays at zero
    level = np.array([0.5, 1e3], dtype)  # and one column below its threshold
    stacked, relax = np.full((2 * B * P, d + 4), np.nan, dtype), np.dtype(dtype).type(1.7)
    want_u = Z.astype(float) + np.array([1, -1])[:, None, None] * push.transpose(1, 0, 2)[:, None].astype(float)
    want_p = p.astype(float) + 1.7 * (want_u - shrink[..., None].astype(float) * p)
    v = admm.group_threshold(want_p, level.astype(float)[:, None, None, None])
    on_host(dtype)("groups")((5, 1), (32, 4), (
        np.int64(2 * B * P), np.int64(B), np.int64(P), np.int32(d), push, level, relax, p, Z, shrink, stacked,
        np.int64(d + 4),
    ))  # fmt: skip
    bound = 60 * EPS[dtype]
    np.testing.assert_allclose(Z, want_u, rtol=0, atol=8 * bound)
    np.testing.assert_allclose(p, want_p, rtol=0, atol=24 * bound)
    np.testing.assert_allclose(stacked[:, :d].reshape(p.shape), 2 * v - want_p, rtol=0, atol=32 * bound)
    np.testing.assert_allclose(shrink[..., None] * want_p, v, rtol=0, atol=32 * bound)
    assert np.all(np.isnan(stacked[:, d:])) and not p[0, 0, 0].any() and shrink[0, 0, 0] == 0
    assert not shrink[1].any() and shrink[0, 1].any()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cones_is_its_formula(on_host, dtype, masked):
    """300 rows are more than a block. Rounding, of numbers drawn within four of zero: 1.7/2 and its product, of up to
    6.8, half an ε three times; the difference, up to 4, and the sum, up to 8, half an ε each: 17 ε. A row left out
    has t for E|t|."""
    rng, (G, P, n, d) = np.random.default_rng(0), (12, 3, 300, 2)
    t, push = (rng.standard_normal((G, n)).astype(dtype) for _ in range(2))
    t[0, :3], on = [0.0, -0.0, 1e-30], (rng.random((P, n)) > 0.5).astype(np.int8)
    stacked, e = np.full((G, d + n), np.nan, dtype), np.tile(2.0 * on - 1, (4, 1))
    keep = (rng.random((2, n)) > 0.5).astype(np.int8)
    kept = np.repeat(keep, 2 * P, axis=0).astype(bool) if masked else np.True_
    want = t.astype(float) - 1.7 / 2 * (t + np.where(kept, e * np.abs(t), t)) + push
    on_host(dtype)("cones")((G, 2), (256, 1), (
        np.int64(P), np.int64(n), np.int32(d), on, np.int32(masked), keep, push, np.dtype(dtype).type(1.7),
        t, stacked, np.int64(d + n),
    ))  # fmt: skip
    np.testing.assert_allclose(t, want, rtol=0, atol=17 * EPS[dtype])
    np.testing.assert_array_equal(stacked[:, d:], np.where(kept, e * np.abs(t), t).astype(dtype))
    assert np.all(np.isnan(stacked[:, :d]))


@pytest.mark.parametrize("folds", [False, True])
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("loss", ["squared", "hinge", "logistic"])
@pytest.mark.parametrize("dtype, steps, tolerance", [("float64", 30, 1e-12), ("float32", 30, 3e-4)])
def test_admm_takes_the_same_steps(on_host, dtype, steps, tolerance, loss, gated, folds):
    """Batched, over-relaxed, from zero and from a state with other penalties and fewer columns; all rows, or each
    column its own. The map is not
    expansive: each step adds some 100 ε of the iterates, which are of order 1 to 10."""
    X, Y, D = problem(loss, dtype=dtype)
    f, betas = admm.factors(X, D, 0.0 if gated else 1.0), np.array([0.3, 1.0, 50.0])
    keep = np.random.default_rng(1).random((3, len(X))) < 0.7 if folds else None
    states, seen = [admm.start(f, Y, np.array([0.5, 1.0, 2.0]), keep) for _ in range(2)], ([], [])

    def record(into):
        return lambda s: into.append([a.copy() for a in (s.p, s.t, s.h, s.u, s.e)] + [s.steps])

    def both(Y, betas):
        admm.run(f, Y, betas, loss, states[0], steps, on_step=record(seen[0]))
        fused_cuda.admm_steps(f, Y, betas, loss, states[1], steps, relax=admm._RELAX, on_step=record(seen[1]),
                              kernels=on_host(dtype))  # fmt: skip

    both(Y, betas)
    for k in (0, 1):
        admm.change_rho(f, states[k], betas, np.array([1.5, 0.2, 1.0]))
        states[k] = admm.columns(states[k], np.array([0, 2]))
    both(Y[:, [0, 2]].copy(), betas[[0, 2]])
    assert len(seen[0]) == len(seen[1]) == 2 * steps
    for plain, fused in zip(*seen, strict=True):
        assert plain[-1] == fused[-1]
        for a, b in zip(plain[:-1], fused[:-1], strict=True):
            assert a.dtype == b.dtype == np.dtype(dtype)
            np.testing.assert_allclose(b, a, rtol=0, atol=tolerance)


@pytest.mark.parametrize("folds", [False, True])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-3)])
def test_fista_takes_the_same_steps(on_host, dtype, tolerance, loss, folds):
    """Batched, on all rows or each column on its own, restarts included, and from a given start, which stays as it is.
    Momentum may expand errors, each step by at most (t − 1)/t⁺ < 1 of what the last one moved: some steps² ε."""
    X, Y, D = problem(loss, dtype=dtype)
    L = fista.lipschitz(X, D) * (0.25 if loss == "logistic" else 1)
    betas, z0 = np.array([0.1, 0.5, 2.0]), np.random.default_rng(1).standard_normal((3, 7, 5)).astype(dtype)
    steps, keep = 60, (np.random.default_rng(1).random(Y.shape) < 0.7).astype(dtype) if folds else None

    def stop(into):
        return lambda k, z, f: into.append((k, z.copy(), f.copy())) or k == steps - 3

    for begin in (None, z0):
        seen = [], []
        options = {"steps": steps, "every": 1, "z0": begin, "keep": keep}
        want = fista.fista(X, Y, betas, D, loss, stop=stop(seen[0]), **options)
        got = fused_cuda.fista_steps(X, Y, betas / L, D, loss, 1 / L, stop=stop(seen[1]), kernels=on_host(dtype),
                                     **options)  # fmt: skip
        assert got[1] == want[1] == steps - 3 and len(seen[0]) == len(seen[1]) == steps - 3
        for plain, fused in zip(*seen, strict=True):
            for a, b in zip(plain, fused, strict=True):
                np.testing.assert_allclose(b, a, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(got[0], seen[1][-1][1])
        assert got[0].flags.c_contiguous
    np.testing.assert_array_equal(z0, np.random.default_rng(1).standard_normal((3, 7, 5)).astype(dtype))


def test_the_momentum_restarts_and_its_sequence_is_nesterovs(on_host):
    """Column 0 points uphill: t begins anew and x stays at the prox; column 1 goes on."""
    rng, shape = np.random.default_rng(0), (6, 2, 33)
    new, z, x = (rng.standard_normal(shape) for _ in range(3))
    t, after, ahead = np.array([5.0, 5.0]), np.zeros(2), np.zeros(2)
    on_host("float64")("momentum")((3, 1), (32, 4), (
        np.int64(12), np.int64(2), np.int32(33), new, z, np.array([1e-9, 0.0]), t, x, after, ahead))  # fmt: skip
    np.testing.assert_allclose(after, [(1 + 5**0.5) / 2, (1 + 101**0.5) / 2], rtol=1e-15)
    np.testing.assert_allclose(ahead, [0, 4 / after[1]], rtol=1e-15)
    np.testing.assert_allclose(x, new + ahead[:, None] * (new - z), rtol=0, atol=1e-14)


@pytest.fixture
def as_on_a_gpu(monkeypatch, on_host):
    """NumPy arrays taken for CuPy's by the dispatch, kernels on the host; the names of those asked for."""
    asked = []
    monkeypatch.setattr(fused_cuda.cuda, "kernel",
                        lambda source, name, dtype: asked.append(name) or on_host(dtype)(name))  # fmt: skip
    for module in (admm, fista):
        monkeypatch.setattr(module, "array_api_compat", SimpleNamespace(is_cupy_array=lambda a: True))
    return asked


def test_float32_iterates_carry_a_float64_certificate(as_on_a_gpu):
    """solve() takes the kernels where the arrays are a GPU's; its bounds enclose the optimum of the float32 data."""
    X, Y, D = problem(dtype="float32", B=1)
    for gated, solver in ((False, "admm"), (True, "fista")):
        s = convex_relu.solve(X, Y[:, 0], 0.5, D, gated=gated, tol=1e-4, solver=solver)
        exact = convex_relu.solve(X.astype(float), Y[:, 0].astype(float), 0.5, D.astype(float), gated=gated, tol=1e-9,
                                  solver="interior-point")  # fmt: skip
        assert s.V.dtype == np.float32 and s.certificate.relative <= 1e-4
        assert s.certificate.dual <= exact.certificate.primal and exact.certificate.dual <= s.certificate.primal
        assert 0 < s.certificate.gap / s.objective <= 1e-4
    assert set(as_on_a_gpu) == set(NAMES)


def test_many_penalties_at_once_are_the_penalties_one_by_one(as_on_a_gpu):
    """by_admm over β: every column certified, and no lower than the optimum of its own β."""
    X, Y, D = problem(B=1)
    betas = np.array([0.3, 0.6, 1.2])
    found = by_admm(checked(X, np.tile(Y, 3), 1.0, D), 1e-5, 5000, lambda *_: None, betas)
    for candidate, beta in zip(found, betas, strict=True):
        exact = convex_relu.solve(X, Y[:, 0], float(beta), D, tol=1e-9, solver="interior-point")
        fit = np.sum(X * (D @ (candidate.u[0] - candidate.u[1])), axis=1)
        value = 0.5 * np.sum((fit - Y[:, 0]) ** 2) + beta * np.linalg.norm(candidate.u, axis=2).sum()
        assert exact.certificate.dual <= value <= exact.certificate.primal * (1 + 1e-5)
    assert set(as_on_a_gpu) == {"groups", "cones"}


@pytest.mark.parametrize("gated, solver", [(False, "admm"), (True, "fista")])
def test_folds_go_through_the_kernels(as_on_a_gpu, gated, solver):
    """Every (fold, β) certified, and no lower than the optimum of its own rows."""
    X, Y, D = problem(B=1)
    cv = convex_relu.cross_validate(X, Y[:, 0], D, [0.3, 1.2], 3, gated=gated, tol=1e-5, solver=solver)
    for k, row in enumerate(cv.solutions):
        at = np.arange(len(X)) % 3 != k
        for beta, s in zip(cv.betas, row, strict=True):
            exact = convex_relu.solve(X[at], Y[at, 0], float(beta), D[at], gated=gated, tol=1e-9)
            assert exact.certificate.dual <= s.objective <= exact.certificate.primal * (1 + 1e-5)
    assert set(as_on_a_gpu) == ({"prox", "momentum"} if gated else {"groups", "cones"})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernels_compile_for_a_gpu(tmp_path, dtype):
    try:
        host_kernels.compiler("nvcc")
    except RuntimeError as reason:
        pytest.skip(str(reason))
    text = host_kernels.ptx(fused_cuda.SOURCE, dtype, tmp_path)
    assert all(f".entry {name}(" in text for name in NAMES)


def larger(loss, dtype):
    """Without the zero row: K's eigenvalue 0 would make the condition number of `eigen_error` 5e4 where it is 64."""
    return problem(loss, n=300, d=40, P=50, dtype=dtype, zero_row=False)


def twenty_steps(loss, gated, X, Y, D):
    """Where 20 steps of ADMM, and of FISTA where it applies, end: by name, with the axes of rows and of patterns."""
    betas, f = np.array([0.3, 1.0, 5.0]), admm.factors(X, D, 0.0 if gated else 1.0)
    s = admm.run(f, Y, betas, loss, admm.start(f, Y, betas), 20)
    ends = {"p": (s.p, None, 2), "t": (s.t, 3, 2), "h": (s.h, 0, None), "u": (s.u, None, 2), "e": (s.e, 0, None)}
    if loss != "hinge":
        ends["z"] = (fista.fista(X, Y, betas, D, loss, steps=20)[0], None, 1)
    return ends


def eigen_error(X, D, gated, to_host=lambda a: a):
    """Of the eigenvectors that `admm` solves with, on the device of X: relative backward error and loss of
    orthogonality; and the condition number of I + K/ρ for the least ρ of `twenty_steps`."""
    kappa = 0.0 if gated else 1.0
    f = admm.factors(X, D, kappa)
    X, D, Q, values = (to_host(a).astype(float) for a in (X, D, f.Q, f.values))
    K = 2 * (X @ np.linalg.solve(np.eye(X.shape[1]) + kappa * X.T @ X, X.T)) * (D @ D.T)
    backward = np.linalg.norm((Q * values) @ Q.T - K, 2) / np.linalg.norm(K, 2)
    lost = np.linalg.norm(Q.T @ Q - np.eye(len(Q)), 2)
    assert max(backward, lost) < len(Q) * EPS[str(f.Q.dtype)]  # what a backward stable solver may do
    return backward + lost, (1 + values.max() / 0.3) / (1 + values.min() / 0.3)


def same_but_for_roundings(got, want, errors, dtype):
    """Each step solves with I + K/ρ by eigenvectors: e, and with it all else, is off by their errors, and some ε, times
    the condition number; the map is not expansive and adds the steps up."""
    tolerance = 20 * (sum(e for e, _ in errors) + 2 * EPS[dtype]) * errors[0][1]
    assert tolerance < (0.02 if dtype == "float32" else 1e-10)
    for name, (a, *_) in want.items():
        np.testing.assert_allclose(got[name], a, rtol=0, atol=tolerance * np.max(np.abs(a), initial=1), err_msg=name)


def each(test):
    for name, values in (("dtype", EPS), ("gated", [False, True]), ("loss", ["squared", "hinge", "logistic"])):
        test = pytest.mark.parametrize(name, values)(test)
    return test


@each
def test_rows_and_patterns_may_come_in_any_order(loss, gated, dtype):
    (X, Y, D), rng = larger(loss, dtype), np.random.default_rng(0)
    rows, patterns = rng.permutation(X.shape[0]), rng.permutation(D.shape[1])
    found = twenty_steps(loss, gated, X[rows].copy(), Y[rows].copy(), D[rows][:, patterns].copy())
    back = {}
    for name, (a, of_rows, of_patterns) in found.items():
        for axis, order in ((of_rows, rows), (of_patterns, patterns)):
            a = a if axis is None or a.size == 0 else np.take(a, np.argsort(order), axis=axis)
        back[name] = a
    errors = eigen_error(X, D, gated), eigen_error(X[rows], D[rows], gated)
    same_but_for_roundings(back, twenty_steps(loss, gated, X, Y, D), errors, dtype)


@pytest.mark.gpu
@each
def test_on_a_gpu_the_steps_are_those_of_numpy(monkeypatch, loss, gated, dtype):
    from corollary.testing import cupy_backend

    try:
        backend = cupy_backend()
    except RuntimeError as reason:
        pytest.skip(str(reason))
    (X, Y, D), calls = larger(loss, dtype), []
    for name in ("admm_steps", "fista_steps"):
        honest = getattr(fused_cuda, name)
        monkeypatch.setattr(fused_cuda, name, lambda *a, honest=honest, **k: calls.append(1) or honest(*a, **k))
    want = twenty_steps(loss, gated, X, Y, D)
    assert not calls
    x, y, on = (backend.asarray(v, dtype) for v in (X, Y, D))
    found = twenty_steps(loss, gated, x, y, on)
    assert len(calls) == (1 if loss == "hinge" else 2)
    errors = eigen_error(X, D, gated), eigen_error(x, on, gated, backend.numpy)
    same_but_for_roundings({name: backend.numpy(a) for name, (a, *_) in found.items()}, want, errors, dtype)
