"""Implicit bias of softmax attention and its neighbours: solvers with certificates, and closed forms.

    sol = attention.svm(X, Z, chosen)                  # X (n, T, d), Z (n, d), chosen (n,); norm="nuclear" for W = K Qᵀ
    sol.W, sol.objective, sol.multipliers, sol.certificate.gap
    attention.support_tokens(sol), attention.locally_optimal(sol, scores), attention.feasible(X, Z, chosen)

`svm` the attention-SVM (Tarzanagh et al. 2023), with rank=m for K, Q of m columns (local minima: see there),
`svm_batch` many at once on any backend, `multi_token` the program for nonlinear heads. `hard_margin`, `perceptron`
linear separation (Tyurin 2024), `sequential_max_margin` continual learning (Evron et al. 2023), `collapse` deep linear
networks (Dang et al. 2023).
"""

from corollary.theory.attention.certificate import Certificate, Infeasible, Unconverged
from corollary.theory.attention.collapse import (
    Collapse,
    collapse,
    frame_cross_entropy,
    logit_penalty,
    polygon_cross_entropy,
)
from corollary.theory.attention.continual import contraction, forgetting, sequential_max_margin
from corollary.theory.attention.fista import Batch, svm_batch
from corollary.theory.attention.large_steps import imbalanced_example, imbalanced_steps, perceptron_gap
from corollary.theory.attention.margin import Margin, Projection, hard_margin, project_margin
from corollary.theory.attention.multi_token import MultiToken, multi_token
from corollary.theory.attention.nnls import min_norm_nnls
from corollary.theory.attention.pairs import frame_minimum, pairs_cross_entropy, pairs_ratio
from corollary.theory.attention.perceptron import Bounds, equality_step, perceptron, step_bounds
from corollary.theory.attention.svm import Solution, feasible, locally_optimal, support_tokens, svm
from corollary.theory.attention.weak_regularisation import weak_regularisation_shift

__all__ = [
    "Batch", "Bounds", "Certificate", "Collapse", "Infeasible", "Margin", "MultiToken", "Projection", "Solution",
    "Unconverged", "collapse", "contraction", "equality_step", "feasible", "forgetting", "frame_cross_entropy",
    "frame_minimum", "hard_margin", "imbalanced_example", "imbalanced_steps", "locally_optimal", "logit_penalty",
    "min_norm_nnls", "multi_token", "pairs_cross_entropy", "pairs_ratio", "perceptron", "perceptron_gap",
    "polygon_cross_entropy", "project_margin", "sequential_max_margin", "step_bounds", "support_tokens", "svm",
    "svm_batch", "weak_regularisation_shift",
]  # fmt: skip
