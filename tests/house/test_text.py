"""What no file of the repository may contain, and what two of them must agree on."""

import ast
import os
import re
import shutil
import subprocess

import pytest

import corollary

ROOMS = {"theory", "sims", "proofs_check", "figures", "paper_repro"}
MACHINE_PATH = re.compile(r"(?<![\w.~}\-])/(work|root|opt|home|Users)/")
# One-letter classes, because this file is searched too.
INDEX = re.compile(r"p[y]pi\.org|p[y]thonhosted\.org|n[p]mjs\.org|--(extra-)?index[-]url|--find[-]links")


@pytest.fixture(scope="module")
def texts(our_files, root) -> dict[str, str]:
    """Name → text, of every file of the repository that is text."""
    found = {}
    for path in our_files:
        data = path.read_bytes()
        if b"\0" not in data:
            found[str(path.relative_to(root))] = data.decode("utf-8")
    assert {"pyproject.toml", "Makefile", "theory/__init__.py", ".ci/run", "tests/house/test_text.py"} <= set(found)
    return found


def lines_that_match(pattern: re.Pattern, texts: dict[str, str]) -> list[str]:
    return [f"{name}:{i}: {line.strip()}" for name, text in texts.items()
            for i, line in enumerate(text.splitlines(), 1) if pattern.search(line)]  # fmt: skip


def test_no_file_names_a_machine_path(texts):
    """A path of the machine where a file was written helps nobody else."""
    assert MACHINE_PATH.search(" see /" + "root/notes.txt")
    assert not lines_that_match(MACHINE_PATH, texts)


def test_no_file_names_a_package_index(texts):
    """Where packages come from is the user's setting."""
    assert INDEX.search("https://py" + "pi.org/simple")
    assert not lines_that_match(INDEX, texts)


def bare_imports(text: str) -> list[int]:
    """Lines that import a room without `corollary.` before it."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        lines += [node.lineno for name in names if name.split(".")[0] in ROOMS]
    return lines


def test_no_python_file_imports_a_room_by_its_bare_name(texts):
    """Tests and benchmarks too, which import-linter does not read: a second copy of a module has its own state."""
    assert bare_imports("from theory import ntk\nimport corollary.sims\nimport sims.ntk as s\n") == [1, 3]
    found = {name: bare_imports(text) for name, text in texts.items() if name.endswith(".py")}
    assert not {name: lines for name, lines in found.items() if lines}


def test_no_python_file_of_ours_is_longer_than_300_lines(texts):
    """One algorithm or result each."""
    lengths = {name: text.count("\n") for name, text in texts.items() if name.endswith(".py")}
    assert not {name: lines for name, lines in lengths.items() if lines > 300}


def test_the_citation_names_this_version(texts):
    """CITATION.cff and the package agree."""
    assert re.findall(r"(?m)^version: (\S+)$", texts["CITATION.cff"]) == [corollary.__version__]


@pytest.mark.parametrize("browser", [True, False])
def test_continuous_integration_runs_make_test(pristine_copy, tmp_path, browser):
    """`.ci/run` works from any folder, with nothing on standard input, and hands back what make says; also where there
    is no browser and none can be installed."""
    programs = {
        "make": 'echo "$PWD: make $*"; cat; exit 3', "apt-get": "echo; echo no packages here >&2; exit 100",
        "chromium": "exit 0",
    }  # fmt: skip
    for name, text in programs.items() if browser else list(programs.items())[:2]:
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    if not browser:
        for name in ("bash", "dirname", "cat", "env"):
            (tmp_path / name).symlink_to(str(shutil.which(name)))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}" if browser else str(tmp_path)
    result = subprocess.run(
        [str(shutil.which("bash")), str(pristine_copy / ".ci" / "run")],
        cwd=tmp_path, env={**os.environ, "PATH": path}, input="not read", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.stdout.splitlines() == [f"{pristine_copy}: make test"]
    assert result.returncode == 3
    assert os.access(pristine_copy / ".ci" / "run", os.X_OK)
