"""Data on the host: scikit-learn's bundled digits, MNIST in its IDX files from a path of the user, numbers in CSV.

IDX (LeCun's MNIST page): two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit
integer, then the entries, big-endian, last index fastest. Nothing here downloads anything.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MNIST = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class Images(NamedTuple):
    """x (N, pixels), float64 in [0, 1], and labels (N,), int64; labels is None where the source holds none."""

    x: np.ndarray
    labels: np.ndarray | None


def digits() -> Images:
    """The 1797 handwritten digits of 8 × 8 pixels that scikit-learn bundles, grey values divided by 16."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return Images(np.asarray(pixels, dtype=float) / 16.0, np.asarray(labels, dtype=np.int64))


def mnist(path: str | os.PathLike[str], part: str = "train") -> Images:
    """MNIST, or any set in its format, grey values divided by 255; pixels row by row.

    path: a folder with the standard names (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…; also with a dot
    for the hyphen before idx, and .gz), of which `part` ("train" or "test") picks two; or one file of images, whose
    labels are then None.

    Raises FileNotFoundError for a path or a standard file that is not there, ValueError (with the path) for a file
    that is not IDX, truncated, too long, of other dimensions than images or labels have, or for unequal counts.
    """
    if part not in _MNIST:
        raise ValueError(f"part = {part!r}; expected 'train' or 'test'")
    root = Path(path)
    if not root.is_dir():
        return Images(_pixels(root), None)
    image_path, label_path = (_standard_file(root, name) for name in _MNIST[part])
    x, labels = _pixels(image_path), read_idx(label_path)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"{label_path} holds {labels.dtype} of shape {labels.shape}; expected labels: integers (N,)")
    if len(labels) != len(x):
        raise ValueError(f"{image_path} holds {len(x)} images, but {label_path} holds {len(labels)} labels")
    return Images(x, labels.astype(np.int64))


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array in an IDX file, plain or gzip (told by its content, not by its name), in native byte order.

    Raises FileNotFoundError, or ValueError (with the path): wrong magic number, truncated, or bytes left over.
    """
    raw = _read_bytes(Path(path))
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_TYPES or raw[3] == 0:
        raise ValueError(f"{path} is not an IDX file: it starts with 0x{raw[:4].hex()}, expected 0x0000, type, rank")
    dtype, rank = np.dtype(_IDX_TYPES[raw[2]]), raw[3]
    start = 4 + 4 * rank
    if len(raw) < start:
        raise ValueError(f"{path} is truncated: {len(raw)} bytes, its header alone takes {start}")
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
    expected, found = math.prod(shape) * dtype.itemsize, len(raw) - start
    if found != expected:
        word = "truncated" if found < expected else "too long"
        raise ValueError(f"{path} is {word}: its header announces {shape}, {expected} bytes; {found} bytes follow")
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def read_csv(path: str | os.PathLike[str]) -> tuple[list[str] | None, np.ndarray]:
    """(header, values (N, columns) float64) of a comma-separated file of finite numbers.

    The first line is the header if none of its cells is a number; header is None otherwise. Blank lines are skipped.
    Raises FileNotFoundError, or ValueError (with path and line): a cell that is no finite number, ragged, empty.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if row]
    header = None
    if lines and not any(_is_number(cell) for cell in lines[0][1]):
        header = [cell.strip() for cell in lines.pop(0)[1]]
    if not lines:
        raise ValueError(f"{path} holds no line of numbers")
    width = len(lines[0][1]) if header is None else len(header)
    for number, row in lines:
        if len(row) != width:
            raise ValueError(f"{path}, line {number}: {len(row)} cells; expected {width}")
        for cell in row:
            if not _is_number(cell) or not math.isfinite(float(cell)):
                raise ValueError(f"{path}, line {number}: {cell!r} is not a finite number")
    return header, np.array([[float(cell) for cell in row] for _, row in lines])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _pixels(path: Path) -> np.ndarray:
    images = read_idx(path)
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise ValueError(
            f"{path} holds {images.dtype} of shape {images.shape}; expected images: uint8 (N, height, width), N > 0"
        )
    return images.reshape(len(images), -1) / 255.0


def _standard_file(root: Path, name: str) -> Path:
    dotted = name.replace("-idx", ".idx")
    for candidate in (name, name + ".gz", dotted, dotted + ".gz"):
        if (root / candidate).is_file():
            return root / candidate
    raise FileNotFoundError(f"{root} holds no {name} (nor {name}.gz); expected the MNIST files under standard names")


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected an IDX file, or a folder with the MNIST files")
    raw = path.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is a truncated or damaged gzip file: {error}") from error
