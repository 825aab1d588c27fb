"""Readings of curves whose truth is known, with their false alarms counted, and of runs made here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import theilslopes
from worlds import blobs, new_run, recipe, trained

from orthogon.data.columns import CategoryColumn
from orthogon.strategy.curves import loss_still_falls, read_curves, write_curves
from orthogon.strategy.trend import noise, smooth, spikes, trend, turning_point

EPOCHS = np.arange(1, 61.0)
WORLDS = 150


def _noise(rng, n: int, spread: float, alike: float = 0.0) -> np.ndarray:
    """Normal noise whose neighbors correlate by `alike`."""
    found = rng.normal(size=n)
    for k in range(1, n):
        found[k] = alike * found[k - 1] + np.sqrt(1 - alike**2) * found[k]
    return spread * found


def _falling(floor: float = 0.4, pace: float = 6.0) -> np.ndarray:
    return floor + 1.6 * np.exp(-EPOCHS / pace)


def _lines(train, dev=None, score=None, name="accuracy", lr=None) -> list[dict]:
    lines = []
    for k, loss in enumerate(train):
        line = {"event": "epoch", "epoch": k + 1, "step": 10 * (k + 1), "train_loss": float(loss)}
        if dev is not None:
            line["dev"] = {name: float(score[k]) if score is not None else 0.5 + 0.001 * k, "loss": float(dev[k])}
        if lr is not None:
            line["lr"] = lr[k]
        lines.append(line)
    return lines


def _finding(readings, curve: str):
    return next(each for each in readings if each.curve == curve)


def _share(world) -> float:
    return np.mean([world(np.random.default_rng(seed)) for seed in range(WORLDS)])


# --- the numbers beneath -----------------------------------------------------------------------------------------


def test_the_slope_is_that_of_theil_and_sen_and_wider_where_neighbors_err_alike():
    def wider(seed: int, alike: float) -> float:
        y = 2 - 0.05 * EPOCHS + _noise(np.random.default_rng(seed), 60, 0.1, alike)
        slope, _, low, high = theilslopes(y, EPOCHS, 0.95)
        found = trend(EPOCHS, y)
        assert found.slope == pytest.approx(slope)
        assert found.change == pytest.approx(slope * 59)
        return (found.high - found.low) / (high - low)

    assert 1 <= np.mean([wider(seed, 0.0) for seed in range(40)]) < 1.2
    assert 2 < np.mean([wider(seed, 0.8) for seed in range(40)]) <= 3.2  # √((1 + 0.8)/(1 − 0.8)) = 3


def test_a_curve_that_merely_bends_is_not_taken_for_noise():
    found = trend(EPOCHS[:20], np.exp(-EPOCHS[:20] / 8))
    assert found.high < 0


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_the_interval_of_the_slope_covers_the_truth(alike):
    def covered(rng) -> bool:
        found = trend(EPOCHS[:30], -0.02 * EPOCHS[:30] + _noise(rng, 30, 0.1, alike))
        return found.low <= -0.02 <= found.high

    assert _share(covered) > 0.9


def test_noise_is_its_standard_deviation_whatever_the_trend():
    found = [noise(_falling(pace=20) + _noise(np.random.default_rng(seed), 60, 0.05)) for seed in range(30)]
    assert np.mean(found) == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_a_curve_that_levels_off_is_hardly_ever_said_to_turn(alike):
    def alarmed(rng) -> bool:
        return turning_point(EPOCHS, _falling() + _noise(rng, 60, 0.02, alike)) is not None

    assert _share(alarmed) <= 0.03


def test_a_curve_that_turns_is_seen_to_turn_where_it_does():
    def seen(rng) -> bool:
        rise = np.maximum(0, EPOCHS - 20) * 0.006
        found = turning_point(EPOCHS, _falling() + rise + _noise(rng, 60, 0.02))
        return found is not None and 12 <= found.x <= 30

    assert _share(seen) >= 0.9


def test_one_bad_epoch_at_the_end_is_no_turn():
    curve = _falling()
    curve[-1] += 0.5
    assert turning_point(EPOCHS, curve) is None
    curve[-2] += 0.5
    assert turning_point(EPOCHS, curve) is None


def test_spikes_are_found_and_a_fast_fall_and_noise_are_none():
    curve = _falling(pace=2.0)
    assert not len(spikes(curve))
    curve[[20, 40]] += 2.0
    assert spikes(curve).tolist() == [20, 40]
    assert _share(lambda rng: bool(len(spikes(1 + _noise(rng, 60, 0.1))))) <= 0.01
    assert not len(spikes(np.r_[0.1, 5.0, np.full(9, 0.1)]))


def test_smoothing_takes_the_median_of_neighbors():
    assert smooth([5, 1, 9, 2, 2]).tolist() == [5, 5, 2, 2, 2]


# --- what is said ------------------------------------------------------------------------------------------------


def test_a_loss_that_still_falls_is_told_with_what_an_epoch_buys():
    rng = np.random.default_rng(1)
    found = _finding(read_curves(_lines(2.5 - 0.02 * EPOCHS + _noise(rng, 60, 0.01))), "train loss")
    assert found.finding == "falling"
    assert "0.02 an epoch" in found.sentence
    assert "each further epoch" in found.sentence
    assert found.evidence["low"] <= -0.02 <= found.evidence["high"] < 0
    ended = read_curves(_lines(2.5 - 0.02 * EPOCHS, lr=np.linspace(1, 0, 60)))[0]
    assert "rate near zero" in ended.sentence


@pytest.mark.parametrize(("curve", "alike", "finding", "share"), [
    (2.5 - 0.02 * EPOCHS, 0.0, "falling", 0.99),
    (_falling(), 0.0, "level", 0.95),
    (_falling(), 0.5, "level", 0.85),
    (np.full(60, 1.0), 0.0, "flat", 0.9),
    (1 + 0.01 * EPOCHS, 0.0, "rising", 0.9),
])
def test_findings_are_right_on_curves_with_known_truth(curve, alike, finding, share):
    assert _share(lambda rng: read_curves(_lines(curve + _noise(rng, 60, 0.02, alike)))[0].finding == finding) >= share


def test_few_points_say_nothing_and_steps_serve_where_epochs_are_few():
    assert read_curves(_lines([2.0, 1.0, 0.5]))[0].finding == "too short"
    assert read_curves([])[0].finding == "too short"
    steps = [{"event": "step", "step": 10 * k, "epoch": 1, "loss": 3 - 0.01 * k} for k in range(1, 101)]
    found = read_curves([*steps, {"event": "epoch", "epoch": 2, "step": 1000, "train_loss": 2.5}])[0]
    assert found.finding == "falling"
    assert found.evidence["slope"] == pytest.approx(-0.5)  # 500 steps are an epoch


def test_overfitting_is_named_with_its_epoch_only_where_train_loss_falls():
    rng = np.random.default_rng(2)
    dev = _falling() + np.maximum(0, EPOCHS - 20) * 0.01 + _noise(rng, 60, 0.01)
    found = _finding(read_curves(_lines(_falling(0.0, 15), dev)), "dev loss")
    assert found.finding == "overfitting"
    assert 15 <= found.evidence["from"] <= 25
    assert found.sentence.startswith(f"Overfitting from epoch {found.evidence['from']:.0f}: dev loss was lowest")
    both_rise = _finding(read_curves(_lines(_falling() + np.maximum(0, EPOCHS - 20) * 0.01, dev)), "dev loss")
    assert both_rise.finding == "rising"
    assert "not overfitting" in both_rise.sentence


def test_equal_accuracy_does_not_hide_a_rising_loss():
    dev = _falling() + np.maximum(0, EPOCHS - 20) * 0.01
    up = 0.9 - 0.3 * np.exp(-EPOCHS / 10)
    found = read_curves(_lines(_falling(0.0, 15), dev, up))
    assert _finding(found, "dev loss").finding == "overfitting"
    assert _finding(found, "dev accuracy").finding == "confident mistakes"
    assert "more confident" in _finding(found, "dev accuracy").sentence
    error = read_curves(_lines(_falling(0.0, 15), dev, 1 - up, "error"), higher_is_better=False)
    assert _finding(error, "dev error").finding == "confident mistakes"


def test_accuracy_that_turns_down_is_told_as_such():
    down = 0.9 - 0.3 * np.exp(-EPOCHS / 4) - np.maximum(0, EPOCHS - 20) * 0.004
    found = _finding(read_curves(_lines(_falling(0.0, 15), _falling(), down)), "dev accuracy")
    assert found.finding == "overfitting"
    assert found.evidence["from"] == pytest.approx(20, abs=2)
    assert found.evidence["best"] == pytest.approx(0.9, abs=0.01)
    as_error = read_curves(_lines(_falling(0.0, 15), _falling(), down), higher_is_better=False)
    assert _finding(as_error, "dev accuracy").finding != "overfitting"


@pytest.mark.parametrize(("train", "dev", "finding"), [
    (_falling(1.0), _falling(1.05), "close and high"),
    (_falling(0.1), _falling(0.105), "close"),
    (_falling(0.1), _falling(0.4), "apart"),
    (_falling(1.0), _falling(0.75), "close and high"),
])
def test_both_losses_together_tell_overfitting_and_underfitting(train, dev, finding):
    assert _finding(read_curves(_lines(train, dev)), "train and dev").finding == finding


def test_dropout_is_named_as_what_lifts_the_train_loss():
    said = _finding(read_curves(_lines(_falling(1.0), _falling(0.5)), disturbed=["dropout"]), "train and dev").sentence
    assert "dropout acts in training only" in said


def _steps(losses) -> list[dict]:
    return [{"event": "step", "step": 16 * (k + 1), "epoch": 1, "loss": float(each)} for k, each in enumerate(losses)]


def test_the_noise_of_mini_batches_is_normal_and_spikes_are_not():
    rng = np.random.default_rng(3)
    losses = _falling() + _noise(rng, 60, 0.05)
    noisy = _finding(read_curves(_steps(losses), disturbed=["dropout"]), "steps")
    assert noisy.finding == "noisy"
    assert "mini-batches and dropout do, and no fault" in noisy.sentence
    losses[[30, 45]] = 9.0, 5.0
    found = _finding(read_curves(_steps(losses)), "steps")
    assert found.finding == "unstable"
    assert "2 spikes, up to 9" in found.sentence
    assert _finding(read_curves(_steps(_falling())), "steps").finding == "smooth"


def test_with_the_whole_set_as_a_batch_every_rise_is_a_fault():
    """Row 13.10: only the full batch follows the true gradient."""
    def lines(losses):
        return [{**line, "step": line["epoch"]} for line in _lines(losses)]

    assert _finding(read_curves(lines(_falling())), "steps").finding == "smooth"
    waves = _falling() + 0.05 * (-1) ** np.arange(60)
    assert _finding(read_curves(lines(waves)), "steps").finding == "unstable"
    assert _finding(read_curves(lines(waves), disturbed=["dropout"]), "steps").finding == "noisy"


# --- runs made here ----------------------------------------------------------------------------------------------


def _noisy_blobs():
    """A third of the labels drawn anew: what a big network learns by heart cannot help on dev."""
    data = blobs(n=160, width=10)
    label = data.columns["label"]
    rng = np.random.default_rng(0)
    codes = np.where(rng.random(160) < 0.34, rng.integers(0, 3, 160), label.codes)
    data.columns["label"] = CategoryColumn(codes, label.levels)
    return data


def test_a_run_that_learns_wrong_labels_by_heart_overfits(tmp_path):
    wanted = recipe(model__options={"hidden": [64]}, train__epochs=40, train__lr=0.02,
                    train__schedule="constant", train__weight_decay=0.0)
    run = new_run(tmp_path, wanted)
    trained(wanted, _noisy_blobs(), run=run, dev=60)
    found = write_curves(run)
    assert _finding(found, "dev loss").finding == "overfitting"
    assert _finding(found, "dev loss").evidence["from"] < 30
    assert _finding(found, "train and dev").finding == "apart"
    assert run.evidence()["curves"]["readings"][1]["finding"] == "overfitting"
    without = [each.curve for each in write_curves(run, descends=False)]
    assert without == ["dev accuracy"]
    assert [each["curve"] for each in run.evidence()["curves"]["readings"]] == without


def test_a_run_that_was_stopped_early_still_falls_and_a_long_one_does_not(tmp_path):
    slow = recipe(train__epochs=8, train__lr=3e-4, train__schedule="constant")
    run = new_run(tmp_path, slow, "slow")
    trained(slow, run=run)
    assert loss_still_falls(run)
    long = recipe(model__name="linear", model__options={}, train__epochs=60, train__lr=0.05)
    run = new_run(tmp_path, long, "long")
    trained(long, run=run)
    assert not loss_still_falls(run)


def test_a_score_in_nats_is_read_unless_it_is_the_loss_again():
    train, dev = _falling(0.0, 15), _falling()
    bound = 91 + np.maximum(0, EPOCHS - 20)  # of a variational network, whatever β was: the divergence explodes
    found = _finding(read_curves(_lines(train, dev, bound, "nats"), higher_is_better=False), "dev nats")
    assert found.finding == "overfitting"
    again = read_curves(_lines(train, dev, dev * (1 + 1e-7), "nats"), higher_is_better=False)
    assert [each.curve for each in again if each.curve.startswith("dev")] == ["dev loss"]
