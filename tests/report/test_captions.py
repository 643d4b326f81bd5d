"""Captions say what came out: each claim that a figure shows with its verdict and interval."""

import pytest

from corollary.report import ReportError, fill, load, render
from corollary.report.captions import MARK, filled, line

CAPTION = "figures/jacot2018/figure-Theorem-2.txt"


def test_the_caption_is_filled_in_from_the_records(folder):
    """The line holds outcome, claim, interval, theory and replicates of the record; a claim that was not judged here
    has none; filled in twice it is the same; the page shows it whether or not the file is filled in."""
    file = folder / CAPTION
    plain, results = file.read_text(), load([folder])
    claim = results.claims["jacot2018.sign-flips"]
    (low, high), T = claim["interval"][0], claim["theory"][0]
    said = (
        f"CONFIRMED jacot2018.sign-flips: exponent in [{low:.4g}, {high:.4g}], theory {T:.4g} ({claim['n']} replicates)"
    )
    before = render(results)
    assert said in before and MARK not in plain
    assert fill(results) == [file]
    assert file.read_text() == f"{plain}{MARK}{said}\n"
    again = load([folder])
    assert fill(again) == [] and render(again) == before


def test_a_line_without_numbers_and_of_several(record):
    """Of many functionals the one furthest off, in resolutions; open ends; one-sided claims; nothing known."""
    claim = {
        **record, "id": "a.b", "outcome": "REFUTED", "n": 8, "axis": "", "side": "at most", "functionals": ["p", "q"],
        "interval": [[0.9, 1.3], [None, 4.0]], "theory": [1.0, 2.0], "resolution": [0.5, 0.1],
    }  # fmt: skip
    assert line(claim) == "REFUTED a.b: p in [0.9, 1.3], theory at most 1, the furthest of 2 (8 replicates)"
    far = {**claim, "interval": [[0.9, 1.3], [3.0, 4.0]], "side": "two"}
    assert line(far) == "REFUTED a.b: q in [3, 4], theory 2, the furthest of 2 (8 replicates)"
    assert line({**claim, "interval": [[None, None], [None, None]]}) == "REFUTED a.b (8 replicates)"
    alone = {**claim, "functionals": ["value"], "interval": [[None, 1.0]], "theory": [None], "resolution": [0.1]}
    assert line(alone) == "REFUTED a.b: value in [−∞, 1] (8 replicates)"
    assert filled("c\n" + MARK + "old\n", ["unknown"], {}) == "c\n"


def test_a_caption_that_cannot_be_written_is_one_clear_error(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("corollary.report.captions.os.replace", full)
    with pytest.raises(ReportError, match=r"cannot write the caption .*Theorem-2.txt: No space left"):
        fill(load([folder]))
