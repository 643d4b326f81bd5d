r"""LaTeX to MathML, which browsers draw themselves: no script, no font, no network.

A text with $…$ is prose with formulas; one with a backslash or a sub- or superscript is a formula; the rest is prose.
What the converter does not know is shown as it was written, marked, never dropped.
"""

from __future__ import annotations

import functools
import html
import re

from latex2mathml import converter
from markupsafe import Markup

LONGEST = 4000  # characters: beyond, a formula is shown as it was written
_FORMULA = re.compile(r"\\[A-Za-z,;!|{}]|[_^]\{|[A-Za-z)\]]\^[\w*]")
_DOLLARS = re.compile(r"(?<!\\)\$([^$]+)\$")
_UNKNOWN = re.compile(r"\\[A-Za-z]+")
# Spellings that mean the same and that the converter knows.
_SAME = (
    (r"\\tfrac", r"\\frac"), (r"\\textstyle\s*", ""), (r"\\displaystyle\s*", ""),
    (r"\{\\rm\s+([A-Za-z]{2,})\}", r"{\\text{\1}}"), (r"\\mathrm\{([A-Za-z]{2,})\}", r"\\text{\1}"),  # one word
    (r"\\rm\b", r"\\mathrm"), (r"\\arg(?![A-Za-z])", r"\\operatorname{arg}"),
    (r"\\(?:big|Big|bigg|Bigg)[lr]?(?![A-Za-z])\s*", ""),
)  # fmt: skip


@functools.lru_cache(maxsize=4096)
def formula(latex: str, display: bool = False) -> Markup:
    """MathML of one formula; `<code class="latex">` where it cannot be converted whole."""
    text = latex
    for old, new in _SAME:
        text = re.sub(old, new, text)
    try:
        if len(text) > LONGEST or text.count("{") != text.count("}"):
            raise ValueError("not to be converted")
        made = converter.convert(text, display="block" if display else "inline")
    except Exception:  # the converter raises all kinds of errors on input that is no LaTeX
        return as_written(latex)
    # A command left over in the text, or a tag that is not MathML's own, was not understood.
    if _UNKNOWN.search(re.sub(r"&#?\w+;", "", made)) or _strange(made):
        return as_written(latex)
    label = html.escape(latex, quote=True)
    return Markup(made.replace("<math ", f'<math alttext="{label}" ', 1))


_TAGS = set(
    "math mrow mi mn mo ms mspace mtext mfrac msqrt mroot mstyle merror mpadded mphantom menclose msub msup msubsup "
    "munder mover munderover mmultiscripts mtable mtr mtd mprescripts none".split()
)
_SAFE = set(
    "xmlns display stretchy fence form lspace rspace mathvariant linethickness width height depth accent accentunder "
    "movablelimits minsize maxsize separator displaystyle scriptlevel columnalign columnlines rowspacing columnspacing "
    "rowlines notation symmetric largeop class mathsize mathcolor mathbackground voffset".split()
)


def _strange(made: str) -> bool:
    """Whether anything but the elements and attributes of a formula is in the text: hostile input stays text."""
    for tag, attributes in re.findall(r"</?([^\s>/]+)([^>]*)>", made):
        if tag not in _TAGS or any(name not in _SAFE for name in re.findall(r'([\w:-]+)\s*=\s*"[^"]*"', attributes)):
            return True
        if re.sub(r'[\w:-]+\s*=\s*"[^"<>]*"|[\s/]', "", attributes):
            return True
    return False


def as_written(latex: str) -> Markup:
    return Markup('<code class="latex">{}</code>').format(latex)


def statement(text: str) -> Markup:
    """A statement as people write them: prose, a formula, or prose with formulas in $…$."""
    if _DOLLARS.search(text):
        parts, end = [], 0
        for found in _DOLLARS.finditer(text):
            parts += [Markup.escape(text[end : found.start()]), formula(found[1].strip())]
            end = found.end()
        return Markup("").join([*parts, Markup.escape(text[end:])])
    if not _FORMULA.search(text):
        return Markup.escape(text)
    return Markup("\u2003").join(_broken(part) for part in _at_quads(text))  # as wide as a quad; lines may break there


def _at_quads(text: str) -> list[str]:
    r"""The formulas between which stands a \quad outside all braces, so that they break over lines."""
    if re.search(r"\\(?:left|right|begin|end)(?![A-Za-z])", text):
        return [text]
    parts, depth, start = [], 0, 0
    for found in re.finditer(r"(?<!\\)[{}]|\\q?quad(?![A-Za-z])\s*", text):
        if found[0] in "{}":
            depth += 1 if found[0] == "{" else -1
        elif depth == 0 and text[start : found.start()].strip():
            parts.append(text[start : found.start()].strip())
            start = found.end()
    rest = text[start:].strip()
    parts += [rest] if rest else []
    whole = all(
        re.match(r"[^_^}&]", p) and p.count("(") == p.count(")") and p.count("[") == p.count("]") for p in parts
    )
    return parts if whole and len(parts) > 1 else [text]


def _broken(text: str) -> Markup:
    r"""A formula made of \text{…} and formulas: its prose becomes prose, which breaks over lines as MathML does not."""
    parts, end, depth, start = [], 0, 0, None
    for found in re.finditer(r"\\text\{|(?<!\\)[{}]", text):
        if found[0] == r"\text{" and depth == 0:
            parts.append((False, text[end : found.start()]))
            start, depth = found.end(), 1
        elif found[0] == "}":
            depth -= 1
            if depth == 0 and start is not None:
                parts.append((True, text[start : found.start()]))
                end, start = found.end(), None
        else:
            depth += 1
    if depth or not parts:
        return formula(text)
    parts.append((False, text[end:]))
    if any(t.count("(") != t.count(")") for is_text, t in parts if not is_text):  # words within brackets stay there
        return formula(text)
    if any(t.count("{") != t.count("}") or t.strip().startswith(("_", "^")) for is_text, t in parts if not is_text):
        return formula(text)
    if any("$" not in t and _UNKNOWN.search(t) for is_text, t in parts if is_text):  # a command within prose
        return formula(text)
    plain = lambda t: Markup.escape(re.sub(r"\\([%&#_ $])", r"\1", t))  # noqa: E731
    done = [statement(t) if is_text and "$" in t else plain(t) if is_text else _tidy(t) for is_text, t in parts]
    return Markup("").join(done)


def _tidy(t: str) -> Markup:
    """A formula between words, with the space that stood around it."""
    bare = re.sub(r"^(\\[,;! ]|\\q?quad|\s)+|(\\[,;! ]|\\q?quad|\s)+$", "", t)
    if not bare:
        return Markup(" ") if t else Markup("")
    if re.fullmatch(r"[,.:;]+", bare):
        return Markup.escape(bare + " ")
    return Markup(" {} ").format(formula(bare))
