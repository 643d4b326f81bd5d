"""The Hypothesis profiles of the suite, and kernels for the host. `backend` and `verdicts` come from
`corollary.testing.plugin`."""

import functools
import importlib.metadata
import os

import numpy as np
import pytest
from hypothesis import settings

from corollary.testing import host_kernels

installed = any(point.name == "corollary" for point in importlib.metadata.entry_points(group="pytest11"))
pytest_plugins = () if installed else ("corollary.testing.plugin",)  # a bare checkout, on a machine with a GPU

settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config):
    """`pytest -m gpu` leaves benchmarks/gpu-suite.json, where there is a GPU: what `corollary doctor` tells."""
    from corollary.run.gpu_suite import Recorder

    config.pluginmanager.register(Recorder(config), "corollary-gpu-suite")


@pytest.fixture(scope="session")
def kernel_folder(tmp_path_factory):
    """Where kernels are compiled for the host; skips without a compiler."""
    try:
        host_kernels.compiler("c++", "g++", "clang++")
    except RuntimeError as reason:
        pytest.skip(str(reason))
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(scope="session")
def host_kernel(kernel_folder):
    """kernel(source, name, dtype): a kernel of CUDA text compiled for the host, once."""

    @functools.cache
    def kernel(source, name, dtype):
        return host_kernels.host_kernel(source, name, dtype, kernel_folder)

    return lambda source, name, dtype: kernel(source, name, np.dtype(dtype))
