"""KernelMatrix, scikit-learn's interface and kernels from the user's jvp and vjp, against dense linear algebra."""

import pickle
from typing import Any

import numpy as np
import pytest

from corollary.sims.ntk.callables import tangent_kernel
from corollary.testing import guards
from corollary.theory import ntk

RNG = np.random.default_rng(3)
X = RNG.standard_normal((50, 4))
NET = ntk.mlp(depth=2, activation=ntk.Relu(), W_std=1.4, b_std=0.1)
K = NET.kernel(X)


def made(path, tmp_path, **kwargs):
    return ntk.KernelMatrix(NET, X, tile=16, path=tmp_path / "k.npy" if path else None, **kwargs)


@guards(ntk.KernelMatrix.matmat, ntk.KernelMatrix.solve, ntk.KernelMatrix.eigenpairs)
@pytest.mark.parametrize("path", [False, True])
@pytest.mark.parametrize("which", ["ntk", "nngp"])
def test_tiles_act_as_the_dense_matrix(path, which, tmp_path):
    """matmat to rounding, solve to its tolerance times the condition number, top eigenpairs to their residual."""
    A, M = getattr(K, which), made(path, tmp_path, which=which)
    b = RNG.standard_normal((50, 3))
    np.testing.assert_allclose(M.matmat(b), A @ b, rtol=0, atol=1e-12 * np.abs(A).sum())
    for rank in (0, 10):
        got = M.solve(b, reg=0.1, rank=rank, tolerance=1e-10)
        want = np.linalg.norm((A + 0.1 * np.eye(50)) @ got.x - b, axis=0) / np.linalg.norm(b, axis=0)
        assert np.all(want <= 2e-10) and np.all(got.residual <= 1e-10) and got.iterations > 1
        # the residual is what rounding leaves of a difference of vectors of size κ ε ‖b‖ <= 1e-12 ‖b‖
        loose = M.solve(b, reg=0.1, rank=rank, tolerance=1e-4)
        want = np.linalg.norm((A + 0.1 * np.eye(50)) @ loose.x - b, axis=0) / np.linalg.norm(b, axis=0)
        np.testing.assert_allclose(loose.residual, want, atol=1e-11)
        # κ = λ_max/reg is below 1e4 here
        np.testing.assert_allclose(got.x, np.linalg.solve(A + 0.1 * np.eye(50), b), atol=1e-5)
    top = M.eigenpairs(3)
    np.testing.assert_allclose(top.values, np.linalg.eigvalsh(A)[::-1][:3], rtol=1e-10)
    np.testing.assert_allclose(top.vectors.T @ top.vectors, np.eye(3), atol=1e-13)
    want = np.linalg.norm(A @ top.vectors - top.vectors * top.values, axis=0)
    np.testing.assert_allclose(top.residuals, want, atol=1e-12 * top.values[0])


def test_a_file_is_opened_again_and_checked(tmp_path):
    """The stored tiles are those used; another kernel, other inputs or another dtype at that path are errors."""
    path, b = tmp_path / "k.npy", RNG.standard_normal((50, 1))
    first = ntk.KernelMatrix(NET, X, tile=16, path=path)
    again = ntk.KernelMatrix(NET, X, tile=7, path=path, reuse=True)
    assert isinstance(again._stored, np.memmap)
    np.testing.assert_allclose(again.matmat(b), first.matmat(b), rtol=1e-12)
    fresh = ntk.KernelMatrix(NET, X, tile=16, path=tmp_path / "other.npy", reuse=True)  # none there yet: made
    np.testing.assert_array_equal(fresh.matmat(b), first.matmat(b))
    for net, x, which in ((NET, X, "nngp"), (NET, X[::-1].copy(), "ntk"), (NET, X[:49], "ntk"),
                          (NET, X.astype(np.float32), "ntk")):  # fmt: skip
        with pytest.raises(ValueError, match="another matrix"):
            ntk.KernelMatrix(net, x, which=which, path=path, reuse=True)  # pyright: ignore[reportArgumentType]


def test_a_failed_build_leaves_no_file(tmp_path):
    class Failing:
        def kernel(self, x1, x2=None):
            if x2 is not None:
                raise OverflowError("planted")
            return NET.kernel(x1)

    with pytest.raises(OverflowError, match="planted"):
        ntk.KernelMatrix(Failing(), X, tile=16, path=tmp_path / "k.npy")
    assert not list(tmp_path.iterdir())


def test_float32_is_solved_to_its_own_precision():
    M, b = ntk.KernelMatrix(NET, X.astype(np.float32)), RNG.standard_normal((50, 2)).astype(np.float32)
    got = M.solve(b, reg=0.1)
    assert got.x.dtype == np.float32 and np.all(got.residual <= 1e-4)
    with pytest.raises(ValueError, match="tolerance"):
        M.solve(b, reg=0.1, tolerance=0.0)


def test_few_iterations_are_an_error_with_the_residual():
    with pytest.raises(ArithmeticError, match="1 iterations"):
        ntk.KernelMatrix(NET, X).solve(np.ones((50, 1)), reg=0.1, iterations=1)


def test_the_preconditioner_saves_iterations():
    M, b = ntk.KernelMatrix(NET, X), RNG.standard_normal((50, 1))
    assert M.solve(b, reg=1e-3, rank=20).iterations < M.solve(b, reg=1e-3).iterations


def test_operators_work_on_every_backend(backend):
    M = ntk.KernelMatrix(NET, backend.asarray(X), tile=16)
    np.testing.assert_allclose(backend.numpy(M.matmat(backend.asarray(X))), K.ntk @ X, atol=1e-10)
    np.testing.assert_allclose(backend.numpy(M.eigenpairs(2).values), np.linalg.eigvalsh(K.ntk)[-1:-3:-1], rtol=1e-9)


def test_scikit_learn_accepts_the_kernel():
    """Its Gaussian process has our posterior: same equations, its Cholesky against our eigenvectors."""
    gp: Any = pytest.importorskip("sklearn.gaussian_process")
    kernel = ntk.sklearn_kernel(NET)
    np.testing.assert_allclose(kernel.diag(X), np.diag(K.nngp), rtol=1e-13)
    y, Z = np.sin(X[:, 0]), RNG.standard_normal((5, 4))
    model = gp.GaussianProcessRegressor(kernel=kernel, alpha=0.1, optimizer=None).fit(X, y)
    mean, sd = model.predict(Z, return_std=True)
    ours = ntk.posterior(K.nngp, y, NET.kernel(Z, X).nngp, NET.kernel(Z).nngp, noise=0.1)
    np.testing.assert_allclose(mean, ours.mean, rtol=1e-9)
    np.testing.assert_allclose(sd**2, np.diag(ours.covariance), rtol=1e-8)
    ridges: Any = pytest.importorskip("sklearn.kernel_ridge")
    svm: Any = pytest.importorskip("sklearn.svm")
    # kernel ridge is the limit of training with reg: the same linear system, solved by its Cholesky
    tangent = ntk.sklearn_kernel(NET, "ntk")
    ridge = ridges.KernelRidge(kernel="precomputed", alpha=0.1).fit(tangent(X), y)
    ends = ntk.gradient_flow(K, y, reg=0.1).mean(float("inf"), NET.kernel(Z, X))
    np.testing.assert_allclose(ridge.predict(tangent(Z, X)), ends, rtol=1e-8)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(Z), mean)
    assert svm.SVC(kernel=ntk.sklearn_kernel(NET, "ntk"), C=1e3).fit(X, y > 0).score(X, y > 0) == 1


def callables():
    """A two-layer tanh network with two outputs, θ = (W, V) flat, by hand."""
    W, V = RNG.standard_normal((7, 4)), RNG.standard_normal((2, 7))

    def jvp(x, v):
        dW, dV = v[:28].reshape(7, 4), v[28:].reshape(2, 7)
        h = np.tanh(x @ W.T)
        return h @ dV.T + ((1 - h**2) * (x @ dW.T)) @ V.T

    def vjp(x, c):
        h = np.tanh(x @ W.T)
        return np.concatenate([(((c @ V) * (1 - h**2)).T @ x).reshape(-1), (c.T @ h).reshape(-1)])

    return W, V, jvp, vjp


def test_the_kernel_of_callables_is_the_sum_over_layers():
    """Θ = δ_km φ·φ' + (x·x') Σ_j V_kj V_mj φ'_j φ'_j for the two-layer network."""
    W, V, jvp, vjp = callables()
    a, b = X[:3], X[3:7]
    h, g = np.tanh(a @ W.T), np.tanh(b @ W.T)
    want = np.einsum("km,ij->ikjm", np.eye(2), h @ g.T) + np.einsum(
        "ij,kn,mn,in,jn->ikjm", a @ b.T, V, V, 1 - h**2, 1 - g**2
    )
    for given in (None, jvp):
        np.testing.assert_allclose(tangent_kernel(vjp, a, b, outputs=2, jvp=given), want, rtol=1e-12, atol=1e-12)
        one = tangent_kernel(vjp, a, outputs=2, jvp=given).reshape(6, 6)
        assert np.array_equal(one, one.T) and np.linalg.eigvalsh(one).min() > 0


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ntk.KernelMatrix(NET, X, which="both"), ValueError, "nngp"),  # pyright: ignore[reportArgumentType]
        (lambda: ntk.KernelMatrix(NET, X, tile=0), ValueError, "tile"),
        (lambda: ntk.KernelMatrix(NET, X, path=__file__), FileExistsError, "another path"),
        (lambda: ntk.KernelMatrix(NET, X).matmat(np.ones((3, 1))), ValueError, "50"),
        (lambda: ntk.KernelMatrix(NET, X).solve(np.zeros((50, 1))), ValueError, "zeros"),
        (lambda: ntk.KernelMatrix(NET, X).eigenpairs(51), ValueError, "from 1 to 50"),
        (lambda: ntk.sklearn_kernel(NET, "mean"), ValueError, "nngp"),
        (lambda: tangent_kernel(lambda x, c: c, X), ValueError, "flat"),
        (lambda: tangent_kernel(lambda x, c: c[0], X, jvp=lambda x, v: v), ValueError, "jvp"),
        (lambda: tangent_kernel(lambda x, c: c[0], X, outputs=0), ValueError, "outputs"),
    ],
)
def test_bad_arguments_are_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()
