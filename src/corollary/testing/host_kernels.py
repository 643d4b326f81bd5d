"""CUDA kernels run on the host: the text that `corollary.numerics.cuda` hands to the GPU, through a C++ compiler.

Threads run one after the other, so this shows wrong formulas and wrong indices, not races or slow memory access.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from corollary.numerics import cuda


def compiler(*names: str) -> str:
    """The first of these programs that this machine has. Raises RuntimeError where there is none."""
    for name in names:
        if found := shutil.which(name):
            return found
    raise RuntimeError(f"this machine has none of {', '.join(names)}")


def host_kernel(source: str, name: str, dtype: Any, folder: Path) -> cuda.Launch:
    """`cuda.kernel` for NumPy arrays, compiled by c++, g++ or clang++ in `folder`, without contraction of a·b + c.

    Raises RuntimeError without a compiler, or with its messages; TypeError in a call, for arguments that a GPU would
    read wrongly: arrays not C-contiguous, Python numbers, anything of another type or count than the kernel's.
    """
    dtype = np.dtype(dtype)
    expected = _parameters(source, name, dtype)
    program, stem = compiler("c++", "g++", "clang++"), folder / f"{name}-{dtype}"
    stem.with_suffix(".cpp").write_text(cuda.text(source, dtype))
    options = ["-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
               "-fPIC", "-shared"]  # fmt: skip
    _compiled([program, *options, str(stem.with_suffix(".cpp")), "-o", str(stem.with_suffix(".so"))])
    library = ctypes.CDLL(str(stem.with_suffix(".so")))

    def launch(grid: tuple[int, int], block: tuple[int, int], arguments: tuple[Any, ...]) -> None:
        if len(arguments) != len(expected):
            raise TypeError(f"{name} takes {len(expected)} arguments, got {len(arguments)}")
        library.shape(*grid, *block)
        getattr(library, name)(*map(_passed, arguments, expected))

    return launch


def ptx(source: str, dtype: Any, folder: Path) -> str:
    """The same text compiled for a GPU by nvcc. Raises RuntimeError without nvcc, or with its messages."""
    program, stem = compiler("nvcc"), folder / f"kernel-{np.dtype(dtype)}"
    stem.with_suffix(".cu").write_text(cuda.text(source, np.dtype(dtype)))
    _compiled([program, "-ptx", str(stem.with_suffix(".cu")), "-o", str(stem.with_suffix(".ptx"))])
    return stem.with_suffix(".ptx").read_text()


def _compiled(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _parameters(source: str, name: str, dtype: np.dtype) -> list[tuple[str, np.dtype, bool]]:
    """Name, element type and whether it is an array, of each parameter of the kernel."""
    found = re.search(rf"__global__ void {name}\(([^)]*)\)", source)
    if found is None:
        raise RuntimeError(f"the source has no kernel {name}")
    types = {"real": dtype, "double": np.dtype(float), "int": np.dtype(np.int32), "long long": np.dtype(np.int64),
             "signed char": np.dtype(np.int8)}  # fmt: skip
    out = []
    for text in found[1].split(","):
        kind, parameter = text.replace("const ", "").strip().rsplit(" ", 1)
        out.append((parameter, types[kind.rstrip("*")], kind.endswith("*")))
    return out


def _passed(argument: Any, expected: tuple[str, np.dtype, bool]) -> Any:
    name, dtype, array = expected
    if array and isinstance(argument, np.ndarray) and argument.flags.c_contiguous and argument.dtype == dtype:
        return ctypes.c_void_p(argument.ctypes.data)
    if not array and isinstance(argument, np.generic) and argument.dtype == dtype:
        return np.ctypeslib.as_ctypes_type(dtype)(argument.item())
    got = type(argument).__name__
    if isinstance(argument, np.ndarray):
        got = f"an array of {argument.dtype}{'' if argument.flags.c_contiguous else ', not C-contiguous'}"
    raise TypeError(f"{name} is {got}; expected {'a C-contiguous array' if array else 'a NumPy scalar'} of {dtype}")
