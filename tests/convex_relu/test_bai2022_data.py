"""Files a user points to: CIFAR-10's binary batches, a table with labels, and what is said of bad ones."""

import os
import subprocess
import sys

import numpy as np
import pytest

from corollary.paper_repro.bai2022 import data


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    for name in ("COROLLARY_CIFAR10", "COROLLARY_MNIST", "COROLLARY_CSV"):
        monkeypatch.delenv(name, raising=False)


def batch(labels, rng) -> np.ndarray:
    """Records of CIFAR-10's binary version: label, 1024 red, 1024 green, 1024 blue bytes."""
    return np.concatenate([np.array(labels, np.uint8)[:, None], rng.integers(0, 256, (len(labels), 3072), np.uint8)], 1)


def test_cifar10_keeps_birds_and_ships_in_grey_averaged_over_blocks(tmp_path, monkeypatch):
    """Two batches of known bytes: which images stay, their labels, and one pixel computed by hand."""
    rng = np.random.default_rng(0)
    first, second = batch([2, 5, 8], rng), batch([8, 0], rng)
    first.tofile(tmp_path / "data_batch_1.bin")
    second.tofile(tmp_path / "data_batch_2.bin")
    monkeypatch.setenv("COROLLARY_CIFAR10", str(tmp_path))
    X, y = data.two_classes(data.source())
    assert X.shape == (3, 17) and np.all(X[:, -1] == 1)
    assert list(y) == [-1, 1, 1]  # bird, ship, ship
    colours = second[0, 1:].astype(float).reshape(3, 32, 32)
    # block (1, 2) of 8 × 8 pixels, over three colours; an average of 192 bytes is exact to rounding
    assert X[2, 4 * 1 + 2] == pytest.approx(np.mean(colours[:, 8:16, 16:24]) / 255, rel=1e-13)


@pytest.mark.parametrize("content", [b"", b"\x03" * 3072, b"\x0a" + b"\x00" * 3072])
def test_a_file_that_is_no_batch_is_named(tmp_path, content):
    """Empty, truncated, or with label 10."""
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    with pytest.raises(ValueError, match="data_batch_1.bin is no batch of CIFAR-10"):
        data.cifar10(tmp_path)


def test_a_folder_without_batches_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no data_batch"):
        data.cifar10(tmp_path)


def test_a_table_is_standardised_and_its_last_column_is_the_label(tmp_path, monkeypatch):
    """Columns of mean 0 and variance 1, a constant one left out, labels −1 and 1, a one appended."""
    path = tmp_path / "table.csv"
    path.write_text("a,b,c,label\n1,7,2,0\n3,7,4,1\n8,7,0,1\n")
    monkeypatch.setenv("COROLLARY_CSV", str(path))
    X, y = data.two_classes(data.source())
    assert X.shape == (3, 3) and list(y) == [-1, 1, 1] and np.all(X[:, 2] == 1)
    # means and variances of three numbers: a few roundings
    np.testing.assert_allclose([X[:, :2].mean(axis=0), X[:, :2].std(axis=0)], [[0, 0], [1, 1]], atol=1e-14)


def test_a_table_with_other_labels_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_text("1,2,1\n3,4,2\n")
    monkeypatch.setenv("COROLLARY_CSV", str(path))
    with pytest.raises(ValueError, match="last column must be the label"):
        data.two_classes(data.source())


def test_bundled_digits_are_threes_and_eights_of_sixteen_pixels():
    """357 of the 1797 digits are a 3 (183) or an 8 (174)."""
    X, y = data.two_classes(data.source())
    assert X.shape == (357, 17) and int(np.sum(y > 0)) == 183


def test_coarse_refuses_images_whose_side_does_not_divide():
    with pytest.raises(ValueError, match="36 pixels"):
        data.coarse(np.zeros((2, 36)))


def test_results_of_one_file_are_never_those_of_another(tmp_path, monkeypatch):
    """What is read is named by path and content: a changed file is another point, and an old point refuses it."""
    path = tmp_path / "table.csv"
    path.write_text("a,label\n1,0\n3,1\n8,1\n")
    monkeypatch.setenv("COROLLARY_CSV", str(path))
    before = data.source()
    assert before.startswith("CSV:") and before.endswith(f":{path}") and "missing" not in before
    data.digest.cache_clear()
    assert data.source() == before  # the same content
    path.write_text("a,label\n1,0\n3,1\n9,1\n")
    data.digest.cache_clear()
    assert data.source() != before
    with pytest.raises(ValueError, match=f"expected {before.split(':')[1]}: the file changed"):
        data.two_classes(before)
    assert data.described(before) == "the labels of table.csv" and data.described("digits") == "digits 3 against 8"


def test_a_folder_has_the_digest_of_its_files_and_a_missing_one_is_named_when_read(tmp_path, monkeypatch):
    (tmp_path / "data_batch_1.bin").write_bytes(b"1")
    one = data.digest(str(tmp_path))
    (tmp_path / "data_batch_2.bin").write_bytes(b"1")
    data.digest.cache_clear()
    assert data.digest(str(tmp_path)) != one
    monkeypatch.setenv("COROLLARY_CIFAR10", str(tmp_path / "nowhere"))
    assert data.source().startswith("CIFAR10:missing:")
    with pytest.raises(FileNotFoundError, match="holds no data_batch"):
        data.two_classes(data.source())


def test_the_figures_name_the_data_they_use(tmp_path):
    """With COROLLARY_CSV set, in a process of its own: titles, parameters and points of both papers name the file."""
    path = tmp_path / "mine.csv"
    path.write_text("a,label\n1,0\n3,1\n8,1\n")
    script = (
        "from corollary.paper_repro.bai2022 import images as i\n"
        "from corollary.paper_repro.mishkin2023optimal import figures as f\n"
        "print(i.figure_3.title, i.figure_4.title, i.figure_3.parameters[0][2], i.early.points[0]['data'])\n"
        "print(f.NAMES[-1], f.figure_2.parameters[0][2], [p['data'] for p in f.pruning.points['smoke']][-1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env={**os.environ, "COROLLARY_CSV": str(path)})  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first.count("the labels of mine.csv") == 3 and "digits" not in first
    assert f":{path}" in first and second.count(f":{path}") == 2 and "the labels of mine.csv" in second
