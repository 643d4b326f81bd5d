"""Results are found by everything they depend on, are whole or not there, and damage is named."""

import errno
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import corollary.store as store_module
from corollary.seeds import canonical_json, seed_sequences
from corollary.store import ABANDONED, MemoryStore, Store, StoreError, key_of

ARRAYS = {"x": np.arange(6.0).reshape(2, 3), "k": np.array([1, 2])}
KEY = key_of({"experiment": "demo", "start": 0})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def files(store):
    return sorted(p for p in store.path.rglob("*") if p.is_file())


def test_what_was_put_comes_back_in_a_new_process_of_mind(store):
    assert store.get(KEY) is None
    store.put(KEY, ARRAYS, {"note": 1})
    again = Store(store.path).get(KEY)
    assert again is not None and set(again) == {"x", "k"}
    np.testing.assert_array_equal(again["x"], ARRAYS["x"])
    assert not store.problems and all(".tmp" not in p.name for p in files(store))


def pair(store):
    return (next(p for p in files(store) if p.suffix == s) for s in (".json", ".npz"))


def foreign_record(mark, data):
    mark.write_text(json.dumps({"key": KEY, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}))


def result_of_another_key(mark, data):
    other = Store(mark.parents[2] / "other")
    other.put("another", {"x": np.zeros(1)}, {})
    shutil.copy(next(other.path.rglob("*.json")), mark)


DAMAGE = {
    "data truncated": lambda mark, data: data.write_bytes(data.read_bytes()[: data.stat().st_size // 2]),
    "data empty": lambda mark, data: data.write_bytes(b""),
    "data foreign": lambda mark, data: data.write_bytes(b"notes of mine"),
    "data gone": lambda mark, data: data.unlink(),
    "data a folder": lambda mark, data: (data.unlink(), data.mkdir()),
    "record truncated": lambda mark, data: mark.write_bytes(mark.read_bytes()[:-2]),
    "record empty": lambda mark, data: mark.write_bytes(b""),
    "record no text": lambda mark, data: mark.write_bytes(b"\xff\xfe\x00"),
    "record other JSON": lambda mark, data: mark.write_text("[1, 2]"),
    "record nested too deep": lambda mark, data: mark.write_text("[" * 100_000),
    "record foreign": foreign_record,
    "record of another result": result_of_another_key,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_and_foreign_files_are_detected_named_and_computed_anew(store, damage):
    store.put(KEY, ARRAYS, {})
    mark, data = pair(store)
    DAMAGE[damage](mark, data)
    assert store.get(KEY) is None
    (problem,) = store.problems
    assert str(mark if damage.startswith("record") else data) in problem
    if data.is_dir():
        with pytest.raises(StoreError, match="Is a directory"):  # not ours to remove
            store.put(KEY, ARRAYS, {})
        data.rmdir()
    store.put(KEY, ARRAYS, {})
    assert store.get(KEY) is not None and len(store.problems) == 1


def test_every_single_flipped_bit_of_both_files_is_detected(store):
    """Every 5th bit of the record, so at least one of each byte; every 13th of the data. Both meet every position."""
    store.put(KEY, {"x": np.arange(3)}, {"point": {"n": 1}, "seconds": 0.25})
    for file, step in zip(pair(store), (5, 13), strict=True):
        content = file.read_bytes()
        for bit in range(0, 8 * len(content), step):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            file.write_bytes(flipped)
            assert store.get(KEY) is None, (file.name, bit)
            assert str(file) in store.problems[-1]
        file.write_bytes(content)
    assert store.get(KEY) is not None


def test_two_writers_of_one_key_with_different_bits_leave_a_whole_result(store, monkeypatch):
    """The second writes both its files between the first one's two: with one data name the marks would cross."""
    mine, theirs = {"x": np.zeros(3)}, {"x": np.ones(3)}
    write = store_module._write
    state = {"nested": False}

    def interleaved(path, content):
        if path.suffix == ".json" and not state["nested"]:
            state["nested"] = True
            Store(store.path).put(KEY, theirs, {})
        write(path, content)

    monkeypatch.setattr(store_module, "_write", interleaved)
    store.put(KEY, mine, {})
    found = store.get(KEY)
    assert state["nested"] and found is not None and not store.problems
    np.testing.assert_array_equal(found["x"], mine["x"])  # the mark that came last


def test_temporary_files_of_killed_processes_go_after_a_day_and_no_sooner(store):
    store.put(KEY, ARRAYS, {})
    folder = files(store)[0].parent
    old, young = folder / ".old.tmp", folder / ".young.tmp"
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (0.0, time.time() - ABANDONED - 10))
    assert Store(store.path).get(KEY) is not None
    assert not old.exists() and young.exists()


def test_a_crash_between_the_two_files_leaves_no_result(store):
    store.put(KEY, ARRAYS, {})
    next(p for p in files(store) if p.suffix == ".json").unlink()
    assert store.get(KEY) is None and not store.problems


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["mkstemp", "fsync", "replace", "mkdir"])
def test_a_disk_that_refuses_is_one_clear_error_and_leaves_nothing_half_written(store, monkeypatch, call, code):
    """Injected at every system call of a write; test_fire_disk.py fills a real disk."""

    def refuse(*arguments, **options):
        raise OSError(code, os.strerror(code))

    owner = {"mkstemp": store_module.tempfile, "mkdir": Path}.get(call, os)
    monkeypatch.setattr(owner, call, refuse)
    with pytest.raises(StoreError, match=f"{os.strerror(code)}.*choose another folder"):
        store.put(KEY, ARRAYS, {})
    monkeypatch.undo()
    assert files(store) == [] and store.get(KEY) is None and not store.problems


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    """A file in the way: read-only modes do not stop root, who runs many CI jobs."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the store"):
        Store(tmp_path / "file" / "store")


def test_the_memory_store_has_the_same_manners():
    store = MemoryStore()
    store.put(KEY, ARRAYS, {})
    assert store.get(KEY) is ARRAYS and store.get("other") is None


def test_keys_do_not_depend_on_order_or_number_type_but_on_every_value():
    assert key_of({"a": 1, "b": (1, 2)}) == key_of({"b": [1, 2], "a": np.int64(1)})
    assert key_of({"a": 1}) != key_of({"a": 2})
    for bad in (float("nan"), float("inf"), object(), np.ones(2)):
        with pytest.raises((ValueError, TypeError)):
            canonical_json({"a": bad})


def test_seeds_depend_on_root_experiment_point_and_replicate_only():
    draw = lambda *a: [np.random.default_rng(s).random() for s in seed_sequences(*a)]  # noqa: E731
    base = draw(0, "e", {"n": 1}, range(0, 4))
    assert len(set(base)) == 4
    assert draw(0, "e", {"n": 1}, range(2, 4)) == base[2:]  # blocks do not matter
    for other in ((1, "e", {"n": 1}), (0, "f", {"n": 1}), (0, "e", {"n": 2})):
        assert not set(draw(*other, range(0, 4))) & set(base)
    # pinned: a change of the seed path would silently redraw every result ever stored
    assert seed_sequences(0, "e", {"n": 1}, range(1))[0].entropy == [0, 4573893034656859442, 3169712751968255100, 0]
