"""Results that are missing, old, new, half written or damaged: one clear sentence, and the rest is still shown."""

import json
import re

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
    last = len(file.read_text().splitlines())
    assert found.problems == [f"results.jsonl, line {last} was cut short: left out"]
    assert "was cut short" in render(found)


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


BAD = ("dropped", None, "x", 7, True, [1], {"a": 1}, [[1]], [{"a": 1}], 10**400, "\ud800", float("nan"))


def one_of_each(folder) -> dict[str, dict]:
    """The last record of each kind; the claim is the fullest."""
    records = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    return {r["record"]: r for r in sorted(records, key=lambda r: len(r.get("functionals", [])))}


def spoilt(record, key, bad):
    return {k: v if k != key else bad for k, v in record.items() if not (k == key and bad == "dropped")}


@pytest.mark.parametrize("kind", ["run", "paper", "derivation", "claim"])
def test_whatever_is_damaged_in_a_record_the_page_is_still_made(real, tmp_path, kind):
    """Every field of a record dropped, of another type, too large, not a number, each under a name of its own: no
    exception, every claim that is whole is shown, and what is said names file and line."""
    record = one_of_each(real)[kind]
    key = {"run": "run", "paper": "key"}.get(kind, "id")
    damaged = [
        spoilt({**record, key: f"spoilt{i}.{j}"}, field, bad)
        for i, field in enumerate(sorted(set(record) - {"format"})) for j, bad in enumerate(BAD)
    ]  # fmt: skip
    bare = {"record": "claim", "kind": "Value", "outcome": "CONFIRMED"}
    whole = [
        {**bare, "id": f"whole.claim{i}", "checked_by": [str(r.get(key))], "run": r.get(key), "paper": r.get(key)}
        for i, r in enumerate(damaged)
        if isinstance(r.get(key), str)
    ]
    file = tmp_path / "results.jsonl"
    file.write_text("\n".join(json.dumps(r) for r in [*damaged, *whole]) + "\n")
    found = load([tmp_path])
    text = render(found)
    assert {c["id"] for c in whole} <= set(found.claims) and text.count("whole.claim") >= len(whole) > 100
    for p in found.problems[:-1]:
        assert re.match(r"results.jsonl, line (\d+): ", p) and int(p.split()[2][:-1]) <= len(damaged), p


@pytest.mark.parametrize("path, bad, words", [
    (("steps",), "dropped", "derivation lacks 'steps': left out"),
    (("agreement",), [1], "derivation.agreement is a list, not a record: left out"),
    (("steps", 0, "holds"), "yes", "derivation.steps[0].holds is 'yes', not true or false: left out"),
    (("outcome",), "MAYBE", "derivation.outcome is 'MAYBE', not one of DERIVED, NOT DERIVED: left out"),
])  # fmt: skip
def test_a_damaged_derivation_is_left_out(folder, path, bad, words):
    """One without a step or an outcome would look like one that holds."""
    records = one_of_each(folder)
    damaged = json.loads(json.dumps(records["derivation"]))
    place = damaged
    for key in path[:-1]:
        place = place[key]
    if bad == "dropped":
        del place[path[-1]]
    else:
        place[path[-1]] = bad
    (folder / "results.jsonl").write_text(json.dumps(records["claim"]) + "\n" + json.dumps(damaged) + "\n")
    found = load([folder])
    assert not found.derivations and found.problems[0] == f"results.jsonl, line 2: {words}"


def test_of_a_paper_what_is_whole_is_shown(folder):
    """A damaged erratum and a damaged year are said; title and the other errata stay."""
    file = folder / "results.jsonl"
    paper = next(r for r in map(json.loads, file.read_text().splitlines()) if r.get("key") == "fu2023newton")
    damaged = {**paper, "year": [1], "errata": [{"where": "here"}, *paper["errata"]]}
    file.write_text(file.read_text() + json.dumps(damaged) + "\n")
    found = load([folder])
    line = len(file.read_text().splitlines())
    assert found.problems == [
        f"results.jsonl, line {line}: paper.year is a list, not a text or number: shown without",
        f"results.jsonl, line {line}: paper.errata[0] lacks 'printed': left out",
    ]
    assert len(found.papers["fu2023newton"]["errata"]) == len(paper["errata"])
    assert paper["title"] in render(found)


def test_many_damaged_lines_are_not_told_one_by_one(folder):
    file = folder / "results.jsonl"
    file.write_text(file.read_text() + '{"record": "run"}\n' * 50)
    problems = load([folder]).problems
    assert len(problems) == 21 and problems[-1] == "results.jsonl: 30 more of the kind"


def test_whatever_is_damaged_in_a_figures_provenance_the_page_is_still_made(folder):
    """Each field spoilt in a provenance of its own, beside a picture."""
    file = folder / "figures" / "jacot2018" / "figure-Theorem-2.json"
    made, picture = json.loads(file.read_text()), file.with_suffix(".png").read_bytes()
    for i, key in enumerate(made["result"]):
        for j, bad in enumerate(BAD):
            spoilt_file = file.with_name(f"spoilt-{i}-{j}.json")
            spoilt_file.write_text(json.dumps({**made, "result": spoilt(made["result"], key, bad)}))
            spoilt_file.with_suffix(".png").write_bytes(picture)
    found = load([folder])
    found.figures = {key: made[:3] for key, made in found.figures.items()}  # decoding each picture takes its time
    assert len(found.claims) == 6 and "<h1>" in render(found)
    assert found.problems and all(re.match(r"jacot2018/spoilt-.*json: result", p) for p in found.problems)
    for spoilt_file in file.parent.glob("spoilt-*"):
        spoilt_file.unlink()
    for whole in ("[]", "null", '{"result": [], "run": {}}', '{"result": {}}', "[" * 100_000):
        file.write_text(whole)
        assert len(load([folder]).problems) == 1


def test_a_file_that_cannot_be_read_is_said_to_be_unreadable(folder, monkeypatch):
    """Not to be unwritable; pictures and the other records are shown."""
    from pathlib import Path

    real_text, real_bytes = Path.read_text, Path.read_bytes

    def refused(real_, suffix):
        def read(self, *args, **kwargs):
            if self.suffix == suffix and folder in self.parents:
                raise PermissionError(13, "Permission denied", str(self))
            return real_(self, *args, **kwargs)

        return read

    monkeypatch.setattr(Path, "read_bytes", refused(real_bytes, ".png"))
    found = load([folder])
    text = render(found)
    assert "cannot read jacot2018/figure-Theorem-2.png: Permission denied" in text and "<img " not in text
    monkeypatch.setattr(Path, "read_text", refused(real_text, ".jsonl"))
    assert "cannot read results.jsonl: Permission denied" in load([folder]).problems
    with pytest.raises(ReportError, match=r"no results in .*cannot read results.jsonl: Permission denied"):
        load([folder / "results.jsonl"])


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
