"""Wu, Su 2023: The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent (2305.17490).

A minimum at which SGD can stay bounds its own sharpness, and sharpness is a norm of the weights. Read in this order:

    operator    the second moment follows a linear operator exactly; the critical step size; Gaussian gradients
    trace       tr H ≤ 2/η at batch 1, not at larger batches; traces of two networks as norms
    escape      a nonlinear network leaves a minimum where the threshold says, and settles where it is stable

    python -m corollary.paper_repro.wu2023stability
"""
