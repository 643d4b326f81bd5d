"""Training of attention: gradients, where the naive form fails, the experiments."""

import mpmath
import numpy as np
import pytest

from corollary.arrays import to_numpy
from corollary.sims.attention import experiments, model, path, selection, training
from corollary.theory import attention

POINT = {"n": 4, "T": 5, "d": 6}


def tasks(backend, count=3):
    drawn = [experiments.draw(POINT, np.random.default_rng(k)) for k in range(count)]
    return model.Tasks(*(backend.asarray(np.stack(p)) for p in zip(*drawn, strict=True)))


def gradients(problem, W, backend):
    log, naive = model.log_gradient(problem, W), backend.numpy(model.naive_gradient(problem, W))
    return backend.numpy(log.direction) * np.exp(backend.numpy(log.factor))[:, None, None], naive


def test_gradient_is_the_derivative_of_the_loss(backend):
    """Both forms against central differences."""
    problem = tasks(backend)
    W = np.random.default_rng(9).standard_normal((3, 6, 6))
    log, naive = gradients(problem, backend.asarray(W), backend)
    numeric, h = np.zeros_like(W), 1e-5
    for i in np.ndindex(6, 6):
        step = np.zeros((6, 6))
        step[i] = h
        up, down = (backend.numpy(model.loss(problem, backend.asarray(W + s * step))) for s in (1, -1))
        numeric[:, *i] = (up - down) / (2 * h)
    # differences: rounding 1e-16/1e-5 and curvature 1e-10, of gradients near 0.1
    assert np.abs(log - numeric).max() <= 1e-9 and np.abs(naive - numeric).max() <= 1e-9
    assert np.abs(numeric).max() > 0.01


def in_many_digits(X, Z, γ, a, factor):
    """exp(−factor) ∇L by the textbook form in 4000 digits, from float64 logits a (n, T)."""
    with mpmath.workdps(4000):
        total = np.zeros((X.shape[2], Z.shape[1]))
        for x, z, g, logits in zip(X, Z, γ, a, strict=True):
            powers = [mpmath.exp(mpmath.mpf(v)) for v in logits]
            s = [p / sum(powers) for p in powers]
            f = sum(p * mpmath.mpf(v) for p, v in zip(s, g, strict=True))
            outer = -mpmath.exp(-mpmath.mpf(factor)) / (1 + mpmath.exp(f)) / len(X)
            weight = [p * (mpmath.mpf(v) - f) * outer for p, v in zip(s, g, strict=True)]
            left = [sum(w * mpmath.mpf(x[t, k]) for t, w in enumerate(weight)) for k in range(x.shape[1])]
            total += np.outer([float(v) for v in left], z)
    return total


def test_naive_gradient_dies_where_the_log_form_lives(backend):
    """Equal to 1e-6 while ‖W‖ < 20; beyond 250 the naive form has lost its direction, the log form keeps it."""
    problem = tasks(backend)
    W = training.train_w(problem, backend.asarray(np.zeros((3, 6, 6))), rate=0.1, steps=300)
    unit = backend.numpy(W) / backend.numpy(training.norm(W))

    def cosines(size):
        log, naive = (g.reshape(3, -1) for g in gradients(problem, backend.asarray(size * unit), backend))
        norms = np.linalg.norm(log, axis=1) * np.linalg.norm(naive, axis=1)
        return np.sum(log * naive, axis=1) / np.where(norms > 0, norms, 1)

    assert cosines(15.0) == pytest.approx(np.ones(3), abs=1e-6)
    assert cosines(400.0).max() < 0.99
    W = 1e4 * unit
    far = model.log_gradient(problem, backend.asarray(W))
    direction, factor = backend.numpy(far.direction), backend.numpy(far.factor)
    assert factor.max() < -800
    for b in range(3):
        X, Z, γ = (backend.numpy(a)[b] for a in problem)
        exact = in_many_digits(X, Z, γ, np.einsum("ntd,de,ne->nt", X, W[b], Z), factor[b])
        # logits of size 1e4 are rounded to 2e-12, so are the exponentials, relatively
        assert np.abs(direction[b] - exact).max() <= 1e-10 * np.abs(exact).max()


def test_plain_descent_and_log_time_follow_one_flow(backend):
    """Both discretise gradient flow: at equal ln t their ‖W‖ agree within first-order steps."""
    problem, zero = tasks(backend), backend.asarray(np.zeros((3, 6, 6)))
    seen = []
    training.train_w(problem, zero, rate=0.01, steps=200, record=lambda k, W, t: seen.append((W, t)), record_at=[200])
    times = np.exp(backend.numpy(seen[0][1]))
    for b in range(3):
        steps = 500
        plain = training.train_w(problem, zero, rate=float(times[b]) / steps, steps=steps, normalised=False)
        gap = np.linalg.norm(backend.numpy(plain)[b] - backend.numpy(seen[0][0])[b])
        assert gap <= 0.02 * np.linalg.norm(
            backend.numpy(plain)[b]
        )  # step 0.01 of a path of length 2, and 1/500 of the time


def test_bad_schedules(backend):
    """One error that says what was passed."""
    problem, zero = tasks(backend), backend.asarray(np.zeros((3, 6, 6)))
    for bad in ({"rate": 0.0, "steps": 5}, {"rate": 0.1, "steps": 0}, {"rate": 0.1, "steps": 5, "record_at": [6]}):
        with pytest.raises(ValueError, match="expected"):
            training.train_w(problem, zero, **bad)
        with pytest.raises(ValueError, match="expected"):
            training.train_kq(problem, zero, zero, **bad)


def target(X, Z, chosen, norm):
    return attention.svm(X, Z, chosen, norm=norm, gap=1e-6).W


def test_experiments_do_not_depend_on_the_block(backend):
    """A replicate's numbers depend on its own seed. 200 steps: up to there those of this seed keep a change of K and Q
    by some ε at some ε. Further on K and Q oscillate, and 400 steps make 10¹² of it: on a GPU, whose products of a
    batch of one and of three sum in different orders, the cosines differed by 3e-4."""
    seeds = [np.random.SeedSequence([7, k]) for k in range(3)]
    point = {**POINT, "rate": 0.1, "steps": 200, "record_at": [100, 200]}
    all_at_once, alone = (
        experiments.convergence(point, some, backend.xp, target=target, device=backend.device)
        for some in (seeds, seeds[1:2])
    )
    for key, v in all_at_once.items():
        # 200 steps add some ten ε each, and `towards` divides by ‖N̂ − F̂‖²: ten times that, 4e-12. The targets are equal
        assert to_numpy(v)[1] == pytest.approx(to_numpy(alone[key])[0], abs=1e-11), key


def test_w_goes_to_the_frobenius_and_kq_to_the_nuclear_solution(backend):
    seeds = [np.random.SeedSequence([7, k]) for k in range(3)]
    point = {**POINT, "rate": 0.1, "steps": 400, "record_at": [100, 400]}
    found = experiments.convergence(point, seeds, backend.xp, target=target, device=backend.device)
    assert to_numpy(found["w_frobenius"])[:, -1].min() > 0.95
    assert abs(to_numpy(found["w_towards"])).max() < 0.3 < 0.7 < to_numpy(found["kq_towards"]).min()
    bars = selection.bars(point, seeds, backend.xp, device=backend.device)
    assert sum(to_numpy(bars[k]) for k in ("is_global", "is_local", "unsaturated")) == pytest.approx(np.ones(3))


def test_path_excess_is_the_loss_less_its_infimum():
    """ln(L − L*) against the plain difference, and its gradient against differences; larger R comes closer."""
    X, Z, γ = experiments.draw(POINT, np.random.default_rng(3))
    W = np.random.default_rng(4).standard_normal((6, 6))
    problem = model.Tasks(X[None], Z[None], γ[None])
    value, G = path.excess(X, Z, γ, W)
    infimum = np.mean(np.log1p(np.exp(-γ.max(axis=1))))
    assert np.exp(value) == pytest.approx(float(model.loss(problem, W[None])[0]) - infimum, rel=1e-10)
    step = 1e-6 * np.random.default_rng(5).standard_normal((6, 6))
    rise = (path.excess(X, Z, γ, W + step)[0] - path.excess(X, Z, γ, W - step)[0]) / 2
    assert np.sum(G * step) == pytest.approx(rise, rel=1e-6)


def test_rates_experiment():
    """‖W‖ grows by ‖W^mm‖ per unit of ln t; stable runs only."""
    from corollary.arrays import namespace_for

    seeds = [np.random.SeedSequence([8, k]) for k in range(4)]
    got = experiments.rates({**POINT, "rate": 0.1, "steps": 1600}, seeds, namespace_for("cpu"), target=target)
    assert np.abs(got["growth"] - 1).max() < 0.02 and set(got["stable"]) <= {0.0, 1.0}
    assert np.abs(got["margin_slope"] + 1).max() < 0.3
    point = {**POINT, "radii": [20.0, 40.0]}
    gap = experiments.regularisation_path(point, seeds, namespace_for("cpu"), target=target)["gap"]
    assert (gap[:, 0] > gap[:, 1]).all() and (gap > 0).all()


@pytest.mark.parametrize("when", [1, 4, 8])
def test_a_change_of_tokens_at_any_recorded_time_of_the_last_half_makes_a_run_unstable(monkeypatch, when):
    """Tokens of one run changed at one of the nine times after steps/2, and back: drawn again; before: nothing."""
    from corollary.arrays import namespace_for

    seeds, seen, honest = [np.random.SeedSequence([8, k]) for k in range(2)], [], experiments.selected

    def meddled(tasks, W):
        chosen = np.array(honest(tasks, W))
        seen.append(len(seen))
        if seen[-1] == at:
            chosen[1, 0] = (chosen[1, 0] + 1) % 5
        return chosen

    monkeypatch.setattr(experiments, "selected", meddled)
    run = lambda: experiments.rates({**POINT, "rate": 0.1, "steps": 400}, seeds, namespace_for("cpu"), target=target)  # noqa: E731
    at = 0  # steps/4: not in the last half
    before = run()["stable"]
    seen.clear()
    at = when
    assert before.tolist() == [1, 1] and run()["stable"].tolist() == [1, 0]
