"""How the files of each public set become a Dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orthogon.data.columns import CategoryColumn
from orthogon.data.dataset import Dataset
from orthogon.data.download import unpack
from orthogon.data.picture_cache import cache_root
from orthogon.data.readers import conll, folders, text_files
from orthogon.data.readers import idx as idx_files
from orthogon.data.readers.options import Options, ids_by_part
from orthogon.data.readers.running_text import read_running_text
from orthogon.data.readers.table_files import from_frame, from_parts
from orthogon.errors import DataError

if TYPE_CHECKING:
    import polars as pl

CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

ADULT = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)

WINE = (
    "fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
    "total sulfur dioxide", "density", "pH", "sulphates", "alcohol", "quality",
)

_MOST_UNPACKED = 1 << 30


def idx(folder: Path) -> Dataset:
    """A folder of IDX files."""
    return idx_files.read_folder(folder)


def fashion_mnist(folder: Path) -> Dataset:
    """IDX, with the classes' names in the order of their numbers."""
    data = idx_files.read_folder(folder)
    label = data.columns["label"]
    assert isinstance(label, CategoryColumn)  # noqa: S101 - labels of IDX files are
    return replace(data, columns={**data.columns, "label": CategoryColumn(label.codes, CLOTHES)})


def adult(folder: Path) -> Dataset:
    """Train and test as given; target "income" (the test part writes its classes with a full stop)."""
    import polars as pl

    frames = {}
    for part, found in (("train", ("adult.data", "adult-train.csv.gz")), ("test", ("adult.test", "adult-test.csv.gz"))):
        frame = _strings(_first(folder, found), ADULT)
        frames[part] = frame.with_columns(pl.col("income").str.strip_suffix("."))
    return from_parts(frames, Options(target="income"), where="adult", folder=None, parse=True, findings=[])


def names(folder: Path) -> Dataset:
    """A name a line."""
    return text_files.read_lines({"": folder / "names.txt"}, Options())


def running_text(folder: Path) -> Dataset:
    """One text, in blocks."""
    return read_running_text({"": [folder / "input.txt"]})


def sentences(folder: Path) -> Dataset:
    """CoNLL files of the three parts, perhaps packed."""
    paths = conll.parts_in(folder)
    if paths is None:
        raise DataError("the files of its three parts are not there", where=str(folder), remedy="Get it again.")
    return conll.read_parts(paths, Options())


def wine_quality(folder: Path) -> Dataset:
    """Red and white one under the other, with the colour as a column; target "quality", a number."""
    import polars as pl

    frames = []
    for colour in ("red", "white"):
        path = _first(folder, (f"winequality-{colour}.csv", f"winequality-{colour}.csv.gz"))
        frames.append(_strings(path, WINE).with_columns(pl.lit(colour).alias("colour")))
    data = from_frame(pl.concat(frames), Options(target="quality"), where="wine-quality", parse=True)
    colours = np.repeat(["red", "white"], [len(frame) for frame in frames])
    return replace(data, ids=ids_by_part(colours, len(data)))


def trashnet(folder: Path) -> Dataset:
    """A folder of class folders, unpacked into the cache."""
    archive = _first(folder, ("dataset-resized.zip", "trashnet_small.tar"))
    inside = unpack(archive, cache_root() / "data" / "trashnet" / archive.stem, _MOST_UNPACKED)
    nested = inside / "dataset-resized"
    return folders.read_folder(nested if nested.is_dir() else inside, Options())


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[0])


def _strings(path: Path, names: tuple[str, ...]) -> pl.DataFrame:
    """A UCI file as strings: with or without its line of names, and without lines of remarks."""
    from orthogon.data.readers.delimited import parse_text, read_text

    text, _ = read_text(path)
    lines = text.split("\n", 1)
    first = lines[0].lower()
    if first.startswith("|") or first.replace('"', "").startswith(names[0]):
        text = lines[1]
    return parse_text(text, Options(header=False, columns=names), path)[0]
