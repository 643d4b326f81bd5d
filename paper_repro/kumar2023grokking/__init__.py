"""Kumar, Bordelon, Gershman, Pehlevan 2023: Grokking as the Transition from Lazy to Rich Training Dynamics
(2310.06110).

A committee f(x) = (α/N) Σ φ(w_i·x), φ(h) = h + (ε/2) h², learns y = (1/2)(β·x)² from P points x ~ N(0, I/D). Its loss
depends on two moments of the weights, in which gradient descent closes exactly at every width (ours; the paper takes
N → ∞). Lazy training (large α) is kernel regression and fails below D(D + 3)/2 points; rich training does not, and the
larger α, the later it leaves the lazy solution: grokking. The MNIST and transformer figures are out of scope.
Read in this order:

    closure    descent closes exactly in the two moments; the loss of a test point
    kernel     eigenvalues of the initial kernel, alignment of the target, errata
    lazy       the lazy limit, its threshold, and the distance to it
    sweep      grokking: the larger α, the later the test error follows; the figure

    python -m corollary.paper_repro.kumar2023grokking
"""
