"""Checking a formula you found in print, and finding it wrong.

Fu et al. 2023 (arXiv:2310.17086, Section 3) expand two steps of Newton's iteration M ← 2M − MSM from M₀ = αS in powers
of S and print M₂ = 4αS − 12α²S³ + 16α³S⁵ − 16α⁴S⁷. Both sides can be computed, so the statement is an `Identity`: it is
either true to rounding or refuted by one example. The coefficients that hold are binomial, C(4, j)(−1)^(j+1).
"""

import numpy as np

from corollary import Claim, Identity, printed


def draw(rng):
    return {"X": rng.standard_normal((12, 3))}


def newton_twice(X):
    """The iteration itself, as a loop."""
    S, α = _problem(X)
    M = α * S
    for _ in range(2):
        M = 2 * M - M @ S @ M
    return M


def expansion(X, coefficients=(4.0, -6.0, 4.0, -1.0)):
    """Σ c_j α^j S^(2j−1)."""
    S, α = _problem(X)
    power, out = α * S, 0 * S
    for c in coefficients:
        out = out + X.dtype.type(c) * power
        power = α * power @ S @ S
    return out


def as_printed(X):
    return expansion(X, (4.0, -12.0, 16.0, -16.0))


def _problem(X):
    S = X.T @ X / X.dtype.type(12)
    return S, 1 / np.linalg.eigvalsh(S)[-1] ** 2


because = "alternating sums: the terms are up to 6 times as large as their sum"

# As printed. It is expected to fail: the test passes when the statement is REFUTED, and would fail if it were not.
printed_statement = Claim(
    r"$M_2 = 4\alpha S - 12\alpha^2 S^3 + 16\alpha^3 S^5 - 16\alpha^4 S^7$",
    Identity(newton_twice, as_printed, growth=16, because=because),
    measure=draw,
    rivals={"the last term dropped": lambda X: expansion(X, (4.0, -12.0, 16.0))},
    expected="REFUTED",
    where="Fu et al. 2023, Section 3",
)

# The correction, with the printed formula among its rivals: CONFIRMED only if the data reject what was printed.
corrected = Claim(
    r"$M_2 = 4\alpha S - 6\alpha^2 S^3 + 4\alpha^3 S^5 - \alpha^4 S^7$",
    Identity(newton_twice, expansion, growth=16, because=because),
    measure=draw,
    rivals={"as printed": printed(as_printed), "all signs plus": lambda X: expansion(X, (4.0, 6.0, 4.0, 1.0))},
    where="Fu et al. 2023, Section 3, corrected",
)


def test_the_printed_expansion_fails(verdicts):
    verdicts.check(printed_statement)


def test_the_corrected_expansion_holds(verdicts):
    verdicts.check(corrected)
