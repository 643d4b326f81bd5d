"""GD++ and several layers: the map of the spectrum (Figure 13), trained stacks against optimal steps (Figures 3, 7).

The stacks are trained and judged on Gaussian inputs, where the risk of k steps is exact (Wishart moments); the paper's
are uniform. Forms of the weights: "gd" trains what preconditioned descent needs, "gd++" also the map of the inputs.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.claims.experiment import EachSeed
from corollary.figures import vonoswald2023 as pictures
from corollary.paper_repro.vonoswald2023.setting import INPUTS
from corollary.sims.icl.prompts import Sampler
from corollary.sims.icl.training import train_stack
from corollary.theory import icl
from corollary.verdicts import Identity, Order, Value, rel

# --- GD++ maps eigenvalues λ of XᵀX to λ(1 − γλ)²
GAMMA = 0.02


def draw(N, d, rng):
    return {"X": rng.standard_normal((N, d))}


def moved_spectrum(X):
    """Eigenvalues of the Gram matrix after x_j ← x_j − γ XᵀX x_j."""
    moved = X - X.dtype.type(GAMMA) * (X @ (X.T @ X))
    return np.linalg.eigvalsh(moved.T @ moved)


def mapped(X, power=2, factor=1.0):
    λ = np.linalg.eigvalsh(X.T @ X)
    return np.sort(λ * (1 - X.dtype.type(factor * GAMMA) * λ) ** power)


def one_factor(X):
    return mapped(X, power=1)


def first_order(X):
    return mapped(X, power=1, factor=2.0)


spectrum_map = Claim(
    r"\lambda_i(X_1^\top X_1) = \lambda_i(1-\gamma\lambda_i)^2,\quad x_j \leftarrow x_j - \gamma X^\top X x_j",
    Identity(moved_spectrum, mapped),
    id="vonoswald2023.gd-plus-plus",
    where="Appendix A.10, Figure 13",
    measure=Experiment("vonoswald2023.designs", EachSeed(draw), [{"N": 7, "d": 3}], replicates=32, source=draw),
    rivals={"one factor: λ(1 − γλ)": one_factor, "first order: λ(1 − 2γλ)": first_order},
    checked_by=["icl.gradient_step"],
)

# --- two layers
COMMON = {"learning_rate": 0.04, "init": 0.4, "test": 4000}
PAIR = {
    "smoke": [{"d": 3, "context": 8, "layers": 2, "steps": 180, "batch": 96, **COMMON}],
    "laptop": [{"d": 3, "context": 8, "layers": 2, "steps": 200, "batch": 96, **COMMON}],
    "paper": [{"d": 10, "context": 10, "layers": 2, "steps": 5000, "batch": 512, **COMMON}],
}


def pair_run(point, seeds, xp):
    """Test losses of trained stacks: gd (untied), and the pairs (untied, tied), (gd++, gd) with equal seeds."""
    runs = {
        (form, tied): train_stack({**point, "sparsity": form, "tied": tied}, seeds, xp)["loss"]
        for form, tied in (("gd", False), ("gd", True), ("gd++", False))
    }
    untied = runs["gd", False]
    return {
        "gd": untied,
        "untied_tied": xp.stack([untied, runs["gd", True]], axis=1),
        "plus_gd": xp.stack([runs["gd++", False], untied], axis=1),
    }


pairs = Experiment("vonoswald2023.two-layers", pair_run, PAIR, replicates=256)


@cache
def best(d: int, context: int, layers: int, tied: bool = False, plus: bool = False) -> float:
    return icl.optimal_steps(icl.LinearTask(d, context), layers, tied=tied, plus=plus).excess


two_steps = Claim(
    r"\text{two trained layers reach the risk of the two best steps of gradient descent}",
    Value(
        lambda d, context: best(d, context, 2), resolution=rel(0.15),
        margin=lambda d, context, steps: (0.03 if steps >= 3000 else 0.06) * best(d, context, 2),
        because="a few hundred steps of Adam leave the loss above its minimum: by 2 to 4 % in single runs; after 3000 "
        "and 5000 (d = 10) it is within 3 % in four runs, half of them below, 0.2 ± 1.2 % in the mean",
    ),
    id="vonoswald2023.two-steps",
    where="Section 4, Figure 3",
    measure=pairs["gd"],
    rivals={
        "two equal steps": lambda d, context: best(d, context, 2, tied=True),
        "one step": lambda d, context: best(d, context, 1),
    },
    checked_by=["icl.several_steps", "icl.wishart_moments"],
)  # fmt: skip

untied_below_tied = Claim(
    r"\text{two layers with weights of their own end below two equal ones}",
    Order(),
    id="vonoswald2023.untied-below-tied",
    where="Section 4",
    measure=pairs["untied_tied"],
    rivals={"no order": 0.5, "the other way round": 0.1},
    uses=[two_steps],
)
plus_below_gd = Claim(
    r"\text{layers that may also transform the inputs (GD++) end below gradient descent}",
    Order(),
    id="vonoswald2023.gd-plus-plus-below-gd",
    where="Section 4, Figure 3",
    measure=pairs["plus_gd"],
    rivals={"no order": 0.5, "the other way round": 0.1},
)

# --- Figures 3 and 7
FORMS = ("gd", "gd++", "full")
DEPTHS = {"smoke": (1, 2), "laptop": (1, 2, 4), "paper": (1, 2, 5, 10)}
SIZES = {
    "smoke": {"d": 2, "context": 6, "steps": 80, "batch": 48, **COMMON},
    "laptop": {"d": 3, "context": 8, "steps": 150, "batch": 48, **COMMON},
    "paper": {"d": 10, "context": 10, "steps": 5000, "batch": 2048, **COMMON},
}


def stacks(name: str, tied: bool, depths: dict, forms: tuple[str, ...] = FORMS) -> Experiment:
    return Experiment(
        f"vonoswald2023.{name}",
        train_stack,
        {s: [{**SIZES[s], "layers": k, "tied": tied, "sparsity": f} for k in depths[s] for f in forms] for s in depths},
        block=4,
    )


def stack_tables(data):
    """Trained losses (mean and standard deviation over seeds) and the exact risk of the best steps."""
    rows = {"form": [], "layers": [], "mean": [], "sd": []}
    for point, a in data["stacks"]:
        for name, v in (
            ("form", point["sparsity"]), ("layers", point["layers"]), ("mean", float(a["loss"].mean())),
            ("sd", float(a["loss"].std(ddof=1))),
        ):  # fmt: skip
            rows[name].append(v)
    first = data["stacks"][0][0]
    theory = {"form": [], "layers": [], "risk": []}
    # exact up to the Wishart moments at hand: degree 2k for descent, 26 for three layers of GD++
    for form, most in (("gd", 4), ("gd++", 3)):
        for k in sorted(set(rows["layers"])):
            if k <= most:
                risk = best(first["d"], first["context"], k, tied=first["tied"], plus=form == "gd++")
                theory["form"].append(form)
                theory["layers"].append(k)
                theory["risk"].append(risk)
    return {"trained": rows, "theory": theory}


PARAMETERS = [
    ("d, N", "10, 10", {s: f"{p['d']}, {p['context']}" for s, p in SIZES.items()}),
    ("inputs", "uniform", "Gaussian, where the risk of k steps is exact"),
    ("training steps, batch", "5000 to 50000, 2048", {s: f"{p['steps']}, {p['batch']}" for s, p in SIZES.items()}),
]
figure_3 = Figure(
    number="3", title="Two layers: trained stacks beside the best steps of descent and of GD++ (weights untied)",
    experiments={"stacks": stacks("untied", False, {"smoke": (1, 2), "laptop": (1, 2, 3), "paper": (1, 2, 5)})},
    tables=stack_tables, draw=pictures.stacks, replicates={"smoke": 2, "laptop": 3, "paper": 5},
    parameters=PARAMETERS, claims=[two_steps, untied_below_tied, plus_below_gd],
)  # fmt: skip
figure_7 = Figure(
    number="7", title="One layer repeated: tied weights, by depth",
    # with all weights free, a repeated layer diverges on some prompts: the paper clips tokens to ±10 after every layer
    experiments={"stacks": stacks("tied", True, DEPTHS, ("gd", "gd++"))},
    tables=stack_tables, draw=pictures.stacks, replicates={"smoke": 2, "laptop": 3, "paper": 5},
    parameters=[("depth", "10", {s: ", ".join(map(str, d)) for s, d in DEPTHS.items()}), *PARAMETERS],
    claims=[untied_below_tied],
)  # fmt: skip


# --- Figure 13
def condition_numbers(point, seeds, xp):
    """kappa (R, 2): condition numbers of XᵀX before and after GD++ with γ = 0.099; x ~ U(−½, ½)^d. Host only."""
    rows = []
    for seed in seeds:
        sampler = Sampler.of({"d": point["d"], "context": point["context"], **INPUTS})
        X = sampler.draw([np.random.default_rng(seed)], 1, np).X[0, 0]
        λ = np.linalg.eigvalsh(X.T @ X)
        after = icl.gdpp_spectrum(λ, point["gamma"])
        rows.append([λ[-1] / λ[0], after.max() / after.min()])
    return {"kappa": xp.asarray(np.array(rows))}


conditions = Experiment(
    "vonoswald2023.condition-numbers", condition_numbers, [{"d": 10, "context": n, "gamma": 0.099} for n in (25, 50)],
    block=64,
)  # fmt: skip


def tables_13(data):
    """The map of a spectrum in [1/κ, 1], the condition number against g = γλ_max, and sampled condition numbers."""
    fine, g = np.linspace(0, 1, 101), np.linspace(0, 0.99, 100)
    spectrum = {"eigenvalue": list(fine)}
    spectrum |= {f"g={x}": list(icl.gdpp_spectrum(fine, x)) for x in (0.3, 0.6, 0.9)}
    kappas = (4.0, 10.0, 100.0)
    condition = {"g": list(g), **{f"kappa={k:g}": [icl.gdpp_condition(k, x) / k for x in g] for k in kappas}}
    rows = {"context": [], "before": [], "after": []}
    for point, a in data["conditions"]:
        rows["context"] += [point["context"]] * len(a["kappa"])
        rows["before"] += list(a["kappa"][:, 0])
        rows["after"] += list(a["kappa"][:, 1])
    return {"spectrum": spectrum, "condition": condition, "sampled": rows}


figure_13 = Figure(
    number="13", title="GD++ squeezes the spectrum of the Gram matrix",
    experiments={"conditions": conditions}, tables=tables_13, draw=pictures.condition,
    replicates={"smoke": 64, "laptop": 512, "paper": 4096},
    parameters=[("γ", "0.099", "0.099"), ("N", "10, 25, 50, 100", "25, 50")], claims=[spectrum_map],
)  # fmt: skip
