"""How a real network's spectrum broadens as the batch shrinks: the noise's size is as predicted, its shape is not.

The network of `real_network` at initialisation. That ‖H_b − H‖_F²/P is P σ²(1/b − 1/N) N/(N − 1) holds for any noise
(σ² as a mean over the N samples). Isotropic noise of that size would turn the eigenvalues of H into their free sum with
a semicircle of radius 2s; drawn is the finite model, H + s·GOE/√P. Measured, the bulk stays as narrow as it was and the
variance goes into the tails: per-sample Hessians have low rank and share their directions.
"""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure
from corollary.figures import granziol2020 as pictures
from corollary.paper_repro.granziol2020.batches import size
from corollary.paper_repro.granziol2020.real_network import GIVEN, drawn, full, isotropic_law, spectrum
from corollary.sims.spectra.batches import batch_spread
from corollary.sims.spectra.spiked import batch_spectrum
from corollary.verdicts import Value, rel

BATCHES, LOW, HIGH, GRID = (8, 32, 128), -0.2, 0.3, 126

noise_size = Claim(
    r"\mathbb E\|H_b - H\|_F^2/P = P\sigma^2\left(\tfrac1b - \tfrac1N\right)\tfrac{N}{N-1} \text{ on a network}",
    Value(lambda batch: spectrum()[2] * drawn(batch), resolution=rel(0.15)),
    id="granziol2020.batch-noise-of-a-network",
    where="ours: noise of batches drawn without replacement (the setting of Section 3)",
    measure=Experiment(
        "granziol2020.network-spread",
        run=lambda point, seeds, xp: batch_spread(point, seeds, np, curvature=full()),
        points=[{"batch": 128}, {"batch": 8}],
        replicates=4096,
    )["spread"],
    given=GIVEN,
    rivals={
        "with replacement, 1/b": lambda batch: spectrum()[2] / batch,
        "1/b²": lambda batch: spectrum()[2] / batch**2,
        "half of it": lambda batch: spectrum()[2] * drawn(batch) / 2,
    },
    uses=[size],
)

batches = Experiment(
    "granziol2020.broadened-spectra",
    run=lambda point, seeds, xp: batch_spectrum(point, seeds, np, curvature=full()),
    points=[{"batch": b, "low": LOW, "high": HIGH, "grid": GRID, "outliers": 1} for b in BATCHES],
    replicates=256,
    block=8,
)


def smoothed(x: np.ndarray, eigenvalues: np.ndarray) -> np.ndarray:
    """The density of eigenvalues (…, P), smoothed as the measurement is: by normals of one spacing of x."""
    h = x[1] - x[0]
    return np.exp(-0.5 * ((x[:, None] - eigenvalues.ravel()) / h) ** 2).mean(axis=1) / (h * np.sqrt(2 * np.pi))


def isotropic_eigenvalues(values: np.ndarray, s: float, matrices: int) -> np.ndarray:
    """(matrices, P): of diag(values) + s GOE/√P, the isotropic model at its finite size; the free sum in the limit."""
    rng, P = np.random.default_rng(0), len(values)
    drawn_ones = []
    for _ in range(matrices):
        g = rng.standard_normal((P, P))
        drawn_ones.append(np.linalg.eigvalsh(np.diag(values) + s * (g + g.T) / np.sqrt(2 * P)))
    return np.stack(drawn_ones)


def tables(experiments):
    """Measured densities with standard errors; isotropic noise of the measured size; the Hessian over all points."""
    measured = {"batch": [], "x": [], "density": [], "error": []}
    theory = {"batch": [], "x": [], "full": [], "isotropic": [], "s": []}
    x = np.linspace(LOW, HIGH, GRID)
    values, _, noise = spectrum()
    whole = smoothed(x, values)
    for point, arrays in experiments["batches"]:
        s = float(np.sqrt(noise * drawn(point["batch"])))
        measured["batch"] += [point["batch"]] * GRID
        measured["x"] += x.tolist()
        measured["density"] += arrays["pdf"].mean(axis=0).tolist()
        measured["error"] += (arrays["pdf"].std(axis=0, ddof=1) / np.sqrt(len(arrays["pdf"]))).tolist()
        theory["batch"] += [point["batch"]] * GRID
        theory["x"] += x.tolist()
        theory["full"] += whole.tolist()
        theory["isotropic"] += smoothed(x, isotropic_eigenvalues(values, s, 8)).tolist()
        theory["s"] += [s] * GRID
    return {"measured": measured, "theory": theory}


figure = Figure(
    number="broadening",
    title="Density of a real network's Hessian at three batch sizes: isotropic noise of the measured size would "
    "broaden the bulk to ±2s; measured, the bulk stays and the variance goes into the tails",
    experiments={"batches": batches},
    tables=tables,
    draw=pictures.broadening,
    replicates={"smoke": 4, "laptop": 12, "paper": 256},
    parameters=[
        ("network, data", "VGG-16, CIFAR-100", "64-8-10 tanh at initialisation, 256 digits; 610 parameters"),
        ("batch sizes", "2 to 2048", "8, 32, 128"),
        ("isotropic noise", "semicircle", "H + s·GOE/√P, 8 matrices"),
        ("estimate", "Lanczos, 100 steps", "60 steps, 4 probes a batch"),
    ],
    claims=[noise_size, isotropic_law],
)
