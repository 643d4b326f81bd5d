"""Lu, Letey, Zavatone-Veth, Maiti, Pehlevan 2024: Asymptotic theory of in-context learning (2405.11751).

One linear-attention layer fitted by ridge regression to n = τd² sampled prompts of ℓ = αd examples from k = κd tasks,
as d → ∞. Result 1 is ridgeless; the curve with a finite ridge is derived here and contains it. Errors have noisy
labels. Sizes of the simulations are smaller than the paper's d = 100; the bias of order 1/d is extrapolated away. Of
the paper its abstract and code were at hand: Result 1 is quoted as the code has it.

    python -m corollary.paper_repro.lu2024 --figure 1
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Number, Paper
from corollary.figures import lu2024 as pictures
from corollary.sims.icl.ridge import ridge_errors
from corollary.theory import icl
from corollary.verdicts import Order, Rate, Value, rel

PAPER = Paper(
    key="lu2024",
    title="Asymptotic theory of in-context learning by linear attention",
    authors="Yue M. Lu, Mary I. Letey, Jacob A. Zavatone-Veth, Anindita Maiti, Cengiz Pehlevan",
    year=2024,
    arxiv="2405.11751",
    summary="Exact learning curves of linear attention: double descent in prompts, a transition in task diversity.",
    conventions="x ~ N(0, I/d), |w|² = d, label noise ρ, in training and in the errors, which have no ½; ℓ = αd "
    "examples a prompt, k = κd tasks, n = τd² prompts. Features H = x [(d/ℓ) Σ y_i x_iᵀ, (1/ℓ) Σ y_i²]; ridge (n/d) "
    "λ |Γ|² beside the sum of squares. e_ICL is on new tasks, e_IDG on those of the training set.",
)

SIZES = {"smoke": (12, 16, 24), "laptop": (12, 24, 32), "paper": (25, 50, 100)}
FEW = {"tau": 0.5, "alpha": 1.0, "kappa": 1.0, "rho": 0.25, "ridge": 0.0}
MANY = {"tau": 2.0, "alpha": 1.0, "kappa": 2.0, "rho": 0.25, "ridge": 0.0}
RIDGE = {"tau": 1.5, "alpha": 1.0, "kappa": 1.0, "rho": 0.25, "ridge": 0.1}


def across(point: dict) -> dict:
    return {scale: [{"d": d, **point} for d in sizes] for scale, sizes in SIZES.items()}


def curve(tau, alpha, kappa, rho, ridge) -> float:
    return icl.learning_curve(tau, alpha, kappa, rho, ridge).icl


def endless_prompts(alpha, rho) -> float:
    """The exact optimum of the population loss, ρ + (1 + ρ)/(α + 1 + ρ)."""
    return rho + (1 + rho) / (alpha + 1 + rho)


def on_training_tasks(tau, alpha, kappa, rho, ridge) -> float:
    return icl.learning_curve(tau, alpha, kappa, rho, ridge).idg


def long_contexts(tau, kappa, rho, ridge) -> float:
    return curve(tau, 1e9, kappa, rho, ridge)


def noiseless(tau, alpha, kappa, ridge) -> float:
    return curve(tau, alpha, kappa, 0.0, ridge)


CODE = "github.com/Pehlevan-Group/icl-asymptotic at commit 1252a4ffb1d39db55b00c924129c8285b73adfe2"
RESULT = (
    r"As released: with $x^* = (1+\rho)/\alpha$, $m^* = \mathcal M_\kappa(x^*)$, $\mathcal M_\kappa(x) = 2/\big(x + 1 "
    r"- \tfrac1\kappa + \sqrt{(x + 1 - \tfrac1\kappa)^2 + 4x/\kappa}\big)$, as $d \to \infty$, then $\lambda \to 0$: "
)
BELOW = RESULT + (
    r"for $\tau < 1$, $\mu^* = x^* \mathcal M_{\kappa/\tau}(x^*)$, $e_{ICL} \to \frac{\tau(1+x^*)}{1-\tau}\big[1 - "
    r"\tau(1-\mu^*)^2 - \frac{x^*-\rho}{x^*}\mu^*\big] - 2\tau(1-\mu^*) + \rho + 1$."
)
ABOVE = RESULT + (
    r"for $\tau > 1$, $k^* = 1/\big(1 - \kappa(\tfrac{m^*}{\kappa+m^*})^2\big)$, $e_{ICL} \to \big(k^* - "
    r"\tfrac1{\tau-1}\big)(1+x^*)(x^*m^*)^2 + \frac{3-2\tau}{\tau-1}m^*(x^*)^2 + \big(\frac{(1+\rho)m^*}{\tau-1} + "
    r"1\big)x^* + \frac{\rho m^*}{\tau-1} + \rho$."
)


def limit(
    name: str, point: dict, where: str, margin: float, because: str, rivals: dict, theorem: str = "",
    measured: Any = None, theory: Any = curve,
) -> Claim:  # fmt: skip
    """`measured`: a reading of another claim's experiment; None runs one of its own and reads e_ICL."""
    measured = measured or Experiment(f"lu2024.{name}", ridge_errors, across(point), replicates=1024)["icl"]
    return Claim(
        rf"e_{{{measured.name.upper()}}} \to \text{{the asymptotic learning curve}},\ "
        + ", ".join(f"{k}={v:g}" for k, v in point.items()),
        Value(theory, along="d", resolution=rel(0.12), margin=rel(margin), because=because),
        id=f"lu2024.{name}",
        where=where,
        theorem=theorem,
        measure=measured,
        rivals=rivals,
        checked_by=["icl.learning_curve", "icl.finite_ridge"],
    )


RIDGELESS = (
    "errors exceed the limit by about (4.5/d) of it at d = 12 to 36; a next term of (4.5/d)² moves the intercept of "
    "the line in 1/d by 20/(d_min d_max), 7 % for d = 12 and 24"
)
RIDGED = (
    "as without ridge, but errors exceed the limit by 2/d only: (2/d)² moves the intercept by 4/(d_min d_max), 1.4 %"
)

below = limit("below-threshold", FEW, "Result 1, τ < 1", 0.08, RIDGELESS, {
    "infinitely many prompts": endless_prompts,
    "endless contexts": long_contexts,
    "noise forgotten": noiseless,
}, BELOW)  # fmt: skip
above = limit("above-threshold", MANY, "Result 1, τ > 1", 0.08, RIDGELESS, {
    "infinitely many prompts": endless_prompts,
    "endless contexts": long_contexts,
    "noise forgotten": noiseless,
}, ABOVE)  # fmt: skip
ridge = limit("finite-ridge", RIDGE, "ours (the learning curve at finite λ; λ → 0 is Result 1)", 0.03, RIDGED, {
    "ridgeless": lambda tau, alpha, kappa, rho: curve(tau, alpha, kappa, rho, 0.0),
    "error on the training tasks": on_training_tasks,
    "noise forgotten": noiseless,
})  # fmt: skip

# --- the setting of Figure 1: κ = 1/2, ρ = 0.01; the released runs are at d = 100
RELEASED = {"tau": 2.0, "alpha": 1.0, "kappa": 0.5, "rho": 0.01, "ridge": 0.0}
released = limit("released-run", RELEASED, "Result 1, Figure 1 (new tasks)", 0.08, RIDGELESS, {
    "endless prompts": endless_prompts,
    "error on the training tasks": on_training_tasks,
    "endless contexts": long_contexts,
}, ABOVE)  # fmt: skip
released_idg = limit("released-run-idg", RELEASED, "Figure 1 (training tasks; formula: ours)", 0.08, RIDGELESS, {
    "error on new tasks": curve,
    "endless contexts": lambda tau, kappa, rho, ridge: on_training_tasks(tau, 1e9, kappa, rho, ridge),
    "endless prompts": lambda alpha, kappa, rho, ridge: on_training_tasks(1e9, alpha, kappa, rho, ridge),
}, measured=released.measure.experiment["idg"], theory=on_training_tasks)  # fmt: skip
RUN = f"pnasA1_41350339.out of {CODE}: τ = 2, α = 1, d = 100, mean of 10 runs"
numbers = [
    Number("e_ICL, before the limit d → ∞", RUN, 1.2785, released),
    Number("e_IDG, before the limit d → ∞", RUN, 0.6250, released_idg),
]


def peaked(point, seeds, xp):
    """pairs (R, 2): error at τ = 1/2 and at τ = 1; diversity (R, 2): errors on training tasks and on new ones."""
    at = lambda tau: ridge_errors({**point, "tau": tau}, seeds, xp)  # noqa: E731
    half, one = at(0.5), at(1.0)
    return {
        "pairs": xp.stack([half["icl"], one["icl"]], axis=1),
        "diversity": xp.stack([half["idg"], half["icl"]], axis=1),
    }


PEAK = Experiment(
    "lu2024.peak", peaked, [{"d": 12, "alpha": 1.0, "kappa": 0.5, "rho": 0.25, "ridge": 0.0}], replicates=256
)
double_descent = Claim(
    r"\text{at the interpolation threshold } \tau = 1 \text{ the error peaks}",
    Order(),
    id="lu2024.double-descent",
    where="abstract, Figure 1",
    theorem="Abstract: a double-descent learning curve with increasing pretraining examples.",
    measure=PEAK["pairs"],
    rivals={"no order: more prompts, as good": 0.5, "more prompts always help": 0.1},
)
memory = Claim(
    r"\text{few tasks: the fit is better on those it has seen}",
    Order(),
    id="lu2024.task-diversity",
    where="abstract, Figure 3",
    theorem="Abstract: in the low diversity regime the model tends toward memorization of training tasks, in the high "
    "diversity regime it achieves genuine in-context learning and generalizes beyond them.",
    measure=PEAK["diversity"],
    rivals={"no order": 0.5, "the other way round": 0.1},
)


def near_threshold(n, side, rng):
    """The ridgeless error at τ = 1 − 1/n (side "below") or 1 + 1/n ("above"): no randomness."""
    return curve(1 - 1 / n if side == "below" else 1 + 1 / n, 1.0, 1.0, 0.25, 0.0)


divergence = Claim(
    r"e_{ICL} \sim C_\pm/|1-\tau| \text{ as } \tau \to 1, \text{ from either side}",
    Rate(1.0, along="n", sequence=True, resolution=0.02, rounding=lambda n: 1e-13 * n),
    id="lu2024.divergence",
    where="ours (the poles of Result 1 at τ = 1)",
    measure=near_threshold,
    points=[{"n": 50 * 2**k, "side": side} for side in ("below", "above") for k in range(7)],
    rivals={"|1 − τ|^(−1/2)": 0.5, "|1 − τ|^(−2)": 2.0, "|1 − τ|^(−3/2)": 1.5},
    checked_by=["icl.learning_curve"],
)

# --- figures
TAUS = {
    "smoke": (0.4, 2.0),
    "laptop": (0.3, 0.6, 0.9, 1.2, 2.0, 3.0),
    "paper": (0.2, 0.4, 0.6, 0.8, 0.95, 1.1, 1.5, 2, 4),
}
DIMENSION = {"smoke": 12, "laptop": 24, "paper": 100}
KAPPAS = (0.5, 2.0)
double = Experiment(
    "lu2024.double-descent-curve", ridge_errors,
    {s: [{"d": DIMENSION[s], "tau": t, "alpha": 1.0, "kappa": k, "rho": 0.1, "ridge": 0.0} for k in KAPPAS for t in v]
     for s, v in TAUS.items()},
    block=4,
)  # fmt: skip
DIVERSITY = {
    "smoke": (0.5, 2.0),
    "laptop": (0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    "paper": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0),
}
diverse = Experiment(
    "lu2024.diversity-curve", ridge_errors,
    {s: [{"d": DIMENSION[s], "tau": 2.5, "alpha": 1.0, "kappa": k, "rho": 0.1, "ridge": 0.01} for k in v]
     for s, v in DIVERSITY.items()},
    block=4,
)  # fmt: skip


def _measured(results, along: str) -> dict:
    rows = {"d": [], along: [], "kappa": []} if along != "kappa" else {"d": [], "kappa": []}
    rows |= {f"{name}_{s}": [] for name in ("icl", "idg") for s in ("mean", "se")}
    for point, a in results:
        for key in set(rows) & set(point):
            rows[key].append(point[key])
        for name in ("icl", "idg"):
            rows[f"{name}_mean"].append(float(a[name].mean()))
            rows[f"{name}_se"].append(float(a[name].std(ddof=1) / np.sqrt(len(a[name]))))
    return rows


def tables_1(data):
    fine = [float(t) for t in np.concatenate([np.linspace(0.15, 0.97, 42), np.linspace(1.03, 4, 60)])]
    theory = {"kappa": [], "tau": [], "icl": []}
    for k in KAPPAS:
        theory["kappa"] += [k] * len(fine)
        theory["tau"] += fine
        theory["icl"] += [curve(t, 1.0, k, 0.1, 0.0) for t in fine]
    return {"theory": theory, "measured": _measured(data["fits"], "tau")}


def tables_3(data):
    fine = [float(k) for k in np.geomspace(0.1, 12, 60)]
    both = [icl.learning_curve(2.5, 1.0, k, 0.1, 0.01) for k in fine]
    theory = {"kappa": fine, "icl": [c.icl for c in both], "idg": [c.idg for c in both]}
    return {"theory": theory, "measured": _measured(data["fits"], "kappa")}


PARAMETERS = [("d", "100", {s: str(d) for s, d in DIMENSION.items()}), ("α, ρ", "various", "1, 0.1")]
figure_1 = Figure(
    number="1", title="Double descent in the number of prompts (ridgeless)",
    experiments={"fits": double}, tables=tables_1, draw=pictures.double_descent,
    replicates={"smoke": 4, "laptop": 12, "paper": 20}, parameters=PARAMETERS,
    claims=[below, above, released, released_idg, double_descent, divergence],
)  # fmt: skip
figure_3 = Figure(
    number="3", title="Task diversity: errors on new tasks and on those of the training set (λ = 0.01)",
    experiments={"fits": diverse}, tables=tables_3, draw=pictures.diversity,
    replicates={"smoke": 4, "laptop": 12, "paper": 20}, parameters=PARAMETERS, claims=[memory, ridge],
)  # fmt: skip

if __name__ == "__main__":
    import sys

    from corollary.cli import main

    sys.argv[1:1] = ["reproduce", PAPER.key]
    main()
