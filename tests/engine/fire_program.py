"""A script with its own experiment, run as a user runs one: STORE LOG EXECUTOR TASKS [SECONDS] [mixed].

It appends to LOG "start N PID TIME" when a measurement starts, and "done N PID TIME" once the store has said so.
`mixed`: results differ from process to process, as on machines with different BLAS libraries.
"""

import os
import sys
import time

import numpy as np

from corollary.claims import Experiment
from corollary.executors import executor_from
from corollary.store import Store, StoreError
from corollary.sweep import SweepError, Task, sweep

QUIET = "FIRE_QUIET" in os.environ  # no log and no waiting; the results are the same
SIZE = 4000  # numbers a result: 32 kB


def note(log, *words):
    if QUIET:
        return
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (" ".join(map(str, [*words, os.getpid(), time.time()])) + "\n").encode())
    os.close(handle)


def measure(point, seeds, xp):
    note(point["log"], "start", point["n"])
    time.sleep(0 if QUIET else point["seconds"])
    shift = os.getpid() if point["mixed"] else 0
    return {"x": np.array([np.random.default_rng(s).random(SIZE) + shift for s in seeds])}


class Telling(Store):
    def put(self, key, arrays, record):
        super().put(key, arrays, record)
        note(record["point"]["log"], "done", record["point"]["n"])


def tasks(log, count, seconds=0.0, mixed=False):
    e = Experiment("fire", measure)
    return [Task(e, {"n": n, "log": log, "seconds": seconds, "mixed": mixed}, 0, 1) for n in range(count)]


def main(folder, log, executor, count, seconds="0", mixed=""):
    store = Telling(folder)
    try:
        with executor_from(executor) as workers:
            sweep(tasks(log, int(count), float(seconds), bool(mixed)), store=store, executor=workers)
    except (SweepError, StoreError) as error:
        sys.exit(str(error))
    if store.problems:
        sys.exit("\n".join(store.problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
