"""Forest plots as inline SVG: each functional's interval against the theory's zone and the rivals.

One row per functional on an axis of its own: the interval (bar), the theory (line) ± margin (dark band) ± resolution
(light band), the rivals (crosses). A rival far outside is an arrow at the edge. Colours come from the page.
"""

from __future__ import annotations

import html
from typing import Any

from markupsafe import Markup

from corollary.report.load import finite

ROWS = 8  # functionals drawn; the table has more
WIDTH, LEFT, RIGHT, ROW = 480, 4, 4, 60
FAR = 6  # widths of zone and interval: a rival further away is an arrow


def _number(x: float) -> str:
    return f"{x:.4g}"


def _span(lo: float | None, hi: float | None, T: float, b: float, r: float, rivals: list[float]) -> tuple[float, float]:
    """The axis: theory's zone and interval, and rivals as long as they do not squeeze those to nothing."""
    near = [T - b - r, T + b + r, *(x for x in (lo, hi) if x is not None)]
    low, high = min(near), max(near)
    width = (high - low) or abs(T) or 1.0
    wide = [x for x in rivals if low - FAR * width <= x <= high + FAR * width]
    low, high = min([low, *wide]), max([high, *wide])
    pad = 0.06 * ((high - low) or width)
    return low - pad, high + pad


def _row(claim: dict[str, Any], j: int, top: int) -> str:
    T = finite(claim["theory"][j])
    lo, hi = (finite(x) for x in claim["interval"][j])
    b, r = finite(claim["margin"][j]) or 0.0, finite(claim["resolution"][j]) or 0.0
    name = html.escape(claim["functionals"][j])
    if len(claim["functionals"][j]) > 60:
        name = html.escape(claim["functionals"][j][:59]) + "…"
    label = f'<text class="name" x="{LEFT}" y="{top + 11}">{name}</text>'
    if T is None:
        return label + f'<text class="tick" x="{LEFT}" y="{top + 27}">no number here</text>'
    values = {k: finite(v[j]) for k, v in claim["rival_values"].items() if j < len(v)}
    rivals = {k: v for k, v in values.items() if v is not None}
    low, high = _span(lo, hi, T, b, r, list(rivals.values()))

    def x(value: float) -> float:
        share = (value - low) / (high - low)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 1)

    y = top + 25
    parts = [label, f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>']
    for half, kind in ((b + r, "zone"), (b, "margin")):
        left = x(low) if claim["side"] == "at most" else x(T - half)
        right = x(high) if claim["side"] == "at least" else x(T + half)
        width = max(right - left, 1.0)
        parts.append(f'<rect class="{kind}" x="{left}" y="{y - 8}" width="{width:.1f}" height="16"/>')
    parts.append(f'<line class="theory" x1="{x(T)}" x2="{x(T)}" y1="{y - 10}" y2="{y + 10}"/>')
    for name_, value in rivals.items():
        state = "dead" if name_ in claim["rivals_rejected"] else "alive"
        title = f"<title>{html.escape(name_)}: {_number(value)}</title>"
        if low <= value <= high:
            at = x(value)
            parts.append(f'<path class="rival {state}" d="M{at - 4:.1f} {y - 4}l8 8m0 -8l-8 8">{title}</path>')
        else:
            at, turn = (LEFT + 1, 1) if value < low else (WIDTH - RIGHT - 1, -1)
            parts.append(
                f'<path class="rival {state}" d="M{at + 7 * turn} {y - 5}l{-6 * turn} 5l{6 * turn} 5">{title}</path>'
            )
    left, right = x(low if lo is None else lo), x(high if hi is None else hi)
    span = f"[{'−∞' if lo is None else _number(lo)}, {'∞' if hi is None else _number(hi)}]"
    parts.append(f'<rect class="interval" x="{left}" y="{y - 3}" width="{max(right - left, 2):.1f}" height="6">'
                 f"<title>interval {span}</title></rect>")  # fmt: skip
    note = f"theory {_number(T)} · interval {span}"
    parts.append(f'<text class="tick" x="{LEFT}" y="{top + 48}">{note}</text>')
    return "".join(parts)


def forest(claim: dict[str, Any]) -> Markup:
    """The plot of a claim's first functionals, or nothing where it has none."""
    J = len(claim["functionals"])
    if not J:
        return Markup("")
    rows = "".join(_row(claim, j, j * ROW) for j in range(min(J, ROWS)))
    height = ROW * min(J, ROWS)
    title = f"Interval, theory and rivals of {html.escape(claim['id'])}"
    return Markup(f'<svg class="forest" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">{rows}</svg>')
