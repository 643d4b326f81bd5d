"""Feature learning (Yang, Hu 2020): exponents by power counting, and the linear network's moment, fluctuation, modes."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory.ntk import abc, feature_learning
from corollary.theory.ntk.abc import Abc

Steps = Generator[Step | Agreement, None, None]
η, s = sp.symbols("eta s", positive=True)


def counted(p: Abc) -> tuple[Fraction, Fraction, Fraction]:
    """Powers of n of f_0, of the features' and of the outputs' movement, layer by layer over two steps.

    A sum over n coordinates gains n where they are correlated and √n where they are independent and centred.
    """
    a, b, c = [Fraction(v) for v in p.a], [Fraction(v) for v in p.b], Fraction(p.c)
    half = Fraction(1, 2)
    readout = -a[-1] - b[-1]  # a coordinate of W^{L+1} at the start
    start = half + readout  # its n products with xᴸ are independent of it
    first = -2 * a[-1] - c  # what a step adds to it: n^{−2a−c} χ xᴸ
    moved = max(readout, first)
    features = None
    for l in range(len(a) - 1):
        own = -2 * a[l] - c + moved + (1 if l else 0)  # ΔWˡ xˡ⁻¹ ~ n^{−2a−c} δˡ (xˡ⁻¹·xˡ⁻¹), δˡ as large as δᴸ
        # what arrives from below passes n independent weights of size n^{−1/2}: as large as it was
        features = own if features is None else max(features, own)
    assert features is not None
    return start, features, max(1 + first, 1 + readout + features)


def parametrizations() -> list[Abc]:
    """With hidden layers that keep their size, to within halves, from everywhere around the stable ones."""
    found = []
    for hidden, c, top in itertools.product((1, 2, 3), (-1, -0.5, 0, 0.5, 1), ((0, 0.5), (0.5, 0), (1, 0), (0.5, 0.5))):
        a = [(l % 2) * 0.5 - 0.25 * (hidden > 2) for l in range(hidden)]
        b = [(0.5 if l else 0.0) - v for l, v in enumerate(a)]
        found.append(Abc((*a, top[0]), (*b, top[1]), c))
    return found


@derivation(of=(abc.regime, abc.between, abc.parametrization), method="rational")
def abc_exponents() -> Steps:
    """Δf ~ n^{−r} by counting powers over two steps: the readout first, then the hidden layers through it.

    (a + θ, b − θ, c − 2θ) counts as (a, b, c); r = 0 is feature learning, r = 1/2 the kernel regime.
    """
    table = {("ntk", 2): -0.5, ("standard 1/n", 2): -0.5, ("mup", 2): 0.0, ("mean field", 1): 0.0, ("mup", 4): 0.0}
    found = {k: float(counted(abc.parametrization(*k))[1]) for k in table}  # pyright: ignore[reportArgumentType]
    yield step("−r of the paper's Table 1, counted", found, holds=found == table)
    line = [float(counted(abc.between(v / 8, 2))[1]) + 0.5 - v / 8 for v in range(5)]
    yield step("r − (1/2 − shift) between the two", line, holds=not any(line))
    shifted = []
    for p in parametrizations()[:6]:
        moved = Abc(tuple(v + 0.25 for v in p.a), tuple(v - 0.25 for v in p.b), p.c - 0.5)
        shifted.append(counted(moved) == counted(p))
    yield step("(a + θ, b − θ, c − 2θ) counts the same", shifted, holds=all(shifted))

    def word(p: Abc) -> int:
        start, features, out = counted(p)
        if max(start, features, out) > 0:
            return 1
        return 2 if out < 0 else (4 if features == 0 else 3)

    def derived(p, entry):
        return float([*counted(p), word(p)][entry])

    def code(p, entry):
        r = abc.regime(p)
        words = ("unstable", "trivial", "kernel", "feature learning")
        return [r.start, r.features, r.outputs, float(1 + words.index(r.word))][entry]

    yield agree(derived, code, itertools.product(parametrizations(), range(4)), digits=15)


def exact_moments(n: int, d: int, o: int) -> tuple[Any, Any, Any]:
    return (sp.Matrix(n, d, sp.symbols(f"u:{n * d}")), sp.Matrix(n, o, sp.symbols(f"v:{n * o}")),
            sp.Matrix(2, d, sp.symbols(f"x:{2 * d}")))  # fmt: skip


@derivation(of=(feature_learning.outputs, feature_learning.descent_step), method="symbolic")
def linear_mup_step() -> Steps:
    """M ← A M A with A = I − η [[0, G], [Gᵀ, 0]]: every weight differentiated and moved at learning rate n η.

    Two neurons, two input dimensions, two points, symbols throughout.
    """
    n, d, o = 2, 2, 1
    u, v, x = exact_moments(n, d, o)
    y = sp.Matrix(2, o, sp.symbols("y:2"))
    f = x * u.T * v / n
    loss = sum(((f - y)[k] ** 2 for k in range(2)), sp.Integer(0)) / 4
    new_u, new_v = (w.applyfunc(lambda t: t - n * η * sp.diff(loss, t)) for w in (u, v))
    G = x.T * (f - y) / 2
    A = sp.eye(d + o) - η * sp.Matrix(sp.BlockMatrix([[sp.zeros(d, d), G], [G.T, sp.zeros(o, o)]]))
    z, new = u.row_join(v), new_u.row_join(new_v)
    rest = (new - z * A).applyfunc(sp.expand)
    yield step("every neuron is multiplied by A; remainder", rest, holds=rest.is_zero_matrix is True)
    M = z.T * z / n
    gap = (new.T * new / n - A * M * A).applyfunc(sp.expand)
    yield step("so that M ← A M A, A symmetric; remainder", gap, holds=gap.is_zero_matrix is True)
    short = (f - x * M[:d, d:]).applyfunc(sp.expand)
    yield step("f = M_vu x; remainder", short, holds=short.is_zero_matrix is True)
    after = new.T * new / n
    exact = sp.lambdify([*u, *v, *x, *y, η], [*after, *(x * after[:d, d:])], "math")
    rng = np.random.default_rng(4)
    cases = [
        (*(rng.standard_normal(k) for k in ((n, d), (n, o), (2, d), (2, o))), rng.uniform(0.1, 0.6), entry)
        for _ in range(20) for entry in range(11)
    ]  # fmt: skip

    def code(U, V, X, Y, rate, entry):
        Z = np.concatenate([U, V], axis=1)
        moved = feature_learning.descent_step(Z.T @ Z / n, X, Y, rate)
        return float([*moved.ravel(), *feature_learning.outputs(moved, X).ravel()][entry])

    yield agree(
        lambda U, V, X, Y, rate, entry: exact(*U.ravel(), *V.ravel(), *X.ravel(), *Y.ravel(), rate)[entry],
        code,
        cases,
        digits=11,  # polynomials of degree six in numbers of order one: some dozens of roundings and cancellation
        scale=0.1,
    )


@derivation(of=feature_learning.trajectory, method="symbolic")
def linear_mup_fluctuation() -> Steps:
    """Var f = (∇f)ᵀ C ∇f / n, C = n Cov of the entries of M_0: f differentiated through two steps at one input, output."""
    z = sp.symbols("z1:4")

    def mean(e):
        terms = sp.Poly(e, *z).terms()
        return sum((k * sp.prod([sp.factorial2(p - 1) if p else 1 for p in power]) for power, k in terms
                    if not any(p % 2 for p in power)), sp.Integer(0))  # fmt: skip

    pairs = [z[i] * z[j] for i in range(3) for j in range(i, 3)]
    cov = sp.Matrix(6, 6, lambda i, j: mean(pairs[i] * pairs[j]) - mean(pairs[i]) * mean(pairs[j]))
    yield step("n cov of the entries ij, i <= j, of M_0", cov, holds=cov == sp.diag(2, 1, 1, 2, 1, 2))
    p, q, r, x, y = sp.symbols("p q r x y")
    M = sp.Matrix([[p, q], [q, r]])
    path = [x * q]
    for _ in range(2):
        g = x * (x * M[0, 1] - y)
        A = sp.Matrix([[1, -η * g], [-η * g, 1]])
        M = A * M * A
        path.append(x * M[0, 1])
    at = {p: 1, q: 0, r: 1}
    variances = [2 * sp.diff(f, p) ** 2 + sp.diff(f, q) ** 2 + 2 * sp.diff(f, r) ** 2 for f in path]
    exact = sp.lambdify([x, y, η], [f.subs(at) for f in path] + [v.subs(at) for v in variances], "math")
    yield step(
        "n variance at the start: x² alone", variances[0].subs(at), holds=sp.expand(variances[0].subs(at)) == x**2
    )

    def derived(a, b, rate, t, entry):
        value = exact(a, b, rate)[t + 3 * entry]
        return value**0.5 if entry else value

    def code(a, b, rate, t, entry):
        return float(feature_learning.trajectory(np.array([[a]]), np.array([[b]]), rate, 2)[entry][t, 0, 0])

    rng = np.random.default_rng(5)
    cases = [
        (*rng.uniform(0.3, 1.2, 2), rng.uniform(0.1, 0.6), t, e) for _ in range(10) for t in range(3) for e in (0, 1)
    ]
    yield agree(derived, code, cases, digits=12, scale=0.1)  # some dozens of roundings, with cancellation


@derivation(of=feature_learning.mode_flow, method="symbolic")
def linear_mup_modes() -> Steps:
    """dM/dt = −(BM + MB) on one mode: p² − q² does not move, and q = 2w/(1 − w²) solves it."""
    p, q, t = sp.symbols("p q t", positive=True)
    B = sp.Matrix([[0, q - s], [q - s, 0]])
    M = sp.Matrix([[p, q], [q, p]])
    rate = -(B * M + M * B)
    rest = sp.Matrix([rate[0, 1] - 2 * (s - q) * p, rate[0, 0] - 2 * (s - q) * q, rate[0, 0] - rate[1, 1]])
    rest = rest.applyfunc(sp.expand)
    yield step("dM/dt = −(BM + MB): dq/dt = 2(s − q)p, dp/dt = 2(s − q)q; remainders", rest,
               holds=rest.is_zero_matrix is True)  # fmt: skip
    change = sp.expand(2 * p * rate[0, 0] - 2 * q * rate[0, 1])
    yield step("p² − q² does not move", change, holds=change == 0)
    k, e = sp.symbols("kappa e", positive=True)  # e = e^{−τ}, s = 2κ/(1 − κ²), √(1 + s²) = (1 + κ²)/(1 − κ²)
    w = k * (1 - e) / (1 + k**2 * e)
    Q, P = 2 * w / (1 - w**2), (1 + w**2) / (1 - w**2)
    S, root = 2 * k / (1 - k**2), (1 + k**2) / (1 - k**2)
    flow = sp.simplify(sp.diff(Q, e) * (-2 * root * e) - 2 * (S - Q) * P)
    ends = sp.simplify(Q.subs(e, 1)), sp.simplify(Q.subs(e, 0) - S), sp.simplify(P**2 - Q**2 - 1)
    yield step("q = 2w/(1 − w²) solves it from 0, ends at s, p² = 1 + q²; remainders", (flow, *ends),
               holds=flow == 0 and not any(ends))  # fmt: skip

    def derived(strength, q_end, entry):
        """At the time when q is `q_end`, t = ∫ dq/(2 (s − q) √(1 + q²)); that time is the code's argument."""
        return mp.mpf(q_end) if entry == 0 else mp.sqrt(1 + mp.mpf(q_end) ** 2)

    def code(strength, q_end, entry):
        with mp.workdps(30):
            time = mp.quad(lambda v: 1 / (2 * (strength - v) * mp.sqrt(1 + v * v)), [0, q_end])
        return feature_learning.mode_flow(strength, np.array([float(time)]))[entry][0]

    cases = [(a, a * f, e) for a in (0.2, 1.0, -1.5, 4.0) for f in (0.1, 0.4, 0.8) for e in (0, 1)]
    yield agree(derived, code, cases, digits=13)  # (1 + |s|) roundings, and the argument's own
