"""Ctrl-C during a run: one line that says how to go on, no process left, nothing lost."""

import random
import signal
import sys
import time

import pytest

CLAIMS = """
import os, time
from corollary import Claim, Value

def slow(rng):
    handle = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, b"start 0 %d %f\\n" % (os.getpid(), time.time()))
    os.close(handle)
    time.sleep(0.004)
    return rng.standard_normal()

right = Claim("mean 0", Value(0.0, resolution=0.4), measure=slow, rivals={{"one": 1.0}})
"""


@pytest.mark.parametrize("executor", ["serial", "processes:2"])
def test_ctrl_c_is_one_line_and_the_same_command_goes_on(executor, tmp_path, launch, notes):
    """At a random moment of the work, as a terminal sends it: to every process of the group."""
    chance = random.Random(executor)
    (tmp_path / "claims.py").write_text(CLAIMS.format(log=str(notes.path)))
    command = ["-m", "corollary.cli", "verify", "claims.py", "--executor", executor]
    run = launch(*command, cwd=tmp_path)
    while not notes.of("start"):
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.2))
    run.interrupt()
    code, out, err = run.end()
    assert (code, err) == (
        130, "corollary: stopped; what was finished is kept in corollary-out: the same command goes on from there\n"
    )  # fmt: skip
    assert "CONFIRMED" not in out
    stored = len(list(tmp_path.rglob("*.json")))
    measured = len(notes.of("start"))
    code, out, err = launch(*command, cwd=tmp_path).end()
    assert code == 0 and err == "" and "CONFIRMED" in out
    blocks = len(list(tmp_path.rglob("*.json")))
    assert len(notes.of("start")) - measured == 16 * (blocks - stored)  # a block is 16 replicates; none done twice


def test_ctrl_c_of_a_fresh_run_names_the_seed_to_go_on_with(tmp_path, launch, notes):
    (tmp_path / "claims.py").write_text(CLAIMS.format(log=str(notes.path)))
    run = launch("-m", "corollary.cli", "verify", "claims.py", "--executor", "serial", "--fresh-seed", cwd=tmp_path)
    while not notes.of("start"):
        time.sleep(0.005)
    run.interrupt()
    code, _, err = run.end()
    first, second = err.splitlines()
    root = first.removeprefix("corollary: seed root ")
    assert code == 130 and root.isdigit() and f"with --seed {root} for --fresh-seed" in second


def test_a_terminated_run_leaves_no_worker(tmp_path, program, launch, notes):
    """SIGTERM to the parent alone, which is how a batch system ends a job."""
    run = launch(program, tmp_path / "store", notes.path, "processes:2", 400, 0.03)
    while not notes.done():
        time.sleep(0.005)
    run.process.send_signal(signal.SIGTERM)
    code, _, _ = run.end()  # end() fails the test for every survivor
    assert code == -signal.SIGTERM and sys.platform != "win32"
