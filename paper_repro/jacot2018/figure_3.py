"""Figure 3: a batch of real images on its kernel principal components, and training along the second of them.

The paper trains on 512 MNIST images. Without a copy of MNIST the scales smoke and laptop use scikit-learn's bundled
digits (8×8); set COROLLARY_MNIST to a folder with the IDX files (gzip or not) to train on MNIST itself.
"""

from __future__ import annotations

import os
from functools import cache

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.figures import jacot2018 as pictures
from corollary.paper_repro.jacot2018.components import finite_mode_decay
from corollary.paper_repro.jacot2018.setting import L4, network
from corollary.sims.common import data as images
from corollary.sims.ntk import experiments as sims

COUNT = {"smoke": 64, "laptop": 128, "paper": 512}
WIDTHS = {"smoke": (50, 100), "laptop": (100, 300), "paper": (100, 1000, 10000)}
RATE = {"smoke": 10.0, "laptop": 10.0, "paper": 1.0}
TIME = {"smoke": 1000, "laptop": 1500, "paper": 4000}


@cache
def _images(mnist: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """(x, labels): MNIST from that folder, or the bundled digits."""
    return images.mnist(mnist) if mnist else images.digits()


@cache
def inputs(count: int, mnist: str | None) -> np.ndarray:
    """The first images, pixels scaled to [0, 1]."""
    x = _images(mnist)[0]
    if len(x) < count:
        raise ValueError(f"{mnist or 'the bundled digits'} holds {len(x)} images; this scale of Figure 3 needs {count}")
    x = x[:count]
    return x / x.max()


@cache
def components(count: int, mnist: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of Θ/N, largest first, and the components, orthonormal in (1/N) Σ."""
    values, vectors = np.linalg.eigh(network(3).kernel(inputs(count, mnist)).ntk / count)
    return values[::-1], vectors[:, ::-1].T * np.sqrt(count)


def run(point, seeds, xp):
    """Deviation from f* = f_0 + 0.5 f^(2) along and across the second component, at recorded steps."""
    x, (_, directions) = inputs(point["count"], point["mnist"]), components(point["count"], point["mnist"])
    return sims.mode_decay(point, seeds, xp, x=x, shift=0.5 * directions[1], directions=directions[1:2])


def batch(count: int, mnist: str | None) -> dict[str, list]:
    """Panel (a): where the second and third component take each image. An eigenvector's sign means nothing: the entry
    of largest size is drawn positive."""
    _, directions = components(count, mnist)
    second, third = (f * np.sign(f[np.argmax(np.abs(f))]) for f in directions[1:3])
    labels = _images(mnist)[1]  # None where a file of images was given without its labels
    digits = [-1] * count if labels is None else [int(d) for d in labels[:count]]
    return {"second": list(second), "third": list(third), "digit": digits}


def _points(scale: str) -> list[dict]:
    steps = int(TIME[scale] / RATE[scale])
    times = sorted({int(s) for s in steps * np.linspace(0, 1, 13) ** 2})  # denser where the component falls
    shared = {**L4, "learning_rate": RATE[scale], "steps": steps, "record_at": times, "linearised": False}
    shared |= {"count": COUNT[scale], "mnist": os.environ.get("COROLLARY_MNIST")}
    return [{"n": n, **shared} for n in WIDTHS[scale]]


decay = Experiment("jacot2018.image-components", run=run, points={s: _points(s) for s in COUNT}, block=1)


def tables(data):
    """The batch on two components; ‖g_t‖ = 0.5 (1 − η λ₂)^t along the second, nothing across it; networks: mean and
    spread of the trials."""
    first = data["decay"][0][0]
    values, _ = components(first["count"], first["mnist"])
    steps = np.linspace(0, first["steps"], 101)
    theory = 0.5 * (1 - first["learning_rate"] * values[1]) ** steps
    networks = {"n": [], "time": [], "along_mean": [], "along_sd": [], "across_mean": [], "across_sd": []}
    for point, arrays in data["decay"]:
        networks["n"] += [point["n"]] * len(point["record_at"])
        networks["time"] += [point["learning_rate"] * t for t in point["record_at"]]
        for name, values_t in (("along", np.abs(arrays["along"][:, :, 0])), ("across", arrays["orthogonal"])):
            networks[f"{name}_mean"] += list(values_t.mean(axis=0))
            networks[f"{name}_sd"] += list(values_t.std(axis=0, ddof=1))
    time = first["learning_rate"] * steps
    return {
        "batch": batch(first["count"], first["mnist"]),
        "theory": {"time": list(time), "along": list(theory), "across": [0.0] * len(time)},
        "networks": networks,
    }


figure_3 = Figure(
    number="3",
    title="(a) the batch on its second and third kernel principal components; (b, c) training towards "
    "f_0 + 0.5 f^(2): the deviation along f^(2) and orthogonal to it",
    experiments={"decay": decay},
    tables=tables,
    draw=pictures.principal_components,
    replicates=2,
    parameters=[
        ("images", "512 of MNIST", {s: f"{k} digits of scikit-learn, or MNIST if given" for s, k in COUNT.items()}),
        ("widths n", "100, 1000, 10000", {k: ", ".join(map(str, v)) for k, v in WIDTHS.items()}),
        ("learning rate", "1", {k: f"{v:g}" for k, v in RATE.items()}),
        ("time η t", "4000", {k: str(v) for k, v in TIME.items()}),
        ("trials", "2", "2"),
    ],
    claims=[finite_mode_decay],
)  # fmt: skip
