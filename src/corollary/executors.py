"""Where tasks run: in this process, in processes here (one BLAS thread each, none surviving its parent), or on Dask."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any


class ExecutorError(ValueError):
    """An executor that does not exist or cannot be reached."""


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
CONNECT = 10.0  # seconds to wait for a scheduler's answer
LINGER = 10.0  # seconds to wait for the thread of a pool whose workers have been killed


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _start_worker() -> None:
    """One BLAS thread; a watch on the parent, which may be killed; Ctrl-C is the parent's affair."""
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    threadpool_limits(1)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """A process started here is born deaf to Ctrl-C: it would print a traceback while it loads."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would unblock the signal when it is first needed
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Processes:
    """A pool of spawned processes that is made anew when a worker has been killed."""

    def __init__(self, workers: int | None = None):
        here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = workers or here
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        if self._pool is None:
            for name in _THREADS:  # inherited by the workers, whose BLAS reads it when it is loaded
                os.environ.setdefault(name, "1")
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
            )
        try:
            with _no_interrupt():
                return self._pool.submit(function, *arguments)
        except (OSError, ValueError) as error:
            # the pool's thread, once it has met a dead worker, closes pipes that are being handed to a new one here
            if self.lost_one() or getattr(self._pool, "_broken", False):
                raise BrokenExecutor("a worker died while another was started") from error
            raise

    def _processes(self) -> list[Any]:
        return list((getattr(self._pool, "_processes", None) or {}).values())

    def lost_one(self) -> bool:
        """Whether a worker is dead. The pool itself never learns it of one that died while it sent a result."""
        return bool(wait([p.sentinel for p in self._processes()], timeout=0))

    def discard(self) -> None:
        """End the workers, whatever they do."""
        processes, pool, self._pool = self._processes(), self._pool, None
        if pool is None:
            return
        results = getattr(pool, "_result_queue", None)
        manager = getattr(pool, "_executor_manager_thread", None)
        for process in processes:
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        if results is not None:  # the pool's thread may wait for the rest of a message; now it meets the pipe's end
            results._writer.close()
        if manager is not None:  # at exit the interpreter would write to a pipe that this thread may be closing
            manager.join(LINGER)


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
        _greeted_by(address)
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(
            f"no Dask scheduler answers at {address} ({error}); give the address that `dask scheduler` prints, "
            "for example dask:tcp://127.0.0.1:8786"
        ) from error
    with contextlib.closing(client), _quiet("distributed"):
        if not client.scheduler_info()["workers"]:
            print(f"corollary: the Dask scheduler at {address} has no worker yet; waiting for one", file=sys.stderr)
        yield client.get_executor()


def _greeted_by(address: str) -> None:
    """Something listens there and speaks first, as Dask does. A Client would try a closed port for long, wait for ever
    for a mute one (a dashboard's), and leave a thread behind for a malformed address."""
    from distributed.comm.addressing import get_address_host_port, parse_address

    with socket.create_connection(get_address_host_port(address), timeout=CONNECT) as listener:
        if parse_address(address)[0] == "tcp" and not listener.recv(1):
            raise OSError("it closes the connection")


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A cluster that is lost is one error of ours; the library's logs of each attempt to reconnect say no more."""
    logger = logging.getLogger(name)
    children = [v for k, v in logging.root.manager.loggerDict.items() if k.startswith(f"{name}.")]
    loggers = [logger, *(v for v in children if isinstance(v, logging.Logger))]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)
