"""Spectra of Hessians: laws with an algebra, where outliers go in noise, estimators' errors, SGD stability, saddles.

law = spectra.marchenko_pastur(0.5, spectra.atoms([1.0, 4.0], [0.7, 0.3])) + spectra.semicircle(0.1)
law.support(), law.pdf(x), law.cdf(x), law.stieltjes(z)      # `law` for all methods; law + law, law @ law
spectra.wishart_wigner(phi=0.25, energy=0.1).cdf(0.0)        # the index: share of negative eigenvalues
spectra.tracy_widom(beta=1).ppf(0.95)
spectra.additive_outlier(3.0, 1.0)                           # position 10/3, overlap 8/9, detached
spectra.batch_outlier(theta, noise, batch=32)                # an outlier of the Hessian as a batch shows it
"""

from corollary.theory.spectra.estimators import (
    hutch_plus_plus_mse,
    hutchinson_variance,
    log_quadrature_error,
    xtrace_mse,
)
from corollary.theory.spectra.fitting import fit_marchenko_pastur, fit_semicircle, fit_wishart_wigner, free_cumulants
from corollary.theory.spectra.label_noise import fresh_noise_share, noise_share
from corollary.theory.spectra.law import Law
from corollary.theory.spectra.laws import activation_covariance, atoms, free_poisson, marchenko_pastur, semicircle
from corollary.theory.spectra.learning_rates import adam_rate_rule, sgd_rate_limit
from corollary.theory.spectra.outliers import Outlier, additive_outlier, batch_outlier, critical_batch, perturbed_top
from corollary.theory.spectra.saddles import (
    escape_steps,
    p_spin_hessian,
    p_spin_index,
    p_spin_threshold,
    step_factors,
)
from corollary.theory.spectra.sgd_stability import (
    batch_noise_share,
    critical_rate,
    diagonal_trace,
    gaussian_critical_rate,
    largest_trace,
    relu_trace,
    second_moment_step,
)
from corollary.theory.spectra.softmax_head import softmax_head_hessian
from corollary.theory.spectra.spikes import outlier_over, sample_critical_batch, sample_outlier
from corollary.theory.spectra.tracy_widom import TracyWidom, tracy_widom
from corollary.theory.spectra.wishart_wigner import (
    critical_energy,
    index,
    index_constant,
    relu_critical_energy,
    relu_wishart_wigner,
    wishart_wigner,
)

__all__ = [
    "Law", "Outlier", "TracyWidom", "activation_covariance", "adam_rate_rule", "additive_outlier", "atoms",
    "batch_noise_share", "batch_outlier", "critical_batch", "critical_energy", "critical_rate", "diagonal_trace",
    "escape_steps", "fit_marchenko_pastur", "fit_semicircle", "fit_wishart_wigner", "free_cumulants", "free_poisson",
    "fresh_noise_share", "gaussian_critical_rate", "hutch_plus_plus_mse", "hutchinson_variance", "index",
    "index_constant", "largest_trace", "log_quadrature_error", "marchenko_pastur", "noise_share", "outlier_over",
    "p_spin_hessian", "p_spin_index", "p_spin_threshold", "perturbed_top", "relu_critical_energy", "relu_trace",
    "relu_wishart_wigner", "sample_critical_batch", "sample_outlier", "second_moment_step", "semicircle",
    "sgd_rate_limit", "softmax_head_hessian", "step_factors", "tracy_widom", "wishart_wigner", "xtrace_mse",
]  # fmt: skip
