"""A sweep computes each block once, keeps what is done, and names what failed; in this process and in others."""

import json
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corollary.claims import Experiment
from corollary.executors import Processes, executor_from
from corollary.store import MemoryStore, Store
from corollary.sweep import SweepError, Task, _execute_pickled, _payload, sweep


def draws(point, seeds, xp):
    return {"x": np.array([np.random.default_rng(s).random() * point["n"] for s in seeds])}


def fails_at_two(point, seeds, xp):
    if point["n"] == 2:
        raise ZeroDivisionError("n is 2")
    return draws(point, seeds, xp)


def tasks(run, points=(1, 2, 3), blocks=2):
    e = Experiment(f"test.{run.__name__}", run)
    return [Task(e, {"n": n}, k * 4, k * 4 + 4) for n in points for k in range(blocks)]


def as_bytes(results):
    return [r["x"].tobytes() for r in results]


class Immediate(Executor):
    """The least an executor can be."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def test_every_executor_gives_the_same_bytes():
    """This process, threads, our processes, the standard library's, and one of the user's own."""
    wanted = as_bytes(sweep(tasks(draws), store=MemoryStore()))
    with (
        ThreadPoolExecutor(2) as threads,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as standard,
        executor_from("processes:2") as processes,
    ):
        for executor in (threads, standard, processes, Immediate()):
            assert as_bytes(sweep(tasks(draws), store=MemoryStore(), executor=executor)) == wanted


CALLS: list[int] = []


def counted(point, seeds, xp):
    CALLS.append(point["n"])
    return draws(point, seeds, xp)


def test_stored_blocks_are_not_computed_again(tmp_path):
    CALLS.clear()
    first = sweep(tasks(counted, blocks=1), store=Store(tmp_path))
    more = sweep(tasks(counted, blocks=2), store=Store(tmp_path))
    assert CALLS == [1, 2, 3, 1, 2, 3] and as_bytes(more)[::2] == as_bytes(first)


def test_progress_counts_every_block_and_ends_at_the_total():
    seen = []
    sweep(tasks(draws), store=MemoryStore(), progress=lambda done, total, seconds: seen.append((done, total)))
    assert seen == [(k, 6) for k in range(1, 7)]


# One worker: with two, the second point may fail before the first is done, and is then the first result there is.
@pytest.mark.parametrize("spec", ["serial", "processes:1"])
def test_a_failing_measurement_is_named_and_earlier_results_are_kept(spec, tmp_path):
    with executor_from(spec) as executor, pytest.raises(SweepError, match=r"test.fails_at_two at \{'n': 2\}.*n is 2"):
        sweep(tasks(fails_at_two, points=(1, 2), blocks=1), store=Store(tmp_path), executor=executor)
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_results_of_the_wrong_form_are_named():
    bad: Any
    for bad, words in (
        (lambda p, s, xp: np.ones(4), "expected a dict of arrays"),
        (lambda p, s, xp: {"x": np.ones(3)}, "expected 4 replicates first"),
    ):
        with pytest.raises(SweepError, match=words):
            sweep([Task(Experiment("test.bad", bad), {}, 0, 4)], store=MemoryStore())


def test_unknown_executors_are_named():
    for spec in ("threads", "processes:0", "dask:"):
        with pytest.raises(ValueError, match="expected serial, processes"), executor_from(spec):
            pass


def test_a_killed_worker_is_replaced_and_its_block_done_again(tmp_path):
    flag = tmp_path / "killed"

    def suicidal(point, seeds, xp):
        if point["n"] == 2 and not Path(flag).exists():
            Path(flag).write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return draws(point, seeds, xp)

    with executor_from("processes:2") as processes:
        results = sweep(tasks(suicidal), store=Store(tmp_path / "s"), executor=processes)
    assert flag.exists() and len(results) == 6


@pytest.mark.parametrize("seconds", (0.0, 0.3))
def test_nothing_of_a_pool_outlives_it(seconds):
    """Not its thread either: at exit the interpreter writes to the pipe that the thread closes when it ends (EBADF)."""
    before = set(threading.enumerate())
    with executor_from("processes:2") as processes:
        wait([processes.submit(time.sleep, 0)])
        waits = [processes.submit(time.sleep, 60) for _ in range(4)]
        time.sleep(seconds)
    assert set(threading.enumerate()) == before and all(w.done() for w in waits)


def failing_first(base):
    """An executor of that kind: the first task fails, and nothing becomes of the others."""

    class Failing(base):
        futures: list[Future]

        def submit(self, fn, /, *args):
            self.futures = [*getattr(self, "futures", []), Future()]
            if len(self.futures) == 1:
                self.futures[0].set_exception(ZeroDivisionError("n is 1"))
            return self.futures[-1]

    return Failing()


def test_a_pool_that_is_discarded_has_no_cancelled_future():
    """Its thread, where it sees the killed workers first, would fail on one with a traceback; others' are cancelled."""
    for base, cancelled in ((Processes, False), (Executor, True)):
        executor = failing_first(base)
        with pytest.raises(SweepError, match="n is 1"):
            sweep(tasks(draws), store=MemoryStore(), executor=executor)
        assert len(executor.futures) > 1 and all(f.cancelled() == cancelled for f in executor.futures[1:])


@pytest.mark.parametrize("killed", (True, False))
def test_a_worker_that_dies_while_another_is_started_is_a_lost_worker(killed, monkeypatch):
    """The pool's thread then closes pipes that `submit` hands on: a ValueError, which stays one without a death."""
    honest, calls = ProcessPoolExecutor.submit, []

    def submit(pool, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            if killed:
                victim = next(iter(pool._processes.values()))
                victim.kill()
                victim.join(10)
            raise ValueError("bad value(s) in fds_to_keep")
        return honest(pool, *arguments)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    with executor_from("processes:2") as processes:
        if killed:
            assert as_bytes(sweep(tasks(draws), store=MemoryStore(), executor=processes)) == as_bytes(
                sweep(tasks(draws), store=MemoryStore())
            )
        else:
            with pytest.raises(ValueError, match="fds_to_keep"):
                sweep(tasks(draws), store=MemoryStore(), executor=processes)


def dies_at_two(point, seeds, xp):
    if point["n"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return draws(point, seeds, xp)


def test_a_task_that_always_kills_its_worker_is_named_and_the_others_are_kept(tmp_path):
    """Whatever was in flight beside it: the suspects fly alone."""
    with (
        executor_from("processes:2") as processes,
        pytest.raises(SweepError, match=r"{'n': 2}, replicates 0 to 3.*kill"),
    ):
        sweep(tasks(dies_at_two, blocks=1), store=Store(tmp_path), executor=processes)
    kept = {json.loads(p.read_text())["point"]["n"] for p in tmp_path.rglob("*.json")}
    assert {1} <= kept <= {1, 3}


def test_a_broken_executor_of_the_users_is_one_error():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as standard:
        with pytest.raises(SweepError, match="its worker was killed.*finished results are kept"):
            sweep(tasks(dies_at_two, points=(2,)), store=MemoryStore(), executor=standard)


def test_a_measurement_that_cannot_travel_is_named():
    lock = threading.Lock()

    def locked(point, seeds, xp):
        with lock:
            return draws(point, seeds, xp)

    with executor_from("processes:1") as processes, pytest.raises(SweepError, match="locked.*cannot be sent.*serial"):
        sweep(tasks(locked), store=MemoryStore(), executor=processes)


def test_a_worker_with_other_sources_refuses():
    """On a cluster with another version, or after an edit: its result would be stored under a key that is not its."""
    (task, *_) = tasks(initial_kernel_of_ours)
    payload, package = _payload(task)
    assert "corollary.arrays" in package
    with pytest.raises(SweepError, match="source of corollary.arrays is not the one this run began with"):
        _execute_pickled(payload, {**package, "corollary.arrays": "0" * 64})
    with pytest.raises(SweepError, match="source of corollary.gone is not the one"):
        _execute_pickled(payload, {**package, "corollary.gone": "0" * 64})
    arrays, _ = _execute_pickled(payload, package)
    assert arrays["x"].shape == (4,)


def initial_kernel_of_ours(point, seeds, xp):
    from corollary.arrays import to_numpy

    return {"x": to_numpy(np.ones(len(seeds)))}


def test_an_experiment_without_a_key_is_named():
    any_run: Any = draws
    run = partial(any_run, generator=np.random.default_rng())
    with pytest.raises(SweepError, match="experiment test.unkeyed cannot be given a key.*Generator"):
        sweep([Task(Experiment("test.unkeyed", run), {}, 0, 4)], store=MemoryStore())
