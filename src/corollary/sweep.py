"""Map (point, block of replicates) tasks through an executor and a store. Nothing that was reported done is lost."""

from __future__ import annotations

import functools
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import cloudpickle
import numpy as np

from corollary.arrays import namespace_for, to_numpy
from corollary.executors import Processes, executor_from
from corollary.seeds import seed_sequences
from corollary.store import key_of

__all__ = ["SweepError", "Task", "execute", "executor_from", "sweep"]

TRIES = 3  # of a task whose worker was killed
Arrays = dict[str, np.ndarray]


class Experiment(Protocol):
    """What a sweep needs to know of an experiment."""

    @property
    def id(self) -> str: ...
    @property
    def run(self) -> Callable[..., Mapping[str, Any]]: ...
    @property
    def device_draws(self) -> bool: ...
    def source_digest(self) -> str: ...


class SweepError(RuntimeError):
    """A measurement failed; results finished before it are kept."""


@dataclass(frozen=True)
class Task:
    """Replicates start…stop−1 of an experiment at a point."""

    experiment: Any
    point: Mapping[str, Any]
    start: int
    stop: int
    root: int = 0
    device: str = "cpu"

    def __str__(self) -> str:
        return f"experiment {self.experiment.id} at {dict(self.point)}, replicates {self.start} to {self.stop - 1}"

    def fields(self) -> dict[str, Any]:
        """Everything the result depends on; a dtype stands in the point, or is bound to `run` and so in its source."""
        return {
            "experiment": self.experiment.id, "point": dict(self.point), "start": self.start, "stop": self.stop,
            "root": self.root, "device": self.device, "source": _source(self.experiment),
        }  # fmt: skip


_sources: dict[int, tuple[Any, str]] = {}


def _source(experiment: Any) -> str:
    if id(experiment) not in _sources:  # the experiment is kept alive beside its digest, so that the id stays its own
        _sources[id(experiment)] = (experiment, experiment.source_digest())
    return _sources[id(experiment)][1]


def execute(task: Task) -> Arrays:
    """Run one task here. Raises SweepError that names the task if the measurement fails or returns something else."""
    backend = task.device if task.experiment.device_draws else ""
    seeds = seed_sequences(task.root, task.experiment.id, task.point, range(task.start, task.stop), backend)
    xp = namespace_for(task.device)
    try:
        result = task.experiment.run(task.point, seeds, xp)
    except Exception as error:
        raise SweepError(f"{task} failed: {type(error).__name__}: {error}\n{traceback.format_exc()}") from None
    if not isinstance(result, Mapping) or not result:
        raise SweepError(f"{task} returned {type(result).__name__}; expected a dict of arrays, replicate axis first")
    arrays = {str(name): to_numpy(value) for name, value in result.items()}
    for name, value in arrays.items():
        if value.shape[:1] != (len(seeds),):
            raise SweepError(f"{task}: array {name!r} has shape {value.shape}; expected {len(seeds)} replicates first")
    return arrays


def _execute_pickled(payload: bytes) -> tuple[Arrays, float]:
    started = time.perf_counter()
    return execute(cloudpickle.loads(payload)), time.perf_counter() - started


def _payload(task: Task) -> bytes:
    """The task as bytes. A user's own file or test module, which a worker could not import, travels by value."""
    own = [sys.modules[name] for name in _own_modules(task.experiment)]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(task)
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _own_modules(experiment: Any) -> set[str]:
    """Modules of the experiment's functions that are neither ours nor installed."""
    functions = [f for f in (getattr(experiment, "source", None), experiment.run) if f is not None]
    functions = [f.func if isinstance(f, functools.partial) else f for f in functions]
    names = {getattr(f, "__module__", "") for f in functions}
    installed = {"", "__main__", *sys.stdlib_module_names}
    return {
        name
        for name in names
        if name in sys.modules
        and name.split(".")[0] not in {"corollary", *installed}
        and "site-packages" not in (getattr(sys.modules[name], "__file__", None) or "site-packages")
    }


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for name in ("numpy", "scipy", "cupy-cuda12x", "cupy-cuda13x"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def sweep(
    tasks: Sequence[Task],
    *,
    executor: Executor | Processes | None = None,
    store: Any,
    progress: Callable[[int, int, float], None] | None = None,
) -> list[Arrays]:
    """The results of the tasks, in order: from the store where they are there, else computed and stored at once.

    executor: None (this process), `Processes`, or any concurrent.futures.Executor. progress(done, total, seconds).
    Raises SweepError (a measurement failed, or its worker was killed 3 times) and StoreError.
    """
    started = time.perf_counter()
    keys = [key_of(task.fields()) for task in tasks]
    results: dict[int, Arrays] = {}
    for i, key in enumerate(keys):
        found = store.get(key)
        if found is not None:
            results[i] = found
    todo = [i for i in range(len(tasks)) if i not in results]

    def done(i: int, arrays: Arrays, seconds: float) -> None:
        record = {**tasks[i].fields(), "seconds": seconds, "versions": _versions()}
        store.put(keys[i], arrays, record)
        results[i] = arrays
        if progress:
            progress(len(results), len(tasks), time.perf_counter() - started)

    if executor is None:
        for i in todo:
            begun = time.perf_counter()
            done(i, execute(tasks[i]), time.perf_counter() - begun)
    else:
        _map(tasks, todo, executor, done)
    return [results[i] for i in range(len(tasks))]


def _map(tasks: Sequence[Task], todo: list[int], executor: Any, done: Callable[[int, Arrays, float], None]) -> None:
    tries = dict.fromkeys(todo, 0)
    while tries:
        pool = executor.pool() if isinstance(executor, Processes) else executor
        pending: dict[Future, int] = {}
        try:
            for i in tries:
                pending[pool.submit(_execute_pickled, _payload(tasks[i]))] = i
            while pending:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    i = pending.pop(future)
                    arrays, seconds = future.result()
                    done(i, arrays, seconds)
                    del tries[i]
        except (BrokenProcessPool, CancelledError) as error:
            if isinstance(executor, Processes):
                executor.discard()
            for i in tries:
                tries[i] += 1
            lost = next((i for i, n in tries.items() if n >= TRIES), None)
            if lost is not None or not isinstance(executor, Processes):
                culprit = tasks[next(iter(tries)) if lost is None else lost]
                why = "its worker was killed (out of memory?); finished results are kept"
                raise SweepError(f"{culprit}: {why}") from error
        except BaseException:
            for future in pending:
                future.cancel()
            if isinstance(executor, Processes):
                executor.discard()
            raise
