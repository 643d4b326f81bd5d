"""Tarzanagh, Li, Thrampoulidis, Oymak 2023: Transformers as Support Vector Machines (2308.16898).

One layer of softmax attention, f(X) = vᵀXᵀ softmax(X W z), trained to separate labels, grows without bound towards the
solution of an SVM on token pairs: in the Frobenius norm when W is trained, in the nuclear norm along the regularisation
path of W = K Qᵀ. It separates the tokens it chose from the rest of their sequences; those are a local optimum.

    setting      what all files share: the solver as target, the paper's generator
    training     W and (K, Q) by descent: directions, rates, what rounding does
    path         regularisation paths of both norms
    selection    feasibility, global and local choices
    rank         ranks of both solutions, certified
    heads        nonlinear heads: several tokens stay, W ≈ W^fin + C W^svm
    pictures     the trajectories in the plane

    python -m corollary.paper_repro.tarzanagh2023 --figure 1
"""
