"""Mishkin, Pilanci 2023: Optimal Sets and Solution Paths of ReLU Networks (2306.00119).

All global optima of a two-layer ReLU network's convex program at once: the fit is unique, each neuron's direction is
fixed, and only the amounts α ≥ 0 are free, in a polytope Z α = f*. Its vertices are minimal networks; pruning finds one
without changing what the network predicts; the path p(β) is concave with slope T(β). Loss ½‖f − y‖²; their λ is β.

    theory     the claims
    figures    solution path, pruning, and two optimal networks side by side

    python -m corollary.paper_repro.mishkin2023optimal --figure 1
"""
