"""Results by content: a block of replicates is looked up by everything it depends on, and written so that it is whole.

Two files per result: KEY.npz (arrays, no pickles) and KEY.json (what the key stands for, and the checksum of the .npz).
Both are written to a temporary name, flushed, and renamed; the .json comes last and marks the result as done.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from corollary.seeds import canonical_json

Arrays = dict[str, np.ndarray]


class StoreError(RuntimeError):
    """The store's folder cannot be used."""


def key_of(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of all a result depends on."""
    return hashlib.sha256(canonical_json(fields).encode()).hexdigest()


class MemoryStore:
    """The same interface without a disk, for claims checked in memory."""

    def __init__(self) -> None:
        self.results: dict[str, Arrays] = {}

    def get(self, key: str) -> Arrays | None:
        return self.results.get(key)

    def put(self, key: str, arrays: Arrays, record: Mapping[str, Any]) -> None:
        self.results[key] = arrays


class Store:
    """Results in a folder. `problems` names files that were damaged or foreign; their results are computed anew.

    Safe for several processes: names are content hashes and renames are atomic. Raises StoreError for a folder that
    cannot be made or written.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.problems: list[str] = []
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the store {self.path}: {error.strerror}; choose another folder") from error

    def _files(self, key: str) -> tuple[Path, Path]:
        folder = self.path / key[:2]
        return folder / f"{key}.npz", folder / f"{key}.json"

    def get(self, key: str) -> Arrays | None:
        """The arrays of a finished, undamaged result, or None."""
        data, mark = self._files(key)
        try:
            record = json.loads(mark.read_bytes())
            content = data.read_bytes()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return self._damaged(mark, str(error))
        if not isinstance(record, dict) or record.get("key") != key:
            return self._damaged(mark, "it belongs to another result")
        if record.get("sha256") != hashlib.sha256(content).hexdigest():
            return self._damaged(data, "its checksum differs from the record")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            return self._damaged(data, str(error))

    def _damaged(self, file: Path, why: str) -> None:
        self.problems.append(f"{file}: {why}; computed anew")

    def put(self, key: str, arrays: Arrays, record: Mapping[str, Any]) -> None:
        """Write a result; done when this returns."""
        data, mark = self._files(key)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        content = buffer.getvalue()
        full = {**record, "key": key, "sha256": hashlib.sha256(content).hexdigest()}
        try:
            data.parent.mkdir(exist_ok=True)
            _write(data, content)
            _write(mark, json.dumps(full, sort_keys=True).encode())
        except OSError as error:
            raise StoreError(
                f"cannot write to the store {self.path}: {error.strerror}; free some space or choose another folder "
                "(results stored so far are kept)"
            ) from error


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
