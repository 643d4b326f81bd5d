"""What the tests of the house share: the repository's files, a copy of them, and a clean environment for tools."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("theory", "sims", "proofs_check", "figures", "paper_repro")
# What git ignores or owns. Not asked of git itself, so that the tests run in an unpacked archive too.
_NOT_OURS = ("build", "dist", "corollary-out", "__pycache__")


def _is_ours(path: Path) -> bool:
    return not any(
        part in _NOT_OURS or part.endswith(".egg-info") or (part.startswith(".") and part not in (".ci", ".gitignore"))
        for part in path.parts
    )


def _our_files() -> list[Path]:
    found: list[Path] = []
    for folder, subfolders, names in os.walk(ROOT):  # does not follow links: each file once
        here = Path(folder)
        subfolders[:] = [name for name in subfolders if _is_ours(Path(name)) and here / name != ROOT / "shared"]
        found += [here / name for name in names if _is_ours(Path(name))]
    return sorted(found)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def our_files() -> list[Path]:
    """Every file of the repository that git would keep, each once."""
    return _our_files()


@pytest.fixture(scope="session")
def pristine_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a fresh clone would have it: no build outputs, links kept as links."""
    copy = tmp_path_factory.mktemp("clone") / "repo"
    for source in _our_files():
        target = copy / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    for room in ROOMS:
        link = Path("src/corollary") / room
        (copy / link).symlink_to(os.readlink(ROOT / link))
    return copy


@pytest.fixture
def empty_house(tmp_path: Path) -> Path:
    """The tools' configuration, the five rooms and their links, and nothing in them yet."""
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    engine = tmp_path / "src" / "corollary"
    engine.mkdir(parents=True)
    (engine / "__init__.py").touch()
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
        (engine / room).symlink_to(Path("..") / ".." / room)
    return tmp_path


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tool() -> Run:
    """Run a command of this environment: `tool(folder, "ruff", "check")`; returns its completed process."""

    def run(folder: Path, name: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        # Of the outer run only what a tool needs: no PYTHONPATH, no flags that an outer make passes down.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHONPATH", "MAKE", "MFLAGS"))}
        command = Path(sys.executable).with_name(name)
        return subprocess.run(
            [str(command), *arguments],
            cwd=folder,
            env={**kept, "COLUMNS": "400", "NO_COLOR": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run
