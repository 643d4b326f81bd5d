"""Steps of ADMM and FISTA on a GPU are those of NumPy, up to what sums in another order change."""

import numpy as np
import pytest

from corollary.theory.convex_relu import admm, fista, fused_cuda

EPS = {name: float(np.finfo(name).eps) for name in ("float32", "float64")}


def problem(loss, dtype):
    """Gaussian inputs (300, 40), 50 sampled patterns, three targets. No zero row: K's eigenvalue 0 would make the
    condition number of `eigen_error` 5e4 where it is 64."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((300, 40)), rng.standard_normal((300, 3))
    D = (X @ rng.standard_normal((40, 50)) >= 0).astype(dtype)
    return X.astype(dtype), (Y if loss == "squared" else np.where(Y > 0, 1, -1)).astype(dtype), D


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


CASES = [
    pytest.mark.parametrize("dtype", ["float64", "float32"]),
    pytest.mark.parametrize("gated", [False, True]),
    pytest.mark.parametrize("loss", ["squared", "hinge", "logistic"]),
]


def each(test):
    for mark in CASES:
        test = mark(test)
    return test


@each
def test_rows_and_patterns_may_come_in_any_order(loss, gated, dtype):
    (X, Y, D), rng = problem(loss, dtype), np.random.default_rng(0)
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
    (X, Y, D), calls = problem(loss, dtype), []
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
