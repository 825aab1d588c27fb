"""What can be predicted on: paths, tables, dicts, frames, arrays; wrong columns refused, bad items told one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from test_bundle import DRAW, labels, shipped, table

from orthogon.data.columns import CategoryColumn, DateColumn, ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError
from orthogon.serve.bundle import load
from orthogon.serve.predictions import Predictions
from orthogon.serve.predictor import Predictor


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(shipped(tmp_path_factory.mktemp("people"), table(labels()), "classify", "mlp")[0])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    pixels = DRAW.integers(0, 256, (40, 3, 16, 16), dtype=np.uint8)
    data = Dataset("photos", {"image": ImageColumn(pixels), "y": labels(40)}, "y", np.arange(40).astype(str))
    return load(shipped(tmp_path_factory.mktemp("pictures"), data, "classify", "linear")[0])


ROWS = [{"age": 30.0, "job": "clerk"}, {"age": 51.5, "job": "smith"}, {"age": 19.0, "job": "baker"}]


def shares(found: Predictions) -> list[float]:
    return [one["probabilities"]["yes"] for one in found]


def test_all_spellings_of_a_table_agree(people: Predictor, tmp_path: Path) -> None:
    import pandas as pd

    frame = pl.DataFrame(ROWS)
    frame.write_csv(tmp_path / "a.csv")
    frame.select("job", "age").write_csv(tmp_path / "turned.tsv", separator="\t")
    frame.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS))
    expected = shares(people.predict(ROWS))
    assert len(set(expected)) == 3
    for inputs in (frame, pd.DataFrame(ROWS), [tmp_path / "a.csv"], str(tmp_path / "a.csv"), tmp_path / "turned.tsv",
                   tmp_path / "a.parquet", tmp_path / "a.jsonl"):
        assert shares(people.predict(inputs)) == pytest.approx(expected)
    assert shares(people.predict(ROWS[0])) == pytest.approx(expected[:1])


@pytest.mark.parametrize("norm", ["none", "batch", "streaming"])
def test_one_row_at_a_time_is_predicted_as_in_one_batch(norm: str, tmp_path: Path) -> None:
    """Row 6.10: whatever the batch in training was, no example depends on those beside it."""
    data = table(labels())
    predictor = load(shipped(tmp_path, data, "classify", "mlp", **{"model.options": {"norm": norm}})[0])
    together = shares(predictor.predict(data))
    alone = [shares(predictor.predict(data.take([row])))[0] for row in range(len(data))]
    assert len(set(together)) == len(data)
    assert alone == pytest.approx(together, rel=1e-5)


def test_the_target_and_an_id_may_be_there(people: Predictor, tmp_path: Path) -> None:
    rows = [{"id": f"p{i}", **row, "y": "yes"} for i, row in enumerate(ROWS)]
    found = people.predict(rows)
    assert [one["id"] for one in found] == ["p0", "p1", "p2"]
    assert shares(found) == shares(people.predict(ROWS))


@pytest.mark.parametrize(("rows", "told"), [
    ([{**ROWS[0], "zip": 1}], r"3 columns where the network was trained on 2; not known: 'zip'"),
    ([{"age": 1}], r"1 column where the network was trained on 2; missing: 'job'"),
    (np.zeros((2, 21)), r"21 columns where the network was trained on 2"),
])
def test_other_columns_are_refused_by_name(people: Predictor, rows: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        people.predict(rows)


def test_bad_items_do_not_hurt_the_others(people: Predictor) -> None:
    rows = [ROWS[0], {"age": "old", "job": "clerk"}, {"age": float("inf"), "job": "smith"},
            {"age": None, "job": "pilot"}, {"job": "clerk"}, ROWS[2]]
    found = people.predict(rows)
    assert [index for index, one in enumerate(found) if "error" in one] == [1, 2]
    assert found.errors[0]["error"] == "column 'age': 'old' is not a number"
    assert found[3]["notes"] == ["age is missing", "job 'pilot' is new: taken as unknown"]
    assert found[4]["notes"] == ["age is missing"]
    assert shares(Predictions([found[0], found[5]])) == pytest.approx(shares(people.predict([ROWS[0], ROWS[2]])))


def test_all_items_bad(people: Predictor) -> None:
    found = people.predict([{"age": "x", "job": "clerk"}])
    assert len(found.errors) == len(found) == 1


def test_numbers_are_spelled_as_categories(tmp_path: Path) -> None:
    target = labels()
    columns = {"code": CategoryColumn.from_values([str(i % 3) for i in range(60)]), "y": target}
    data = Dataset("codes", columns, "y", np.arange(60).astype(str))
    predictor = load(shipped(tmp_path, data, "classify", "mlp")[0])
    assert "notes" not in predictor.predict([{"code": 2}])[0]
    assert predictor.predict([{"code": 2.0}])[0] == predictor.predict([{"code": "2"}])[0]
    assert predictor.predict([{"code": 7}])[0]["notes"] == ["code '7' is new: taken as unknown"]


def test_a_block_of_numbers(tmp_path: Path) -> None:
    x = DRAW.normal(size=(60, 20))
    data = Dataset("block", {"features": NumberColumn(x), "y": labels()}, "y", np.arange(60).astype(str))
    predictor = load(shipped(tmp_path, data, "classify", "linear")[0])
    expected = shares(predictor.predict(data))
    assert shares(predictor.predict(x)) == pytest.approx(expected)
    assert shares(predictor.predict(x.tolist())) == pytest.approx(expected)
    assert shares(predictor.predict([{"features": row} for row in x.tolist()])) == pytest.approx(expected)
    with pytest.raises(DataError, match="21 columns where the network was trained on 20"):
        predictor.predict(np.zeros((2, 21)))


def test_several_number_columns_take_an_array(tmp_path: Path) -> None:
    x = DRAW.normal(size=(60, 3))
    data = Dataset("three", {**{name: NumberColumn(x[:, i]) for i, name in enumerate("abc")}, "y": labels()}, "y",
                   np.arange(60).astype(str))
    predictor = load(shipped(tmp_path, data, "classify", "mlp")[0])
    assert shares(predictor.predict(x)) == pytest.approx(shares(predictor.predict(data)))


def test_dates_and_tables_without_a_header(tmp_path: Path) -> None:
    days = np.array(["2024-01-01", "2024-03-01", "2025-06-15"] * 20, dtype="datetime64[us]")
    data = Dataset("days", {"day": DateColumn(days), "y": labels()}, "y", np.arange(60).astype(str))
    named = {"data.header": False, "data.columns": ["day", "y"]}
    predictor = load(shipped(tmp_path / "runs", data, "classify", "mlp", **named)[0])
    (tmp_path / "both.csv").write_text("2024-01-01,yes\n2025-06-15,no\n")
    (tmp_path / "one.csv").write_text("2024-01-01\n2025-06-15\n")
    expected = shares(predictor.predict(data.take([0, 2])))
    assert shares(predictor.predict(tmp_path / "both.csv")) == pytest.approx(expected)
    assert shares(predictor.predict(tmp_path / "one.csv")) == pytest.approx(expected)
    (tmp_path / "three.csv").write_text("2024-01-01,yes,3\n")
    with pytest.raises(DataError, match="3 columns where"):
        predictor.predict(tmp_path / "three.csv")


def save(path: Path, size: tuple[int, int] = (20, 30), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(DRAW.integers(0, 256, (*size, 3), dtype=np.uint8)).convert(mode).save(path)
    return path


def test_a_picture_that_cannot_be_read_is_that_items_error(pictures: Predictor, tmp_path: Path) -> None:
    good = [save(tmp_path / "a.png"), save(tmp_path / "b.jpg", mode="L")]
    (tmp_path / "cut.png").write_bytes(good[0].read_bytes()[:300])
    (tmp_path / "empty.png").touch()
    paths = [good[0], tmp_path / "cut.png", tmp_path / "empty.png", tmp_path / "none.png", good[1], good[0]]
    found = pictures.predict(paths)
    assert ["error" in one for one in found] == [False, True, True, True, False, False]
    assert "empty file" in found[2]["error"]
    assert "no such file" in found[3]["error"]
    assert found[0]["probabilities"] == found[5]["probabilities"]
    assert not list(tmp_path.glob("**/*.npy"))


def test_a_folder_of_pictures(pictures: Predictor, tmp_path: Path) -> None:
    for name in ("z.png", "a/x.jpg", "a/b/y.webp"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    found = pictures.predict(str(tmp_path))
    assert [one["id"] for one in found] == ["a/b/y.webp", "a/x.jpg", "z.png"]
    assert not found.errors
    alone = pictures.predict(tmp_path / "a" / "x.jpg")
    assert alone[0]["probabilities"] == pytest.approx(found[1]["probabilities"], rel=1e-5)


def test_predictions_are_as_those_of_read(pictures: Predictor, tmp_path: Path) -> None:
    from orthogon.data.read import read

    for name in ("a/1.png", "b/2.png"):
        save(tmp_path / name, (40, 25))
    assert shares(pictures.predict(read(tmp_path))) == pytest.approx(shares(pictures.predict(tmp_path)))


def test_a_table_of_paths_to_pictures(pictures: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "img" / "1.png")
    (tmp_path / "list.csv").write_text("id,image\nfirst,img/1.png\nsecond,img/2.png\nthird,\n")
    found = pictures.predict(tmp_path / "list.csv")
    assert [one["id"] for one in found] == ["first", "second", "third"]
    assert "label" in found[0]
    assert "no such file" in found[1]["error"]
    assert found[2]["error"] == "column 'image' names no picture"


def test_nothing_there(pictures: Predictor, people: Predictor, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        pictures.predict(tmp_path)
    with pytest.raises(DataError):
        people.predict(tmp_path / "none.csv")


def test_predictions_as_table_frame_and_html(people: Predictor, tmp_path: Path) -> None:
    found = people.predict([ROWS[0], {"age": "<script>alert(1)</script>", "job": "clerk"}])
    frame = found.to_frame()
    assert frame.columns == ["id", "label", "probability", "probability of no", "probability of yes", "error"]
    assert len(found[:1]) == 1
    assert isinstance(found[:1], Predictions)
    assert "<script>" not in found._repr_html_()
    assert "not a number" in str(found)
    assert pl.read_csv(found.write_csv(tmp_path / "out.csv")).shape == frame.shape
    assert found.to_dict()["errors"] == 1
    json.dumps(found.to_dict())


def test_a_text_alone_is_refused_where_more_is_read(tmp_path: Path) -> None:
    texts = TextColumn([f"it was {'good' if row % 2 else 'bad'} {row}" for row in range(40)])
    numbers = NumberColumn(np.arange(40.0))
    data = Dataset("reviews", {"said": texts, "stars": numbers, "y": labels(40)}, "y", np.arange(40).astype(str))
    network = load(shipped(tmp_path, data, "classify", "mlp")[0])
    with pytest.raises(DataError, match="a text alone is not enough: the network reads 'said', 'stars'"):
        network.predict("it was good")
    with pytest.raises(DataError, match="no file or folder"):
        network.predict("missing.csv")


def test_it_shows_itself(people: Predictor) -> None:
    assert "mlp" in repr(people)
    assert "accuracy" in people._repr_html_()
