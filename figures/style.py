"""One house style: column widths, vector fonts, colours that survive colour blindness, byte-stable output."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import matplotlib as mpl
from cycler import cycler

COLUMN = 3.4  # inches: one column of a two-column paper
PAGE = 7.0

#: Okabe–Ito, told apart by every common kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


@contextlib.contextmanager
def context() -> Iterator[None]:
    """Everything drawn inside has the house style."""
    with mpl.rc_context(
        {
            "axes.prop_cycle": cycler(color=COLOURS[:-1]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "savefig.dpi": 200,
            "font.size": 8,
            "legend.fontsize": 7,
            "legend.frameon": False,
            "lines.linewidth": 1.2,
            "lines.markersize": 3.5,
            "pdf.fonttype": 42,
            "svg.hashsalt": "corollary",
        }
    ):
        yield
