"""What is measured: an interval on a law, with the truth at the theory's value and at the edges of its two zones.

    at the value   θ = T          CONFIRMED is right, REFUTED is wrong
    at the margin  θ = T + b      REFUTED is wrong
    at the end     θ = T + b + r  CONFIRMED is wrong

A wrong word may come with probability ε at most. Nothing here is fitted: rows are drawn from seeds of their own name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corollary.seeds import stable_hash
from corollary.verdicts.calibration.harness import Compare, Counts, by, counted, decided, means
from corollary.verdicts.calibration.laws import LAWS
from corollary.verdicts.comparisons import RatioSet, of_probabilities
from corollary.verdicts.intervals import fixed_mean_interval, quantile_interval
from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Side, looks
from corollary.verdicts.walk import DEFAULT_EPS

PLACES = ("value", "margin", "end")
EPS = 0.01
ROOT = 20260


@dataclass(frozen=True)
class Row:
    """One line of the table. `sample(rng, runs, place)` judges that many streams with the truth at `place`."""

    group: str
    name: str
    sample: Callable[[np.random.Generator, int, str], Counts]
    block: int = 500  # runs to a block; each block has its own seed, so that any block can be drawn alone
    blocks: int = 40
    eps: float = EPS
    note: str = ""

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"

    def run(self, place: str, block: int) -> Counts:
        seed = np.random.SeedSequence([ROOT, stable_hash(self.id), PLACES.index(place), block])
        return self.sample(np.random.default_rng(seed), self.block, place)


def _shift(place: str, b: float, r: float) -> float:
    return {"value": 0.0, "margin": b, "end": b + r}[place]


def _means(
    law: str, b: float, r: float, most: int, compare: Compare = means, schedule: list[int] | None = None,
    side: Side = "two", eps: float = EPS,
):  # fmt: skip
    """Streams of a law with mean 0; the theory stands so that the truth is where it should be."""

    def sample(rng, runs, place):
        x = LAWS[law](rng, (most, runs))
        T = -_shift(place, b, r)
        return counted(*decided(x, T, b, r, eps, compare=compare, schedule=schedule, side=side))

    return sample


def _quantiles(draw: Callable, p: float, truth: float):
    def sample(rng, runs, place):
        x = draw(rng, (400, runs)) - truth
        compare = by(lambda x, eps: quantile_interval(x, p, eps))
        return counted(*decided(x, -_shift(place, 0.1, 0.6), 0.1, 0.6, EPS, compare=compare))

    return sample


def _shares(T: float, b: float, r: float, side: Side, most: int, towards: int = 1):
    """0/1 replicates; `towards` −1 puts the truth below the theory's share."""

    def compare(x, eps):
        return of_probabilities(x.sum(axis=0), len(x), eps)

    def sample(rng, runs, place):
        x = (rng.random((most, runs)) < T + towards * _shift(place, b, r)).astype(float)
        return counted(*decided(x, T, b, r, EPS, compare=compare, side=side))

    return sample


def _ratios(cv: float, b: float = 0.1, r: float = 0.5):
    """y/x with a denominator of the given coefficient of variation; the truth is 2."""

    def sample(rng, runs, place):
        x = rng.gamma(1 / cv**2, cv**2, (400, runs))
        y = 2 * x + rng.standard_normal((400, runs))
        pairs = np.stack([y, x], axis=2)
        compare = lambda z, eps: RatioSet(z[..., 0], z[..., 1], eps)  # noqa: E731
        return counted(*decided(pairs, 2 - _shift(place, b, r), b, r, EPS, compare=compare))

    return sample


FIXED = by(fixed_mean_interval)


def _judged(kind: Callable[[float, float], Kind], stream: Callable, b: float, r: float, points=({},)):
    """Real judge() on one stream after another: kind(b, r) has theory 0 shifts away, stream(rng, shift) the data."""
    from corollary.verdicts.walk import judge

    def sample(rng, runs, place):
        counts = Counts()
        for _ in range(runs):
            verdict = judge(kind(b, r), stream(rng, _shift(place, b, r)), points, eps=EPS)
            counts += Counts(1, verdict.outcome == "CONFIRMED", verdict.outcome == "REFUTED", verdict.n)
        return counts

    return sample


def rows() -> list[Row]:
    from corollary.verdicts.calibration.routes import routes

    mean = "mean, any time"
    found = [Row(mean, law, _means(law, 0.1, 0.5, 400)) for law in LAWS]
    found += [
        Row("mean at the default ε", law, _means(law, 0.1, 0.5, 400, eps=DEFAULT_EPS), eps=DEFAULT_EPS)
        for law in ("normal", "exponential", "−exponential", "−lognormal")
    ]
    late = list(looks(400, first=128))
    found += [
        Row("mean, first look at 128", law, _means(law, 0.1, 0.5, 400, schedule=late))
        for law in ("normal", "−lognormal", "rare jumps", "−rare jumps")
    ]
    found += [
        Row("mean, one-sided", law, _means(law, 0.1, 0.5, 400, side="at most")) for law in ("normal", "−exponential")
    ]
    found += [
        Row(f"mean, Fixed({n})", law, _means(law, 0.1, r, n, FIXED, [n]))
        for n, r in ((8, 4.0), (32, 1.5))
        for law in ("normal", "log χ²₇", "−log χ²₇", "t₃", "−exponential", "−lognormal")
    ]
    cauchy = lambda rng, shape: rng.standard_cauchy(shape)  # noqa: E731
    found += [
        Row("median", "Cauchy", _quantiles(cauchy, 0.5, 0.0)),
        Row("median", "normal", _quantiles(LAWS["normal"], 0.5, 0.0)),
        Row("median", "exponential", _quantiles(LAWS["exponential"], 0.5, np.log(2) - 1)),
        Row("quantile .9", "normal", _quantiles(LAWS["normal"], 0.9, 1.2815515655446004)),
        Row("probability", "T = .3", _shares(0.3, 0.05, 0.2, "two", 600)),
        Row("probability", "T = .02", _shares(0.02, 0.01, 0.05, "two", 1000)),
        Row("bound with δ = .05", "P(violation)", _shares(0.05, 0.0, 0.05, "at most", 1000)),
        Row("order", "P(A < B)", _shares(0.75, 0.0, 0.25, "at least", 400, towards=-1)),
        Row("ratio", "denominator CV .5", _ratios(0.5), block=250),
        Row("ratio", "denominator CV 1.5", _ratios(1.5), block=250),
    ]
    return [*found, *routes(_judged)]
