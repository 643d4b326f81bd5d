"""The pytest plugin, in a project that is not ours: `verdicts`, its table and file, `backend`, and what it costs."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROJECT = {
    "pyproject.toml": """
[tool.pytest.ini_options]
addopts = ["--strict-markers", "--strict-config"]
filterwarnings = ["error"]
""",
    "claims.py": """
from corollary import Claim, Value

def normal(rng):
    return rng.standard_normal()

centred = Claim("The mean is 0.", Value(0.0, resolution=0.5), measure=normal, rivals={"one": 1.0, "two": 2.0})
shifted = Claim("The mean is 1.", Value(1.0, resolution=0.5), measure=normal)
vague = Claim("The mean is 0, precisely.", Value(0.0, resolution=0.01), measure=normal, replicates=32)
""",
    "test_claims.py": """
import claims
import numpy as np
import pytest
from corollary import Value

def test_centred(verdicts): assert verdicts.check(claims.centred).n >= 16
def test_shifted(verdicts): verdicts.check(claims.shifted)
def test_vague(verdicts): verdicts.check(claims.vague)
def test_of_data(verdicts):
    data = np.random.default_rng(0).standard_normal(400)
    verdicts.check(Value(0.0, resolution=0.5).judge(data, rivals={"one": 1.0}))
def test_on(backend): assert float(backend.xp.sum(backend.asarray([1.0, 2.0]))) == 3.0
@pytest.mark.parametrize("thing", [1.0, lambda: None])
def test_wrong_argument(verdicts, thing):
    with pytest.raises(TypeError, match="expected a Claim, with options, or a Verdict, without"):
        verdicts.check(thing)
""",
}


def pytest_in(folder, python, *options):
    env = {key: value for key, value in os.environ.items() if not key.startswith("PY") and key != "HYPOTHESIS_PROFILE"}
    return subprocess.run(
        [str(python), "-m", "pytest", "-p", "no:cacheprovider", *options], cwd=folder, env={**env, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def project(folder: Path) -> Path:
    for name, text in PROJECT.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def wheel_python(tmp_path_factory) -> Path:
    """A Python outside the repository with the wheel, beside the packages of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = folder / "source"
    shutil.copytree(ROOT / "src", build / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, build)
    flags = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", *flags, "--no-build-isolation", "-w", folder, build], check=True, timeout=300)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True, timeout=60)
    python = folder / "env" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "--python", python, "install", *flags, wheel], check=True, timeout=300)
    (own,) = (folder / "env" / "lib").glob("python*/site-packages")
    # A .pth adds the folder and does not read the .pth files in it, so the editable install stays invisible.
    others = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (own / "packages-of-the-suite.pth").write_text("\n".join(others))
    return python


@pytest.fixture(scope="module")
def run(wheel_python, tmp_path_factory):
    """The user's project under the wheel: (completed process, the JSON it wrote)."""
    folder = project(tmp_path_factory.mktemp("users-project"))
    done = pytest_in(folder, wheel_python, "--verdicts-json", "out.json", "-ra")
    where = subprocess.run(
        [wheel_python, "-c", "import corollary; print(corollary.__file__)"], capture_output=True, text=True, cwd=folder
    )
    assert Path(where.stdout.strip()).is_relative_to(wheel_python.parents[1]), where
    return done, json.loads((folder / "out.json").read_text()) if (folder / "out.json").exists() else None


def test_a_refuted_claim_fails_its_test_with_the_full_report(run):
    """Interval, theory, error rate, streams; a claim that holds passes, and so does data judged by the user."""
    done, _ = run
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed" in done.stdout and "FAILED test_claims.py::test_shifted" in done.stdout
    assert "REFUTED  claims:shifted  [Value]  The mean is 1." in done.stdout
    assert "theory 1  margin 0  resolution 0.5" in done.stdout and "earlier: REFUTED" in done.stdout


def test_an_underpowered_claim_fails_its_test(run):
    """It is not green: nothing was decided."""
    done, _ = run
    assert "FAILED test_claims.py::test_vague" in done.stdout
    assert "UNDERPOWERED  claims:vague  [Value]" in done.stdout


def test_the_table_ends_the_run(run):
    lines = run[0].stdout.partition("= verdicts =")[2].splitlines()[1:]
    assert lines[0].split()[:3] == ["outcome", "claim", "kind"]
    rows = {line.partition("claims:")[2].split()[0]: line for line in lines[1:5] if " claims:" in line}
    assert rows["centred"].startswith("CONFIRMED  ") and rows["centred"].endswith("2 of 2")
    assert rows["shifted"].startswith("REFUTED, expected CONFIRMED")
    assert any(line.startswith("CONFIRMED  ") and "test_claims.py::test_of_data" in line for line in lines)
    assert "2 of 4 as expected; sum of error rates 0.004" in lines


def test_the_file_holds_every_verdict_with_its_test(run):
    _, written = run
    outcomes = {v["test"].partition("::")[2]: v["outcome"] for v in written["verdicts"]}
    want = {"test_centred": "CONFIRMED", "test_shifted": "REFUTED", "test_vague": "UNDERPOWERED"}
    assert outcomes == {**want, "test_of_data": "CONFIRMED"}
    assert written["error_budget"] == pytest.approx(0.004) and written["verdicts"][0]["rivals_rejected"] == [
        "one",
        "two",
    ]


def test_the_backends_come_with_it(run):
    """NumPy and array_api_strict run; CuPy runs or is skipped with its reason; the mark gpu is known."""
    done, _ = run
    assert "6 passed" in done.stdout or "7 passed" in done.stdout  # with a GPU
    assert "CuPy" in done.stdout or "7 passed" in done.stdout


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_one(): pass")
    done = pytest_in(tmp_path, sys.executable, "--verdicts-json", "nowhere/out.json")
    assert done.returncode != 0
    assert "cannot write the verdicts to" in done.stderr + done.stdout
    assert "No such file or directory" in done.stderr + done.stdout and "Traceback" not in done.stderr + done.stdout


def test_a_project_that_does_not_use_it_pays_nothing(tmp_path):
    """No numpy, scipy, sympy, hypothesis or other part of corollary is imported by the plugin; no table is printed."""
    (tmp_path / "test_modules.py").write_text(
        "import sys\n"
        "def test_modules():\n"
        "    heavy = {'numpy', 'scipy', 'sympy', 'matplotlib', 'array_api_compat', 'hypothesis.strategies'}\n"
        "    assert 'corollary.testing.plugin' in sys.modules and not heavy & set(sys.modules)\n"
        "    ours = {m for m in sys.modules if m.startswith('corollary')}\n"
        "    assert ours == {'corollary', 'corollary.testing', 'corollary.testing.plugin'}, ours\n"
    )
    done = pytest_in(tmp_path, sys.executable, "-p", "no:hypothesispytest")
    assert done.returncode == 0 and "verdicts" not in done.stdout, done.stdout


def test_it_can_be_switched_off(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_one(verdicts): pass")
    done = pytest_in(tmp_path, sys.executable, "-p", "no:corollary")
    assert "fixture 'verdicts' not found" in done.stdout


def test_a_claim_that_checks_itself_is_kept_as_well(tmp_path):
    """README's own example: `claim.check()`, without the fixture; the page takes the file. One of three, refuted, is
    kept as it came out, and one inside pytest.raises too; after the run check() is as it was."""
    from corollary.report import load, render

    project(tmp_path)
    (tmp_path / "test_claims.py").write_text(
        "import claims, pytest\n"
        "from corollary import Claim\n"
        "plain = Claim.check\n"
        "def test_centred(): assert claims.centred.check(root=3).n >= 16\n"
        "def test_shifted(): claims.shifted.check()\n"
        "def test_raised():\n"
        "    with pytest.raises(AssertionError): claims.vague.check(scale='smoke')\n"
        "@pytest.fixture\n"
        "def outside(): return Claim.check is plain\n"
        "def test_outside(outside): assert outside\n"
    )
    done = pytest_in(tmp_path, sys.executable, "--verdicts-json", "out.json")
    assert done.returncode == 1 and "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text())["verdicts"]
    assert [(v["id"], v["outcome"], v["test"].partition("::")[2]) for v in found] == [
        ("claims:centred", "CONFIRMED", "test_centred"), ("claims:shifted", "REFUTED", "test_shifted"),
        ("claims:vague", "UNDERPOWERED", "test_raised"),
    ]  # fmt: skip
    assert found[0]["seed_root"] == 3 and found[2]["scale"] == "smoke"
    assert "claims:centred" in render(load([tmp_path / "out.json"]))
