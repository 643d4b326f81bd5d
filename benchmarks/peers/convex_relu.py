"""The peers of benchmarks/convex_relu.py, each run in its own environment; imports nothing of ours.

    python convex_relu.py NAME FOLDER GATED CAP MEMORY

reads the problem from FOLDER/*.npy and writes NAME-k.npz (V, W (d, P), seconds) for each of its tolerances, coarse
first, or each of its numbers of steps, until CAP CPU seconds are used, imports and all runs together; started.txt holds
the CPU seconds at which the run now in progress began. A tiny problem is solved first, off the clock: imports, and what
a first call compiles, are not counted. MEMORY: limit of its address space in GiB.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Answer = tuple[np.ndarray, np.ndarray]
STEPS = (30, 60, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200, 4800, 6400, 10000)  # of CRONOS


def pyscnn(data: dict[str, Any], gated: bool, tolerance: float) -> Answer:
    from scnn.metrics import Metrics  # pyright: ignore[reportMissingImports]
    from scnn.models import ConvexGatedReLU, ConvexReLU  # pyright: ignore[reportMissingImports]
    from scnn.optimize import optimize_model  # pyright: ignore[reportMissingImports]
    from scnn.regularizers import NeuronGL1  # pyright: ignore[reportMissingImports]
    from scnn.solvers import AL, RFISTA  # pyright: ignore[reportMissingImports]

    model = (ConvexGatedReLU if gated else ConvexReLU)(data["G"], c=1)
    solver = RFISTA(model, tol=tolerance) if gated else AL(model, tol=tolerance, constraint_tol=tolerance)
    penalty = NeuronGL1(float(data["beta"]) / len(data["y"]))  # its loss is ‖f − y‖²/(2n)
    found, _ = optimize_model(model, solver, Metrics(), data["X"], data["y"][:, None], regularizer=penalty,
                              return_convex=True, unitize_data=False, dtype="float64")  # fmt: skip
    parts = [np.asarray(p)[0].T for p in found.parameters]
    # it drops repeated patterns and sorts the rest: back to our order
    place = {column.tobytes(): i for i, column in enumerate(data["D"].T)}
    order = [place[column.tobytes()] for column in (data["X"] @ np.asarray(found.G) >= 0).astype(float).T]
    V, W = np.zeros_like(data["G"]), np.zeros_like(data["G"])
    V[:, order] = parts[0]
    if len(parts) > 1:
        W[:, order] = parts[1]
    return V, W


def through_cvxpy(data: dict[str, Any], gated: bool, options: dict[str, Any]) -> Answer:
    import cvxpy as cp  # pyright: ignore[reportMissingImports]

    X, y, D = data["X"], data["y"], data["D"]
    d, P = X.shape[1], D.shape[1]
    V, W = cp.Variable((d, P)), cp.Variable((d, P))
    fit = cp.sum(cp.multiply(D, X @ (V - W)), axis=1)
    norms = cp.sum(cp.norm(V, 2, axis=0)) + cp.sum(cp.norm(W, 2, axis=0))
    cost = 0.5 * cp.sum_squares(fit - y) + float(data["beta"]) * norms
    E = 2 * D - 1
    cones = [] if gated else [cp.multiply(E, X @ V) >= 0, cp.multiply(E, X @ W) >= 0]
    cp.Problem(cp.Minimize(cost), cones).solve(**options)
    return np.asarray(V.value), np.asarray(W.value)


def clarabel(data: dict[str, Any], gated: bool, tolerance: float) -> Answer:
    limits = {"tol_gap_abs": tolerance, "tol_gap_rel": tolerance, "tol_feas": tolerance}
    return through_cvxpy(data, gated, {"solver": "CLARABEL", **limits})


def scs(data: dict[str, Any], gated: bool, tolerance: float) -> Answer:
    return through_cvxpy(data, gated, {"solver": "SCS", "eps": tolerance, "max_iters": 20000})


def cronos(data: dict[str, Any], steps: tuple[int, ...] = STEPS) -> Iterator[Answer]:
    """Its iterate after each of `steps`: ADMM with Nyström-preconditioned conjugate gradients (rank 10, 20 inner
    steps as in its ρ study) and ρ = 10, the best of 1, 10, 100 on (200, 20, 50); in float64. ReLU only."""
    import jax  # pyright: ignore[reportMissingImports]

    jax.config.update("jax_enable_x64", True)
    root = Path(os.environ["COROLLARY_CRONOS"])
    # its packages import data loaders that ask for a GPU; only the modules of the method are loaded
    for name in ("models", "optimizers", "preconditioner", "utils"):
        package = types.ModuleType(name)
        package.__path__ = [str(root / name)]
        sys.modules.setdefault(name, package)
    from utils.linops_utils import tensor_to_vec, vec_to_tensor  # pyright: ignore[reportMissingImports]

    sys.modules["utils"].__dict__.update(tensor_to_vec=tensor_to_vec, vec_to_tensor=vec_to_tensor)
    from models.cvx_relu_mlp import CVX_ReLU_MLP  # pyright: ignore[reportMissingImports]
    from optimizers.cronos import cronos_step, init_cronos_state  # pyright: ignore[reportMissingImports]
    from preconditioner.nystrom import Nys_Precond, rand_nys_appx  # pyright: ignore[reportMissingImports]

    (n, d), P = data["X"].shape, data["D"].shape[1]
    X, y, D = (jax.numpy.asarray(data[k]) for k in ("X", "y", "D"))
    beta, rho = float(data["beta"]), 10.0
    model = CVX_ReLU_MLP(X, y, P, beta, rho, jax.random.PRNGKey(0), D, 2 * D - 1)
    U, S, _ = rand_nys_appx(model, 10, "CReLU", jax.random.PRNGKey(0))
    conditioner = Nys_Precond(U, S, d, rho, P, "CReLU")
    state = init_cronos_state(d, n, P)
    for k in range(max(steps)):
        state = cronos_step(state, model, conditioner, beta, 1, 20, 1 / (1 + k) ** 1.2)
        if k + 1 in steps:
            found = np.asarray(state.v)
            yield found[0], found[1]


METHODS = {
    "pyscnn": (pyscnn, (1e-2, 1e-3, 1e-4, 1e-6, 1e-8)),
    "clarabel": (clarabel, (1e-2, 1e-3, 1e-4, 1e-6, 1e-9)),
    "scs": (scs, (1e-2, 1e-3, 1e-4)),
}


def tiny() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    X, G = rng.standard_normal((12, 3)), rng.standard_normal((3, 4))
    return {"X": X, "y": rng.standard_normal(12), "G": G, "D": (X @ G >= 0).astype(float), "beta": np.array(0.5)}


def main(name: str, folder: str, gated: bool, cap: float, memory: float) -> None:
    limit = int(memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    data = {k: np.load(f"{folder}/{k}.npy") for k in ("X", "y", "G", "D", "beta")}

    def begins() -> float:
        now = time.process_time()
        Path(folder, "started.txt").write_text(str(now))
        return now

    def keep(k: int, answer: Answer, seconds: float) -> None:
        np.savez(f"{folder}/{name}-{k}.npz", V=answer[0], W=answer[1], seconds=seconds)

    if name == "cronos":
        next(cronos(data, (1,)))  # jax compiles a step once for every problem of these sizes
        used, begun = 0.0, begins()
        for k, answer in enumerate(cronos(data)):
            used += time.process_time() - begun
            keep(k, answer, used)
            begun = time.process_time()  # what saving takes is off the clock
        return
    method, tolerances = METHODS[name]
    method(tiny(), gated, 1e-3)
    for k, tolerance in enumerate(tolerances):
        if time.process_time() > cap:
            break
        begun = begins()
        answer = method(data, gated, tolerance)
        keep(k, answer, time.process_time() - begun)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], bool(int(sys.argv[3])), float(sys.argv[4]), float(sys.argv[5]))
