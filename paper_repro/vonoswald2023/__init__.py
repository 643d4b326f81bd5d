"""von Oswald et al. 2023: Transformers Learn In-Context by Gradient Descent (2212.07677).

Weights exist for which one linear self-attention layer makes one step of gradient descent (Proposition 1);
trained layers find them, deeper ones learn GD++, a descent on inputs that each layer transforms. Read in this order:

    setting     conventions: U(−½, ½) in the code, U(−1, 1) in the text; the ½ of the loss
    one_layer   Proposition 1, the best step, what one layer cannot reach
    trained     layers trained on the exact loss; Figures 2 and 6
    repeated    Figure 1 (right) and 10: one layer applied many times; Figure 9: its weights
    depth       several layers; Figures 3 and 7
    gdpp        GD++ and the spectrum of the Gram matrix; Figure 13
    sine        Figure 4: sine waves, features from an MLP (Proposition 2)
    copying     Figure 5: tokens to be paired by a softmax layer first (Proposition 3)
    heads       Figure 12: softmax attention with one head and two

Not reproduced: Figures 8, 11, 14 to 16 (full transformer blocks, softmax weights, LayerNorm, seeds, a fixed data set).

    python -m corollary.paper_repro.vonoswald2023 --figure 2
"""
