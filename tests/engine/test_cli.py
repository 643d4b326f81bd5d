"""The command line on the real paper at scale smoke, and one clear line for every wrong use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CLAIMS = """
from corollary import Claim, Value

def normal(rng):
    return rng.standard_normal()

right = Claim("mean 0", Value(0.0, resolution=0.5), measure=normal, rivals={"one": 1.0})
"""


def corollary(*arguments, cwd):
    command = [sys.executable, "-c", "from corollary.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    where = tmp_path_factory.mktemp("run")
    return where, corollary("reproduce", "jacot2018", "--scale", "smoke", cwd=where)


def test_reproduce_writes_figures_numbers_provenance_and_verdicts(reproduced):
    where, run = reproduced
    assert run.returncode == 0, run.stdout + run.stderr
    assert "REFUTED" not in run.stdout and "UNDERPOWERED" not in run.stdout
    folder = where / "corollary-out" / "figures" / "jacot2018"
    for number in "123":
        for suffix in ("pdf", "png", "json", "txt"):
            assert (folder / f"figure-{number}.{suffix}").stat().st_size > 100
        assert list(folder.glob(f"figure-{number}*.csv"))
        made = json.loads((folder / f"figure-{number}.json").read_text())
        assert made["result"]["command"].startswith(f"corollary reproduce jacot2018 --figure {number}")


def test_figures_are_byte_stable_and_come_from_the_store(reproduced):
    where, _ = reproduced
    folder = where / "corollary-out" / "figures" / "jacot2018"
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".json"}
    provenance = json.loads((folder / "figure-2.json").read_text())["result"]
    again = corollary("reproduce", "jacot2018", "--figure", "2", "--scale", "smoke", cwd=where)
    assert again.returncode == 0
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".json"} == before
    assert json.loads((folder / "figure-2.json").read_text())["result"] == provenance


def test_verify_as_json_names_everything_the_report_needs(reproduced):
    where, _ = reproduced
    run = corollary("verify", "jacot2018", "--scale", "smoke", "--json", cwd=where)
    assert run.returncode == 0, run.stderr
    data = json.loads(run.stdout)
    promised = {
        "id", "outcome", "expected", "kind", "functionals", "interval", "theory", "margin", "resolution", "epsilon",
        "n", "rivals_rejected", "seed_root", "stream", "unstable",
    }  # fmt: skip
    assert len(data["verdicts"]) == 10
    for verdict in data["verdicts"]:
        assert promised <= set(verdict)
        lengths = {len(verdict[k]) for k in ("functionals", "interval", "theory", "margin", "resolution")}
        assert len(lengths) == 1
    log = (where / "corollary-out" / "log.jsonl").read_text().splitlines()
    assert len(log) == 20  # this run and the fixture's: nothing is overwritten


def test_a_users_own_file(tmp_path):
    (tmp_path / "my_claims.py").write_text(CLAIMS)
    run = corollary("verify", "my_claims.py", cwd=tmp_path)
    assert run.returncode == 0 and "CONFIRMED" in run.stdout and "my_claims:right" in run.stdout
    (tmp_path / "my_claims.py").write_text(CLAIMS.replace("Value(0.0", "Value(2.0"))
    wrong = corollary("verify", "my_claims.py", cwd=tmp_path)
    assert wrong.returncode == 1 and "REFUTED" in wrong.stdout


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["verify", "jacot2019"], "did you mean jacot2018"),
        (["reproduce", "jacot"], "did you mean jacot2018"),
        (["reproduce", "jacot2018", "--figure", "9"], "has no figure '9'; it has 1, 2, 3"),
        (["show", "jacot2018.kernel-limt"], "did you mean jacot2018.kernel-limit"),
        (["verify", "jacot2018", "--scale", "huge"], "expected one of smoke, laptop, paper"),
        (["verify", "jacot2018", "--device", "tpu"], "expected 'cpu' or 'cuda'"),
        (["verify", "jacot2018", "--executor", "threads"], "expected serial, processes"),
        (["verify", "nothing.py"], "no file nothing.py"),
        (["verify", "jacot2018", "--out", "file/in/the/way"], "cannot write to the output folder"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(tmp_path, arguments, words):
    (tmp_path / "file").write_text("")
    run = corollary(*arguments, cwd=tmp_path)
    assert run.returncode == 2 and words in run.stderr and "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


BRACKETS = """
from corollary import Claim, Value

def normal(rng):
    return rng.standard_normal()

right = Claim("mean [red]0[/red]", Value(0.0, resolution=0.5), measure=normal, id="my[red].x:warning:", where="[1]",
              rivals={"[bold]one[/bold]": 1.0, "two": 2.0})
"""


def test_brackets_and_colons_are_text_not_markup(tmp_path):
    """Rich would swallow [red] and turn :warning: into a picture: in tables, lines, paths and the log."""
    (tmp_path / "my_claims.py").write_text(BRACKETS)
    run = corollary("verify", "my_claims.py", "--out", "o[red]x", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "results in o[red]x" in run.stdout and (tmp_path / "o[red]x").is_dir()
    assert run.stdout.count("my[red].x:warning:") == 2  # its line, and the table
    assert corollary("report", "o[red]x", cwd=tmp_path).stdout.strip() == "o[red]x/report.html"
    assert "my[red]" in corollary("log", "--out", "o[red]x", cwd=tmp_path).stdout
    missing = corollary("log", "--out", "[bold]no", cwd=tmp_path)
    assert missing.returncode == 2 and "no runs are recorded in [bold]no" in missing.stderr


def test_a_seed_root_is_given_or_drawn(tmp_path):
    (tmp_path / "my_claims.py").write_text(CLAIMS)
    for command in (["verify", "my_claims.py"], ["reproduce", "jacot2018", "--figure", "3"]):
        run = corollary(*command, "--seed", "0", "--fresh-seed", cwd=tmp_path)
        assert run.returncode == 2 and run.stderr == (
            "corollary: --seed 0 and --fresh-seed exclude each other: one names the seed root, the other draws it\n"
        )
    drawn = corollary("verify", "my_claims.py", "--fresh-seed", cwd=tmp_path)
    root = drawn.stderr.split("seed root ")[1].split()[0]
    assert f"seed root {root}, results in" in drawn.stdout
    given = corollary("verify", "my_claims.py", "--seed", root, cwd=tmp_path)
    assert given.returncode == 0 and f"seed root {root}, results in" in given.stdout


def test_a_gpu_that_is_not_there_is_an_error_not_a_fallback(tmp_path):
    try:
        from corollary.arrays import namespace_for

        namespace_for("cuda")
        pytest.skip("this machine has a GPU")
    except RuntimeError:
        pass
    run = corollary("verify", "jacot2018", "--device", "cuda", cwd=tmp_path)
    assert run.returncode == 2 and "device 'cuda' was asked for" in run.stderr
    assert "pip install 'corollary[cuda12]' (or cuda13)" in corollary("doctor", cwd=tmp_path).stdout


def test_list_show_bibtex_and_doctor(tmp_path):
    assert "jacot2018.kernel-limit" in corollary("list", cwd=tmp_path).stdout
    assert "eprint = {1806.07572}" in corollary("show", "jacot2018", "--bibtex", cwd=tmp_path).stdout
    without = corollary("show", "penningtonbahri2017", "--bibtex", cwd=tmp_path).stdout
    assert without.startswith("@misc{penningtonbahri2017,") and "eprint" not in without and "arXiv" not in without
    assert "separation" in corollary("show", "jacot2018.no-mean-bias", cwd=tmp_path).stdout
    doctor = corollary("doctor", cwd=tmp_path)
    assert doctor.returncode == 0 and "GPU suite" in doctor.stdout


def test_the_paper_module_is_a_script(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "corollary.paper_repro.jacot2018", "--figure", "3", "--scale", "smoke"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0 and Path(tmp_path, "corollary-out/figures/jacot2018/figure-3.png").exists()
