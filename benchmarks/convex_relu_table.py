"""How the results of convex_relu.py are printed: its table, the goals and whether they are met; computed, not typed.

No benchmark of its own.
"""

from __future__ import annotations

from typing import Any

import harness
import numpy as np


def ratio(row: dict[str, Any], base: dict[str, Any], gap: str) -> tuple[float, str]:
    """The row's median time over ours and how it is printed; a lower bound where the row was cut, inf for never."""
    times, ref = row["times"][gap], base["times"][gap]
    if None in ref:
        return np.nan, ""
    reached = [t for t in times if t is not None]
    if len(reached) == len(times):
        value = float(np.median(reached) / np.median(ref))
        return value, f"{value:.2g}"
    if row["cut_after"] is not None:
        value = float(min([row["cut_after"], *reached]) / np.median(ref))
        return value, f"> {value:.2g}"
    return np.inf, ""


def goals(rows: list[dict[str, Any]]) -> list[str]:
    """The goals for these sizes, each with the ratio to the fastest peer, and whether it is met."""
    largest = (2000, 100, 1000)
    lines = ["", "| goal | n, d, P | fastest peer over ours | met |", "|---|---|---|---|"]
    for base in (r for r in rows if r["solver"] == "corollary"):
        size, gated = tuple(base["size"]), base["gated"]
        others = [r for r in rows if tuple(r["size"]) == size and r["gated"] == gated and r is not base]
        wanted = [("gated to 1e-6, at least 2.5 times faster", "1e-06", 2.5)] if gated else [
            ("ReLU to 1e-3, never slower" if size[0] < 500 else "ReLU to 1e-3, at least 5 times faster", "0.001",
             1.0 if size[0] < 500 else 5.0), ("ReLU certified to 1e-6", "1e-06", 0.0)]  # fmt: skip
        for text, gap, least in wanted:
            found = [ratio(r, base, gap) for r in others]
            value, shown = min(found, key=lambda f: f[0]) if found else (np.nan, "")
            met = None not in base["times"][gap] and (least == 0 or (found and value >= least))
            # where the fastest peer was cut, its time is known to be at least this
            shown = shown or ("no peer gets there" if found and np.isinf(value) else "none")
            unsure = not met and shown.startswith(">")
            lines.append(f"| {text} | {', '.join(map(str, size))} | {shown} | "
                         f"{'yes' if met else 'open: the peer was cut' if unsure else 'no'} |")  # fmt: skip
        if size == largest:
            met = base["peak_GiB"] <= 4
            lines.append(f"| at most 4 GiB | {', '.join(map(str, size))} | {base['peak_GiB']:.2f} GiB | "
                         f"{'yes' if met else 'no'} |")  # fmt: skip
    return lines


def table(rows: list[dict[str, Any]], batched: list[dict[str, Any]]) -> list[str]:
    lines = [
        "# Convex two-layer ReLU networks: CPU seconds to a relative gap",
        "",
        "CPU seconds, median (range) of rounds, one thread; × is the row's median over ours, a lower bound where the "
        "row was cut at its cap while still running. Ours counts when our full certificate, on the clock, passes. A "
        "peer counts when its answer, projected onto its cones off the clock, passes either of two tests, which "
        "favours the peer: our certificate with its residual as ν (`own gap`), or its objective against the best dual "
        "bound we know (`gap`).",
        "",
        "| n, d, P | network | solver | to 1e-3 | × | to 1e-6 | × | gap | own gap | how it ended, cap | GiB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    mine = {(tuple(r["size"]), r["gated"]): r for r in rows if r["solver"] == "corollary"}
    for r in rows:
        cells, base = [], mine[tuple(r["size"]), r["gated"]]
        for gap, times in r["times"].items():
            reached = [t for t in times if t is not None]
            enough = len(reached) == len(times)
            cells.append(
                harness.spread(reached) if enough else f"in {len(reached)} of {len(times)}" if reached else "no"
            )
            cells.append("" if r is base else ratio(r, base, gap)[1])
        kind, size = "gated" if r["gated"] else "ReLU", ", ".join(map(str, r["size"]))
        ended = f"{r['ended'] or 'stopped by itself'}, {r['cap']:g} s"
        gaps = ["none" if r[g] is None else f"{max(r[g], 0):.1e}" for g in ("best_gap", "own_gap")]
        peak = f"{r['peak_GiB']:.2f}" if "peak_GiB" in r else ""
        lines.append(f"| {size} | {kind} | {r['solver']} | {' | '.join([*cells, *gaps])} | {ended} | {peak} |")
    lines += goals(rows)
    if batched:
        lines += ["", "| (500, 50, 200) to 1e-3 | together | one by one | × |", "|---|---|---|---|"]
    for r in batched:
        faster = np.median(r["apart"]) / np.median(r["together"])
        lines.append(f"| {r['case']} | {harness.spread(r['together'])} | {harness.spread(r['apart'])} | {faster:.2g} |")
    return lines
