"""Ahn, Cheng, Daneshmand, Sra 2023: Transformers learn to implement preconditioned gradient descent (2306.00297).

Linear attention Z ← Z + (1/n) P Z M Zᵀ Q Z with the query masked out of the keys; the prediction is minus the last
entry. Theorem 1: for x ~ N(0, Σ), w ~ N(0, I) the global minimiser of one layer is one preconditioned step, with
eigenvalues 1/((n+1)/n λ_i + (1/n) Σ_k λ_k). Deeper layers, w ~ N(0, Σ⁻¹): A_i = −a_i Σ⁻¹ (Theorems 3 and 4), a step in
coordinates where the data are isotropic. Here K = −A multiplies the mean gradient Xᵀy/n; losses have no ½.

Read in this order: `one_layer` (Theorem 1, rates, landscape, the released baselines), `depth` (several layers; Figures
2, 6, 7, the last two with the paper's sizes at scale `paper`). Numbers of sections, figures and equations are those of
the NeurIPS version.

    python -m corollary.paper_repro.ahn2023 --figure 7
"""
