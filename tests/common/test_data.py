"""Data readers on files the tests write: a wrong file is an error that names it, never other numbers."""

import gzip
import os
import subprocess
import sys

import numpy as np
import pytest

from corollary.sims.common import data

IMAGES = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4) * 10
LABELS = np.array([7, 0, 9], dtype=np.uint8)
CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx(array, code=0x08):
    """The bytes of an IDX file, written as LeCun's page says."""
    header = bytes([0, 0, code, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def folder(path, *, names=("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), pack=lambda raw: raw, labels=LABELS):
    for name, array in zip(names, (IMAGES, labels), strict=True):
        (path / name).write_bytes(pack(idx(array)))
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("sign", ["-", "."])
@pytest.mark.parametrize(("part", "stem"), [("train", "train"), ("test", "t10k")])
def test_mnist_of_every_spelling(tmp_path, suffix, sign, part, stem):
    """Standard names with hyphen or dot, plain or gzip; pixels row by row, divided by 255."""
    names = tuple(f"{stem}-{what}{sign}{kind}-ubyte{suffix}" for what, kind in (("images", "idx3"), ("labels", "idx1")))
    read = data.mnist(folder(tmp_path, names=names, pack=gzip.compress if suffix else lambda raw: raw), part)
    np.testing.assert_array_equal(read.x, IMAGES.reshape(3, 8) / 255)
    assert read.x.dtype == np.float64 and read.labels is not None
    np.testing.assert_array_equal(read.labels, LABELS)
    assert read.labels.dtype == np.int64


def test_gzip_is_told_by_content_and_one_file_has_no_labels(tmp_path):
    (tmp_path / "images").write_bytes(gzip.compress(idx(IMAGES)))
    read = data.mnist(tmp_path / "images")
    np.testing.assert_array_equal(read.x, IMAGES.reshape(3, 8) / 255)
    assert read.labels is None


@pytest.mark.parametrize(("dtype", "code"), CODES.items())
def test_idx_of_every_type(tmp_path, dtype, code):
    array = np.array([[1, -2, 3], [4, 5, -6]]).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array, code))
    read = data.read_idx(tmp_path / "a")
    np.testing.assert_array_equal(read, array)
    assert read.dtype.isnative and read.dtype == array.dtype.newbyteorder("=")


GOOD = idx(IMAGES)
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is not an IDX file"),
        (b"PK\x03\x04 a zip file", "is not an IDX file: it starts with 0x504b0304"),
        (bytes([0, 0, 0x0A, 1]) + GOOD[4:], "is not an IDX file"),
        (bytes([0, 0, 0x08, 0]), "is not an IDX file"),
        (GOOD[:9], "is truncated: 9 bytes, its header alone takes 16"),
        (GOOD[:-1], r"is truncated: its header announces \(3, 2, 4\), 24 bytes; 23 bytes follow"),
        (GOOD + b"\0", "is too long"),
        (PACKED[:-3], "truncated or damaged gzip file"),
        (PACKED[:12] + b"????" + PACKED[16:], "truncated or damaged gzip file"),
    ],
    # Named, for bytes make ids of their own: a gzip header holds the time, and two workers that collected the tests
    # in different seconds then disagreed on what there was to run.
    ids=["empty", "zip", "type", "no-axes", "short-header", "short", "long", "short-gzip", "damaged-gzip"],
)
def test_damaged_idx_files_are_named(tmp_path, raw, message):
    (tmp_path / "train-images").write_bytes(raw)
    with pytest.raises(ValueError, match=message) as caught:
        data.read_idx(tmp_path / "train-images")
    assert "train-images" in str(caught.value)


def test_mnist_refuses(tmp_path):
    """Missing path, missing file, wrong part, labels for images, unequal counts: one clear error each."""
    with pytest.raises(FileNotFoundError, match="nowhere does not exist; expected an IDX file, or a folder"):
        data.mnist(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"holds no train-images-idx3-ubyte \(nor"):
        data.mnist(tmp_path)
    with pytest.raises(ValueError, match="part = 'validation'; expected 'train' or 'test'"):
        data.mnist(tmp_path, "validation")
    with pytest.raises(ValueError, match=r"holds uint8 of shape \(3,\); expected images"):
        (tmp_path / "labels").write_bytes(idx(LABELS))
        data.mnist(tmp_path / "labels")
    folder(tmp_path, labels=LABELS[:2])
    with pytest.raises(ValueError, match="holds 3 images, but .* holds 2 labels"):
        data.mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS.astype(">f4"), 0x0D))
    with pytest.raises(ValueError, match="expected labels: integers"):
        data.mnist(tmp_path)


def test_digits_are_the_bundled_ones():
    read = data.digits()
    assert read.x.shape == (1797, 64) and read.x.min() == 0.0 and read.x.max() == 1.0
    assert read.labels is not None and sorted(set(read.labels.tolist())) == list(range(10))


@pytest.mark.parametrize(
    ("text", "header", "values"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("\ufeffa, b\n1,-2.5e3\n\n", ["a", "b"], [[1, -2500]]),
    ],
)
def test_csv(tmp_path, text, header, values):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    found, array = data.read_csv(tmp_path / "t.csv")
    assert found == header
    np.testing.assert_array_equal(array, np.array(values, dtype=float))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no line of numbers"),
        ("a,b\n", "holds no line of numbers"),
        ("1,2\n3\n", "line 2: 1 cells; expected 2"),
        ("1,2\n3,x\n", "line 2: 'x' is not a finite number"),
        ("1,2\n3,nan\n", "line 2: 'nan' is not a finite number"),
        ("a,2\n3,4\n", "line 1: 'a' is not a finite number"),
    ],
)
def test_csv_refuses(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        data.read_csv(tmp_path / "t.csv")


def test_figure_3_trains_on_the_users_mnist(tmp_path):
    """COROLLARY_MNIST=folder: the images of Figure 3, and their kernel components, are those of the user's files."""
    pixels = np.random.default_rng(0).integers(0, 256, (600, 4, 4), dtype=np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(600, dtype=np.uint8))))
    script = (
        "from corollary.paper_repro.jacot2018 import figure_3 as f; import numpy as np\n"
        "point = {**f.decay.points['smoke'][0], 'n': 20, 'steps': 3, 'record_at': [0, 3]}\n"
        "assert point['mnist']; x = f.inputs(512, point['mnist'])\n"
        "out = f.run(point, [np.random.SeedSequence(1)], np)\n"
        "try: f.inputs(601, point['mnist'])\n"
        "except ValueError as e: assert 'holds 600 images; this scale of Figure 3 needs 601' in str(e)\n"
        "else: raise AssertionError\n"
        "along = out['along']\n"
        "print(x.shape, round(float(x[0, 0] * 255)), along.shape, round(float(along[0, 0, 0]), 12))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "COROLLARY_MNIST": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == f"(512, 16) {pixels[0, 0, 0]} (1, 2, 1) -0.5".split()


def test_figure_3_shows_the_batch_on_the_second_and_third_component():
    """Panel (a): Θ f/N = λ f with the second and third largest λ, (1/N) Σ f² = 1, each image drawn as its digit."""
    import matplotlib

    matplotlib.use("Agg")
    from corollary.figures.jacot2018 import principal_components
    from corollary.paper_repro.jacot2018 import figure_3
    from corollary.paper_repro.jacot2018.setting import network

    count = 64
    batch = figure_3.batch(count, None)
    kernel = network(3).kernel(figure_3.inputs(count, None)).ntk / count
    values = np.sort(np.linalg.eigvalsh(kernel))[::-1]
    f = np.array([batch["second"], batch["third"]])
    np.testing.assert_allclose(f @ kernel, values[1:3, None] * f, atol=1e-10 * values[0])
    np.testing.assert_allclose(f @ f.T / count, np.eye(2), atol=1e-12)
    assert all(component[np.argmax(np.abs(component))] > 0 for component in f)
    assert batch["digit"] == list(np.asarray(data.digits().labels)[:count])
    empty = {name: [] for name in ("time", "along", "across")}
    networks = {name: [] for name in ("n", "time", "along_mean", "along_sd", "across_mean", "across_sd")}
    axis = principal_components({"batch": batch, "theory": empty, "networks": networks}).axes[0]
    drawn = np.concatenate([c.get_offsets() for c in axis.collections])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, f.T)) and len(axis.collections) == 10
    without = principal_components({"batch": {**batch, "digit": [-1] * count}, "theory": empty, "networks": networks})
    assert len(without.axes[0].collections) == 1  # images without labels are points
