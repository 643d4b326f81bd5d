"""Where tasks run: in this process, in processes here (one BLAS thread each, none surviving its parent), or on Dask."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any


class ExecutorError(ValueError):
    """An executor that does not exist or cannot be reached."""


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _start_worker() -> None:
    """One BLAS thread, and a watch on the parent: a killed parent leaves no worker behind."""
    from threadpoolctl import threadpool_limits

    threading.Thread(target=_die_with_parent, daemon=True).start()
    threadpool_limits(1)


class Processes:
    """A pool of spawned processes that is made anew when a worker has been killed."""

    def __init__(self, workers: int | None = None):
        self.workers = workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or 2
        self._pool: ProcessPoolExecutor | None = None

    def pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            for name in _THREADS:  # inherited by the workers, whose BLAS reads it when it is loaded
                os.environ.setdefault(name, "1")
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
            )
        return self._pool

    def discard(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


@contextmanager
def executor_from(spec: str | None, device: str = "cpu") -> Iterator[Any]:
    """The executor a command line names: serial, processes, processes:N or dask:ADDRESS.

    None: processes on the CPU, this process on a GPU. Raises ExecutorError for anything else, and where
    Dask is missing or does not answer.
    """
    spec = spec or ("processes" if device == "cpu" else "serial")
    name, _, rest = spec.partition(":")
    if spec == "serial":
        yield None
    elif name == "processes" and (not rest or (rest.isdigit() and int(rest) > 0)):
        processes = Processes(int(rest) if rest else None)
        try:
            yield processes
        finally:
            processes.discard()
    elif name == "dask" and rest:
        with _dask(rest) as executor:
            yield executor
    else:
        raise ExecutorError(f"unknown executor {spec!r}; expected serial, processes, processes:N or dask:ADDRESS")


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ExecutorError("executor dask: needs the extra: pip install 'corollary[cluster]'") from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except OSError as error:
        raise ExecutorError(f"no Dask scheduler answers at {address}: {error}") from error
    with contextlib.closing(client):
        yield client.get_executor()
