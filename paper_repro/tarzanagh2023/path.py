"""Regularisation paths: the minimiser of the loss at norm R, in the Frobenius norm of W or the squares of K and Q."""

from __future__ import annotations

from functools import partial

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import tarzanagh2023 as pictures
from corollary.paper_repro.tarzanagh2023.setting import PATH_OF_KQ, target
from corollary.sims.attention import experiments as sim
from corollary.verdicts import Value, median

SIZE = {"n": 4, "T": 5, "d": 6}
RADII = {"smoke": [80.0, 160.0, 320.0], "laptop": [80.0, 160.0, 320.0], "paper": [40.0, 80.0, 160.0, 320.0, 640.0]}


def along(over: str) -> Experiment:
    return Experiment(
        f"tarzanagh2023.path-{over}",
        partial(sim.regularisation_path, target=target),
        {scale: [{**SIZE, "radii": radii, "over": over}] for scale, radii in RADII.items()},
        replicates=256, source=sim.regularisation_path,
    )  # fmt: skip


over_w, over_kq = along("w"), along("kq")
LEFT = "the next order of gap = C/R + C'/R² at R = 160 and 320"
frobenius = Claim(
    r"\arg\min_{\|W\|_F \le R} L(W)/R \to W^{mm}/\|W^{mm}\|_F:\quad R\,(1 - \text{margin}\cdot\|W^{mm}\|_F/R) \to C",
    Value(2.0, of=median, margin=0.05, resolution=0.1, because=LEFT),
    id="tarzanagh2023.path-frobenius",
    where="Section 3 (regularisation path of W), the rate ours",
    theorem=r"With the optimal tokens separable, $\lim_{R\to\infty} \arg\min_{\|W\|_F \le R} L(W)/R = "
    r"W^{mm}/\|W^{mm}\|_F$.",
    measure=over_w["halved"],
    rivals={"gap ~ R^(−1/2)": 2**0.5, "gap ~ R^(−3/2)": 2**1.5, "it does not close: another limit": 1.0},
    checked_by=["attention.frobenius_optimality"],
)
nuclear = Claim(
    r"\arg\min_{(\|K\|_F^2 + \|Q\|_F^2)/2 \le R} L(KQ^\top)/R \to W^{mm}_\star/\|W^{mm}_\star\|_*:\quad"
    r" R\,(1 - \text{margin}\cdot\|W^{mm}_\star\|_*/R) \to C",
    Value(2.0, of=median, margin=0.05, resolution=0.1, because=LEFT),
    id="tarzanagh2023.path-nuclear",
    where="Section 3 (regularisation path of K and Q), the rate ours",
    theorem=PATH_OF_KQ,
    measure=over_kq["halved"],
    rivals={"gap ~ R^(−1/2)": 2**0.5, "gap ~ R^(−3/2)": 2**1.5, "it does not close: the Frobenius solution": 1.0},
    checked_by=["attention.nuclear_duality"],
)


def tables(data):
    """R·gap, medians and deciles against R, of both paths."""
    out = {"over": [], "R": [], "median": [], "low": [], "high": []}
    for name in ("w", "kq"):
        (point, arrays), = data[name]  # fmt: skip
        for k, R in enumerate(point["radii"]):
            out["over"].append(name)
            out["R"].append(R)
            for column, q in (("low", 0.1), ("median", 0.5), ("high", 0.9)):
                out[column].append(float(R * np.quantile(arrays["gap"][:, k], q)))
    return {"path": out}


figure_path = Figure(
    number="path",
    title="R times the margin gap along the regularisation paths is constant",
    experiments={"w": over_w, "kq": over_kq},
    tables=tables,
    draw=pictures.path,
    replicates={"smoke": 8, "laptop": 32, "paper": 64},
    parameters=[("n, T, d", "none: a theorem", "4, 5, 6"), ("R", "R → ∞", {k: str(v) for k, v in RADII.items()})],
    claims=[frobenius, nuclear],
)
