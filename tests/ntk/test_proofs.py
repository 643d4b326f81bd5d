"""A wrong formula, a wrong step or a missing check undoes the derivations of `proofs_check/ntk`.

That they hold as they are is asked of all families at once: tests/test_catalogue.py runs every derivation there is.
"""

from __future__ import annotations

import importlib
import math
import pkgutil

import numpy as np
import pytest
import sympy as sp

from corollary.claims.derivations import Derivation, agree, derivation, step
from corollary.proofs_check import ntk as room
from corollary.proofs_check.ntk import arccos, arcsine, dynamics, ensemble, gaps, gelu, sine, tangent_recursion
from corollary.theory import ntk
from corollary.theory.ntk import dynamics as training


def discovered() -> list[Derivation]:
    """Every derivation of the room, once."""
    found = {}
    for info in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{info.name}")
        for thing in vars(module).values():
            if isinstance(thing, Derivation):
                found[thing.id] = thing
    return [found[name] for name in sorted(found)]


ALL = discovered()


def test_every_public_closed_form_is_derived():
    """No activation, layer or training law of `theory/ntk` stands without a derivation (the rest are containers)."""
    derived = {f.__name__ for proof in ALL for f in proof.of}
    containers = {"Kernel", "KernelMatrix", "Network", "Posterior", "Serial", "Training", "sklearn_kernel"}
    assert set(ntk.__all__) - derived <= containers


def test_a_derivation_is_stated_in_words():
    """`corollary show ID` prints the docstring, so each has one that holds a formula."""
    assert all(len(proof.statement) > 40 and "=" in proof.statement for proof in ALL), [
        proof.id for proof in ALL if "=" not in proof.statement
    ]


# Planted errors in the code of `theory/`: the cheap derivations that should notice each.
DUALS = {
    ntk.Relu: (arccos.relu_value, arccos.relu_slope),
    ntk.Abs: (arccos.leaky_value, arccos.leaky_slope),
    ntk.LeakyRelu: (arccos.leaky_value, arccos.leaky_slope),
    ntk.Identity: (arccos.leaky_value, arccos.leaky_slope),
    ntk.Erf: (arcsine.erf_value, arcsine.erf_slope),
    ntk.Sin: (sine.sin_expectations, sine.sin_expectations),
    ntk.Gelu: (gelu.gelu_value, gelu.gelu_slope),
}
MUTATIONS = {
    "factor 1.02": lambda E, slope: (1.02 * E, 1.02 * slope),
    "swapped orders": lambda E, slope: (slope, E),
    "wrong sign": lambda E, slope: (-E, -slope),
    "absolute 1e-10": lambda E, slope: (E + 1e-10, slope + 1e-10),
    "NaN": lambda E, slope: (E * math.nan, slope * math.nan),
}


# one on every activation, the others on the cheapest: the comparison is the same code
GRID = [(a, m) for a in DUALS for m in MUTATIONS if a is ntk.Relu or m == "swapped orders"]


@pytest.mark.parametrize("which", [0, 1], ids=["value", "slope"])
@pytest.mark.parametrize(("activation", "mutation"), GRID, ids=[f"{a.__name__}, {m}" for a, m in GRID])
def test_a_wrong_expectation_in_the_code_is_noticed(monkeypatch, activation, mutation, which):
    """Any wrong dual leaves the derivation of that expectation NOT DERIVED, for the disagreement."""
    right = activation.dual
    monkeypatch.setattr(activation, "dual", lambda self, *q: MUTATIONS[mutation](*right(self, *q)))
    result = DUALS[activation][which].run()
    assert result.outcome == "NOT DERIVED"
    assert "the code differs from the derived expression" in result.problem
    assert all(s.holds for s in result.steps)


def kernel_with(change):
    """A `Network.kernel` whose result is changed."""
    right = ntk.Network.kernel

    def kernel(self, *x):
        found = right(self, *x)
        return ntk.Kernel(found.nngp, change(found))

    return kernel


@pytest.mark.parametrize(
    "change",
    [lambda k: 1.02 * k.ntk, lambda k: k.ntk - k.nngp, lambda k: k.nngp],
    ids=["factor 1.02", "Σ of the last layer dropped", "Σ for Θ"],
)
def test_a_wrong_tangent_kernel_is_noticed(monkeypatch, change):
    """Θ without a term of the recursion, or with a factor, is NOT DERIVED."""
    monkeypatch.setattr(ntk.Network, "kernel", kernel_with(change))
    assert tangent_recursion.layer_step.run().problem.startswith("the code differs")


@pytest.mark.parametrize("name", ["W_std", "b_std"])
def test_a_dense_layer_that_ignores_a_scale_is_noticed(monkeypatch, name):
    """W_std and b_std enter where the derivation puts them."""
    right = ntk.mlp
    monkeypatch.setattr(ntk, "mlp", lambda **options: right(**{**options, name: 0.9}))
    assert tangent_recursion.layer_step.run().problem.startswith("the code differs")


def test_the_textbook_form_of_a_smooth_dual_fails_at_large_variances(monkeypatch):
    """Q − k² by subtraction loses (1+q)ε where the derivation asks for (1+√q)ε: the gaps are not decoration."""
    for activation in (ntk.Erf, ntk.Gelu):
        monkeypatch.setattr(
            activation, "_expectations", lambda self, q1, q2, pair: self.dual(q1 + 0 * pair.k, q2 + 0 * pair.k, pair.k)
        )
    assert gaps.smooth_gaps.run().problem.startswith("the code differs")


def test_the_arccos_form_of_the_angle_fails_near_parallel_inputs(monkeypatch):
    """θ = arccos(k/s) loses half of the digits where the derivation asks for 12 of them."""
    right = ntk.Relu.step

    def through_arccos(self, q1, q2, pair):
        moments, _ = right(self, q1, q2, pair)
        return moments, self.dual(q1 + 0 * pair.k, q2 + 0 * pair.k, pair.k)[1]

    monkeypatch.setattr(ntk.Relu, "step", through_arccos)
    assert gaps.relu_family_gaps.run().problem.startswith("the code differs")


def solved_with(**changes):
    """A `gradient_flow` solved from changed arguments."""
    right = ntk.gradient_flow

    def flow(kernel, y, learning_rate=1.0, reg=0.0, f0=None):
        given = {"learning_rate": learning_rate, "reg": reg, "f0": f0}
        return right(
            kernel, y, **{name: changes[name](value) if name in changes else value for name, value in given.items()}
        )

    return flow


@pytest.mark.parametrize(
    ("proof", "changes"),
    [
        (dynamics.flow, {"learning_rate": lambda eta: dynamics.N * eta}),
        (dynamics.flow, {"learning_rate": lambda eta: 2 * eta}),
        (dynamics.ridge_flow, {"reg": lambda reg: reg / dynamics.N}),
        (dynamics.ridge_flow, {"reg": lambda reg: 0.0}),
        (ensemble.covariance, {"reg": lambda reg: dynamics.N * reg}),
    ],
    ids=["no 1/N", "loss without 1/2", "reg under 1/N", "reg ignored", "reg times N in the covariance"],
)
def test_a_wrong_convention_of_training_is_noticed(monkeypatch, proof, changes):
    """Learning rate, number of points and reg enter where the derivation puts them."""
    monkeypatch.setattr(ntk, "gradient_flow", solved_with(**changes))
    assert proof.run().problem.startswith("the code differs")


def test_a_posterior_covariance_in_place_of_the_ensemble_is_noticed(monkeypatch):
    """The NNGP posterior is not the ensemble's covariance at t = ∞."""

    def posterior(self, t, k_test_train, k_test):
        return ntk.posterior(self.nngp, self.y[:, 0], k_test_train.nngp, k_test.nngp).covariance

    monkeypatch.setattr(training.Training, "covariance", posterior)
    assert ensemble.limit_is_not_the_posterior.run().problem.startswith("the code differs")


def test_descent_solved_as_a_flow_is_noticed(monkeypatch):
    """(1 − ηλ/N)^k is not e^{−ηλk/N}."""
    monkeypatch.setattr(ntk, "gradient_descent", ntk.gradient_flow)
    assert dynamics.descent.run().problem.startswith("the code differs")


# Planted errors in the derivation itself: a step must fail, whatever the code says.
@pytest.mark.parametrize(
    ("proof", "module", "name", "wrong"),
    [
        (arccos.relu_value, arccos, "VALUE", 1.02 * arccos.VALUE),
        (arccos.relu_value, arccos, "VALUE", arccos.VALUE + sp.Rational(1, 100)),
        (arccos.relu_slope, arccos, "SLOPE", arccos.θ / (2 * sp.pi)),
        (arccos.leaky_value, arccos, "LEAKY_VALUE", arccos.LEAKY_VALUE.subs(arccos.a, -arccos.a)),
        (arcsine.erf_value, arcsine, "VALUE", arcsine.VALUE / 2),
        (arcsine.erf_slope, arcsine, "SLOPE", 2 * arcsine.SLOPE),
        (sine.sin_expectations, sine, "VALUE", sine.SLOPE),
        (gelu.gelu_value, gelu, "VALUE", gelu.VALUE + gelu.PP),
        (gelu.gelu_slope, gelu, "SLOPE", gelu.SLOPE - gelu.PP),
        (dynamics.flow, dynamics, "THETA", dynamics.THETA * 2),
    ],
)
def test_a_wrong_formula_in_the_derivation_fails_at_a_step(monkeypatch, proof, module, name, wrong):
    """The steps check: a wrong result does not reach the comparison unnoticed."""
    monkeypatch.setattr(module, name, wrong)
    result = proof.run()
    assert result.outcome == "NOT DERIVED"
    assert not all(s.holds for s in result.steps)
    assert result.problem.startswith("step ")


def points(count: int) -> list[tuple[float]]:
    return [(float(x),) for x in np.random.default_rng(0).uniform(1, 2, count)]


def outcome(body) -> tuple[str, str]:
    result = derivation(of=ntk.Relu, method="symbolic")(body).run()
    return result.outcome, result.problem


def test_fewer_than_20_points_is_not_derived():
    """19 agreeing points are not enough; 20 are."""

    def body(count):
        yield step("nothing", 0)
        yield agree(math.sqrt, math.sqrt, points(count), digits=15)

    assert outcome(lambda: body(20)) == ("DERIVED", "")
    word, why = outcome(lambda: body(19))
    assert word == "NOT DERIVED" and "compared at 19 points" in why


def test_a_false_step_is_not_derived():
    """Agreement of the end result does not excuse a step that fails."""

    def body():
        yield step("true", 1)
        yield step("1 + 1 = 3", 3, holds=3 == sp.Integer(1) + 1)
        yield agree(math.sqrt, math.sqrt, points(20), digits=15)

    assert outcome(body) == ("NOT DERIVED", "step 2 fails: 1 + 1 = 3")


def test_a_derivation_that_never_looks_at_the_code_is_not_derived():
    """Without agree(...) it proves something about paper, not about the program."""

    def body():
        yield step("true", 1)

    word, why = outcome(body)
    assert word == "NOT DERIVED" and "end with agree" in why


def test_a_body_that_raises_is_not_derived():
    """An exception is reported with its type; it neither passes nor stops the run of the others."""

    def body():
        yield agree(math.sqrt, math.sqrt, points(20), digits=15)
        raise ZeroDivisionError("by hand")

    assert outcome(body) == ("NOT DERIVED", "ZeroDivisionError: by hand")


def test_one_deviating_point_of_many_is_not_derived():
    """The largest error counts, not the mean."""
    given = points(50)

    def body():
        yield agree(math.sqrt, lambda x: math.sqrt(x) * (1 + 1e-9 * (x == given[31][0])), given, digits=12)

    word, why = outcome(body)
    assert word == "NOT DERIVED" and "promised 1e-12" in why


def test_quadrature_notices_a_wrong_closed_form():
    """The 50-digit comparison fails for a formula that is wrong in its 40th digit."""
    from corollary.proofs_check.ntk.gaussian import formula, random_pairs
    from corollary.proofs_check.ntk.networks import quadrature
    from corollary.proofs_check.ntk.quadrature import closed_form_to_50_digits

    pairs, right = random_pairs(99, 1), (formula(arcsine.VALUE), formula(arcsine.SLOPE))
    off = formula(arcsine.VALUE * (1 + sp.Integer(10) ** -40))
    assert closed_form_to_50_digits(right, quadrature("Erf"), pairs).holds
    assert not closed_form_to_50_digits((off, right[1]), quadrature("Erf"), pairs).holds
