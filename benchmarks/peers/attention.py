"""The peers of benchmarks/attention.py, run in an environment of their own; imports nothing of ours.

    python attention.py NAME FOLDER NORM CAP MEMORY

reads D (n, m, d), Z (n, d) from FOLDER/*.npy and writes NAME-k.npz (W (d, d), seconds) for each of its tolerances,
coarse first, until CAP CPU seconds are used. The rows D_it ⊗ z_i are formed on the clock: a QP solver needs them.
MEMORY: limit of its address space in GiB.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

ENOUGH = 0.3  # CPU seconds of one timing


def rows(D: np.ndarray, Z: np.ndarray) -> np.ndarray:
    return (D[..., :, None] * Z[:, None, None, :]).reshape(D.shape[0] * D.shape[1], -1)


def through_cvxpy(D: np.ndarray, Z: np.ndarray, norm: str, options: dict) -> np.ndarray:
    import cvxpy as cp  # pyright: ignore[reportMissingImports]

    d = D.shape[2]
    if norm == "frobenius":
        w = cp.Variable(d * d)
        cp.Problem(cp.Minimize(cp.sum_squares(w) / 2), [rows(D, Z) @ w >= 1]).solve(**options)
        return np.asarray(w.value).reshape(d, d)
    W = cp.Variable((d, d))
    margins = cp.sum(cp.multiply(D.reshape(-1, d), np.repeat(Z, D.shape[1], axis=0) @ W.T), axis=1)
    cp.Problem(cp.Minimize(cp.norm(W, "nuc")), [margins >= 1]).solve(**options)
    return np.asarray(W.value)


def clarabel(D, Z, norm, tolerance):
    limits = {"tol_gap_abs": tolerance, "tol_gap_rel": tolerance, "tol_feas": tolerance}
    return through_cvxpy(D, Z, norm, {"solver": "CLARABEL", **limits})


def scs(D, Z, norm, tolerance):
    return through_cvxpy(D, Z, norm, {"solver": "SCS", "eps": tolerance, "max_iters": 200_000})


def daqp(D, Z, norm, tolerance):
    import daqp as solver  # pyright: ignore[reportMissingImports]

    A = rows(D, Z)
    N, p = A.shape
    sense = np.zeros(N, dtype=np.int32)
    found = solver.solve(np.eye(p), np.zeros(p), A, np.full(N, 1e30), np.ones(N), sense, primal_tol=tolerance)
    return np.asarray(found[0]).reshape(D.shape[2], -1)


def proxqp(D, Z, norm, tolerance):
    import proxsuite  # pyright: ignore[reportMissingImports]

    A = rows(D, Z)
    N, p = A.shape
    found = proxsuite.proxqp.dense.solve(
        np.eye(p), np.zeros(p), None, None, A, np.ones(N), np.full(N, 1e30), eps_abs=tolerance, eps_rel=0.0,
        max_iter=100_000,
    )  # fmt: skip
    return np.asarray(found.x).reshape(D.shape[2], -1)


def linearsvc(D, Z, norm, tolerance):
    from sklearn.svm import LinearSVC

    A = rows(D, Z)
    y = np.where(np.arange(len(A)) % 2, 1.0, -1.0)  # one class: half of the rows with their signs turned
    model = LinearSVC(C=1e6, loss="hinge", fit_intercept=False, tol=tolerance, max_iter=1_000_000)
    return model.fit(A * y[:, None], y).coef_.reshape(D.shape[2], -1)


METHODS = {
    "clarabel": (clarabel, (1e-7, 1e-10)),
    "scs": (scs, (1e-6, 1e-9)),
    "daqp": (daqp, (1e-9,)),
    "proxqp": (proxqp, (1e-7, 1e-10)),
    "linearsvc": (linearsvc, (1e-4, 1e-8)),
}


def main(name: str, folder: str, norm: str, cap: float, memory: float) -> None:
    limit = int(memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    D, Z = np.load(f"{folder}/D.npy"), np.load(f"{folder}/Z.npy")
    method, tolerances = METHODS[name]
    small = np.zeros((2, 1, 2))
    small[:, 0] = np.eye(2)
    method(small, np.eye(2), norm, tolerances[0])  # imports and first calls off the clock
    for k, tolerance in enumerate(tolerances):
        if time.process_time() > cap:
            break
        start, count = time.process_time(), 0
        while True:  # the clock ticks in 4 ms: short solves are repeated
            W = method(D, Z, norm, tolerance)
            count, spent = count + 1, time.process_time() - start
            if spent > ENOUGH:
                break
        np.savez(f"{folder}/{name}-{k}.npz", W=W, seconds=spent / count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
