"""Spectra, measured: of random matrices drawn from an ensemble, and of any symmetric operator through its products.

    density = lanczos_density(operator, steps=80, probes=16, rng=rng)   # density.pdf(x), .cdf(x), .edges, .trace(f)
    top_eigenpairs(operator, k=10)                                      # values, vectors, residuals
    trace(operator, method="xtrace", rng=rng)                           # value, low, high
    diagonal(operator, rng=rng)                                         # values, errors
    lanczos_density(operator, rng=rng, progress=bar())                  # memory told first, then a bar

`operator`: a matrix, a SciPy or CuPy LinearOperator, a `sims.common.curvature.Curvature`, or a callable with n=.
"""

from corollary.sims.spectra.density import Density, lanczos_density
from corollary.sims.spectra.diagonals import Diagonal, diagonal
from corollary.sims.spectra.eigenpairs import Eigenpairs, NotConverged, top_eigenpairs
from corollary.sims.spectra.operators import Operator, as_operator
from corollary.sims.spectra.probes import Estimate
from corollary.sims.spectra.progress import bar
from corollary.sims.spectra.traces import trace

__all__ = [
    "Density", "Diagonal", "Eigenpairs", "Estimate", "NotConverged", "Operator", "as_operator", "bar",
    "diagonal", "lanczos_density", "top_eigenpairs", "trace",
]  # fmt: skip
