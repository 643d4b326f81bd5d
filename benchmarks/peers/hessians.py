"""What each side of benchmarks/hessians.py runs: case → function of a seed. Run in the peer's own environment.

The peers import their own packages and NumPy only; the problems come as files of a folder, the times go there.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

POINTS, WIDTHS = 256, (64, 128, 80, 10)
SIZES = {"dense": (60, 16), "sparse": (60, 16), "implicit": (30, 8), "network": (30, 8), "xtrace": (60, 0)}


def hessian() -> Any:
    from corollary.sims.common import data
    from corollary.sims.common.curvature import Curvature
    from corollary.sims.common.networks import Network, init

    digits = data.digits()
    net, params = Network("tanh", 1.5, 0.1), init(WIDTHS, [0], np)
    return Curvature(net, params, digits.x[:POINTS], digits.labels[:POINTS], "cross_entropy")  # pyright: ignore


def ours_cases(folder: str) -> dict[str, Callable[[int], float]]:
    from scipy.sparse import csr_array

    from corollary.sims import spectra

    parts = [np.load(os.path.join(folder, f"sparse-{name}.npy")) for name in ("data", "indices", "indptr")]
    low = np.load(os.path.join(folder, "implicit.npz"))
    U, few = low["U"], low["few"]
    operators: dict[str, tuple[Any, int | None]] = {
        "dense": (np.load(os.path.join(folder, "dense.npy")), None),
        "sparse": (csr_array(tuple(parts), shape=(27**3, 27**3)), None),
        "implicit": (lambda V: 0.1 * V + U @ (few[:, None] * (U.T @ V)), 20000),
        "network": (hessian(), None),
    }

    def quadrature(case: str, seed: int) -> float:
        (A, n), (steps, probes) = operators[case], SIZES[case]
        f = np.square if case == "network" else np.log
        rng = np.random.default_rng(seed)
        return spectra.lanczos_density(A, n=n, steps=steps, probes=probes, rng=rng).trace(f).value

    X = np.load(os.path.join(folder, "xtrace.npy"))
    cases: dict[str, Callable[[int], float]] = {
        case: lambda seed, case=case: quadrature(case, seed) for case in operators
    }
    cases["xtrace"] = lambda seed: spectra.trace(X, products=60, rng=np.random.default_rng(seed)).value
    return cases


def imate_cases(folder: str) -> dict[str, Callable[[int], float]]:
    import imate  # pyright: ignore[reportMissingImports]
    from scipy.sparse import csr_matrix

    parts = [np.load(os.path.join(folder, f"sparse-{name}.npy")) for name in ("data", "indices", "indptr")]
    matrices = {
        "dense": np.load(os.path.join(folder, "dense.npy")),
        "sparse": csr_matrix(tuple(parts), shape=(27**3, 27**3)),
    }

    def logdet(case: str, seed: int) -> float:
        steps, probes = SIZES[case]
        return float(imate.logdet(
            matrices[case], method="slq", min_num_samples=probes, max_num_samples=probes, lanczos_degree=steps,
            orthogonalize=-1, num_threads=1, seed=seed,
        ))  # fmt: skip

    return {case: lambda seed, case=case: logdet(case, seed) for case in matrices}


def matfree_cases(folder: str) -> dict[str, Callable[[int], float]]:
    import jax  # pyright: ignore[reportMissingImports]
    import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
    from jax.experimental import sparse  # pyright: ignore[reportMissingImports]
    from jax.flatten_util import ravel_pytree  # pyright: ignore[reportMissingImports]
    from matfree import decomp, funm, stochtrace  # pyright: ignore[reportMissingImports]
    from scipy.sparse import csr_matrix

    jax.config.update("jax_enable_x64", True)
    parts = [np.load(os.path.join(folder, f"sparse-{name}.npy")) for name in ("data", "indices", "indptr")]
    S = sparse.BCOO.from_scipy_sparse(csr_matrix(tuple(parts), shape=(27**3, 27**3)))  # faster here than BCSR
    low = np.load(os.path.join(folder, "implicit.npz"))
    A, U, few = jnp.asarray(np.load(os.path.join(folder, "dense.npy"))), jnp.asarray(low["U"]), jnp.asarray(low["few"])
    X = jnp.asarray(np.load(os.path.join(folder, "xtrace.npy")))
    given = np.load(os.path.join(folder, "network.npz"))
    x, y = jnp.asarray(given["x"]), jnp.asarray(given["y"])
    layers = [(jnp.asarray(given[f"W{l}"]), jnp.asarray(given[f"b{l}"])) for l in range(3)]
    θ, unravel = ravel_pytree(layers)

    def loss(flat):
        a = x
        for l, (W, b) in enumerate(unravel(flat)):
            z = 1.5 / math.sqrt(W.shape[1]) * a @ W.T + 0.1 * b
            a = jnp.tanh(z) if l < 2 else z
        return -jnp.mean(jax.nn.log_softmax(a)[jnp.arange(len(y)), y])

    products = {
        "dense": (2000, lambda v: A @ v),
        "sparse": (27**3, lambda v: S @ v),
        "implicit": (20000, lambda v: 0.1 * v + U @ (few * (U.T @ v))),
        "network": (len(θ), lambda v: jax.jvp(jax.grad(loss), (θ,), (v,))[1]),
    }
    cases = {}
    for case, (n, product) in products.items():
        steps, probes = SIZES[case]
        dense_f = funm.dense_funm_sym_eigh(jnp.square if case == "network" else jnp.log)
        integrand = funm.monte_carlo_funm_sym(dense_f, decomp.tridiag_sym(steps))  # reorthogonalised in full
        sampler = stochtrace.sampler_signs(jnp.ones(n), num=probes)
        estimate = stochtrace.estimator_monte_carlo(integrand, sampler)
        compiled = jax.jit(lambda key, product=product, estimate=estimate: estimate(product, key))
        cases[case] = lambda seed, f=compiled: float(f(jax.random.PRNGKey(seed)))
    sampler = stochtrace.sampler_sphere(jnp.ones(2000), num=30)
    leave = stochtrace.estimator_leave_one_out(stochtrace.leave_one_out_xtrace(), sampler)
    compiled = jax.jit(lambda key: leave(lambda v: X @ v, key))
    cases["xtrace"] = lambda seed: float(compiled(jax.random.PRNGKey(seed)))
    return cases


def curvlinops_cases(folder: str) -> dict[str, Callable[[int], float]]:
    import torch  # pyright: ignore[reportMissingImports]
    from curvlinops import HessianLinearOperator, xtrace  # pyright: ignore[reportMissingImports]
    from curvlinops.papyan2020traces.spectrum import fast_lanczos  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    given = np.load(os.path.join(folder, "network.npz"))
    low = np.load(os.path.join(folder, "implicit.npz"))
    U, few = torch.from_numpy(low["U"]), torch.from_numpy(low["few"])
    parts = [torch.from_numpy(np.load(os.path.join(folder, f"sparse-{p}.npy"))) for p in ("indptr", "indices", "data")]

    class Implicit:
        shape, device, dtype = (20000, 20000), torch.device("cpu"), torch.float64

        def __matmul__(self, v):
            return 0.1 * v + U @ (few * (U.T @ v))

    class Layer(torch.nn.Module):
        def __init__(self, W, b):
            super().__init__()
            self.W, self.b = (torch.nn.Parameter(torch.from_numpy(array)) for array in (W, b))

        def forward(self, a):
            return 1.5 / math.sqrt(self.W.shape[1]) * a @ self.W.T + 0.1 * self.b

    layers = [Layer(given[f"W{l}"], given[f"b{l}"]) for l in range(3)]
    model = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])
    batch = (torch.from_numpy(given["x"]), torch.from_numpy(given["y"]).long())
    operators = {
        "dense": torch.from_numpy(np.load(os.path.join(folder, "dense.npy"))),
        "sparse": torch.sparse_csr_tensor(*parts, size=(27**3, 27**3)),
        "implicit": Implicit(),
        "network": HessianLinearOperator(
            model, torch.nn.CrossEntropyLoss(), list(model.parameters()), [batch], check_deterministic=False
        ),
    }

    def quadrature(case: str, seed: int) -> float:
        torch.manual_seed(seed)
        A, (steps, probes) = operators[case], SIZES[case]
        total = 0.0
        for _ in range(probes):
            values, vectors = fast_lanczos(A, steps)
            f = values**2 if case == "network" else torch.log(values)
            total += float(torch.sum(vectors[0] ** 2 * f)) * A.shape[0] / probes
        return total

    X = torch.from_numpy(np.load(os.path.join(folder, "xtrace.npy")))

    def trace(seed: int) -> float:
        torch.manual_seed(seed)
        return float(xtrace(X, 60))

    cases: dict[str, Callable[[int], float]] = {
        case: lambda seed, case=case: quadrature(case, seed) for case in operators
    }
    return {**cases, "xtrace": trace}


def one_side(name: str, folder: str, turn: int) -> None:
    """All cases of one side, first and second run, into NAME.json."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sides = {"ours": ours_cases, "imate": imate_cases, "matfree": matfree_cases, "curvlinops": curvlinops_cases}
    out = {}
    for case, f in sides[name](folder).items():
        row = []
        for seed in (2 * turn, 2 * turn + 1):
            begun = time.perf_counter()
            value = f(seed)
            row.append((time.perf_counter() - begun, value))
        out[case] = {"first": row[0][0], "seconds": row[1][0], "values": [row[0][1], row[1][1]]}
    Path(folder, f"{name}.json").write_text(json.dumps(out))


if __name__ == "__main__":
    one_side(sys.argv[1], sys.argv[2], int(sys.argv[3]))
