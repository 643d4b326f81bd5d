"""Label noise among the principal directions of features, and the test error of truncated features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from corollary.figures.style import COLOURS, PAGE

Tables = Mapping[str, Mapping[str, Sequence[Any]]]


def segregation(tables: Tables) -> Figure:
    """Left: the noise's share in the first k directions, with the exact line; right: test error against k."""
    shares = {name: np.asarray(column) for name, column in tables["shares"].items()}
    errors = {name: np.asarray(column) for name, column in tables["errors"].items()}
    fig, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.8))
    for colour, name in zip(COLOURS, dict.fromkeys(shares["series"]), strict=False):
        rows = shares["series"] == name
        left.plot(shares["k"][rows], shares["exact"][rows], color=colour)
        left.errorbar(
            shares["k"][rows], shares["noise"][rows], yerr=shares["noise_sd"][rows], fmt="o", color=colour, label=name,
            elinewidth=0.8,
        )  # fmt: skip
        right.errorbar(
            errors["k"][rows], errors["error"][rows], yerr=errors["error_sd"][rows], fmt="o-", lw=0.6, color=colour,
            label=name, elinewidth=0.8,
        )  # fmt: skip
    left.plot([], [], color="0.4", label="if features do not know the noise")
    left.set_yscale("log")
    left.set_ylabel("share of the noise in the first $k$ directions")
    right.set_ylabel("test error, clean labels")
    for axis in (left, right):
        axis.set_xscale("log")
        axis.set_xlabel("directions kept, $k/n$")
    left.legend(loc="lower right")
    return fig
