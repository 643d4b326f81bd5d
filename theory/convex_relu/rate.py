"""The asymptotic rate of ADMM: the spectral radius of its iteration linearised at the solution.

In the variables (p, t) of `admm` a step is p ← p + α (u − v(p)), t ← t + α (G u − s(t)), with u affine in the
reflections 2v − p and 2s − t. Once the active set no longer changes, v and s are smooth,

    ∂v = I − (τ/‖p‖)(I − p̂ p̂ᵀ) on groups with ‖p‖ > τ = β/ρ, else 0;   ∂s = diag(1[E t > 0]),

and distances contract by |λ₂|, the largest modulus of an eigenvalue other than 1 (those belong to directions in which
the fixed point is not unique, along which nothing moves). Far from there the rate is 1/k at worst.
"""

from __future__ import annotations

import numpy as np

from corollary.theory.convex_relu import admm


def linearised_rate(f: admm.Factors, state: admm.State, beta: float, relax: float = 1.0, tol: float = 1e-8) -> float:
    """|λ₂| at a (converged) state of one program with the squared loss. Dense, host: (2P (d + n))³."""
    (n, d), P = f.X.shape, f.DT.shape[0]
    if state.p.shape[0] != 1:
        raise ValueError(f"the state holds {state.p.shape[0]} programs; expected one")
    rho = float(state.rho[0])
    p, t = state.p[0].reshape(2 * P, d), state.t[0].reshape(2 * P, n)
    E = np.concatenate([f.E, f.E])
    Jv = np.zeros((2 * P * d, 2 * P * d))
    for g in range(2 * P):
        size = np.linalg.norm(p[g])
        if size > beta / rho:
            unit = p[g] / size
            block = np.eye(d) - (beta / (rho * size)) * (np.eye(d) - np.outer(unit, unit))
            Jv[g * d : (g + 1) * d, g * d : (g + 1) * d] = block
    Js = np.diag((E * t > 0).astype(float).ravel())
    image = np.kron(np.eye(2 * P), f.X)  # u ↦ (X u_g)_g
    F = np.concatenate([np.tile(f.DT[q][:, None], (1, d)) * f.X for q in range(P)], axis=1)
    F = np.concatenate([F, -F], axis=1)
    B = np.kron(np.eye(2 * P), np.eye(d) + f.kappa * f.X.T @ f.X)
    solve = np.linalg.inv(F.T @ F + rho * B) * rho
    du = solve @ np.concatenate([2 * Jv - np.eye(len(Jv)), f.kappa * image.T @ (2 * Js - np.eye(len(Js)))], axis=1)
    moved = np.concatenate([du, image @ du])
    moved[: len(Jv), : len(Jv)] -= Jv
    moved[len(Jv) :, len(Jv) :] -= Js
    values = np.linalg.eigvals(np.eye(len(moved)) + relax * moved)
    return float(np.max(np.abs(values[np.abs(values - 1) > tol])))
