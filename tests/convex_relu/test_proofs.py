"""The derivations hold, and notice planted errors in the code they derive."""

import numpy as np
import pytest

from corollary.proofs_check.convex_relu import accelerated, counting, duality, gated, linearised, optima, program
from corollary.theory import convex_relu
from corollary.theory.convex_relu import fista, losses

DERIVATIONS = {
    d.id: d
    for d in (
        program.mapping, program.conjugates, program.structure, program.line, program.slope, counting.pattern_count,
        counting.scenario_bounds, counting.worst_case, duality.dual_program, duality.plane, optima.optimal_polytope,
        optima.minimal_models, gated.nested_patterns, gated.cone_decomposition, linearised.linearised_step,
        accelerated.accelerated_rate,
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
    "convex_relu.linearised_step": (convex_relu, "linearised_rate"),
    "convex_relu.accelerated_rate": (fista, "lipschitz"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_of_two_percent_is_noticed(name, monkeypatch):
    module, function = PLANTED[name]
    true = getattr(module, function)
    monkeypatch.setattr(module, function, lambda *a, **k: np.multiply(1.02, true(*a, **k)))
    assert not DERIVATIONS[name].run().holds


def test_pruning_that_stops_before_a_vertex_is_noticed(monkeypatch):
    """Pruning that leaves everything as it is."""
    monkeypatch.setattr(convex_relu, "prune", lambda net, X: net)
    assert not optima.minimal_models.run().holds


def test_a_neuron_missing_from_the_polytope_is_noticed(monkeypatch):
    true = convex_relu.optimal_set

    def without_the_last(sol):
        O = true(sol)
        return convex_relu.OptimalSet(O.directions[:, :-1], O.signs[:-1], O.patterns[:-1], O.columns[:, :-1], O.fit,
                                      O.nu, O.total)  # fmt: skip

    monkeypatch.setattr(convex_relu, "optimal_set", without_the_last)
    assert not optima.optimal_polytope.run().holds


def test_a_solver_that_ignores_half_of_the_patterns_is_noticed(monkeypatch):
    true = convex_relu.solve
    monkeypatch.setattr(convex_relu, "solve", lambda X, y, beta, D, **k: true(X, y, beta, D[:, :2], **k))
    assert not gated.nested_patterns.run().holds


def test_a_network_whose_w_is_added_is_noticed(monkeypatch):
    """The cone decomposition subtracts (Xw)_+."""
    true = convex_relu.network
    monkeypatch.setattr(convex_relu, "network", lambda V, W, **k: true(V + W, 0 * W, **k))
    assert not gated.cone_decomposition.run().holds
