"""The density of a real network's Hessian on batches of 64, beside laws fitted to its bulk; its outliers, predicted.

The network of `real_network`, at initialisation and after 300 steps of descent (rate 2, cross-entropy) that fit 99 % of
its 256 digits. Measured: Lanczos quadrature on redrawn batches. Fitted: each law of `theory.spectra` by the moments of
what is left without the nine largest eigenvalues, one fewer than there are classes; a fit describes, and says nothing
on whether the law is right. It is not: no Wishart + Wigner law has these moments, neither before (κ₃ < 0) nor after
training (ε < 0); a Marchenko–Pastur law spends its variance on few eigenvalues far away (beyond 1 at initialisation)
and has the rest at 0; and the bulk has a sharper peak at 0 and longer tails than a semicircle of its variance.
The three largest eigenvalues are predicted by second-order perturbation theory with the noise's own couplings.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from corollary.claims import Experiment, Figure
from corollary.figures import granziol2020 as pictures
from corollary.paper_repro.granziol2020.real_network import N, drawn, full, isotropic_law, perturbation
from corollary.sims.common.curvature import Curvature
from corollary.sims.common.networks import Params
from corollary.sims.spectra.spiked import batch_spectrum
from corollary.theory import spectra
from corollary.theory.spectra import outliers

BATCH, SHOWN = 64, 3
RANGES = {"initial": (-0.12, 0.3), "trained": (-0.03, 0.24)}


@cache
def curvature(state: str) -> Curvature:
    """The Hessian over all points, initial or trained."""
    H = full()
    params = H.params
    for _ in range(300 if state == "trained" else 0):
        slope = Curvature(H.net, params, H.x, H.y, H.loss).gradient()
        params = Params(
            *(tuple(p - 2.0 * g for p, g in zip(a, b, strict=True)) for a, b in zip(params, slope, strict=True))
        )
    return Curvature(H.net, params, H.x, H.y, H.loss)


@cache
def predicted(state: str) -> tuple[list[float], list[float]]:
    """The largest eigenvalues over all points, and where second order expects them on batches."""
    H = curvature(state)
    values, U = np.linalg.eigh(H(np.eye(H.size)))
    top = np.ascontiguousarray(U[:, : -SHOWN - 1 : -1])
    whole, couplings = H(top), np.zeros((H.size, SHOWN))
    for i in range(N):
        moved = Curvature(H.net, H.params, H.x[i : i + 1], H.y[i : i + 1], H.loss)(top) - whole
        couplings += (U.T @ moved) ** 2 / N
    places = range(SHOWN)
    expected = [
        outliers.perturbed_top(values.tolist(), (couplings[:, k] * drawn(BATCH)).tolist(), place=k) for k in places
    ]
    return values[::-1][:SHOWN].tolist(), expected


batches = Experiment(
    "granziol2020.batch-spectra",
    run=lambda point, seeds, xp: batch_spectrum(point, seeds, np, curvature=curvature(point["state"])),
    points=[
        {"state": state, "batch": BATCH, "low": low, "high": high, "grid": 141, "outliers": 9}
        for state, (low, high) in RANGES.items()
    ],
    replicates=256,
    block=8,
)
FITS = {
    "semicircle": spectra.fit_semicircle,
    "Marchenko–Pastur": spectra.fit_marchenko_pastur,
    "Wishart + Wigner": spectra.fit_wishart_wigner,
}


def smoothed(law: spectra.Law, x: np.ndarray) -> np.ndarray:
    """The law's density, atoms included, smoothed as the measurement is: by normals of one spacing of x."""
    h = x[1] - x[0]
    fine = np.arange(x[0] - 8 * h, x[-1] + 8 * h, h / 40)
    mass = np.diff(np.asarray(law.cdf(fine), dtype=float))
    middle = (fine[1:] + fine[:-1]) / 2
    return np.exp(-0.5 * ((x[:, None] - middle) / h) ** 2) @ mass / (h * np.sqrt(2 * np.pi))


def tables(experiments):
    """Measured densities with standard errors, fitted laws with their moments, outliers measured and predicted."""
    measured = {"state": [], "x": [], "density": [], "error": []}
    theory = {"state": [], "law": [], "x": [], "density": []}
    fits = {"state": [], "law": [], "m1": [], "m2": [], "m3": [], "low": [], "high": [], "why not": []}
    tops = {"state": [], "full": [], "predicted": [], "measured": [], "sd": []}
    for point, arrays in experiments["batches"]:
        state, x = point["state"], np.linspace(point["low"], point["high"], point["grid"])
        runs = len(arrays["pdf"])
        measured["state"] += [state] * len(x)
        measured["x"] += x.tolist()
        measured["density"] += arrays["pdf"].mean(axis=0).tolist()
        measured["error"] += (arrays["pdf"].std(axis=0, ddof=1) / np.sqrt(runs)).tolist()
        moments = arrays["moments"].mean(axis=0).tolist()
        for name, fit in FITS.items():
            try:
                law, why = fit(moments), ""
            except ValueError as error:
                law, why = None, str(error)
            support = law.support() if law is not None else [(float("nan"), float("nan"))]
            row = (state, name, *moments, support[0][0], support[-1][1], why)
            for column, value in zip(fits.values(), row, strict=True):
                column.append(value)
            if law is not None:
                theory["state"] += [state] * len(x)
                theory["law"] += [name] * len(x)
                theory["x"] += x.tolist()
                theory["density"] += smoothed(law, x).tolist()
        tops["state"] += [state] * SHOWN
        for name, values in zip(("full", "predicted"), predicted(state), strict=True):
            tops[name] += values
        tops["measured"] += arrays["tops"][:, :SHOWN].mean(axis=0).tolist()
        tops["sd"] += arrays["tops"][:, :SHOWN].std(axis=0, ddof=1).tolist()
    return {"measured": measured, "theory": theory, "fits": fits, "outliers": tops}


density = Figure(
    number="density",
    title="Density of a real network's Hessian on batches of 64, laws fitted to its bulk, and its outliers",
    experiments={"batches": batches},
    tables=tables,
    draw=pictures.densities,
    replicates={"smoke": 8, "laptop": 48, "paper": 256},
    parameters=[
        ("network, data", "VGG-16, CIFAR-100", "64-8-10 tanh, 256 digits; 610 parameters"),
        ("fit", "none", "m₁, m₂ (m₃) of the bulk: all but the 9 largest eigenvalues"),
        ("estimate", "Lanczos, 100 steps", "60 steps, 4 probes a batch"),
    ],
    claims=[isotropic_law, perturbation],
)
