"""A result depends on every module its experiment uses and on all that is bound to it; on nothing else."""

import dataclasses
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import corollary
from corollary.run.catalogue import papers
from corollary.seeds import seed_sequences
from corollary.sources import closure, source_digest, source_files
from corollary.sources.files import modules_of, package_digests

HOME = Path(corollary.__file__).resolve().parent


def test_the_closure_of_an_experiment_holds_what_it_uses_and_no_engine():
    modules = closure("corollary.sims.ntk.experiments")
    assert "corollary.sims.common.networks" in modules and "corollary.arrays" in modules
    assert not any(m.startswith("corollary.theory") or m == "corollary.sweep" for m in modules)
    assert source_files(__name__)[0] == __file__


@dataclasses.dataclass
class Scaled:
    by: float

    def apply(self, x):
        return self.by * x


class Callable_:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return self.by * x


def plain(point, seeds, xp):
    return {}


def holding(value, default=0):
    def run(point, seeds, xp, default=default):
        return {"x": value, "d": default}

    return run


def test_whatever_is_bound_to_a_function_is_in_its_digest():
    """partial, arrays, closures, defaults, two lambdas of one line, bound methods, objects, NumPy's own functions."""
    one, two = (lambda x: x), (lambda x: 2 * x)
    bound: list[Any] = [
        np.ones(2), np.zeros(2), np.zeros(2, dtype=np.float32), np.zeros((2, 1)), 1, 2, "1", [1, 2], {"a": 1}, one, two,
        plain, Scaled(1.0), Scaled(2.0), Scaled(1.0).apply, Scaled(2.0).apply, Callable_(1), Callable_(2),
        np.exp, np.tanh, np.linalg.norm, np.linalg.inv,
    ]  # fmt: skip
    run: Any = plain
    functions = [plain, *(partial(run, value=v) for v in bound), *(holding(v) for v in bound)]
    functions += [holding(1, default=3), holding(1, default=4), one, two]
    digests = [source_digest(f) for f in functions]
    assert len(set(digests)) == len(digests)
    assert digests == [source_digest(f) for f in functions]
    assert source_digest(holding(np.ones(2))) == source_digest(holding(np.ones(2)))  # by content, not by address


def test_a_function_that_holds_itself_has_a_digest():
    def run(n):
        return run(n - 1) if n else 0

    assert source_digest(run) == source_digest(run)


PRINT = """
import sys
sys.path.insert(0, sys.argv[1])
from corollary.sources import source_digest
import lab
print(source_digest(lab.holding))
print(source_digest(lab.make()))
print(source_digest(lab.unkeyed))
"""
LAB = """
import numpy as np
import helper
from bench import inner

def holding(point, seeds, xp):
    if point["kind"] in {"alpha", "beta", "gamma"}:
        return {"x": helper.f(seeds)}

def make():
    return lambda x: x in {"alpha", "beta", "gamma", "delta"}

def hold(rng):
    return lambda x: rng.random()

unkeyed = hold(np.random.default_rng(0))
"""


@pytest.fixture
def lab(tmp_path):
    """A user's own files, and their three digests in a new process."""
    (tmp_path / "lab.py").write_text(LAB)
    (tmp_path / "helper.py").write_text("import deeper\nf = len\n")
    (tmp_path / "deeper.py").write_text("")
    (tmp_path / "unused.py").write_text("")
    (tmp_path / "bench").mkdir()
    for name, text in {"__init__": "", "inner": "from . import near\n", "near": "", "far": ""}.items():
        (tmp_path / "bench" / f"{name}.py").write_text(text)
    (tmp_path / "print_digests.py").write_text(PRINT)

    def digests():
        command = [sys.executable, str(tmp_path / "print_digests.py"), str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()

    return tmp_path, digests


def test_a_users_files_count_with_the_files_they_import_and_no_others(lab):
    folder, digests = lab
    before = digests()
    for name in ("unused.py", "bench/far.py"):
        (folder / name).write_text("# edited\n")
    same = digests()
    assert same[:2] == before[:2]  # sets of strings are in the code: their order is another in each process
    assert same[2] != before[2]  # a generator has no text: never found again, so never stale
    for name in ("lab.py", "helper.py", "deeper.py", "bench/inner.py", "bench/near.py"):
        (folder / name).write_text((folder / name).read_text() + "# edited\n")
        after = digests()
        assert not set(after) & set(before), name
        before = after


def experiments():
    found = {}
    for entry in papers().values():
        for e in [
            *(c.reading.experiment for c in entry.claims),
            *(e for f in entry.figures for e in f.experiments.values()),
        ]:
            found[e.id] = e
    return found


def files_run_by(experiment) -> set[Path]:
    """Files of this package of which a function runs while one replicate is measured, by the interpreter's account."""
    from corollary.arrays import namespace_for
    from corollary.claims import points_at

    point = points_at(experiment.points, "smoke")[0]
    seeds, xp = seed_sequences(0, experiment.id, point, range(1)), namespace_for("cpu")
    seen: set[str] = set()
    sys.setprofile(lambda frame, event, argument: seen.add(frame.f_code.co_filename) if event == "call" else None)
    try:
        experiment.run(point, seeds, xp)
    finally:
        sys.setprofile(None)
    real = {Path(os.path.realpath(name)) for name in seen}
    rooms = {HOME / room for room in ("theory", "sims", "proofs_check", "figures", "paper_repro")}
    roots = {HOME, *(room.resolve() for room in rooms)}
    return {name for name in real if any(name.is_relative_to(root) for root in roots)}


def every_file_run_is_counted(of):
    checked, all_missing = 0, {}
    for name, experiment in of.items():
        functions = (experiment.run,) if experiment.source is None else (experiment.source, experiment.run)
        counted = {Path(f).resolve() for m in modules_of(*functions) for f in source_files(m)}
        wrapper = {
            HOME / "claims" / "experiment.py",
            HOME / "verdicts" / "settings.py",
        }  # EachSeed, which calls measures
        ran = files_run_by(experiment)
        missing = ran - counted - (wrapper if experiment.source else set())
        if missing:
            all_missing[name] = missing
        checked += len(ran)
    assert checked and not all_missing


def test_every_module_that_runs_in_an_experiment_is_in_its_key():
    """The static closure against what runs, for the first paper, and for one that binds theory to its measurements."""
    few = {k: e for k, e in experiments().items() if k.startswith(("jacot2018", "dang2023"))}
    every_file_run_is_counted(few)
    minima, bound = few["dang2023.minima"], "corollary.theory.attention.collapse"  # run = partial(source, theory=…)
    assert bound in package_digests(minima.source, minima.run) and bound not in package_digests(minima.source)


@pytest.mark.slow
def test_every_module_that_runs_in_any_experiment_is_in_its_key():
    every_file_run_is_counted(experiments())


COPY = """
import sys
from functools import partial
import numpy as np
from corollary.claims import Experiment
from corollary.store import Store
from corollary.sweep import Task, sweep
from corollary.sims.ntk import experiments
from corollary.theory import ntk
import mine

RUN = []

def noting(name):
    def run(point, seeds, xp):
        RUN.append(name)
        return {"x": np.zeros(len(seeds))}
    return run

sources = {
    "simulation": experiments.initial_kernel,
    "bound theory": partial(experiments.initial_kernel, kernel=ntk.gradient_flow),
    "own file": mine.run,
}
for name, source in sources.items():
    sweep([Task(Experiment(name, noting(name), source=source), {}, 0, 2)], store=Store(sys.argv[1]))

def wrapped(point, seeds, xp, *, flow):
    return noting("bound to run")(point, seeds, xp)

bound = partial(wrapped, flow=ntk.gradient_flow)
shown = Experiment("bound", bound, source=experiments.initial_kernel)
sweep([Task(shown, {}, 0, 2)], store=Store(sys.argv[1]))
print(",".join(RUN))
"""


def test_an_edit_in_any_module_used_invalidates_exactly_its_results(tmp_path):
    """On a copy of the package, with a store: an edit, and which results are computed again."""
    shutil.copytree(HOME, tmp_path / "corollary", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "mine.py").write_text("from corollary.numerics import lanczos\n\ndef run(point, seeds, xp): ...\n")
    (tmp_path / "program.py").write_text(COPY)

    def computed():
        done = subprocess.run(
            [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "store")], cwd=tmp_path, capture_output=True,
            text=True, check=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}, timeout=60,
        )  # fmt: skip
        return set(done.stdout.strip().split(",")) - {""}

    everything = {"simulation", "bound theory", "own file", "bound to run"}
    assert computed() == everything and computed() == set()
    for names, expected in [
        (["figures/style.py", "sweep.py", "proofs_check/ntk/arccos.py"], set()),
        (["theory/ntk/dynamics.py"], {"bound theory", "bound to run"}),
        (["sims/common/activations.py"], {"simulation", "bound theory", "bound to run"}),
        (["../mine.py"], {"own file"}),
        (["arrays.py"], everything),
    ]:
        for name in names:
            file = tmp_path / "corollary" / name
            file.write_text(file.read_text() + "# edited\n")
        assert computed() == expected, names
