"""The five lines of the README on a user's own model: a sparse matrix, and a PyTorch product as a callable."""

import numpy as np
import pytest
import scipy.sparse

from corollary.sims import spectra


def test_a_sparse_matrix():
    """The Laplacian of a path: eigenvalues 2 − 2cos(πj/(n+1)) in (0, 4), trace 2n."""
    n = 500
    A = scipy.sparse.csr_array(2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1))
    rng = np.random.default_rng(0)
    density = spectra.lanczos_density(A, steps=60, probes=8, rng=rng)
    top = spectra.top_eigenpairs(A, 3)
    trace = spectra.trace(A, method="hutch++", rng=rng)
    exact = 2 - 2 * np.cos(np.pi * np.arange(n, n - 3, -1) / (n + 1))
    np.testing.assert_allclose(top.values, exact, rtol=0, atol=top.residuals.max() ** 2 / 1e-5 + 1e-12)
    assert trace.low <= 2 * n <= trace.high
    # a path's spectrum has the arcsine law; F(1) = 1/3, to the resolution and five standard errors of eight probes
    assert abs(density.cdf(1.0) - 1 / 3) < density.resolution / (np.pi * np.sqrt(3)) * 2 + 5 * np.sqrt(2 / n / 8) / 2


def test_a_torch_hessian_vector_product():
    """Products by double backward agree with the dense Hessian, so do its largest eigenvalue and its trace."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3)).double()
    x, y = torch.randn(20, 5).double(), torch.randint(0, 3, (20,))
    parameters = [p for p in model.parameters() if p.requires_grad]
    n = sum(p.numel() for p in parameters)

    def hessian_products(V):  # (n, k) NumPy in and out
        loss = torch.nn.functional.cross_entropy(model(x), y)
        gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, create_graph=True)])
        columns = [
            torch.autograd.grad(gradient @ torch.from_numpy(v.copy()), parameters, retain_graph=True) for v in V.T
        ]
        return np.stack([torch.cat([g.flatten() for g in column]).numpy() for column in columns], axis=1)

    dense = hessian_products(np.eye(n))
    top = spectra.top_eigenpairs(hessian_products, 2, which="largest", n=n)
    np.testing.assert_allclose(top.values, np.linalg.eigvalsh(dense)[[-1, -2]], rtol=1e-8)
    trace = spectra.trace(hessian_products, n=n, products=40, rng=np.random.default_rng(0))
    assert trace.low <= np.trace(dense) <= trace.high
