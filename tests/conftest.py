"""The Hypothesis profiles of the suite, and kernels for the host. `backend` and `verdicts` come from
`corollary.testing.plugin`."""

import functools
import os

import numpy as np
import pytest
from hypothesis import settings

from corollary.testing import host_kernels

settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config):
    """`pytest -m gpu` leaves benchmarks/gpu-suite.json, where there is a GPU: what `corollary doctor` tells."""
    from corollary.run.gpu_suite import Recorder

    config.pluginmanager.register(Recorder(config), "corollary-gpu-suite")


@pytest.fixture(scope="session")
def host_kernel(tmp_path_factory):
    """kernel(source, name, dtype): a kernel of CUDA text compiled for the host, once; skips without a compiler."""
    try:
        host_kernels.compiler("c++", "g++", "clang++")
    except RuntimeError as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("kernels")

    @functools.cache
    def kernel(source, name, dtype):
        return host_kernels.host_kernel(source, name, dtype, folder)

    return lambda source, name, dtype: kernel(source, name, np.dtype(dtype))
