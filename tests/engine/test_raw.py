"""Beside the results stands what every replicate gave: what is read back is what was judged."""

import csv
import json

import numpy as np
import pytest

from corollary.claims import Claim
from corollary.run import raw
from corollary.run.log import LogError
from corollary.run.verify import verify
from corollary.store import MemoryStore
from corollary.verdicts import Value


def drawn(n, rng):
    return rng.standard_normal(2) + n


CLAIM = Claim(
    "the mean is n", Value(lambda n: np.array([n, n]), resolution=2.0), id="mine::the mean/of <n>", measure=drawn,
    points={"n": [1, 2]}, rivals={"none": lambda n: np.array([0.0, 0.0]) - 9},
)  # fmt: skip


def judged(out):
    [verdict] = verify([CLAIM], scale="smoke", root=3, out=out, store=MemoryStore()).verdicts
    records = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    record = next(r for r in records if r["record"] == "claim")
    return verdict, record["data"]


def measured(verdict):
    return CLAIM.measured(verdict.n, scale="smoke", root=3)


def test_the_csv_gives_back_what_was_judged_to_the_last_bit(tmp_path):
    verdict, name = judged(tmp_path)
    assert name.startswith("data/mine") and (tmp_path / name).resolve().parent == tmp_path / "data"
    comment, *lines = (tmp_path / name).read_text().splitlines()
    assert comment == f"# mine::the mean/of <n>, scale smoke, seed root 3, device cpu, {verdict.n} replicates"
    rows = list(csv.DictReader(lines))
    assert [(r["n"], r["replicate"]) for r in rows] == [(str(n), str(k)) for n in (1, 2) for k in range(verdict.n)]
    read = np.array([[float(r["value[0]"]), float(r["value[1]"])] for r in rows])
    assert np.array_equal(read, np.concatenate([values for _, values in measured(verdict)]))


def test_many_numbers_go_to_an_npz(tmp_path, monkeypatch):
    monkeypatch.setattr(raw, "MOST", 10)
    verdict, name = judged(tmp_path)
    assert name.endswith(".npz")
    with np.load(tmp_path / name) as found:
        assert json.loads(str(found["points"])) == [{"n": 1}, {"n": 2}]
        for j, (_, values) in enumerate(measured(verdict)):
            assert np.array_equal(found[f"point_{j}"], values)


def test_parts_that_differ_between_points_leave_empty_cells():
    table = raw._table([({"n": 1}, {"a": np.ones((2, 1))}), ({"n": 2}, {"a": np.ones((1, 2)), "b": np.zeros(1)})])
    assert table["a[1]"] == ["", "", 1.0] and table["b"] == ["", "", 0.0] and table["replicate"] == [0, 1, 0]


def test_a_disk_that_does_not_take_it_is_told(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(LogError, match=r"cannot write .*data/mine.*--out"):
        judged(tmp_path)
