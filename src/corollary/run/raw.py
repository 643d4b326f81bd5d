"""data/CLAIM.csv: what every replicate of a claim gave, as it went into the verdict; many numbers go to an npz."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from corollary.claims import Claim
from corollary.run.log import LogError
from corollary.run.tables import csv_text
from corollary.seeds import stable_hash
from corollary.verdicts import Verdict

DATA = "data"
MOST = 50_000  # numbers in a CSV: about a megabyte
_LONGEST = 150  # letters of a file's name; file systems take 255 bytes

Measured = Sequence[tuple[Mapping[str, Any], Any]]


def write_raw(out: Path, claim: Claim, verdict: Verdict, *, scale: str, device: str, executor: Any, store: Any) -> str:
    """Write the claim's replicates, read from the store, and return the file's place in `out`; "" if it drew none.

    CSV: a row for each point and replicate, columns for the point's coordinates, `replicate`, and each entry of the
    value. npz: an array `point_J` (replicates first; of a value with parts `point_J.PART`) and `points`, JSON.
    Raises LogError where the disk does not take it.
    """
    if claim.measure is None or verdict.n == 0:
        return ""
    about = {"scale": scale, "root": verdict.seed_root, "device": device}
    measured = claim.measured(verdict.n, **about, executor=executor, store=store)
    said = f"{claim.name}, scale {scale}, seed root {verdict.seed_root}, device {device}, {verdict.n} replicates"
    arrays = [part for _, value in measured for part in _parts(value).values()]
    name = quote(claim.name, safe="")
    if len(name) > _LONGEST:  # two long names may begin alike
        name = f"{name[:_LONGEST]}-{stable_hash(name):016x}"
    if sum(a.size for a in arrays) > MOST:
        path, content = f"{DATA}/{name}.npz", _npz(measured)
    else:
        path, content = f"{DATA}/{name}.csv", csv_text(_table(measured), [said]).encode()
    temporary = out / f"{path}.{os.getpid()}"
    try:
        (out / DATA).mkdir(exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, out / path)
    except OSError as error:
        raise LogError(
            f"cannot write {out / path}: {error.strerror}; free some space or choose another folder with --out "
            "(results stored so far are kept)"
        ) from error
    return path


def _parts(value: Any) -> dict[str, np.ndarray]:
    return {k: np.asarray(v) for k, v in value.items()} if isinstance(value, Mapping) else {"value": np.asarray(value)}


def _table(measured: Measured) -> dict[str, list[Any]]:
    """Columns; a point or part that lacks an entry leaves it empty."""
    rows: list[dict[str, Any]] = []
    for point, value in measured:
        parts = _parts(value)
        for r in range(len(next(iter(parts.values())))):
            row: dict[str, Any] = {**point, "replicate": r}
            for part, array in parts.items():
                for at in np.ndindex(array.shape[1:]):
                    row[f"{part}[{','.join(map(str, at))}]" if at else part] = array[(r, *at)]
            rows.append(row)
    columns = dict.fromkeys(k for row in rows for k in row)
    return {k: [row.get(k, "") for row in rows] for k in columns}


def _npz(measured: Measured) -> bytes:
    arrays = {
        f"point_{j}" + ("" if part == "value" else f".{part}"): array
        for j, (_, value) in enumerate(measured) for part, array in _parts(value).items()
    }  # fmt: skip
    points = json.dumps([dict(p) for p, _ in measured], default=str)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, points=np.array(points), **arrays)
    return buffer.getvalue()
