"""Experiments of Tarzanagh et al.: nonlinear heads, choices, feasibility, regularisation over K and Q, pictures."""

import numpy as np
import pytest

from corollary.arrays import namespace_for, to_numpy
from corollary.paper_repro.tarzanagh2023 import rank, setting
from corollary.sims.attention import experiments, feasibility, heads, path, trajectories
from corollary.sims.attention import selection as choices
from corollary.testing import guards
from corollary.theory import attention

XP = namespace_for("cpu")
SEEDS = [np.random.SeedSequence([4, k]) for k in range(4)]
POINT = {"n": 4, "T": 5, "d": 6, "rate": 0.1, "steps": 600}


def test_gradient_under_a_nonlinear_head_is_the_derivative_of_the_loss(backend):
    """Against central differences along random directions, before and after attention has settled."""
    point, rng = {"n": 3, "T": 4, "d": 5}, np.random.default_rng(0)
    parts = [np.stack(p) for p in zip(*(heads.draw(point, rng) for _ in range(3)), strict=True)]
    here = heads.Heads(*(backend.asarray(p) for p in parts))
    start = backend.asarray(rng.uniform(-1, 1, (3, 5, 5)))
    for W in (start, heads.train(here, start, rate=0.1, steps=40, record_at=[40])[0]):
        G, W = backend.numpy(heads.gradient(here, W)), backend.numpy(W)
        for _ in range(5):
            E, h = rng.standard_normal((3, 5, 5)), 1e-5
            up, down = (backend.numpy(heads.loss(here, backend.asarray(W + s * h * E))) for s in (1, -1))
            # rounding 1e-16/1e-5 of a loss near 0.7, and third derivatives of order 1 times h²
            assert np.sum(G * E, axis=(1, 2)) == pytest.approx((up - down) / (2 * h), abs=1e-9)
        assert np.abs(G).max() > 1e-4


def test_multi_token_runs_are_valid_and_do_not_depend_on_the_block():
    """Every reported run kept or lost each attention clearly; a seed alone gives the same numbers."""
    point = {"n": 3, "T": 4, "d": 4, "rate": 0.1, "record_at": [100, 1500]}
    run = {"program": setting.program, "target": setting.target}
    together = heads.multi_token(point, SEEDS, XP, **run)
    alone = heads.multi_token(point, SEEDS[2:3], XP, **run)
    for name, values in together.items():
        # 1500 normalised steps amplify roundings of other summation orders by at most some thousands
        assert values[2] == pytest.approx(alone[name][0], abs=1e-9), name
    assert together["largest"].max() <= heads.GONE
    assert (together["equivalent"][:, -1] < 0.3).all() and (together["equivalent"] >= -1e-12).all()
    assert (together["to_single"][:, 0] == together["equivalent"][:, -1]).all()


def test_least_dimension_is_where_a_solver_finds_a_solution(monkeypatch):
    """HiGHS against NNLS one dimension below and there; a wrong kind of attention is an error."""
    seen = []
    judged = feasibility.separable

    def watched(X, Z, chosen):
        seen.append((X, Z, chosen, judged(X, Z, chosen)))
        return seen[-1][-1]

    monkeypatch.setattr(feasibility, "separable", watched)
    for kind in ("cross", "self"):
        found = feasibility.least_dimension({"n": 4, "T": 4, "max_d": 5, "attention": kind}, SEEDS, XP)["d"]
        assert found.max() <= 4  # max(T − 1, n)
    for X, Z, chosen, said in seen:
        assert attention.feasible(np.ascontiguousarray(X), np.ascontiguousarray(Z), chosen) == said
    assert {said for *_, said in seen} == {True, False}
    with pytest.raises(ValueError, match="expected cross or self"):
        feasibility.least_dimension({"n": 4, "T": 4, "max_d": 5, "attention": "both"}, SEEDS, XP)


def test_path_over_factors_obeys_its_constraint_and_beats_the_start():
    """(‖K‖² + ‖Q‖²)/2 = R, a lower loss than the start, and a nuclear norm of at most R."""
    X, Z, γ = experiments.draw(POINT, np.random.default_rng(1))
    start = tuple(np.random.default_rng(2).standard_normal((2, 6, 6)))
    K, Q = path.constrained_kq(X, Z, γ, 50.0, start)
    assert (np.sum(K * K) + np.sum(Q * Q)) / 2 == pytest.approx(50.0, rel=1e-12)
    assert np.linalg.norm(K @ Q.T, "nuc") <= 50.0 * (1 + 1e-12)
    scale = np.sqrt(100.0 / sum(np.sum(a * a) for a in start))
    assert path.excess(X, Z, γ, K @ Q.T)[0] < path.excess(X, Z, γ, scale**2 * start[0] @ start[1].T)[0]
    for over in ("w", "kq"):
        point = {**POINT, "radii": [40.0, 80.0], "over": over}
        found = experiments.regularisation_path(point, SEEDS[:2], XP, target=setting.target)
        assert (found["gap"] > 0).all() and found["halved"] == pytest.approx(2.0, abs=0.2)  # next order, 1/R²


def test_equal_scores_are_equal_and_the_best_is_chosen(backend):
    """Scores 1 and 0 by construction; every run chooses the best and turns to its solution."""
    run = choices.equal_scores(POINT, SEEDS, backend.xp, target=setting.target, device=backend.device)
    assert (to_numpy(run["is_global"]) == 1).all() and to_numpy(run["turn"]).max() < 0.02
    bars = choices.bars(POINT, SEEDS, backend.xp, device=backend.device)
    assert sum(to_numpy(v) for v in bars.values()) == pytest.approx(np.ones(4))
    # the sim is right to hand on what training chose: a judge that sees the scores of other tokens says otherwise
    ok = choices.chosen_tokens(POINT, SEEDS, XP, judge=setting.locally_optimal)["ok"]
    turned = choices.chosen_tokens(POINT, SEEDS, XP, judge=lambda X, Z, c, γ: setting.locally_optimal(X, Z, c, -γ))[
        "ok"
    ]
    assert ok.all() and not turned.any()


def test_the_textbook_gradient_stalls():
    """Equal while ‖W‖ < 50, then behind: the log form goes on by 0.1 a step."""
    point = {"n": 6, "T": 8, "d": 10, "rate": 0.1, "record_at": [200, 4000]}
    out = choices.two_forms(point, SEEDS, XP, target=setting.target)
    assert out["size_log"][:, 0] == pytest.approx(out["size_naive"][:, 0], rel=1e-6)
    assert (out["size_log"][:, 1] > 1.5 * out["size_naive"][:, 1]).all() and (
        out["pair"][:, 0] < out["pair"][:, 1]
    ).all()


def test_trajectories_follow_their_rays():
    """After 2000 steps W(k) zᵢ points along W^mm zᵢ; `margins` chooses both tokens 0; another layout is an error."""
    for layout, T in (("clouds", 3), ("margins", 5)):
        point = {"layout": layout, "T": T, "rate": 0.1, "record_at": [10, 2000]}
        out = trajectories.trajectories(point, SEEDS[:2], XP, target=setting.target)
        for name in ("w", "kq"):
            end, ray = out[name][:, -1], out[f"{name}_ray"]
            cosine = np.sum(end * ray, axis=-1) / np.linalg.norm(end, axis=-1) / np.linalg.norm(ray, axis=-1)
            assert cosine.min() > 0.98, (layout, name)
        assert layout == "clouds" or not out["chosen"].any()
    with pytest.raises(ValueError, match="expected clouds or margins"):
        trajectories.draw({"layout": "spiral", "T": 3}, np.random.default_rng(0))


def test_the_rank_bound_holds_for_the_solution_and_breaks_with_wrong_multipliers():
    """The certified rank is at most the bound from the multipliers; the naive reading is above both."""
    found = [rank.ranks(10, 5, 15, np.random.default_rng(k)) for k in range(4)]
    assert all(r["nuclear"] <= r["most"] < r["official"] <= 10 and r["frobenius"] == 10 for r in found)
    never = rank.ranks(8, 5, 1, np.random.default_rng(0))
    assert never["tried"] == 0 and np.isnan(never["nuclear"])


def test_ill_conditioned_problems_reach_the_gap():
    """Close to infeasible, ‖W‖ above 1000: the exact reference on the rows near the margin gets there."""
    reached = []
    for k in (11, 23, 51, 85):
        X, Z, γ = experiments.draw({"n": 15, "T": 5, "d": 4}, np.random.default_rng(k))
        reached.append(attention.svm(X, Z, γ.argmax(axis=1)).certificate)
    assert max(c.primal for c in reached) > 1000 and max(c.gap for c in reached) <= 1e-9


def several(seed=0):
    rng = np.random.default_rng(seed)
    X, Z = rng.standard_normal((3, 4, 6)), rng.standard_normal((3, 6))
    O = np.zeros((3, 4), dtype=bool)
    O[0, :2], O[1, 1], O[2, 3] = True, True, True
    s = np.full((3, 4), 1e-9)
    s[O] = [0.3, 0.7, 1.0, 1.0]
    return X, Z, O, s


@guards(attention.multi_token)
def test_the_certificate_of_several_tokens_follows_from_its_multipliers():
    """Σλ over the norm of A*λ off the equalities' span is the dual bound; that part is W_svm; λ ≥ 0."""
    X, Z, O, s = several()
    found = attention.multi_token(X, Z, O, s)
    first = O.argmax(axis=1)
    rows = (X[np.arange(3), first][:, None] - X)[..., None] * Z[:, None, None, :]
    G = np.einsum("nt,ntde->de", found.multipliers, rows).ravel()
    E = rows[0, 1].reshape(1, -1)
    off = G - E.T @ np.linalg.lstsq(E.T, G, rcond=None)[0]
    assert found.multipliers.min() >= 0 and (found.multipliers[O] == 0).all()
    assert found.multipliers.sum() / np.linalg.norm(off) == pytest.approx(found.certificate.dual, rel=1e-12)
    # a gap of 1e-9 allows ‖W − A*λ‖ of √(2·1e-9) of the norm; multipliers in the scale of KKT
    assert np.linalg.norm(off - found.W_svm.ravel()) <= 5e-5 * np.linalg.norm(off)
    assert found.multipliers.sum() == pytest.approx(found.certificate.primal**2, rel=5e-5)


@pytest.mark.parametrize("shift", [0.3, 0.0])
def test_a_token_tied_to_the_selected_ones_is_infeasible(shift):
    """x_02 on the line through x_00 and x_01, or equal to x_00: its margin is 0 for every W."""
    X, Z, O, s = several()
    X[0, 2] = X[0, 0] + shift * (X[0, 0] - X[0, 1])
    with pytest.raises(attention.Infeasible, match="token 2") as raised:
        attention.multi_token(X, Z, O, s)
    assert raised.value.weights.sum() == 1
