"""Seed paths: every replicate has its own stream, whatever else is run beside it.

SeedSequence([root, h(experiment id), h(canonical JSON of the point), replicate]), h = first 8 bytes of SHA-256
(Python's `hash()` is salted per process). Adding a width, a block or a claim never changes another draw.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces, tuples as lists, NumPy scalars as numbers.

    Raises TypeError for anything that is not plain data, ValueError for NaN and infinity.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in a point: coordinates are finite numbers, strings or lists")
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    raise TypeError(f"{type(value).__name__} {value!r} has no canonical JSON; use numbers, strings, lists or dicts")


def stable_hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def seed_sequences(
    root: int, experiment: str, point: Mapping[str, Any], replicates: range, backend: str = ""
) -> list[np.random.SeedSequence]:
    """One SeedSequence per replicate. `backend` enters the path of experiments that draw on the device."""
    path = [root, stable_hash(experiment), stable_hash(canonical_json(point))]
    tail = [stable_hash(backend)] if backend else []
    return [np.random.SeedSequence([*path, k, *tail]) for k in replicates]
