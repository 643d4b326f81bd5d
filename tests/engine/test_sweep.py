"""A sweep computes each block once, keeps what is done, and names what failed; in this process and in others."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corollary.claims import Experiment
from corollary.executors import Processes, executor_from
from corollary.sources import closure, source_digest, source_files
from corollary.store import MemoryStore, Store
from corollary.sweep import SweepError, Task, sweep


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


def test_processes_threads_and_this_process_give_the_same_bytes():
    wanted = as_bytes(sweep(tasks(draws), store=MemoryStore()))
    with ThreadPoolExecutor(2) as threads:
        assert as_bytes(sweep(tasks(draws), store=MemoryStore(), executor=threads)) == wanted
    with executor_from("processes:2") as processes:
        assert as_bytes(sweep(tasks(draws), store=MemoryStore(), executor=processes)) == wanted


def test_stored_blocks_are_not_computed_again(tmp_path, monkeypatch):
    calls = []

    def counted(point, seeds, xp):
        calls.append(point["n"])
        return draws(point, seeds, xp)

    first = sweep(tasks(counted, blocks=1), store=Store(tmp_path))
    more = sweep(tasks(counted, blocks=2), store=Store(tmp_path))
    assert calls == [1, 2, 3, 1, 2, 3] and as_bytes(more)[::2] == as_bytes(first)


def test_progress_counts_every_block_and_ends_at_the_total():
    seen = []
    sweep(tasks(draws), store=MemoryStore(), progress=lambda done, total, seconds: seen.append((done, total)))
    assert seen == [(k, 6) for k in range(1, 7)]


@pytest.mark.parametrize("spec", ["serial", "processes:2"])
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


def test_a_worker_that_always_dies_ends_in_one_error():
    def dies(point, seeds, xp):
        os.kill(os.getpid(), signal.SIGKILL)

    processes = Processes(1)
    with pytest.raises(SweepError, match="worker was killed"):
        sweep(tasks(dies, points=(1,), blocks=1), store=MemoryStore(), executor=processes)
    processes.discard()


SLOW = """
import os, sys, time
import numpy as np
from corollary.claims import Experiment
from corollary.executors import executor_from
from corollary.store import Store
from corollary.sweep import Task, sweep

def slow(point, seeds, xp):
    with open(sys.argv[2] if len(sys.argv) > 2 else PIDS, "a") as f:
        f.write(f"{os.getpid()} {point['n']}\\n")
    time.sleep(0.15)
    return {"x": np.array([np.random.default_rng(s).random() for s in seeds])}

PIDS = os.environ["PIDS"]
if __name__ == "__main__":
    import slow_module
    e = Experiment("test.slow", slow_module.slow)
    with executor_from("processes:2") as executor:
        sweep([Task(e, {"n": n}, 0, 4) for n in range(12)], store=Store(sys.argv[1]), executor=executor,
              progress=lambda done, total, s: print(done, flush=True))
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path(f"/proc/{pid}").exists() else False


@pytest.mark.parametrize("after", [1, 3, 5, 7, 9])
def test_killing_the_parent_leaves_no_worker_and_loses_nothing_reported(tmp_path, after):
    (tmp_path / "slow_module.py").write_text(textwrap.dedent(SLOW))
    pids = tmp_path / "pids"
    environment = {**os.environ, "PIDS": str(pids), "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.pathsep.join(sys.path)}"}
    command = [sys.executable, str(tmp_path / "slow_module.py"), str(tmp_path / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as parent:
        assert parent.stdout is not None
        for line in parent.stdout:
            if int(line) == after:
                parent.kill()
                break
    reported = {p.name for p in (tmp_path / "store").rglob("*.json")}
    assert len(reported) >= after
    workers = {int(line.split()[0]) for line in pids.read_text().splitlines()}
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)
    done = {p.name: p.with_suffix(".npz").read_bytes() for p in (tmp_path / "store").rglob("*.json")}
    begun = len(pids.read_text().splitlines())
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=60)
    final = {p.name: p.with_suffix(".npz").read_bytes() for p in (tmp_path / "store").rglob("*.json")}
    assert len(final) == 12 and all(final[name] == content for name, content in done.items())
    assert len(pids.read_text().splitlines()) - begun == 12 - len(done)  # nothing stored is computed again


def test_the_source_of_a_result_is_its_import_closure_and_what_is_bound_to_it():
    from functools import partial

    from corollary.sims.ntk import experiments

    modules = closure("corollary.sims.ntk.experiments")
    assert "corollary.sims.common.networks" in modules and "corollary.arrays" in modules
    assert not any(m.startswith("corollary.theory") or m == "corollary.sweep" for m in modules)
    kernel: Any = experiments.initial_kernel
    base = source_digest(kernel)
    assert base == source_digest(experiments.initial_kernel)
    bound = [source_digest(partial(kernel, data=x)) for x in (np.ones(2), np.zeros(2), 1, 2)]
    assert len({base, *bound}) == 5
    assert source_files(__name__)[0] == __file__


def test_an_edit_in_any_module_used_changes_the_digest_and_only_then(tmp_path):
    """On a copy of the package: editing sims/common/activations.py reaches kernels, editing theory does not."""
    import shutil

    import corollary

    home = Path(corollary.__file__).parent
    shutil.copytree(home, tmp_path / "corollary", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "from corollary.sources import source_digest; from corollary.sims.ntk import experiments;"
        "print(source_digest(experiments.initial_kernel))"
    )

    def digest():
        run = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return run.stdout

    def edit(name):
        file = tmp_path / "corollary" / name
        file.write_text(file.read_text() + "# edited\n")

    before = digest()
    edit("theory/ntk/layers.py")
    assert digest() == before
    edit("sims/common/activations.py")
    assert digest() != before
