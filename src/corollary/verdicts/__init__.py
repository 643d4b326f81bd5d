"""Verdicts: from replicates to CONFIRMED, REFUTED, UNDERPOWERED or OUT_OF_DOMAIN, at a stated error rate.

`intervals` what is known after n replicates; `rule` the decision, written once; one file per kind; `walk` the loop.
"""

from corollary.verdicts.bound import Bound, Tight, scaled
from corollary.verdicts.identity import Identity
from corollary.verdicts.kind import Kind
from corollary.verdicts.law import Law
from corollary.verdicts.order import Order
from corollary.verdicts.rate import Rate
from corollary.verdicts.rivals import checked_rivals
from corollary.verdicts.rule import Outcome
from corollary.verdicts.search import Search
from corollary.verdicts.settings import (
    ClaimError,
    Fixed,
    at_point,
    describe,
    group_mean,
    log_bias,
    mean,
    median,
    next_order,
    probability,
    quantile,
    ratio,
    rel,
    rms,
    std,
)
from corollary.verdicts.threshold import Threshold
from corollary.verdicts.value import Value
from corollary.verdicts.verdict import NotConfirmed, OutOfDomain, Refuted, Underpowered, Verdict, raise_unless_expected
from corollary.verdicts.walk import DEFAULT_EPS, judge, walk

__all__ = [
    "DEFAULT_EPS", "Bound", "ClaimError", "Fixed", "Identity", "Kind", "Law", "NotConfirmed", "Order", "OutOfDomain",
    "Outcome", "Rate", "Refuted", "Search", "Threshold", "Tight", "Underpowered", "Value", "Verdict", "at_point",
    "checked_rivals", "describe", "group_mean", "judge", "log_bias", "mean", "median", "next_order", "probability",
    "quantile", "raise_unless_expected", "ratio", "rel", "rms", "scaled", "std", "walk",
]  # fmt: skip
