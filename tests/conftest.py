"""The Hypothesis profiles of the suite. The fixtures `backend` and `verdicts` come from `corollary.testing.plugin`."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config):
    """`pytest -m gpu` leaves benchmarks/gpu-suite.json, where there is a GPU: what `corollary doctor` tells."""
    from corollary.run.gpu_suite import Recorder

    config.pluginmanager.register(Recorder(config), "corollary-gpu-suite")
