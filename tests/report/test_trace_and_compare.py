"""`corollary trace`, from any one file of a figure; `corollary compare`, on folders that differ in known ways."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest

from corollary.report import load
from corollary.report.compare import compare
from corollary.run import stamp


def corollary(*arguments, cwd):
    command = [sys.executable, "-m", "corollary.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def files(real):
    return {kind: real / "figures" / "jacot2018" / f"figure-Theorem-2.{kind}" for kind in stamp.KINDS}


def test_each_file_of_a_figure_says_the_same(files, real):
    """PNG, PDF, SVG and CSV alone: paper, claims, parameters, seed, commit, versions, command."""
    told = {kind: stamp.read(path) for kind, path in files.items()}
    one = told["png"]
    assert all(other == one for other in told.values())
    made = json.loads(files["png"].with_suffix(".json").read_text())["result"]
    assert one["claims"] == ["jacot2018.smooth-kernel-movement", "jacot2018.sign-flips"] == made["claims"]
    assert (one["seed_root"], one["scale"], one["commit"]) == (0, "smoke", made["commit"])
    assert "numpy" in one["versions"] and len(one["parameters"]) == 3
    text = "\n".join(stamp.told(one))
    assert one["command"] == made["command"] and text.endswith(one["command"])


def test_the_traced_command_makes_the_same_files_again(files, tmp_path):
    """Word for word, in another folder, with nothing stored: figures, tables and `result` are equal byte by byte."""
    words = shlex.split(stamp.read(files["svg"])["command"])
    assert words[0] == "corollary"
    done = corollary(*words[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = tmp_path / "corollary-out" / "figures" / "jacot2018"
    before, after = (
        json.loads(p.with_suffix(".json").read_text())["result"] for p in (files["png"], again / files["png"].name)
    )
    if before["commit"] != after["commit"] or before["dirty"] != after["dirty"]:
        pytest.skip("the checkout changed between the two runs, and the files say so")
    assert before == after
    for path in files.values():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("name, content, words", [
    ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "does not say what made it"),
    ("a.png", b"", "does not say what made it"),
    ("a.pdf", b"%PDF-1.4 /Keywords (unfinished", "does not say what made it"),
    ("a.svg", b"<svg", "does not say what made it"), ("a.csv", b"x,y\n1,2\n", "does not say what made it"),
    ("a.csv", b'# corollary: {"paper": 1}\n', "does not say what made it"), ("a.txt", b"", "PNG, PDF, SVG, CSV file"),
    ("missing.png", None, "cannot read"),
], ids=["short png", "empty png", "short pdf", "plain svg", "plain csv", "half csv", "text", "missing"])  # fmt: skip
def test_a_file_that_says_nothing_is_one_clear_line(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(stamp.NoStamp, match=words):
        stamp.read(tmp_path / name)


def test_a_stamp_with_brackets_quotes_and_letters_survives_each_format(tmp_path):
    """Parentheses and backslashes are what PDF strings escape; Greek what Latin-1 lacks."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    said = {
        "paper": "p",
        "figure": "1",
        "scale": "s",
        "seed_root": 0,
        "command": r"a \(b) \\ <c> & 'd' \"",
        "commit": "η₀ ]]>",
    }
    drawing = plt.figure()
    for kind, metadata in stamp.metadata(said).items():
        drawing.savefig(tmp_path / f"f.{kind}", metadata=metadata)
        assert stamp.read(tmp_path / f"f.{kind}") == said
    plt.close(drawing)


def changed(real, tmp_path, name, **changes):
    """A folder whose last record of the claim differs."""
    lines = (real / "results.jsonl").read_text().splitlines()
    record = next(r for r in map(json.loads, reversed(lines)) if r.get("id") == name)
    folder = tmp_path / "new"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.jsonl").write_text("\n".join([*lines, json.dumps({**record, **changes})]) + "\n")
    return load([folder]), record


def test_a_folder_and_itself_differ_in_nothing(real):
    found = compare(load([real]), load([real]))
    assert not found.changed and found.same == 6 and not found.gone and not found.only_new and not found.notes


def test_a_changed_verdict_a_moved_number_and_a_changed_theory_are_named(real, tmp_path):
    """Intervals that no longer meet; those that only shift are chance."""
    name = "jacot2018.kernel-fluctuation"
    old = load([real])
    low, high = old.claims[name]["interval"][0]
    new, _ = changed(real, tmp_path, name, outcome="REFUTED", interval=[[high + 0.01, high + 0.2]], theory=[-0.25])
    found = compare(old, new)
    assert found.verdicts == [f"{name}: CONFIRMED → REFUTED"]
    assert len(found.moved) == 1 and found.moved[0].startswith(f"{name}, exponent:")
    assert found.theory == [f"{name}, exponent: theory -0.5 → -0.25"] and found.same == 5


def test_an_interval_that_shifts_but_still_meets_the_old_one_has_not_moved(real, tmp_path):
    name = "jacot2018.kernel-fluctuation"
    old = load([real])
    low, high = old.claims[name]["interval"][0]
    new, _ = changed(real, tmp_path, name, interval=[[low + 0.9 * (high - low), high + 0.3]])
    assert not compare(old, new).changed
    open_ended, _ = changed(real, tmp_path / "new", name, interval=[[low, None]])
    assert not compare(old, open_ended).changed


NAME = "jacot2018.kernel-fluctuation"


def test_a_rival_that_stands_again_and_one_that_is_not_asked_about_any_more(real, tmp_path):
    new, record = changed(real, tmp_path, NAME, rivals_rejected=[], rivals_alive=["0"])
    gone = [r for r in record["rivals_rejected"] if r != "0"]
    assert record["rivals_rejected"]
    found = compare(load([real]), new)
    assert found.changed and found.same == 5
    assert {f"{NAME}, “{r}”: rejected → not there" for r in gone} <= set(found.rivals)
    alive = {"rivals_rejected": record["rivals_rejected"][1:], "rivals_alive": record["rivals_rejected"][:1]}
    new, _ = changed(real, tmp_path / "b", NAME, **alive)
    assert compare(load([real]), new).rivals == [f"{NAME}, “{record['rivals_rejected'][0]}”: rejected → still stands"]


def test_a_renamed_functional_and_a_theory_without_a_number(real, tmp_path):
    new, _ = changed(real, tmp_path, NAME, functionals=["slope"])
    found = compare(load([real]), new)
    assert found.changed and found.functionals == [f"{NAME}: exponent → slope"] and found.same == 5
    new, _ = changed(real, tmp_path / "b", NAME, theory=[None])
    found = compare(load([real]), new)
    assert found.changed and found.theory == [f"{NAME}, exponent: theory -0.5 → no number"]


@pytest.mark.parametrize("kind", ["claim", "derivation"])
def test_what_is_gone_is_a_change_and_what_is_new_is_none(real, tmp_path, kind):
    lines = (real / "results.jsonl").read_text().splitlines()
    name = next(json.loads(x)["id"] for x in lines if json.loads(x)["record"] == kind)
    (tmp_path / "results.jsonl").write_text("\n".join(x for x in lines if json.loads(x).get("id") != name) + "\n")
    fewer = compare(load([real]), load([tmp_path]))
    assert fewer.changed and fewer.gone == [f"{kind} {name}"]
    more = compare(load([tmp_path]), load([real]))
    assert not more.changed and f"{kind} {name}" in more.only_new
    assert corollary("compare", real, tmp_path, cwd=tmp_path).returncode == 1


def test_a_gpu_is_said_once_and_is_no_change(real, tmp_path):
    lines = [json.loads(x) for x in (real / "results.jsonl").read_text().splitlines()]
    (tmp_path / "results.jsonl").write_text("\n".join(json.dumps({**r, "device": "cuda"}) for r in lines) + "\n")
    found = compare(load([real]), load([tmp_path]))
    assert not found.changed and found.same == 6
    assert [n for n in found.notes if n.startswith("device")] == [
        f"device cpu → cuda: {', '.join(sorted(load([real]).claims)[:3])} and 3 more"
    ]


def test_tables_behind_figures_are_compared(real, tmp_path):
    """A number that moved, one that only moved in its last digits, a row less, a column renamed, a table gone."""
    shutil.copytree(real / "figures", tmp_path / "figures")
    shutil.copy(real / "results.jsonl", tmp_path)
    table = tmp_path / "figures" / "jacot2018" / "figure-Theorem-2.csv"
    whole = table.read_text()
    *comments, head, first = [x for x in whole.splitlines() if x.startswith("#")] + whole.split("\n# ")[
        -1
    ].splitlines()[1:3]
    column = next(i for i, x in enumerate(first.split(",")) if "." in x)
    value, name = float(first.split(",")[column]), head.split(",")[column]

    def lines_with(text):
        table.write_text(text)
        found = compare(load([real]), load([tmp_path]))
        assert found.changed == bool(found.tables)
        return found.tables

    def first_with(x):
        return ",".join([*first.split(",")[:column], repr(x), *first.split(",")[column + 1 :]])

    said = "figure-Theorem-2.csv of figures/jacot2018/figure-Theorem-2"
    assert lines_with(whole) == []
    assert lines_with(whole.replace(first, first_with(value * (1 + 1e-9)), 1)) == []
    (moved,) = lines_with(whole.replace(first, first_with(value + 100.0), 1))
    assert moved.startswith(f"{said}, {name}: 1 of ") and moved.endswith(f"→ {value + 100:.10g}")
    assert all("rows →" in x for x in lines_with(whole.replace(first + "\n", "", 1)))
    (renamed,) = lines_with(whole.replace(head, head.replace(name, "other"), 1))
    assert renamed.startswith(f"{said}: columns {name if column == 0 else head.split(',')[0]}")
    table.unlink()
    assert compare(load([real]), load([tmp_path])).tables == [f"{said}: a table → no table"]


def test_the_exit_code_says_whether_anything_changed(real, tmp_path):
    changed(real, tmp_path, "jacot2018.kernel-fluctuation", outcome="UNDERPOWERED")
    same = corollary("compare", real, real, cwd=tmp_path)
    assert (same.returncode, same.stdout) == (0, "6 claims in both with the same verdict and numbers\n")
    other = corollary("compare", real, tmp_path / "new", cwd=tmp_path)
    assert other.returncode == 1 and "CONFIRMED → UNDERPOWERED" in other.stdout


def test_report_prints_where_the_page_is(real, tmp_path):
    done = corollary("report", real, "--to", tmp_path / "page.html", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.strip() == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size > 50_000
    wrong = corollary("report", tmp_path / "nothing", cwd=tmp_path)
    assert wrong.returncode == 2 and wrong.stderr.startswith("corollary: no folder or file")
    into_folder = corollary("report", real, "--to", tmp_path, cwd=tmp_path)
    assert into_folder.returncode == 2 and "is a folder" in into_folder.stderr
