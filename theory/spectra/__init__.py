"""Random-matrix laws of Hessian spectra, their outliers, and what follows for training."""
