"""The make commands on machines that lack something: what they say, and what they leave behind.

`python3` is a small program here, so that nothing is downloaded; a real build is what runs this test.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")

OLD = '#!/bin/sh\ncase "$*" in --version) echo "Python 3.9.2";; *) exit 1;; esac\n'
NO_VENV = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac\n'
# Builds a .venv whose Python writes down what it is asked, and fails to install while a file `broken` lies beside it.
BUILDS = """#!/bin/sh
case "$*" in
  "-m venv .venv")
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python;;
  *"pip install"*)
    echo "$*" >> calls
    case "$*" in *requirements.lock*) touch .venv/installed;; esac
    test ! -e broken;;
esac
"""


@pytest.fixture
def make(tmp_path: Path, root: Path):
    """Run make in a folder that has the real Makefile, with only the given programs as Pythons on PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("make", "sh", "cat", "rm", "cp", "mkdir", "touch", "echo"):
        (programs / name).symlink_to(str(shutil.which(name)))
    house = tmp_path / "house"
    house.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(root / name, house)

    def run(*targets: str, folder: Path = house, **pythons: str) -> subprocess.CompletedProcess[str]:
        for name, program in pythons.items():
            file = programs / name.replace("_", ".")
            file.write_text(program)
            file.chmod(0o755)
        return subprocess.run(
            ["make", *targets], cwd=folder, env={"PATH": str(programs)}, capture_output=True, text=True, timeout=60
        )

    run.house = house  # type: ignore[attr-defined]
    return run


COMMANDS = ["reproduce", "test", "verify", "lock", "bench-speed"]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_python_the_command_says_what_to_install(make, command):
    """No Python at all: exit code ≠ 0, the version needed, how to get it, how to name one."""
    result = make(command)
    assert result.returncode != 0
    assert "needs Python 3.11 or later" in result.stderr
    assert "apt-get install python3 python3-venv" in result.stderr
    assert f"make PYTHON=/path/to/python3.12 {command}" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_with_an_old_python_the_command_says_which_it_found(make, command):
    """Python 3.9: exit code ≠ 0, the version found, nothing built."""
    result = make(command, python3=OLD)
    assert result.returncode != 0
    assert "python3: Python 3.9.2" in result.stderr
    assert "needs Python 3.11 or later" in result.stderr
    assert not (make.house / ".venv").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_venv_module_the_command_says_what_to_install(make, command):
    """Debian's python3 without python3-venv: exit code ≠ 0, the package named, nothing built."""
    result = make(command, python3=NO_VENV)
    assert result.returncode != 0
    assert "python3 is new enough, but lacks the venv module" in result.stderr
    assert "apt-get install python3-venv" in result.stderr
    assert not (make.house / ".venv").exists()


def test_a_newer_python_on_the_path_is_found(make):
    """python3 too old, python3.13 without venv, python3.12 complete: the last builds .venv."""
    result = make(".venv/.stamp", python3=OLD, python3_13=NO_VENV, python3_12=BUILDS)
    assert result.returncode == 0, result.stderr
    assert "Building .venv with python3.12" in result.stdout


def test_packages_come_by_hash_and_nothing_is_built_from_source(make):
    """The lock in hash mode, wheels only; then ourselves without dependencies and without a build environment."""
    make(".venv/.stamp", python3=BUILDS)
    locked, ourselves = (make.house / "calls").read_text().splitlines()
    assert "--require-hashes --only-binary :all: -r requirements.lock" in locked
    assert "--no-deps --no-build-isolation -e ." in ourselves


def test_a_half_built_environment_is_built_again(make):
    """An install that failed is an error, leaves no stamp, and the next call starts over."""
    (make.house / "broken").touch()
    assert make(".venv/.stamp", python3=BUILDS).returncode != 0
    (make.house / "broken").unlink()
    (make.house / ".venv" / "leftover").touch()
    assert make(".venv/.stamp").returncode == 0
    assert not (make.house / ".venv" / "leftover").exists()


def test_a_finished_environment_is_kept_until_the_lock_changes(make):
    """The second call does nothing; a newer lock or pyproject.toml builds again."""
    make(".venv/.stamp", python3=BUILDS)
    calls = make.house / "calls"
    once = calls.read_text()
    make(".venv/.stamp")
    assert calls.read_text() == once
    for name in ("requirements.lock", "pyproject.toml"):
        calls.unlink()
        future = (make.house / ".venv" / ".stamp").stat().st_mtime + 2
        os.utime(make.house / name, (future, future))
        make(".venv/.stamp")
        assert calls.read_text() == once
        os.utime(make.house / name, (0, 0))


def test_a_copied_environment_is_built_again(make, tmp_path):
    """A .venv that came along with a copied folder would import the code of the old one."""
    make(".venv/.stamp", python3=BUILDS)
    copy = tmp_path / "a copy"
    shutil.copytree(make.house, copy)
    (copy / ".venv" / "leftover").touch()
    assert make(".venv/.stamp", folder=copy).returncode == 0
    assert not (copy / ".venv" / "leftover").exists()


def test_an_environment_whose_python_is_gone_is_built_again(make):
    """The system's Python was upgraded under it."""
    make(".venv/.stamp", python3=BUILDS)
    (make.house / ".venv" / "bin" / "python").unlink()
    assert make(".venv/.stamp").returncode == 0
    assert (make.house / ".venv" / "bin" / "python").exists()


def test_uv_is_used_where_it_is_and_pip_where_it_fails(make):
    """uv gets the same lock and flags; a uv that fails (no network of its own, say) is replaced by pip."""
    uv = '#!/bin/sh\necho "uv $*" >> calls\nexit 1\n'
    result = make(".venv/.stamp", python3=BUILDS, uv=uv)
    assert result.returncode == 0, result.stderr
    first, second, _ = (make.house / "calls").read_text().splitlines()
    assert first.startswith("uv pip install") and second.startswith("-m pip install")
    for call in (first, second):
        assert "--require-hashes --only-binary :all: -r requirements.lock" in call


def test_an_unknown_benchmark_lists_those_that_exist(make):
    """`make bench-NAME` with a misspelt name says which names there are; words are joined by dashes or underscores."""
    (make.house / "benchmarks").mkdir()
    for name in ("kernels", "two_words", "harness"):  # the last is what the others share
        (make.house / "benchmarks" / f"{name}.py").touch()
    result = make("bench-kernel", python3=BUILDS)
    assert result.returncode != 0
    assert "no benchmarks/kernel.py; there are: bench-kernels bench-two-words\n" in result.stderr
    assert ".venv/bin/python benchmarks/two_words.py" in make("-n", "bench-two-words").stdout


def test_help_is_the_default_and_needs_no_python(make):
    """Each command, and its lines for machines without make."""
    result = make()
    assert result.returncode == 0
    for command in ("reproduce", "test", "verify", "lock", "bench-NAME"):
        assert f"make {command}" in result.stdout
    assert result.stdout == make("help").stdout
    assert not (make.house / ".venv").exists()


@pytest.mark.parametrize("command", ["reproduce", "test", "verify"])
def test_the_lines_for_machines_without_make_are_what_make_runs(make, command):
    """The help text cannot fall behind the recipes."""
    make(".venv/.stamp", python3=BUILDS)
    recipe = make("-n", command).stdout.splitlines()
    ran = [line.replace("PYRIGHT_PYTHON_IGNORE_WARNINGS=1 ", "").replace('"', "'") for line in recipe]
    assert f"{command}: {' && '.join(ran)}" in " ".join(make("help").stdout.split())
