"""What made a figure, written into its files and read back from any one of them alone: PNG, PDF, SVG or CSV."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

CSV_MARK = "corollary: "
KINDS = ("png", "pdf", "svg", "csv")
_NEEDED = ("paper", "figure", "scale", "seed_root", "command", "commit")


class NoStamp(ValueError):
    """A file that does not say what made it."""


def text_of(stamp: dict[str, Any]) -> str:
    """ASCII, one line: what every one of the four formats can hold."""
    return json.dumps(stamp, sort_keys=True, default=str)


def metadata(stamp: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """matplotlib's `metadata=` by extension; without dates and program versions, so that files are byte-stable."""
    text = text_of(stamp)
    title = f"{stamp['paper']} figure {stamp['figure']}"
    return {
        "png": {"Software": None, "Title": title, "corollary": text},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": "corollary", "Title": title, "Keywords": text},
        "svg": {"Date": None, "Creator": "corollary", "Title": title, "Description": text},
    }


def read(path: Path) -> dict[str, Any]:
    """The stamp of a file. Raises NoStamp with what is wrong and what to do."""
    kind = path.suffix.lower().lstrip(".")
    if kind not in KINDS:
        raise NoStamp(
            f"{path}: expected a figure's {', '.join(k.upper() for k in KINDS)} file, not {path.suffix or 'this'}"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NoStamp(f"cannot read {path}: {error.strerror}") from error
    text = {"png": _png, "pdf": _pdf, "svg": _svg, "csv": _csv}[kind](content)
    try:
        stamp = json.loads(text or "")
    except ValueError:
        stamp = None
    if not isinstance(stamp, dict) or any(name not in stamp for name in _NEEDED):
        raise NoStamp(
            f"{path} does not say what made it: it is no figure of corollary, was made by a version before `trace`, or "
            "lost its metadata in another program; `corollary reproduce` writes files that do"
        )
    return stamp


def _png(content: bytes) -> str | None:
    """The text chunk `corollary`: length, b"tEXt", key, NUL, Latin-1 text, checksum."""
    at = 8 if content.startswith(b"\x89PNG\r\n\x1a\n") else len(content)
    while at + 8 <= len(content):
        length, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        key, _, text = content[at + 8 : at + 8 + length].partition(b"\0")
        if name == b"tEXt" and key == b"corollary":
            return text.decode("latin-1")
        at += 12 + length
    return None


_ESCAPED = {ord("n"): b"\n", ord("r"): b"\r", ord("t"): b"\t", ord("b"): b"\b", ord("f"): b"\f"}


def _pdf(content: bytes) -> str | None:
    """The literal string /Keywords (…), with its escapes undone."""
    found = re.search(rb"/Keywords\s*\(((?:[^()\\]|\\.)*)\)", content, re.DOTALL)
    if not found:
        return None
    plain = re.sub(rb"\\(.)", lambda m: _ESCAPED.get(m[1][0], m[1]), found[1], flags=re.DOTALL)
    return plain.decode("latin-1")


def _svg(content: bytes) -> str | None:
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError:
        return None
    return next((node.text for node in root.iter() if node.tag.endswith("}description")), None)


def _csv(content: bytes) -> str | None:
    for line in content.decode("utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            return None
        text = line.lstrip("# ")
        if text.startswith(CSV_MARK):
            return text.removeprefix(CSV_MARK)
    return None


def told(stamp: dict[str, Any]) -> list[str]:
    """The stamp for people, one line each; the command last."""
    commit = str(stamp["commit"]) + (" and uncommitted changes" if stamp.get("dirty") else "")
    lines = [f"{stamp['paper']} figure {stamp['figure']}: {stamp.get('title', '')}"]
    lines += [f"claims       {', '.join(stamp.get('claims', [])) or 'none'}"]
    lines += [f"experiment   {e['id']} (source {str(e['source'])[:12]})" for e in stamp.get("experiments", {}).values()]
    lines += [f"parameter    {name}: paper {theirs}; here {ours}" for name, theirs, ours in stamp.get("parameters", [])]
    lines += [
        f"scale        {stamp['scale']}", f"seed root    {stamp['seed_root']}",
        f"device       {stamp.get('device', '')}",
        f"commit       {commit}",
        f"versions     {', '.join(f'{k} {v}' for k, v in stamp.get('versions', {}).items())}",
        f"command      {stamp['command']}",
    ]  # fmt: skip
    return lines
