"""Each arrow of the design is enforced: an import against it, planted in an otherwise clean house, is reported."""

import tomllib
from pathlib import Path

import pytest

ENGINE = (
    "arrays numerics seeds sources store verdicts executors sweep claims run cli report testing".split()
)  # fmt: skip
FAMILIES = [f"{room}.{family}" for room in ("theory", "sims", "proofs_check") for family in ("ntk", "spectra")]
MODULES = [*ENGINE, *FAMILIES, "theory.deteq", "sims.common", "figures.style", "paper_repro.jacot2018"]

# Everything the arrows allow, all at once: the house that must pass.
ALLOWED = {
    "numerics": ["arrays"],
    "store": ["numerics", "sources"],
    "verdicts": ["numerics"],
    "sweep": ["store", "verdicts", "executors", "seeds"],
    "claims": ["sweep", "verdicts"],
    "run": ["claims", "sweep", "paper_repro"],
    "cli": ["run", "report", "figures.style"],
    "report": ["run", "figures.style"],
    "testing": ["arrays"],
    "theory.ntk": ["arrays", "numerics", "theory.deteq"],
    "theory.spectra": ["theory.deteq"],
    "theory.deteq": ["arrays", "numerics"],
    "sims.ntk": ["arrays", "numerics", "sims.common"],
    "sims.common": ["arrays", "numerics"],
    "proofs_check.ntk": ["theory.ntk", "theory.deteq", "claims"],
    "paper_repro.jacot2018": ["theory.ntk", "sims.ntk", "figures.style", "claims", "cli", "proofs_check.ntk"],
}

# contract → importer → what it must not import
FORBIDDEN = {
    "theory": {
        "theory.ntk": [name for name in MODULES if not name.startswith("theory") and name not in ("arrays", "numerics")]
    },
    "sims": {
        "sims.ntk": [name for name in MODULES if not name.startswith("sims") and name not in ("arrays", "numerics")]
    },
    "theory-sims": {"theory.ntk": ["sims.ntk", "sims.common"], "sims.spectra": ["theory.spectra", "theory.deteq"]},
    "proofs_check": {
        "proofs_check.ntk": [
            name for name in MODULES if not name.startswith(("proofs_check", "theory")) and name != "claims"
        ]
    },
    "figures": {"figures.style": [name for name in MODULES if not name.startswith("figures")]},
    "engine": {name: ["theory.ntk", "sims.ntk"] for name in ENGINE},
    "drawing": {name: ["figures.style"] for name in [*ENGINE, *FAMILIES] if name not in ("cli", "report")},
    "families-theory": {"theory.ntk": ["theory.spectra"], "theory.deteq": ["theory.ntk"]},
    "families-sims": {"sims.ntk": ["sims.spectra"], "sims.common": ["sims.ntk"]},
    "families-proofs_check": {"proofs_check.ntk": ["proofs_check.spectra"]},
    "layers": {
        "arrays": ["numerics", "verdicts"],
        "numerics": ["store", "verdicts", "seeds"],
        "store": ["verdicts", "sweep"],
        "verdicts": ["store", "sweep", "claims"],
        "sources": ["store"],
        "sweep": ["claims", "run"],
        "claims": ["run", "cli", "proofs_check.ntk", "paper_repro.jacot2018"],
        "run": ["cli", "report", "paper_repro.jacot2018"],
        "cli": ["paper_repro.jacot2018", "testing"],
        "report": ["paper_repro.jacot2018", "testing"],
    },
}

NO_FACADE = ["theory.ntk", "sims.common", "proofs_check.ntk", "figures.style", "paper_repro.jacot2018", "run", "claims"]
BARE = ["theory", "sims", "proofs_check", "figures", "paper_repro"]


def path_of(house: Path, module: str) -> Path:
    """A family is a package, so that the error can be planted in a file of its own; the rest are single files."""
    inside = house if module.split(".")[0] in BARE else house / "src" / "corollary"
    folder = inside.joinpath(*module.split("."))
    return folder / "planted.py" if module in FAMILIES else folder.with_suffix(".py")


def name_of(module: str) -> str:
    return f"corollary.{module}.planted" if module in FAMILIES else f"corollary.{module}"


def plant(house: Path, module: str, *lines: str) -> None:
    file = path_of(house, module)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.joinpath("__init__.py").touch()
    file.touch()
    file.write_text("".join(f"{line}\n" for line in [*file.read_text().splitlines(), *lines] if line))


@pytest.fixture
def house(empty_house: Path) -> Path:
    """A house with every module that the arrows speak of, and no import yet."""
    for module in MODULES:
        file = path_of(empty_house, module)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.parent.joinpath("__init__.py").touch()
        file.touch()
    return empty_house


@pytest.fixture
def lint(tool, house: Path):
    """Run import-linter (one contract, or all) on the planted house, never on the installed package."""

    def run(*contracts: str):
        only = [word for contract in contracts for word in ("--contract", contract)]
        return tool(house, "lint-imports", "--no-cache", "--no-logo", *only, PYTHONPATH=str(house / "src"))

    return run


def test_everything_the_design_allows_passes(house, lint):
    """Imports along the arrows, and imports against them that only a type checker sees, break no contract."""
    for module, targets in ALLOWED.items():
        plant(house, module, *(f"import corollary.{target}" for target in targets))
    plant(house, "theory.ntk", "from typing import TYPE_CHECKING", "if TYPE_CHECKING:", "    import corollary.sims.ntk")
    result = lint()
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_modules_that_do_not_exist_yet_break_nothing(empty_house, tool):
    """The contracts hold in a house whose engine is still to be written."""
    result = tool(empty_house, "lint-imports", "--no-cache", PYTHONPATH=str(empty_house / "src"))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("contract", FORBIDDEN)
def test_an_import_against_an_arrow_is_reported(house, lint, contract):
    """Import-linter fails, and names the planted file and the import, for each arrow of the contract."""
    for module, targets in FORBIDDEN[contract].items():
        plant(house, module, *(f"import {name_of(target)}" for target in targets))
    result = lint(contract)
    assert result.returncode == 1, result.stdout + result.stderr
    missed = [
        f"{module} -> {target}"
        for module, targets in FORBIDDEN[contract].items()
        for target in targets
        if f"{name_of(module)} -> {name_of(target)} (l." not in result.stdout
    ]
    assert not missed, f"not reported: {missed}\n{result.stdout}"


def test_a_borrowed_formula_is_reported_through_a_middleman(house, lint):
    """`theory` may not reach `sims` through another module either."""
    plant(house, "theory.ntk", "import corollary.numerics")
    plant(house, "numerics", "import corollary.sims.ntk.planted")
    result = lint("theory-sims")
    assert result.returncode == 1
    assert "corollary.theory.ntk.planted -> corollary.numerics (l.1)" in result.stdout


def test_the_facade_is_not_imported_by_our_modules(house, lint):
    """`from corollary import Claim` makes every import closure everything: reported in rooms and engine."""
    for module in NO_FACADE:
        plant(house, module, "from corollary import Claim")
    result = lint("facade")
    assert result.returncode == 1
    for module in NO_FACADE:
        assert f"{name_of(module)} -> corollary (l.1)" in result.stdout


@pytest.mark.parametrize("room", BARE)
def test_a_bare_room_name_is_reported(house, lint, room):
    """`import theory` would make a second copy of each of its modules."""
    plant(house, "paper_repro.jacot2018", f"import {room}")
    plant(house, "claims", f"from {room}.ntk import something")
    result = lint("bare-names")
    assert result.returncode == 1
    assert f"corollary.paper_repro.jacot2018 -> {room} (l.1)" in result.stdout
    assert f"corollary.claims -> {room} (l.1)" in result.stdout


def test_a_module_without_a_place_is_reported(house, lint):
    """A new engine module is given its layer before it lands."""
    plant(house, "afterthought", "import math")
    result = lint("layers")
    assert result.returncode == 1
    assert "corollary.afterthought" in result.stdout


def test_every_contract_has_a_planted_error(root):
    """No contract is in pyproject.toml that this file does not show to fail."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == {*FORBIDDEN, "facade", "bare-names"}
