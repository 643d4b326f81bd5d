"""The dependency graph of a paper as inline SVG: derivations, claims, and who rests on whom, coloured by state."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

WIDE, HIGH, GAP_X, GAP_Y = 210, 30, 60, 10


def edges(claims: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(what is used, who uses it): `uses` and `checked_by` of the claims."""
    return [(used, name) for name, c in claims.items() for used in [*c["uses"], *c["checked_by"]]]


def depths(names: list[str], links: list[tuple[str, str]]) -> dict[str, int]:
    """Longest way from a name that rests on nothing. A circle, which no claim can be part of, ends where it closes."""
    below: dict[str, list[str]] = {}
    for used, user in links:
        below.setdefault(user, []).append(used)
    found: dict[str, int] = {}

    def depth(name: str, above: tuple[str, ...]) -> int:
        if name in found:
            return found[name]
        if name in above:
            return 0
        found[name] = 1 + max((depth(used, (*above, name)) for used in below.get(name, [])), default=-1)
        return found[name]

    for name in names:
        depth(name, ())
    return found


def graph(links: list[tuple[str, str]], state: Mapping[str, str], anchor: Mapping[str, str], label: str) -> Markup:
    """Left to right. state[name] is the node's class, anchor[name] the id it links to (none: not in these results)."""
    if not links:
        return Markup("")
    names = list(dict.fromkeys(name for link in links for name in link))
    depth = depths(names, links)
    columns: dict[int, list[str]] = {}
    for name in names:
        columns.setdefault(depth[name], []).append(name)
    position: dict[str, tuple[int, int]] = {}
    for column in sorted(columns):
        if column:  # near what it rests on, so that fewer lines cross
            rank = {n: _middle(n, links, position) for n in columns[column]}
            columns[column].sort(key=rank.__getitem__)
        for row, name in enumerate(columns[column]):
            position[name] = (column * (WIDE + GAP_X) + 1, row * (HIGH + GAP_Y) + 1)
    width = (max(columns) + 1) * (WIDE + GAP_X) - GAP_X + 2
    height = max(map(len, columns.values())) * (HIGH + GAP_Y) - GAP_Y + 2
    parts = []
    for used, user in links:
        (x0, y0), (x1, y1) = position[used], position[user]
        x0, y0, y1 = x0 + WIDE, y0 + HIGH // 2, y1 + HIGH // 2
        bend = (x0 + x1) // 2
        parts.append(f'<path class="edge" d="M{x0} {y0}C{bend} {y0} {bend} {y1} {x1} {y1}"/>')
    for name, (x, y) in position.items():
        shown = name.split(".", 1)[-1]
        short = html.escape(shown if len(shown) <= 30 else f"{shown[:29]}…")
        box = (
            f'<rect class="node {html.escape(state.get(name, "absent"))}" x="{x}" y="{y}" width="{WIDE}" '
            f'height="{HIGH}" rx="4"/><text x="{x + WIDE // 2}" y="{y + HIGH // 2 + 4}" text-anchor="middle">{short}'
            f"<title>{html.escape(name)}: {html.escape(state.get(name, 'not in these results'))}</title></text>"
        )
        parts.append(f'<a href="#{anchor[name]}">{box}</a>' if name in anchor else box)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return Markup(f'<svg class="graph" {size} role="group" aria-label="{html.escape(label)}">{"".join(parts)}</svg>')


def _middle(name: str, links: list[tuple[str, str]], position: Mapping[str, tuple[int, int]]) -> float:
    rows = [position[used][1] for used, user in links if user == name and used in position]
    return sum(rows) / len(rows) if rows else 0.0
