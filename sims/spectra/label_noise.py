"""Label noise in the principal directions of features: random ReLU features, and the hidden layer of a network.

A replicate draws its training points from x (N, d), its network and its noise: with probability flip a label is
replaced by one drawn uniformly from all K classes. U_k: top k left singular vectors of the training features (n, p).

    signal   ‖U_kᵀ s‖²/‖s‖², s = y − 1/K           noise   ‖U_kᵀ N‖²/E‖N‖², N = ỹ − y, E‖N‖² = 2 n flip (1 − 1/K)
    error    share of wrong labels on the points left out, by least squares on the first k principal coordinates;
             k = rank: the minimum-norm interpolator

Point: n (training points), p (features), flip, keep (T values of k ≤ min(n, p)). Host only: replicates are
singular value decompositions of different data. Data come as x, labels (host arrays), by `functools.partial`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Namespace
from corollary.sims.common.networks import Network, Params, forward, init
from corollary.sims.common.training import gradient_descent

Point = Mapping[str, Any]
Arrays = dict[str, np.ndarray]


class Draw:
    """One replicate's data: training and test points, clean and noisy one-hot labels."""

    def __init__(self, point: Point, seed: Any, x: np.ndarray, labels: np.ndarray):
        n, flip = point["n"], point["flip"]
        if not 0 < n < len(x):
            raise ValueError(f"n = {n!r}; expected fewer training points than the {len(x)} rows of x")
        if not 0 < flip <= 1:
            raise ValueError(f"flip = {flip!r}; expected a probability in (0, 1]")
        self.rng = np.random.default_rng(seed)
        order = self.rng.permutation(len(x))
        self.train, self.test = x[order[:n]], x[order[n:]]
        self.test_labels = labels[order[n:]]
        self.K = int(labels.max()) + 1
        self.clean = np.eye(self.K)[labels[order[:n]]]
        replaced = self.rng.random(n) < flip
        self.noisy = np.where(replaced[:, None], np.eye(self.K)[self.rng.integers(0, self.K, n)], self.clean)
        self.noise_energy = 2 * n * flip * (1 - 1 / self.K)

    def measure(
        self, features: np.ndarray, test: np.ndarray, keep: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(signal, noise, error with noisy labels, error with clean labels), each (T,)."""
        U, S, Vt = np.linalg.svd(features, full_matrices=False)
        signal = np.cumsum(np.sum((U.T @ (self.clean - 1 / self.K)) ** 2, axis=1)) / (len(U) * (1 - 1 / self.K))
        noise = np.cumsum(np.sum((U.T @ (self.noisy - self.clean)) ** 2, axis=1)) / self.noise_energy
        index = np.array(keep) - 1
        coordinates = test @ Vt.T / S
        errors = []
        for targets in (self.noisy, self.clean):
            fit = U.T @ targets
            guesses = [(coordinates[:, :k] @ fit[:k]).argmax(axis=1) for k in keep]
            errors.append(np.array([np.mean(guess != self.test_labels) for guess in guesses]))
        return signal[index], noise[index], errors[0], errors[1]


def random_features(point: Point, seeds: Sequence[Any], xp: Namespace, *, x: np.ndarray, labels: np.ndarray) -> Arrays:
    """signal, noise, error_noisy, error_clean (R, T) for features max(xW, 0), W (d, p) normal; see the module."""
    rows = []
    for seed in seeds:
        draw = Draw(point, seed, x, labels)
        keep = _keep(point)
        W = draw.rng.standard_normal((x.shape[1], point["p"])) / np.sqrt(x.shape[1])
        features, test = (np.maximum(part @ W, 0) for part in (draw.train, draw.test))
        rows.append(draw.measure(features, test, keep))
    return _stacked(("signal", "noise", "error_noisy", "error_clean"), rows)


def trained_features(point: Point, seeds: Sequence[Any], xp: Namespace, *, x: np.ndarray, labels: np.ndarray) -> Arrays:
    """The same on the hidden layer (p ReLU neurons, W_std = √2, b_std = 0.1) of a network before and after training.

    Point, besides the module's: learning_rate, steps of full-batch descent on squares, noisy labels, in float32, whose
    rounding is far below the spread between draws. Returns signal_before, noise_before, signal_after, noise_after,
    error_before, error_after (R, T), the errors with noisy labels; energy (R,): ‖N‖²/E‖N‖²; fitted (R,): share of the
    noisy training labels that the trained network reproduces.
    """
    rows = []
    for seed in seeds:
        draw = Draw(point, seed, x, labels)
        keep, net = _keep(point), Network("relu", 2**0.5, 0.1)
        start = init((x.shape[1], point["p"], draw.K), [int(draw.rng.integers(2**32))], np, dtype="float32")
        inputs, targets = draw.train.astype(np.float32), (draw.noisy - 1 / draw.K).astype(np.float32)
        end = gradient_descent(net, start, inputs, targets, learning_rate=point["learning_rate"], steps=point["steps"])
        parts = []
        for params in (start, end.params):
            features, test = (_hidden(net, params, part) for part in (draw.train, draw.test))
            parts += draw.measure(features, test, keep)[:3]
        fitted = np.mean(end.f[0].argmax(axis=1) == draw.noisy.argmax(axis=1))
        energy = np.sum((draw.noisy - draw.clean) ** 2) / draw.noise_energy
        rows.append((*parts, energy, fitted))
    moments = ("signal", "noise", "error")
    return _stacked((*(f"{m}_before" for m in moments), *(f"{m}_after" for m in moments), "energy", "fitted"), rows)


def _hidden(net: Network, params: Params, x: np.ndarray) -> np.ndarray:
    return forward(net, params, x.astype(np.float32)).a[-1][0].astype(float)


def _keep(point: Point) -> list[int]:
    keep, most = list(point["keep"]), min(point["n"], point["p"])
    if not keep or not all(isinstance(k, int) and 1 <= k <= most for k in keep):
        raise ValueError(f"keep = {keep!r}; expected numbers of directions from 1 to {most} = min(n, p)")
    return keep


def _stacked(names: Sequence[str], rows: list[tuple]) -> Arrays:
    return {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
