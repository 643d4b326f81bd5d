"""Figures to files: PDF, PNG, SVG, one CSV per table, caption, provenance (a byte-stable `result` and a `run` part)."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from corollary.claims import Figure, Paper, at_scale
from corollary.run.stamp import CSV_MARK, metadata, text_of
from corollary.run.tables import csv_text
from corollary.sweep import Task, sweep

LIBRARIES = ("corollary", "numpy", "scipy", "matplotlib", "cupy-cuda12x", "cupy-cuda13x")


def gather(figure: Figure, *, scale: str, root: int, device: str, executor: Any, store: Any, progress: Any) -> dict:
    """data[name] = list of (point, arrays): the first k replicates of every experiment the figure needs."""
    data = {}
    for name, experiment in figure.experiments.items():
        from corollary.claims import points_at

        points = points_at(experiment.points, scale)
        k = at_scale(figure.replicates, scale)
        k = int(k.get(name, 10) if isinstance(k, Mapping) else k)
        blocks = -(-k // experiment.block)
        tasks = [
            Task(experiment, p, i * experiment.block, (i + 1) * experiment.block, root, device)
            for p in points for i in range(blocks)
        ]  # fmt: skip
        results = sweep(tasks, executor=executor, store=store, progress=progress)
        data[name] = []
        for j, point in enumerate(points):
            mine = results[j * blocks : (j + 1) * blocks]
            arrays = {key: np.concatenate([r[key] for r in mine])[:k] for key in mine[0]}
            data[name].append((point, arrays))
    return data


def parameters(figure: Figure, scale: str) -> list[tuple[str, str, str]]:
    """Rows (parameter, the paper's, ours at this scale)."""
    return [(name, theirs, str(at_scale(ours, scale))) for name, theirs, ours in figure.parameters]


def caption(figure: Figure, paper: Paper, scale: str) -> str:
    lines = [f"{paper.authors} ({paper.year}), Figure {figure.number}: {figure.title}", "", f"scale {scale}"]
    lines += [f"{name}: paper {theirs}; here {ours}" for name, theirs, ours in parameters(figure, scale)]
    return "\n".join(lines) + "\n"


def git() -> tuple[str, bool | None]:
    """Commit of the source tree and whether it has changes; unknown outside a checkout."""
    where = Path(__file__).resolve().parents[1]
    try:
        run = lambda *a: subprocess.run(["git", "-C", str(where), *a], capture_output=True, text=True, timeout=10)  # noqa: E731
        head = run("rev-parse", "HEAD")
        if head.returncode:
            return f"release {version('corollary')}", None
        return head.stdout.strip(), bool(run("status", "--porcelain", "--untracked-files=no").stdout.strip())
    except (OSError, subprocess.TimeoutExpired):
        return f"release {version('corollary')}", None


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def draw_figure(
    figure: Figure, paper: Paper, *, scale: str, root: int, out: Path, device: str, executor: Any, store: Any,
    style: Any, progress: Any = None,
) -> list[Path]:  # fmt: skip
    """Run what the figure needs, draw it, and write its files under out/figures/KEY/. Returns their paths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    started = time.perf_counter()
    data = gather(figure, scale=scale, root=root, device=device, executor=executor, store=store, progress=progress)
    tables = figure.tables(data)
    folder = out / "figures" / paper.key
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"figure-{figure.number.replace(' ', '-')}"
    rows = parameters(figure, scale)
    header = [f"{paper.key} figure {figure.number}, scale {scale}, seed root {root}"]
    header += [f"{name}: paper {theirs}; here {ours}" for name, theirs, ours in rows]
    commit, dirty = git()
    command = f"corollary reproduce {paper.key} --figure {shlex.quote(figure.number)} --scale {scale} --seed {root}"
    if device != "cpu":
        command += f" --device {device}"
    experiments = {name: {"id": e.id, "source": e.source_digest()} for name, e in figure.experiments.items()}
    stamp = {
        "paper": paper.key, "figure": figure.number, "title": figure.title, "scale": scale, "seed_root": root,
        "device": device, "parameters": rows, "experiments": experiments, "claims": [c.name for c in figure.claims],
        "commit": commit, "dirty": dirty, "versions": versions(), "command": command,
    }  # fmt: skip
    header.append(CSV_MARK + text_of(stamp))
    written: dict[str, bytes] = {f"{stem}.txt": caption(figure, paper, scale).encode()}
    for name, table in tables.items():
        suffix = "" if len(tables) == 1 else f"-{name}"
        written[f"{stem}{suffix}.csv"] = csv_text(table, header).encode()
    with style():
        drawn = figure.draw(tables)
        for extension, said in metadata(stamp).items():
            buffer = io.BytesIO()
            drawn.savefig(buffer, format=extension, metadata=said)
            drawn.set_layout_engine("none")  # laid out once, for the first of the formats
            written[f"{stem}.{extension}"] = buffer.getvalue()
        plt.close(drawn)
    provenance = {
        "result": {
            "paper": paper.key, "figure": figure.number, "scale": scale, "seed_root": root,
            "parameters": [dict(zip(("parameter", "paper", "here"), row, strict=True)) for row in rows],
            "experiments": {
                name: {**about, "points": [p for p, _ in data[name]]} for name, about in experiments.items()
            },
            "claims": [c.name for c in figure.claims], "commit": commit, "dirty": dirty,
            # the caption is not among them: verdicts are filled in later
            "files": {
                name: hashlib.sha256(content).hexdigest()
                for name, content in sorted(written.items()) if not name.endswith(".txt")
            },
            "command": command,
        },
        "run": {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "host": platform.node(),
            "device": device, "seconds": round(time.perf_counter() - started, 3), "versions": versions(),
        },
    }  # fmt: skip
    written[f"{stem}.json"] = json.dumps(provenance, indent=1, default=str).encode()
    paths = []
    for name, content in written.items():
        temporary = folder / f".{name}.{os.getpid()}"
        temporary.write_bytes(content)
        os.replace(temporary, folder / name)
        paths.append(folder / name)
    return paths
