"""The nouns: Experiment, Claim, Derivation, Figure, Erratum, and the Paper they belong to."""

from corollary.claims.derivations import Agreement, Derivation, Derived, Step, agree, derivation, step

__all__ = ["Agreement", "Derivation", "Derived", "Step", "agree", "derivation", "step"]
