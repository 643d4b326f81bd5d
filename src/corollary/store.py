"""Results by content: a block of replicates is looked up by everything it depends on, and written so that it is whole.

Two files per result: KEY.json (what the key stands for, the checksum of the data, and its own) and KEY-CHECKSUM.npz
(the arrays, no pickles). Both are written to a temporary name, flushed, and renamed; KEY.json comes last and marks the
result as done. As the data's name holds its checksum, two processes with the same result cannot mix their files.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from corollary.seeds import canonical_json

Arrays = dict[str, np.ndarray]
ABANDONED = 86400.0  # seconds after which a temporary file belongs to a process that was killed


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
            self._sweep_out()
        except OSError as error:
            raise StoreError(f"cannot make the store {self.path}: {_reason(error)}; choose another folder") from error

    def _sweep_out(self) -> None:
        for left in self.path.glob("*/.*.tmp"):
            try:
                if left.stat().st_mtime < time.time() - ABANDONED:
                    left.unlink()
            except OSError:  # another process was faster, or nothing can be removed here
                continue

    def _mark(self, key: str) -> Path:
        return self.path / key[:2] / f"{key}.json"

    def get(self, key: str) -> Arrays | None:
        """The arrays of a finished, undamaged result, or None."""
        mark = self._mark(key)
        try:
            text = mark.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._damaged(mark, _reason(error))
        try:
            record = json.loads(text)
            whole = isinstance(record, dict) and text == _sealed({k: v for k, v in record.items() if k != "seal"})
        except (ValueError, RecursionError):
            whole = False
        if not whole:
            return self._damaged(mark, "it is damaged, or no record of a result")
        if record.get("key") != key:
            return self._damaged(mark, "it belongs to another result")
        data = mark.with_name(f"{key}-{record['sha256'][:16]}.npz")
        try:
            content = data.read_bytes()
        except OSError as error:
            return self._damaged(data, _reason(error))
        if record["sha256"] != hashlib.sha256(content).hexdigest():
            return self._damaged(data, "its checksum differs from the record")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            return self._damaged(data, str(error))

    def _damaged(self, file: Path, why: str) -> None:
        self.problems.append(f"{file}: {why}; computed anew")

    def put(self, key: str, arrays: Arrays, record: Mapping[str, Any]) -> None:
        """Write a result; done when this returns. Raises StoreError where the disk does not take it."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        content = buffer.getvalue()
        checksum = hashlib.sha256(content).hexdigest()
        mark = self._mark(key)
        try:
            mark.parent.mkdir(exist_ok=True)
            _write(mark.with_name(f"{key}-{checksum[:16]}.npz"), content)
            _write(mark, _sealed({**record, "key": key, "sha256": checksum}))
        except OSError as error:
            raise StoreError(
                f"cannot write to the store {self.path}: {_reason(error)}; free some space or choose another folder "
                "(results stored so far are kept)"
            ) from error


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _sealed(record: Mapping[str, Any]) -> bytes:
    """The record as text with a checksum of itself: the only bytes that are accepted for this record."""
    seal = hashlib.sha256(canonical_json(record).encode()).hexdigest()
    return canonical_json({**record, "seal": seal}).encode()


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
    _flush_names(path.parent)


def _flush_names(folder: Path) -> None:
    """A rename survives a power cut once the folder is on the disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
