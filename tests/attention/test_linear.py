"""Linear separation: margins, projections, perceptrons, continual learning, collapse."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize

from corollary.testing import guards
from corollary.theory import attention


def separable(N, d, seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((N, d))
    return A * np.sign(A @ rng.standard_normal(d))[:, None]


@guards(attention.hard_margin, attention.Margin)
def test_hard_margin_is_the_exact_reference():
    """w*, μ and R against NNLS."""
    B = separable(40, 6, 1)
    got, (w, _) = attention.hard_margin(B), attention.min_norm_nnls(B)
    assert got.w == pytest.approx(w, rel=1e-4)  # √(2 · 1e-10) = 1.4e-5 of ‖w‖
    assert got.margin == pytest.approx(1 / np.linalg.norm(w), rel=1e-9)
    assert got.radius == pytest.approx(np.linalg.norm(B, axis=1).max(), rel=1e-14)
    c = got.certificate
    assert [c.primal, c.min_margin] == pytest.approx([np.linalg.norm(got.w), (B @ got.w).min()], rel=1e-12)
    # weak duality with the exact multipliers: they reach the same value
    assert c.dual == pytest.approx(np.linalg.norm(w), rel=1e-9)
    # the fields give their difference to eps/gap, far below a thousandth unless it is zero
    assert c.gap <= 1e-10 and c.gap == pytest.approx((c.primal - c.dual) / c.primal, rel=1e-3, abs=0)


@pytest.mark.parametrize("solve", [attention.hard_margin, attention.step_bounds, lambda B: attention.contraction([B])])
def test_data_that_are_not_separable(solve):
    """One error that carries Gordan's certificate."""
    B = np.random.default_rng(0).standard_normal((60, 5))
    with pytest.raises(attention.Infeasible, match="not linearly separable") as caught:
        solve(B)
    μ = caught.value.weights
    assert (μ >= 0).all() and np.linalg.norm(μ @ B) <= 1e-9 * np.linalg.norm(B, axis=1).max()
    with pytest.raises(attention.Infeasible, match="row 1 is zero"):
        solve(np.array([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="NaN"):
        solve(np.array([[1.0, np.nan]]))


@guards(attention.project_margin, attention.Projection)
def test_projection_satisfies_its_variational_inequality():
    """⟨start − P, u − P⟩ ≤ 0 for feasible u, P feasible; and a closed form for one constraint."""
    rng = np.random.default_rng(2)
    B, start = separable(30, 5, 3), rng.standard_normal(5)
    P = attention.project_margin(start, B)
    w = attention.hard_margin(B).w
    feasible = [w * s + 0.1 * s * v for s in (1.5, 3, 10) for v in rng.standard_normal((20, 5))]
    feasible = [u for u in feasible if (B @ u).min() >= 1]
    assert len(feasible) > 5 and (B @ P.w).min() >= 1 - 1e-12
    size = np.linalg.norm(P.w)
    assert max((start - P.w) @ (u - P.w) for u in feasible) <= 1e-6 * size * np.linalg.norm(start - P.w) * 10
    # tight: a point pulled towards start leaves the set
    assert (B @ (P.w + 0.02 * (start - P.w))).min() < 1 and (B @ (0.98 * P.w)).min() < 1
    one = attention.project_margin(np.array([0.5, 3.0]), np.array([[2.0, 0.0]]))
    assert one.w == pytest.approx([0.5, 3.0], abs=1e-12) and one.error == 0 and not one.multipliers.any()
    two = attention.project_margin(np.array([-1.0, 3.0]), np.array([[2.0, 0.0]]))
    assert two.w == pytest.approx([0.5, 3.0], abs=1e-9) and two.error <= 1e-6 * 4
    assert two.multipliers == pytest.approx([0.75], abs=1e-6)  # P − start = Bᵀλ = (1.5, 0)


@guards(attention.project_margin, attention.Projection)
def test_the_error_of_a_projection_is_its_duality_gap():
    """error² = ‖P − start‖² − 2 (1 − B start)·λ + ‖Bᵀλ‖², twice primal less dual, in exact rationals."""
    rng = np.random.default_rng(7)  # an instance whose gap, 3e-12, stands 130 times above its rounding
    B, start = separable(30, 5, 2), rng.standard_normal(5)
    B = np.concatenate([B, B])  # dependent tight rows, where no active set ends the iteration at a gap of 0
    P = attention.project_margin(start, B)
    λ = P.multipliers
    assert (λ >= 0).all()
    w_, s_, λ_, B_ = (np.vectorize(Fraction, otypes=[object])(a) for a in (P.w, start, λ, B))
    gap = float((w_ - s_) @ (w_ - s_) - 2 * (1 - B_ @ s_) @ λ_ + (λ_ @ B_) @ (λ_ @ B_))
    # the code rounds B w, by (d + 1) u Σ|b||w| in each row
    rounding = float(2 * λ @ (np.abs(B) @ np.abs(P.w) + 1) * 7 * 2.0**-53)
    assert P.error**2 == pytest.approx(gap, rel=1e-6, abs=rounding) and rounding < 0.01 * gap


@guards(attention.perceptron)
def test_perceptron_in_exact_rationals():
    """The n-scaling example at n = 11 against a walk in rationals; 401 steps at n = 1000, 9 when normalised."""
    B = np.array([[1.0, 0.0]] * 10 + [[-1.0, 0.5]])
    path, P = attention.perceptron(B, 12), [Fraction(0), Fraction(0)]
    for t in range(13):
        assert path[t] == pytest.approx([float(p) for p in P], abs=1e-14)
        z = [P[0], -P[0] + P[1] / 2]
        weight = [Fraction(1) if m < 0 else Fraction(1, 2) if m == 0 else Fraction(0) for m in z]
        P = [P[0] + (10 * weight[0] - weight[1]) / 11, P[1] + weight[1] / 22]
    for n, plain in ((100, 41), (1000, 401)):
        B = np.array([[1.0, 0.0]] * (n - 1) + [[-1.0, 0.5]])
        steps = [
            int((attention.perceptron(B, 500, normalised=k) @ B.T > 0).all(axis=1).argmax()) for k in (False, True)
        ]
        assert steps == [plain, 9]


@guards(attention.step_bounds, attention.Bounds)
def test_step_bounds_of_the_example():
    """(R/μ)² = 1.25 · 17 = 21.25: R² = 5/4, w* = (1, 4)."""
    B = np.array([[1.0, 0.0]] * 10 + [[-1.0, 0.5]])
    got = attention.step_bounds(B)
    assert got.normalised == pytest.approx(21.25, rel=1e-8) and got.plain == pytest.approx(11 * 21.25, rel=1e-8)


@guards(attention.equality_step)
def test_equality_step_is_where_gradient_descent_meets_the_perceptron():
    """Above it the iterates agree to rounding; at a thirtieth of it they do not."""
    B = separable(30, 5, 4)
    γ, P = attention.equality_step(B, 15), attention.perceptron(B, 15)
    assert γ == pytest.approx(37 / np.abs(B @ P[1:15].T).min(), rel=1e-12)

    def descent(γ):
        θ = [np.zeros(5)]
        for _ in range(15):
            θ.append(θ[-1] + γ / 30 * (B.T @ (1 / (1 + np.exp(np.clip(B @ θ[-1], -700, 700))))))
        return np.array(θ) / γ

    assert np.abs(descent(γ) - P).max() <= 1e-13  # 15 steps of 30 roundings of numbers below 4
    assert np.abs(descent(γ / 30) - P).max() > 1e-6
    assert attention.equality_step(np.array([[1.0, 0.0], [0.0, 1.0]]), 2) == pytest.approx(37 / 0.25)


@guards(attention.sequential_max_margin, attention.forgetting, attention.contraction)
def test_sequential_max_margin():
    """One task gives w*; Fejér monotone; dist² shrinks by the contraction each cycle; hand-made numbers."""
    B = separable(30, 4, 5)
    tasks = [B[:10], B[10:20], B[20:]]
    path = attention.sequential_max_margin(tasks, [0, 1, 2] * 4)
    w = attention.hard_margin(B).w
    assert path[1] == pytest.approx(attention.hard_margin(tasks[0]).w, rel=1e-4)
    move = np.sum(np.diff(path, axis=0) ** 2, axis=1)
    far = np.sum((path - w) ** 2, axis=1)
    assert (far[1:] <= far[:-1] - move + 1e-6 * far[0]).all()
    R = np.linalg.norm(B, axis=1).max()
    assert attention.contraction(tasks) == pytest.approx(1 - 1 / (3 * (R * np.linalg.norm(w)) ** 2), rel=1e-9)
    easy = [np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])]
    assert attention.contraction(easy) == pytest.approx(1 - 1 / 4, rel=1e-9)  # w* = (1, 1), κ² = 2
    assert attention.sequential_max_margin(easy, [0, 1]) == pytest.approx(np.array([[0, 0], [1, 0], [1, 1]]), abs=1e-9)
    assert attention.forgetting(np.array([0.25, 5.0]), easy[0]) == 0.5625


@guards(attention.collapse, attention.Collapse)
@pytest.mark.parametrize(
    "counts,weights", [([4, 4, 4], [0.02, 0.01]), ([6, 3, 2], [0.02]), ([8, 4, 1], [0.05, 0.04, 0.05])]
)
def test_collapse_is_the_minimum_of_the_network(counts, weights):
    """f at the closed-form factors is f_min, is stationary, and random starts of L-BFGS end above or at it."""
    K, N, M, λH = 3, sum(counts), len(weights), 0.01
    got = attention.collapse(counts, weights, λH)
    Y = np.repeat(np.eye(K), counts, axis=1)
    shapes = [(K, K)] * M + [(K, N)]

    def f(v):
        parts, at = [], 0
        for s in shapes:
            parts.append(v[at : at + s[0] * s[1]].reshape(s))
            at += s[0] * s[1]
        *W, H = parts  # W[0] is W_1
        hs = [H]
        for w in W:
            hs.append(w @ hs[-1])
        back = (hs[-1] - Y) / N
        value = 0.5 * N * np.sum(back**2) + sum(λ / 2 * np.sum(w**2) for λ, w in zip(weights, W, strict=True))
        value += λH / 2 * np.sum(H**2)
        grads = []
        for l in reversed(range(M)):
            grads.insert(0, back @ hs[l].T + weights[l] * W[l])
            back = W[l].T @ back
        return value, np.concatenate([g.ravel() for g in [*grads, back + λH * H]])

    # balanced factors: λ_l ‖row of W_l‖² equal for all l, product s
    s = np.sqrt(got.s2)
    common = (got.s2 * np.prod(weights)) ** (1 / M)
    H = np.diag(got.h) @ Y
    v = np.concatenate([*(np.diag(np.sqrt(common / λ)).ravel() for λ in weights), H.ravel()])
    value, gradient = f(v)
    assert value == pytest.approx(got.minimum, rel=1e-12)
    assert np.abs(gradient).max() <= 1e-12
    assert got.h == pytest.approx(s / (got.s2 + N * λH), rel=1e-12)
    assert got.s2 == pytest.approx(N * λH * got.x**M, rel=1e-12)
    b = M * N * (N * λH * np.prod(weights)) ** (1 / M) / np.array(counts)
    assert got.b == pytest.approx(b, rel=1e-12) and got.threshold == pytest.approx([1, 0.5, 2 ** (2 / 3) / 3][M - 1])
    rng = np.random.default_rng(0)
    options = {"maxiter": 3000, "ftol": 1e-15, "gtol": 1e-9}
    starts = [rng.standard_normal(v.size) for _ in range(6)]
    found = [scipy.optimize.minimize(f, v0, jac=True, method="L-BFGS-B", options=options).fun for v0 in starts]
    assert min(found) == pytest.approx(got.minimum, rel=1e-7) and min(found) >= got.minimum * (1 - 1e-9)


def test_collapse_refuses_what_is_no_problem():
    """One clear error."""
    for bad in (([3], [0.1], 0.1), ([3, 0], [0.1], 0.1), ([3, 3], [], 0.1), ([3, 3], [0.1], -1.0)):
        with pytest.raises(ValueError, match="expected"):
            attention.collapse(*bad)


@guards(attention.logit_penalty, attention.frame_cross_entropy, attention.polygon_cross_entropy)
def test_cross_entropies_against_matrices():
    """Both candidates from their logit matrices; balanced factors attain the penalty, skewed ones do not."""
    K, n, M, λ, a = 6, 5, 2, 1e-3, 7.0
    for name, gram in (
        (attention.frame_cross_entropy, np.eye(K) - 1 / K),
        (attention.polygon_cross_entropy, np.cos(2 * np.pi * np.subtract.outer(range(K), range(K)) / K)),
    ):
        logits = np.kron(a * gram, np.ones((1, n)))
        U, s, V = np.linalg.svd(logits, full_matrices=False)
        ce = np.mean([np.log(np.exp(col).sum()) - col[k // n] for k, col in enumerate(logits.T)])
        root = np.diag(s ** (1 / (M + 1)))
        factors = [U @ root, root, root @ V]
        penalty = sum(λ / 2 * np.sum(F**2) for F in factors)
        assert np.allclose(factors[0] @ factors[1] @ factors[2], logits)
        assert penalty == pytest.approx(attention.logit_penalty(list(s[s > 1e-9]), M, λ), rel=1e-9)
        assert name(a, K, n, M, λ) == pytest.approx(ce + penalty, rel=1e-9)
        skewed = [2 * factors[0], factors[1] / 2, factors[2]]
        assert sum(λ / 2 * np.sum(F**2) for F in skewed) > penalty
