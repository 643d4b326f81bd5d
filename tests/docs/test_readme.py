"""What README.md shows runs: each of its Python blocks by itself, with only those earlier lines that it needs."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SLOW = ("convex_relu.solve(",)  # what takes more than 10 seconds: 357 digits, to global optimality


def title(block: str) -> str:
    """The first line that is no import."""
    lines = [line for line in block.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith(("import ", "from "))), lines[0])[:40]


def needed(block: str, before: list[str]) -> list[str]:
    """The statements of earlier blocks, in order, that bind the names which this one uses and does not bind."""
    names, bound = uses(ast.parse(block))
    wanted = names - bound
    kept: list[str] = []
    for text in reversed(before):
        for statement in reversed(ast.parse(text).body):
            names, bound = uses(statement)
            if bound & wanted:
                kept.append(ast.unparse(statement))
                wanted = (wanted - bound) | names
    return kept[::-1]


def uses(tree: ast.AST) -> tuple[set[str], set[str]]:
    """(names that are read, names that are bound), local names of functions among them."""
    read, bound = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.FunctionDef):
            bound.add(node.name)
    return read, bound


def with_stated_values(block: str) -> str:
    """`expression  # 3.5691…: …` also asserts that the value begins with these digits."""
    return re.sub(r"(?m)^(\S.*?)  # (\d+\.\d+)…", r'assert repr(float(\1)).startswith("\2"), \1  # \2…', block)


def run(*command, cwd):
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-W", "error", *map(str, command)], cwd=cwd, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    "i",
    [
        pytest.param(i, id=title(b), marks=pytest.mark.slow if any(s in b for s in SLOW) else ())
        for i, b in enumerate(BLOCKS)
    ],
)
def test_a_block_of_the_readme_runs(i, tmp_path):
    """Tests in a block are run by pytest, as its reader would."""
    file = tmp_path / "test_readme_block.py"
    file.write_text("\n".join([*needed(BLOCKS[i], BLOCKS[:i]), with_stated_values(BLOCKS[i])]))
    run(file.name, cwd=tmp_path)
    if "def test_" in BLOCKS[i]:
        assert "1 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", file.name, cwd=tmp_path)


def test_there_are_blocks_for_each_of_the_users():
    assert len(BLOCKS) >= 4 and sum("def test_" in b for b in BLOCKS) >= 1
    assert sum(with_stated_values(b) != b for b in BLOCKS) >= 1  # a value that is stated is compared


def test_a_block_gets_the_lines_it_needs_and_no_others():
    before = ["import math\nx = math.pi\nslow = 1 / 0\n", "y, z = x, 2\n"]
    assert needed("print(y)", before) == ["import math", "x = math.pi", "y, z = (x, 2)"]
    assert needed("import math\nprint(math.e)", before) == []
    text = with_stated_values("f(2)  # 1.41…: root two\ng(3)  # no number\n")
    assert 'assert repr(float(f(2))).startswith("1.41"), f(2)  # 1.41…: root two' in text and "\ng(3)  # no" in text


def test_every_command_and_file_the_readme_names_is_there():
    from corollary.cli import app

    commands = {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands}
    named = set(re.findall(r"(?:`|^ {4})corollary ([a-z]+)", TEXT, re.MULTILINE))
    assert {"list", "reproduce", "verify", "show"} <= named <= commands
    for target in re.findall(r"\]\(([^)#]+?)\)", TEXT):
        assert target.startswith("http") or (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text()
    for name in set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", TEXT, re.MULTILINE)):
        benchmark = ROOT / "benchmarks" / f"{name.removeprefix('bench-').replace('-', '_')}.py"
        made = benchmark.exists() if name.startswith("bench-") else re.search(rf"^{name}:", makefile, re.MULTILINE)
        assert made, name


def test_the_readme_says_when_the_gpu_suite_last_ran():
    """Read from the committed record: never, or date, device and commit."""
    from corollary.run.gpu_suite import RECORD

    never = "It has not run on a GPU so far."
    if not RECORD.exists():
        assert never in TEXT
    else:
        ran = json.loads(RECORD.read_text())
        assert never not in TEXT
        assert all(said in TEXT for said in (ran["date"][:10], ran["device"], ran["commit"][:7])), ran
