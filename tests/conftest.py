"""Fixtures and the Hypothesis profiles of the suite."""

import os

import pytest
from hypothesis import settings

from corollary.testing import Backend, cupy_backend, numpy_backend, strict_backend

settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(params=["numpy", "strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def backend(request) -> Backend:
    """Every test of `theory/` and `sims/` takes this: NumPy, array_api_strict on device1, CuPy where present."""
    if request.param == "cupy":
        try:
            return cupy_backend()
        except RuntimeError as reason:
            pytest.skip(str(reason))
    return {"numpy": numpy_backend, "strict": strict_backend}[request.param]()
