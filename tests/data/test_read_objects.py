"""Reading what is in memory: arrays, tensors, frames, data sets of other libraries."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from orthogon.data.read import read
from orthogon.errors import DataError


def kinds(data) -> dict[str, str]:
    return {name: column.kind for name, column in data.columns.items()}


def test_importing_is_cheap():
    code = (
        "import sys, orthogon.data.read; "
        "print([m for m in ('torch','polars','sklearn','PIL','matplotlib','pandas','datasets') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_x_and_y():
    data = read((np.arange(6.0).reshape(3, 2), np.array([5, 10, 5])))
    assert kinds(data) == {"features": "number", "label": "category"}
    assert data.columns["features"].values.dtype == np.float64
    assert data.columns["label"].levels == ("5", "10")
    assert (data.name, data.origin, data.target) == ("data", "", "label")
    assert data.ids.tolist() == ["00000", "00001", "00002"]
    assert kinds(read(np.ones((3, 2), dtype=np.int16))) == {"features": "number"}
    assert read(([[1, 2], [3, 4]], ["a", "b"]), name="mine").name == "mine"


@pytest.mark.parametrize(
    ("y", "name", "kind"),
    [
        (np.array([0.5, 1.5, np.nan]), "target", "number"),
        (np.array(["b", "a", "b"]), "label", "category"),
        (np.array(["b", None, "b"], dtype=object), "label", "category"),
        (np.array([True, False, True]), "label", "category"),
        (np.array([[1], [2], [1]]), "label", "category"),
        (np.array([[1, 0], [1, np.nan], [0, 0]]), "labels", "labels"),
        (np.array([[1.5, 0], [1, 2], [0, 0]]), "target", "number"),
    ],
)
def test_what_y_is(y, name, kind):
    data = read((np.zeros((3, 1)), y))
    assert data.target == name
    assert data.target_column().kind == kind


def test_remarks_on_y():
    one_hot = read((np.zeros((3, 1)), np.eye(3)))
    assert [finding.kind for finding in one_hot.findings] == ["one-hot-target"]
    whole = read((np.zeros((200, 1)), np.arange(200)))
    assert whole.target == "target"
    assert [finding.kind for finding in whole.findings] == ["whole-number-target"]


def test_missing_inputs_are_allowed():
    assert read((np.array([[1.0, np.nan], [2, 3]]), [0, 1])).columns["features"].missing().tolist() == [True, False]


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 5, 1), (2, 1, 6, 5), (2, 6, 5, 3), (2, 3, 6, 5), (2, 6, 5, 4)])
def test_shapes_of_pictures(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    column = read((array, [0, 1])).columns["image"]
    assert column.kind == "image"
    assert column.pixels.shape == (2, 3 if 3 in shape or 4 in shape else 1, 6, 5)
    if shape == (2, 6, 5, 3):
        np.testing.assert_array_equal(column.cell(1), array[1])


def test_float_and_16_bit_pictures():
    whole = np.random.default_rng(0).integers(0, 256, (2, 6, 5), dtype=np.uint8)
    for given in (whole / 255, whole.astype(float), whole.astype(np.int64), whole.astype(np.uint16) * 257):
        data = read(given)
        np.testing.assert_array_equal(data.columns["image"].pixels[:, 0], whole)
        assert not data.findings
    assert [finding.kind for finding in read(np.full((1, 4, 4), 0.5)).findings] == ["rounded-pixels"]
    assert read(np.ones((1, 4, 4), dtype=bool)).columns["image"].pixels.max() == 255


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ((np.zeros((3, 2)), np.zeros(2)), "3 rows, y has shape"),
        (np.zeros((0, 2)), "no examples"),
        (np.full((2, 4, 4), -1.0), r"pixels lie in -1\.\.-1"),
        (np.full((2, 4, 4), np.nan), "NaN"),
        (np.zeros((2, 5, 6, 2)), "neither 1, 3 nor 4 channels"),
        (np.zeros((2, 2), dtype=complex), "complex"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(2)}, "unequal length"),
        (42, "builtins.int cannot be read"),
        ({"train": (np.zeros((2, 2)), [0, 1]), "test": 3}, "neither a frame nor a pair"),
    ],
)
def test_what_cannot_be_read(source, message):
    with pytest.raises(DataError, match=message):
        read(source)


def test_dicts_and_files_of_arrays(tmp_path):
    arrays = {"x": np.zeros((3, 2)), "age": np.arange(3), "name": np.array(["a", "b", "c"]), "y": np.array([1, 0, 1])}
    np.savez(tmp_path / "set.npz", **arrays)
    for source in (arrays, tmp_path / "set.npz"):
        data = read(source)
        assert kinds(data) == {"features": "number", "age": "number", "name": "category", "y": "category"}
        assert data.target == "y"
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "x.npy")
    parts = read({"test": (np.ones((1, 2)), [1]), "train": (np.zeros((2, 2)), [0, 1])})
    assert parts.ids.tolist() == ["train/00000", "train/00001", "test/00000"]


def test_side_values_are_checked():
    x = np.zeros((3, 1))
    data = read((x, [0, 1, 0]), group=["a", "a", "b"], weight=[1, 2, 3], source_column=np.array([1, 2, 2]))
    assert data.group is not None
    assert data.source is not None
    assert data.source.tolist() == ["1", "2", "2"]
    for wrong, message in (([1, 2], "shape"), ([1, -1, 1], "at least 0"), (["a", "b", "c"], "not numbers")):
        with pytest.raises(DataError, match=message):
            read((x, [0, 1, 0]), weight=wrong)


def test_frames():
    plain = {"n": [1.5, None, 3.0], "c": ["a", "b", None], "t": ["7", "8", "9"]}
    polars = pl.DataFrame(plain).with_columns(pl.col("c").cast(pl.Categorical))
    import pandas as pd
    import pyarrow as pa

    pandas = pd.DataFrame(plain, index=[5, 7, 9])
    for frame in (polars, polars.lazy(), pandas, pa.table(plain)):
        data = read(frame, target="c")
        assert kinds(data) == {"n": "number", "c": "category", "t": "category"}
        assert data.columns["n"].missing().tolist() == [False, True, False]
        assert data.columns["c"].codes.tolist() == [0, 1, -1]
    ordered = read(pl.DataFrame({"s": pl.Series(["L", "S"], dtype=pl.Enum(["S", "M", "L"]))}))
    assert ordered.columns["s"].levels == ("S", "M", "L")
    assert read(pandas).ids.tolist() == ["5", "7", "9"]
    assert read(pd.DataFrame(plain, index=[5, 5, 9])).ids.tolist() == ["00000", "00001", "00002"]
    pair = read((pandas[["n"]], pandas["t"]))
    assert kinds(pair) == {"n": "number", "t": "category"}
    assert pair.target == "t"
    by_part = read({"train": polars, "test": polars})
    assert by_part.part is not None
    assert by_part.part.tolist() == ["train"] * 3 + ["test"] * 3


def test_tensors_and_torch_data_sets():
    torch = pytest.importorskip("torch")
    pixels = torch.arange(2 * 3 * 4 * 3, dtype=torch.uint8).reshape(2, 3, 4, 3)
    assert read(pixels).columns["image"].pixels.shape == (2, 3, 4, 3)  # torch puts channels first
    assert read(torch.zeros(2, 5, dtype=torch.bfloat16)).columns["features"].width == 5
    both = read(torch.utils.data.TensorDataset(torch.zeros(3, 2), torch.tensor([1, 0, 1])))
    assert kinds(both) == {"features": "number", "label": "category"}

    class Own(torch.utils.data.Dataset):
        classes = ("cat", "dog")

        def __len__(self):
            return 4

        def __getitem__(self, row):
            return torch.full((1, 5, 6), row / 4), row % 2

    data = read(Own())
    assert kinds(data) == {"image": "image", "label": "category"}
    assert data.columns["label"].levels == ("cat", "dog")
    assert data.columns["image"].pixels[2, 0, 0, 0] == 128


def test_torch_data_set_of_pillow_pictures():
    torch = pytest.importorskip("torch")
    from PIL import Image

    class Own(torch.utils.data.Dataset):
        def __init__(self, step):
            self.step = step

        def __len__(self):
            return 3

        def __getitem__(self, row):
            return Image.new("RGB", (70 + row * self.step, 80), (row, 0, 0)), "ab"[row % 2]

    same = read(Own(0)).columns["image"]
    assert same.pixels.shape == (3, 3, 80, 70)
    differing = read(Own(5)).columns["image"]
    assert differing.pixels is None
    assert differing.sizes.tolist() == [[80, 70], [80, 75], [80, 80]]
    assert differing.cell(2)[0, 0].tolist() == [2, 0, 0]


def test_scikit_learn_bunches():
    from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine

    digits = read(load_digits())
    bundled = read("digits")
    np.testing.assert_array_equal(digits.columns["image"].pixels, bundled.columns["image"].pixels)
    assert bundled.columns["image"].pixels.max() == 255
    iris = read(load_iris())
    assert iris.columns["label"].levels == ("setosa", "versicolor", "virginica")
    assert kinds(iris)["petal width (cm)"] == "number"
    assert read(load_diabetes()).target == "target"
    assert len(read(load_wine(as_frame=True)).inputs) == 13


def test_hugging_face():
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    label = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features({"image": datasets.Image(), "size": datasets.Value("float32"), "label": label})
    rows = {"image": [Image.new("L", (9, 7), i) for i in range(3)], "size": [1, None, 3], "label": [1, 0, 1]}
    one = datasets.Dataset.from_dict(rows, features=features)
    data = read(one)
    assert kinds(data) == {"image": "image", "size": "number", "label": "category"}
    assert data.target == "label"
    assert data.columns["label"].levels == ("no", "yes")
    assert data.columns["image"].pixels.shape == (3, 1, 7, 9)
    assert data.columns["image"].pixels[2, 0, 0, 0] == 2
    both = read(datasets.DatasetDict({"validation": one.select([2]), "train": one.select([0, 1])}))
    assert both.part is not None
    assert both.part.tolist() == ["train", "train", "dev"]
    assert read(one.select([2, 0])).columns["image"].pixels[:, 0, 0, 0].tolist() == [2, 0]


def test_reading_a_data_set_again_applies_the_arguments():
    data = read("digits")
    assert read(data, name="mine").name == "mine"
    assert read(data).origin == "digits"


def test_types_and_channels_hold_for_every_source():
    pixels = np.zeros((3, 6, 5), dtype=np.uint8)
    data = read((pixels, [4, 7, 4]), types={"label": "number"}, channels=3)
    assert data.columns["label"].values.tolist() == [4, 7, 4]
    assert data.columns["image"].pixels.shape == (3, 3, 6, 5)
    back = read((np.zeros((3, 1)), np.array([1.0, np.nan, 2.0])), types={"target": "category"})
    assert back.columns["target"].levels == ("1", "2")
    assert back.columns["target"].codes.tolist() == [0, -1, 1]
    assert read("digits", types={"label": "ignore"}).target is None
    for types in ({"label": "date"}, {"labl": "number"}, {"image": "number"}):
        with pytest.raises(DataError, match=r"cannot be read as|Did you mean"):
            read((pixels, [4, 7, 4]), types=types)
