"""The nuclear norm: Newton's last digits, problems close to infeasible, symmetries, few columns of K and Q; scale."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corollary.sims.attention.experiments import draw
from corollary.testing import guards
from corollary.theory import attention
from corollary.theory.attention import barrier, nuclear, polish
from corollary.theory.attention.certificate import certify
from corollary.theory.attention.problem import Tokens, differences


def norm(W):
    return np.linalg.svd(W, compute_uv=False).sum()


def prepared(X, Z, chosen):
    """Rows, and the Frobenius solution (w, λ)."""
    F = attention.svm(X, Z, chosen)
    λ = F.multipliers[np.arange(X.shape[1]) != chosen[:, None]]
    return Tokens(differences(X, chosen), Z), (F.W.ravel(), λ)


@pytest.mark.parametrize("k", [11, 14, 23, 51, 58])
def test_problems_close_to_infeasible_reach_the_gap(matrix, k):
    """Optima of 300 to 2000 for rows of size 1: first-order steps stop at gaps of 1e-2 to 1e-1 on all of these."""
    X, Z, γ = draw({"n": 15, "T": 5, "d": 4}, np.random.default_rng(k))
    chosen = γ.argmax(axis=1)
    sol = attention.svm(X, Z, chosen, norm="nuclear")
    A, λ = matrix(X, Z, chosen), sol.multipliers[np.arange(5) != chosen[:, None]]
    upper = norm(sol.W) / (A @ sol.W.ravel()).min()
    lower = λ.sum() / np.linalg.norm((λ @ A).reshape(4, 4), 2)
    assert upper > 300 and 0 <= (upper - lower) / upper <= 1e-9 * (1 + 1e-4)  # rounding of ‖W‖ = 1e3 is 1e-13


@pytest.mark.parametrize("size", [(6, 8, 10), (20, 5, 6)])
def test_barrier_and_first_order_steps_agree(problems, size):
    """One optimum: norms within the two gaps; and the barrier's W is feasible at margin 1 by itself."""
    X, Z, chosen = problems(*size, 4, planted=True)
    rows, start = prepared(X, Z, chosen)
    certificate, _, _ = nuclear.solve_nuclear(rows, start, gap=1e-10, steps=20000)
    found, w, λ = barrier.solve_barrier(rows, start[0], gap=1e-10)
    assert found.gap <= 1e-10 and certificate.gap <= 1e-10 and (λ > 0).all()
    assert found.primal == pytest.approx(certificate.primal, rel=2e-10)
    assert rows.forward(w).min() > 1  # on the central path every row has slack μ/λ


def test_derivatives_of_the_barrier_are_those_of_its_function():
    """Slope and Hessian in the singular bases against differences, at spread, equal and zero singular values."""
    rng, μ, h = np.random.default_rng(0), 0.3, 1e-4
    for σ in ([3.0, 1.0, 0.2], [2.0, 2.0, 0.5], [1.0, 0.0, 0.0]):
        slope, H = barrier._derivatives(np.array(σ), μ)
        value = lambda W: barrier._merit(np.linalg.svd(W)[1], np.ones(1), μ)  # noqa: E731
        for _ in range(4):
            E = rng.standard_normal((3, 3))
            up, at, down = (value(np.diag(σ) + s * h * E) for s in (1, 0, -1))
            assert np.sum(np.diag(slope) * E) == pytest.approx((up - down) / (2 * h), abs=1e-6)  # h² and rounding/h
            assert E.ravel() @ H @ E.ravel() == pytest.approx((up - 2 * at + down) / h**2, abs=1e-5)


def test_newton_gives_the_last_digits_and_never_makes_it_worse(problems):
    """From gaps near 1e-3 to 1e-12 by the right rank and support; noise with wrong ones is returned as it came."""
    for size in ((6, 8, 10), (20, 5, 12)):
        rows, start = prepared(*problems(*size, 1))
        _, W, λ = nuclear.solve_nuclear(rows, start, gap=1e-12, steps=20000)
        K, Q = polish.factors(W.ravel(), rows.d, np.linalg.matrix_rank(W, 1e-8))
        rng = np.random.default_rng(0)
        K, Q = (a * (1 + 1e-3 * rng.standard_normal(a.shape)) for a in (K, Q))
        w, y = (K @ Q.T).ravel(), λ * (1 + 1e-3 * rng.standard_normal(λ.shape))
        rough = certify(rows, w, y, "nuclear")
        assert rough.gap > 1e-4
        found, last, weights = polish.polish(rows, w, y, gap=1e-12)
        assert found.gap <= 1e-12 and found == certify(rows, last, weights, "nuclear")
        for _ in range(5):
            y = rng.uniform(0, 1, λ.shape) * (rng.uniform(0, 1, λ.shape) < 0.3)
            noisy = w + 0.1 * np.linalg.norm(w) / rows.d * rng.standard_normal(w.shape)
            assert polish.polish(rows, noisy, y, gap=1e-12)[0].gap <= certify(rows, noisy, y, "nuclear").gap


@settings(max_examples=12)
@given(st.integers(2, 4), st.integers(2, 5), st.integers(0, 10**6))
def test_symmetries_of_the_nuclear_solution(n, T, seed):
    """Rotation, scaling, shift, permutation, duplication of a sequence; and not: rescaling one query.

    Of the objective: the nuclear solution need not be unique, but W carried over is a solution of the other problem.
    """
    d, rng = 6, np.random.default_rng(seed)
    X, Z, chosen = rng.standard_normal((n, T, d)), rng.standard_normal((n, d)), rng.integers(0, T, n)

    def solve(*problem):
        return attention.svm(*problem, norm="nuclear", gap=1e-11)

    base = solve(X, Z, chosen)

    def same(X, Z, chosen, carried, factor=1.0):
        sol = solve(X, Z, chosen)
        margins = np.einsum("ntd,de,ne->nt", np.take_along_axis(X, chosen[:, None, None], axis=1) - X, carried, Z)
        # two gaps of 1e-11, and rounding of margins of 1 from a ‖W‖ that here stays below 1e3
        assert sol.objective == pytest.approx(factor * base.objective, rel=1e-10)
        assert norm(carried) == pytest.approx(sol.objective, rel=1e-10)
        assert margins[np.arange(T) != chosen[:, None]].min() >= 1 - 1e-9

    O, P = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    same(X @ O, Z @ P, chosen, O.T @ base.W @ P)
    same(3.0 * X, 0.5 * Z, chosen, base.W / 1.5, 1 / 1.5)
    same(X + rng.standard_normal((n, 1, d)), Z, chosen, base.W)
    order = rng.permutation(T)
    same(X[:, order], Z, np.argsort(order)[chosen], base.W)
    same(np.concatenate([X, X[:1]]), np.concatenate([Z, Z[:1]]), np.append(chosen, chosen[0]), base.W)
    shorter = Z.copy()
    shorter[np.argmax(base.multipliers.sum(axis=1))] /= 2  # a row at margin 1 drops to 1/2
    assert np.linalg.norm(solve(X, shorter, chosen).W - base.W) > 1e-3 * np.linalg.norm(base.W)


def best_of_rank_one(A):
    """min ‖u‖‖v‖ s.t. A (u ⊗ v) ≥ 1 in the plane: the angle of u by a refined grid, v exactly from its tight rows."""
    i, j = np.triu_indices(len(A), 1)

    def length(angles):
        u = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        R = np.einsum("ga,kab->gkb", u, A.reshape(-1, 2, 2))  # R v ≥ 1: one row is tight, or two
        alone = R / np.sum(R * R, axis=2, keepdims=True)
        det = R[:, i, 0] * R[:, j, 1] - R[:, i, 1] * R[:, j, 0]
        both = (
            np.stack([R[:, j, 1] - R[:, i, 1], R[:, i, 0] - R[:, j, 0]], axis=2)
            / np.where(np.abs(det) > 1e-12, det, np.nan)[..., None]
        )
        v = np.concatenate([alone, both], axis=1)
        ok = np.min(R @ np.swapaxes(v, 1, 2), axis=1) >= 1 - 1e-9
        return np.min(np.where(ok, np.linalg.norm(v, axis=2), np.inf), axis=1)

    centre, width, count = 0.0, np.pi, 2001
    while width > 1e-9:
        at = centre + np.linspace(-1, 1, count) * width
        centre, width, count = at[np.argmin(length(at))], 2 * width / (count - 1), 9
    return float(length(np.array([centre]))[0])


@guards(attention.svm, attention.Solution)
def test_rank_one_in_the_plane_is_the_best_of_all_angles(matrix):
    """Where the grid finds a separating direction: its norm, above the relaxation's bound; where not: an error."""
    found, open_gap, none = 0, 0, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X, Z, chosen = rng.standard_normal((3, 3, 2)), rng.standard_normal((3, 2)), rng.integers(0, 3, 3)
        if not attention.feasible(X, Z, chosen):
            continue
        best = best_of_rank_one(matrix(X, Z, chosen))
        if not np.isfinite(best):
            with pytest.raises(attention.Unconverged, match="found no W of rank <= 1"):
                attention.svm(X, Z, chosen, norm="nuclear", rank=1)
            none += 1
            continue
        sol = attention.svm(X, Z, chosen, norm="nuclear", rank=1)
        relaxed = attention.svm(X, Z, chosen, norm="nuclear")
        # the last grid's step is 1e-10 of an angle, where the length's slope is at most 1e4 of it
        assert sol.objective == pytest.approx(best, rel=1e-5)
        assert np.linalg.matrix_rank(sol.W, 1e-12) == 1
        assert sol.certificate.dual == pytest.approx(relaxed.objective, rel=1e-8)
        assert sol.optimal == (sol.certificate.gap <= 1e-9) and relaxed.optimal
        found, open_gap = found + 1, open_gap + (not sol.optimal)
    assert found >= 4 and open_gap >= 2 and none >= 1, (found, open_gap, none)


@guards(attention.svm, attention.Solution)
def test_few_columns_of_keys_and_queries(problems, matrix):
    """rank(W) ≤ m, feasible, norms fall with m to the nuclear solution's, whose gap is closed; local minima."""
    X, Z, chosen = problems(6, 6, 5, 4)
    A = matrix(X, Z, chosen)
    full = attention.svm(X, Z, chosen, norm="nuclear")
    rank = np.linalg.matrix_rank(full.W, 1e-9)
    assert rank == 3
    norms, rng = [], np.random.default_rng(0)
    for m in (1, 2, 3, 9):
        sol = attention.svm(X, Z, chosen, norm="nuclear", rank=m)
        assert np.linalg.matrix_rank(sol.W, 1e-12) <= m and sol.rank == m
        assert (A @ sol.W.ravel()).min() == pytest.approx(1, abs=1e-12)
        assert sol.objective == pytest.approx(norm(sol.W), rel=1e-12) == sol.certificate.primal
        λ = sol.multipliers[np.arange(6) != chosen[:, None]]
        dual = λ.sum() / np.linalg.norm((λ @ A).reshape(5, 5), 2)
        assert sol.certificate.dual == pytest.approx(dual, rel=1e-12) == pytest.approx(full.objective, rel=2e-9)
        assert sol.certificate.gap == pytest.approx(1 - dual / norm(sol.W), abs=1e-12)
        assert sol.optimal == (m >= rank) == (sol.certificate.gap <= 1e-9)
        norms.append(sol.objective)
        if m < rank:  # no factors nearby do better
            U, σ, Vt = np.linalg.svd(sol.W)
            for _ in range(50):
                size = 10.0 ** rng.uniform(-6, -2)
                K, Q = (a * (1 + size * rng.standard_normal(a.shape)) for a in (U[:, :m] * σ[:m], Vt[:m].T))
                W = K @ Q.T
                assert norm(W) / (A @ W.ravel()).min() >= sol.objective * (1 - 1e-12)
    assert (np.diff(norms[:3]) < 0).all() and norms[2] == pytest.approx(norms[3], rel=2e-9)
    support = attention.support_tokens(attention.svm(X, Z, chosen, norm="nuclear", rank=1))
    assert 0 < len(support) < 15  # an open gap does not make every row a support
    refused: Any = ({"rank": 1}, {"norm": "nuclear", "rank": 0}, {"norm": "nuclear", "rank": 1.0})
    for bad in refused:
        with pytest.raises(ValueError, match="expected an integer >= 1"):
            attention.svm(X, Z, chosen, **bad)


@guards(attention.svm, attention.svm_batch)
def test_the_scale_of_tokens_and_queries_does_not_matter_until_it_cannot_be_represented(problems):
    """W scales as 1/(ab) from 1e-60 to 1e60; beyond 1e-103…1e103, where λ ~ 1/(ab)² ends, one error, no warning."""
    X, Z, chosen = problems(6, 8, 10, 0)
    for kind in ("frobenius", "nuclear"):
        base = attention.svm(X, Z, chosen, norm=kind)
        for a, b in ((1e-60, 1.0), (1.0, 1e-60), (1e60, 1.0), (1e-70, 1e60)):
            sol = attention.svm(a * X, b * Z, chosen, norm=kind)
            power = 2 if kind == "frobenius" else 1
            assert sol.certificate.gap <= 1e-9 and sol.objective * (a * b) == pytest.approx(base.objective, rel=1e-8)
            λ = sol.multipliers.sum() * (a * b) ** power
            assert λ == pytest.approx(base.multipliers.sum(), rel=1e-5)  # as the test against the exact reference
        for a, b in ((1e-200, 1.0), (1e200, 1.0), (1e-320, 1.0), (1e308, 1.0), (1.0, 1e200), (1e150, 1e-150)):
            with pytest.raises(ValueError, match="rescale X and Z"):
                attention.svm(a * X, b * Z, chosen, norm=kind)
    batch = attention.svm_batch(1e-60 * X[None], Z[None], chosen[None])
    base = attention.svm(X, Z, chosen)
    assert np.array([batch.primal, batch.dual]) * 1e-60 == pytest.approx(base.objective, rel=1e-8)
    assert batch.multipliers.sum() * 1e-120 == pytest.approx(base.objective**2, rel=1e-3)
    assert np.linalg.norm(1e-60 * batch.W[0] - base.W) <= 1e-4 * base.objective  # √(2·1e-9) = 4.5e-5
    with pytest.raises(ValueError, match="rescale X and Z"):
        attention.svm_batch(1e200 * X[None], Z[None], chosen[None])
    with pytest.raises(attention.Infeasible, match="problem 0, sequence 0 token") as caught:
        attention.svm_batch(np.repeat(X, 2, axis=1)[None], Z[None], chosen[None])
    assert caught.value.weights.sum() == 1 and caught.value.weights.shape == (1, 6, 15)
