"""Whether some W separates the chosen tokens: instances that HiGHS leaves undecided, and Gordan's alternative."""

import numpy as np
import pytest
import scipy.optimize

from corollary.seeds import seed_sequences
from corollary.sims.attention import feasibility

UNDECIDED = {"n": 8, "T": 9, "max_d": 9, "attention": "self"}  # found by a run on a fresh seed root
ROOT, REPLICATES = 153670640151825, range(16)


def instance(seed, n, d, T=9):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, T, d))
    return X, X[:, 0].copy(), rng.integers(T, size=n)


class Undecided:
    """linprog, but the first program of a call ends with HiGHS's status 4, as on the instance above."""

    def __init__(self):
        self.solve, self.calls = scipy.optimize.linprog, 0

    def __call__(self, *given, A_eq=None, **options):
        self.calls += 1
        if A_eq is None:
            return scipy.optimize.OptimizeResult(status=4, message="model_status is Unknown")
        return self.solve(*given, A_eq=A_eq, **options)


def test_the_instance_that_stopped_a_run_is_decided():
    seeds = seed_sequences(ROOT, "tarzanagh2023.least-dimension", UNDECIDED, REPLICATES)
    found = feasibility.least_dimension(UNDECIDED, seeds, np)["d"]
    assert np.all((found >= 2) & (found <= 9))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6])
def test_the_alternative_decides_as_the_program_does(monkeypatch, d):
    cases = [instance(seed, 6, d) for seed in range(6)]
    direct = [feasibility.separable(*case) for case in cases]
    stub = Undecided()
    monkeypatch.setattr(scipy.optimize, "linprog", stub)
    assert [feasibility.separable(*case) for case in cases] == direct and stub.calls == 2 * len(cases)
    assert d not in (1, 6) or direct == [d == 6] * 6  # both answers occur


def test_neither_decided_is_an_error(monkeypatch):
    undecided = scipy.optimize.OptimizeResult(status=4, message="Unknown")
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *_, **__: undecided)
    with pytest.raises(RuntimeError, match=r"could not decide whether W exists \(n = 6, T = 9, d = 3\).*the hull"):
        feasibility.separable(*instance(0, 6, 3))
