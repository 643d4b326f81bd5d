"""Five architectures, each as layers of a finite network and of the infinitely wide one, on two fixed inputs."""

from __future__ import annotations

import numpy as np

from corollary.claims import Paper
from corollary.theory import ntk

PAPER = Paper(
    key="yang2019",
    title="Scaling Limits of Wide Neural Networks with Weight Sharing: Gaussian Process Behavior, Gradient "
    "Independence, and Neural Tangent Kernel Derivation",
    authors="Greg Yang",
    year=2019,
    arxiv="1902.04760",
    summary="Every architecture is a Gaussian process with a deterministic tangent kernel at infinite width, if its "
    "readout is random and centred.",
    conventions="NTK parametrisation, width n in every hidden layer; attention with scores scaled by 1/n and one "
    "matrix for queries and keys; the recurrent network's last state is read out.",
)

_rng = np.random.default_rng(1902)
# two correlated sequences of 4 tokens with 3 channels; vectors are the first token of each
_tokens = _rng.standard_normal((2, 4, 3))
TEXT = np.stack([_tokens[0], 0.7 * _tokens[0] + 0.7 * _tokens[1]])
POINTS = TEXT[:, 0]

_W, _b = 2**0.5, 0.1
_HEAD, _DENSE = (("dense", 1.0, _b),), ntk.Dense(1.0, _b)
_conv, _CONV = ("conv", (3,), _W, _b), ntk.Conv((3,), _W, _b)
_relu, _RELU, _erf, _ERF = ("relu",), ntk.Relu(), ("erf",), ntk.Erf()

# name → (inputs, layers of `sims.ntk.exact`, the same of `theory.ntk`)
NETWORKS = {
    "MLP": (
        POINTS,
        (("dense", _W, _b), _relu, ("dense", _W, _b), _relu, *_HEAD),
        ntk.Serial(ntk.Dense(_W, _b), _RELU, ntk.Dense(_W, _b), _RELU, _DENSE),
    ),
    "CNN": (
        TEXT,
        (_conv, _relu, _conv, _relu, ("global_avg_pool",), *_HEAD),
        ntk.Serial(_CONV, _RELU, _CONV, _RELU, ntk.GlobalAvgPool(), _DENSE),
    ),
    "ResNet": (
        TEXT,
        (_conv, ("sum", (), (_relu, _conv)), ("sum", (), (_relu, _conv)), _relu, ("global_avg_pool",), *_HEAD),
        ntk.Serial(_CONV, ntk.FanInSum((), (_RELU, _CONV)), ntk.FanInSum((), (_RELU, _CONV)), _RELU,
                   ntk.GlobalAvgPool(), _DENSE),
    ),
    "RNN": (
        TEXT,
        (("rnn", "erf", 1.2, 0.8, _b), *_HEAD),
        ntk.Serial(ntk.Rnn(_ERF, 1.2, 0.8, _b), _DENSE),
    ),
    "attention": (
        TEXT,
        (("dense", 1.0, _b), _erf, ("attention", 0.5, 1.0, _b, "softmax"), _erf, ("flatten",), *_HEAD),
        ntk.Serial(_DENSE, _ERF, ntk.Attention(0.5, 1.0, _b), _ERF, ntk.Flatten(), _DENSE),
    ),
}  # fmt: skip


def limit(name: str) -> ntk.Kernel:
    """Kernels (2, 2) at infinite width."""
    x, _, net = NETWORKS[name]
    return net.kernel(x)
