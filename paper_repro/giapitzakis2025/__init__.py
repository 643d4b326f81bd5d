"""Giapitzakis, Back de Luca, Fountoulakis 2025: Exact Learning of Permutations for Nonzero Binary Inputs (2502.16763).

Two-layer ReLU networks trained on the k basis vectors only; the mean of an ensemble reads a permutation of any nonzero
binary input off its signs, with O(k log k) models for one input and O(k²) for all. The theorem is about the tangent
kernel; the published experiments (k = 10, 69 models: means .6173 and −.0224, variance .00633) are in standard
parametrisation with one rate, which trains the readout: `standard` says which kernel such networks follow (NNGP: .6179,
−.0233, .00628; NTK: .5654, −.0099, .00652). k² is an upper bound: measured, all inputs need of order k log k models, as
one does, up to three times as many (`growth`).

Read in this order:

    prediction   means and variances of trained networks, and which kernel the published numbers follow
    ensembles    how many models are enough for one input, and for all
    growth       how many are needed, and how that grows with k
    figure_1     models needed, drawn from the closed form and trained

    python -m corollary.paper_repro.giapitzakis2025
"""
