"""Section 3: the index of a random landscape depends on its energy through a shifted semicircle (3-spin model)."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Experiment, Figure, Paper, grid
from corollary.figures import pascanu2014 as pictures
from corollary.sims.spectra.saddles import three_spin
from corollary.theory import spectra
from corollary.verdicts import Law, Rate, Value

PAPER = Paper(
    key="pascanu2014",
    title="On the saddle point problem for non-convex optimization",
    authors="Razvan Pascanu, Yann N. Dauphin, Surya Ganguli, Yoshua Bengio",
    year=2014,
    arxiv="1405.4604",
    summary="High-dimensional stationary points are saddles; divide by |H|, not by H.",
    conventions="p-spin sphere of radius √N, energies per spin u; GOE with variance 1/N off the diagonal, 2/N on it; α "
    "the share of negative eigenvalues.",
)

SIZES = {"smoke": [12, 24, 48], "laptop": [16, 32, 64], "paper": [25, 50, 100]}
ENERGIES = [-1.4, -1.0, -0.5]
indices = Experiment(
    "pascanu2014.index", run=three_spin,
    points={s: grid(N=sizes, energy=ENERGIES) for s, sizes in SIZES.items()}, replicates=8192,
)  # fmt: skip
free = Experiment("pascanu2014.noise", run=three_spin, points=[{"N": 48}], replicates=2048)

semicircle = Claim(
    r"\text{Hessian on the sphere} = \text{GOE}(p(p-1)/N) - p u",
    Law(
        lambda x, N: spectra.p_spin_hessian(3, 0.0).cdf(x), spectrum=(-5.6, 5.6), resolution=0.03, margin=0.025,
        because="N − 1 eigenvalues of a real matrix: Chebyshev means are off by up to about 1/N = 0.02",
    ),
    id="pascanu2014.semicircle",
    theorem="The eigenvalues of a large Gaussian random matrix follow Wigner's semicircular law, with mode "
    "and mean $0$; at a critical point the spectrum of the Hessian is the semicircle shifted by an amount "
    "that its error determines (Bray & Dean 2007).",
    where="Section 3 (Wigner's law, after Bray & Dean)",
    measure=free["centred"],
    rivals={
        "variance p for p(p − 1)": lambda x, N: spectra.semicircle(3.0).cdf(x),
        "variance p²": lambda x, N: spectra.semicircle(9.0).cdf(x),
    },
)  # fmt: skip

index = Claim(
    r"\alpha(u) = F_{\mathrm{Wigner}}\big(p u/(2\sqrt{p(p-1)})\big)",
    Value(
        lambda energy: spectra.p_spin_index(3, energy), along="N", resolution=0.03, margin=0.008,
        because="counts of a rigid spectrum: terms of 1/N² after the line, (1/12)² times a constant of order one",
    ),
    id="pascanu2014.index-energy",
    theorem="For Gaussian random fields in high dimension (Bray & Dean 2007) critical points concentrate on "
    r"a monotonically increasing curve of the error $\epsilon$ against the index $\alpha$, the fraction of "
    "negative eigenvalues of the Hessian.",
    where="Section 3, Figure 1 (error against index)",
    measure=indices["index"],
    rivals={
        "half of the directions, at any energy": 0.5,
        "shift u for p u": lambda energy: spectra.semicircle(6.0).cdf(energy),
        "linear: (u − u_c)/(2|u_c|)": lambda energy: (
            (energy - spectra.p_spin_threshold(3)) / (-2 * spectra.p_spin_threshold(3))
        ),
    },
    checked_by=["spectra.p_spin_hessian"],
)  # fmt: skip


def limiting_index(n, rng):
    """α of the law at the energy u_c(1 − 1/n)."""
    return spectra.p_spin_index(3, spectra.p_spin_threshold(3) * (1 - 1 / n))


onset = Claim(
    r"\alpha \sim (u - u_c)^{3/2},\quad u_c = -2\sqrt{(p-1)/p}",
    Rate(-1.5, along="n", sequence=True, resolution=0.01),
    id="pascanu2014.onset",
    where="ours, as for Wishart + Wigner: a square-root edge that moves linearly",
    measure=limiting_index,
    points={"n": [50, 100, 200, 400, 800, 1600]},
    replicates=16,
    rivals={"linear": -1.0, "as the edge moves, 1/2": -0.5, "squared": -2.0},
)


def tables(experiments):
    """Index against energy: the law and matrices of the largest N."""
    energies = np.linspace(-1.9, 0.3, 60)
    theory = {"energy": energies.tolist(), "index": [spectra.p_spin_index(3, float(u)) for u in energies]}
    measured = {"N": [], "energy": [], "index": [], "error": []}
    for point, arrays in experiments["curve"]:
        measured["N"].append(point["N"])
        measured["energy"].append(point["energy"])
        measured["index"].append(arrays["index"].mean())
        measured["error"].append(arrays["index"].std(ddof=1) / np.sqrt(len(arrays["index"])))
    return {"theory": theory, "measured": measured}


curve = Experiment(
    "pascanu2014.index-curve", run=three_spin,
    points=grid(N=[12, 48], energy=[-1.8, -1.5, -1.2, -0.9, -0.6, -0.3, 0.0]), replicates=256,
)  # fmt: skip
figure = Figure(
    number="1",
    title="Share of negative eigenvalues against the energy: 3-spin model",
    experiments={"curve": curve},
    tables=tables,
    draw=pictures.index_energy,
    replicates={"smoke": 32, "laptop": 128, "paper": 256},
    parameters=[("landscape", "neural networks on MNIST, CIFAR-10", "spherical 3-spin model, N = 12 and 48")],
    claims=[semicircle, index],
)
