r"""Several selected tokens: the generalised program for nonlinear heads (Tarzanagh et al. 2023, Section 6).

With O_i the tokens whose attention does not vanish, training is predicted to give W ≈ W^fin + C·W^svm,

    W^svm = argmin ‖W‖_F  s.t. (x_it − x_iτ)ᵀ W z_i = 0 for t, τ ∈ O_i,  ≥ 1 for t ∈ O_i, τ ∉ O_i
    W^fin = argmin ‖W‖_F  s.t. (x_it − x_iτ)ᵀ W z_i = log(s_it/s_iτ) for t, τ ∈ O_i.

Host only; the equalities are eliminated by an orthonormal basis of their null space, so d² up to a few thousand.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corollary.arrays import require_floating
from corollary.theory.attention.certificate import Certificate, Infeasible, Unconverged, certify
from corollary.theory.attention.newton import least_norm
from corollary.theory.attention.problem import Vectors, checked_tokens

TIED = 1e-12  # a row this small beside its own norm, once the equalities are eliminated, is rounding


class MultiToken(NamedTuple):
    """W_svm, W_fin (d, d) and the certificate of W_svm in the subspace of the equalities.

    multipliers (n, T) ≥ 0 of the inequalities, 0 at selected tokens: W_svm = A*λ less its part in the span of the
    equalities' rows, and certificate.dual = Σλ/‖that‖.
    """

    W_svm: np.ndarray
    W_fin: np.ndarray
    certificate: Certificate
    multipliers: np.ndarray


def multi_token(
    X: np.ndarray, Z: np.ndarray, selected: np.ndarray, probabilities: np.ndarray, *, gap: float = 1e-9
) -> MultiToken:
    """X (n, T, d), Z (n, d), selected (n, T) bool (the O_i), probabilities (n, T) > 0 where selected.

    Raises TypeError or ValueError (arrays; a sequence with none selected; all tokens of all sequences selected),
    Infeasible, Unconverged.
    """
    checked_tokens(X, Z)
    require_floating("probabilities", probabilities, ndim=2)
    n, T, d = X.shape
    O = np.asarray(selected)
    if O.dtype != bool or O.shape != (n, T) or probabilities.shape != (n, T):
        raise ValueError(
            f"selected is {O.dtype} {O.shape}, probabilities {probabilities.shape}; expected bool {(n, T)}"
        )
    if not O.any(axis=1).all() or O.all():
        raise ValueError("expected at least one selected token in each sequence and one left out somewhere")
    if not (probabilities[O] > 0).all():
        raise ValueError("a selected token has probability 0; its log-ratio is infinite: leave it out of `selected`")
    first = O.argmax(axis=1)
    rows = (np.take_along_axis(X, first[:, None, None], axis=1) - X)[..., None] * Z[:, None, None, :]
    rows = rows.reshape(n, T, d * d)
    ratios = np.log(np.take_along_axis(probabilities, first[:, None], axis=1)) - np.log(np.where(O, probabilities, 1.0))
    tied = O & (np.arange(T) != first[:, None])
    E, N = rows[tied], np.eye(d * d)
    w_fin = np.zeros(d * d)
    if len(E):
        _, s, V = np.linalg.svd(E, full_matrices=True)
        N = V[int(np.sum(s > s[0] * 1e-12)) :].T
        w_fin = np.linalg.lstsq(E, ratios[tied], rcond=1e-12)[0]
        if not np.allclose(E @ w_fin, ratios[tied], atol=1e-8):
            raise ValueError("the ratios of the selected tokens fit no W: more equalities than d² entries can meet")
    free = rows[~O] @ N
    bound = np.flatnonzero(np.linalg.norm(free, axis=1) <= TIED * np.linalg.norm(rows[~O], axis=1))
    if len(bound):
        i, t = (int(k) for k in np.argwhere(~O)[bound[0]])
        weights = np.zeros(len(free))
        weights[bound[0]] = 1.0
        raise Infeasible(
            f"infeasible by construction: in sequence {i} the equalities of the selected tokens decide the margin over "
            f"token {t}, as 0: its difference from them lies in their span",
            weights,
            0.0,
        )
    reduced = Vectors(free)

    def done(w: np.ndarray, λ: np.ndarray) -> Certificate | None:
        certificate = certify(reduced, w, λ)
        return certificate if certificate.gap <= gap else None

    certificate, w, λ = least_norm(reduced, np.ones(len(reduced.norms)), done)
    if certificate is None:
        best = certify(reduced, w, λ)
        raise Unconverged(f"stopped at a relative gap of {best.gap:.2g}; {gap:g} was asked for", best)
    w = w / certificate.min_margin
    λ = λ * np.linalg.norm(w) / np.linalg.norm(reduced.adjoint(λ))  # in the scale of KKT
    full = np.zeros((n, T))
    full[~O] = λ
    return MultiToken((N @ w).reshape(d, d), w_fin.reshape(d, d), certify(reduced, w, λ), full)
