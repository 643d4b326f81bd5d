"""Two processes at the same time: on one store, and on one log."""

import json
import subprocess
import sys
import threading

from corollary.run.log import append, read_log
from corollary.store import Store


def test_two_processes_on_one_store_lose_nothing_and_mix_nothing(tmp_path, program, launch, notes):
    """Their results differ, as between machines; a third process reads all the while and never meets half a result."""
    arguments = [program, tmp_path / "store", notes.path, "serial", 60, 0.002, "mixed"]
    runs = [launch(*arguments), launch(*arguments)]
    reader, ended = Store(tmp_path / "store"), threading.Event()
    seen = set()

    def read():
        while not ended.is_set():
            for mark in (tmp_path / "store").glob("*/*.json"):
                if reader.get(mark.stem) is not None:
                    seen.add(mark.stem)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        ends = [run.end() for run in runs]
    finally:
        ended.set()
        thread.join()
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert not reader.problems and seen
    starts = notes.of("start")
    assert 60 < len(starts)  # they did meet: some results were computed twice
    store = Store(tmp_path / "store")
    marks = list((tmp_path / "store").rglob("*.json"))
    assert len(marks) == 60 and all(store.get(m.stem) is not None for m in marks) and not store.problems


def test_two_processes_on_one_store_with_the_same_bits_leave_the_files_of_one(
    tmp_path, program, launch, notes, content
):
    arguments = [program, tmp_path / "both", notes.path, "processes:1", 30, 0.005]
    for run in [launch(*arguments), launch(*arguments)]:
        code, _, problems = run.end()
        assert code == 0, problems
    alone = [program, tmp_path / "alone", notes.path, "serial", 30, 0.005]
    assert launch(*alone).end()[0] == 0
    assert content(tmp_path / "both") == content(tmp_path / "alone")


APPENDING = """
import sys
from pathlib import Path
from corollary.run.log import append
for i in range(200):
    append(Path(sys.argv[1]), {"who": sys.argv[2], "i": i, "text": "x" * 5000})
"""


def test_two_writers_of_one_log_lose_no_line(tmp_path):
    """Lines longer than a page, so that two writes could mix if they were more than one."""
    command = [sys.executable, "-c", APPENDING, str(tmp_path)]
    writers = [subprocess.Popen([*command, who]) for who in "ab"]
    assert [w.wait(timeout=120) for w in writers] == [0, 0]
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for who in "ab":
        assert [e["i"] for e in entries if e["who"] == who] == list(range(200))
    assert read_log(tmp_path) == entries


def test_a_line_cut_short_costs_that_line_only(tmp_path):
    """By a crash, or by a full disk."""
    append(tmp_path, {"n": 1})
    with open(tmp_path / "log.jsonl", "a") as log:
        log.write('{"n": 2, "cut')
    before = (tmp_path / "log.jsonl").read_bytes()
    append(tmp_path, {"n": 3})
    assert (tmp_path / "log.jsonl").read_bytes().startswith(before)  # nothing is rewritten
    assert read_log(tmp_path) == [{"n": 1}, {"n": 3}]
