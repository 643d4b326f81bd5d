"""Yang, Hu 2020: Feature Learning in Infinite-Width Neural Networks (2011.14522; ICML 2021, Tensor Programs IV).

How weights, starts and the learning rate scale with the width decides whether infinitely wide networks learn features
or stay with their first kernel: one exponent r tells which. Linear networks with one hidden layer have the feature
learning limit in closed form; that it closes in one moment, at every width, and the size of the finite-width error are
ours. The Word2Vec and Omniglot figures need data that are not here; clusters of points stand in. Read in this order:

    linear       the limit in maximal-update scaling: closure, finite width, modes
    dichotomy    the exponent r: features' movement in five parametrisations, start, divergence
    clusters     features of trained networks: they follow the labels, or stay
    pictures     the phase diagram, and rates

    python -m corollary.paper_repro.yang2020featurelearning
"""
