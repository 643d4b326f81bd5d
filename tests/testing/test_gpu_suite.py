"""The record of the GPU suite: written by `pytest -m gpu` where there is a GPU, read by `corollary doctor`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from corollary.run import gpu_suite

ROOT = Path(__file__).resolve().parents[2]
HARDWARE = {"device": "NVIDIA H100", "memory": 80 * 2**30, "cuda": "12.8"}
PROJECT = {
    "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["tests"]\naddopts = ["--import-mode=importlib"]\n',
    "tests/conftest.py": """
import os
from pathlib import Path

from corollary.run import gpu_suite

if os.environ["HAS_GPU"] == "yes":
    gpu_suite.gpu = lambda: {"device": "NVIDIA H100", "memory": 80 * 2**30, "cuda": "12.8"}

def pytest_configure(config):
    config.pluginmanager.register(gpu_suite.Recorder(config, Path("gpu-suite.json")))
""",
    "tests/test_it.py": """
import pytest

@pytest.fixture
def late():
    yield
    raise RuntimeError("in teardown")

@pytest.mark.gpu
def test_good(): pass
@pytest.mark.gpu
def test_bad(): assert False
@pytest.mark.gpu
def test_ends_badly(late): pass
@pytest.mark.gpu
@pytest.mark.skip(reason="elsewhere")
def test_left_out(): pass
def test_elsewhere(): pass
""",
}


@pytest.fixture
def suite(tmp_path):
    """Run a small suite as a user does; its record, or None."""
    (tmp_path / "tests").mkdir()
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)

    def run(*options, gpu="yes"):
        path = tmp_path / "gpu-suite.json"
        path.unlink(missing_ok=True)
        env = {**os.environ, "HAS_GPU": gpu, gpu_suite.COMMIT: "1234abc"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options], cwd=tmp_path, env=env,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return json.loads(path.read_text()) if path.exists() else None

    return run


def test_the_whole_gpu_suite_leaves_its_record(suite):
    """Hardware, versions, commit and counts; a test that fails in its teardown has failed."""
    record = suite("-m", "gpu")
    assert {k: record[k] for k in ("passed", "failed", "skipped")} == {"passed": 1, "failed": 2, "skipped": 1}
    assert {k: record[k] for k in HARDWARE} == HARDWARE and record["commit"] == "1234abc"
    assert record["versions"]["python"] and record["versions"]["numpy"] and record["date"].startswith("20")


@pytest.mark.parametrize(
    "options, gpu",
    [
        (["-m", "gpu"], "no"),
        ([], "yes"),
        (["-m", "not gpu"], "yes"),
        (["-m", "gpu", "-k", "good"], "yes"),
        (["-m", "gpu", "tests/test_it.py"], "yes"),
        (["-m", "gpu", "--collect-only"], "yes"),
        (["-m", "gpu", "--deselect", "tests/test_it.py::test_good"], "yes"),
        (["-m", "gpu", "--maxfail", "1"], "yes"),
    ],
)
def test_anything_else_leaves_none(suite, options, gpu):
    """No GPU, another selection, a run that was cut short: the last whole run stays on record."""
    assert suite(*options, gpu=gpu) is None


def test_our_own_suite_has_the_recorder(pytestconfig):
    recorder = pytestconfig.pluginmanager.get_plugin("corollary-gpu-suite")
    assert isinstance(recorder, gpu_suite.Recorder)
    assert recorder.path == ROOT / "benchmarks" / "gpu-suite.json"


def test_doctor_tells_the_record(tmp_path):
    path = tmp_path / "gpu-suite.json"
    assert gpu_suite.told(path) == "GPU suite: never run (no committed result file)"
    gpu_suite.write({"passed": 120, "skipped": 3}, HARDWARE, path)
    line = gpu_suite.told(path)
    record = json.loads(path.read_text())
    assert "on NVIDIA H100 at commit" in line and record["commit"] in line and record["date"] in line
    assert line.endswith("120 passed, 0 failed, 3 skipped")
    for broken in ("{", "[]", "{}", "7"):
        path.write_text(broken)
        assert "cannot be read" in gpu_suite.told(path)
    assert [p.name for p in tmp_path.iterdir()] == ["gpu-suite.json"]


def test_without_cupy_there_is_no_hardware_to_tell():
    try:
        import cupy  # pyright: ignore[reportMissingImports] # noqa: F401
    except ImportError:
        assert gpu_suite.gpu() is None
    else:
        found = gpu_suite.gpu()
        assert found is None or set(found) == set(HARDWARE)
