"""Dang, Tran, Osher, Tran-The, Ho, Nguyen 2023: Neural Collapse in Deep Linear Networks (2301.00437).

Squared loss: the minimum in closed form, orthogonal rows whose lengths grow with their class, classes below a threshold
vanish. Cross-entropy: the simplex frame is the minimum with one layer; with more it is not in general, and antipodal
pairs, of half the rank, are below it at every scale of the logits. Garrod & Keating 2024 (2410.23169, Theorem 1) have
the same: for K ≥ 4 with M ≥ 3, and K ≥ 6 with M = 2, no network with that frame is a global minimum.

    python -m corollary.paper_repro.dang2023collapse
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np

from corollary.claims import Claim, Erratum, Experiment, Figure, Paper
from corollary.figures import dang2023collapse as pictures
from corollary.sims.attention import collapse as sim
from corollary.theory import attention
from corollary.verdicts import Bound, Tight, Value, median, probability, scaled

PAPER = Paper(
    key="dang2023collapse",
    title="Neural Collapse in Deep Linear Networks: From Balanced to Imbalanced Data",
    authors="Hien Dang, Tho Tran, Stanley Osher, Hung Tran-The, Nhat Ho, Tan Nguyen",
    year=2023,
    arxiv="2301.00437",
    summary="Minima of deep linear networks in closed form: orthogonal rows with lengths given by the class sizes.",
    conventions="1/(2N) before the squared loss, λ/2 before each squared norm, no bias, widths at least K; M matrices "
    "W_M … W_1 and free features H, n_k columns of class k, N in all; cross-entropy averaged over columns. Theorems "
    "are stated as recalled: only the abstract (of version 5) was compared with the paper's.",
)
MINIMUM = (
    r"Squared loss, no bias, all widths at least $K$. With $b_k = MN(N\lambda_H\prod_l\lambda_{W_l})^{1/M}/n_k$ the "
    r"global minimum has $s_k^2 = N\lambda_H x_k^M$, $x_k$ the largest root of $b_k = Mx^{M-1}/(1 + x^M)^2$ "
    r"if $b_k < (M-1)^{(M-1)/M}/M$ ($M = 1$: $b_k < 1$), else $x_k = 0$: the features of class $k$ are "
    r"$s_k/(s_k^2 + N\lambda_H)$ times row $k$, normalised, of $W_M \cdots W_1$."
)

MINIMA = [{"classes": 2, "depth": M, "starts": 1} for M in (1, 2, 3)]
minima = Experiment(
    "dang2023.minima", partial(sim.minima, theory=attention.collapse), MINIMA, replicates=128, source=sim.minima
)
bound = Claim(
    r"\min f = \textstyle\sum_k \min_x \frac{n_k}{2N}\big[\tfrac1{1+x^M} + b_k x\big] \text{: no run ends below}",
    Bound(resolution=0.2, rounding=1e-10),
    id="dang2023collapse.minimum",
    where="Theorems on the squared loss, bias-free; the value of the minimum ours",
    theorem=MINIMUM,
    measure=minima["pair"],
    rivals={"two per cent more": scaled(0.98), "a tenth of a per cent more": scaled(0.999)},
    checked_by=["attention.collapse_by_class"],
)
attained = Claim(
    r"\text{and runs from random starts reach it}",
    Tight(1 - 1e-7),
    id="dang2023collapse.minimum-attained",
    where="Theorems on the squared loss, bias-free; the value of the minimum ours",
    theorem=MINIMUM,
    measure=minima["pair"],
    replicates=16,
    rivals={"a minimum a thousandth lower": 0.999, "one per cent lower": 0.99},
    uses=[bound],
)

GEOMETRY = {"counts": [6, 3, 2], "decay": [0.01, 0.02, 0.015], "starts": 4}
solution = attention.collapse(GEOMETRY["counts"], GEOMETRY["decay"][:-1], GEOMETRY["decay"][-1])
FRAME = (
    "Squared loss, no bias, all widths at least $K$: at every global minimum the features of a class coincide and "
    r"$W_M \cdots W_1$ has orthogonal rows, of lengths that the sizes of the classes fix (a general orthogonal frame)."
)
measured = Experiment("dang2023.geometry", sim.geometry, [GEOMETRY], replicates=128)
mean_length = float(solution.s2.mean())
geometry = Claim(
    r"W_M\cdots W_1 (W_M\cdots W_1)^\top = \operatorname{diag}(s_k^2),\quad s_k^2 = N\lambda_H x_k^M",
    Value(np.diag(solution.s2), of=median, resolution=0.02),
    id="dang2023collapse.geometry",
    theorem=FRAME,
    where="Theorem on imbalanced data (general orthogonal frame)",
    measure=measured["gram"],
    given="classes of 6, 3 and 2; the best of four starts",
    rivals={
        "equal lengths: an orthogonal frame": mean_length * np.eye(3),
        "a simplex frame": 1.5 * mean_length * (np.eye(3) - 1 / 3),
        "s² proportional to the class": np.diag(np.array(GEOMETRY["counts"]) * 3 / 11 * mean_length),
    },
    checked_by=["attention.collapse_by_class"],
)
within = Claim(
    r"\text{all features of a class are equal}",
    Bound(1e-3, resolution=0.2),
    id="dang2023collapse.within-class",
    where="Theorem on imbalanced data (general orthogonal frame), first part",
    theorem=FRAME,
    measure=measured["within"],
    given="classes of 6, 3 and 2",
    rivals={"equal to 1e-15": 1e-15, "equal to 1e-14": 1e-14},
    checked_by=["attention.collapse_by_class"],
)


def at_threshold(depth, share):
    """Classes of 6 and 2 with one decay λ for all factors such that b_2 is `share` of the threshold."""
    b = share * attention.collapse([6, 2], [0.01] * depth, 0.01).threshold
    decay = ((b * 2 / (depth * 8)) ** depth / 8) ** (1 / (depth + 1))
    return {"counts": [6, 2], "decay": [float(decay)] * (depth + 1), "starts": 0, "share": share, "depth": depth}


threshold = Claim(
    r"x_k > 0 \iff b_k < (M-1)^{(M-1)/M}/M \ (M = 1: 1)",
    Value(lambda share: float(share < 1), of=probability, resolution=0.25),
    id="dang2023collapse.threshold",
    where="Theorem on imbalanced data (minority collapse)",
    theorem=MINIMUM,
    measure=Experiment(
        "dang2023.threshold", sim.geometry, [at_threshold(M, s) for M in (1, 2) for s in (0.8, 1.2)], replicates=256
    )["alive"],
    given="classes of 6 and 2; the better of a start with the smaller class and one without",
    rivals={
        "the threshold of one layer for every depth": lambda share, depth: float(share < 1) if depth == 1 else 1.0,
        "half of it": 0.0,
        "no threshold": 1.0,
    },
    checked_by=["attention.collapse_by_class"],
)  # fmt: skip

ABSTRACT = (
    "Abstract: neural collapse, where the class means of the features are the vertices of a simplex equiangular tight "
    "frame, occurs in deep linear networks for the squared and the cross-entropy loss: global solutions exhibit its "
    "properties across the linear layers."
)
ONE = {"K": 4, "n": 3, "depth": 1, "decay": 5e-3, "start": "random"}
one_layer = Claim(
    r"\text{cross-entropy, } M = 1: \text{ no network is below the simplex frame}",
    Bound(resolution=0.2, rounding=1e-9),
    id="dang2023collapse.cross-entropy-one-layer",
    where="Abstract, cross-entropy, at M = 1",
    theorem=ABSTRACT,
    measure=Experiment("dang2023.one", partial(sim.entropy, frame=attention.frame_minimum), [ONE], replicates=64,
                       source=sim.entropy)["pair"],
    rivals={"two per cent above it": scaled(0.98), "a thousandth above it": scaled(0.999)},
)  # fmt: skip
DEEP = [{"K": K, "n": 3, "depth": M, "decay": 1e-3, "start": "pairs"} for K, M in ((4, 3), (6, 2))]
deep = Experiment(
    "dang2023.deep", partial(sim.entropy, frame=attention.frame_minimum), DEEP, replicates=64, source=sim.entropy
)
trap = Claim(
    r"\text{cross-entropy, } M \ge 2: \text{ no network is below the simplex frame}",
    Bound(resolution=0.2),
    id="dang2023collapse.cross-entropy-deep",
    theorem=ABSTRACT,
    where="Abstract, cross-entropy, at M ≥ 2",
    measure=deep["pair"],
    expected="REFUTED",
    rivals={"two per cent above it": scaled(0.98)},
    checked_by=["attention.pairs_below_the_frame"],
)


def drawn_pair(rng):
    """(pairs(a), frame(a)) at random K, M, n, λ, a with (K/2) 2^{2/(M+1)} ≤ K − 1."""
    while True:
        K, M = 2 * int(rng.integers(2, 9)), int(rng.integers(1, 7))
        if attention.pairs_ratio(K, M) <= 1:
            break
    a, n, decay = rng.uniform(0.1, 12), int(rng.integers(1, 50)), float(np.exp(rng.uniform(-10, -1)))
    return np.array([f(a, K, n, M, decay) for f in (attention.pairs_cross_entropy, attention.frame_cross_entropy)])


pairs = Claim(
    r"(K/2)\,2^{2/(M+1)} \le K-1 \implies \text{pairs}(a) < \text{frame}(a) \text{ for all } a, \lambda, n",
    Bound(resolution=0.05),
    id="dang2023collapse.pairs-below-frame",
    where="ours: why it fails at M ≥ 2",
    measure=drawn_pair,
    rivals={"by a tenth": scaled(0.9), "by a hundredth": scaled(0.99)},
    checked_by=["attention.pairs_below_the_frame"],
)
erratum = Erratum(
    where="Abstract; the conditions of the theorem on cross-entropy were not seen",
    printed="neural collapse (class means at the vertices of a simplex frame) is proved for deep linear networks with "
    "the squared and the cross-entropy loss: global solutions exhibit its properties across the linear layers",
    corrected=r"true for $M = 1$. For balanced classes, even $K$ and $\tfrac K2\, 2^{2/(M+1)} \le K - 1$ ($K = 4$ from "
    r"$M = 3$, $K \ge 6$ from $M = 2$) antipodal pairs of rank $K/2$ have a lower objective than the simplex frame of "
    "any scale, for every number of samples and every decay at which the frame is not zero, with or without a bias. "
    r"Other $(K, M)$ are not refuted here. Garrod & Keating (2410.23169, Theorem 1) prove the same for $K \ge 4$ with "
    r"$M \ge 3$ and $K \ge 6$ with $M = 2$",
    evidence=["dang2023collapse.cross-entropy-deep", "dang2023collapse.pairs-below-frame"],
    version="abstract of arXiv version 5",
    wrong=r"Antipodal pairs of rank $K/2$ have a lower objective there than the simplex frame of rank $K - 1$.",
)


def tables(data):
    """s² of each class against its size, with the closed form; least cross-entropies of frame and pairs over decay."""
    lengths = {"size": [], "s2": [], "low": [], "high": []}
    for point, arrays in data["geometry"]:
        diagonal = np.diagonal(arrays["gram"], axis1=1, axis2=2)
        for k, size in enumerate(point["counts"]):
            lengths["size"].append(size)
            for name, q in (("low", 0.1), ("s2", 0.5), ("high", 0.9)):
                lengths[name].append(float(np.quantile(diagonal[:, k], q)))
    line = {"size": list(range(1, 9)), "s2": []}
    N, decay = sum(WIDE["counts"]), WIDE["decay"][-1]
    for size in line["size"]:  # s_k depends on n_k and N alone: one class of this size, the others filled up to N
        line["s2"].append(float(attention.collapse([size, N - size], [decay] * 2, decay).s2[0]))
    trained = {"K": [], "depth": [], "frame": [], "found": [], "rank": []}
    for point, arrays in data["deep"]:
        trained["K"].append(point["K"])
        trained["depth"].append(point["depth"])
        trained["frame"].append(float(arrays["pair"][0, 0]))
        trained["found"].append(float(np.median(arrays["pair"][:, 1])))
        trained["rank"].append(float(np.median(arrays["rank"])))
    return {"lengths": lengths, "line": line, "cross-entropy": trained}


WIDE = {"counts": [8, 5, 3, 1], "decay": [0.01, 0.01, 0.01], "starts": 4}
figure = Figure(
    number="1",
    title="Row norms against class size; minima of deep cross-entropy against the simplex frame",
    experiments={
        "geometry": Experiment("dang2023.lengths", sim.geometry, [WIDE], replicates=32, source=sim.geometry),
        "deep": Experiment(
            "dang2023.depths", deep.run,
            [{"K": 6, "n": 3, "depth": M, "decay": 1e-3, "start": "pairs"} for M in (1, 2, 3, 4)],
            replicates=8, source=sim.entropy,
        ),
    },
    tables=tables,
    draw=pictures.collapse,
    replicates={"smoke": 4, "laptop": 8, "paper": 32},
    parameters=[("left", "CIFAR-10, imbalanced", "classes of 8, 5, 3, 1; M = 2, every decay 0.01"),
                ("right", "–", "K = 6, three columns a class, decay 1e-3")],
    claims=[bound, geometry, threshold, trap, pairs],
)  # fmt: skip

if __name__ == "__main__":
    from corollary.cli import main

    sys.argv[1:1] = ["reproduce", PAPER.key]
    main()
