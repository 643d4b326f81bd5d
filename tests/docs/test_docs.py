"""The documentation builds without a network, holds what it promises, and its recipe for a new paper works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Any attempt to leave the machine ends the build: the socket of anything but a local one cannot be opened.
NO_NETWORK = """
import socket
def refuse(*_, **__):
    raise RuntimeError("the documentation must build without a network")
socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
cli(["build", "--strict", "--quiet", "--config-file", {config!r}, "--site-dir", {site!r}])
"""


def quiet(folder: Path) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NO_MKDOCS_2_WARNING": "1"}
    return {**os.environ, **threads, "PYTHONPATH": str(folder / "src")}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    where = tmp_path_factory.mktemp("site")
    program = NO_NETWORK.format(config=str(ROOT / "mkdocs.yml"), site=str(where))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=quiet(ROOT), capture_output=True, text=True,
                          timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return where


def test_pages_fetch_nothing_from_elsewhere(site):
    """No script, style, font or picture with an address outside; links may lead there."""
    for page in site.rglob("*.html"):
        text = page.read_text()
        fetched = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(https?://[^"]*)', text)
        fetched += re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect|preload)"[^>]*href="(https?://[^"]*)', text)
        assert not fetched, f"{page.name}: {fetched}"


def test_conventions_hold_every_family_and_its_table(site):
    text = (site / "conventions.html").read_text()
    for family in (p.parent.name for p in (ROOT / "theory").glob("*/__init__.py")):
        assert f'id="{family}"' in text
    assert text.count("<table>") >= 3


def test_every_public_name_of_theory_has_its_signature(site):
    """The API page of a family shows each name of its `__all__`."""
    for family in (p.parent.name for p in (ROOT / "theory").glob("*/__init__.py")):
        text = (site / "api" / f"{family}.html").read_text()
        module = __import__(f"corollary.theory.{family}", fromlist=["__all__"])
        for name in getattr(module, "__all__", []):
            assert f'id="corollary.theory.{family}.{name}"' in text, f"{family}.{name}"


def test_every_paper_is_listed(site):
    from corollary.run.catalogue import papers

    text = (site / "papers.html").read_text()
    assert all(key in text for key in papers())


def blocks() -> dict[str, str]:
    """File → text, of the files that the recipe names."""
    text = (ROOT / "docs" / "add-a-paper.md").read_text()
    return dict(re.findall(r'```python title="([^"]+)"\n(.*?)```', text, re.DOTALL))


def test_the_recipe_for_a_new_paper_works(tmp_path):
    """Its files, put into a copy of the repository, are found, derived, judged, drawn and shown."""
    files = blocks()
    assert {name.split("/")[0] for name in files} == {"theory", "sims", "proofs_check", "figures", "paper_repro"}
    engine = tmp_path / "src" / "corollary"
    engine.mkdir(parents=True)
    for part in (ROOT / "src" / "corollary").iterdir():
        if not part.is_symlink():
            (engine / part.name).symlink_to(part)
    for room in ("theory", "sims", "proofs_check", "figures", "paper_repro"):
        (engine / room).mkdir()
        (engine / room / "__init__.py").touch()
    (engine / "figures" / "style.py").symlink_to(ROOT / "figures" / "style.py")
    for name, text in files.items():
        (engine / name).parent.mkdir(exist_ok=True)
        (engine / name).write_text(text)
    out = tmp_path / "out"
    command = ["reproduce", "he2015", "--scale", "smoke", "--executor", "serial", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "corollary.cli", *command], cwd=tmp_path,
        env=quiet(tmp_path), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DERIVED       signal.half_of_the_second_moment" in done.stdout
    assert re.search(r"CONFIRMED +he2015\.forward", done.stdout)
    assert done.stdout.rstrip().endswith(f"report: {out / 'report.html'}")
    page = (out / "report.html").read_text()
    assert "second_moment" in page and page.count("<img ") == 1 and "Kaiming He" in page
