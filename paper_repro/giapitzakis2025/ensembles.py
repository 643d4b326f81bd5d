"""How many models an ensemble needs: for one input, and for all 2^k; both from the joint law of limit networks."""

from __future__ import annotations

from functools import cache

import numpy as np

from corollary.claims import Claim, grid
from corollary.theory import ntk
from corollary.theory.ntk.permutations import permutation_ensemble, permutation_prediction
from corollary.verdicts import Rate, Value, quantile


def needed_share(k, kernel, rng):
    """Models needed for one input of two ones, over the size stated for δ = 0.1: (σ ε_j/μ_j)² of the worst bit j."""
    p = permutation_prediction(k, 2, kernel)
    wrong = np.maximum(rng.standard_normal(k) * np.where(np.arange(k) < 2, -1, 1), 0)
    least = np.where(np.arange(k) < 2, p.on, p.off)
    return float(np.max(p.variance * (wrong / least) ** 2) / permutation_ensemble(k, 2, 0.1, kernel))


def size_ratio(factor):
    """A rival's size over the stated 2 max σ²/μ² ln(k/δ), from the rival's factor in front of max σ²/μ²."""
    return lambda k: factor(k) / (2 * np.log(k / 0.1))


enough = Claim(
    r"N = 2 \max \tfrac{\sigma^2}{\mu^2} \ln\tfrac{k}{\delta} \text{ models read one input right with probability }"
    r"1 - \delta:\ \text{quantile}_{1-\delta}(N_{\text{needed}}/N) \le 1",
    Value(1.0, of=quantile(0.9), side="at most", resolution=0.05),
    id="giapitzakis2025.ensemble",
    theorem="The number of models needed to achieve exact learning with high probability (the ensemble "
    r"complexity) exhibits a linearithmic dependence on the input size $k$ for a single test input: $O(k \log "
    "k)$.",
    where="Ensemble complexity (one input); the constant is ours",
    measure=needed_share,
    points=grid(k=[20, 40], kernel=["ntk", "nngp"]),
    replicates=8192,
    rivals={
        "half of it: σ²/μ² ln(k/δ)": 0.5,
        "no union over the bits: 2 σ²/μ² ln(1/δ)": size_ratio(lambda k: 2 * np.log(10)),
        "the size without its logarithm, 2 σ²/μ²": size_ratio(lambda k: 2.0),
    },
    checked_by=["ntk.permutation_ensembles"],
)  # fmt: skip


def joint(k, kernel, inputs):
    """Means (M, k) and a root L (M, M) of the covariance of every output of limit networks at the rows of `inputs`."""
    net, z = ntk.mlp(depth=1, activation=ntk.Relu()), inputs / np.sqrt(inputs.sum(axis=1, keepdims=True))
    train, cross, own = net.kernel(np.eye(k)), net.kernel(z, np.eye(k)), net.kernel(z)
    A = np.linalg.solve(getattr(train, kernel), getattr(cross, kernel).T).T
    C = own.nngp - A @ cross.nngp.T - cross.nngp @ A.T + A @ train.nngp @ A.T
    λ, U = np.linalg.eigh((C + C.T) / 2)
    return A, U * np.sqrt(np.clip(λ, 0, None))


@cache
def every_input(k, kernel):
    """The inputs of two ones or more (one 1 is a training point), and their joint law."""
    bits = (np.arange(1, 2**k)[:, None] >> np.arange(k)) & 1
    bits = bits[bits.sum(axis=1) >= 2].astype(float)
    return bits, *joint(k, kernel, bits)


def all_size(k, kernel):
    return max(permutation_ensemble(k, ones, 0.1 / 2**k, kernel) for ones in range(2, k + 1))


def needed_for_all(k, kernel, rng):
    """Models needed until all 2^k inputs are read right, over the stated size."""
    bits, mean, root = every_input(k, kernel)
    wrong = np.maximum((root @ rng.standard_normal((len(root), k))) * np.where(bits > 0, -1, 1), 0)
    return float(np.max((wrong / mean) ** 2) / all_size(k, kernel))


all_inputs = Claim(
    r"N = 2 \max \tfrac{\sigma^2}{\mu^2} \ln\tfrac{k\,2^k}{\delta} = O(k^2) \text{ models read all } 2^k"
    r"\text{ inputs}",
    Value(1.0, of=quantile(0.9), side="at most", resolution=0.05),
    id="giapitzakis2025.all-inputs",
    theorem="The number of models needed to achieve exact learning with high probability exhibits a "
    "quadratic dependence on the input size $k$ when considering all test inputs simultaneously: $O(k^2)$.",
    where="Ensemble complexity (all inputs); the constant is ours",
    measure=needed_for_all,
    points=grid(k=[8], kernel=["ntk", "nngp"]),
    replicates=8192,
    rivals={
        "the size for one input": lambda k, kernel: permutation_ensemble(k, 2, 0.1, kernel) / all_size(k, kernel),
        "the size without its logarithm, 2 σ²/μ²": lambda k: 1 / np.log(k * 2**k / 0.1),
    },
    uses=[enough],
    checked_by=["ntk.permutation_ensembles"],
)  # fmt: skip


def difficulty(k, rng):
    """σ²/μ² of the hardest bit, at two ones."""
    p = permutation_prediction(int(k), 2)
    return p.variance / min(p.on, -p.off) ** 2


linear = Claim(
    r"\max \sigma^2/\mu^2 \sim k: \text{ so } k \ln k \text{ models for one input, } k^2 \text{ for all } 2^k",
    Rate(1.0, along="k", sequence=True, gamma=1.0, resolution=0.05),
    id="giapitzakis2025.complexity",
    theorem="Trained on the $k$ basis vectors, the mean of an ensemble reads a permutation off any nonzero binary "
    r"input with high probability: $O(k \log k)$ models for one input, $O(k^2)$ for all $2^k$ at once.",
    where="Ensemble complexity",
    measure=difficulty,
    points=grid(k=[64, 128, 256, 512, 1024, 2048]),
    rivals={"√k": 0.5, "k²": 2.0},
    uses=[enough],
    checked_by=["ntk.permutation_outputs"],
)
