"""The nouns: Experiment, Claim, Derivation, Figure, Erratum, and the Paper they belong to."""

from corollary.claims.claim import Claim, Regime, printed
from corollary.claims.derivations import Agreement, Derivation, Derived, Step, agree, derivation, step
from corollary.claims.experiment import SCALES, Experiment, Reading, at_scale, grid, points_at
from corollary.claims.figure import Erratum, Figure, Number, Paper
from corollary.verdicts import ClaimError

__all__ = [
    "SCALES", "Agreement", "Claim", "ClaimError", "Derivation", "Derived", "Erratum", "Experiment", "Figure", "Number",
    "Paper", "Reading", "Regime", "Step", "agree", "at_scale", "derivation", "grid", "points_at", "printed", "step",
]  # fmt: skip
