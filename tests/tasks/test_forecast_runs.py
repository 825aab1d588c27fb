"""Forecasts from a table to report and bundle, and what comes next; what is said where that cannot be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

import orthogon as og
from orthogon.errors import DataError, RecipeError

QUICK: dict[str, Any] = {"train.threads": 1, "train.preflight": False, "train.health": False, "task.horizon": 4,
                         "task.history": 12, "model.options": {"width": 12}}


def table(count: int = 900, seed: int = 0) -> pl.DataFrame:
    """A day's cycle that a second column announces four hours before, with values missing."""
    draw, t = np.random.default_rng(seed), np.arange(count)
    news = draw.normal(size=count)
    y = 10 + 3 * np.sin(2 * np.pi * t / 24) + np.r_[np.zeros(4), news[:-4]] + 0.1 * draw.normal(size=count)
    y[draw.choice(count, 30, replace=False)] = np.nan
    return pl.DataFrame({"when": [datetime(2020, 1, 1) + timedelta(hours=int(i)) for i in t],
                         "news": news, "y": y}).with_columns(pl.col("y").fill_nan(None))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    table().write_csv(folder / "series.csv")
    return og.train(folder / "series.csv", target="y", task="forecast", epochs=25, options=QUICK, out=folder,
                    quiet=True)


def test_from_a_table_to_a_network_that_beats_persistence_and_season(run):
    result = run.result
    assert (result["task"], result["metric"]) == ("forecast", "mae")
    gains = {each["baseline"]: each for each in result["comparisons"] if each["split"] == "dev"}
    assert set(gains) == {"persistence", "seasonal", "ridge"}
    for name in ("persistence", "seasonal"):
        assert gains[name]["metric"] == "mae"
        assert gains[name]["advantage"] > 0
        assert gains[name]["high"] < 0  # the network's error less the baseline's
    assert result["splits"]["dev"]["metrics"]["mae"]["value"] < 0.75  # without the news it is 0.8 at least
    assert (run.path / "report.html").read_text().count("Forecasts and what came") >= 1


def test_the_split_is_by_time_in_blocks_that_rows_name(run):
    passport = run.read_json("passport.json")
    assert passport["method"]["by"] == "time"
    assert run.recipe().split.by == "time"
    rows = run.rows("dev")
    assert rows["prediction"].shape == rows["target"].shape == (len(rows), 4)
    assert rows.group is not None
    sizes = np.unique(rows.group, return_counts=True)[1]
    assert set(sizes[:-1].tolist()) == {9}  # a hundredth of the table: seven horizons are more
    assert any("30" not in each and "rows end no example" in each for each in passport["sentences"])


def test_n_is_said_to_count_blocks(run):
    assert run.read_json("evidence/diagnosis.json")["noun"] == "blocks of time"
    assert "in blocks" in run.result["split"]["sentence"]
    assert " rows of dev" not in run.result["verdict"]


def test_what_comes_next_is_forecast_from_the_end_of_a_table(run, tmp_path):
    whole = table()
    whole[:-4].write_csv(tmp_path / "known.csv")
    found = list(og.predict(run, tmp_path / "known.csv"))
    assert len(found) == 1
    after, values = found[0]["after"], found[0]["values"]
    assert after == str(whole["when"][-5])[:16]
    assert list(values) == [str(moment)[:16] for moment in whole["when"][-4:]]
    truth = whole["y"][-4:].to_numpy()
    assert np.nanmean(np.abs(np.array(list(values.values())) - truth)) < 1.0
    # The last twelve hours are all that is looked at.
    whole[-16:-4].write_csv(tmp_path / "short.csv")
    assert next(iter(og.predict(run, tmp_path / "short.csv")))["values"] == pytest.approx(values)
    with pytest.raises(DataError, match="12 steps of history are needed"):
        og.predict(run, whole[-11:])


def test_a_row_that_cannot_be_read_is_an_error_for_all(run):
    broken = table()[-20:].with_columns(pl.col("news").cast(pl.String))
    broken[3, "news"] = "wind"
    with pytest.raises(DataError, match="cannot be read, and others need it"):
        og.predict(run, broken)


def test_a_bundle_forecasts_as_the_run_did(run):
    """The last window of dev, from the bundle: as in the rows of the run."""
    rows, data = run.rows("dev"), table()
    last = int(rows.ids[-1])
    said = next(iter(og.load(run.path / "bundle").predict(data[: last + 1])))
    np.testing.assert_allclose(list(said["values"].values()), rows["prediction"][-1], rtol=1e-4)


def test_a_run_can_be_asked_again(run):
    again = og.evaluate(run, table(300, seed=1))
    assert again.splits["data"]["metrics"]["mae"]["value"] < 0.8
    assert again.splits["data"]["n"] == 300 - 11 - 4
    assert og.diagnose(run).sentence


def test_several_series_are_learnt_together_and_answered_one_by_one(tmp_path):
    pieces = [table(300, seed).with_columns(pl.lit(name).alias("town")) for seed, name in enumerate("AB")]
    both = pl.concat(pieces).sample(fraction=1, shuffle=True, seed=0)
    options = {**QUICK, "task.series": "town"}
    run = og.train(both, target="y", task="forecast", epochs=2, options=options, out=tmp_path, quiet=True)
    found = list(og.load(run).predict(both))
    assert len(found) == 2
    assert {each["after"] for each in found} == {str(pieces[0]["when"][-1])[:16]}


def test_rows_without_dates_and_another_model(tmp_path):
    plain = table(200).drop("when")
    options = {key: value for key, value in QUICK.items() if key != "model.options"}
    run = og.train(plain, target="y", task="forecast", model="linear", epochs=1, options=options, out=tmp_path,
                   quiet=True)
    assert list(next(iter(og.load(run).predict(plain)))["values"]) == ["+1", "+2", "+3", "+4"]


@pytest.mark.parametrize(("options", "error", "said"), [
    ({"split.by": "random"}, RecipeError, "its parts follow one another in time"),
    ({"split.time_column": "news"}, RecipeError, "rows are ordered by when"),
    ({"data.group": "news"}, RecipeError, "groups rows by blocks of time"),
    ({"task.history": 800}, DataError, "no window of 800 steps and the 4 after them fits"),
    ({"split.folds": 4}, RecipeError, "folds do not go together"),
])
def test_what_cannot_be_is_refused(tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        og.train(table(), target="y", task="forecast", epochs=1, options={**QUICK, **options}, out=tmp_path, quiet=True)
