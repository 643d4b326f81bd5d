"""Largest learning rates as a function of the batch size (Granziol, Zohren, Roberts 2020, Sections 4 and 5).

sgd_rate_limit    2/λ₁(b), λ₁(b) the top eigenvalue that a batch shows: θ + s²/θ above the critical batch, the bulk's
                  edge 2s below it, s² = noise (1/b − 1/N). Grows at first, saturates at 2/θ. Proven is stability of
                  descent on one batch's quadratic; that it limits SGD over changing batches is the paper's heuristic.
                  Exact for SGD in mean square is `gaussian_critical_rate`: linear in b, then saturating at 2/λ₁.
adam_rate_rule    rate · √(b/b₀): a **heuristic** of the paper (Adam divides by the root of a noisy second moment); no
                  theorem stands behind it, here or there.
"""

from __future__ import annotations

import math

from corollary.theory.spectra.laws import positive
from corollary.theory.spectra.outliers import batch_outlier


def sgd_rate_limit(theta: float, noise: float, batch: float, samples: float = math.inf) -> float:
    """2/λ₁ of the Hessian on a batch; parameters and errors as `batch_outlier`, and ValueError for θ < 0."""
    outlier = batch_outlier(positive("theta", theta), noise, batch, samples)
    edge = 2 * math.sqrt(noise * (1 / batch - 1 / samples))
    return 2 / (outlier.position if outlier.detached else edge)


def adam_rate_rule(rate: float, batch: float, reference: float) -> float:
    """The rate at `batch` for one tuned at batch `reference`: heuristic (see the module). ValueError unless all > 0."""
    return positive("rate", rate) * math.sqrt(positive("batch", batch) / positive("reference", reference))
