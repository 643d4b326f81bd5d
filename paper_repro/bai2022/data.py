"""Two classes of images, or a table of numbers: bundled digits 3 against 8, or files that the user points to.

    COROLLARY_CIFAR10   folder of CIFAR-10's binary version (data_batch_1.bin …): bird against ship, in grey
    COROLLARY_MNIST     folder of IDX files (MNIST, Fashion-MNIST): class 3 against class 8
    COROLLARY_CSV       CSV file, e.g. one of UCI's: columns of numbers, the last one the label, 0 or 1

Images are averaged over blocks to 4 × 4 pixels in [0, 1]: the robust program's cost grows with the cube of the
dimension. Columns of a table are standardised. An input that is always 1 joins either. Nothing is downloaded.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np

from corollary.sims.common import data as sources

SIDE = 4
BIRD, SHIP = 2, 8
_RECORD = 1 + 3 * 32 * 32  # label, then red, green, blue, each 32 × 32 row by row


def two_classes() -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, d), the last of them 1, and labels ±1 (N,), from the first source named in the environment.

    Raises FileNotFoundError or ValueError, naming the file, where it cannot be read as what it should be.
    """
    return _read(*(os.environ.get(f"COROLLARY_{name}") for name in ("CIFAR10", "CSV", "MNIST")))


@cache
def _read(cifar: str | None, table_file: str | None, mnist: str | None) -> tuple[np.ndarray, np.ndarray]:
    if cifar:
        X, y = _pair(*cifar10(cifar), SHIP, BIRD)
    elif table_file:
        _, table = sources.read_csv(table_file)
        if table.shape[1] < 2 or set(np.unique(table[:, -1])) != {0.0, 1.0}:
            raise ValueError(f"{table_file}: the last column must be the label, 0 or 1, both present, after an input")
        X, y = table[:, :-1], 2 * table[:, -1] - 1
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    else:
        X, labels = sources.mnist(mnist) if mnist else sources.digits()
        if labels is None:
            raise ValueError("COROLLARY_MNIST names a file of images alone; expected a folder that holds labels too")
        X, y = _pair(X, labels, 3, 8)
    return np.concatenate([X, np.ones((len(X), 1))], axis=1), y


def _pair(X: np.ndarray, labels: np.ndarray, positive: int, negative: int) -> tuple[np.ndarray, np.ndarray]:
    keep = np.isin(labels, (positive, negative))
    return coarse(X[keep]), np.where(labels[keep] == positive, 1.0, -1.0)


def coarse(X: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Square images (N, s²) averaged over blocks to (N, side²). ValueError unless s is a multiple of `side`."""
    s = round(X.shape[1] ** 0.5)
    if s * s != X.shape[1] or s % side:
        raise ValueError(f"images of {X.shape[1]} pixels; expected squares whose side is a multiple of {side}")
    block = s // side
    return X.reshape(-1, side, block, side, block).mean(axis=(2, 4)).reshape(len(X), side * side)


def cifar10(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """(grey images (N, 1024) in [0, 1], labels (N,)) of every data_batch_*.bin in a folder: CIFAR-10's binary version.

    Raises FileNotFoundError where there is none, ValueError for a file that is not whole records of 3073 bytes with
    labels 0 … 9.
    """
    files = sorted(Path(path).glob("data_batch_*.bin"))
    if not files:
        raise FileNotFoundError(f"{path} holds no data_batch_*.bin; expected the folder of CIFAR-10's binary version")
    pixels, labels = [], []
    for file in files:
        raw = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        if not len(raw) or len(raw) % _RECORD or np.max(raw[::_RECORD]) > 9:
            raise ValueError(
                f"{file} is no batch of CIFAR-10: {len(raw)} bytes; expected records of {_RECORD}, label 0 … 9 first"
            )
        records = raw.reshape(-1, _RECORD)
        labels.append(records[:, 0].astype(np.int64))
        pixels.append(records[:, 1:].reshape(-1, 3, 1024).mean(axis=1) / 255.0)
    return np.concatenate(pixels), np.concatenate(labels)
