"""Granziol, Zohren, Roberts 2020: Learning Rates as a Function of Batch Size, by random matrix theory (2006.09092).

The Hessian on a batch is the full one plus noise; where the noise is a Wigner matrix, an outlying eigenvalue θ moves to
θ + s²/θ with s² = P σ²(1/b − 1/N), and drowns in the bulk below the batch size b* = Pσ²/θ². Read in this order:

    spiked          the law on matrices where it is exact: position, overlap, the general bulk
    batches         where s² comes from, on pools of matrices: 1/b − 1/N, the broadened edge, the critical batch b*
    gauss_newton    the same for positive noise: sample-covariance spikes, where they drown
    rates           largest learning rates against the batch size: linear, then saturating
    real_network    a digits network of 610 parameters: the isotropic law fails, second-order perturbation theory holds
    broadening      its density at three batch sizes: the size of the noise is as predicted, its shape is not
    densities       the density of its Hessian beside fitted laws, before and after training, and where its outliers go

The statement is rebuilt from the model; the paper's wording of its theorems was not at hand.

    python -m corollary.paper_repro.granziol2020
"""
