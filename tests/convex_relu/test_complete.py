"""All patterns by column generation, certificates of what is returned, warm-started paths, gated ADMM."""

from importlib import import_module

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import convex_relu
from corollary.theory.convex_relu import cones
from corollary.theory.convex_relu.complete import violators

solving = import_module("corollary.theory.convex_relu.solve")  # the package's `solve` is the function


def instance(n, d, loss="squared", seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    return X, y if loss == "squared" else np.where(y > 0, 1.0, -1.0)


@pytest.mark.parametrize("loss", ("squared", "hinge", "logistic"))
def test_column_generation_ends_at_the_optimum_of_full_enumeration(loss, monkeypatch):
    """Few patterns enter the program; its bound, looked at over all of them, and its value are the whole's."""
    monkeypatch.setattr(solving, "_DIRECT", 0)
    X, y = instance(14, 3, loss)
    D = convex_relu.all_patterns(X)
    beta = 0.1 * convex_relu.critical_beta(X, y, D, loss)
    full = convex_relu.solve(X, y, beta, D, loss, tol=1e-7)
    s = convex_relu.solve(X, y, beta, "all", loss, tol=1e-7)
    assert s.problem.D.shape[1] < D.shape[1] and s.certificate.scope == full.certificate.scope == "all patterns"
    assert s.objective == pytest.approx(full.objective, rel=2e-7) and s.certificate.relative <= 1e-7
    assert s.certificate.dual <= full.objective * (1 + 1e-12) and full.certificate.dual <= s.objective * (1 + 1e-12)
    reach = cones.largest_support(X, D, s.nu[:, 0], False)
    assert reach <= beta * (1 + 1e-7)  # certified with slack tol/10


def test_violators_are_those_of_a_projection_of_every_pattern():
    X, nu = instance(12, 3, seed=3)
    D = np.asarray(convex_relu.all_patterns(X))
    exact = []
    for p in range(D.shape[1]):
        A, c = (2 * D[:, p] - 1)[:, None] * X, X.T @ (D[:, p] * nu)
        exact.append(max(np.linalg.norm(cones.project(A, s * c)[0]) for s in (1.0, -1.0)))
    limit = float(np.quantile(exact, 0.8)) * (1 + 1e-9)
    assert list(violators(X, D, nu, limit, 10_000)) == list(np.flatnonzero(np.array(exact) > limit))
    assert len(violators(X, D, nu, limit, 5)) == 5 and not violators(X, D, nu, 1.01 * max(exact), 5).size


def test_all_keeps_its_scope_beyond_what_solve_would_look_at(monkeypatch):
    monkeypatch.setattr(solving, "_COMPLETE", 10)
    X, y = instance(10, 3)
    D = convex_relu.all_patterns(X)
    assert convex_relu.solve(X, y, 1.0, "all", tol=1e-4).certificate.scope == "all patterns"
    assert convex_relu.solve(X, y, 1.0, D, tol=1e-4).certificate.scope == "sampled"  # nobody said that they are all


@guards(convex_relu.solve)
def test_the_certificate_of_float32_data_is_that_of_the_float32_arrays():
    """Recomputed in float64 from the arrays returned, which lie off their cones by their own rounding and say so."""
    X, y = (a.astype(np.float32) for a in instance(12, 3))
    D = convex_relu.sample_patterns(X, 20, np.random.default_rng(0))
    s = convex_relu.solve(X, y, 0.5, D, tol=1e-4)
    assert s.V.dtype == np.float32
    V, W, x, t = (a.astype(float) for a in (s.V, s.W, X, y))
    f = np.sum(x * (D.astype(float) @ (V - W).T), axis=1)
    value = np.sum((f - t) ** 2) / 2 + 0.5 * np.sum(np.linalg.norm(V, axis=0) + np.linalg.norm(W, axis=0))
    assert s.objective == pytest.approx(value, rel=1e-14)
    off = max(np.max(-(2 * D - 1) * (x @ (U / np.maximum(np.linalg.norm(U, axis=0), 1e-30)))
                     / np.linalg.norm(x, axis=1)[:, None]) for U in (V, W))  # fmt: skip
    assert s.certificate.cone_violation == pytest.approx(max(off, 0), rel=1e-6, abs=1e-16)
    assert s.certificate.cone_violation <= 3e-7  # a few roundings of float32


@pytest.mark.parametrize("loss", ("squared", "hinge", "logistic"))
def test_admm_solves_the_gated_program_and_not_that_of_relu(loss):
    X, y = instance(30, 4, loss)
    D = convex_relu.sample_patterns(X, 12, np.random.default_rng(1))
    beta = 0.1 * convex_relu.critical_beta(X, y, D, loss, True)
    reference = convex_relu.solve(X, y, beta, D, loss, True, 1e-6, "interior-point")
    s = convex_relu.solve(X, y, beta, D, loss, True, 1e-4, "admm")
    assert s.certificate.scope == "gated" and s.objective == pytest.approx(reference.objective, rel=1e-4)
    assert convex_relu.solve(X, y, beta, D, loss, tol=1e-4).objective > 1.01 * s.objective  # here the cones cost more


@guards(convex_relu.path, convex_relu.Path)
@pytest.mark.parametrize("gated, solver", [(True, "fista"), (False, "admm"), (False, "auto")])
def test_a_path_is_its_points_in_the_order_given(gated, solver):
    """Warm starts change the way, not the end: every p(β) within its certified gap of a solution of its own."""
    X, y = instance(20, 3)
    D = convex_relu.sample_patterns(X, 15, np.random.default_rng(2))
    betas = [0.3, 1.0, 0.1, 0.3]
    found = convex_relu.path(X, y, D, betas, gated=gated, solver=solver, tol=1e-5)
    for b, p, T, loss, s in zip(betas, found.objective, found.penalty, found.loss, found.solutions, strict=True):
        own = convex_relu.solve(X, y, b, D, gated=gated, tol=1e-7, solver="interior-point")
        assert s.problem.beta == b and p == s.objective == pytest.approx(own.objective, rel=1e-5)
        assert p == pytest.approx(loss + b * T, rel=1e-13) and s.certificate.relative <= 1e-5
    assert list(found.betas) == betas and found.neurons[1] <= found.neurons[2]
