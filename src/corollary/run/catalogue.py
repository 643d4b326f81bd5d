"""What there is: papers with their claims and figures, derivations, and claims in a user's own files."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from corollary.claims import Claim, Derivation, Erratum, Figure, Number, Paper
from corollary.seeds import stable_hash

PAPERS = "corollary.paper_repro"
FEW = 12  # names that still fit into an error message


class UnknownName(LookupError):
    """A paper, claim or file that is not there; the message suggests the nearest."""


class BadFile(ValueError):
    """A user's file that fails when it is loaded."""


@dataclass
class PaperEntry:
    """One paper module: its bibliography and what it declares, in the order of the module."""

    paper: Paper
    module: ModuleType
    claims: list[Claim] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    errata: list[Erratum] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)


def _declared(modules: Iterable[ModuleType], kind: type) -> list:
    """Objects of a kind that the modules hold, each once."""
    seen: dict[int, object] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, kind):
                seen.setdefault(id(value), value)
            elif isinstance(value, list | tuple) and value and all(isinstance(v, kind) for v in value):
                for v in value:
                    seen.setdefault(id(v), v)
    return list(seen.values())


def entry(name: str) -> PaperEntry | None:
    """The paper of a module of `paper_repro`; None where it declares none."""
    module = importlib.import_module(name)
    modules = [module]
    if hasattr(module, "__path__"):
        parts = [i.name for i in pkgutil.iter_modules(module.__path__, name + ".")]
        modules += [importlib.import_module(name) for name in parts if not name.endswith("__main__")]
    declared = _declared(modules, Paper)
    if not declared:
        return None
    found = PaperEntry(declared[0], module)
    found.claims = _declared(modules, Claim)
    found.figures = _declared(modules, Figure)
    found.errata = _declared(modules, Erratum)
    found.numbers = _declared(modules, Number)
    return found


def papers(names: Iterable[str] = ()) -> dict[str, PaperEntry]:
    """All papers of `paper_repro`, by key. A package KEY/ is one paper: its files count as one module.

    names: keys, and ids KEY.… of claims. If each begins with a key, only these papers are loaded: all take seconds.
    """
    room = importlib.import_module(PAPERS)
    every = [info.name for info in pkgutil.iter_modules(room.__path__)]
    asked = {name.split(".")[0] for name in names}
    chosen = [key for key in every if key in asked] if asked <= set(every) and asked else every
    entries = [entry(f"{PAPERS}.{key}") for key in chosen]
    return {e.paper.key: e for e in entries if e}


def papers_of(claims: Iterable[Claim]) -> dict[str, PaperEntry]:
    """The papers of `paper_repro` that declare the claims, by key; a user's own claims have none."""
    homes = dict.fromkeys(".".join(c.module.split(".")[:3]) for c in claims if c.module.startswith(f"{PAPERS}."))
    return {e.paper.key: e for e in map(entry, homes) if e}


def derivations() -> dict[str, Derivation]:
    """All derivations of `proofs_check`, by id."""
    room = importlib.import_module("corollary.proofs_check")
    modules = [importlib.import_module(i.name) for i in pkgutil.walk_packages(room.__path__, "corollary.proofs_check.")]
    return {d.id: d for d in _declared(modules, Derivation)}


def nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    few = f"there is {', '.join(sorted(known)) or 'nothing'}"
    return f"; {few}" if len(known) <= FEW else "; `corollary list` shows what there is"


def load_file(path: str) -> list[Claim]:
    """Claims declared in a Python file of the user's. As with `python FILE.py`, it may import the files beside it.

    Raises UnknownName for a file that is not there or declares nothing, BadFile for one that cannot be run.
    """
    file = Path(path)
    if not file.is_file():
        raise UnknownName(f"no file {path}; give the path of a Python file that declares claims")
    name = file.stem if file.stem not in sys.modules else f"{file.stem}_{stable_hash(str(file.resolve())):x}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UnknownName(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(file.resolve().parent) not in sys.path:
        sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == file.absolute()]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        what = error.msg if isinstance(error, SyntaxError) else error
        where = f"{path}, line {line}" if line else path
        raise BadFile(f"{where}: the file cannot be loaded: {type(error).__name__}: {what}") from error
    claims = _declared([module], Claim)
    if not claims:
        raise UnknownName(f"{path} declares no claims: a claim is a module-level variable, name = Claim(...)")
    return claims


def load_package(path: str) -> list[Claim]:
    """Claims declared in the modules of a package of the user's, a folder with an `__init__.py`.

    Raises UnknownName where it declares none, BadFile for a module that cannot be run or another package of that name.
    """
    folder = Path(path).resolve()
    if str(folder.parent) not in sys.path:
        sys.path.insert(0, str(folder.parent))
    try:
        package = importlib.import_module(folder.name)
        if Path(str(package.__file__)).resolve().parent != folder:
            raise BadFile(f"{path}: another package {folder.name!r} is installed or loaded; rename the folder")
        found = pkgutil.walk_packages(package.__path__, f"{folder.name}.")
        modules = [package, *(importlib.import_module(i.name) for i in found if not i.name.endswith("__main__"))]
    except BadFile:
        raise
    except (Exception, SystemExit) as error:
        raise BadFile(f"{path}: the package cannot be loaded: {type(error).__name__}: {error}") from error
    claims = _declared(modules, Claim)
    if not claims:
        raise UnknownName(f"{path} declares no claims: a claim is a module-level variable, name = Claim(...)")
    return claims


def _is_package(name: str) -> bool:
    """A folder with an `__init__.py`; a paper's key means the paper, also beside a folder of that name."""
    here = (Path(name) / "__init__.py").is_file()
    return here and not (name.isidentifier() and importlib.util.find_spec(f"{PAPERS}.{name}"))


def _load(name: str) -> list[Claim]:
    return load_package(name) if _is_package(name) else load_file(name)


def _is_file(name: str) -> bool:
    return (
        _is_package(name) or name.endswith(".py") or "/" in name or (bool(Path(name).suffix) and Path(name).is_file())
    )


def select(names: Iterable[str]) -> list[Claim]:
    """Claims by paper key, claim id, FILE.py or package folder; none means all. Raises UnknownName with the nearest
    names."""
    names = list(names)
    if names and all(_is_file(name) for name in names):  # a user's own files do not need the catalogue
        return [claim for name in names for claim in _load(name)]
    every = papers(name for name in names if not _is_file(name))
    by_id = {c.name: c for entry in every.values() for c in entry.claims}
    if not names:
        return list(by_id.values())
    chosen: list[Claim] = []
    for name in names:
        if _is_file(name):
            chosen += _load(name)
        elif name in every:
            chosen += every[name].claims
        elif name in by_id:
            chosen.append(by_id[name])
        else:
            raise UnknownName(f"unknown paper or claim {name!r}{nearest(name, [*every, *by_id])}")
    return list({id(c): c for c in chosen}.values())
