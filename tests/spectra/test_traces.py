"""Traces and diagonals against dense linear algebra; their intervals against their level; operators of every kind."""

import math

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from corollary.sims.spectra.density import lanczos_density
from corollary.sims.spectra.diagonals import diagonal
from corollary.sims.spectra.eigenpairs import top_eigenpairs
from corollary.sims.spectra.operators import as_operator
from corollary.sims.spectra.traces import METHODS, trace

N = 60
DECAY = 1 / np.arange(1, N + 1) ** 2.0


def symmetric(values, seed=0):
    values = np.asarray(values, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    A = Q * values @ Q.T
    return (A + A.T) / 2


def rng(seed=0):
    return np.random.default_rng(seed)


# --- traces


def xtrace_naive(A, Omega):
    """Epperly, Tropp, Webber 2024, Algorithm 1.2 in words: leave one column out of the sketch, every time anew."""
    n, k = Omega.shape
    samples = []
    for i in range(k):
        Q = np.linalg.qr(A @ np.delete(Omega, i, axis=1))[0]
        w = Omega[:, i] - Q @ (Q.T @ Omega[:, i])
        samples.append(np.trace(Q.T @ A @ Q) + w @ A @ w * (n - k + 1) / (w @ w))
    return np.array(samples)


def test_xtrace_is_its_naive_twin(backend):
    A = symmetric(DECAY)
    draws = rng(5).standard_normal((N, 8))
    samples = xtrace_naive(A, draws * np.sqrt(N) / np.linalg.norm(draws, axis=0))
    got = trace(backend.asarray(A), products=16, method="xtrace", rng=rng(5))
    # the basis is orthogonal to rounding, the leave-one-out directions to κ(R) of it: κ(R) is below 1e3 here
    assert got.value == pytest.approx(samples.mean(), rel=1e-12)
    assert got.products == 16 and got.high - got.low == pytest.approx(
        2 * 3.4994832974 * (1 + 11 / 8) * samples.std(ddof=1) / math.sqrt(8), rel=1e-8
    )  # Student's 99.5 % quantile at 7 degrees of freedom, widened


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["decay", "flat", "indefinite"])
def test_intervals_cover_at_their_level(method, name):
    """400 estimates: at a true rate of 5 % more than 36 misses of the 95 % interval would come once in 10⁴ runs."""
    values = {"decay": DECAY, "flat": np.linspace(1, 2, N), "indefinite": np.sin(np.arange(N))}[name]
    A = symmetric(values)
    estimates = [trace(A, products=30, method=method, rng=rng(s), level=0.95) for s in range(400)]
    misses = sum(not e.low <= values.sum() <= e.high for e in estimates)
    assert misses <= 36
    # and no interval so wide that it says nothing: unbiased within five standard errors of the 400 estimates
    found = np.array([e.value for e in estimates])
    assert abs(found.mean() - values.sum()) < 5 * found.std() / 20 + 1e-12


def test_hutch_plus_plus_and_xtrace_beat_hutchinson_on_a_decaying_spectrum():
    A = symmetric(DECAY)
    error = {
        m: np.sqrt(
            np.mean([(trace(A, products=30, method=m, rng=rng(s)).value - DECAY.sum()) ** 2 for s in range(100)])
        )
        for m in METHODS
    }
    assert error["xtrace"] < error["hutch++"] / 1.5 and error["hutch++"] < error["hutchinson"] / 10


@pytest.mark.parametrize("method", ["hutch++", "xtrace"])
@pytest.mark.parametrize(
    "values", [np.zeros(N), np.r_[3.0, -1.0, np.zeros(N - 2)], np.r_[np.full(4, 2.0), np.zeros(N - 4)]]
)
def test_low_rank_traces_are_exact(backend, method, values):
    got = trace(backend.asarray(symmetric(values)), products=30, method=method, rng=rng())
    assert abs(got.value - values.sum()) < 1e-12
    assert got.low <= values.sum() <= got.high and got.high - got.low < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_one_by_one(method):
    got = trace(np.array([[2.5]]), products=10, method=method, rng=rng())
    assert got.low <= 2.5 <= got.high and got.high - got.low < 1e-12


# --- diagonal


def test_xdiag_is_its_naive_twin_and_unbiased(backend):
    A = symmetric(DECAY)
    got = diagonal(backend.asarray(A), products=20, rng=rng(3))
    Omega = np.random.default_rng(3).integers(0, 2, (N, 10)) * 2.0 - 1.0
    naive = []
    for i in range(10):
        Q = np.linalg.qr(A @ np.delete(Omega, i, axis=1))[0]
        w = Omega[:, i]
        naive.append(np.diag(Q @ Q.T @ A) + w * (A @ w - Q @ (Q.T @ (A @ w))))
    np.testing.assert_allclose(backend.numpy(got.values), np.mean(naive, axis=0), rtol=0, atol=1e-13)
    estimates = np.array([diagonal(A, products=20, rng=rng(s)).values for s in range(200)])
    z = (estimates.mean(axis=0) - np.diag(A)) / (estimates.std(axis=0) / math.sqrt(200))
    assert np.abs(z).max() < 4.8  # 60 entries, normal quantile at 1e-4 in all


def test_xdiag_of_low_rank_is_exact(backend):
    A = symmetric(np.r_[2.0, -1.0, np.zeros(N - 2)])
    np.testing.assert_allclose(
        backend.numpy(diagonal(backend.asarray(A), products=12, rng=rng()).values), np.diag(A), atol=1e-13
    )
    assert np.all(diagonal(np.zeros((5, 5)), products=4, rng=rng()).values == 0)


# --- operators


def test_every_kind_of_operator_gives_the_same_number():
    A = symmetric(DECAY)
    kinds = [
        A, aslinearoperator(A), scipy.sparse.csr_array(A), scipy.sparse.csr_matrix(A),
        LinearOperator(A.shape, matvec=lambda v: A @ v, dtype=float),  # pyright: ignore[reportCallIssue]
    ]  # fmt: skip
    found = [trace(kind, products=20, rng=rng(4)).value for kind in kinds]
    found.append(trace(lambda V: A @ V, n=N, products=20, rng=rng(4)).value)
    np.testing.assert_allclose(found, found[0], rtol=1e-12)


def test_whole_numbers_are_taken_as_floats(backend):
    """Dense, sparse and LinearOperator of integers and bool give what their float64 copies give, to the last bit."""
    A = np.rint(5 * symmetric(np.linspace(-1, 1, N))).astype(int)
    want = trace(A.astype(float), products=20, rng=rng(4)).value
    kinds = [A, A.astype(np.int32), scipy.sparse.csr_array(A), aslinearoperator(A)]
    assert [trace(kind, products=20, rng=rng(4)).value for kind in kinds] == pytest.approx([want] * 4, rel=1e-13)
    there = backend.xp.asarray(A, device=backend.device)
    assert trace(there, products=20, rng=rng(4)).value == pytest.approx(want, rel=1e-12)
    assert trace(np.eye(N, dtype=bool), products=N, rng=rng()).value == N


@pytest.mark.parametrize(
    ("method", "every", "vectors"), [("xtrace", 20, 40), ("hutch++", 18, 24), ("hutchinson", 20, 40)]
)
def test_traces_tell_memory_and_progress(method, every, vectors):
    """First the memory, then every product, in eights; the numbers stay; a range that is small counts as done."""
    A, calls = symmetric(DECAY), []
    got = trace(A, products=20, method=method, rng=rng(1), progress=lambda *call: calls.append(call))
    assert got.value == pytest.approx(trace(A, products=20, method=method, rng=rng(1)).value, rel=1e-12)
    assert calls[0] == (0, every, f"{every} products, {vectors} vectors of 60: 0 MiB")
    done = [call[0] for call in calls]
    assert done == sorted(done) and done[-1] == every and max(np.diff(done)) <= 8
    if method != "hutchinson":
        early: list = []
        trace(
            np.diag(np.r_[1.0, np.zeros(59)]),
            products=20,
            method=method,
            rng=rng(),
            progress=lambda *c: early.append(c),
        )
        assert early[-1][:2] == (every, every)


def test_diagonals_tell_memory_and_progress():
    calls: list = []
    diagonal(symmetric(DECAY), products=20, rng=rng(1), progress=lambda *call: calls.append(call))
    assert calls[0] == (0, 20, "20 products, 60 vectors of 60: 0 MiB") and calls[-1][:2] == (20, 20)
    diagonal(np.diag(np.r_[1.0, np.zeros(59)]), products=20, rng=rng(), progress=lambda *call: calls.append(call))
    assert calls[-1][:2] == (20, 20)


def test_float32_stays_float32_and_says_so():
    A = symmetric(np.linspace(1, 2, N)).astype(np.float32)
    got = top_eigenpairs(A, 2)
    assert got.vectors.dtype == np.float32
    assert abs(got.values[0] - 2) < 1e-4 and got.residuals.max() < 1e-3
    assert abs(lanczos_density(A, steps=10, probes=4, rng=rng()).edges[1] - 2) < 0.05


@pytest.mark.parametrize(
    ("operator", "n", "error", "message"),
    [
        (np.ones((2, 3)), None, ValueError, r"shape \(2, 3\); expected \(n, n\)"),
        (np.array([[0.0, 1.0], [0.0, 0.0]]), None, ValueError, "not symmetric"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), None, FloatingPointError, "NaN or infinity"),
        (np.eye(3, dtype=complex), None, TypeError, "dtype complex128; expected float64 or float32: cast it"),
        (aslinearoperator(1j * np.eye(3)), None, TypeError, "dtype complex128; expected float64 or float32: cast it"),
        (np.zeros((0, 0)), None, ValueError, r"shape \(0, 0\)"),
        (lambda V: V, None, ValueError, "pass n="),
        (lambda V: V[:, 0], 3, ValueError, r"returned shape \(3,\) for V of shape \(3, 2\)"),
        (np.eye(3), 4, ValueError, r"n = 4, but the operator has shape \(3, 3\)"),
        ("matrix", None, TypeError, "got str"),
    ],
)
def test_bad_operators(operator, n, error, message):
    with pytest.raises(error, match=message):
        as_operator(operator, n)


EYE = np.eye(4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: trace(EYE, products=3, rng=rng()), ValueError, "products = 3; expected at least 4"),
        (lambda: trace(EYE, products=True, rng=rng()), TypeError, "products = True"),
        (lambda: trace(EYE, method="hutch", rng=rng()), ValueError, "method = 'hutch'; expected one of xtrace"),
        (lambda: trace(EYE, rng=0), TypeError, "rng = 0; expected numpy.random.default_rng"),
        (lambda: trace(EYE, rng=rng(), level=99), ValueError, "level = 99"),
        (lambda: lanczos_density(EYE, steps=0, rng=rng()), ValueError, "steps = 0; expected at least 1"),
        (lambda: lanczos_density(EYE, probes=0, rng=rng()), ValueError, "probes = 0; expected at least 1"),
        (lambda: top_eigenpairs(EYE, 5), ValueError, "k = 5; the operator has only 4"),
        (lambda: top_eigenpairs(EYE, 0), ValueError, "k = 0; expected at least 1"),
        (lambda: top_eigenpairs(EYE, 1, which="LM"), ValueError, "which = 'LM'"),
        (lambda: top_eigenpairs(EYE, 1, tol=0), ValueError, "tol = 0"),
        (lambda: diagonal(EYE, products=2, rng=rng()), ValueError, "products = 2"),
        (lambda: lanczos_density(EYE, rng=rng()).trace(lambda x: x * np.inf),
         ValueError, "f is not finite at 1"),
        (lambda: lanczos_density(EYE, rng=rng()).pdf([np.nan]), ValueError, "x holds NaN"),
    ],
)  # fmt: skip
def test_bad_arguments(call, error, message):
    with np.errstate(all="ignore"), pytest.raises(error, match=message):
        call()
