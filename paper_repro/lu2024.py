"""Lu, Letey, Zavatone-Veth, Maiti, Pehlevan 2024: Asymptotic theory of in-context learning (2405.11751).

One linear-attention layer fitted by ridge regression to n = τd² sampled prompts of ℓ = αd examples from k = κd tasks,
as d → ∞. Result 1 (ridgeless) is printed; the curve with a finite ridge is derived here and contains it. Errors have
noisy labels. Sizes of the simulations are smaller than the paper's d = 100; the bias of order 1/d is extrapolated away.

    python -m corollary.paper_repro.lu2024 --figure 1
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Paper
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


def limit(name: str, point: dict, where: str, margin: float, because: str, rivals: dict) -> Claim:
    return Claim(
        r"e_{ICL} \to \text{the asymptotic learning curve},\ " + ", ".join(f"{k}={v:g}" for k, v in point.items()),
        Value(curve, along="d", resolution=rel(0.12), margin=rel(margin), because=because),
        id=f"lu2024.{name}",
        where=where,
        measure=Experiment(f"lu2024.{name}", ridge_errors, across(point), replicates=1024)["icl"],
        rivals=rivals,
        checked_by=["icl.learning_curve"],
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
})  # fmt: skip
above = limit("above-threshold", MANY, "Result 1, τ > 1", 0.08, RIDGELESS, {
    "infinitely many prompts": endless_prompts,
    "endless contexts": long_contexts,
    "noise forgotten": noiseless,
})  # fmt: skip
ridge = limit("finite-ridge", RIDGE, "Section 3 (finite λ: derived here)", 0.03, RIDGED, {
    "ridgeless": lambda tau, alpha, kappa, rho: curve(tau, alpha, kappa, rho, 0.0),
    "error on the training tasks": on_training_tasks,
    "noise forgotten": noiseless,
})  # fmt: skip


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
    where="Result 1 and Figure 2 (divergence at τ → 1)",
    measure=PEAK["pairs"],
    rivals={"no order: more prompts, as good": 0.5, "more prompts always help": 0.1},
)
memory = Claim(
    r"\text{few tasks: the fit is better on those it has seen}",
    Order(),
    id="lu2024.task-diversity",
    where="Section 4 (task generalisation)",
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
    where="Result 1 (its poles at τ = 1), Figure 2",
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


def tables_2(data):
    fine = [float(k) for k in np.geomspace(0.1, 12, 60)]
    both = [icl.learning_curve(2.5, 1.0, k, 0.1, 0.01) for k in fine]
    theory = {"kappa": fine, "icl": [c.icl for c in both], "idg": [c.idg for c in both]}
    return {"theory": theory, "measured": _measured(data["fits"], "kappa")}


PARAMETERS = [("d", "100", {s: str(d) for s, d in DIMENSION.items()}), ("α, ρ", "various", "1, 0.1")]
figure_1 = Figure(
    number="1", title="Double descent in the number of prompts (ridgeless)",
    experiments={"fits": double}, tables=tables_1, draw=pictures.double_descent,
    replicates={"smoke": 4, "laptop": 12, "paper": 20}, parameters=PARAMETERS,
    claims=[below, above, double_descent, divergence],
)  # fmt: skip
figure_2 = Figure(
    number="2", title="Task diversity: errors on new tasks and on those of the training set (λ = 0.01)",
    experiments={"fits": diverse}, tables=tables_2, draw=pictures.diversity,
    replicates={"smoke": 4, "laptop": 12, "paper": 20}, parameters=PARAMETERS, claims=[memory, ridge],
)  # fmt: skip

if __name__ == "__main__":
    import sys

    from corollary.cli import main

    sys.argv[1:1] = ["reproduce", PAPER.key]
    main()
