"""Reading real public data, where $ORTHOGON_DATA names a folder that has it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from orthogon.data import public
from orthogon.data.pictures import materialize, network_size
from orthogon.data.read import read
from orthogon.errors import DataError

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not os.environ.get("ORTHOGON_DATA"), reason="ORTHOGON_DATA names no folder of public data"),
]


def have(name: str) -> Path:
    folder = Path(os.environ["ORTHOGON_DATA"]) / public.find(name).folder
    if not folder.is_dir():
        pytest.skip(f"{name} is not in $ORTHOGON_DATA")
    assert public.get(name) == folder
    return folder


@pytest.mark.parametrize(("name", "mean", "std"), [("fashion-mnist", 0.2860, 0.3530), ("mnist", 0.1307, 0.3081)])
def test_idx_sets(name, mean, std):
    have(name)
    data = read(name)
    assert (len(data), data.target) == (70_000, "label")
    assert data.part is not None
    train = data.columns["image"].pixels[data.part == "train"]
    assert train.shape == (60_000, 1, 28, 28)
    assert abs(train.mean() / 255 - mean) < 1e-4
    assert abs(train.std() / 255 - std) < 1e-4
    label = data.columns["label"]
    first = [label.cell(row) for row in range(10)]
    if name == "mnist":
        assert first == list("5041921314")
    else:
        assert label.counts().tolist() == [7000] * 10
        assert first[0] == "Ankle boot"


def test_adult():
    folder = have("adult")
    data = read("adult")
    assert data.part is not None
    income = data.columns["income"]
    assert income.levels == ("<=50K", ">50K")
    assert int((data.part == "train").sum()) == 32_561
    share = (income.codes[data.part == "test"] == 1).mean()
    assert abs(share - 0.2362) < 1e-4
    assert int(data.columns["workclass"].missing().sum()) == 2_799
    with pytest.raises(DataError, match="--no-header"):
        read(folder / "adult-train.csv.gz")
    pair = read([folder / "adult-train.csv.gz", folder / "adult-test.csv.gz"], header=False)
    assert len(pair) == 48_842


def test_wine_quality():
    have("wine-quality")
    data = read("wine-quality")
    assert len(data) == 6_497
    assert data.columns["colour"].counts().tolist() == [1_599, 4_898]
    assert data.columns["quality"].kind == "number"
    assert set(np.unique(data.columns["quality"].values)) == set(range(3, 10))


def test_trashnet():
    have("trashnet")
    data = read("trashnet")
    label, image = data.columns["label"], data.columns["image"]
    assert label.levels == ("cardboard", "glass", "metal", "paper", "plastic", "trash")
    assert label.counts().tolist() == [200, 200, 200, 200, 200, 137]
    assert image.uniform_size == (299, 224)
    few = image.take(np.arange(20))
    assert materialize(few, network_size(few)).shape == (20, 3, 64, 64)


@pytest.mark.parametrize(
    ("path", "arguments", "rows", "kinds"),
    [
        ("uci_tables/iris.csv", {"header": False}, 150, {"number": 4, "category": 1}),
        ("uci_tables/auto_imports.csv", {"header": False}, 201, {"number": 16, "category": 10}),
        ("uci_tables/pollution.csv.gz", {}, 43_824, {"number": 12, "category": 1}),
        ("uci_tables/bank-additional.csv", {}, 4_120, {"number": 9, "category": 11}),
        ("banking77", {"target": "category"}, 13_083, {"text": 1, "category": 1}),
        ("sms_spam", {}, 5_574, {}),
    ],
)
def test_tables_of_many_sorts(path, arguments, rows, kinds):
    source = Path(os.environ["ORTHOGON_DATA"]) / path
    if not source.exists():
        pytest.skip(f"{path} is not in $ORTHOGON_DATA")
    if path == "sms_spam":
        (source,) = [file for file in source.iterdir() if file.stat().st_size > 100_000]
        arguments = {"header": False}
    data = read(source, **arguments)
    assert len(data) == rows
    found = [column.kind for column in data.columns.values()]
    for kind, count in kinds.items():
        assert found.count(kind) == count
