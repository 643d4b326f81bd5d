"""The evidence page, and comparing two result folders.

write(load([folder]), folder / "report.html")
"""

from corollary.report.captions import fill
from corollary.report.load import ReportError, Results, load
from corollary.report.page import render, write

__all__ = ["ReportError", "Results", "fill", "load", "render", "write"]
