"""`corollary show --scale`: what a scale costs is estimated before anything of it runs."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from corollary import Claim, Experiment, Fixed, Value
from corollary.claims import Figure
from corollary.run import cost

MS = 0.002
SIZES = {"smoke": [{"n": 16, "kind": "a"}], "laptop": [{"n": 64, "kind": "a"}, {"n": 128, "kind": "a"}]}


class Clock:
    """Runs when an experiment says so: no busy machine can spoil what it shows."""

    now = 0.0

    def __call__(self):
        return self.now


CLOCK = Clock()


@pytest.fixture(autouse=True)
def the_clock(monkeypatch):
    monkeypatch.setattr(cost, "time", SimpleNamespace(perf_counter=CLOCK))


def quadratic(point, seeds, xp):
    """A replicate takes n²/256 × 2 ms and holds an n × n matrix of float64; its result is a row of it."""
    out = []
    for _ in seeds:
        CLOCK.now += MS * (point["n"] / 16) ** 2
        out.append(np.ones((point["n"], point["n"]))[0])
    return {"row": np.array(out)}


def claim(experiment, **more):
    return Claim("one", Value(lambda n: np.ones(n), resolution=0.5), measure=experiment["row"], **more)


def experiment(run=quadratic, points=SIZES, **more):
    return Experiment("test.quadratic", run, points, replicates=64, block=4, **more)


def test_time_and_memory_grow_with_the_powers_that_are_seen():
    """n² for time and for the peak, n for the result, from n = 16 and 32, said of n = 64 and 128."""
    (c,) = cost.estimate([claim(experiment())], [], "laptop")
    expected = 64 * MS * ((64 / 16) ** 2 + (128 / 16) ** 2)
    assert (c.points, c.replicates) == (2, 128)
    assert c.seconds == c.least == pytest.approx(expected)
    assert c.results == pytest.approx(8 * 64 * (64 + 128), rel=1e-6)
    one = 8 * 128**2  # a block of 4 holds one matrix at a time; of a part of a block that is known, of more a bound
    assert 0.5 * one < c.peak < 8 * one
    assert c.grows == ("n 16 → 128",)


def test_at_the_sizes_that_were_timed_nothing_is_extrapolated():
    (c,) = cost.estimate([claim(experiment())], [], "smoke")
    assert c.grows == () and c.seconds == pytest.approx(64 * MS)


def test_overhead_and_intervals_widen_the_range():
    """Time that is overhead at small n may grow like the memory, n²; a longer interval between records is free."""

    def run(point, seeds, xp):
        CLOCK.now += MS * len(seeds)
        return {"row": np.array([np.ones((point["n"], point["n"]))[0, : 240 // point["every"]] for _ in seeds])}

    points = {"smoke": [{"n": 256, "every": 10}], "laptop": [{"n": 1024, "every": 20}]}
    (c,) = cost.estimate([claim(experiment(run, points))], [], "laptop")
    assert c.least == pytest.approx(64 * MS, rel=0.01) and c.seconds == pytest.approx(64 * MS * 16, rel=0.05)
    assert c.results == pytest.approx(64 * 8 * 12)
    assert "between 0.13 s and 2 s" in "\n".join(cost.told([c], "laptop"))


def test_what_takes_too_long_is_stopped(monkeypatch):
    """On the wall's clock: a replicate that never ends costs the time that was given."""
    monkeypatch.setattr(cost, "time", time)

    def endless(point, seeds, xp):
        while True:
            time.sleep(0.01)

    started = time.perf_counter()
    (c,) = cost.estimate([claim(experiment(endless))], [], "laptop", seconds=0.5)
    assert c.seconds is None and time.perf_counter() - started < 10


def test_numbers_that_hang_together_are_taken_to_grow_in_proportion():
    """Doubling n alone is refused by the experiment: power 1 is assumed, and no error comes out."""

    def strict(point, seeds, xp):
        assert point["half"] == point["n"] // 2
        CLOCK.now += MS * len(seeds)
        return {"row": np.ones((len(seeds), point["n"]))}

    points = {"smoke": [{"n": 16, "half": 8}], "laptop": [{"n": 64, "half": 32}]}
    (c,) = cost.estimate([claim(experiment(strict, points))], [], "laptop")
    assert c.seconds == c.least == pytest.approx(64 * MS * 4 * 4)
    assert c.grows == ("n 16 → 64 (as if in proportion)", "half 8 → 32 (as if in proportion)")
    assert c.results == pytest.approx(64 * 8 * 16 * 16, rel=1e-6)


def test_every_reader_of_an_experiment_counts_once():
    """The largest budget at each point, whole blocks; a fixed design takes what it says; figures have theirs."""
    e = experiment()
    small = claim(e, points=[{"n": 64, "kind": "a"}], replicates=10)
    fixed = claim(e, points=[{"n": 128, "kind": "a"}], design=Fixed(9))
    figure = Figure("1", "", {"rows": e}, tables=lambda data: {}, draw=lambda tables: None, replicates=6)
    found = cost.demands([small, fixed], [figure], "laptop")["test.quadratic"]
    assert {p["n"]: k for p, k in found.points.values()} == {64: 12, 128: 12}
    found = cost.demands([claim(e)], [figure], "laptop")["test.quadratic"]
    assert {p["n"]: k for p, k in found.points.values()} == {64: 64, 128: 64}


def test_what_cannot_be_timed_is_named_and_not_counted():
    def broken(point, seeds, xp):
        raise RuntimeError("no data here")

    failing = Experiment("test.broken", broken, SIZES, replicates=64)
    costs = cost.estimate([claim(experiment()), claim(failing)], [], "laptop")
    lines = cost.told(costs, "laptop")
    assert any(line.endswith("test.broken: 2 points, 128 replicates: not estimated") for line in lines)
    assert any("in all about" in line and line.endswith("and what is not estimated") for line in lines)
    late = cost.estimate([claim(experiment())], [], "laptop", seconds=-1.0)
    assert [c.seconds for c in late] == [None] and "in all" not in "\n".join(cost.told(late, "laptop"))


@pytest.mark.parametrize(
    "seconds, text", [(0.0123, "0.012 s"), (99.4, "99 s"), (121, "2 min"), (7300, "2 h"), (86400 * 300, "300 days")]
)
def test_durations_for_people(seconds, text):
    assert cost.duration(seconds) == text


def test_sizes_for_people():
    assert [cost.size(b) for b in (12, 1234, 2.5e6, 681e6, 3e12)] == ["12 B", "1.2 kB", "2.5 MB", "681 MB", "3 TB"]


def show(*arguments, cwd):
    command = [sys.executable, "-m", "corollary.cli", "show", *arguments]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_show_prints_the_cost_of_a_scale_and_runs_nothing_of_it(tmp_path):
    paper = show("meyer2021hutchpp", "--scale", "paper", cwd=tmp_path)
    assert "cost at scale paper" in paper and "  in all " in paper and "an order of magnitude, no promise" in paper
    assert "meyer2021.errors: 4 points, 8000 replicates: about" in paper  # the sizes are those of smoke
    # the pilot of this claim alone, 16 trainings of 20000 steps, would take an hour
    one = show("wang2026malignanttail.training-clears-the-top", "--scale", "paper", cwd=tmp_path)
    assert "wang2026.trained-features: 1 points, 512 replicates: " in one and "steps 500 → 20000" in one
    assert "no pilot: its 16 replicates would take up to" in one and "rival 'no order': separation 1.00" in one
    assert not list(tmp_path.iterdir())
