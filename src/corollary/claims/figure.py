"""Figures, papers and errata: the nouns a paper module declares beside its claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corollary.claims.experiment import Experiment

Table = Mapping[str, Sequence[Any]]  # column name -> values, equally long


@dataclass(frozen=True)
class Paper:
    """Bibliography of one paper. `arxiv` is the number alone; empty where there is none.

    conventions: parametrisation, losses and letters, in a sentence. family: of `theory/`; empty: the one whose
    functions the paper's files use most.
    """

    key: str
    title: str
    authors: str
    year: int
    arxiv: str
    summary: str = ""
    conventions: str = ""
    family: str = ""

    def bibtex(self) -> str:
        names = " and ".join(a.strip() for a in self.authors.split(","))
        fields = {"title": self.title, "author": names, "year": self.year}
        if self.arxiv:
            fields |= {"eprint": self.arxiv, "archivePrefix": "arXiv"}
        return f"@misc{{{self.key},\n" + ",\n".join(f"  {k} = {{{v}}}" for k, v in fields.items()) + "\n}"


@dataclass(frozen=True)
class Figure:
    """A figure of the paper.

    experiments: what it needs, by name. replicates: how many of each stream (a value, by scale, or by experiment name
    and scale). tables(data) → named tables, where data[name] is a list of (point, arrays): these go to CSV and are all
    that draw(tables) may use. parameters: rows (parameter, the paper's, ours by scale) for caption and CSV header.
    """

    number: str
    title: str
    experiments: Mapping[str, Experiment]
    tables: Callable[[Mapping[str, list[tuple[dict, dict]]]], Mapping[str, Table]]
    draw: Callable[[Mapping[str, Table]], Any]
    replicates: Any = 10
    parameters: Sequence[tuple[str, str, Any]] = ()
    claims: Sequence[Any] = ()


@dataclass(frozen=True)
class Erratum:
    """A printed statement that fails: where, as printed, corrected, and the ids of the claims that show it.

    Texts are prose with formulas in $…$. version: of the paper, or commit of the code, that was examined; empty where
    that is not known. wrong: what is wrong, in one sentence.
    """

    where: str
    printed: str
    corrected: str
    evidence: Sequence[str]
    version: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Number:
    """A number that the paper, its plots or its code give, beside what the claim's interval says.

    where: the place, and whether it is printed or read off a plot. value: theirs. functional: the name of the claim's
    functional (empty: its first).
    """

    what: str
    where: str
    value: float
    claim: Any
    functional: str = ""
