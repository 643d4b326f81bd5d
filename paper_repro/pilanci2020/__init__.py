"""Pilanci, Ergen 2020: Neural Networks are Convex Regularizers (2002.10553).

A two-layer ReLU network f = Σ (X u_j)_+ a_j with weight decay β/2 (‖U‖² + ‖a‖²) is a convex program over the activation
patterns of the data (eq. 8), with group penalty β Σ (‖v_i‖ + ‖w_i‖); with all patterns both have the same optimum
(Theorem 1). So no training of the non-convex network can end below p*, and on small problems the best of many runs
reaches it. Losses are sums over points; the squared loss is ½‖f − y‖².

Read in this order: theorem (claims), figures.

    python -m corollary.paper_repro.pilanci2020 --figure 1
"""
