"""The two pictures in the plane: W(k) z_i of two sequences, beside the rays of both SVM solutions."""

from __future__ import annotations

from functools import partial

from corollary.claims import Experiment, Figure
from corollary.figures import tarzanagh2023 as pictures
from corollary.paper_repro.tarzanagh2023.setting import target
from corollary.paper_repro.tarzanagh2023.training import kq_to_nuclear, w_to_frobenius
from corollary.sims.attention import trajectories as sim

SHOWN = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2000]


def one(layout: str, T: int) -> Experiment:
    return Experiment(
        f"tarzanagh2023.trajectories-{layout}", partial(sim.trajectories, target=target),
        [{"layout": layout, "T": T, "rate": 0.1, "record_at": SHOWN}], replicates=4, block=1, source=sim.trajectories,
    )  # fmt: skip


def tables(data):
    """Tokens, paths and rays of the first replicate."""
    (point, arrays), = data["paths"]  # fmt: skip
    tokens = {"sequence": [], "token": [], "x": [], "y": [], "chosen": []}
    for i in range(2):
        for t in range(point["T"]):
            x, y = arrays["X"][0, i, t]
            for name, value in zip(tokens, (i, t, float(x), float(y), int(arrays["chosen"][0, i] == t)), strict=True):
                tokens[name].append(value)
    paths = {"trained": [], "sequence": [], "step": [], "x": [], "y": []}
    rays = {"trained": [], "sequence": [], "x": [], "y": []}
    for trained in ("w", "kq"):
        for i in range(2):
            for k, step in enumerate(point["record_at"]):
                x, y = arrays[trained][0, k, i]
                for name, value in zip(paths, (trained, i, step, float(x), float(y)), strict=True):
                    paths[name].append(value)
            x, y = arrays[f"{trained}_ray"][0, i]
            for name, value in zip(rays, (trained, i, float(x), float(y)), strict=True):
                rays[name].append(value)
    return {"tokens": tokens, "paths": paths, "rays": rays}


figure_1 = Figure(
    number="1",
    title="Two sequences in the plane: W(k) zᵢ turns to the SVM solution of the norm that is trained",
    experiments={"paths": one("clouds", 3)},
    tables=tables,
    draw=pictures.plane,
    replicates=1,
    parameters=[
        ("n, T, d", "2, 3, 2", "2, 3, 2"),
        ("tokens", "0.3 N(0, I) around (∓1, 0), torch seed 1", "the same law, our seed"),
        ("steps, rate", "2000, 0.1", "2000, 0.1"),
    ],
    claims=[w_to_frobenius, kq_to_nuclear],
)
figure_2 = Figure(
    number="2",
    title="The same with the hyperplanes that separate the chosen tokens",
    experiments={"paths": one("margins", 5)},
    tables=tables,
    draw=pictures.hyperplanes,
    replicates=1,
    parameters=[
        ("n, T, d", "2, 5, 2", "2, 5, 2"),
        ("tokens", "(1, ±0.5) and 0.5 N(0, I) around (−1, 0), torch seed 3", "the same law, our seed"),
        ("steps, rate", "2000, 0.1", "2000, 0.1"),
    ],
    claims=[w_to_frobenius, kq_to_nuclear],
)
