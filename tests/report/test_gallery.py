"""The committed pictures say what made them, and that makes them again."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corollary.run.catalogue import papers
from corollary.run.stamp import read

ROOT = Path(__file__).resolve().parents[2]
PICTURES = sorted((ROOT / "docs" / "gallery").glob("*.png"))


def test_the_readme_shows_each_picture_of_the_gallery():
    shown = re.findall(r"\(docs/gallery/([\w.-]+\.png)\)", (ROOT / "README.md").read_text())
    assert sorted(shown) == [p.name for p in PICTURES] and len(shown) >= 5
    assert sum(p.stat().st_size for p in PICTURES) < 5e5


@pytest.mark.parametrize("picture", PICTURES, ids=lambda p: p.stem)
def test_a_picture_says_what_made_it(picture):
    """A figure of the catalogue, from a clean commit; the provenance beside it is of these very bytes."""
    stamp = read(picture)
    figures = {f.number: f for f in papers()[stamp["paper"]].figures}
    assert stamp["figure"] in figures and stamp["scale"] == "laptop" and not stamp["dirty"]
    made = json.loads(picture.with_suffix(".json").read_text())["result"]
    name = picture.name.removeprefix(stamp["paper"] + "-")
    assert made["files"][name] == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert made["command"] == stamp["command"] and made["commit"] == stamp["commit"]


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES, ids=lambda p: p.stem)
def test_the_traced_command_makes_the_picture_again(picture, tmp_path):
    """The same figure; pixel for pixel where neither code nor library versions have changed since."""
    stamp = read(picture)
    words = shlex.split(stamp["command"])[1:]
    done = subprocess.run([sys.executable, "-m", "corollary.cli", *words], cwd=tmp_path, capture_output=True, text=True,
                          timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = tmp_path / "corollary-out" / "figures" / stamp["paper"] / picture.name.removeprefix(stamp["paper"] + "-")
    now = read(again)
    assert (now["paper"], now["figure"], now["seed_root"]) == (stamp["paper"], stamp["figure"], stamp["seed_root"])
    if now["versions"] == stamp["versions"] and now["experiments"] == stamp["experiments"]:
        old, new = (np.asarray(Image.open(p).convert("RGB"), dtype=float) for p in (picture, again))
        # Another processor or BLAS moves the last digits of data, and so a few edge pixels; a moved curve moves more.
        assert old.shape == new.shape and np.mean(np.abs(old - new) > 32) < 1e-3
