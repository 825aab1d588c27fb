"""Encoders against scikit-learn's scaler, and fitted on the train rows alone."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from orthogon.data import number_features
from orthogon.data.columns import CategoryColumn, DateColumn, ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.encode import (
    CategoryEncoder,
    ImageEncoder,
    NumberEncoder,
    check_columns,
    encoder_from_state,
    fit_encoders,
    unused_inputs,
)
from orthogon.data.number_features import DATE_PARTS, date_parts
from orthogon.errors import DataError
from orthogon.train.settings import DataSettings

SETTINGS = DataSettings()


def table(columns: dict, target: str | None = None) -> Dataset:
    count = len(next(iter(columns.values())))
    return Dataset("table", columns, target, np.array([f"r{i}" for i in range(count)]))


def random_columns(count: int = 60, seed: int = 0) -> dict:
    draw = np.random.default_rng(seed)
    numbers = draw.normal(50, 9, count)
    numbers[::7] = np.nan
    return {
        "picture": ImageColumn(draw.integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)),
        "age": NumberColumn(numbers),
        "block": NumberColumn(draw.gamma(2, 30, (count, 3)), ["p", "q", "r"]),
        "color": CategoryColumn(draw.integers(-1, 3, count), ["red", "green", "blue"]),
        "when": DateColumn(np.datetime64("2020-01-01") + draw.integers(0, 900, count).astype("timedelta64[D]")),
    }


def test_numbers_against_standard_scaler():
    columns = random_columns()
    data, rows = table({"block": columns["block"]}), np.arange(40)
    encoded = fit_encoders(data, rows, SETTINGS)[0].encode(data)
    scaler = StandardScaler().fit(columns["block"].values[rows])
    assert encoded.dtype == torch.float32
    np.testing.assert_allclose(encoded.numpy(), scaler.transform(columns["block"].values), rtol=1e-5, atol=1e-6)


def test_missing_numbers_become_the_mean_and_an_indicator():
    data = table({"x": NumberColumn(np.array([1.0, np.nan, 3.0])), "later": NumberColumn(np.array([1.0, 2.0, np.nan]))})
    encoder = fit_encoders(data, np.array([0, 1]), SETTINGS)[0]
    assert isinstance(encoder, NumberEncoder)
    assert encoder.features == ["x", "later", "x missing"]
    assert encoder.encode(data)[:, 0].tolist() == [0, 0, 0]  # constant in train
    assert encoder.encode(data)[:, 1].tolist() == [-1, 1, 0]  # missing only later: the train mean
    assert encoder.encode(data)[:, 2].tolist() == [0, 1, 0]


def test_huge_and_constant_numbers_stay_finite():
    data = table({"huge": NumberColumn(np.array([1e300, -1e300, 0])), "same": NumberColumn(np.full(3, 0.1))})
    encoded = fit_encoders(data, np.arange(3), SETTINGS)[0].encode(data)
    assert torch.isfinite(encoded).all()
    assert encoded[:, 1].tolist() == [0, 0, 0]


def test_infinite_numbers_are_named():
    data = table({"x": NumberColumn(np.array([1.0, np.inf]))})
    with pytest.raises(DataError, match=r"'x'(.|\n)*") as caught:
        fit_encoders(data, np.arange(2), SETTINGS)
    assert "row 1" in str(caught.value)


def test_date_parts():
    moments = np.array(["1970-01-05T06:00", "2021-04-01T00:00", "NaT"], dtype="datetime64[us]")
    parts = dict(zip(DATE_PARTS, date_parts(moments).T))
    assert parts["days"][0] == 4.25
    assert parts["year"][1] == 2021
    np.testing.assert_allclose([parts["weekday-sin"][0], parts["weekday-cos"][0]], [0, 1], atol=1e-12)  # a Monday
    np.testing.assert_allclose([parts["hour-sin"][0], parts["month-sin"][1]], [1, 1], atol=1e-12)
    assert all(np.isnan(values[2]) for values in parts.values())


def test_dates_use_only_the_parts_that_vary():
    column = DateColumn(np.array(["2020-01-01", "2020-02-05"], dtype="datetime64[us]"))
    encoder = fit_encoders(table({"when": column}), np.arange(2), SETTINGS)[0]
    assert isinstance(encoder, NumberEncoder)
    assert encoder.features == ["when:days", "when:month-sin", "when:month-cos"]


def test_categories_of_train_only():
    column = CategoryColumn.from_values(["b", "a", None, "c", "b"])
    encoder = fit_encoders(table({"x": column}), np.array([0, 1, 2]), SETTINGS)[0]
    assert isinstance(encoder, CategoryEncoder)
    assert encoder.levels == (("a", "b"),)
    assert encoder.input_spec().levels == (3,)
    assert encoder.encode(table({"x": column}))[:, 0].tolist() == [2, 1, 0, 0, 2]
    other = table({"x": CategoryColumn.from_values(["zebra", "b"])})  # other codes, other levels
    assert encoder.encode(other)[:, 0].tolist() == [0, 2]
    assert encoder.encode(table({"x": TextColumn(["b", None])}))[:, 0].tolist() == [2, 0]


def test_pictures_standardised_over_train():
    data, rows = table({"p": random_columns()["picture"]}), np.array([3, 1, 20])
    encoder = fit_encoders(data, rows, SETTINGS)[0]
    assert isinstance(encoder, ImageEncoder)
    stored = encoder.encode(data)
    assert stored.dtype == torch.uint8
    prepared = encoder.prepare(stored[rows]).double()
    assert prepared.mean((0, 2, 3)).abs().max() < 1e-5
    torch.testing.assert_close(prepared.var((0, 2, 3), unbiased=False), torch.ones(3).double(), rtol=1e-5, atol=1e-5)
    encoder.channels_last = True
    assert encoder.prepare(stored).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(encoder.prepare(stored[rows]).double(), prepared)


@given(st.integers(0, 2**32 - 1))
def test_other_rows_change_nothing(seed):
    columns, rows = random_columns(), np.arange(30)
    before = [encoder.state() for encoder in fit_encoders(table(columns), rows, SETTINGS)]
    order = np.concatenate([rows, 30 + np.random.default_rng(seed).permutation(30)[:11]])
    changed = {name: column.take(order) for name, column in columns.items()}
    assert [encoder.state() for encoder in fit_encoders(table(changed), rows, SETTINGS)] == before


def test_state_round_trip():
    data = table(random_columns())
    for encoder in fit_encoders(data, np.arange(40), SETTINGS):
        again = encoder_from_state(json.loads(json.dumps(encoder.state())))
        assert torch.equal(again.encode(data), encoder.encode(data))
        assert again.input_spec() == encoder.input_spec()
        assert again.encode(data).shape[1:] == encoder.input_spec().shape


def test_other_columns_are_named():
    encoders = fit_encoders(table({f"x{i}": NumberColumn(np.arange(3.0)) for i in range(20)}), np.arange(3), SETTINGS)
    wide = table({f"x{i}": NumberColumn(np.arange(3.0)) for i in range(21)})
    with pytest.raises(DataError, match=r"21 columns where the network was trained on 20; not known: 'x20'"):
        check_columns(encoders, wide)
    check_columns(encoders, wide, ignored=["x20"])
    renamed = table({("y" if i == 3 else f"x{i}"): NumberColumn(np.arange(3.0)) for i in range(20)})
    with pytest.raises(DataError, match=r"missing: 'x3'; not known: 'y'"):
        check_columns(encoders, renamed)


def test_other_kinds_are_named():
    encoder = fit_encoders(table({"x": NumberColumn(np.arange(3.0))}), np.arange(3), SETTINGS)[0]
    np.testing.assert_allclose(encoder.encode(table({"x": TextColumn(["1", None])})).numpy(), [[0], [0]], atol=1e-6)
    with pytest.raises(DataError, match="of kind category where the network was trained on number"):
        encoder.encode(table({"x": CategoryColumn.from_values(["a", "b"])}))
    with pytest.raises(DataError, match="2 columns where the network was trained on 1"):
        encoder.encode(table({"x": NumberColumn(np.zeros((3, 2)))}))


def test_text_without_a_word_that_recurs_is_left_out_and_said_so():
    data = table({"x": NumberColumn(np.arange(3.0)), "note": TextColumn(["a", "b", "c"])})
    assert [encoder.columns for encoder in fit_encoders(data, np.arange(3), SETTINGS)] == [("x",)]
    letters = DataSettings(tokens="character")
    assert [encoder.columns for encoder in fit_encoders(data, np.arange(3), letters)] == [("note",), ("x",)]
    assert [finding.column for finding in unused_inputs(data)] == ["note"]
    with pytest.raises(DataError, match="no column is left"):
        fit_encoders(table({"note": TextColumn(["a"])}), np.arange(1), SETTINGS)


def test_numbers_are_encoded_alike_however_many_rows_are_worked_on_at_a_time(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.normal(1e6, 3.0, (50, 4)) * [1, 1e-3, 1e150, 0]
    values[rng.random((50, 4)) < 0.2] = np.nan
    data = Dataset(name="made up", columns={"x": NumberColumn(values, list("abcd"))}, target=None,
                   ids=np.arange(50).astype(str))
    rows = np.arange(0, 50, 2)
    encoded = []
    for chunk in (1000, 7, 1):
        monkeypatch.setattr(number_features, "CHUNK", chunk)
        encoder = NumberEncoder.fitted(["x"], data, rows)
        np.testing.assert_allclose(encoder.mean[:3], np.nanmean(values[rows], axis=0)[:3], rtol=1e-12)
        std = np.nanstd(values[rows] / [1, 1, 1e150, 1], axis=0) * [1, 1, 1e150, 1]
        np.testing.assert_allclose(encoder.std[:3], std[:3], rtol=1e-7)
        encoded.append(encoder.encode(data).numpy())
    for other in encoded[1:]:
        np.testing.assert_allclose(encoded[0], other, rtol=1e-6, atol=1e-6)
