"""Spectra of Hessians: where outliers go in noise, how wrong spectral estimators are, where label noise sits.

    spectra.additive_outlier(3.0, 1.0)              # position 10/3, overlap 8/9, detached
    spectra.batch_outlier(theta, noise, batch=32)   # an outlier of the Hessian as a batch shows it, isotropic noise
    spectra.perturbed_top(values, couplings)        # the same with the noise's own couplings

Random-matrix laws, their algebra and SGD stability are not here yet.
"""

from corollary.theory.spectra.estimators import hutch_plus_plus_mse, hutchinson_variance, log_quadrature_error
from corollary.theory.spectra.label_noise import fresh_noise_share, noise_share
from corollary.theory.spectra.outliers import Outlier, additive_outlier, batch_outlier, critical_batch, perturbed_top

__all__ = [
    "Outlier", "additive_outlier", "batch_outlier", "critical_batch", "fresh_noise_share", "hutch_plus_plus_mse",
    "hutchinson_variance", "log_quadrature_error", "noise_share", "perturbed_top",
]  # fmt: skip
