"""The dual of the convex program, its constraint as a projection, and instances in the plane solved in fractions."""

from __future__ import annotations

import math
from collections.abc import Generator
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import convex_relu
from corollary.theory.convex_relu.problem import checked

Steps = Generator[Step | Agreement, None, None]
Vec = tuple[Fraction, Fraction]


def dot(a: Vec, b: Vec) -> Fraction:
    return a[0] * b[0] + a[1] * b[1]


class Plane(NamedTuple):
    """x_k (rational), ν, the unit vector u* on the ray where x_0·u* = 0, α ≥ 0, sign: v* = α u*, y = ν + f*."""

    x: list[Vec]
    nu: list[Fraction]
    ray: Vec
    alpha: Fraction
    sign: int

    @property
    def beta(self) -> Fraction:
        return abs(self.reach(self.ray))

    @property
    def fit(self) -> list[Fraction]:
        return [self.sign * self.alpha * max(Fraction(0), dot(x, self.ray)) for x in self.x]

    @property
    def y(self) -> list[Fraction]:
        return [n + f for n, f in zip(self.nu, self.fit, strict=True)]

    def reach(self, u: Vec) -> Fraction:
        """νᵀ(X u)_+."""
        return sum((n * max(Fraction(0), dot(x, u)) for n, x in zip(self.nu, self.x, strict=True)), Fraction(0))

    def constraint_holds(self) -> bool:
        """|νᵀ(X u)_+| ≤ β‖u‖ for every u ∈ R², by squares of fractions. On each arc between rays where a row vanishes
        it is c·u: its maximum is ‖c‖ where c points into the arc, else at an end."""
        rays: list[Vec] = [(s * -x[1], s * x[0]) for x in self.x for s in (1, -1)]
        rays.sort(key=lambda u: math.atan2(u[1], u[0]))
        ends = all(self.reach(u) ** 2 <= self.beta**2 * dot(u, u) for u in rays)
        for low, high in zip(rays, [*rays[1:], rays[0]], strict=True):
            middle = (low[0] + high[0], low[1] + high[1])
            if low[0] * high[1] == low[1] * high[0]:  # parallel rows: no arc, or a half-plane turned by a quarter
                continue
            on = [dot(x, middle) > 0 for x in self.x]
            c = (sum((n * x[0] for n, x, s in zip(self.nu, self.x, on, strict=True) if s), Fraction(0)),
                 sum((n * x[1] for n, x, s in zip(self.nu, self.x, on, strict=True) if s), Fraction(0)))  # fmt: skip
            for s in (1, -1):
                inside = s * (low[0] * c[1] - low[1] * c[0]) >= 0 and s * (c[0] * high[1] - c[1] * high[0]) >= 0
                ends &= not inside or dot(c, c) <= self.beta**2
        return ends


@cache
def instances() -> list[Plane]:
    """Drawn until 20 have their largest |νᵀ(X u)_+| on a ray where a row vanishes: there the cone binds."""
    rng = np.random.default_rng(11)
    rays: list[Vec] = [(Fraction(3, 5), Fraction(4, 5)), (Fraction(-5, 13), Fraction(12, 13)),
                       (Fraction(8, 17), Fraction(-15, 17)), (Fraction(-20, 29), Fraction(-21, 29))]  # fmt: skip
    found: list[Plane] = []
    while len(found) < 20:
        ray = rays[int(rng.integers(4))]
        numbers = [Fraction(int(k), 4) for k in rng.integers(-8, 9, 10)]
        x: list[Vec] = [(-ray[1] * 2, ray[0] * 2), *zip(numbers[:3], numbers[3:6], strict=True)]
        if any(dot(a, a) == 0 for a in x) or any(
            a[0] * b[1] == a[1] * b[0] for i, a in enumerate(x) for b in x[:i]
        ):  # rows on one line
            continue
        nu = numbers[6:]
        drawn = Plane(x, nu, ray, Fraction(int(rng.integers(1, 9)), 4), 1)
        value = drawn.reach(ray)
        if value == 0:
            continue
        drawn = drawn._replace(sign=1 if value > 0 else -1)
        # strictly: the sinusoid rises towards the ray on either side, so neither side's peak ‖c‖ is attained
        if drawn.constraint_holds() and pull(drawn, False) > 0 > pull(drawn, True):
            found.append(drawn)
    return found


def pull(p: Plane, on: bool) -> Fraction:
    """Slope of sign·νᵀ(X u)_+ at u*, towards the side where row 0 is active, with row 0 off or on."""
    rows = range(0 if on else 1, len(p.x))
    active = [k for k in rows if k == 0 or dot(p.x[k], p.ray) > 0]
    return p.sign * sum((p.nu[k] * dot(p.x[k], p.x[0]) for k in active), Fraction(0))


@derivation(of=(convex_relu.dual_bound, convex_relu.certify), method="symbolic")
def dual_program() -> Steps:
    """min max L(f) + β Σ‖u_g‖ + νᵀ(f − Σ F_g u_g): the inner minimum over cones is a constraint on ν, and its support
    function a projection; compared with `dual_bound` at random ν against a scan of the circle."""
    t, b, c, m = sp.symbols("t beta c m", real=True)
    ray = t * (b - c)
    yield step("for u = t û in the cone, t ≥ 0, ‖û‖ = 1, c = ±νᵀD_p X û: β‖u‖ − ν·F u", ray,
               holds=sp.expand(t * b - t * c - ray) == 0)  # fmt: skip
    yield step(
        "its infimum over t ≥ 0 is 0 iff c ≤ β, else −∞: ν must satisfy |νᵀD_pXû| ≤ β for all û of every cone",
        "max −L*(−ν)",
        holds=sp.limit(ray.subs({b: 1, c: 2}), t, sp.oo) == -sp.oo and ray.subs({b: 2, c: 1, t: 0}) == 0
        and sp.diff(ray, t).subs({b: 2, c: 1}) > 0,
    )  # fmt: skip
    q, r, u = (sp.Matrix(sp.symbols(f"{name}1:4", real=True)) for name in "qru")
    split = sp.expand((q + r).dot(u) - q.dot(u) - r.dot(u))
    yield step("Moreau: a = q + r with q = Proj_K(a), r·u ≤ 0 on K, r·q = 0, so a·u ≤ q·u ≤ ‖q‖‖u‖ on K", split,
               holds=split == 0)  # fmt: skip
    at = sp.simplify((q + r).dot(q) - q.dot(q) - r.dot(q))
    yield step("and at u = q/‖q‖ ∈ K it is ‖q‖: max over K, ‖u‖ ≤ 1, of a·u is ‖Proj_K(a)‖", at, holds=at == 0)
    square = sp.Symbol("‖a + Aᵀμ‖²")
    yield step("−r = Aᵀμ, μ ≥ 0 (Farkas), so the projection is the least ‖a + Aᵀμ‖, and any μ ≥ 0 bounds it", square)
    f, y, n = sp.symbols("f y nu", real=True)
    weak = sp.expand((f - y) ** 2 / 2 + n * f - (n * y - n**2 / 2))
    yield step("weak duality, squared loss: L(f) + ν f − (ν y − ν²/2) is a square", sp.factor(weak),
               holds=sp.expand(weak - (f - y + n) ** 2 / 2) == 0)  # fmt: skip
    rng = np.random.default_rng(12)
    points = [(rng.standard_normal((6, 2)), rng.standard_normal(6), rng.standard_normal(6), float(rng.uniform(0.1, 1)))
              for _ in range(24)]  # fmt: skip

    def derived(X: np.ndarray, y_: np.ndarray, nu: np.ndarray, beta: float) -> float:
        """The largest |νᵀ(Xu)_+| by arcs, then the best multiple of ν, by hand."""
        edges = np.sort(np.concatenate([np.arctan2(s * X[:, 0], -s * X[:, 1]) for s in (1, -1)]))
        best = 0.0
        for low, high in zip(edges, np.append(edges[1:], edges[0] + 2 * np.pi), strict=True):
            middle = np.array([np.cos((low + high) / 2), np.sin((low + high) / 2)])
            a = X.T @ ((X @ middle > 0) * nu)
            peak = np.arctan2(a[1], a[0])
            angles = [low, high, *(peak + k * np.pi for k in range(-3, 5) if low <= peak + k * np.pi <= high)]
            best = max([best, *(abs(a @ [np.cos(v), np.sin(v)]) for v in angles)])
        s = min(max(nu @ y_ / (nu @ nu), 0.0), beta / best)
        return float(s * nu @ y_ - s * s * nu @ nu / 2)

    def code(X: np.ndarray, y_: np.ndarray, nu: np.ndarray, beta: float) -> float:
        problem = checked(X, y_, beta, np.asarray(convex_relu.all_patterns(X)))
        return convex_relu.dual_bound(problem, nu[:, None])[0]

    # rows may be nearly parallel: the projections lose two digits there
    yield agree(derived, code, points, digits=11, scale=1.0)


@derivation(of=(convex_relu.solve, convex_relu.critical_beta), method="rational")
def plane() -> Steps:
    """d = 2 in exact arithmetic: the neuron sits where its cone binds, and a rational ν proves it optimal."""
    cases = instances()
    yield step(
        "the rational ν obeys |νᵀ(Xu)_+| ≤ β‖u‖ for every u of the plane: squares of fractions, arc by arc",
        f"{len(cases)} instances", holds=all(p.constraint_holds() for p in cases),
    )  # fmt: skip
    binding = all(dot(p.x[0], p.ray) == 0 and pull(p, False) > 0 > pull(p, True) for p in cases)
    yield step(
        "row 0 vanishes at the optimal u*: from either side the linear piece still rises, so the cone binds with a "
        "positive multiplier and ‖XᵀD_pν‖ > β in both cells that meet there", "u* on a face", holds=binding,
    )  # fmt: skip
    optimal = []
    for p in cases:
        primal = sum((n * n for n in p.nu), Fraction(0)) / 2 + p.beta * p.alpha
        dual = sum((n * y - n * n / 2 for n, y in zip(p.nu, p.y, strict=True)), Fraction(0))
        optimal.append(primal == dual)
    yield step("½‖f* − y‖² + β α = Σ ν y − ν²/2: primal and dual are one fraction", "gap 0", holds=all(optimal))

    def derived(i: int, what: str) -> float:
        p = cases[i]
        return float(p.beta if what == "β_c of ν" else sum(n * n for n in p.nu) / 2 + p.beta * p.alpha)

    def code(i: int, what: str) -> float:
        p = cases[i]
        X, y, nu = (np.array([[float(k) for k in row] for row in p.x]), np.array([float(k) for k in p.y]),
                    np.array([float(k) for k in p.nu]))  # fmt: skip
        D = np.asarray(convex_relu.all_patterns(X))
        if what == "β_c of ν":
            return convex_relu.critical_beta(X, nu, D)
        return convex_relu.solve(X, y, float(p.beta), D, tol=1e-10).objective

    yield agree(derived, code, [(i, "β_c of ν") for i in range(20)], digits=12)
    # solved to a relative gap of 1e-10
    yield agree(derived, code, [(i, "p*") for i in range(20)], digits=9)
