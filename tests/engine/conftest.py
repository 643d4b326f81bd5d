"""Running a script as a user does, and knowing everything it started."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("fire_program.py")


class Launch:
    """A Python program in a session of its own; what it starts is found by a mark in the environment."""

    def __init__(self, *arguments, cwd=None, before=()):
        self.mark = f"COROLLARY_TEST={secrets.token_hex(8)}"
        name, value = self.mark.split("=")
        self.process = subprocess.Popen(
            [*before, sys.executable, *map(str, arguments)], cwd=cwd, env={**os.environ, name: value},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            # a suite in a shell's background inherits "ignore Ctrl-C", and would hand it on
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def alive(self) -> dict[int, str]:
        """Process id → command line, of the program and all it started."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes():
                    state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
                    if state not in "ZX":
                        found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def workers(self) -> list[int]:
        return [pid for pid, command in self.alive().items() if "spawn_main" in command]

    def interrupt(self) -> None:
        """What Ctrl-C does: a signal to every process of the terminal's foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self, timeout: float = 120) -> tuple[int, str, str]:
        """Exit code, standard output and error; the survivors, if any, fail the test."""
        out, err = self.process.communicate(timeout=timeout)
        deadline = time.monotonic() + 10
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        survivors = self.alive()
        for pid in survivors:
            os.kill(pid, signal.SIGKILL)
        assert not survivors, f"left behind: {survivors}"
        return self.process.returncode, out, err


@pytest.fixture
def launch():
    """Launch(…): started programs are ended with the test, whatever happens in it."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc to see every process a program started")
    started: list[Launch] = []

    def start(*arguments, **options) -> Launch:
        started.append(Launch(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        for pid in one.alive():
            os.kill(pid, signal.SIGKILL)
        one.process.communicate()


class Notes:
    """What `fire_program.py` wrote to its log."""

    def __init__(self, path):
        self.path = Path(path)

    def of(self, kind: str) -> list[tuple[int, float]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        words = [line.split() for line in lines]
        return [(int(w[1]), float(w[3])) for w in words if w[0] == kind]

    def done(self) -> set[int]:
        return {n for n, _ in self.of("done")}

    def computed_again(self) -> set[int]:
        """Measurements that were started after the store had said that they are done."""
        first: dict[int, float] = {}
        for n, when in self.of("done"):
            first.setdefault(n, when)
        return {n for n, when in self.of("start") if when > first.get(n, float("inf"))}


@pytest.fixture
def notes(tmp_path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
def program() -> Path:
    return PROGRAM


def data_files(folder) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in Path(folder).rglob("*.npz")}


@pytest.fixture
def content():
    """Name → bytes of the data files of a store."""
    return data_files
