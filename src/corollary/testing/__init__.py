"""For people who write property tests: array backends, and the mark that says which functions a test guards."""

from corollary.testing.backends import Backend, cupy_backend, numpy_backend, strict_backend
from corollary.testing.guarding import guards

__all__ = ["Backend", "cupy_backend", "guards", "numpy_backend", "strict_backend"]
