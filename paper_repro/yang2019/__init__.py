"""Yang 2019: Scaling Limits of Wide Neural Networks with Weight Sharing (1902.04760).

Networks of any architecture, weights shared or not, are Gaussian processes at infinite width and have a deterministic
tangent kernel, found as if the backward pass used weights of its own: allowed where the readout is random and centred
("gradient independence"), and wrong where it is not. Read in this order:

    setting        five architectures, finite and infinite
    deviation      the tangent kernel converges to the limit of `theory/ntk`, at rate n^(−1/2)
    gaussian       outputs are Gaussian with the NNGP kernel's variance
    independence   a readout by the mean, where gradient independence fails
    figure_1       all three in pictures (not a figure of the paper)

    python -m corollary.paper_repro.yang2019
"""
