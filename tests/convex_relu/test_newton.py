"""The semismooth Newton method for gated networks: its derivatives, its optima, its reach, data that are degenerate."""

import numpy as np
import pytest

from corollary.theory import convex_relu
from corollary.theory.convex_relu import losses, newton
from corollary.theory.convex_relu.interior import Data, gap_of, relative

LOSSES: tuple[losses.Loss, ...] = ("squared", "logistic")


def instance(loss: losses.Loss = "squared", n=30, d=4, count=12, seed=0, share=0.1):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    y = y if loss == "squared" else np.where(y > 0, 1.0, -1.0)
    D = convex_relu.sample_patterns(X, count, rng)
    largest = np.max(np.linalg.norm(X.T @ (D * losses.dual_point(loss, np.zeros(n), y)[:, None]), axis=0))
    return Data(X, y, share * float(largest), D, loss, True)


def quiet(*_): ...


def primal(data, z):
    f = sum(data.D[:, p] * (data.X @ z[p]) for p in range(len(z)))
    risk = np.sum((f - data.y) ** 2) / 2 if data.loss == "squared" else np.sum(np.logaddexp(0, -data.y * f))
    return risk + data.beta * np.linalg.norm(z, axis=1).sum()


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_and_hessian_are_the_derivatives_of_the_augmented_lagrangian(loss):
    """Central differences of φ as it is defined: an error of h² φ''' ~ 1e-10 and of rounding ε φ/h ~ 1e-10 an entry."""
    data = instance(loss, share=0.8)
    program, rng = newton._Program(data), np.random.default_rng(1)
    n, P = data.D.shape
    nu = program.y * rng.uniform(0.2, 0.8, n) if loss == "logistic" else rng.standard_normal(n) / 5
    z, sigma, h = rng.standard_normal((P, 4)), 3.0, 1e-5

    def phi(nu):
        total = 0.0
        for p in range(P):
            w = z[p] + sigma * program.X.T @ (program.D[:, p] * nu)
            total += max(np.linalg.norm(w) - sigma * program.beta, 0) ** 2 / (2 * sigma)
        if loss == "squared":
            return total + np.sum(nu**2) / 2 - nu @ program.y
        p = program.y * nu
        return total + np.sum(p * np.log(p) + (1 - p) * np.log(1 - p))

    def at(nu):
        return program.at(nu, program.features_transposed(nu), z, sigma)

    here = at(nu)
    assert here.value == pytest.approx(phi(nu), rel=1e-13) and 0 < here.active.size < P
    basis = h * np.eye(n)
    np.testing.assert_allclose(here.gradient, [(phi(nu + e) - phi(nu - e)) / (2 * h) for e in basis], atol=2e-9)
    hessian = np.stack([(at(nu + e).gradient - at(nu - e).gradient) / (2 * h) for e in basis])
    step = program.newton_direction(here, sigma)
    size = float(np.linalg.norm(hessian, 2) * np.linalg.norm(step))
    np.testing.assert_allclose(hessian @ step, -here.gradient, atol=1e-8 * size)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("share", [0.5, 0.05, 0.005])
def test_it_reaches_the_optimum_of_the_interior_point_and_goes_on_to_rounding(loss, share):
    """Objectives recomputed here, bounds by the certificate, which shares nothing with the method."""
    data = instance(loss, share=share)
    found = newton.by_newton(data, 1e-12, quiet)
    assert relative(*gap_of(data, found)) <= 1e-12
    other = convex_relu.solve(data.X, data.y, data.beta, data.D, loss, True, 1e-8, "interior-point")
    value = primal(data, found.u[0])
    assert other.certificate.dual <= value * (1 + 1e-13) and value <= other.objective * (1 + 1e-13)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "shape", ["zero rows", "equal rows", "equal columns", "equal patterns", "empty pattern", "one pattern", "one point"]
)
def test_degenerate_data(loss, shape):
    data = instance(loss)
    X, y, D = data.X.copy(), data.y, data.D.copy()
    if shape == "zero rows":
        X[:5] = 0
    elif shape == "equal rows":
        X[5:10], D[5:10] = X[:5], D[:5]
    elif shape == "equal columns":
        X[:, 1] = X[:, 0]
    elif shape == "equal patterns":
        D = np.concatenate([D, D], axis=1)
    elif shape == "empty pattern":
        D[:, 0] = 0
    elif shape == "one pattern":
        D = np.ones((len(X), 1))
    else:
        X, y, D = X[:1], y[:1], np.ones((1, 1))
    data = data._replace(X=X, y=y, D=D)
    assert relative(*gap_of(data, newton.by_newton(data, 1e-10, quiet))) <= 1e-10


@pytest.mark.parametrize("loss", LOSSES)
def test_beyond_the_critical_penalty_zero_is_found_with_no_gap(loss):
    data = instance(loss, share=1.0 + 1e-9)
    found = newton.by_newton(data, 1e-12, quiet)
    assert not found.u.any() and abs(relative(*gap_of(data, found))) <= 1e-15
    assert newton.by_newton(data._replace(beta=data.beta * (1 - 1e-3)), 1e-12, quiet).u.any()


@pytest.mark.parametrize("loss, share", [("squared", 1e-6), ("logistic", 1e-7)])
def test_penalties_so_small_that_the_fit_is_nearly_exact(loss, share):
    """48 unknowns for 30 points: ν is of the size of β, and σ has to grow by as much without losing its way."""
    data = instance(loss, share=share)
    assert relative(*gap_of(data, newton.by_newton(data, 1e-7, quiet))) <= 1e-7


@pytest.mark.filterwarnings("error")
def test_targets_of_zero_have_the_solution_zero():
    data = instance()
    s = convex_relu.solve(data.X, np.zeros(len(data.X)), 0.5, data.D, gated=True)
    assert not s.V.any() and s.objective == s.certificate.gap == 0


@pytest.mark.filterwarnings("error")
def test_a_tolerance_beyond_rounding_ends_with_the_best_point_and_a_cure_that_is_one():
    """Primal and dual are sums of 30 squares and 48 components of norms, each rounded by half an ε: 80 ε."""
    data = instance()
    with pytest.raises(convex_relu.NotConverged, match="solver 'newton'; raise tol to") as caught:
        convex_relu.solve(data.X, data.y, data.beta, data.D, gated=True, tol=1e-300)
    assert abs(caught.value.solution.certificate.relative) < 80 * np.finfo(float).eps


def test_a_neighbouring_solution_saves_systems():
    data = instance(n=60, d=6, count=40)
    systems = []
    near = newton.by_newton(data._replace(beta=1.1 * data.beta), 1e-8, quiet)
    for guess in (None, near):
        steps = [0]
        newton.by_newton(data, 1e-8, lambda stage, step, *_, steps=steps: steps.append(step), guess)
        systems.append(max(steps))
    assert systems[1] < systems[0]


def test_solve_takes_it_by_itself_on_the_host_and_after_fista_where_systems_are_large():
    small, large = instance(), instance(n=120, d=2, count=3)
    stages = []
    for data, tol in ((small, 1e-11), (large, 1e-11), (large, 1e-4)):
        s = convex_relu.solve(data.X, data.y, data.beta, data.D, gated=True, tol=tol)
        assert s.certificate.relative <= tol
        stages.append({stage for stage, *_ in s.history})
    assert stages == [{"newton"}, {"fista", "newton"}, {"fista"}]


def test_several_outputs_and_a_path_go_through_it():
    data = instance()
    Y = np.stack([data.y, -2 * data.y, data.X[:, 0]], axis=1)
    s = convex_relu.solve(data.X, Y, data.beta, data.D, gated=True, tol=1e-10)
    for k in range(3):
        one = convex_relu.solve(data.X, Y[:, k].copy(), data.beta, data.D, gated=True, tol=1e-10)
        at = np.linalg.norm(s.V[:, :, k] - s.W[:, :, k] - one.V + one.W)
        assert at <= 1e-4 * np.linalg.norm(one.V - one.W)  # strong convexity of the fit alone: √gap
    path = convex_relu.path(data.X, data.y, data.D, [2 * data.beta, data.beta, data.beta / 2], gated=True, tol=1e-10)
    assert all(p.certificate.relative <= 1e-10 for p in path.solutions)


def test_the_hinge_is_refused():
    data = instance("logistic")._replace(loss="hinge")
    with pytest.raises(ValueError, match="interior-point"):
        newton.by_newton(data, 1e-6, quiet)
    with pytest.raises(ValueError, match="solver='newton' needs a smooth loss"):
        convex_relu.solve(data.X, data.y, data.beta, data.D, "hinge", True, solver="newton")
    with pytest.raises(ValueError, match="solver='newton' is for gated=True"):
        convex_relu.solve(data.X, data.y, data.beta, data.D, "logistic", False, solver="newton")
