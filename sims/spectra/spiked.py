"""A planted eigenvalue in noise: top eigenvalue and overlap of bulk + θ e₁e₁ᵀ + s·GOE/√N, and of mini-batch Hessians.

GOE: symmetric, off-diagonal entries of variance 1, diagonal 2, so that s·GOE/√N has bulk [−2s, 2s].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Namespace
from corollary.sims.common.curvature import Curvature
from corollary.sims.spectra.density import lanczos_density
from corollary.sims.spectra.eigenpairs import top_eigenpairs


def spiked(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Any]:
    """top (R,), overlap (R,) = (v·e₁)² of the top eigenvector. Point: N, theta, s; bulk, a list tiled over the rest.

    Host draws, eigenvalues by xp's dense solver; `residual` (R,) = ‖Av − λv‖.
    """
    N, theta, s = point["N"], point["theta"], point["s"]
    if not isinstance(N, int) or N < 2:
        raise ValueError(f"N = {N!r}; expected an integer >= 2")
    bulk = np.resize(np.asarray(point.get("bulk", [0.0]), dtype=float), N)
    bulk[0] = theta
    out = {"top": [], "overlap": [], "residual": []}
    for seed in seeds:
        g = np.random.default_rng(seed).standard_normal((N, N))
        A = xp.asarray(np.diag(bulk) + s * (g + g.T) / np.sqrt(2 * N))
        append_top(out, A, xp)
    return {name: xp.stack(rows) for name, rows in out.items()}


def batch_top(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, curvature: Curvature
) -> dict[str, np.ndarray]:
    """top, residual (R,): the largest eigenvalue of the curvature on `batch` points drawn without replacement.

    curvature: the full one, on host arrays; point: batch.
    """
    N, b = curvature.x.shape[0], point["batch"]
    if not isinstance(b, int) or not 1 <= b <= N:
        raise ValueError(f"batch = {b!r}; expected a number of points from 1 to {N}")
    tops, residuals = [], []
    for seed in seeds:
        rows = np.random.default_rng(seed).choice(N, b, replace=False)
        part = Curvature(
            curvature.net, curvature.params, curvature.x[rows], curvature.y[rows], curvature.loss, curvature.kind
        )
        pair = top_eigenpairs(part, 1, which="largest", tol=1e-6)
        tops.append(pair.values[0])
        residuals.append(pair.residuals[0])
    return {"top": np.array(tops), "residual": np.array(residuals)}


def batch_spectrum(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, curvature: Curvature
) -> dict[str, np.ndarray]:
    """The curvature's spectrum on `batch` points drawn without replacement. Point: batch, low, high, grid, outliers.

    pdf (R, grid): density by Lanczos quadrature (60 steps, 4 probes) at points from low to high, nodes smoothed by
    normals of one spacing; tops (R, outliers): the largest eigenvalues, descending; moments (R, 3): mean of xᵖ,
    p = 1, 2, 3, over the others.
    """
    rows: dict[str, list[Any]] = {"pdf": [], "tops": [], "moments": []}
    x, k = np.linspace(point["low"], point["high"], point["grid"]), point["outliers"]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(curvature.x.shape[0], point["batch"], replace=False)
        part = Curvature(
            curvature.net, curvature.params, curvature.x[chosen], curvature.y[chosen], curvature.loss, curvature.kind
        )
        density = lanczos_density(part, steps=60, probes=4, rng=rng)
        tops = top_eigenpairs(part, k, which="largest", tol=1e-6).values
        rows["pdf"].append(density.pdf(x, width=x[1] - x[0]))
        rows["tops"].append(tops)
        sums = [density.trace(lambda x, p=p: x**p).value - np.sum(tops**p) for p in (1, 2, 3)]
        rows["moments"].append(np.array(sums) / (part.size - k))
    return {name: np.stack(found) for name, found in rows.items()}


def spiked_covariance(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Any]:
    """top, overlap, residual (R,) of Σ^½ X Xᵀ Σ^½/n, n = N/ratio samples, Σ = diag(ell, population tiled).

    Point: N, ratio, ell; population ([1.0]). Host draws; residual as in `spiked`.
    """
    N, ratio = point["N"], point["ratio"]
    if not isinstance(N, int) or N < 2 or not ratio > 0:
        raise ValueError(f"N = {N!r}, ratio = {ratio!r}; expected an integer >= 2 and a ratio > 0")
    root = np.sqrt(np.resize(np.asarray(point.get("population", [1.0]), dtype=float), N))
    root[0] = np.sqrt(point["ell"])
    out = {"top": [], "overlap": [], "residual": []}
    for seed in seeds:
        X = root[:, None] * np.random.default_rng(seed).standard_normal((N, round(N / ratio)))
        A = xp.asarray(X @ X.T / X.shape[1])
        append_top(out, A, xp)
    return {name: xp.stack(rows) for name, rows in out.items()}


def append_top(out: dict[str, list[Any]], A: Any, xp: Namespace) -> None:
    """Top eigenvalue of A, its vector's first coordinate squared, and the residual, which tells whether all went well.

    Eigenvalues alone and two solves take two thirds of the time of all eigenvectors. The shift keeps the solves from
    dividing by zero; other directions shrink by shift/gap, 1e-8 or less, in each of them.
    """
    value = xp.linalg.eigvalsh(A)[-1]
    shifted = A - (value + 1e-10 * xp.abs(value)) * xp.eye(A.shape[0], dtype=A.dtype)
    v = xp.ones((A.shape[0], 1), dtype=A.dtype)
    for _ in range(2):
        v = xp.linalg.solve(shifted, v)
        v = v / xp.sqrt(xp.sum(v * v))
    r = xp.matmul(A, v) - value * v
    out["top"].append(value)
    out["overlap"].append(v[0, 0] ** 2)
    out["residual"].append(xp.sqrt(xp.sum(r * r)))
