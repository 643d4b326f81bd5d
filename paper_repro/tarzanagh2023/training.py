"""Descent on W and on (K, Q): directions, norms, rates, and what float64 does to the textbook gradient."""

from __future__ import annotations

from functools import partial

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Number
from corollary.figures import tarzanagh2023 as pictures
from corollary.paper_repro.tarzanagh2023.setting import PATH_OF_KQ, PLACE, target
from corollary.sims.attention import experiments as sim
from corollary.sims.attention import selection
from corollary.verdicts import Bound, Order, Value, median, probability

TIMES = [25, 50, 100, 200, 400, 700, 1000, 1400, 2000]


def convergence(point, seeds, xp, *, target):
    """As the simulation, and plotted (R, 2): cosines of W with both solutions at step 1000."""
    out = sim.convergence(point, seeds, xp, target=target)
    at = list(point["record_at"]).index(1000)
    return out | {"plotted": xp.stack([out["w_frobenius"][:, at], out["w_nuclear"][:, at]], axis=1)}


trained = Experiment(
    "tarzanagh2023.convergence",
    partial(convergence, target=target),
    [{**PLACE, "steps": 2000, "record_at": TIMES}],
    replicates=512,
    source=sim.convergence,
)

w_to_frobenius = Claim(
    r"W(k)/\|W(k)\|_F \to W^{mm}_\alpha/\|W^{mm}_\alpha\|_F:\quad"
    r"\langle \hat W - \hat W^{mm},\ \hat W^{mm}_\star - \hat W^{mm}\rangle"
    r" / \|\hat W^{mm}_\star - \hat W^{mm}\|^2 = 0",
    Value(
        0.0, of=median, margin=0.04, resolution=0.05,
        because="after k steps the direction is off by O(1/k): 0.02 at k = 2000, half as much at 4000",
    ),
    id="tarzanagh2023.w-to-frobenius",
    where="Sections 4 and 5 (descent on W: global and local convergence)",
    theorem=r"From a start in a cone around a locally optimal direction, descent on $W$ with a small step has "
    r"$\|W(k)\| \to \infty$ and $W(k)/\|W(k)\|_F \to W^{mm}_\alpha/\|W^{mm}_\alpha\|_F$.",
    measure=trained["w_towards"],
    given="α: the tokens each run chose",
    rivals={"to the nuclear solution": 1.0, "half-way between the two": 0.5},
    checked_by=["attention.frobenius_optimality"],
)  # fmt: skip

plotted = Claim(
    r"\text{mean of } \cos(W, W^{mm}_\alpha) = 0.992,\ \cos(W, W^{mm}_{\star,\alpha}) = 0.862 \text{ at step } 1000",
    # few runs are far off at step 1000 and skew the mean: of 512 it is known to 0.008, and the rivals are 0.13 away
    Value(np.array([0.992, 0.862]), resolution=np.array([0.02, 0.02]), margin=np.array([0.004, 0.015]),
          because="read off the plot, a mean of 100 runs (standard errors 0.0014 and 0.0045); W starts from 0 here"),
    id="tarzanagh2023.plotted-correlations",
    where="figure of local convergence, blue and red curves of W at its end, read off the plot",
    measure=trained["plotted"],
    given="α: the tokens each run chose",
    rivals={"as for K Qᵀ: the curves change places": np.array([0.862, 0.992]), "both to W^mm": 0.992},
    uses=[w_to_frobenius],
)  # fmt: skip
PLOT = "figure of local convergence at step 1000, read off the plot"
numbers = [
    Number("correlation of W with the Frobenius solution", PLOT, 0.992, plotted, "[0]"),
    Number("correlation of W with the nuclear solution", PLOT, 0.862, plotted, "[1]"),
]

kq_to_nuclear = Claim(
    r"1 - \cos(KQ^\top, W^{mm}_{\star,\alpha}) < 1 - \cos(KQ^\top, W^{mm}_\alpha)",
    Order(),
    id="tarzanagh2023.kq-nearer-nuclear",
    where="Section 3 and its experiment (descent on K and Q; the limit is a theorem for the regularisation path only)",
    theorem=PATH_OF_KQ,
    measure=trained["kq_pair"],
    given="α: the tokens each run chose; K and Q from torch's default start",
    rivals={"no order": 0.5, "in six of ten": 0.6},
    checked_by=["attention.nuclear_duality"],
)
kq_margin = Claim(
    r"\text{median of } 1 - \text{margin}(KQ^\top)\,\|W^{mm}_\star\|_* / \|KQ^\top\|_*\ \le\ 0.02",
    Bound(0.02, delta=0.5, resolution=0.3),
    id="tarzanagh2023.kq-margin",
    where="experiment of Section 3 (descent on K and Q), the number ours",
    theorem=PATH_OF_KQ,
    measure=trained["kq_short"],
    given="α: the tokens each run chose",
    rivals={"0.001": 0.001, "0.002": 0.002},
    uses=[kq_to_nuclear],
    checked_by=["attention.nuclear_duality"],
)

STEPS = {"smoke": 2000, "laptop": 4000, "paper": 16000}
slopes = Experiment(
    "tarzanagh2023.rates",
    partial(sim.rates, target=target),
    {scale: [{**PLACE, "steps": steps}] for scale, steps in STEPS.items()},
    replicates=512,
    source=sim.rates,
)
stable = "the chosen tokens are the same over the last half of the run"
margin_rate = Claim(
    r"1 - \text{margin}(\hat W(k))\,\|W^{mm}\| \sim k^{-1}",
    Value(-1.0, of=median, margin=0.12, resolution=0.1, because="the next order, C/k at k = steps/4, C below 60"),
    id="tarzanagh2023.margin-rate",
    where="ours: no rate in the paper, and for normalised steps",
    measure=slopes["margin_slope"],
    given=stable,
    rivals={"k^(−1/2)": -0.5, "k^(−3/2)": -1.5},
    uses=[w_to_frobenius],
    checked_by=["attention.direction_rates"],
)
cosine_rate = Claim(
    r"1 - \cos(W(k), W^{mm}) \sim k^{-2}",
    Value(-2.0, of=median, margin=0.2, resolution=0.1,
          because="twice the next order of the margin: the slope is −1.89 at 4000 steps, −1.96 at 16 000"),
    id="tarzanagh2023.cosine-rate",
    where="ours: no rate in the paper, and for normalised steps",
    measure=slopes["cosine_slope"],
    given=stable,
    rivals={"k^(−1)": -1.0, "k^(−3/2)": -1.5},
    uses=[w_to_frobenius],
    checked_by=["attention.direction_rates"],
)  # fmt: skip
share_stable = Claim(
    r"\text{share of runs whose tokens are the same over their last half: at least } 0.9",
    Value(0.95, of=probability, margin=0.05, resolution=0.1,
          because="no theorem gives the share; between 0.9 and 1 the rates above speak about nearly all runs"),
    id="tarzanagh2023.stable-share",
    where="ours: condition of the two rates",
    measure=slopes["stable"],
    rivals={"half of the runs": 0.5, "three of four": 0.75},
)  # fmt: skip
log_time = Claim(
    r"d\|W\|_F / d\ln t \to \|W^{mm}\|_F \text{ along gradient flow}",
    Value(1.0, of=median, margin=0.003, resolution=0.005,
          because="the rest falls like 1/ln t, t the flow's time: 0.0006 at 4000 steps, 0.0012 at 2000"),
    id="tarzanagh2023.log-time",
    where="ours: the growth of the norm that Section 4 shows to diverge; normalised steps, t = Σ h/‖∇L‖ kept as ln t",
    measure=slopes["growth"],
    given=stable,
    rivals={
        "3 % less, as plain descent shows after 10⁵ steps": 0.97,
        "‖W‖ ~ ½‖W^mm‖ ln t": 0.5,
        "‖W‖ ~ ‖W^mm‖ ln t / √2": 0.5**0.5,
    },
    uses=[w_to_frobenius],
    checked_by=["attention.frobenius_optimality", "attention.direction_rates"],
)  # fmt: skip

forms = Experiment(
    "tarzanagh2023.two-forms",
    partial(selection.two_forms, target=target),
    {scale: [{**PLACE, "record_at": times}] for scale, times in (
        ("smoke", [250, 500, 1000, 2000, 4000]), ("laptop", [250, 500, 1000, 2000, 4000]),
        ("paper", [250, 500, 1000, 2000, 4000, 8000, 16000]))},
    replicates=256, source=selection.two_forms,
)  # fmt: skip
rounding = Claim(
    r"\text{in float64: } 1 - \cos(W, W^{mm}) \text{ of the log-domain gradient}"
    r" < \text{of the textbook softmax gradient}",
    Order(),
    id="tarzanagh2023.textbook-gradient-stalls",
    where="ours: a defect of the official procedure, not of the theorem: the gradient rounds away once ‖W‖ passes 120",
    measure=forms["pair"],
    rivals={"no order": 0.5, "in six of ten": 0.6},
)


def curves(data):
    """Mean and standard deviation over runs of the correlations and of the largest attention, against the step."""
    (point, arrays), = data["runs"]  # fmt: skip
    out = {"step": list(point["record_at"])}
    for name in ("w", "kq"):
        for what in ("frobenius", "nuclear", "attention"):
            values = arrays[f"{name}_{what}"]
            out[f"{name}_{what}"] = [float(v) for v in values.mean(axis=0)]
            out[f"{name}_{what}_sd"] = [float(v) for v in values.std(axis=0)]
    return {"runs": out}


figure_local = Figure(
    number="local",
    title="Attention saturates; W turns to the Frobenius, K Qᵀ to the nuclear solution of the tokens it chose",
    experiments={"runs": trained},
    tables=curves,
    draw=pictures.local,
    replicates={"smoke": 16, "laptop": 100, "paper": 100},
    parameters=[
        ("n, T, d", "6, 8, 10", "6, 8, 10"),
        ("runs", "100", {"smoke": "16", "laptop": "100", "paper": "100"}),
        ("steps", "2000, of which 1000 shown", "2000"),
        ("start of W", "uniform on ±1/√d", "0; K and Q uniform on ±1/√d"),
        ("read off at 1000 steps", "W: Frobenius 0.992, nuclear 0.862", "in the CSV"),
    ],
    claims=[w_to_frobenius, kq_to_nuclear, kq_margin],
)


def stalls(data):
    """1 − cos and ‖W‖ of both forms: medians and deciles against the step."""
    (point, arrays), = data["forms"]  # fmt: skip
    out: dict[str, list] = {"step": list(point["record_at"])}
    for name in ("log", "naive"):
        for end, q in (("_low", 0.1), ("", 0.5), ("_high", 0.9)):
            out[name + end] = [float(v) for v in np.quantile(arrays[name], q, axis=0)]
        out[f"size_{name}"] = [float(v) for v in np.median(arrays[f"size_{name}"], axis=0)]
    return {"forms": out}


figure_rounding = Figure(
    number="rounding",
    title="Where the textbook softmax gradient stops being a gradient",
    experiments={"forms": forms},
    tables=stalls,
    draw=pictures.rounding,
    replicates={"smoke": 8, "laptop": 32, "paper": 64},
    parameters=[
        ("n, T, d, rate", "the official procedure, at the local-convergence sizes", "6, 8, 10, 0.1"),
        ("steps", "2000", {"smoke": "4000", "laptop": "4000", "paper": "16 000"}),
    ],
    claims=[rounding, margin_rate, cosine_rate, log_time],
)


CLOCKED = {"record_at": [20, 40, 80, 160, 320, 640, 1280], "plain_rate": 4.0}
PLAIN = {"smoke": [10, 100, 1000], "laptop": [10, 30, 100, 300, 1000, 3000], "paper": [10, 100, 1000, 10_000, 100_000]}
clocks = Experiment(
    "tarzanagh2023.growth",
    partial(selection.growth, target=target),
    {scale: [{**PLACE, **CLOCKED, "plain_at": at}] for scale, at in PLAIN.items()},
    replicates=64, source=selection.growth,
)  # fmt: skip


def clock_tables(data):
    """Medians and deciles of ‖W‖/‖W^mm‖ against the median of ln t."""
    (_, arrays), = data["runs"]  # fmt: skip
    out = {"trained": [], "log_time": [], "size": [], "low": [], "high": []}
    for name in ("plain", "flow"):
        for k in range(arrays[f"{name}_size"].shape[1]):
            out["trained"].append(name)
            out["log_time"].append(float(np.median(arrays[f"{name}_time"][:, k])))
            for column, q in (("low", 0.1), ("size", 0.5), ("high", 0.9)):
                out[column].append(float(np.quantile(arrays[f"{name}_size"][:, k], q)))
    return {"growth": out}


figure_growth = Figure(
    number="growth",
    title="The norm grows like ‖W^mm‖ ln t; plain descent shows only the beginning",
    experiments={"runs": clocks},
    tables=clock_tables,
    draw=pictures.growth,
    replicates={"smoke": 8, "laptop": 32, "paper": 64},
    parameters=[
        ("n, T, d", "a theorem", "6, 8, 10"),
        ("plain descent", "–", {scale: f"rate 4, {max(at)} steps" for scale, at in PLAIN.items()}),
        ("normalised steps", "–", "rate 0.1, 1280 steps"),
    ],
    claims=[log_time],
)
