"""Ruff and pyright are shown to fail on planted errors; what they are told to read is all there is to read."""

import json
import sys
import tomllib

import pytest

RULES = {  # one planted line for each rule family the house asks of ruff
    "E711": "def compare(x):\n    return x == None\n",
    "F401": "import os\n",
    "I001": "import sys\nimport os\n\nprint(os, sys)\n",
    "UP006": "from typing import List\n\nx: List[int] = []\n",
    "B006": "def collect(into=[]):\n    return into\n",
    "NPY002": "import numpy as np\n\nx = np.random.rand(3)\n",
}


@pytest.mark.parametrize("rule", RULES)
def test_ruff_reports_each_rule_family(empty_house, tool, rule):
    """E, F, I, UP, B and NPY each stop the check and name the planted file."""
    (empty_house / "theory" / "planted.py").write_text(RULES[rule])
    result = tool(empty_house, "ruff", "check", "--no-cache", "--output-format", "concise", ".")
    assert result.returncode == 1
    reported = [line for line in result.stdout.splitlines() if rule in line]
    assert len(reported) == 1 and reported[0].startswith("theory/planted.py:"), result.stdout


def test_ruff_reports_a_file_that_is_not_formatted(empty_house, tool):
    """`ruff format --check` fails and names the planted file."""
    (empty_house / "sims" / "planted.py").write_text("x = {  'a':1 }\n")
    result = tool(empty_house, "ruff", "format", "--no-cache", "--check", ".")
    assert result.returncode == 1
    assert "sims/planted.py" in result.stdout


def test_the_rule_families_planted_are_those_selected(root):
    """A family selected in pyproject.toml without a planted error fails here."""
    selected = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["select"]
    assert {rule.rstrip("0123456789") for rule in RULES} == set(selected)


def test_pyright_reads_every_room_the_engine_and_the_tests_once(empty_house, tool):
    """A wrong type in any room (new families too), engine module or package, test or benchmark is reported once.

    Once: pyright follows the links in src/corollary unless told not to, and silently skips what no pattern names.
    """
    error = 'x: int = "one"\n'
    planted = [
        "theory/planted.py", "theory/newfamily/planted.py", "sims/common/planted.py", "proofs_check/ntk/planted.py",
        "figures/planted.py", "paper_repro/planted.py", "paper_repro/longpaper/planted.py",
        "src/corollary/planted.py", "src/corollary/verdicts/planted.py", "src/corollary/newpackage/deep/planted.py",
        "tests/planted.py", "tests/newfamily/planted.py", "benchmarks/planted.py",
    ]  # fmt: skip
    for name in planted:
        (empty_house / name).parent.mkdir(parents=True, exist_ok=True)
        (empty_house / name).write_text(error)
    result = tool(empty_house, "pyright", "--outputjson", "--pythonpath", sys.executable)
    assert result.returncode == 1, result.stderr
    reported = [d["file"] for d in json.loads(result.stdout)["generalDiagnostics"] if d["severity"] == "error"]
    assert sorted(reported) == sorted(str(empty_house / name) for name in planted)


def test_pyright_sees_through_the_links(empty_house, tool):
    """A wrong call across rooms is found by its `corollary.` name."""
    (empty_house / "theory" / "kernel.py").write_text("def scale(factor: float) -> float:\n    return factor\n")
    (empty_house / "paper_repro" / "planted.py").write_text(
        'from corollary.theory.kernel import scale\n\nscale("two")\n'
    )
    result = tool(empty_house, "pyright", "--outputjson", "--pythonpath", sys.executable)
    found = [(d["file"], d["rule"]) for d in json.loads(result.stdout)["generalDiagnostics"]]
    assert found == [(str(empty_house / "paper_repro" / "planted.py"), "reportArgumentType")]
