"""Texts are predicted on as strings, tables, JSON lines and plain text, all alike."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_bundle import labels, shipped

from orthogon.data.columns import NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError
from orthogon.serve.bundle import load
from orthogon.serve.predictions import Predictions
from orthogon.serve.predictor import Predictor

WORDS = ["sun", "rain", "wind", "snow", "warm", "cold"]
NEW = ["warm sun", "cold rain and wind", "12"]


def texts(n: int = 60) -> TextColumn:
    draw = np.random.default_rng(0)
    return TextColumn([" ".join(draw.choice(WORDS, draw.integers(1, 6))) for _ in range(n)])


@pytest.fixture(scope="module")
def weather(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    data = Dataset("weather", {"said": texts(), "y": labels()}, "y", np.arange(60).astype(str))
    return load(shipped(tmp_path_factory.mktemp("weather"), data, "classify", "text_cnn",
                        **{"model.options": {"filters": 4, "embedding": 6}})[0])


def shares(found) -> list[float]:
    return [one["probabilities"]["yes"] for one in found]


def test_all_spellings_of_texts_agree(weather: Predictor, tmp_path: Path):
    frame = pl.DataFrame({"said": NEW})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_ndjson(tmp_path / "a.jsonl")
    (tmp_path / "a.txt").write_text("\n".join(NEW) + "\n")
    expected = shares(weather.predict(NEW))
    assert len(set(expected)) == 3
    for inputs in (tuple(NEW), np.array(NEW), [{"said": text} for text in NEW], frame, tmp_path / "a.csv",
                   str(tmp_path / "a.jsonl"), tmp_path / "a.txt"):
        assert shares(weather.predict(inputs)) == pytest.approx(expected, abs=1e-6)
    assert shares(weather.predict(NEW[0])) == pytest.approx(expected[:1], abs=1e-6)


def test_a_text_alone_does_not_depend_on_those_beside_it(weather: Predictor):
    together = shares(weather.predict(NEW))
    assert [shares(weather.predict([text]))[0] for text in NEW] == pytest.approx(together, abs=1e-6)


def test_a_missing_text_is_noted_and_a_mistyped_file_is_no_text(weather: Predictor):
    found = weather.predict([{"said": "sun"}, {"said": None}])
    assert "notes" not in found[0]
    assert found[1]["notes"] == ["said is missing"]
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        weather.predict("nowhere.csv")


def test_several_files_are_not_taken_for_texts(weather: Predictor, tmp_path: Path):
    names = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    for name in names:
        pl.DataFrame({"said": NEW}).write_csv(name)
    with pytest.raises(DataError, match="2 of 2 texts are names of files") as caught:
        weather.predict(names)
    assert "one file at a time" in str(caught.value)
    assert len(weather.predict([{"said": name} for name in names])) == 2


def test_a_long_text_is_no_file_name(weather: Predictor):
    assert len(weather.predict("warm " * 1000)) == 1


def test_wrong_columns_are_refused_with_the_name_of_the_right_one(weather: Predictor):
    with pytest.raises(DataError, match="missing: 'said'"):
        weather.predict([{"spoken": "sun"}, {"spoken": "rain"}])


def test_beside_a_number_strings_are_no_items(tmp_path: Path):
    data = Dataset("w", {"said": texts(), "x": NumberColumn(np.arange(60.0)), "y": labels()}, "y",
                   np.arange(60).astype(str))
    both = load(shipped(tmp_path, data, "classify", "mlp")[0])
    assert len(both.predict([{"said": "sun", "x": 1.0}])) == 1
    with pytest.raises(DataError):
        both.predict(["sun", "rain"])


def test_items_are_had_by_any_integer_and_by_slices():
    found = Predictions([{"id": str(row), "label": "a", "probability": 1.0} for row in range(3)])
    assert found[np.int64(2)] == found[2] == found[-1]
    assert [each["id"] for each in found[1:]] == ["1", "2"]
