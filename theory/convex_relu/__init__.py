"""Two-layer ReLU networks as convex programs: solvers with certificates, optimal sets, adversarial training.

    D = convex_relu.sample_patterns(X, 100, rng)               # or all_patterns(X), exact, degenerate data included
    sol = convex_relu.solve(X, y, beta, D, loss="squared", tol=1e-6)
    sol.objective, sol.certificate                                  # of a feasible point; primal, dual, gap, scope
    cv = convex_relu.cross_validate(X, y, D, betas, folds=5)        # cv.mean, cv.best; on a GPU all in one batch
    net = sol.network().prune();  net.predict(X_new)                # at most rank Z neurons, same predictions on X

Network f = Σ_j (X u_j)_+ a_j, penalty β/2 (‖U‖² + ‖a‖²) ⇔ β Σ (‖v_i‖ + ‖w_i‖); losses are sums over points, no 1/n:

| here                         | Pilanci & Ergen 2020 | Bai et al. 2022         | pyscnn (Mishkin et al. 2022)        |
|------------------------------|----------------------|-------------------------|----------------------------------|
| squared: ½‖f − y‖²           | ½‖f − y‖²            | ½‖f − y‖² in their code | ‖f − y‖²/(2 n c): λ = β/n, c = 1 |
| β (‖v‖ + ‖w‖)                | β                    | β                       | λ                                |
| logistic: Σ log(1 + e^{−yf}) | any convex           | labels {0,1}, f doubled | none                             |
| patterns 1[Xg ≥ 0]           | D_i                  | D_i, P_s sampled        | D (n, P), zero pattern dropped   |

With all patterns the optimum is the network's own global optimum (`certificate.scope` says when that is so). The
optimum over sampled patterns is that of the sampled program: other networks may lie below it.
"""

from corollary.theory.convex_relu.bai import dense_admm, rbcd_admm
from corollary.theory.convex_relu.certificate import Certificate, certify, dual_bound
from corollary.theory.convex_relu.critical import critical_beta
from corollary.theory.convex_relu.folds import CrossValidation, cross_validate
from corollary.theory.convex_relu.lasso import (
    LassoSolution,
    mean_violation_bound,
    paper_samples,
    sampled_lasso,
    sphere,
    tail_violation_bound,
)
from corollary.theory.convex_relu.optimal_set import OptimalSet, optimal_set
from corollary.theory.convex_relu.path import Path, path
from corollary.theory.convex_relu.patterns import (
    all_patterns,
    pattern_bound,
    pattern_count,
    patterns_of,
    sample_gates,
    sample_patterns,
)
from corollary.theory.convex_relu.problem import Network, Problem, network
from corollary.theory.convex_relu.pruning import prune
from corollary.theory.convex_relu.rate import linearised_rate
from corollary.theory.convex_relu.robust import RobustSolution, robust_objective, solve_robust
from corollary.theory.convex_relu.solve import NotConverged, Solution, solve

__all__ = [
    "Certificate", "CrossValidation", "LassoSolution", "Network", "NotConverged", "OptimalSet", "Path", "Problem",
    "RobustSolution", "Solution", "all_patterns", "certify", "critical_beta", "cross_validate", "dense_admm",
    "dual_bound", "linearised_rate", "mean_violation_bound", "network", "optimal_set", "paper_samples", "path",
    "pattern_bound", "pattern_count", "patterns_of", "prune", "rbcd_admm", "robust_objective", "sample_gates",
    "sample_patterns", "sampled_lasso", "solve", "solve_robust", "sphere", "tail_violation_bound",
]  # fmt: skip
