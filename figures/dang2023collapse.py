"""Neural collapse: row norms by class size, and the depth at which cross-entropy leaves the simplex frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, COLUMN


def collapse(tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """Left: s² against the class size, closed form as a line; right: loss found over the frame's least, by depth."""
    lengths = {name: np.asarray(column) for name, column in tables["lengths"].items()}
    trained = {name: np.asarray(column) for name, column in tables["cross-entropy"].items()}
    fig, (left, right) = plt.subplots(1, 2, figsize=(2 * COLUMN, 2.5))
    bars = np.maximum(np.stack([lengths["s2"] - lengths["low"], lengths["high"] - lengths["s2"]]), 0)
    left.plot(tables["line"]["size"], tables["line"]["s2"], color=COLOURS[0], label="closed form")
    left.errorbar(lengths["size"], lengths["s2"], yerr=bars, fmt="o", color=COLOURS[1], label="trained, 10–90 %")
    left.set_xlabel("columns in the class $n_k$")
    left.set_ylabel(r"$s_k^2$, squared row norm of $W_M\cdots W_1$")
    left.legend()
    right.axhline(1, color=COLOURS[0], label="simplex frame")
    right.plot(trained["depth"], trained["found"] / trained["frame"], "o", color=COLOURS[1], label="trained from pairs")
    for depth, ratio, rank in zip(trained["depth"], trained["found"] / trained["frame"], trained["rank"], strict=True):
        right.annotate(f"rank {rank:.0f}", (depth, ratio), textcoords="offset points", xytext=(0, -11), ha="center")
    right.set_ylim(min(trained["found"] / trained["frame"]) - 0.1, 1.15)
    right.set_xticks(trained["depth"])
    right.set_xlim(min(trained["depth"]) - 0.5, max(trained["depth"]) + 0.5)
    right.set_xlabel("layers $M$")
    right.set_ylabel("cross-entropy objective / frame's")
    right.legend(loc="lower left")
    return fig
