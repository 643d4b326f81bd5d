"""What every benchmark needs: its peers' environments, the median and range of its rounds, and its results on disk.

Standard library only: peers run their scripts, which may import this, in environments of their own.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def peer_python(name: str) -> str | None:
    """The peer's interpreter: COROLLARY_PEER_NAME, or .benchmarks/peers/NAME, made once from peers/NAME.txt.

    None, with a reason printed, where that fails.
    """
    variable = f"COROLLARY_PEER_{name.upper()}"
    if named := os.environ.get(variable):
        return named
    home, pins = HERE.parent / ".benchmarks" / "peers" / name, HERE / "peers" / f"{name}.txt"
    python, stamp = home / "bin" / "python", home / "complete"
    if not stamp.exists():  # written last: an environment that broke off half-way is made again
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(pins)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"no peer {name}: {error}; set {variable} to a Python with {pins.name}", file=sys.stderr)
            return None
        stamp.touch()
    return str(python)


def limited(cap: float) -> Callable[[], None]:
    """Sets the CPU seconds of the process about to start (preexec_fn); past them it ends with SIGXCPU."""
    return lambda: resource.setrlimit(resource.RLIMIT_CPU, (int(cap), int(cap) + 5))


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Median (lowest to highest)."""
    return f"{statistics.median(values):.{digits}g} ({min(values):.{digits}g} to {max(values):.{digits}g})"


def cpu_name() -> str:
    """The model where Linux tells it, else the architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())


def commit() -> str:
    """Of the checkout, "-dirty" with changes in it; of a copy without .git, what COROLLARY_COMMIT says."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    return os.environ.get("COROLLARY_COMMIT") or done.stdout.strip() or "unknown"


def write_results(name: str, lines: Sequence[str], peers: Sequence[str], facts: Mapping[str, Any], **kept: Any) -> None:
    """Print the table; write it, and what it ran on, to results/NAME.md, and all that is kept to results/NAME.json."""
    about = {
        "cpu": cpu_name(), "cores": os.cpu_count(), "python": platform.python_version(),
        "numpy": importlib.metadata.version("numpy"), **facts,
        **{peer: (HERE / "peers" / f"{peer}.txt").read_text().split() for peer in peers},
        "commit": commit(), "load at the end": os.getloadavg()[0],
    }  # fmt: skip
    text = "\n".join([*lines, "", *(f"- {key}: {value}" for key, value in about.items()), ""])
    (HERE / "results" / f"{name}.md").write_text(text)
    (HERE / "results" / f"{name}.json").write_text(json.dumps({"facts": about, **kept}, indent=1) + "\n")
    print(text)
