"""Wishart + Wigner: density, index, critical energy (Sections 3 and 4) and the ReLU variant (Section 5)."""

from __future__ import annotations

from functools import cache

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Paper, grid
from corollary.claims.experiment import EachSeed
from corollary.figures import penningtonbahri2017 as pictures
from corollary.sims.spectra.ensembles import crossing, surface
from corollary.theory import spectra
from corollary.verdicts import Law, Rate, Threshold, Value

PAPER = Paper(
    key="penningtonbahri2017",
    title="Geometry of Neural Network Loss Surfaces via Random Matrix Theory",
    authors="Jeffrey Pennington, Yasaman Bahri",
    year=2017,
    arxiv="",
    summary="Hessian = Wishart + Wigner: below a critical energy no direction goes down.",
    conventions="φ = parameters over data; H₀ = JJᵀ/m, J Gaussian; H₁ a semicircle of radius 2√(2ε); ε the loss; G(z) "
    "= ∫ dμ/(z − x).",
)

law = cache(spectra.wishart_wigner)
N_DENSITY = 160
densities = Experiment(
    "penningtonbahri2017.density",
    run=surface,
    points=[{"n": N_DENSITY, "phi": 0.25, "energy": 0.1}],
    replicates=1024,
)
SIZES = {"smoke": [40, 80, 160], "laptop": [50, 100, 200], "paper": [100, 200, 400]}
indices = Experiment(
    "penningtonbahri2017.index",
    run=surface,
    points={s: grid(n=sizes, phi=0.5, energy=[0.1, 0.3]) for s, sizes in SIZES.items()},
    replicates=4096,
)
crossings = Experiment(
    "penningtonbahri2017.crossing",
    run=crossing,
    points={s: grid(n=sizes, phi=0.25) for s, sizes in SIZES.items()},
    replicates=8192,
)
relu_densities = Experiment(
    "penningtonbahri2017.relu-density",
    run=surface,
    points=[{"n": N_DENSITY, "phi": 0.9, "energy": 5.0, "relu": True}],
    replicates=1024,
)

density = Claim(
    r"R(g) = \frac{1}{1-\varphi g} + 2\epsilon g:\quad "
    r"2\epsilon\varphi G^3 - (2\epsilon + z\varphi) G^2 + (z + \varphi - 1) G - 1 = 0",
    Law(
        lambda x, phi, energy: law(phi, energy).cdf(x), spectrum=(-0.8, 3.2), resolution=0.02, margin=0.009,
        because="real matrices of n rows miss Chebyshev means of their law by up to about 1/n (1/160 = 0.006): the "
        "semicircle's correction is (δ₋₂ + δ₂)/4 − arcsine/2, at most 1/(2n), and the Wishart part's the same",
    ),
    id="penningtonbahri2017.density",
    theorem=r"R-transforms of free matrices add: a Wishart matrix, $1/(1 - \varphi g)$, and a Wigner matrix, "
    r"$2\epsilon g$.",
    where="Equations 8, 9",
    measure=densities["eigenvalues"],
    rivals={
        "variance ε of the noise": lambda x, phi, energy: law(phi, energy / 2).cdf(x),
        "the noise alone has the Wishart part's mean": lambda x, phi, energy: (
            spectra.semicircle(2 * energy) + 1.0
        ).cdf(x),
        "data/parameters for parameters/data": lambda x, phi, energy: law(1 / phi, energy).cdf(x),
    },
    checked_by=["spectra.cubic", "spectra.moments_to_order_eight"],
)  # fmt: skip

index = Claim(
    r"\alpha(\epsilon, \varphi) = \int_{-\infty}^0 \rho(\lambda)\, d\lambda",
    Value(
        spectra.index, along="n", resolution=0.02, margin=0.003,
        because="counts of a rigid spectrum miss by O(1/n), which the line takes; next order 1/n² at n = 40: 6e-4 "
        "times a constant of order one",
    ),
    id="penningtonbahri2017.index",
    theorem=r"The index is the fraction of negative eigenvalues, $\alpha(\epsilon, \varphi) = "
    r"\int_{-\infty}^0 \rho(\lambda; \epsilon, \varphi)\, d\lambda$, at a critical point of energy $\epsilon$ "
    r"with $\varphi$ parameters for each datum.",
    where="Section 4.1",
    measure=indices["index"],
    rivals={
        "variance ε of the noise": lambda phi, energy: spectra.index(phi, energy / 2),
        "the Wishart part ignored": 0.5,
        "data/parameters for parameters/data": lambda phi, energy: spectra.index(1 / phi, energy),
    },
    checked_by=["spectra.cubic"],
)  # fmt: skip


def double(phi):
    return 2 * spectra.critical_energy(phi)


critical = Claim(
    r"\epsilon_c = \tfrac1{16}\left(1 - 20\varphi - 8\varphi^2 + (1 + 8\varphi)^{3/2}\right)",
    Threshold(
        spectra.critical_energy, along="n", gamma=2 / 3, resolution=0.012, margin=0.006,
        because="edges move by n^(−2/3), which the line takes; the rest is of order 1/n and n^(−4/3), 0.006 at n = 40 "
        "times half the slope of about 0.5",
    ),
    id="penningtonbahri2017.critical-energy",
    theorem="If $H = H_0 + H_1$ with $H_0$ a Wishart and $H_1$ a Wigner matrix, free of each other, the share of "
    r"negative eigenvalues vanishes below $\epsilon_c = \tfrac1{16}\left(1 - 20\varphi - 8\varphi^2 + (1 + "
    r"8\varphi)^{3/2}\right)$.",
    where="Equation 12",
    measure=crossings["energy"],
    rivals={
        "E_min = (1 − φ)²/2": lambda phi: (1 - phi) ** 2 / 2,
        "variance ε of the noise": double,
        "the Wigner edge at the Wishart edge, (1 − √φ)⁴/8": lambda phi: (1 - phi**0.5) ** 4 / 8,
    },
    checked_by=["spectra.critical_energies"],
)  # fmt: skip


def limiting_index(n, phi, rng):
    """α of the limiting law at ε = ε_c(1 + 1/n): no matrix, the exponent is a statement about the law."""
    return spectra.index(phi, spectra.critical_energy(phi) * (1 + 1 / n))


DISTANCES = {"n": [50, 100, 200, 400, 800, 1600], "phi": [0.25]}
exponent = Claim(
    r"\alpha \approx \alpha_0 \left|\frac{\epsilon - \epsilon_c}{\epsilon_c}\right|^{3/2}"
    r"\ (\text{distance } 1/n \le 2\,\%)",
    Rate(-1.5, along="n", sequence=True, resolution=0.01),
    id="penningtonbahri2017.exponent",
    theorem=r"Near $\epsilon_c$ the share of negative eigenvalues is $\alpha \approx \alpha_0 \left|\tfrac{\epsilon - "
    r"\epsilon_c}{\epsilon_c}\right|^{3/2}$.",
    where="Equation 13, in its regime: at a distance of 10 to 30 % the local slope is 1.37",
    measure=Experiment("penningtonbahri2017.limiting-index", EachSeed(limiting_index), DISTANCES, replicates=16,
                       source=limiting_index)["value"],
    rivals={"linear": -1.0, "squared": -2.0, "as the edge moves, 1/2": -0.5, "1.37": -1.37},
    checked_by=["spectra.index_near_its_onset"],
)  # fmt: skip

relu_law = cache(spectra.relu_wishart_wigner)
relu = Claim(
    r"R_{H_1}(g) = \frac{\epsilon\varphi g}{2 - \epsilon\varphi^2 g^2}\quad\text{(one hidden ReLU layer)}",
    Law(
        lambda x, phi, energy, relu: relu_law(phi, energy).cdf(x), spectrum=(-3.6, 5.8), resolution=0.02, margin=0.012,
        because="finite size, as for the density; products of two Gaussian matrices miss by somewhat more",
    ),
    id="penningtonbahri2017.relu-density",
    theorem="For a network of one hidden ReLU layer, $H_1$ in place of the Wigner matrix has $R_{H_1}(z) = "
    r"\frac{\epsilon\varphi z}{2 - \epsilon\varphi^2 z^2}$.",
    where="Equation 15",
    measure=relu_densities["eigenvalues"],
    rivals={
        "Wigner noise of the same variance": lambda x, phi, energy, relu: law(phi, energy * phi / 4).cdf(x),
        "Wigner noise of four times the variance": lambda x, phi, energy, relu: law(phi, energy * phi).cdf(x),
        "no noise": lambda x, phi, energy, relu: spectra.marchenko_pastur(phi).cdf(x),
    },
    checked_by=["spectra.relu_noise", "spectra.critical_energies"],
)  # fmt: skip


def density_tables(experiments):
    """Histograms pooled over matrices beside the law, at each energy."""
    measured = {"energy": [], "x": [], "density": [], "error": []}
    theory = {"energy": [], "x": [], "density": []}
    for point, arrays in experiments["densities"]:
        phi, energy = point["phi"], point["energy"]
        bins = np.linspace(-1.2, 3.6, 49)
        counts = np.stack([np.histogram(v, bins)[0] for v in arrays["eigenvalues"]]) / point["n"] / np.diff(bins)
        middle = (bins[1:] + bins[:-1]) / 2
        measured["energy"] += [energy] * len(middle)
        measured["x"] += middle.tolist()
        measured["density"] += counts.mean(axis=0).tolist()
        measured["error"] += (counts.std(axis=0, ddof=1) / np.sqrt(len(counts))).tolist()
        x = np.linspace(-1.2, 3.6, 400)
        theory["energy"] += [energy] * len(x)
        theory["x"] += x.tolist()
        theory["density"] += law(phi, energy).pdf(x).tolist()
    return {"measured": measured, "theory": theory}


shown = Experiment(
    "penningtonbahri2017.shown-densities", run=surface,
    points=grid(n=[200], phi=[0.25], energy=[0.05, 0.15, 0.4]), replicates=64,
)  # fmt: skip
figure_densities = Figure(
    number="1",
    title="Spectra of Wishart + Wigner matrices at three energies, φ = 1/4",
    experiments={"densities": shown},
    tables=density_tables,
    draw=pictures.densities,
    replicates={"smoke": 16, "laptop": 32, "paper": 64},
    parameters=[("matrices", "theory only", "n = 200"), ("φ", "1/4", "1/4")],
    claims=[density],
)


def index_tables(experiments):
    """α against ε: the law, its 3/2 power, and matrices."""
    theory = {"phi": [], "energy": [], "index": [], "power": []}
    measured = {"phi": [], "energy": [], "index": [], "error": []}
    for phi in (0.25, 0.5):
        onset = spectra.critical_energy(phi)
        distances = np.concatenate([np.geomspace(1e-3, 0.3, 16), np.geomspace(0.4, 0.5 / onset, 32)])
        for e in onset * (1 + distances):
            theory["phi"].append(phi)
            theory["energy"].append(float(e))
            theory["index"].append(spectra.index(phi, float(e)))
            theory["power"].append(spectra.index_constant(phi) * (e / onset - 1) ** 1.5)
    for point, arrays in experiments["indices"]:
        measured["phi"].append(point["phi"])
        measured["energy"].append(point["energy"])
        measured["index"].append(arrays["index"].mean())
        measured["error"].append(arrays["index"].std(ddof=1) / np.sqrt(len(arrays["index"])))
    return {"theory": theory, "measured": measured}


curve = Experiment(
    "penningtonbahri2017.index-curve", run=surface,
    points=grid(n=[200], phi=[0.25, 0.5], energy=[0.1, 0.2, 0.3, 0.45]), replicates=64,
)  # fmt: skip
figure_index = Figure(
    number="4",
    title="Share of negative eigenvalues against the energy: law, matrices, and the 3/2 power at the onset",
    experiments={"indices": curve},
    tables=index_tables,
    draw=pictures.indices,
    replicates={"smoke": 16, "laptop": 32, "paper": 64},
    parameters=[("matrices", "trained networks", "the model itself, n = 200")],
    claims=[index, critical, exponent],
)
