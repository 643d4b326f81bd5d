"""In-context learning by linear attention: gradient descent, preconditioned descent, GD++ and Newton, in closed form.

    task = icl.LinearTask(d=10, context=20, noise=0.1)              # noise is a variance
    icl.optimal_step(task)                                          # 0.643087: w <- w + (eta/N) X^T (y - X w)
    icl.optimal_excess(task)                                        # 3.569132: E (prediction - w.x_q)^2
    icl.gd_construction(0.643, context=20).predict(X, y, xq)        # weights of Proposition 1, run as attention
    icl.newton(X, y, steps=12).weights                              # every iterate, from one SVD

Conventions: every η multiplies the MEAN gradient, (η/N) Xᵀ(y − Xw); every excess has a clean query label and no ½.

| here | von Oswald 2023 | Mahankali 2023 | Ahn 2023 | Fu 2023 |
|---|---|---|---|---|
| context N | N | n | n (their k) | n |
| η | η (Prop. 1) | N η | from A_i = −a_i Λ⁻¹ | N η |
| excess | 2 × loss of their code | loss − σ² | loss | – |
| γ of `gd_construction` (XᵀX not divided by N) | γ | – | b_i/N | – |
| S = XᵀX, M_k | – | – | – | S, M_k (α = 1/λ_max², not 2/‖SSᵀ‖) |
"""

from corollary.theory.icl.asymptotic import LearningCurve, learning_curve
from corollary.theory.icl.constructions import (
    GradientDescent,
    Layer,
    Newton,
    attend,
    gd_construction,
    newton_construction,
)
from corollary.theory.icl.flow import gradient_flow
from corollary.theory.icl.iterations import Iterates, descent_steps, gradient_descent, newton, newton_steps
from corollary.theory.icl.loss import Attention, population_loss, population_loss_gradient, preconditioner_weights
from corollary.theory.icl.multistep import (
    Steps,
    best_gdpp,
    gd_excess,
    gdpp_condition,
    gdpp_spectrum,
    optimal_steps,
)
from corollary.theory.icl.nonlinear import NonlinearOptimum, TargetMoments, nonlinear_optimum, target_moments
from corollary.theory.icl.optimum import (
    excess,
    optimal_excess,
    optimal_preconditioner,
    optimal_step,
    rank_one_excess,
)
from corollary.theory.icl.prequential import (
    code_lengths,
    least_squares_excess,
    marginal_code_length,
    train_risk_step,
)
from corollary.theory.icl.tasks import (
    LinearTask,
    energy_gram,
    energy_square,
    gram_second_moment,
    label_moment,
    uniform_task,
)
from corollary.theory.icl.wishart import wishart_moment

__all__ = [
    "Attention", "GradientDescent", "Iterates", "Layer", "LearningCurve", "LinearTask", "Newton", "NonlinearOptimum",
    "Steps", "TargetMoments", "attend", "best_gdpp", "code_lengths", "descent_steps", "energy_gram", "energy_square",
    "excess", "gd_construction", "gd_excess", "gdpp_condition", "gdpp_spectrum", "gradient_descent", "gradient_flow",
    "gram_second_moment", "label_moment", "learning_curve", "least_squares_excess", "marginal_code_length", "newton",
    "newton_construction", "newton_steps", "nonlinear_optimum", "optimal_excess", "optimal_preconditioner",
    "optimal_step", "optimal_steps", "population_loss", "population_loss_gradient", "preconditioner_weights",
    "rank_one_excess", "target_moments", "train_risk_step", "uniform_task", "wishart_moment",
]  # fmt: skip
