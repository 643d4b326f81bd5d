"""Pennington, Bahri 2017: Geometry of Neural Network Loss Surfaces via Random Matrix Theory (ICML).

The Hessian of a loss is modelled as a positive Wishart part plus Wigner noise of the size of the loss. Read in order:

    surface    the density, the share of negative eigenvalues (index), the critical energy, the exponent 3/2, ReLU
    edges      what a finite matrix adds: the largest eigenvalue of the noise, N^{−2/3} and Tracy–Widom

Not here: the paper's trained networks at saddle points (Figures 5, 6), and E_min ≈ (1 − φ)²/2, which is empirical.

    python -m corollary.paper_repro.penningtonbahri2017
"""
