"""Figures of the page: PNG with a palette, where that is smaller, as a data address; and highlighted source."""

from __future__ import annotations

import base64
import functools
import io
from pathlib import Path
from typing import Any

from markupsafe import Markup

from corollary.report.load import ReportError

# keywords, texts, comments and defined names: what page.css has colours for
COLOURED = frozenset("k kn kc ow kd s1 s2 sd sa si se c1 nf nc nd fm".split())


def data_address(picture: Path) -> tuple[str, int, int]:
    """(address, width, height). Raises ReportError for a file that is no picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        content = picture.read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read {picture.parent.name}/{picture.name}: {error.strerror}") from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            width, height = image.size
            small = io.BytesIO()
            # 96 colours: lines, markers and their smoothed edges; the difference cannot be seen at this size
            image.convert("RGB").quantize(96, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ReportError(f"{picture.parent.name}/{picture.name} is no whole picture") from error
    shorter = min(content, small.getvalue(), key=len)
    return f"data:image/png;base64,{base64.b64encode(shorter).decode()}", width, height


@functools.lru_cache(maxsize=4096)
def highlighted(text: str) -> Markup:
    """Python source with a class for each kind of token that the page colours, and no other marks."""
    from pygments.lexers import PythonLexer
    from pygments.token import STANDARD_TYPES

    parts: list[list[str]] = []
    for kind, words in PythonLexer().get_tokens(text):
        short = STANDARD_TYPES.get(kind, "")
        look = short if short in COLOURED and words.strip() else ""
        if parts and parts[-1][0] == look:
            parts[-1][1] += words
        else:
            parts.append([look, words])
    marks = [Markup('<span class="{}">{}</span>').format(*p) if p[0] else Markup.escape(p[1]) for p in parts]
    return Markup("").join(marks)


def numbers(claim: dict[str, Any], most: int) -> tuple[str, int]:
    """CSV of a claim's functionals, at most `most` rows, and how many rows that leaves out."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [k for k, v in claim["rival_values"].items() if len(v) == len(claim["functionals"])]
    writer.writerow(["functional", "low", "high", "theory", "margin", "resolution", *(f"rival: {n}" for n in names)])
    for j, name in enumerate(claim["functionals"][:most]):
        row = [*claim["interval"][j], *(claim[k][j] for k in ("theory", "margin", "resolution"))]
        row += [claim["rival_values"][n][j] for n in names]
        writer.writerow([name, *("" if v is None else f"{v:.10g}" if isinstance(v, int | float) else v for v in row)])
    return out.getvalue(), max(len(claim["functionals"]) - most, 0)
