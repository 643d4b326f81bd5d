"""Two classes of images, or a table of numbers: bundled digits 3 against 8, or files that the user points to.

    COROLLARY_CIFAR10   folder of CIFAR-10's binary version (data_batch_1.bin …): bird against ship, in grey
    COROLLARY_MNIST     folder of IDX files (MNIST, Fashion-MNIST): class 3 against class 8
    COROLLARY_CSV       CSV file, e.g. one of UCI's: columns of numbers, the last one the label, 0 or 1

Images are averaged over blocks to 4 × 4 pixels in [0, 1]: the robust program's cost grows with the cube of the
dimension. Columns of a table are standardised. An input that is always 1 joins either. Nothing is downloaded.

What is read is named in the experiments' points, files with a digest of their content: results of one file are never
shown for another.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

import numpy as np

from corollary.sims.common import data as sources

SIDE = 4
BIRD, SHIP = 2, 8
_RECORD = 1 + 3 * 32 * 32  # label, then red, green, blue, each 32 × 32 row by row


def source() -> str:
    """What the environment names first: "digits", or "KIND:digest:path", the digest "missing" for no readable file."""
    for kind in ("CIFAR10", "CSV", "MNIST"):
        if path := os.environ.get(f"COROLLARY_{kind}"):
            return f"{kind}:{digest(path)}:{path}"
    return "digits"


@cache
def digest(path: str) -> str:
    """16 hexadecimal digits of the SHA-256 of a file, or of the names and contents of a folder's files."""
    root = Path(path)
    try:
        files = sorted(p for p in root.iterdir() if p.is_file()) if root.is_dir() else [root]
        out = hashlib.sha256()
        for file in files:
            out.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as stream:
                while block := stream.read(2**20):
                    out.update(block)
    except OSError:
        return "missing"
    return out.hexdigest()[:16]


def described(named: str) -> str:
    """In words, for titles and tables."""
    if named == "digits":
        return "digits 3 against 8"
    kind, _, path = named.split(":", 2)
    name = Path(path).name
    return {
        "CIFAR10": "CIFAR-10, ship against bird",
        "CSV": f"the labels of {name}",
        "MNIST": f"3 against 8 of {name}",
    }[kind]


@cache
def two_classes(named: str = "digits") -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, d), the last of them 1, and labels ±1 (N,), of what `source` names.

    Raises FileNotFoundError or ValueError, naming the file, where it cannot be read as what it should be, or where its
    content is no longer that of the digest.
    """
    if named == "digits":
        X, y = _pair(*_labelled(sources.digits()), 3, 8)
        return _with_ones(X), y
    kind, known, path = named.split(":", 2)
    if known != "missing" and digest(path) != known:
        raise ValueError(
            f"{path} has digest {digest(path)}; expected {known}: the file changed since this run was planned"
        )
    if kind == "CIFAR10":
        X, y = _pair(*cifar10(path), SHIP, BIRD)
    elif kind == "CSV":
        X, y = table(path)
        X = standardised(X)
    else:
        X, y = _pair(*_labelled(sources.mnist(path)), 3, 8)
    return _with_ones(X), y


def table(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns (N, d) and labels ±1 of a CSV file whose last column is 0 or 1. Raises ValueError, naming it."""
    _, found = sources.read_csv(path)
    if found.shape[1] < 2 or set(np.unique(found[:, -1])) != {0.0, 1.0}:
        raise ValueError(f"{path}: the last column must be the label, 0 or 1, both present, after an input")
    return found[:, :-1], 2 * found[:, -1] - 1


def standardised(X: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and variance 1; constant ones left out."""
    spread = X.std(axis=0)
    return (X - X.mean(axis=0))[:, spread > 0] / spread[spread > 0]


def _with_ones(X: np.ndarray) -> np.ndarray:
    return np.concatenate([X, np.ones((len(X), 1))], axis=1)


def _labelled(images: sources.Images) -> tuple[np.ndarray, np.ndarray]:
    if images.labels is None:
        raise ValueError("COROLLARY_MNIST names a file of images alone; expected a folder that holds labels too")
    return images.x, images.labels


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
