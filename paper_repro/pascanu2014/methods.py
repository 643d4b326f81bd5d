"""Section 4: three methods at saddles where every step is known."""

from __future__ import annotations

import numpy as np

from corollary.claims import Claim, Figure
from corollary.claims.experiment import EachSeed, Experiment
from corollary.figures import pascanu2014 as pictures
from corollary.paper_repro.pascanu2014.spins import index
from corollary.sims.spectra.saddles import double_well, steps_to_escape
from corollary.theory import spectra
from corollary.verdicts import Identity, Rate, Value, probability

GROWTH, RATE = 1000.0, 0.5
METHODS = ("gradient", "saddle_free")


def gradient_steps(curvature, rng):
    return steps_to_escape(curvature, "gradient", RATE, GROWTH, rng)


def saddle_free_steps(curvature, rng):
    return steps_to_escape(curvature, "saddle_free", RATE, GROWTH, rng)


def both_steps(curvature, rng):
    return np.array([gradient_steps(curvature, rng), saddle_free_steps(curvature, rng)])


def predicted(curvature):
    return [spectra.escape_steps(-curvature, method, RATE, GROWTH) for method in METHODS]


def random_saddle(rng):
    return {"curvature": rng.uniform(0.05, 1), "rate": rng.uniform(0.2, 1)}


def run_steps(curvature, rate):
    """Both methods, run from one start on one saddle."""
    return np.array(
        [steps_to_escape(float(curvature), m, float(rate), GROWTH, np.random.default_rng(8)) for m in METHODS]
    )


def closed(curvature, rate):
    return np.array([spectra.escape_steps(-float(curvature), m, float(rate), GROWTH) for m in METHODS])


escape = Claim(
    r"\text{steps to grow by } g:\ \ln g/\ln(1 + \eta|\lambda|)\ \text{(gradient)},\ "
    r"\ln g/\ln(1 + \eta)\ \text{(saddle-free)}",
    Identity(
        run_steps, closed, growth=1e4, scaling=False,
        because="up to some hundred steps of matrix products with rounding in each; a run counts in float64",
    ),
    id="pascanu2014.escape-steps",
    theorem=r"Near a critical point $f(\theta^* + \Delta\theta) = f(\theta^*) + \frac12 \sum_i \lambda_i "
    r"\Delta v_i^2$. A gradient step moves $\Delta v_i$ by $-\eta\lambda_i\Delta v_i$: small eigenvalues of "
    r"either sign make small steps. The saddle-free Newton step $-|H|^{-1}\nabla f$ rescales by "
    r"$1/|\lambda_i|$ instead.",
    where="Section 4",
    measure=random_saddle,
    points=[{}],
    given="one start",
    rivals={
        "the continuous time ln g/(η|λ|)": lambda curvature, rate: np.log(GROWTH) / np.array([rate * curvature, rate]),
        "saddle-free as slow as the gradient": lambda curvature, rate: closed(curvature, rate)[[0, 0]],
    },
    uses=[index],
    checked_by=["spectra.steps_at_a_saddle"],
)  # fmt: skip


def steps_on_a_plateau(n, rng):
    """Gradient descent at curvature −1/n."""
    return gradient_steps(1 / n, rng)


slow = Claim(
    r"\text{gradient descent leaves in } \sim |\lambda|^{-1} \text{ steps (} n = 1/|\lambda|)",
    Rate(1.0, along="n", sequence=True, resolution=0.01),
    id="pascanu2014.plateau",
    theorem=r"Near a critical point $f(\theta^* + \Delta\theta) = f(\theta^*) + \frac12 \sum_i \lambda_i "
    r"\Delta v_i^2$. A gradient step is $-\eta\lambda_i\Delta v_i$: saddles are surrounded by high error "
    "plateaus that can dramatically slow down learning, and give the illusory impression of the existence of "
    "a local minimum.",
    where="Section 4: small negative curvature looks like a plateau",
    measure=steps_on_a_plateau,
    points={"n": [4, 8, 16, 32, 64, 128]},
    replicates=16,
    rivals={"|λ|^(−1/2), as with momentum": 0.5, "independent of λ, as saddle-free": 0.0},
)


def ends_at_the_saddle(rng):
    """Newton's method on the double well, from |x| < 0.44: its basin is |x| < 1/√5."""
    return float(np.linalg.norm(double_well("newton", 1.0, 30, 0.44, rng)) < 1e-6)


def ends_at_a_minimum(rng):
    """Saddle-free Newton from the same starts."""
    x, y = double_well("saddle_free", 0.5, 80, 0.44, rng)
    return float(abs(abs(x) - 1) < 1e-6 and abs(y) < 1e-6)


newton = Claim(
    r"\text{Newton's method converges to the saddle of } (x^2 - 1)^2/4 + y^2/2 \text{ from } |x| < 1/\sqrt5",
    Value(1.0, of=probability, resolution=0.15, side="at least"),
    id="pascanu2014.newton-is-attracted",
    theorem=r"Near a critical point $f(\theta^* + \Delta\theta) = f(\theta^*) + \frac12 \sum_i \lambda_i "
    r"\Delta v_i^2$. The Newton step rescales by $1/\lambda_i$ and is $-\Delta v_i$: along directions of "
    "negative curvature it moves opposite to descent, so that the saddle point becomes an attractor.",
    where="Section 4",
    measure=ends_at_the_saddle,
    replicates=512,
    rivals={"it finds a minimum half of the time": 0.5, "three times in four": 0.75},
    checked_by=["spectra.steps_at_a_saddle"],
)
saddle_free = Claim(
    r"\text{saddle-free Newton reaches a minimum from the same starts}",
    Value(1.0, of=probability, resolution=0.15, side="at least"),
    id="pascanu2014.saddle-free-escapes",
    theorem=r"The saddle-free Newton method, $\Delta\theta = -|H|^{-1}\nabla f$ with $|H|$ the matrix of "
    "absolute eigenvalues, can rapidly escape high dimensional saddle points, unlike gradient descent and "
    "quasi-Newton methods.",
    where="Section 4, Algorithm 1",
    measure=ends_at_a_minimum,
    replicates=512,
    rivals={"half of the time": 0.5, "three times in four": 0.75},
)


def tables(experiments):
    measured = {"curvature": [], "gradient": [], "saddle_free": []}
    for point, arrays in experiments["steps"]:
        measured["curvature"].append(point["curvature"])
        measured["gradient"].append(arrays["value"][:, 0].mean())
        measured["saddle_free"].append(arrays["value"][:, 1].mean())
    grid = np.geomspace(0.004, 1, 60)
    theory = {
        "curvature": grid.tolist(),
        "gradient": [predicted(float(c))[0] for c in grid],
        "saddle_free": [predicted(float(c))[1] for c in grid],
    }
    return {"measured": measured, "theory": theory}


figure = Figure(
    number="methods",
    title="Steps to leave a saddle against the negative curvature",
    experiments={
        "steps": Experiment(
            "pascanu2014.steps", EachSeed(both_steps), {"curvature": [0.005, 0.02, 0.08, 0.3, 0.9]}, 64,
            source=both_steps,
        )
    },
    tables=tables,
    draw=pictures.methods,
    replicates=16,
    parameters=[("function", "neural networks", "quadratic in 3 dimensions, η = 0.5, growth 1000")],
    claims=[escape, slow],
)  # fmt: skip
