"""Bai, Gautam, Sojoudi 2022: Efficient Global Optimization of Two-Layer ReLU Networks (2201.01965).

Quadratic-time algorithms (ADMM, randomised block coordinate descent) for the convex program of a two-layer ReLU
network over sampled patterns, a sampled convex program (SCP) whose violation falls as 1/N, and a convex program for
adversarial training. The paper measures ADMM's iterates as they are; they leave their cones, so their objective can lie
below the optimum. Here only feasible points are reported, each with its gap. Read in this order:

    admm       convergence: the tail's rate, the projected iterate, the printed accuracy of an infeasible one
    scp        sampled directions: how often a new one is violated
    robust     adversarial training: what the convex program is, and what it buys
    images     two classes of images: accuracy against iterations, and under attack
    data       the images: bundled digits, or your CIFAR-10, MNIST or CSV files
    figures    the figures on synthetic data

Sections are those of the second arXiv version (2 the convex program, 3 ADMM, 4 adversarial training, 5 experiments);
theorems are named by what they say, since their numbers differ between versions.

    python -m corollary.paper_repro.bai2022 --figure 1
"""
