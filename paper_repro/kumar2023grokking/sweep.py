"""Grokking: the test error follows the training error, the later the larger α."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import kumar2023grokking as pictures
from corollary.paper_repro.kumar2023grokking.closure import closure, moments_of
from corollary.paper_repro.kumar2023grokking.lazy import lazy_limit
from corollary.sims.ntk import committee
from corollary.theory.ntk import grokking
from corollary.theory.ntk.grokking import Moments
from corollary.verdicts import Value, median, probability

SMALL = {"N": 32, "D": 10, "P": 58, "epsilon": 0.25, "rate": 4.0, "every": 10, "test": 150}
ALPHAS, STEPS = (0.5, 1.0, 2.0, 4.0), (300, 600, 1000, 1800)


def delays(point, seeds, xp):
    """Steps between training and test error below 5 % (at most until the end) at the four α.

    ordered (R,): 1 where each delay exceeds the last; exponent (R,): least-squares slope of ln(delay) over ln α, delays
    of one record at least. A run that ends before its test error fell counts as ending there: it lowers the exponent.
    """
    found = []
    for alpha, steps in zip(ALPHAS, STEPS, strict=True):
        run = committee.curves({**point, "alpha": alpha, "steps": steps}, seeds, xp)
        below = [np.asarray(run[name]) < 0.05 for name in ("train", "test")]
        first = [np.where(b.any(axis=1), b.argmax(axis=1), b.shape[1]) * point["every"] for b in below]
        found.append(first[1] - first[0])
    delay, x = np.stack(found), np.log(ALPHAS) - np.mean(np.log(ALPHAS))
    exponent = x @ np.log(np.maximum(delay, point["every"])) / (x @ x)
    ordered = np.all(np.diff(delay, axis=0) > 0, axis=0)
    return {"ordered": xp.asarray(ordered * 1.0), "exponent": xp.asarray(exponent)}


grok = Experiment("kumar2023grokking.delays", delays, [SMALL], replicates=256, block=4)
delay_grows = Claim(
    r"\text{at } \alpha = \tfrac12, 1, 2, 4 \text{ test error falls later after training error, each time } \alpha "
    r"\text{ is doubled}",
    Value(0.6, of=probability, side="at least", resolution=0.1),
    id="kumar2023grokking.delay-grows",
    theorem="The key determinants of grokking are the rate of feature learning, which can be controlled "
    r"precisely by parameters that scale the network output ($\alpha$), and the alignment of the initial "
    "features with the target $y(x)$.",
    where="Section 6 (laziness delays generalisation)",
    measure=grok["ordered"],
    rivals={
        "no order among the four: 1/24": 1 / 24,
        "the least α first, the others in no order: 1/6": 1 / 6,
        "a rise and no order beyond α = 2: 1/2": 0.5,
    },
    uses=[closure, lazy_limit],
)
delay_rate = Claim(
    r"\text{the delay grows at least in proportion to } \alpha",
    Value(1.0, of=median, side="at least", resolution=0.1),
    id="kumar2023grokking.delay-rate",
    theorem="The key determinants of grokking are the rate of feature learning, which can be controlled "
    r"precisely by parameters that scale the network output ($\alpha$), and the alignment of the initial "
    "features with the target $y(x)$.",
    where="Section 6 (laziness delays generalisation); the rate is ours, and holds from α = 1/2 to 4",
    measure=grok["exponent"],
    rivals={"no growth": 0.0, "√α": 0.5, "as the time to fit the training points, α^0.62 here": 0.62},
    uses=[delay_grows],
)

# --- the sweep over α
_shared = {"epsilon": 0.25, "test": 1000}
SWEEP = {
    "smoke": [{"N": 50, "D": 10, "P": 45, "rate": 4.0, "steps": 1000, "every": 20, "alpha": a, **_shared}
              for a in (0.5, 4.0)],
    "laptop": [{"N": 50, "D": 16, "P": 106, "rate": 6.4, "steps": 4000, "every": 20, "alpha": a, **_shared}
               for a in (0.5, 2.0, 8.0)],
    "paper": [{"N": 500, "D": 100, "P": 550, "rate": 1.0, "steps": 60000, "every": 200, "alpha": a, **_shared}
              for a in (0.03125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)],
}  # fmt: skip


def both(point, seeds, xp):
    """Losses of the networks (test: fresh points) and of the closure on the same data (test: exact)."""
    run = committee.curves(point, seeds, xp)
    exact = [_closure_curves(point, seed) for seed in seeds]
    return {
        **run,
        "closed_train": np.stack([e[0] for e in exact]),
        "closed_test": np.stack([e[1] for e in exact]),
    }


def _closure_curves(point, seed):
    W, x, beta = committee.draw(point["D"], point["P"] + point["test"], point["N"], seed)
    x, alpha, epsilon = x[: point["P"]], point["alpha"], point["epsilon"]
    start = now = moments_of(W)
    y = (x @ beta) ** 2 / 2 + grokking.outputs(start, x, alpha, epsilon)
    train, test = [], []
    for t in range(point["steps"] + 1):
        if t % point["every"] == 0:
            change = Moments(now.mean - start.mean, now.second - start.second)
            train.append(np.mean((grokking.outputs(now, x, alpha, epsilon) - y) ** 2) / 0.75)
            test.append(sum(grokking.population_loss(change, np.outer(beta, beta), alpha, epsilon)) / 0.75)
        now = grokking.descent_step(now, x, y, alpha, epsilon, point["rate"])
    return np.array(train), np.array(test)


def tables(data):
    """One network for each α: its losses at 12 times, those of the closure at all."""
    closure_rows = {"alpha": [], "time": [], "train": [], "test": []}
    network_rows = {"alpha": [], "time": [], "train": [], "test": []}
    for point, arrays in data["sweep"]:
        time = point["rate"] * point["every"] * np.arange(arrays["train"].shape[1])
        few = np.unique(np.geomspace(1, len(time) - 1, 12).astype(int))
        for rows, at, prefix in ((closure_rows, slice(1, None), "closed_"), (network_rows, few, "")):
            rows["alpha"] += [point["alpha"]] * len(time[at])
            rows["time"] += list(time[at])
            for name in ("train", "test"):
                rows[name] += list(arrays[prefix + name][0][at])
    return {"closure": closure_rows, "networks": network_rows}


figure = Figure(
    number="alpha sweep",
    title="Losses of one network for each α in training: the lazier, the later the test error follows",
    experiments={"sweep": Experiment("kumar2023grokking.sweep", both, SWEEP)},
    tables=tables,
    draw=pictures.sweep,
    replicates=1,
    parameters=[
        ("D, P, N", "100, 550, 500 (follow-up code)", {s: "{D}, {P}, {N}".format(**p[0]) for s, p in SWEEP.items()}),
        ("ε", "0.25", "0.25"),
        ("α", "2⁻⁵ … 2⁵", {s: ", ".join(f"{p['alpha']:g}" for p in ps) for s, ps in SWEEP.items()}),
    ],
    claims=[delay_grows, delay_rate],
)
