"""Results that are missing, old, new, half written or damaged: one clear sentence, and the rest is still shown."""

import json

import pytest

from corollary.cli.session import ended_by
from corollary.report import ReportError, load, render


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ReportError, match="no folder or file .*nowhere; give the --out folder"):
        load([tmp_path / "nowhere"])


def test_a_folder_without_results(tmp_path):
    with pytest.raises(ReportError, match="no results in .*`corollary verify` or"):
        load([tmp_path])


def test_a_folder_of_an_older_version(tmp_path):
    """It has a log and no records."""
    (tmp_path / "log.jsonl").write_text('{"claim": "a.b", "outcome": "CONFIRMED"}\n')
    with pytest.raises(ReportError, match="older version of corollary.*run `corollary verify` on it again"):
        load([tmp_path])


def test_a_line_cut_short_is_left_out_and_said(folder):
    """A run that was killed while it wrote: the other records stand."""
    file = folder / "results.jsonl"
    whole = load([folder])
    file.write_text(file.read_text() + '{"record": "claim", "id": "jacot2018.cut", "outc')
    found = load([folder])
    assert set(found.claims) == set(whole.claims)
    assert any("1 lines of results.jsonl were cut short" in p for p in found.problems)
    assert "were cut short" in render(found)


def test_a_run_that_did_not_finish_is_said(folder):
    """Its line at the end is missing."""
    file = folder / "results.jsonl"
    lines = [line for line in file.read_text().splitlines()
             if not (json.loads(line)["record"] == "run" and json.loads(line)["seconds"] is not None)]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")
    assert "1 runs did not finish" in render(load([folder]))


def test_records_of_a_newer_version_are_left_out_and_said(folder, record):
    file = folder / "results.jsonl"
    file.write_text(file.read_text() + json.dumps({**record, "format": 99, "id": "future"}) + "\n")
    found = load([folder])
    assert "future" not in found.claims and any("newer version" in p for p in found.problems)


@pytest.mark.parametrize("change", [
    {"outcome": "MAYBE"}, {"id": ""}, {"id": 3}, {"interval": [[0, 1]]}, {"interval": 7}, {"notes": "text"},
    {"rival_values": {"a": 1}}, {"theory": None}, {"interval": [1, 2, 3]},
])  # fmt: skip
def test_a_record_that_lacks_what_it_needs_is_left_out(folder, record, change):
    file = folder / "results.jsonl"
    file.write_text(file.read_text() + json.dumps({**record, "id": "spoilt", **change}) + "\n")
    found = load([folder])
    assert "spoilt" not in found.claims and found.problems
    render(found)


def test_the_last_record_of_a_claim_counts(folder, record):
    file = folder / "results.jsonl"
    file.write_text(file.read_text() + json.dumps({**record, "outcome": "REFUTED"}) + "\n")
    assert load([folder]).claims[record["id"]]["outcome"] == "REFUTED"


def test_figures_without_picture_or_with_half_a_provenance_are_left_out_and_said(folder):
    place = folder / "figures" / "jacot2018"
    (place / "figure-8.json").write_text('{"result": {"figure": "8", "pap')
    (place / "figure-9.png").write_bytes(b"no provenance")
    made = json.loads((place / "figure-Theorem-2.json").read_text())
    (place / "figure-7.json").write_text(json.dumps(made))
    (place / "figure-6.json").write_text(json.dumps(made))
    (place / "figure-6.png").write_bytes((place / "figure-Theorem-2.png").read_bytes()[:2000])
    found = load([folder])
    text = render(found)
    assert text.count("<img ") == 1
    for part in ("figure-8.json is cut short", "figure-9.png has no provenance", "figure-7.png is not there",
                 "figure-6.png is no whole picture"):  # fmt: skip
        assert part in text


def test_verdicts_of_pytest_are_read(tmp_path, record):
    path = tmp_path / "verdicts.json"
    path.write_text(json.dumps({"verdicts": [{**record, "id": "", "test": "test_a.py::test_b"}], "error_budget": 0.1}))
    found = load([path])
    assert list(found.claims) == ["test_a.py::test_b"]
    assert "test_a.py::test_b" in render(found)


@pytest.mark.parametrize(
    "text, words", [("{", "not whole JSON"), ("[]", "holds no verdicts"), ("{}", "holds no verdicts")]
)
def test_a_json_file_that_is_none_of_ours(tmp_path, text, words):
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(ReportError, match=words):
        load([tmp_path / "v.json"])


def test_on_the_command_line_an_error_is_one_line_and_exit_code_2(tmp_path, capsys):
    def command():
        load([tmp_path / "nowhere"])

    assert ended_by(command) == 2
    said = capsys.readouterr().err
    assert said.startswith("corollary: no folder or file") and said.count("\n") == 1
