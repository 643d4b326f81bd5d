"""The optimal set and its minimal models, step by step and against exact optima (see `orthants`)."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from fractions import Fraction

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.convex_relu.orthants import (
    Orthants,
    Vector,
    dual_value,
    primal_value,
    rank_of,
    solved_instances,
)
from corollary.theory import convex_relu

Steps = Generator[Step | Agreement, None, None]


@derivation(of=(convex_relu.optimal_set, convex_relu.OptimalSet), method="rational")
def optimal_polytope() -> Steps:
    """All optima are α ≥ 0, Z α = f*: the fit is unique, each neuron points along q_i, and only ‖q_i‖ = β are in use."""
    f, g, y = sp.symbols("f g y", real=True)
    middle = sp.expand(((f + g) / 2 - y) ** 2 / 2 - (f - y) ** 2 / 4 - (g - y) ** 2 / 4 + (f - g) ** 2 / 8)
    yield step("two fits f ≠ g of one value: their middle is lower by ‖f − g‖²/8, so f* is unique", middle,
               holds=middle == 0)  # fmt: skip
    q, u = (sp.Matrix(sp.symbols(f"{name}1:4", real=True)) for name in "qu")
    cross = sp.expand(q.dot(q) * u.dot(u) - q.dot(u) ** 2 - q.cross(u).dot(q.cross(u)))
    yield step(
        "at an optimum Σ (β‖u_i‖ − ν·F_i u_i) = 0 and ν·F_i u ≤ q_i·u ≤ ‖q_i‖‖u‖ ≤ β‖u‖ on the cone: every term is 0. "
        "‖q‖²‖u‖² − (q·u)² = ‖q × u‖², so u_i is along q_i, and ‖q_i‖ = β", cross, holds=cross == 0,
    )  # fmt: skip
    cases = solved_instances()
    bounded = all(
        sum(v * v for v in p.projection(o, s)) <= p.beta**2 for p, _ in cases for o in p.orthants for s in (1, -1)
    )
    yield step("‖Proj_o(±XᵀD_oν)‖² ≤ β² for every orthant and sign, in fractions", len(cases), holds=bounded)
    # primal = dual: each of them is optimal
    optimal = all(primal_value(p, k) == dual_value(p) for p, ends in cases for k in (p.k, *ends))
    count = sum(len(ends) for _, ends in cases)
    yield step(f"½‖Zα − y‖² + βΣα = ν·y − ½‖ν‖² at α and at all {count} vertices, one fraction each", "gap 0",
               holds=optimal)  # fmt: skip
    totals = [{sum(k.values()) for k in (p.k, *ends)} for p, ends in cases]
    yield step("Σα = ν·f*/β: the same at all of them", len(totals), holds=all(len(t) == 1 for t in totals))
    beyond, tried = True, 0
    for p, v in cases:
        if len(v) > 1:  # a quarter of the edge past a vertex
            past = {o: v[0].get(o, Fraction(0)) * 5 / 4 - v[1].get(o, Fraction(0)) / 4 for o in {*v[0], *v[1]}}
            beyond &= primal_value(p, past) == dual_value(p) - 2 * p.beta**2 * sum(k for k in past.values() if k < 0)
            beyond &= min(past.values()) < 0
            tried += 1
    yield step(f"Zα = f* alone is not enough: past a vertex it costs 2βΣα₋ more ({tried} instances)", "exact",
               holds=beyond and tried >= 5)  # fmt: skip
    outside = [
        (p, o) for p, _ in cases for o in p.orthants
        if sum(v * v for v in p.correlation(o)) == p.beta**2 and p.correlation(o) != p.projection(o, p.sign)
    ]  # fmt: skip
    yield step(
        "nor is ‖XᵀD_iν‖ = β without the projection: there it holds at vectors outside of their cone",
        f"{len(outside)} orthants", holds=len(outside) >= 5,
    )  # fmt: skip

    known, got = [], []
    for p, ends in cases:
        X, target = p.data
        O = convex_relu.optimal_set(convex_relu.solve(X, target, float(p.beta), "all", tol=1e-10))
        live = {o for k in ends for o in k}
        columns = [p.column(o) for o in p.active]
        free = len(live) - rank_of([p.column(o) for o in p.active if o in live])
        units = sorted([float(v / p.beta) for v in p.projection(o, p.sign)] + [float(v / p.beta) for v in p.column(o)]
                       for o in p.active)  # fmt: skip
        known.append([len(p.active), rank_of(columns), free, float(p.beta * sum(p.k.values())), float(p.sign),
                      *map(float, p.fit), *map(float, p.nu), *itertools.chain(*units)])  # fmt: skip
        seen = sorted(
            [*map(float, np.round(O.directions[:, i], 7)), *O.columns[:, i].tolist()] for i in range(len(O.signs))
        )
        got.append([len(O.signs), O.rank, O.dimension, O.total, float(np.mean(O.signs)), *O.fit, *O.nu,
                    *itertools.chain(*seen)])  # fmt: skip
    same = [len(a) == len(b) for a, b in zip(known, got, strict=True)]
    yield step("the code finds as many neurons", "equal", holds=all(same))
    # solved to a relative gap of 1e-12, which leaves ν and f its root times their size
    yield agree(lambda i, j: known[i][j], lambda i, j: got[i][j],
                [(i, j) for i in range(len(known)) for j in range(len(known[i]))], digits=5, scale=1.0)  # fmt: skip


@derivation(of=(convex_relu.prune, convex_relu.OptimalSet.minimal), method="rational")
def minimal_models() -> Steps:
    """Vertices are the optima with independent columns, so of at most rank Z neurons; pruning ends at one of them."""
    e, x, b = sp.symbols("epsilon alpha b", real=True)
    middle = sp.expand((x + e * b) / 2 + (x - e * b) / 2 - x)
    yield step("dependent columns, Zb = 0: α = ½(α + εb) + ½(α − εb), both ≥ 0 for small ε, so α is no vertex", middle,
               holds=middle == 0)  # fmt: skip
    yield step("independent columns: α = ½(α′ + α″) with α′, α″ ≥ 0 leaves both on its support, where Z is one to one",
               "α′ = α″")  # fmt: skip
    cases = solved_instances()
    widths = all(len(k) <= rank_of([p.column(o) for o in p.active]) for p, ends in cases for k in ends)
    yield step("so a vertex has at most rank Z neurons; all vertices, in fractions", widths, holds=widths)
    found, kept, drops = [], True, 0
    for p, ends in cases:
        k = dict(p.k)
        while (null := null_vector([p.column(o) for o in k])) is not None:
            kept &= sum(null) == 0  # as ν·z_i = β for all i
            if max(null) <= 0:
                null = [-v for v in null]
            step_ = min(v / n for v, n in zip(k.values(), null, strict=True) if n > 0)
            moved = {o: v - step_ * n for (o, v), n in zip(k.items(), null, strict=True)}
            kept &= min(moved.values()) == 0 and sum(moved.values()) == sum(k.values())
            k, drops = {o: v for o, v in moved.items() if v > 0}, drops + 1
        kept &= primal_value(p, k) == dual_value(p)
        found.append(k in ends)
    yield step(f"Carathéodory in fractions: {drops} steps, each keeps α ≥ 0, Zα and Σα and drops a neuron", "exact",
               holds=kept and drops >= 20)  # fmt: skip
    yield step("it ends at a vertex", "one of the list", holds=all(found))

    known, got = [], []
    for i, (p, ends) in enumerate(cases):
        X, _ = p.data
        sets = convex_relu.optimal_set(convex_relu.solve(*p.data, float(p.beta), "all", tol=1e-10))
        vertex = sets.minimal(np.random.default_rng(i))
        by_hand = network_of(p, p.k)
        nets = [convex_relu.prune(by_hand, X), sets.network(vertex)]
        for net in nets:
            k = min(ends, key=lambda end: float(np.linalg.norm(np.array(sizes(p, net)) - by_orthant(p, end))))
            known.append([len(k), float(p.beta * sum(k.values())), *map(float, p.fit), *by_orthant(p, k)])
            got.append([used(net), net.weight_penalty(), *np.asarray(net.predict(X)), *sizes(p, net)])
        known.append([float(p.beta * sum(p.k.values()))])
        got.append([float(vertex.sum())])
    # pruning is exact to rounding; a vertex of the solved program as good as its fit, the root of a gap of 1e-12
    yield agree(lambda i, j: known[i][j], lambda i, j: got[i][j],
                [(i, j) for i in range(len(known)) for j in range(len(known[i]))], digits=5, scale=1.0)  # fmt: skip


def null_vector(columns: Sequence[Vector]) -> Vector | None:
    found = sp.Matrix([[sp.Rational(v) for v in c] for c in columns]).T.nullspace() if columns else []
    return [Fraction(int(v.p), int(v.q)) for v in found[0]] if found else None


def network_of(p: Orthants, k: dict[tuple[int, ...], Fraction]) -> convex_relu.Network:
    """Neurons (√α u, ±√α) with α = βk, u = q/β."""
    unit = np.array([[float(v / p.beta) for v in p.projection(o, p.sign)] for o in k]).T
    root = np.sqrt([float(p.beta * v) for v in k.values()])
    return convex_relu.Network(unit * root, p.sign * root[:, None], None, True)


def sizes(p: Orthants, net: convex_relu.Network) -> list[float]:
    """α of the network's neurons, by orthant: ‖u‖|a|, where the direction is that of q_o to 1e-4."""
    out = []
    for o in p.active:
        q = np.array([float(v / p.beta) for v in p.projection(o, p.sign)])
        norms = np.linalg.norm(net.U, axis=0)
        mine = np.linalg.norm(net.U / norms - q[:, None], axis=0) < 1e-4
        out.append(float(np.sum((norms * np.abs(net.a[:, 0]))[mine])))
    return out


def by_orthant(p: Orthants, k: dict[tuple[int, ...], Fraction]) -> list[float]:
    return [float(p.beta * k.get(o, Fraction(0))) for o in p.active]


def used(net: convex_relu.Network) -> int:
    """Neurons; where a step lets two go at once, rounding keeps the second with 1e-15 of its size."""
    size = np.linalg.norm(net.U, axis=0) * np.abs(net.a[:, 0])
    return int(np.sum(size > 1e-12 * size.sum()))
