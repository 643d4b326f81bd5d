"""Tables to CSV: columns of equal length, comment lines above."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np


def csv_text(table: Mapping[str, Any], header: list[str]) -> str:
    """CSV of name → column, `header` as lines of comment; floats by repr, so that they are read back exactly.

    Raises ValueError where columns differ in length.
    """
    columns = {name: list(values) for name, values in table.items()}
    if len({len(v) for v in columns.values()}) != 1:
        raise ValueError(f"a table's columns differ in length: { {k: len(v) for k, v in columns.items()} }")
    text = io.StringIO()
    for line in header:
        text.write(f"# {line}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([repr(float(x)) if isinstance(x, float | np.floating) else x for x in row])
    return text.getvalue()
