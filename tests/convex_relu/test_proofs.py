"""The derivations hold, and notice planted errors in the code they derive."""

import numpy as np
import pytest

from corollary.proofs_check.convex_relu import counting, duality, program
from corollary.theory import convex_relu
from corollary.theory.convex_relu import losses

DERIVATIONS = {
    d.id: d
    for d in (
        program.mapping, program.conjugates, program.structure, program.line, program.slope, counting.pattern_count,
        counting.scenario_bounds, counting.worst_case, duality.dual_program, duality.plane,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVATIONS)
def test_it_is_derived(name):
    result = DERIVATIONS[name].run()
    assert result.holds, result.problem
    assert all(s.holds for s in result.steps)


PLANTED = {
    "convex_relu.conjugates": (losses, "dual_value"),
    "convex_relu.pattern_count": (convex_relu, "pattern_count"),
    "convex_relu.scenario_bounds": (convex_relu, "mean_violation_bound"),
    "convex_relu.worst_case": (convex_relu, "robust_objective"),
    "convex_relu.line": (convex_relu, "critical_beta"),
    "convex_relu.plane": (convex_relu, "critical_beta"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_of_two_percent_is_noticed(name, monkeypatch):
    module, function = PLANTED[name]
    true = getattr(module, function)
    monkeypatch.setattr(module, function, lambda *a, **k: np.multiply(1.02, true(*a, **k)))
    assert not DERIVATIONS[name].run().holds
