"""Forecasts: windows as inputs and targets, no leaks, what is missing, baselines on series of known answer."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from orthogon.data.columns import CategoryColumn, Column, DateColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.split import split
from orthogon.errors import DataError, RecipeError
from orthogon.nn.models import mlp
from orthogon.stats import bootstrap_mean
from orthogon.tasks.forecast import Forecast
from orthogon.tasks.forecast_baselines import Persistence, Ridge, Seasonal
from orthogon.tasks.forecast_metrics import forecast_metrics
from orthogon.tasks.season import naive_error, season_of
from orthogon.train.rows import Rows
from orthogon.train.settings import DataSettings, TaskSettings

CPU = torch.device("cpu")


def hourly(values: np.ndarray, **columns: Column) -> Dataset:
    moments = np.array([datetime(2020, 1, 1) + timedelta(hours=i) for i in range(len(values))], dtype="datetime64[us]")
    return plain(values, when=DateColumn(moments), **columns)


def plain(values: np.ndarray, **columns: Column) -> Dataset:
    return Dataset("series", {**columns, "y": NumberColumn(np.asarray(values, dtype=np.float64))}, "y",
                   np.array([f"r{i:04d}" for i in range(len(values))]))


def ready(data: Dataset, rows: np.ndarray | None = None, **settings) -> Forecast:
    task = Forecast(TaskSettings(**{"history": 6, "horizon": 3, **settings}), DataSettings())
    if rows is None:
        windows = task.windows(data, task.settings)
        rows = windows.whole({"train": np.arange(len(data))}, ~data.target_column().missing())[0]["train"]
    task.fit(data, rows)
    task.attach(data, CPU)
    return task


def sine(count: int = 400, season: int = 24, noise: float = 0.0) -> np.ndarray:
    return 10 + 3 * np.sin(2 * np.pi * np.arange(count) / season) + noise * np.random.default_rng(0).normal(size=count)


# --- what a network is given, and what it is asked ------------------------------------------------------------


def test_a_window_holds_the_history_and_the_target_what_follows_it():
    y, x = sine(60), np.random.default_rng(1).normal(size=60)
    data = hourly(y, x=NumberColumn(x), kind=CategoryColumn.from_values(["a", "b", "c"] * 20))
    task = ready(data, delay=2)
    batch = task.batch(torch.tensor([20, 31]))
    window, (mean, std) = batch.inputs[0], task.inputs.target_scale
    assert window.shape == (2, *task.spec.inputs[0].shape) == (2, 6, 7)  # y, hour as sine and cosine, x; three kinds
    np.testing.assert_allclose(window[0, :, 0] * std + mean, y[15:21], rtol=1e-5)
    np.testing.assert_allclose(batch.target * std + mean, [y[23:26], y[34:37]], rtol=1e-5)
    np.testing.assert_allclose(task.targets(np.array([20, 31])), [y[23:26], y[34:37]])
    names = task.inputs.encoders[0].features  # type: ignore[attr-defined]
    assert names == ["y", "when:hour-sin", "when:hour-cos", "x"]
    np.testing.assert_allclose(window[0, :, 4:], np.eye(3)[np.arange(15, 21) % 3])
    assert task.spec.outputs == 3


def test_a_cycle_that_was_not_gone_through_is_no_input():
    """The month of a table of some weeks would be another in all that is forecast."""
    task = ready(hourly(sine(24 * 20)))
    assert task.inputs.encoders[0].features == [  # type: ignore[attr-defined]
        "y", "when:weekday-sin", "when:weekday-cos", "when:hour-sin", "when:hour-cos"]
    short = ready(hourly(sine(16)))
    assert short.spec.inputs[0].shape == (6, 1)


def test_the_scale_is_that_of_the_steps_in_windows_to_learn_from():
    y = np.r_[np.linspace(0, 1, 50), np.full(50, 1000.0)]
    task = ready(hourly(y), np.arange(5, 47))
    assert task.inputs.target_scale == pytest.approx((y[:50].mean(), y[:50].std()))
    assert task.median == pytest.approx(np.median(y[:50]))


def test_a_later_target_changes_nothing_of_training():
    """No leak: what lies after the train part can be anything."""
    y = sine(300, noise=0.5)
    changed = y.copy()
    found = []
    for values in (y, changed):
        data = hourly(values)
        task = Forecast(TaskSettings(history=6, horizon=3), DataSettings())
        rows = split(data, by="time", windows=task.windows(data, task.settings)).rows("train")
        changed[rows.max() + 4 :] += 1000  # all that no train window holds
        task.fit(data, rows)
        task.attach(data, CPU)
        torch.manual_seed(0)
        model = mlp(task.spec)
        batch = task.batch(torch.from_numpy(rows))
        found.append((rows, batch.inputs[0], batch.target, task.loss(model, batch).parts[0].sum, task.state()))
    assert changed.max() > 900
    assert (found[0][0] == found[1][0]).all()
    for first, second in zip(found[0][1:4], found[1][1:4]):
        assert torch.equal(first, second)
    assert found[0][4] == found[1][4]


def test_the_last_step_of_the_last_train_window_does_count():
    """So the border of the test above is where it should be."""
    y = sine(300, noise=0.5)
    other, rows = y.copy(), np.arange(5, 100)
    other[rows.max() + 3] += 1
    targets = [ready(hourly(values), rows).targets(rows) for values in (y, other)]
    assert (targets[0] != targets[1]).sum() == 1


# --- what is missing --------------------------------------------------------------------------------------------


def test_missing_values_are_marked_in_the_history_and_left_out_of_loss_and_count():
    y = sine(60)
    y[[20, 22, 40]] = np.nan
    task = ready(hourly(y))
    batch = task.batch(torch.tensor([19, 20, 30]))
    assert batch.inputs[0][1, -1, 0] == 0
    assert batch.inputs[0][1, -1, -1] == 1
    assert task.counts(batch) == {"loss": 1 + 2 + 3}
    model = mlp(task.spec)
    output = model(*batch.inputs).detach()
    known = ~batch.target.isnan()
    part = task.loss(model, batch).parts[0]
    assert part.sum.item() == pytest.approx(float((output - batch.target)[known].abs().sum()), rel=1e-5)
    results = task.results(model, batch)
    assert results["weight"].tolist() == [1, 2, 3]
    first = (output - batch.target)[0][known[0]].abs().mean()
    assert float(results["loss"][0]) == pytest.approx(float(first), rel=1e-5)
    task.loss(model, batch).parts[0].sum.backward()
    assert all(each.grad.isfinite().all() for each in model.parameters())  # type: ignore[union-attr]


def test_the_loss_adds_up_over_micro_batches_by_what_is_known():
    y = sine(80)
    y[30:34] = np.nan
    task, rows = ready(hourly(y)), torch.arange(20, 60)
    model = mlp(task.spec)
    whole = task.loss(model, task.batch(rows)).parts[0]
    pieces = [task.loss(model, task.batch(part)).parts[0] for part in rows.split(7)]
    assert sum(each.sum.item() for each in pieces) == pytest.approx(whole.sum.item(), rel=1e-5)
    assert sum(each.count for each in pieces) == whole.count


def test_behind_the_end_of_a_series_there_is_no_target():
    names = CategoryColumn.from_values(["a"] * 30 + ["b"] * 30)
    task = ready(plain(np.arange(60.0) + np.random.default_rng(0).normal(size=60), name=names), series="name")
    assert np.isnan(task.targets(np.array([28]))).tolist() == [[False, True, True]]
    assert task.asked(plain(np.arange(60.0), name=names)).tolist() == [29, 59]


# --- baselines --------------------------------------------------------------------------------------------------


def mae(task: Forecast, found, rows: np.ndarray) -> float:
    return float(np.nanmean(np.abs(found["prediction"] - task.targets(rows))))


def fitted(task: Forecast, baseline, rows: np.ndarray):
    baseline.fit(task, rows)
    return baseline.results(task, rows)


def test_persistence_and_season_by_hand():
    y = np.array([1, 2, np.nan, 4, 5, 6, 7, 8, 9, np.nan, 11, 12, 13, 14.0])
    task = ready(plain(y), np.array([5, 6]), history=3, horizon=3, season=4)
    rows = np.array([8, 9])
    assert fitted(task, Persistence(), rows)["prediction"].tolist() == [[9, 9, 9], [9, 9, 9]]
    assert fitted(task, Seasonal(), rows)["prediction"].tolist() == [[6, 7, 8], [7, 8, 9]]
    longer = ready(plain(y), np.array([5]), history=3, horizon=6, season=4)
    # Five steps ahead of row 7 two seasons are gone back; what is missing at row 2 is the last value.
    assert fitted(longer, Seasonal(), np.array([7]))["prediction"].tolist() == [[5, 6, 7, 8, 5, 6]]


def test_a_season_is_forecast_without_error_and_found():
    task = ready(hourly(sine()))
    assert task.season == 24
    rows = np.arange(30, 390)
    assert mae(task, fitted(task, Seasonal(), rows), rows) < 1e-5
    assert mae(task, fitted(task, Persistence(), rows), rows) > 0.5
    assert season_of(sine(300, 17), task.windows(plain(sine(300, 17)), task.settings)) == 17
    ramp = np.arange(100.0)
    assert season_of(ramp, task.windows(plain(ramp), task.settings)) == 1
    assert naive_error(ramp, task.windows(plain(ramp), task.settings), 3) == 3


def test_ridge_finds_the_best_forecast_of_an_ar1_process():
    """Of y ← 0.8 y + e the best forecast k steps ahead is 0.8^k y, its error has variance (1 − 0.64^k) / 0.36."""
    draw, y = np.random.default_rng(0), np.zeros(6000)
    for t in range(1, len(y)):
        y[t] = 0.8 * y[t - 1] + draw.normal()
    task = ready(plain(y), history=4)
    rows = np.arange(10, 5900)
    found = fitted(task, Ridge(), rows)
    best = y[rows][:, None] * 0.8 ** np.arange(1, 4)
    assert np.abs(found["prediction"] - best).mean() < 0.1
    squared = ((found["prediction"] - task.targets(rows)) ** 2).mean(axis=0)
    np.testing.assert_allclose(squared, (1 - 0.64 ** np.arange(1, 4)) / 0.36, rtol=0.06)


def test_ridge_is_that_of_scikit_learn():
    from sklearn.linear_model import Ridge as Reference

    task = ready(hourly(sine(120, noise=1.0), x=NumberColumn(np.random.default_rng(2).normal(size=120))))
    rows = np.arange(6, 116)
    window, target = task.batch(torch.from_numpy(rows)).inputs[0].double(), task.batch(torch.from_numpy(rows)).target
    inputs = np.c_[window[:, :, 0], window[:, -1, 1:]]
    mean, std = task.inputs.target_scale
    expected = Reference(1.0).fit(inputs, target.double()).predict(inputs) * std + mean
    np.testing.assert_allclose(fitted(task, Ridge(), rows)["prediction"], expected, rtol=1e-5)


def test_which_baselines_there_are():
    assert [each.name for each in ready(hourly(sine())).baselines()] == ["persistence", "seasonal", "ridge"]
    ramp = ready(plain(np.arange(100.0)))
    assert [each.name for each in ramp.baselines()] == ["persistence", "ridge"]


# --- figures of merit -------------------------------------------------------------------------------------------


def some_rows() -> Rows:
    draw = np.random.default_rng(0)
    target, prediction = draw.normal(size=(60, 4)), draw.normal(size=(60, 4))
    target[draw.random((60, 4)) < 0.2] = np.nan
    target[:, 0] = 1.0
    return Rows("dev", np.arange(60).astype(str), {"target": target, "prediction": prediction,
                "weight": (~np.isnan(target)).sum(1), "loss": np.zeros(60)}, group=np.arange(60) // 10)


def test_metrics_are_means_over_all_values_that_are_known():
    rows, metrics = some_rows(), {metric.name: metric for metric in forecast_metrics(2.0)}
    off = rows["prediction"] - rows["target"]
    mean, by_step = np.nanmean(np.abs(off)), np.nanmean(np.abs(off), axis=0)
    expected = {"mae": mean, "rmse": np.sqrt(np.nanmean(off**2)), "mase": mean / 2, "mae_first": by_step[0],
                "mae_last": by_step[-1]}
    assert list(metrics) == list(expected)
    for name, metric in metrics.items():
        estimate = metric.estimate(rows)
        assert metric.value(rows) == pytest.approx(expected[name]) == pytest.approx(estimate.value)
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 6  # blocks, not rows
        assert not metric.higher_is_better


def test_intervals_draw_whole_blocks():
    """Rows of a block that are all alike: the interval is that of one row for each block."""
    off = np.random.default_rng(3).normal(size=(30, 1))
    target = np.zeros((300, 1))
    rows = Rows("dev", np.arange(300).astype(str), {"target": target, "prediction": np.repeat(off, 10, axis=0),
                "loss": np.zeros(300)}, group=np.repeat(np.arange(30), 10))
    found, wanted = forecast_metrics(1.0)[0].estimate(rows), bootstrap_mean(np.abs(off[:, 0]))
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


# --- what is told and refused -----------------------------------------------------------------------------------


def test_what_is_said_of_the_data():
    y = sine(60)
    y[5] = np.nan
    data = hourly(y, note=TextColumn(["a b"] * 60), many=CategoryColumn(np.arange(60), [str(i) for i in range(60)]))
    said = [finding.what for finding in ready(data).check(data)]
    assert any("'note' is text and is not used" in each for each in said)
    assert any("the target is missing at 1 of 60 steps" in each for each in said)


def test_a_category_of_too_many_levels_is_not_read():
    names = CategoryColumn(np.arange(150), [f"n{i}" for i in range(150)])
    data = hourly(sine(150), many=names)
    task = ready(data)
    assert task.spec.inputs[0].shape[1] == ready(hourly(sine(150))).spec.inputs[0].shape[1]
    assert any("150 levels and is not used" in finding.what for finding in task.check(data))


@pytest.mark.parametrize(("values", "said"), [
    (np.full(60, 3.0), "never changes"), (np.r_[sine(59), np.inf], "infinite"),
])
def test_targets_that_cannot_be_learnt(values, said):
    with pytest.raises(DataError, match=said):
        ready(plain(values))


def test_a_target_that_is_no_series():
    data = Dataset("s", {"y": NumberColumn(np.zeros((60, 2)))}, "y", np.arange(60).astype(str))
    with pytest.raises(DataError, match="one column of numbers; the target is of kind number and 2 wide"):
        ready(data)


def test_settings_that_do_not_go_together():
    with pytest.raises(RecipeError, match="no loss 'triplet'"):
        Forecast(TaskSettings(loss="triplet"), DataSettings())


def test_too_short_a_history_to_answer_is_refused():
    task = ready(hourly(sine(60)))
    with pytest.raises(DataError, match="6 steps of history are needed"):
        task.asked(hourly(sine(5)))


def test_decoded_by_moment_and_by_step():
    task = ready(hourly(sine(60)), delay=1)
    said = np.array([[1.0, 2.0, 3.0]])
    assert task.decode({"prediction": said}) == [{"values": {"+2": 1.0, "+3": 2.0, "+4": 3.0}}]
    assert task.decode({"prediction": said, "row": np.array([22])}) == [{
        "after": "2020-01-01 22:00",
        "values": {"2020-01-02 00:00": 1.0, "2020-01-02 01:00": 2.0, "2020-01-02 02:00": 3.0}}]


def test_what_was_fitted_travels_as_json():
    import json

    data = hourly(sine(100, noise=0.2), kind=CategoryColumn.from_values(["a", "b"] * 50))
    task = ready(data)
    again = Forecast(task.settings, DataSettings())
    again.load_state(json.loads(json.dumps(task.state())))
    again.attach(data, CPU)
    assert again.spec == task.spec
    rows = torch.arange(20, 30)
    assert torch.equal(again.batch(rows).inputs[0], task.batch(rows).inputs[0])
    assert torch.equal(again.batch(rows).target, task.batch(rows).target)
    assert (again.season, again.naive, again.median) == (task.season, task.naive, task.median)


def test_pictures_of_what_was_learnt():
    task = ready(hourly(sine(100, noise=0.2)))
    sheets = task.sheets(mlp(task.spec).eval(), np.arange(20, 90))
    assert [sheet.name for sheet in sheets] == ["forecasts", "steps"]
    assert all(sheet.picture.dtype == np.uint8 and sheet.picture.ndim == 3 for sheet in sheets)
