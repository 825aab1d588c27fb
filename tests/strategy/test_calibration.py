"""Can the stated probabilities be believed, and what a temperature mends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from orthogon.errors import DataError
from orthogon.strategy.calibration import at_temperature, calibration, cross_fitted, mended, temperature_of
from orthogon.train.rows import Rows


def rows(n=1000, sharpness=1.0, seed=0, split="dev", group=None):
    """Labels drawn from softmax(z); the model states softmax(sharpness · z): its temperature is the sharpness."""
    random = np.random.default_rng(seed)
    z = 1.5 * random.normal(size=(n, 4))
    target = (softmax(z, axis=1).cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    p = softmax(sharpness * z, axis=1)
    values = {"target": target, "prediction": p.argmax(1), "probabilities": p}
    return Rows(split, np.array([f"{split}{i}" for i in range(n)]), values, tuple("abcd"), group=group)


@pytest.mark.parametrize(("sharpness", "state"),
                         [(2.0, "overconfident"), (0.5, "underconfident"), (1.0, "no bias seen")])
def test_what_is_stated_is_held_against_what_is_right(sharpness, state):
    found = calibration(rows(sharpness=sharpness))
    assert found.state == state
    assert found.over.value == pytest.approx(found.stated.value - found.right.value)
    assert found.over.low < found.over.value < found.over.high
    assert state.split()[0] in found.sentence or state == "no bias seen"
    assert (found.curve.p_value < 0.05) is (state != "no bias seen")


def test_figures_are_those_of_their_definitions():
    measured = rows(200)
    found, p = calibration(measured), measured["probabilities"]
    right = (p.argmax(1) == measured["target"]).astype(float)
    assert found.stated.value == pytest.approx(p.max(1).mean())
    assert found.right.value == pytest.approx(right.mean())
    assert found.brier.score == pytest.approx(((p.max(1) - right) ** 2).mean())
    assert found.cross_entropy.value == pytest.approx(-np.log(p[np.arange(200), measured["target"]]).mean())


def test_the_sentence_gives_points_and_their_interval():
    found = calibration(rows(sharpness=2.0))
    low, high = 100 * found.over.low, 100 * found.over.high
    assert f"overconfident by {100 * found.over.value:.1f} points [{low:.1f}, {high:.1f}]" in found.sentence


def test_the_temperature_is_the_sharpness_and_changes_no_prediction():
    measured = rows(6000, sharpness=2.0)
    assert temperature_of(measured) == pytest.approx(2.0, rel=0.06)
    cooled = at_temperature(measured, 2.0)
    assert cooled["probabilities"] == pytest.approx(rows(6000)["probabilities"])
    assert np.array_equal(cooled["probabilities"].argmax(1), measured["prediction"])


def test_on_test_the_temperature_is_that_of_dev():
    dev, test = rows(sharpness=2.0), rows(sharpness=2.0, seed=1, split="test")
    found = mended(dev, test)
    assert (found.on, found.temperature) == ("test", temperature_of(dev))
    assert found.after.part == "test"
    assert found.gain.value == pytest.approx(found.before.cross_entropy.value - found.after.cross_entropy.value)
    assert found.gain.low > 0
    assert abs(found.after.over.value) < 0.03 < found.before.over.value
    assert "temperature 2." in found.sentence or "temperature 1.9" in found.sentence


def test_without_test_no_example_is_mended_by_a_temperature_that_saw_it():
    measured = rows(200, sharpness=2.0)
    fitted = cross_fitted(measured)
    used = np.log(measured["probabilities"][:, 0] / measured["probabilities"][:, 1]) / np.log(
        fitted["probabilities"][:, 0] / fitted["probabilities"][:, 1])
    temperatures, fold = np.unique(used.round(8), return_inverse=True)
    assert len(temperatures) == 5
    for k, temperature in enumerate(temperatures):
        assert temperature_of(measured.take(fold != k)) == pytest.approx(temperature, rel=1e-6)
    assert mended(measured).on == "dev, cross-fitted"


def test_groups_are_fitted_and_left_out_as_wholes():
    group = np.repeat([f"speaker {i}" for i in range(20)], 10)
    measured = rows(200, sharpness=2.0, group=group)
    fitted = cross_fitted(measured)
    used = (np.log(measured["probabilities"][:, 0] / measured["probabilities"][:, 1]) / np.log(
        fitted["probabilities"][:, 0] / fitted["probabilities"][:, 1])).round(8)
    assert all(len(set(used[group == name])) == 1 for name in group[::10])


def test_two_classes_given_as_one_probability():
    both = rows(400)
    p = softmax(np.column_stack([np.zeros(400), np.random.default_rng(0).normal(size=400)]), axis=1)
    target = (np.random.default_rng(1).random(400) < p[:, 1]).astype(int)
    two = Rows("dev", both.ids, {"target": target, "prediction": p.argmax(1), "probabilities": p}, ("n", "y"))
    one = Rows("dev", both.ids, {"target": target, "prediction": p.argmax(1), "probabilities": p[:, 1]}, ("n", "y"))
    first, second = calibration(one), calibration(two)
    assert first.over.value == pytest.approx(second.over.value)
    assert first.cross_entropy.value == pytest.approx(second.cross_entropy.value)
    assert first.sentence == second.sentence


def test_a_dev_set_without_a_mistake_bounds_no_temperature():
    measured = rows(100)
    right = Rows("dev", measured.ids, {**measured.values, "target": measured["prediction"]}, measured.classes)
    found = mended(right)
    assert not found.bounded
    assert found.sentence.startswith("no temperature")


def test_rows_that_have_no_such_probabilities_are_refused():
    numbers = Rows("dev", np.array(["a"]), {"target": np.array([1.0]), "prediction": np.array([1.0])})
    with pytest.raises(DataError, match="one class each"):
        calibration(numbers)
    with pytest.raises(DataError, match="29 examples are too few"):
        mended(rows(29))
