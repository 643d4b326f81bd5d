"""The derivations of `proofs_check/icl` hold, cover every closed form, and notice a wrong formula in the code."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

from corollary.claims.derivations import Derivation
from corollary.proofs_check import icl as room
from corollary.proofs_check.icl import asymptotic, constructions, newton, optimum, population_loss, prequential, wishart
from corollary.theory import icl


def discovered() -> dict[str, Derivation]:
    """Every derivation of the room, by id."""
    found = {}
    for info in pkgutil.iter_modules(room.__path__):
        for thing in vars(importlib.import_module(f"{room.__name__}.{info.name}")).values():
            if isinstance(thing, Derivation):
                found[thing.id] = thing
    return found


ALL = discovered()


@pytest.mark.parametrize("proof", ALL.values(), ids=ALL)
def test_the_derivation_says_what_it_derives(proof):
    """An equation, in words enough; that it holds is tested with all others (tests/test_catalogue.py)."""
    assert "=" in proof.statement and len(proof.statement) > 40


#: closed forms that are one line from a derived one, or numerical searches with a certificate of their own
ELSEWHERE = {
    "rank_one_excess", "least_squares_excess", "target_moments", "uniform_task", "preconditioner_weights",
}  # fmt: skip


def test_every_closed_form_is_derived_or_named_here():
    """A new public function of `theory/icl` needs a derivation, or a place in the list with its own test."""
    functions = {n for n in icl.__all__ if not isinstance(getattr(icl, n), type)}
    derived = {f.__name__ for proof in ALL.values() for f in proof.of}
    assert functions - derived == ELSEWHERE


# the cheap derivation that must notice each function being off by 2 %
NOTICED = {
    "label_moment": population_loss.prompt_moments,
    "energy_gram": population_loss.prompt_moments,
    "energy_square": population_loss.prompt_moments,
    "gram_second_moment": population_loss.prompt_moments,
    "population_loss": population_loss.population_loss,
    "optimal_preconditioner": optimum.preconditioner,
    "optimal_excess": optimum.preconditioner,
    "excess": optimum.preconditioner,
    "optimal_step": optimum.step_size,
    "gradient_flow": optimum.flow,
    "train_risk_step": optimum.train_risk,
    "gd_excess": wishart.several_steps,
    "code_lengths": prequential.code_length,
    "marginal_code_length": prequential.code_length,
}


@pytest.mark.parametrize("name", NOTICED)
def test_a_formula_off_by_two_percent_is_noticed(monkeypatch, name):
    """NOT DERIVED, for the disagreement with the code; the steps themselves still hold."""
    right = getattr(icl, name)
    monkeypatch.setattr(icl, name, lambda *a, **k: 1.02 * right(*a, **k))
    result = NOTICED[name].run()
    assert result.problem.startswith("the code differs") and all(s.holds for s in result.steps)


def test_wrong_tuples_are_noticed(monkeypatch):
    """The same for functions that return records."""
    for name, proof, spoil in (
        ("learning_curve", asymptotic.learning_curve, lambda r: r._replace(icl=1.02 * r.icl)),
        ("learning_curve", asymptotic.finite_ridge, lambda r: r._replace(icl=1.02 * r.icl)),
        ("learning_curve", asymptotic.finite_ridge, lambda r: r._replace(idg=1.02 * r.idg)),
        ("newton", newton.newton, lambda r: r._replace(weights=1.02 * r.weights)),
        ("gradient_descent", newton.descent, lambda r: r._replace(weights=1.02 * r.weights)),
        ("nonlinear_optimum", optimum.nonlinear, lambda r: r._replace(excess=1.02 * r.excess)),
        ("nonlinear_optimum", optimum.nonlinear, lambda r: r._replace(step=1.02 * r.step)),
        ("newton_steps", newton.step_counts, lambda r: r + 1),
        ("wishart_moment", wishart.wishart_moments, lambda r: r + 1),
    ):
        with monkeypatch.context() as patch:
            right = getattr(icl, name)
            patch.setattr(icl, name, lambda *a, right=right, spoil=spoil, **k: spoil(right(*a, **k)))
            assert proof.run().problem.startswith("the code differs"), name


def test_a_wrong_construction_is_noticed(monkeypatch):
    """Predictions of the constructions off by 2 % leave them NOT DERIVED."""
    for cls, proof in ((icl.GradientDescent, constructions.gradient_step), (icl.Newton, constructions.newton_layer)):
        right = cls.predict
        monkeypatch.setattr(cls, "predict", lambda self, *a, right=right: 1.02 * np.asarray(right(self, *a)))
        assert proof.run().problem.startswith("the code differs")
