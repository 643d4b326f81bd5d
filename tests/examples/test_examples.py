"""The examples run as a user runs them: by pytest, by `corollary verify`, and into a report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))
EXPECTED = {
    "spread_of_the_maximum": "CONFIRMED", "two_levels": "CONFIRMED", "printed_statement": "REFUTED",
    "corrected": "CONFIRMED",
}  # fmt: skip


def run(*arguments, cwd):
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Path:
    """The JSON that pytest writes when it runs all examples, in a folder of its own."""
    where = tmp_path_factory.mktemp("examples")
    (where / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    done = run("-m", "pytest", "-q", "-c", where / "pytest.ini", "-p", "no:cacheprovider", "--rootdir", EXAMPLES,
               EXAMPLES, "--verdicts-json", where / "verdicts.json", cwd=where)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return where / "verdicts.json"


def test_there_are_three_examples():
    assert len(NAMES) == 3


def test_every_example_comes_out_as_it_says(judged):
    """Three claims that hold and a printed one that does not."""
    found = {v["id"].split(":")[-1]: v["outcome"] for v in json.loads(judged.read_text())["verdicts"]}
    assert found == EXPECTED


def test_what_pytest_wrote_becomes_a_report(judged):
    """Statement, formula and experiment with their source, and rivals are in the page."""
    done = run("-m", "corollary.cli", "report", judged, "--to", "page.html", cwd=judged.parent)
    assert done.returncode == 0, done.stderr
    text = (judged.parent / "page.html").read_text()
    for part in ("free_law", '<span class="nf">eigenvalues', "added as numbers", "REFUTED, as expected",
                 "test_my_rate.py:", "<math "):  # fmt: skip
        assert part in text, part


@pytest.mark.parametrize("name", NAMES)
def test_verify_takes_the_same_files(name, tmp_path):
    """`corollary verify FILE` judges the claims of a pytest file too, and its results make a report."""
    done = run("-m", "corollary.cli", "verify", EXAMPLES / name, "--executor", "serial", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    made = run("-m", "corollary.cli", "report", "out", cwd=tmp_path)
    assert made.returncode == 0 and (tmp_path / "out" / "report.html").is_file()
