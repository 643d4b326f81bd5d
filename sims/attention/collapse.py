"""Deep linear networks with free features, trained to their minima by L-BFGS: squared loss and cross-entropy.

    squared        (1/2N) ‖W_M … W_1 H − Y‖² + Σ_l (λ_l/2) ‖W_l‖² + (λ_H/2) ‖H‖²
    cross-entropy  mean over columns of ln Σ_j exp(f_j − f_class) + (λ/2) of all factors

Widths K. Host only (SciPy's L-BFGS-B).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.optimize

from corollary.arrays import Namespace

Factors = list[np.ndarray]
OPTIONS = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-9}


def squared_loss(F: np.ndarray, Y: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient in F (K, N); Y one-hot."""
    N = Y.shape[1]
    return 0.5 * float(np.sum((F - Y) ** 2)) / N, (F - Y) / N


def cross_entropy(F: np.ndarray, Y: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient in F (K, N); Y one-hot."""
    N = Y.shape[1]
    Z = F - np.max(F, axis=0)
    total = np.log(np.sum(np.exp(Z), axis=0))
    return float(np.sum(total - np.sum(Z * Y, axis=0))) / N, (np.exp(Z - total) - Y) / N


def train(
    loss: Callable[..., tuple[float, np.ndarray]], Y: np.ndarray, decay: Sequence[float], start: Factors
) -> tuple[float, Factors]:
    """(objective, [W_1, …, W_M, H]) at the end; `decay` one number a factor, in the order of `start`."""
    shapes = [s.shape for s in start]
    ends = np.cumsum([0, *(s.size for s in start)])

    def parts(v: np.ndarray) -> Factors:
        return [v[i:j].reshape(s) for i, j, s in zip(ends, ends[1:], shapes, strict=False)]

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        *W, H = parts(v)
        values = [H]
        for w in W:
            values.append(w @ values[-1])
        f, back = loss(values[-1], Y)
        grads: Factors = []
        for l in reversed(range(len(W))):
            grads.insert(0, back @ values[l].T)
            back = W[l].T @ back
        grads.append(back)
        f += sum(λ / 2 * float(np.sum(p * p)) for λ, p in zip(decay, [*W, H], strict=True))
        return f, np.concatenate([(g + λ * p).ravel() for g, λ, p in zip(grads, decay, [*W, H], strict=True)])

    flat = np.concatenate([s.ravel() for s in start])
    found = scipy.optimize.minimize(objective, flat, jac=True, method="L-BFGS-B", options=OPTIONS)
    return float(found.fun), parts(found.x)


def best(counts: Sequence[int], decay: Sequence[float], starts: int, rng: np.random.Generator) -> tuple[float, Factors]:
    """The least squared-loss objective from `starts` normal starts of scale 1; decay: λ_1, …, λ_M, λ_H."""
    K, N = len(counts), sum(counts)
    Y = np.repeat(np.eye(K), counts, axis=1)
    runs = []
    for _ in range(starts):
        start = [rng.standard_normal((K, K)) for _ in decay[:-1]] + [rng.standard_normal((K, N))]
        runs.append(train(squared_loss, Y, decay, start))
    return min(runs, key=lambda r: r[0])


def aligned(counts: Sequence[int], decay: Sequence[float], rng: np.random.Generator) -> tuple[float, Factors]:
    """The better of two starts, W = 1 and H = Y with the last class present or absent, both perturbed by 0.1."""
    K, N = len(counts), sum(counts)
    Y, runs = np.repeat(np.eye(K), counts, axis=1), []
    for present in (1.0, 0.0):
        on = np.diag([1.0] * (K - 1) + [present])
        start = [on + 0.1 * rng.standard_normal((K, K)) for _ in decay[:-1]]
        runs.append(train(squared_loss, Y, decay, [*start, on @ Y + 0.1 * rng.standard_normal((K, N))]))
    return min(runs, key=lambda r: r[0])


def product(factors: Factors) -> np.ndarray:
    """W_M … W_1."""
    out = factors[0]
    for w in factors[1:-1]:
        out = w @ out
    return out


def minima(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, theory: Any) -> dict[str, np.ndarray]:
    """pair (R, 2): (theory(counts, weights, features).minimum, objective found). Point: classes, depth, starts.

    Drawn: 1 to 6 columns a class, each decay log-uniform on [0.005, 0.05].
    """
    out = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        counts = rng.integers(1, 7, point["classes"]).tolist()
        decay = np.exp(rng.uniform(np.log(0.005), np.log(0.05), point["depth"] + 1)).tolist()
        found, _ = best(counts, decay, point["starts"], rng)
        out.append([theory(counts, decay[:-1], decay[-1]).minimum, found])
    return {"pair": np.array(out)}


def geometry(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, np.ndarray]:
    """gram (R, K, K) of W_M…W_1's rows, alive (R,): the last class's row is not 0; within (R,): spread of features
    inside classes over their size. Point: counts, decay (λ_1, …, λ_M, λ_H), starts (0: those of
    `aligned`)."""
    grams, alive, within = [], [], []
    counts, decay = point["counts"], point["decay"]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        _, factors = best(counts, decay, point["starts"], rng) if point["starts"] else aligned(counts, decay, rng)
        P = product(factors)
        grams.append(P @ P.T)
        alive.append(float(grams[-1][-1, -1] > 0.02 * sum(counts) * decay[-1]))
        ends = np.cumsum([0, *counts])
        spread = [factors[-1][:, i:j] - factors[-1][:, i:j].mean(axis=1, keepdims=True)
                  for i, j in zip(ends, ends[1:], strict=False)]  # fmt: skip
        within.append(np.sqrt(sum(np.sum(s * s) for s in spread) / np.sum(factors[-1] ** 2)))
    return {"gram": np.array(grams), "alive": np.array(alive), "within": np.array(within)}


def antipodal(K: int, n: int, depth: int, a: float) -> Factors:
    """Balanced factors of the logits a (δ_same − δ_opposite), classes 2j and 2j + 1 opposite."""
    E = np.kron(np.eye(K // 2), np.array([[1.0], [-1.0]])) / np.sqrt(2)  # (K, K/2), orthonormal columns
    s = (2 * a * np.sqrt(n)) ** (1 / (depth + 1))
    inner = np.zeros((K, K))
    inner[: K // 2, : K // 2] = s * np.eye(K // 2)
    top, features = np.zeros((K, K)), np.zeros((K, K * n))
    top[:, : K // 2] = s * E
    features[: K // 2] = s * np.repeat(E.T, n, axis=1) / np.sqrt(n)
    return [inner] * (depth - 1) + [top, features]


def entropy(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, frame: Any) -> dict[str, np.ndarray]:
    """pair (R, 2): (least value of the simplex frame, loss found); rank (R,) of W_M…W_1. Point: K, n, depth, decay,
    start: "pairs" (antipodal pairs, perturbed by 0.1) or "random" (the best of three)."""
    pairs, ranks = [], []
    K, n, depth = point["K"], point["n"], point["depth"]
    Y = np.repeat(np.eye(K), n, axis=1)
    limit = frame(K, n, depth, point["decay"])[1]
    for seed in seeds:
        rng, runs = np.random.default_rng(seed), []
        for _ in range(1 if point["start"] == "pairs" else 3):
            shapes = [(K, K)] * depth + [(K, K * n)]
            start = [rng.standard_normal(s) for s in shapes]
            if point["start"] == "pairs":
                start = [p + 0.1 * s for p, s in zip(antipodal(K, n, depth, 5.0), start, strict=True)]
            runs.append(train(cross_entropy, Y, [point["decay"]] * (depth + 1), start))
        loss, factors = min(runs, key=lambda r: r[0])
        values = np.linalg.svd(product(factors), compute_uv=False)
        pairs.append([limit, loss])
        ranks.append(float(np.sum(values > 1e-2 * values[0])))
    return {"pair": np.array(pairs), "rank": np.array(ranks)}
