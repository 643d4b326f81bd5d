"""kill -9 of the parent and of workers at random moments: no worker survives, nothing reported is lost or repeated."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

KILLS = [5, pytest.param(20, marks=pytest.mark.slow)]
SECONDS = 0.03  # of one measurement


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)
    return found


@pytest.fixture
def undisturbed(tmp_path, program, notes, content):
    """The data files of the same tasks, computed by one process that nobody disturbs, without waiting."""

    def run(count):
        quiet = [tmp_path / "undisturbed", notes.path, "serial", count, SECONDS]
        environment = {**os.environ, "FIRE_QUIET": "1"}
        subprocess.run([sys.executable, str(program), *map(str, quiet)], check=True, timeout=120, env=environment)
        return content(tmp_path / "undisturbed")

    return run


@pytest.mark.parametrize("kills", KILLS)
def test_a_killed_parent_leaves_no_worker_and_loses_nothing_reported(
    kills, tmp_path, program, launch, notes, content, undisturbed
):
    """One store, `kills` runs killed at random moments, each going on from the last; then one that may finish."""
    chance, count = random.Random(kills), 10 + 40 * kills  # in 0.6 s two workers measure at most 40
    arguments = [program, tmp_path / "store", notes.path, "processes:2", count, SECONDS]
    for kill in range(kills):
        begun, run = len(notes.of("start")), launch(*arguments)
        if kill % 3:  # else the moment may fall before any worker is there
            until(lambda: len(notes.of("start")) > begun)  # noqa: B023
        time.sleep(chance.uniform(0, 0.6))
        os.kill(run.process.pid, signal.SIGKILL)
        code, _, _ = run.end()
        assert code == -signal.SIGKILL
        assert len(list((tmp_path / "store").rglob("*.json"))) >= len(notes.done())
    assert 0 < len(notes.done()) < count  # some kills fell into the work, and left some
    code, _, problems = launch(*arguments).end()
    assert code == 0, problems
    assert not notes.computed_again()
    assert content(tmp_path / "store") == undisturbed(count)


@pytest.mark.parametrize("kills", KILLS)
def test_killed_workers_are_replaced_and_nothing_is_lost_or_repeated(
    kills, tmp_path, program, launch, notes, content, undisturbed
):
    """Each kill comes a random time after the run has recovered from the last, i.e. after another result."""
    chance, count = random.Random(kills), 20 * kills
    run = launch(program, tmp_path / "store", notes.path, "processes:2", count, SECONDS)
    for _ in range(kills):
        seen = len(notes.done())
        until(lambda: len(notes.done()) > seen)  # noqa: B023
        time.sleep(chance.uniform(0, 0.1))
        os.kill(chance.choice(until(run.workers)), signal.SIGKILL)
    code, _, problems = run.end()
    assert code == 0, problems
    assert notes.done() == set(range(count)) and not notes.computed_again()
    assert content(tmp_path / "store") == undisturbed(count)


def test_a_worker_that_dies_while_it_sends_its_result_is_noticed(tmp_path, program, launch, notes):
    """Half a message in the pipe: CPython's pool waits for the rest for ever."""
    (tmp_path / "half.py").write_text(
        "import os, signal, sys\n"
        "import multiprocessing.connection as c\n"
        f"sys.path.insert(0, {str(program.parent)!r})\n"
        "import fire_program as f\n"
        "from corollary import sweep\n"
        "from corollary.claims import Experiment\n"
        "from corollary.executors import executor_from\n"
        "from corollary.store import MemoryStore\n"
        f"FLAG = {str(tmp_path / 'flag')!r}\n"
        "def measure(point, seeds, xp):\n"
        "    def half(self, buffer, *rest):\n"
        "        os.write(self._handle, bytes(buffer)[:len(buffer) // 2])\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    if not os.path.exists(FLAG):\n"
        "        open(FLAG, 'w').close()\n"
        "        c.Connection._send = half\n"
        "    return f.measure(point, seeds, xp)\n"
        "if __name__ == '__main__':\n"
        "    sweep.WATCH = 0.5\n"
        f"    point = {{'log': {str(notes.path)!r}, 'seconds': 0, 'mixed': False}}\n"
        "    tasks = [sweep.Task(Experiment('half', measure), {**point, 'n': n}, 0, 1) for n in range(6)]\n"
        "    with executor_from('processes:2') as workers:\n"
        "        print(len(sweep.sweep(tasks, store=MemoryStore(), executor=workers)))\n"
    )
    code, out, err = launch(tmp_path / "half.py").end(timeout=60)
    assert (code, out) == (0, "6\n"), err
    assert (tmp_path / "flag").exists()
