"""When some W separates the tokens, and which tokens training chooses."""

from __future__ import annotations

from functools import partial

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import tarzanagh2023 as pictures
from corollary.paper_repro.tarzanagh2023.setting import locally_optimal, target
from corollary.sims.attention import feasibility, selection
from corollary.verdicts import Bound, Order, Value, probability

PLACES = [
    {"n": 5, "T": 5, "max_d": 6, "attention": "cross"},
    {"n": 12, "T": 3, "max_d": 13, "attention": "cross"},
    {"n": 2, "T": 9, "max_d": 9, "attention": "cross"},
    {"n": 5, "T": 5, "max_d": 6, "attention": "self"},
    {"n": 8, "T": 9, "max_d": 9, "attention": "self"},
]
least = Experiment("tarzanagh2023.least-dimension", feasibility.least_dimension, PLACES, replicates=256)
feasible = Claim(
    r"\text{least } d \text{ at which the SVM is feasible} \le \max(T - 1, n), \text{ cross- and self-attention}",
    Bound(lambda n, T: float(max(T - 1, n)), resolution=0.1),
    id="tarzanagh2023.feasible",
    where="Theorem 1",
    theorem=r"Suppose $d \ge \max(T-1, n)$. Then for almost all data the SVM is feasible for any choice of tokens, "
    r"with cross- as with self-attention.",
    measure=least["d"],
    given="chosen tokens uniform; the d first coordinates of one Gaussian draw",
    rivals={
        "d ≥ √(n(T − 1)/5), half of them by count": lambda n, T: np.sqrt(n * (T - 1) / 5),
        "d ≥ T − 1: independent differences suffice": lambda T: float(T - 1),
        "d ≥ n: independent queries suffice": lambda n: float(n),
        "d ≥ max(T − 1, n)/2": lambda n, T: max(T - 1, n) / 2,
    },
    checked_by=["attention.gordan"],
)

BAR = {"n": 5, "T": 5, "rate": 0.1, "steps": 1500}
choices = Experiment(
    "tarzanagh2023.choices", partial(selection.chosen_tokens, judge=locally_optimal), [{**BAR, "d": 10}],
    replicates=512, source=selection.chosen_tokens,
)  # fmt: skip
local = Claim(
    r"\text{the tokens that descent on } W \text{ chooses are a local optimum: } \gamma_{i\alpha_i} > \gamma_{it}"
    r"\text{ for all support tokens } t \in T_i",
    Value(1.0, of=probability, margin=0.03, resolution=0.1,
          because="a run that has not left its first tokens after 1500 steps counts as it stands"),
    id="tarzanagh2023.locally-optimal",
    where="Section 5, Definition 2",
    theorem=r"Tokens $\alpha$ are locally optimal if $\gamma_{i\alpha_i} > \gamma_{it}$ for all support tokens "
    r"$t \in T_i$, those with $(x_{i\alpha_i} - x_{it})^\top W^{mm}_\alpha z_i = 1$; directions that are not locally "
    "optimal are no limits of the regularisation path.",
    measure=choices["ok"],
    rivals={"as often as not": 0.5, "four of five": 0.8},
)  # fmt: skip

EQUAL_SCORES = (
    r"If in every sequence all tokens but the optimal one have equal scores, descent on $W$ with step $\eta \le 1/L_W$ "
    r"has $\|W(k)\| \to \infty$ and $W(k)/\|W(k)\|_F \to W^{mm}/\|W^{mm}\|_F$ from any start."
)
equal = Experiment(
    "tarzanagh2023.equal-scores", partial(selection.equal_scores, target=target), [{**BAR, "d": 10, "steps": 1000}],
    replicates=512, source=selection.equal_scores,
)  # fmt: skip
global_choice = Claim(
    r"\text{where all tokens but the best of a sequence score alike, descent chooses the best in every sequence}",
    Value(1.0, of=probability, margin=0.01, resolution=0.1,
          because="1000 normalised steps from W = 0, where the theorem speaks of the limit"),
    id="tarzanagh2023.global-under-equal-scores",
    where="Section 4 (global convergence), the assumption on scores",
    theorem=EQUAL_SCORES,
    measure=equal["is_global"],
    rivals={"as with random scores at d = 4": 0.65, "as with random scores at d = 6": 0.8},
)  # fmt: skip
global_direction = Claim(
    r"\text{and there } 1 - \cos(W, W^{mm}) \le 0.01 \text{ after 1000 steps}",
    Bound(0.01, delta=0.05, resolution=0.1),
    id="tarzanagh2023.direction-under-equal-scores",
    where="Section 4 (global convergence), the number ours",
    theorem=EQUAL_SCORES,
    measure=equal["turn"],
    rivals={"at most 0.0005": 0.0005, "at most 0.001": 0.001},
    uses=[global_choice],
    checked_by=["attention.frobenius_optimality"],
)


def wide_and_narrow(point, seeds, xp):
    """(not global at `wide`, not global at `narrow`) of one seed each, as a pair for an order."""
    out = [np.asarray(selection.bars({**point, "d": point[d]}, seeds, xp)["is_global"]) for d in ("wide", "narrow")]
    return {"pair": 1 - np.stack(out, axis=1)}


wider = Claim(
    r"\text{more dimensions, more global choices: P(global) at } d = 20 \text{ above } d = 3",
    Order(),
    id="tarzanagh2023.wider-is-global",
    where="Section 4, global against local convergence (bars), an experiment",
    theorem="Abstract: over-parameterisation catalyses global convergence by ensuring the feasibility of the SVM and "
    "a benign optimisation landscape without stationary points.",
    measure=Experiment("tarzanagh2023.wide-and-narrow", wide_and_narrow, [{**BAR, "wide": 20, "narrow": 3}],
                       replicates=512)["pair"],
    rivals={"no order": 0.5, "in six of ten": 0.6},
)  # fmt: skip

DIMENSIONS = [2, 3, 4, 6, 8, 10, 15, 20]
bars = Experiment(
    "tarzanagh2023.bars", selection.bars,
    {"smoke": [{**BAR, "d": d} for d in (2, 4, 10)], "laptop": [{**BAR, "d": d} for d in DIMENSIONS],
     "paper": [{**BAR, "d": d, "n": n, "T": T} for n, T in ((5, 5), (10, 5), (5, 10)) for d in DIMENSIONS]},
    replicates=512,
)  # fmt: skip


def shares(data):
    """Shares of global, local and unsaturated runs, with their standard errors; shares of feasible draws against d."""
    out = {"n": [], "T": [], "d": []}
    names = ("is_global", "is_local", "unsaturated")
    out |= {name + end: [] for name in names for end in ("", "_se")}
    for point, arrays in data["bars"]:
        for column in ("n", "T", "d"):
            out[column].append(point[column])
        for name in names:
            p, count = float(arrays[name].mean()), len(arrays[name])
            out[name].append(p)
            out[f"{name}_se"].append(float(np.sqrt(p * (1 - p) / count)))
    enough = {"n": [], "T": [], "attention": [], "d": [], "feasible": []}
    for point, arrays in data["least"]:
        for d in range(1, point["max_d"] + 1):
            for column in ("n", "T", "attention"):
                enough[column].append(point[column])
            enough["d"].append(d)
            enough["feasible"].append(float(np.mean(arrays["d"] <= d)))
    return {"bars": out, "feasible": enough}


figure_bars = Figure(
    number="bars",
    title="Feasibility, and global, local and unsaturated runs, against the dimension",
    experiments={"bars": bars, "least": least},
    tables=shares,
    draw=pictures.bars,
    replicates={"smoke": 32, "laptop": 200, "paper": 500},
    parameters=[
        ("runs", "bars without code in the authors' repository", {"smoke": "32", "laptop": "200", "paper": "500"}),
        ("n, T", "varied", {"smoke": "5, 5", "laptop": "5, 5", "paper": "5, 5; 10, 5; 5, 10"}),
        ("steps, rate", "–", "1500, 0.1, from W = 0"),
    ],
    claims=[feasible, local, global_choice, wider],
)
