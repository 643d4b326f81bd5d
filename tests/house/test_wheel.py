"""What a user gets: the wheel and the sdist hold real files and work outside the repository; nothing is downloaded."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOMS = ("theory", "sims", "proofs_check", "figures", "paper_repro")


def run(*command: str | Path, cwd: Path, timeout: float = 300) -> str:
    """Standard output of a command that must succeed, without this suite's PYTHONPATH."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(pristine_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(wheel, sdist), built from a fresh copy with the build tools of the lock."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-c", f"from setuptools import build_meta as b; b.build_sdist({str(out)!r})", cwd=pristine_copy)
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "wheel", *flags, "-w", out, ".", cwd=pristine_copy)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def elsewhere(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment outside the repository: the wheel, beside the packages of this environment."""
    wheel, _ = built
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    flags = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *flags, wheel, cwd=folder)
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # A .pth adds the folder and does not read the .pth files in it, so the editable install stays invisible.
    others = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (own / "packages-of-the-suite.pth").write_text("\n".join(others))
    return python


def modules_of(root: Path) -> set[str]:
    """Archive names of all our Python files: each room's as it is seen through its link, and the engine's."""
    found = {path.relative_to(root) for room in ROOMS for path in (root / room).rglob("*.py")}
    engine = root / "src" / "corollary"
    linked = [engine / room for room in ROOMS]
    found |= {p.relative_to(engine) for p in engine.rglob("*.py") if not any(p.is_relative_to(link) for link in linked)}
    return {f"corollary/{path.as_posix()}" for path in found}


def test_the_wheel_holds_every_module_and_nothing_else(built, pristine_copy):
    """All rooms, families and engine modules; no tests, no benchmarks, no bare room."""
    wheel, _ = built
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name for name in names if name.endswith(".py")} == modules_of(pristine_copy)
    assert {name.split("/")[0] for name in names} == {"corollary"}
    assert "corollary/py.typed" in names


def test_the_sdist_holds_files_and_no_links(built, pristine_copy):
    """An archive with links would lose the rooms on systems that have none."""
    _, sdist = built
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    files = {member.name.partition("/src/")[2] for member in members if member.isfile()}
    assert modules_of(pristine_copy) <= files


def test_every_module_imports_from_the_wheel(elsewhere, pristine_copy):
    """Each one is found, in the new environment and not in the repository, and imports."""
    program = """if True:
        import importlib, pkgutil, corollary
        print(corollary.__file__)
        for module in pkgutil.walk_packages(corollary.__path__, "corollary."):
            print(importlib.import_module(module.name).__file__)
    """
    outside = elsewhere.parent.parent.parent
    files = run(elsewhere, "-W", "error", "-c", program, cwd=outside).splitlines()
    assert all(Path(file).is_relative_to(outside) for file in files)
    assert {file.partition("site-packages/")[2] for file in files} == modules_of(pristine_copy)


def test_the_command_works_from_the_wheel(elsewhere, tmp_path):
    """`corollary --help`, and the first paper's figures and verdicts at scale smoke, with no repository in sight."""
    command = elsewhere.with_name("corollary")
    assert "reproduce" in run(command, "--help", cwd=tmp_path)
    run(command, "reproduce", "jacot2018", "--scale", "smoke", "--out", tmp_path / "out", cwd=tmp_path)
    kinds = {path.suffix for path in (tmp_path / "out" / "figures" / "jacot2018").iterdir()}
    assert kinds >= {".pdf", ".png", ".csv"}
