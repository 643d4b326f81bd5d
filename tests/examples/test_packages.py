"""`corollary verify FOLDER` takes the claims of a package of the user's own."""

import subprocess
import sys

CLAIM = """
from corollary import Claim, Value
from {package}.draws import normal

right = Claim("mean 0", Value(0.0, resolution=0.5), measure=normal, rivals={{"one": 1.0}})
"""


def corollary(*arguments, cwd):
    command = [sys.executable, "-m", "corollary.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def package(where, name, claims=CLAIM):
    folder = where / name
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "inner" / "__init__.py").touch()
    (folder / "draws.py").write_text("def normal(rng):\n    return rng.standard_normal()\n")
    (folder / "inner" / "claims.py").write_text(claims.format(package=name))


def test_claims_of_a_package_are_found_in_all_its_modules_and_shown(tmp_path):
    package(tmp_path, "my_theory")
    done = corollary("verify", "my_theory", "--executor", "serial", cwd=tmp_path)
    assert done.returncode == 0 and "my_theory.inner.claims:right" in done.stdout, done.stderr
    shown = corollary("report", cwd=tmp_path)
    assert shown.returncode == 0
    assert "def</span>" in (tmp_path / "corollary-out" / "report.html").read_text()


def test_a_package_that_cannot_be_used_is_one_clear_line(tmp_path):
    """Without claims, with an error in a module, or with the name of an installed package."""
    for name, claims, words in (
        ("empty_theory", "", "declares no claims"), ("broken_theory", "1 / 0", "ZeroDivisionError"),
        ("numpy", "", "another package 'numpy'"),
    ):  # fmt: skip
        package(tmp_path, name, claims)
        done = corollary("verify", str(tmp_path / name), cwd=tmp_path.parent)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_papers_key_means_the_paper_also_beside_a_folder_of_that_name(tmp_path, monkeypatch):
    from corollary.run.catalogue import select

    package(tmp_path, "jacot2018")
    monkeypatch.chdir(tmp_path)
    assert {c.name.split(".")[0] for c in select(["jacot2018"])} == {"jacot2018"}
    assert len(select(["jacot2018"])) > 5
