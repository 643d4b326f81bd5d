"""How alike two learners are: the metrics of von Oswald et al. 2023 (Section 3) and of Fu et al. 2023 (Section 4)."""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace


class Alignment(NamedTuple):
    """Means over prompts, one a replicate (R,): |Δŷ|, cosine and L2 distance of the sensitivities ∂ŷ/∂x_q."""

    prediction: Array
    cosine: Array
    distance: Array


def alignment(p1: Array, s1: Array, p2: Array, s2: Array) -> Alignment:
    """Of two learners' predictions p (R, B) and sensitivities s (R, B, d)."""
    xp = array_namespace(p1, s1, p2, s2)
    norm = lambda v: xp.sqrt(xp.sum(v * v, axis=-1))  # noqa: E731
    cosine = xp.sum(s1 * s2, axis=-1) / (norm(s1) * norm(s2))
    return Alignment(xp.mean(xp.abs(p1 - p2), axis=1), xp.mean(cosine, axis=1), xp.mean(norm(s1 - s2), axis=1))


def error_similarity(r1: Array, r2: Array) -> Array:
    """SimE (K1, K2): mean over sequences of the cosine between residual vectors r1 (K1, B, n), r2 (K2, B, n)."""
    xp = array_namespace(r1, r2)
    unit = lambda r: r / xp.sqrt(xp.sum(r * r, axis=-1, keepdims=True))  # noqa: E731
    a = xp.reshape(unit(r1), (r1.shape[0], -1))
    b = xp.reshape(unit(r2), (r2.shape[0], -1))
    return xp.matmul(a, xp.matrix_transpose(b)) / r1.shape[1]


def weight_similarity(w1: Array, w2: Array) -> Array:
    """SimW (K1, K2): mean over contexts and sequences of the cosine between weights w1 (K1, B, n, d), w2 (K2, B, n, d).

    Of an algorithm the induced weights are its weights; of a network, the least-squares fit of its answers to queries.
    """
    xp = array_namespace(w1, w2)
    tiny = float(xp.finfo(w1.dtype).smallest_normal)
    norm = lambda w: xp.sqrt(xp.sum(w * w, axis=-1, keepdims=True))  # noqa: E731
    unit = lambda w: w / xp.maximum(norm(w), xp.full_like(norm(w), tiny))  # noqa: E731
    a, b = xp.reshape(unit(w1), (w1.shape[0], -1)), xp.reshape(unit(w2), (w2.shape[0], -1))
    return xp.matmul(a, xp.matrix_transpose(b)) / (w1.shape[1] * w1.shape[2])


def best_match(similarity: Array) -> Array:
    """(K1,): for each row the column most similar to it."""
    return array_namespace(similarity).argmax(similarity, axis=1)
