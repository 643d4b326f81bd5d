"""Jacot, Gabriel, Hongler 2018: Neural Tangent Kernel: Convergence and Generalization in Neural Networks (1806.07572).

In the limit of infinite width the tangent kernel of a network is deterministic at initialisation (Theorem 1) and stays
constant in training (Theorem 2), so that training is kernel gradient descent: fastest along the top kernel principal
components, and Gaussian at convergence (Section 5). Read in this order:

    setting            the paper's conventions
    initialisation     Theorem 1: limit, fluctuation, bias
    training           Theorem 2: how far the kernel moves
    components         Section 5: decay along kernel principal components, Gaussian at convergence
    figure_1, figure_2, figure_3, theorem_2 (a picture the paper does not have)

    python -m corollary.paper_repro.jacot2018 --figure 1
"""
