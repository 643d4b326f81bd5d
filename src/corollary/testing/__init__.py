"""For people who write tests: Hypothesis strategies, array backends, guards, and a pytest plugin.

    from corollary.testing import guards, spd_matrices          # separable_data, token_sets, regression_tasks, …

With corollary installed, pytest offers the fixtures `backend` and `verdicts` and the option `--verdicts-json` (see
`corollary.testing.plugin`); `pytest -p corollary.testing.power --power PACKAGE` asks whether the tests notice 2 %.
Every name is loaded on first use: pytest loads the plugin in every project of the environment.
"""

from importlib import import_module

_HOME = {
    "backends": ["Backend", "cupy_backend", "numpy_backend", "strict_backend"],
    "guarding": ["guards"],
    "strategies": [
        "KernelInputs", "RegressionTask", "SeparableData", "TokenSets",
        "kernel_inputs", "regression_tasks", "separable_data", "spd_matrices", "token_sets",
    ],
}  # fmt: skip
_WHERE = {name: f"{__name__}.{module}" for module, names in _HOME.items() for name in names}

__all__ = sorted(_WHERE)  # noqa: PLE0605


def __getattr__(name: str):
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"corollary.testing has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__]
