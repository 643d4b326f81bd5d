"""A full disk, a full quota and a read-only folder, for real: one clear error, and what was finished is kept.

A mount of our own in a user namespace needs no rights where the kernel permits it, and stops even root, whom read-only
modes do not stop. Where it does not, test_store.py still injects the errors at each system call.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest

OWN = ["unshare", "--user", "--map-root-user", "--mount"]
CLAIMS = """
import numpy as np
from corollary import Claim, Value

def normal(rng):
    return rng.standard_normal(4000)

right = Claim("mean 0", Value(0.0, resolution=0.5), measure=normal, rivals={"one": 1.0})
"""


@pytest.fixture
def own_mount():
    """Prefix of a command that may mount."""
    if not shutil.which("unshare") or subprocess.run([*OWN, "true"], capture_output=True).returncode:
        pytest.skip("this kernel gives users no mounts of their own")
    return [*OWN, "sh", "-ec"]


def one_line(stderr: str) -> str:
    (line,) = stderr.strip().splitlines()
    return line


def test_a_full_disk_is_one_error_and_the_run_goes_on_from_there_when_there_is_room(
    own_mount, tmp_path, program, notes, content
):
    """A 200 kB disk takes some of twelve results of 32 kB; after it has grown, only the others are computed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run = f"{sys.executable} {program} {disk}/store {notes.path} processes:2 12"
    script = (
        f"mount -t tmpfs -o size=200k none {disk}; {run} 2> {tmp_path}/first && exit 9;"
        f"cp {notes.path} {tmp_path}/then; mount -o remount,size=4m {disk}; {run}; cp -r {disk}/store {tmp_path}/kept"
    )
    done = subprocess.run([*own_mount, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    error = one_line((tmp_path / "first").read_text())
    assert error.startswith(f"cannot write to the store {disk}/store: No space left on device; free some space")
    kept = (tmp_path / "then").read_text().count("done")
    assert 0 < kept < 12 and notes.done() == set(range(12)) and not notes.computed_again()
    assert len(content(tmp_path / "kept")) == 12 and not list((tmp_path / "kept").rglob("*.tmp"))


@pytest.mark.parametrize("size", ["24k", "180k"])
def test_the_command_line_on_a_full_disk_says_so_in_one_line(own_mount, tmp_path, size):
    (tmp_path / "claims.py").write_text(CLAIMS)
    (tmp_path / "disk").mkdir()
    command = f"{sys.executable} -m corollary.cli verify claims.py --executor serial --out disk"
    script = f"mount -t tmpfs -o size={size} none disk; {command}"
    done = subprocess.run([*own_mount, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "No space left on device; free some space" in one_line(done.stderr)


def test_a_read_only_folder_is_one_error(own_mount, tmp_path):
    (tmp_path / "claims.py").write_text(CLAIMS)
    (tmp_path / "disk").mkdir()
    command = f"{sys.executable} -m corollary.cli verify claims.py --executor serial --out disk"
    script = f"mount --bind disk disk; mount -o remount,bind,ro disk; {command}"
    done = subprocess.run([*own_mount, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert one_line(done.stderr) == (
        "corollary: cannot write to the output folder disk: Read-only file system; choose another with --out"
    )


def test_a_limit_on_the_size_of_files_is_one_error(tmp_path):
    """The quota every kernel has: no file may exceed 8 kB."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python sets it
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    (tmp_path / "claims.py").write_text(CLAIMS)
    command = [
        sys.executable,
        "-B",
        "-m",
        "corollary.cli",
        "verify",
        "claims.py",
        "--executor",
        "serial",
        "--out",
        "here",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, preexec_fn=limit, env={**os.environ}
    )
    assert done.returncode == 2 and "cannot write to the store" in one_line(done.stderr)
    assert "File too large; free some space" in done.stderr
    # the run's own line was written whole before the store was full; nothing else is there, nothing in part
    assert [p.name for p in (tmp_path / "here").rglob("*") if p.is_file()] == ["results.jsonl"]
    (line,) = (tmp_path / "here" / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["record"] == "run"
