"""Map (point, block of replicates) tasks through an executor and a store. Nothing that was reported done is lost."""

from __future__ import annotations

import functools
import platform
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
import numpy as np

from corollary.arrays import namespace_for, to_numpy
from corollary.executors import Processes, executor_from
from corollary.seeds import seed_sequences
from corollary.sources import differing, own_modules, package_digests
from corollary.store import key_of

__all__ = ["SweepError", "Task", "execute", "executor_from", "sweep"]

TRIES = 3  # of a task whose worker was killed
WATCH = 5.0  # seconds without a result after which the workers are looked at
LOST = "its worker was killed (out of memory?) or the executor was shut down; finished results are kept"
Arrays = dict[str, np.ndarray]
Done = Callable[[int, Arrays, float], None]


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
            "root": self.root, "device": self.device, "source": _source(self.experiment).digest,
        }  # fmt: skip


@dataclass(frozen=True)
class _Source:
    """Where an experiment comes from. `experiment` is kept alive, so that its id stays its own."""

    experiment: Any
    digest: str
    own: list[str]
    package: dict[str, str]


_sources: dict[int, _Source] = {}


def _source(experiment: Any) -> _Source:
    if id(experiment) not in _sources:
        source = getattr(experiment, "source", None)
        function, also = (experiment.run, None) if source is None else (source, experiment.run)
        try:
            found = _Source(
                experiment, experiment.source_digest(), own_modules(function), package_digests(function, also)
            )  # fmt: skip
        except (TypeError, ValueError, LookupError) as error:
            raise SweepError(
                f"experiment {experiment.id} cannot be given a key in the store: {error.args[0]}"
            ) from error
        _sources[id(experiment)] = found
    return _sources[id(experiment)]


def execute(task: Task) -> Arrays:
    """Run one task here. Raises SweepError that names the task if the measurement fails or returns something else."""
    backend = task.device if task.experiment.device_draws else ""
    seeds = seed_sequences(task.root, task.experiment.id, task.point, range(task.start, task.stop), backend)
    xp = namespace_for(task.device)
    try:
        result = task.experiment.run(task.point, seeds, xp)
    except Exception as error:
        raise SweepError(f"{task} failed: {type(error).__name__}: {error}\n{_where(error)}") from None
    if not isinstance(result, Mapping) or not result:
        raise SweepError(f"{task} returned {type(result).__name__}; expected a dict of arrays, replicate axis first")
    arrays = {str(name): to_numpy(value) for name, value in result.items()}
    for name, value in arrays.items():
        if value.dtype.kind not in "biufc":
            raise SweepError(f"{task}: array {name!r} holds {value.dtype}; expected numbers")
        if value.shape[:1] != (len(seeds),):
            raise SweepError(f"{task}: array {name!r} has shape {value.shape}; expected {len(seeds)} replicates first")
    return arrays


_ENGINE = {str(Path(__file__).parent / name) for name in ("sweep.py", "claims/experiment.py", "verdicts/settings.py")}


def _where(error: Exception) -> str:
    """The traceback from the measurement on; how the engine came to it says nothing to its author."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [i for i, frame in enumerate(frames) if frame.filename not in _ENGINE]
    return "".join(traceback.format_list(frames[own[0] if own else 0 :])).rstrip()


def _execute_pickled(payload: bytes, package: dict[str, str]) -> tuple[Arrays, float]:
    """In a worker. Refuses where this package's files are not those the key was made of."""
    started = time.perf_counter()
    task = cloudpickle.loads(payload)
    other = differing(package)
    if other:
        raise SweepError(
            f"{task}: on {platform.node()} the source of {', '.join(other)} is not the one this run began with; "
            "start again after an edit, or install the same version on every machine"
        )
    return execute(task), time.perf_counter() - started


def _payload(task: Task) -> tuple[bytes, dict[str, str]]:
    """The task as bytes. A user's own files or test module, which a worker could not import, travel by value."""
    source = _source(task.experiment)
    own = [sys.modules[name] for name in source.own if name in sys.modules]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(task), source.package
    except Exception as error:  # whatever a user's object raises when it is pickled
        raise SweepError(
            f"{task} cannot be sent to another process: {type(error).__name__}: {error}; "
            "run it in this one (executor serial), or hold no locks, files or generators in the measurement"
        ) from error
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


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
    elif isinstance(executor, Processes):
        _map_processes(tasks, todo, executor, done)
    else:
        for i in _fly(tasks, deque(todo), executor, max(len(todo), 1), done):
            raise SweepError(f"{tasks[i]}: {LOST}")
    return [results[i] for i in range(len(tasks))]


def _map_processes(tasks: Sequence[Task], todo: list[int], executor: Processes, done: Done) -> None:
    """Tasks in flight when a worker died fly again one at a time, so that the one that kills its worker is known."""
    together, alone = deque(todo), deque[int]()
    deaths: Counter[int] = Counter()
    try:
        while together or alone:
            if alone:
                lost = _fly(tasks, alone, executor, 1, done)
                deaths.update(lost)
            else:
                lost = _fly(tasks, together, executor, 2 * executor.workers, done)
            if lost:
                executor.discard()
            for i in lost:
                if deaths[i] == TRIES:
                    raise SweepError(f"{tasks[i]}: {LOST}")
            alone.extendleft(reversed(lost))
    except BaseException:
        executor.discard()
        raise


def _fly(tasks: Sequence[Task], waiting: deque[int], executor: Any, width: int, done: Done) -> list[int]:
    """Run the waiting tasks, at most `width` in flight; those in flight when the executor broke, else none."""
    flying: dict[Future, int] = {}
    try:
        while waiting or flying:
            while waiting and len(flying) < width:
                arguments = _payload(tasks[waiting[0]])
                i = waiting.popleft()
                try:
                    flying[executor.submit(_execute_pickled, *arguments)] = i
                except BrokenExecutor:
                    return [i, *flying.values()]
            landed = wait(flying, timeout=WATCH, return_when=FIRST_COMPLETED).done
            if not landed and isinstance(executor, Processes) and executor.lost_one():
                return list(flying.values())
            if _land(tasks, flying, landed, done):
                return list(flying.values())
    except BaseException:
        # our own pool is discarded: its thread would meet dead workers and a cancelled future, and print a traceback
        for future in () if isinstance(executor, Processes) else flying:
            future.cancel()
        raise
    return []


def _land(tasks: Sequence[Task], flying: dict[Future, int], landed: Iterable[Future], done: Done) -> bool:
    """Keep every result there is, then raise the first failure; True if the executor broke."""
    broken, failures = False, []
    for future in landed:
        i = flying[future]
        try:
            arrays, seconds = future.result()
        except BrokenExecutor:
            broken = True
            continue
        except Exception as error:
            failures.append((i, error))
        else:
            done(i, arrays, seconds)
        del flying[future]
    for i, error in failures:
        if isinstance(error, SweepError):
            raise error
        why = (
            LOST if isinstance(error, CancelledError) else f"{type(error).__name__}: {error}; finished results are kept"
        )
        raise SweepError(f"{tasks[i]}: {why}") from error
    return broken
