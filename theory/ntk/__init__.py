"""Closed forms of the neural tangent kernel (NTK) of infinitely wide networks.

    net = ntk.mlp(depth=3, activation=ntk.Relu(), W_std=2**0.5, b_std=0.1)     # 3 hidden layers + linear head
    k = net.kernel(x1, x2)                                                     # k.nngp, k.ntk (n1, n2)
    flow = ntk.gradient_flow(net.kernel(x), y, learning_rate=1.0)
    flow.mean(t, net.kernel(x_test, x))
    ntk.Serial(ntk.Conv((3, 3)), ntk.Relu(), ntk.GlobalAvgPool(), ntk.Dense())    # images (n, height, width, channels)

NTK parametrisation z = (W_std/√fan_in) W a + b_std b, all entries of W and b iid N(0, 1).

| here                          | neural-tangents                               | Jacot, Gabriel, Hongler 2018        |
|-------------------------------|-----------------------------------------------|-------------------------------------|
| W_std, b_std                  | W_std, b_std (parameterization='ntk')         | 1, β                                |
| depth: hidden layers          | pairs Dense, activation before the last Dense | L − 1                               |
| loss (1/2N) Σ ‖f − y‖²        | (1/2) mean over points and outputs            | (1/2) ‖f − f*‖² under the data law  |
| learning rate η               | η · outputs                                   | η                                   |
| k.ntk, one output             | 'ntk'                                         | Θ^{(L)}_∞                           |
| k.nngp, bias included         | 'nngp'                                        | Σ^{(L)}                             |
| reg, added to Θ as it is      | diag_reg with diag_reg_absolute_scale=True    | none                                |
| posterior(…, noise=σ²)        | gp_inference, diag_reg=σ², absolute scale     | none                                |
| Relu() = max(x, 0)            | Relu() (no √2 in either: put it in W_std)     | ReLU                                |
| Gelu() = xΦ(x)                | Gelu(approximate=False)                       | none                                |
| Function(value, derivative)   | ElementwiseNumerical (Gauss–Hermite)          | none                                |
| FanInSum((), (…,)), Concat    | serial(FanOut, parallel, FanInSum), …Concat   | none                                |
| Attention, scores over d      | GlobalSelfAttention(linear_scaling=True)      | none                                |
| parametrization="standard",   | parameterization='standard' (Dense, Conv;     | none                                |
|   fan_in, width(s)            |   b_std=0. has a bias trained from 0)         |                                     |
| Rnn, KernelMatrix             | none                                          | none                                |

Lee et al. 2019 sum the loss over points: their η is η/N here. The dual activation of Daniely et al. 2016 is
`activation.dual(1, 1, ρ)`, given arrays. Accuracy: `relu_family` and `inputs` (every angle), `activations` (smooth).
"""

from corollary.theory.ntk.activations import Erf, Gelu, Sin
from corollary.theory.ntk.combine import Attention, Concat, Dropout, FanInSum, LayerNorm, Rnn
from corollary.theory.ntk.dynamics import Training, gradient_descent, gradient_flow
from corollary.theory.ntk.independence import squared_backprop
from corollary.theory.ntk.layers import Dense, Kernel, Network, mlp, serial
from corollary.theory.ntk.matrix import KernelMatrix
from corollary.theory.ntk.moments import EMPIRICAL as _EMPIRICAL
from corollary.theory.ntk.posterior import Posterior, posterior
from corollary.theory.ntk.quadrature import Function
from corollary.theory.ntk.relu_family import ABRelu, Abs, Identity, LeakyRelu, Relu
from corollary.theory.ntk.sklearn_kernel import sklearn_kernel
from corollary.theory.ntk.smooth_more import Cos, Polynomial, Rbf, SigmoidLike, Sign, hermite, monomial
from corollary.theory.ntk.spatial import AvgPool, Conv, Flatten, GlobalAvgPool
from corollary.theory.ntk.structured import Serial

__all__ = [
    "ABRelu", "Abs", "Attention", "AvgPool", "Concat", "Conv", "Cos", "Dense", "Dropout", "Erf", "FanInSum", "Flatten",
    "Function", "Gelu", "GlobalAvgPool", "Identity", "Kernel", "KernelMatrix", "LayerNorm", "LeakyRelu", "Network",
    "Polynomial", "Posterior", "Rbf", "Relu", "Rnn", "Serial", "SigmoidLike", "Sign", "Sin", "Training",
    "gradient_descent", "gradient_flow", "hermite", "mlp", "monomial", "posterior", "serial", "sklearn_kernel",
    "squared_backprop",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name in ("MaxPool", "GlobalMaxPool", "Softmax"):
        raise AttributeError(f"ntk has no {name}: its tangent kernel has no closed form; {_EMPIRICAL}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
