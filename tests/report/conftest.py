"""A small real results folder, made once; and a browser, where this machine has one."""

import json
import shutil
from pathlib import Path

import pytest

from corollary.executors import executor_from
from corollary.figures import style
from corollary.report import load, write
from corollary.run.catalogue import entry
from corollary.run.render import draw_figure
from corollary.run.verify import verify
from corollary.store import Store

JACOT, FU = "corollary.paper_repro.jacot2018", "corollary.paper_repro.fu2023newton"
CHOSEN = (
    "jacot2018.kernel-fluctuation", "jacot2018.kernel-limit", "jacot2018.sign-flips",
    "fu2023newton.printed-alpha", "fu2023newton.moment-expansion", "fu2023newton.newton-residual",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-default-apps",
]  # fmt: skip


@pytest.fixture(scope="session")
def real(tmp_path_factory) -> Path:
    """Six claims of two papers with their derivations and errata, and one figure, at scale smoke."""
    out = tmp_path_factory.mktemp("results")
    papers = [entry(JACOT), entry(FU)]
    claims = [c for p in papers if p for c in p.claims if c.name in CHOSEN]
    with executor_from("serial", "cpu") as workers:
        about = {"scale": "smoke", "root": 0, "out": out, "device": "cpu", "store": Store(out / "store")}
        verify(claims, executor=workers, **about)
        assert papers[0] is not None
        figure = next(f for f in papers[0].figures if f.number == "Theorem 2")
        draw_figure(figure, papers[0].paper, style=style.context, executor=workers, **about)
    return out


@pytest.fixture
def folder(real, tmp_path) -> Path:
    """A copy of the results, to be spoilt."""
    copy = tmp_path / "out"
    shutil.copytree(real, copy, ignore=shutil.ignore_patterns("store"))
    return copy


@pytest.fixture(scope="session")
def page(real, tmp_path_factory) -> Path:
    return write(load([real]), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="session")
def record(real) -> dict:
    """The record of one claim, to be varied."""
    lines = [json.loads(line) for line in (real / "results.jsonl").read_text().splitlines()]
    return next(r for r in lines if r.get("id") == "jacot2018.kernel-limit")


@pytest.fixture(scope="session")
def many(record, tmp_path_factory) -> Path:
    """1 000 claims of a user's file."""
    out = tmp_path_factory.mktemp("many")
    outcomes = ["CONFIRMED"] * 8 + ["REFUTED", "UNDERPOWERED"]
    kept = {**record, "paper": "", "uses": [], "checked_by": []}
    lines = [
        json.dumps({**kept, "id": f"my_claims:claim_{i}", "outcome": outcomes[i % 10], "where": f"case {i}"})
        for i in range(1000)
    ]
    (out / "results.jsonl").write_text("\n".join(lines) + "\n")
    return write(load([out]), out / "report.html")


@pytest.fixture(scope="session")
def browser():
    """Chromium, headless; skipped where this machine has none. Nothing is downloaded."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (group dev)")
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()
