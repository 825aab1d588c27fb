"""Passports: hashes, duplicates, writing and reading back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthogon.data.columns import CategoryColumn, ImageColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.data.passport import Passport, _pack, _unpack
from orthogon.data.split import split
from orthogon.errors import DataError, RunError


def pictures(n: int = 60, **more: np.ndarray) -> Dataset:
    rng = np.random.default_rng(1)
    columns = {
        "image": ImageColumn(rng.integers(0, 256, (n, 1, 5, 4), dtype=np.uint8)),
        "label": CategoryColumn(np.arange(n) % 3, ["a", "b", "c"]),
    }
    return Dataset("pictures", columns, "label", np.array([f"{i:03}.png" for i in range(n)]), **more)


def with_pixels(data: Dataset, pixels: np.ndarray) -> Dataset:
    return replace(data, columns={**data.columns, "image": ImageColumn(pixels)})


def pixels_of(data: Dataset) -> np.ndarray:
    column = data.columns["image"]
    assert isinstance(column, ImageColumn)
    assert column.pixels is not None
    return column.pixels.copy()


def test_hashes_are_those_of_the_dataset() -> None:
    data = pictures()
    passport = split(data)
    assert passport.hashes == {name: data.content_hash(rows) for name, rows in passport.parts.items()}
    assert passport.test_key == data.content_hash(passport.parts["test"])


def test_one_line_says_what_it_is() -> None:
    assert split(pictures(1797)).describe() == (
        "split 1079/359/359, seed 0, stratified; no duplicates across sets"
    )
    assert split(pictures(), test=0).describe().startswith("split train 48, dev 12, no test set, seed 0")
    assert split(pictures(), folds=3).describe().startswith("split 3 folds over 48, test 12, seed 0")


def test_the_same_picture_in_two_parts_is_found_whatever_its_label() -> None:
    data = pictures()
    passport = split(data)
    train, dev, test = (int(passport.parts[name][0]) for name in ("train", "dev", "test"))
    pixels = pixels_of(data)
    pixels[dev] = pixels[test] = pixels[train]
    found = Passport.of(with_pixels(data, pixels), passport.parts, seed=0, method={})
    assert set(found.duplicates) == {(dev, train), (test, train)}
    assert found.duplicate_count == 2
    assert found.describe().endswith("2 duplicates across sets")


def test_duplicates_within_a_part_are_none_across_parts() -> None:
    data = pictures()
    passport = split(data)
    one, two = passport.parts["train"][:2]
    pixels = pixels_of(data)
    pixels[one] = pixels[two]
    assert Passport.of(with_pixels(data, pixels), passport.parts, seed=0, method={}).duplicate_count == 0


def test_it_is_written_and_read_back(tmp_path: Path) -> None:
    data = pictures(group=np.arange(60).astype(str), source=np.array(["web", "phone"] * 30))
    passport = split(data, seed=3, folds=4)
    path = passport.write(tmp_path / "run" / "passport.json")
    back = Passport.read(path, data)
    assert back.to_json() == passport.to_json()
    assert {name: rows.tolist() for name, rows in back.parts.items()} == {
        name: rows.tolist() for name, rows in passport.parts.items()
    }
    assert [fold.tolist() for fold in back.folds] == [fold.tolist() for fold in passport.folds]
    assert list(path.parent.iterdir()) == [path]
    text = json.loads(path.read_text())
    assert next(iter(text)) == "format"
    assert text["sizes"] == {"train": 48, "test": 12}
    assert text["sources"]["test"]["web"] + text["sources"]["test"]["phone"] == 12
    assert text["groups"]["test"] == 12


def test_reading_names_what_changed_in_the_data(tmp_path: Path) -> None:
    data = pictures()
    passport = split(data)
    path = passport.write(tmp_path / "passport.json")
    with pytest.raises(DataError, match="59 examples, its passport 60"):
        Passport.read(path, data.take(np.arange(59)))
    with pytest.raises(DataError, match="ids of the examples, or their order"):
        Passport.read(path, data.take(np.arange(60)[::-1]))
    pixels = pixels_of(data)
    pixels[passport.parts["dev"][2], 0, 0, 0] ^= 1
    with pytest.raises(DataError, match="the content of dev changed"):
        Passport.read(path, with_pixels(data, pixels))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "n": 3, "rows": 4}'])
def test_damaged_passports_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "passport.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"damaged|not a passport"):
        Passport.read(path, pictures())


def test_missing_and_newer_passports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no passport"):
        Passport.read(tmp_path / "passport.json", pictures())
    path = tmp_path / "passport.json"
    path.write_text('{"format": 99}')
    with pytest.raises(RunError, match="format 99"):
        Passport.read(path, pictures())


def test_a_damaged_bitmap_is_refused(tmp_path: Path) -> None:
    path = split(pictures()).write(tmp_path / "passport.json")
    entry = json.loads(path.read_text())
    entry["rows"]["dev"] = _pack(np.arange(3), 10)
    path.write_text(json.dumps(entry))
    with pytest.raises(RunError, match="bitmap"):
        Passport.read(path, pictures())


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_rows_survive_packing(case: tuple[int, set[int]]) -> None:
    n, rows = case
    assert _unpack(_pack(np.array(sorted(rows), dtype=int), n), n).tolist() == sorted(rows)


def test_tables_with_many_columns_hash_row_by_row() -> None:
    values = np.array([1.0, 2.0, 1.0, 2.0])
    labels = CategoryColumn(values > 1, ["n", "y"])
    columns = {"a": NumberColumn(values), "b": NumberColumn(values[::-1]), "y": labels}
    data = Dataset("t", columns, "y", np.array(list("abcd")))
    passport = Passport.of(data, {"train": np.array([0, 1]), "dev": np.array([2, 3])}, seed=0, method={})
    assert passport.duplicates == ((2, 0), (3, 1))
    assert passport.test_key is None
