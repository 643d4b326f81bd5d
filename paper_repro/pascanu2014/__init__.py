"""Pascanu, Dauphin, Ganguli, Bengio 2014: On the saddle point problem for non-convex optimization (1405.4604).

In high dimensions stationary points above the lowest energies are saddles, and methods differ in how they treat them.

    spins      the Hessian of a Gaussian landscape at a given energy, its index, the energy below which all is minima
    methods    gradient descent, Newton and saddle-free Newton where each step can be computed by hand

Bray & Dean's constants for fields on the plane and the paper's experiments on MNIST and CIFAR-10 are not here.

    python -m corollary.paper_repro.pascanu2014
"""
