"""What all files share: the bibliography, and the certified SVM that training is compared with."""

from __future__ import annotations

import numpy as np

from corollary.claims import Paper
from corollary.theory import attention

PAPER = Paper(
    key="tarzanagh2023",
    title="Transformers as Support Vector Machines",
    authors="Davoud Ataee Tarzanagh, Yingcong Li, Christos Thrampoulidis, Samet Oymak",
    year=2023,
    arxiv="2308.16898",
    summary="Softmax attention converges in direction to an SVM on token pairs; which norm depends on what is trained.",
    conventions="f_i = vᵀX_iᵀ softmax(X_i W z_i), no 1/√d, logistic loss averaged over sequences; cross-attention: "
    "queries z_i of their own. Tokens, queries and head are unit Gaussian directions, labels random signs. Normalised "
    "descent, rate 0.1; K and Q normalised each on its own, as in the authors' code. "
    "Theorems are stated as recalled: their wording was not compared with the paper's.",
)

PATH_OF_KQ = (
    r"With $W = KQ^\top$ and $(\|K\|_F^2 + \|Q\|_F^2)/2 \le R$, the distance of $KQ^\top/R$ from the normalised "
    r"solutions of the nuclear-norm SVM vanishes as $R\to\infty$ along the regularisation path. For descent on $K$ and "
    "$Q$ the paper has experiments only."
)
PLACE = {"n": 6, "T": 8, "d": 10, "rate": 0.1}  # of the paper's local-convergence experiment


def target(X: np.ndarray, Z: np.ndarray, chosen: np.ndarray, norm: str) -> np.ndarray:
    """W^mm of the chosen tokens, within √(2·10⁻⁹) of the optimum, relatively: far below what training resolves."""
    return np.asarray(attention.svm(X, Z, chosen, norm="nuclear" if norm == "nuclear" else "frobenius").W)


def locally_optimal(X: np.ndarray, Z: np.ndarray, chosen: np.ndarray, scores: np.ndarray) -> bool:
    """Whether the chosen tokens are a local optimum (Definition 2): above their support tokens in score."""
    return attention.locally_optimal(attention.svm(X, Z, chosen), scores)


def program(X: np.ndarray, Z: np.ndarray, selected: np.ndarray, probabilities: np.ndarray):
    """(W^svm, W^fin) of the generalised program, None where it is infeasible."""
    try:
        found = attention.multi_token(X, Z, selected, probabilities)
    except attention.Infeasible:
        return None
    return found.W_svm, found.W_fin
