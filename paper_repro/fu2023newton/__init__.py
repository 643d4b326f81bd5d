"""Fu, Chen, Jia, Sharan 2023: Transformers Learn to Achieve Second-Order Convergence Rates … (2310.17086).

Noiseless regression, d = 20, contexts of 1…40 examples. Newton's (Schulz) iteration M ← 2M − MSM converges in
2 log₂κ + log₂ log(1/ε) steps, gradient descent in κ log(1/ε); matching the two by their errors gives an exponential
number of descent steps per Newton step (Figure 26). The paper's comparison with a trained GPT-2 is not repeated here:
its months of CPU are out of reach, so the algorithm curves and their similarity stand alone. Numbers of sections,
figures and theorems are those of the NeurIPS version.

| | as printed | here |
|---|---|---|
| M₀ = αS | α = 2/‖SSᵀ‖₂ | α = 1/λ_max(S)² (theirs never converges in the top direction) |
| descent | step on Σ(y − w·x)², rate 0.01 in the code | the same rate on the same sum |

Read in this order: `convergence` (rates, and three errata), `matching` (how many steps match), `curves` (the algorithm
curves of Figures 2, 4, 5, 7, 15, the heat maps of 26), `stand_in` (a trained linear stack in place of GPT-2).

    python -m corollary.paper_repro.fu2023newton --figure 26
"""
