"""Section 5: training runs along the kernel principal components, and ends in a Gaussian."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtr

from corollary.claims import Claim, Experiment
from corollary.claims.experiment import EachSeed
from corollary.paper_repro.jacot2018.setting import BETA, SETTING, network, on_circle
from corollary.sims.common.networks import Network, Params, forward
from corollary.sims.ntk import experiments as sims
from corollary.sims.ntk.empirical import empirical_ntk
from corollary.sims.ntk.linearised import linearised_descent
from corollary.theory import ntk
from corollary.verdicts import Identity, Law, Order, Value

# --- the linearised network: exact at every width
STEPS, RATE = 20, 0.5


def draw(n, points, rng):
    """A one-hidden-layer network, inputs and targets."""
    normal = rng.standard_normal
    return {"V": normal((n, 3)), "v": normal(n), "U": normal((1, n)), "u": normal(1),
            "x": normal((points, 3)), "y": normal(points)}  # fmt: skip


def _network(V, v, U, u):
    return Network("erf", 1.0, BETA), Params((V[None], U[None]), (v[None], u[None]))


def linearised_run(V, v, U, u, x, y):
    """f_t of the linearised network, by gradient steps in parameter space."""
    net, theta = _network(V, v, U, u)
    return linearised_descent(net, theta, x, y[:, None], learning_rate=RATE, steps=STEPS).f[0, :, 0]


def along_components(V, v, U, u, x, y, *, steps=STEPS, rate=RATE):
    """f_t by the theory, on the network's own kernel: every component i decays as (1 − η λ_i/N)^t."""
    net, theta = _network(V, v, U, u)
    kernel, f0 = empirical_ntk(net, theta, x)[0], forward(net, theta, x).z[-1][0, :, 0]
    descent = ntk.gradient_descent(kernel, y, learning_rate=rate, f0=f0)
    return descent.mean(steps, kernel, f0=f0)


linearised_mode_decay = Claim(
    r"f_t - f^* = \sum_i (1 - \eta\lambda_i/N)^t \langle f_0 - f^*, f^{(i)}\rangle f^{(i)}",
    Identity(linearised_run, along_components),
    id="jacot2018.linearised-mode-decay",
    theorem=r"For the cost $C(f) = \frac12 \|f - f^*\|_{p^{in}}^2$, kernel gradient descent is $f_t = f^* + "
    r"e^{-t\Pi}(f_0 - f^*)$. If $\Pi$ can be diagonalised by eigenfunctions $f^{(i)}$ with eigenvalues "
    r"$\lambda_i$, the kernel principal components, $e^{-t\Pi}$ has the same eigenfunctions with eigenvalues "
    r"$e^{-t\lambda_i}$.",
    where="Section 5; in discrete steps and for the linearised network: ours",
    measure=Experiment(
        "jacot2018.random-networks", EachSeed(draw), [{"n": 24, "points": 6}], replicates=32, source=draw
    ),
    rivals={
        "one step fewer": partial(along_components, steps=STEPS - 1),
        "twice the rate": partial(along_components, rate=2 * RATE),
    },
    checked_by=["ntk.descent"],
)

# --- finite networks: the same decay up to O(1/n)
CIRCLE = on_circle([0.2, 1.0, 1.7, 2.9, 3.6, 4.4, 5.1, 5.9])
_values, _vectors = np.linalg.eigh(network(1).kernel(CIRCLE).ntk / len(CIRCLE))
LAMBDA_2 = float(_values[-2])
SECOND = _vectors[:, -2] * np.sqrt(len(CIRCLE))  # orthonormal in the paper's norm (1/N) Σ
TIME = 8.0  # η t: the component falls to exp(−8 λ₂) of its start

finite_runs = Experiment(
    "jacot2018.finite-mode-decay",
    run=partial(sims.mode_decay, x=CIRCLE, shift=0.5 * SECOND, directions=SECOND[None]),
    points=[
        {"n": n, "depth": 1, **SETTING, "learning_rate": 0.5, "steps": int(2 * TIME), "record_at": [int(2 * TIME)],
         "linearised": False} for n in (128, 256, 512)
    ],
    replicates=4096,
    block=32,
)  # fmt: skip


def remaining() -> float:
    """⟨f_t − f*, f^(2)⟩ of the limit: f* = f_0 + 0.5 f^(2), steps of size η = 0.5."""
    return -0.5 * (1 - 0.5 * LAMBDA_2) ** int(2 * TIME)


finite_mode_decay = Claim(
    r"\langle f_t - f^*, f^{(2)}\rangle \to -\tfrac12 (1 - \eta\lambda_2)^t \text{ as } n \to \infty",
    Value(
        remaining(), along="n", resolution=0.02, margin=0.004,
        because="the line in 1/n leaves terms of order 1/n²: with (10/n)² at n = 128, 0.6 % of 0.5",
    ),
    id="jacot2018.finite-mode-decay",
    theorem="If $f_0 - f^*$ is proportional to a principal component $f^{(i)}$, the function converges "
    r"along a straight line to $f^*$ at an exponential rate $e^{-\lambda_i t}$. With $f^* = f_{\theta(0)} + "
    r"0.5 f^{(2)}$, in the infinite-width limit: $\|g_t\|_{p^{in}} = 0.5\, e^{-\lambda_2 t}$ along $f^{(2)}$ "
    "and $h_t = 0$ orthogonal to it.",
    where="Sections 5 and 6.3, Figure 3",
    measure=finite_runs["along"],
    rivals={
        "decay with the first eigenvalue": -0.5 * (1 - 0.5 * float(_values[-1])) ** int(2 * TIME),
        "decay with the third eigenvalue": -0.5 * (1 - 0.5 * float(_values[-3])) ** int(2 * TIME),
    },
    uses=[linearised_mode_decay],
)  # fmt: skip

# --- convergence: the Gaussian of Figure 2
POINTS = [-2.4, -0.7, 0.8, 2.2]
TARGETS = np.array([1.0, -1.0, 2.0, -2.0])  # large, so that the NNGP posterior's mean lies well apart
TEST_ANGLE = 0.05
HIDDEN = {"smoke": 1, "laptop": 1, "paper": 3}


def gaussian(hidden: int, angles: list[float], x=None, y=TARGETS) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of f_∞ at `angles` in the limit, after training on y at x (by default POINTS)."""
    net, test = network(hidden), on_circle(angles)
    x = on_circle(POINTS) if x is None else x
    start, cross = net.kernel(x), net.kernel(test, x)
    flow = ntk.gradient_flow(start, y, learning_rate=1.0)
    return flow.mean(np.inf, cross), np.sqrt(np.diag(flow.covariance(np.inf, cross, net.kernel(test))))


def trained_law(x, depth):
    mean, sd = gaussian(depth, [TEST_ANGLE])
    return ndtr((x - mean[0]) / sd[0])


def nngp_posterior(x, depth):
    """The law if training sampled the Bayesian posterior under the NNGP prior."""
    net, train, test = network(depth), on_circle(POINTS), on_circle(TEST_ANGLE)
    K, k = net.kernel(train).nngp, net.kernel(test, train).nngp
    weights = np.linalg.solve(K, k.T)
    variance = net.kernel(test).nngp - k @ weights
    return ndtr((x - (weights.T @ TARGETS)[0]) / np.sqrt(variance[0, 0]))


def prior_spread(x, depth):
    """The right mean, but the variance of the untrained network."""
    mean, _ = gaussian(depth, [TEST_ANGLE])
    return ndtr((x - mean[0]) / np.sqrt(network(depth).kernel(on_circle(TEST_ANGLE)).nngp[0, 0]))


LAW_WIDTHS = {"smoke": 1024, "laptop": 2048, "paper": 1000}
trained = Experiment(
    "jacot2018.trained-at-one-angle",
    run=partial(sims.trained_function, data=(on_circle(POINTS), TARGETS), grid=on_circle(TEST_ANGLE)),
    points={
        scale: [{"n": n, **SETTING, "depth": HIDDEN[scale], "learning_rate": 7.5, "steps": 20000, "tolerance": 1e-4}]
        for scale, n in LAW_WIDTHS.items()
    },
    replicates=2048,
    block=128,
)

gaussian_at_convergence = Claim(
    r"f_\infty(x) \sim \mathcal N\big(\Theta_{xX}\Theta_{XX}^{-1}y,\ \Sigma_\infty(x)\big)",
    Law(trained_law, resolution=0.1),
    id="jacot2018.gaussian-at-convergence",
    theorem=r"If the kernel is positive definite on the data, $f_{\infty,k}(x) = \kappa_{x,k}^T \tilde "
    r"K^{-1} y^* + (f_0(x) - \kappa_{x,k}^T \tilde K^{-1} y_0)$. As $f_0$ is Gaussian in the infinite-width "
    "limit, so is $f_t$ for all times; the second term is a centred Gaussian whose variance vanishes on the "
    "points of the dataset.",
    where="Section 5 and Section 6.2, Figure 2",
    measure=trained["f"],
    rivals={"NNGP posterior": nngp_posterior, "variance of the prior": prior_spread},
    checked_by=["ntk.flow", "ntk.covariance", "ntk.limit_is_not_the_posterior"],
)


# --- footnote: β = 1 widens the gap between the first two eigenvalues
def gaps(rng):
    """λ₁/λ₂ of the L = 4 kernel on 64 random inputs in dimension 16, for β = 0.1 and β = 1."""
    x = rng.standard_normal((64, 16))
    ratios = []
    for beta in (BETA, 1.0):
        values = np.linalg.eigvalsh(network(3, beta).kernel(x).ntk)
        ratios.append(values[-1] / values[-2])
    return np.array(ratios)


beta_widens_the_gap = Claim(
    r"\lambda_1/\lambda_2 \text{ is larger for } \beta = 1 \text{ than for } \beta = 0.1",
    Order(),
    id="jacot2018.beta-widens-the-gap",
    theorem=r"It can be observed numerically that with $\beta = 1.0$ instead of $0.1$ the gap between the "
    "first and the second principal component is about ten times bigger, which makes training more difficult.",
    where="Section 6.3, footnote 3",
    measure=gaps,
    replicates=512,
    rivals={"no order": 0.5, "in six of ten sets of inputs": 0.6},
)
