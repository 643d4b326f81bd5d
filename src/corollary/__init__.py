"""Theorems about neural networks as formulas to call, experiments to run, derivations to check, and verdicts.

`from corollary import Claim, Rate, Value` is for users; modules of this package import each other by full name,
so that the import graph says what a result depends on. Every name is loaded on first use.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "corollary.claims": [
        "Claim", "Erratum", "Experiment", "Figure", "Paper", "Regime", "derivation", "grid", "printed",
    ],
    "corollary.verdicts": [
        "Bound", "Identity", "Law", "Order", "Rate", "Threshold", "Tight", "Value",
        "Fixed", "OutOfDomain", "Outcome", "Refuted", "Search", "Underpowered", "Verdict",
        "group_mean", "log_bias", "mean", "median", "next_order", "probability", "quantile", "ratio", "rel", "rms",
        "scaled", "std",
    ],
}  # fmt: skip
_WHERE = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_WHERE)  # noqa: PLE0605


def __getattr__(name: str):
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"corollary has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
