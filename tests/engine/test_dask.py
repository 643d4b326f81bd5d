"""A Dask cluster of two workers on loopback, started with the commands of the README: same bytes, whoever is killed."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from corollary.claims import Experiment
from corollary.executors import ExecutorError, executor_from
from corollary.store import MemoryStore, Store
from corollary.sweep import SweepError, Task, sweep

DASK = [sys.executable, "-m", "dask"]


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)
    return found


class Cluster:
    """A scheduler and two workers, in a folder from which none of the tests' files can be imported."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.started = folder, []
        at = ["--host", "127.0.0.1", "--no-dashboard"]
        self.scheduler = self.start("scheduler", *at, "--port", "0", "--scheduler-file", "scheduler.json")
        file = folder / "scheduler.json"
        self.address = eventually(
            lambda: file.exists() and file.read_text() and json.loads(file.read_text())["address"]
        )
        join = ["--scheduler-file", "scheduler.json", "--nthreads", "1", *at, *options]
        self.workers = [self.start("worker", *join), self.start("worker", *join)]

    def start(self, *words: str) -> subprocess.Popen:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        self.started.append(subprocess.Popen([*DASK, *words], cwd=self.folder, env=environment, **quiet))
        return self.started[-1]

    def end(self) -> None:
        for one in self.started:
            if one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()


@pytest.fixture
def cluster(tmp_path_factory):
    started = []

    def start(*options: str) -> Cluster:
        started.append(Cluster(tmp_path_factory.mktemp("cluster"), *options))
        return started[-1]

    yield start
    for one in started:
        one.end()


HELPER = """
import os, time

def note(log):
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, b"start 0 %d %f\\n" % (os.getpid(), time.time()))
    os.close(handle)
    time.sleep(0.01)
"""
CLAIMS = """
import numpy as np
import helper
from corollary import Claim, Value

LOG = {log!r}

def centred(rng):
    helper.note(LOG)
    return rng.standard_normal(10)

right = Claim("mean 0", Value(0.0, resolution=0.5), measure=centred, rivals={{"one": 1.0}})
"""


def test_a_users_file_runs_on_the_cluster_while_a_worker_is_killed(cluster, tmp_path, launch, notes, content):
    """The file and the one beside it travel by value; the data files are those of a run in one process."""
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "claims.py").write_text(CLAIMS.format(log=str(notes.path)))
    there = cluster("--no-nanny")
    command = ["-m", "corollary.cli", "verify", "claims.py"]
    run = launch(*command, "--executor", f"dask:{there.address}", "--out", "there", cwd=tmp_path)
    pids = eventually(
        lambda: {line.split()[2] for line in notes.path.read_text().splitlines()} if notes.path.exists() else 0
    )
    time.sleep(random.Random(0).uniform(0, 0.1))
    victim = next(w for w in there.workers if str(w.pid) in pids)
    victim.kill()
    code, out, err = run.end()
    assert code == 0 and "CONFIRMED" in out, err
    assert victim.wait() == -signal.SIGKILL
    code, _, err = launch(*command, "--executor", "serial", "--out", "here", cwd=tmp_path).end()
    assert code == 0, err
    assert content(tmp_path / "there" / "store") == content(tmp_path / "here" / "store")


def draws(point, seeds, xp):
    time.sleep(point.get("seconds", 0))
    return {"x": np.array([np.random.default_rng(s).random() * point["n"] for s in seeds])}


def fails_at_two(point, seeds, xp):
    if point["n"] == 2:
        raise ZeroDivisionError("n is 2")
    return draws(point, seeds, xp)


def dies_at_two(point, seeds, xp):
    if point["n"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return draws(point, seeds, xp)


def tasks(run, count=6, **more):
    return [Task(Experiment(f"test.{run.__name__}", run), {"n": n, **more}, 0, 4) for n in range(count)]


def test_failures_are_named_and_what_was_finished_is_kept(cluster, tmp_path):
    """On one cluster: the same bytes as here, a measurement that fails, then a scheduler that is killed."""
    there = cluster()
    here = [r["x"].tobytes() for r in sweep(tasks(draws), store=MemoryStore())]
    with executor_from(f"dask:{there.address}") as executor:
        assert [r["x"].tobytes() for r in sweep(tasks(draws), store=MemoryStore(), executor=executor)] == here
        with pytest.raises(SweepError, match=r"test.fails_at_two at \{'n': 2\}.*n is 2"):
            sweep(tasks(fails_at_two), store=MemoryStore(), executor=executor)
        again = sweep(tasks(draws), store=MemoryStore(), executor=executor)  # the cluster is none the worse
        assert [r["x"].tobytes() for r in again] == here
    store, counts = Store(tmp_path / "store"), []

    def kill_scheduler(done, total, seconds):
        counts.append(done)
        if done == 3:
            os.killpg(there.scheduler.pid, signal.SIGKILL)

    with executor_from(f"dask:{there.address}") as executor:
        with pytest.raises(SweepError, match="the executor was shut down; finished results are kept"):
            sweep(tasks(draws, 40, seconds=0.1), store=store, executor=executor, progress=kill_scheduler)
    assert len(list(store.path.rglob("*.json"))) == counts[-1] >= 3


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_named(cluster):
    """Dask's nannies start the workers again; after three more it gives the task up."""
    there = cluster()
    with executor_from(f"dask:{there.address}") as executor:
        with pytest.raises(SweepError, match=r"(?s)test.dies_at_two at \{'n': 2\}.*KilledWorker"):
            sweep(tasks(dies_at_two, 3), store=MemoryStore(), executor=executor)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{free}", "tcp://127.0.0.1:{free}", "nowhere", "tcp://nowhere:x", "odd://a:1"]
)
def test_an_address_where_no_scheduler_answers_is_one_error(address):
    with socket.socket() as probe:  # bound and not listening: refused at once
        probe.bind(("127.0.0.1", 0))
        address = address.format(free=probe.getsockname()[1])
        with pytest.raises(ExecutorError, match=f"no Dask scheduler answers at {re.escape(address)}.*dask:tcp://"):
            with executor_from(f"dask:{address}"):
                pass


def test_something_else_that_listens_is_one_error(monkeypatch):
    """A port that takes the connection and never speaks."""
    monkeypatch.setattr("corollary.executors.CONNECT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(ExecutorError, match="no Dask scheduler answers"):
            with executor_from(f"dask:tcp://127.0.0.1:{server.getsockname()[1]}"):
                pass
