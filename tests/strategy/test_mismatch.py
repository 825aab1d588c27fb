"""What tells two sets apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, mannwhitneyu

import orthogon as og
from orthogon.data.columns import CategoryColumn, DateColumn, ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError
from orthogon.stats import benjamini_hochberg, roc_auc
from orthogon.stats.estimate import Estimate
from orthogon.strategy.features import features
from orthogon.strategy.mismatch import LABEL, Mismatch, feature_differences, held_out_scores, linear, mismatch


def world(n=300, seed=0):
    """Two sets: "shifted" differs in value, "wider" in spread, "kind" in shares, "gaps" in what is missing."""
    random = np.random.default_rng(seed)
    second = np.arange(2 * n) >= n
    gaps = random.normal(size=2 * n)
    gaps[random.random(2 * n) < np.where(second, 0.3, 0.02)] = np.nan
    return {
        "same": random.normal(size=2 * n), "shifted": random.normal(size=2 * n) + 1.5 * second,
        "wider": random.normal(size=2 * n) * np.where(second, 3, 1), "gaps": gaps,
        "kind": np.where(random.random(2 * n) < np.where(second, 0.7, 0.3), "a", np.array(["b", "c"] * n)),
    }, second


def by_name(found):
    return {(each.name, each.question): each for each in found}


def test_each_sort_of_difference_is_found_and_named_and_what_is_alike_is_not():
    found = by_name(feature_differences(*world()))
    differing = {key for key, each in found.items() if each.differs}
    assert differing == {("shifted", "value"), ("wider", "spread"), ("kind", "share"), ("gaps is missing", "share")}
    assert found["shifted", "value"].auc.low > 0.8
    assert found["wider", "spread"].auc.low > 0.75
    assert not found["same", "value"].differs
    assert not found["wider", "value"].differs


def test_figures_are_those_of_delong_mann_whitney_chi_square_and_benjamini_hochberg():
    values, second = world()
    found = by_name(feature_differences(values, second))
    shifted = found["shifted", "value"]
    assert shifted.auc == roc_auc(values["shifted"], second)
    assert shifted.p == pytest.approx(mannwhitneyu(values["shifted"][second], values["shifted"][~second]).pvalue)
    wider = values["wider"]
    away = np.abs(wider - np.where(second, np.median(wider[second]), np.median(wider[~second])))
    assert found["wider", "spread"].auc == roc_auc(away, second)
    counts = [[(values["kind"][side] == level).sum() for level in "abc"] for side in (~second, second)]
    assert found["kind", "share"].p == pytest.approx(chi2_contingency(counts, correction=False).pvalue)
    assert found["kind", "share"].auc == roc_auc(values["kind"] == "a", second, confidence=1 - 0.05 / 3)
    adjusted = benjamini_hochberg([each.p for each in found.values()])
    assert [each.adjusted for each in found.values()] == pytest.approx(adjusted.tolist())


def test_how_is_told_in_the_units_of_the_column():
    values, second = {"age": np.repeat([30.0, 40.0], 50), "sex": np.repeat(["f", "m"], 50)}, np.arange(100) >= 50
    found = by_name(feature_differences(values, second))
    assert found["age", "value"].how == "median 30 -> 40"
    assert found["sex", "share"].how == "'f' 100.0 % -> 0.0 %"
    assert feature_differences({"constant": np.ones(100)}, second) == ()


def test_rare_levels_are_pooled_so_that_chi_square_holds():
    random = np.random.default_rng(1)
    names = np.array([f"town {i}" for i in range(200)])
    values, second = {"town": names[random.integers(0, 200, 400)]}, np.arange(400) >= 200
    (town,) = feature_differences(values, second)
    assert town.p > 0.05


def test_two_sets_that_differ_are_told_apart_and_said_so():
    values, second = world(60)
    found = mismatch(values, second, names=("train-dev", "dev"))
    assert found.state == "different"
    assert "dev looks different from train-dev" in found.sentence
    assert "shifted" in found.sentence
    assert found.n == (60, 60)
    assert found.score[second].mean() > found.score[~second].mean() + 0.2


@pytest.mark.parametrize(("low", "high", "state", "said"), [
    (0.61, 0.8, "different", "dev looks different from train"), (0.45, 0.59, "alike", "dev looks like train"),
    (0.45, 0.8, "undecided", "is not known"),
])
def test_the_state_is_that_of_the_whole_interval(low, high, state, said):
    area = Estimate((low + high) / 2, low, high, 100)
    together = {"trees": area, "linear": Estimate(0.9, 0.8, 0.95, 100)}
    found = Mismatch("train", "dev", (50, 50), (), together, np.zeros(100))
    assert found.state == state
    assert said in found.sentence
    assert "no single feature differs" in found.sentence


def test_where_nothing_differs_the_area_is_chance_on_average():
    areas = []
    for seed in range(25):
        random = np.random.default_rng(seed)
        second = random.random(60) < 0.4
        areas.append(roc_auc(held_out_scores(linear(), random.normal(size=(60, 5)), second), second).value)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.03)


def test_the_label_is_compared_but_not_given_to_the_classifier():
    values, second = world(60)
    label = np.where(second, "new", "old")
    found = mismatch({"same": values["same"]}, second, label=label)
    assert by_name(found.features)[LABEL, "share"].differs
    assert next(iter(found.together.values())).value < 0.75


def test_an_embedding_is_tried_by_a_linear_classifier():
    random = np.random.default_rng(0)
    second = np.arange(200) >= 100
    found = mismatch({"a": random.normal(size=200)}, second, embedding=random.normal(size=(200, 4)) + second[:, None])
    first, by_embedding = found.together.values()
    assert by_embedding.value > 0.85 > first.value


def test_too_few_examples_are_refused():
    with pytest.raises(DataError, match="19 of dev, 20 each are needed"):
        mismatch({"a": np.arange(60.0)}, np.arange(60) >= 41)
    with pytest.raises(DataError, match="no feature"):
        mismatch({}, np.arange(60) >= 30)


def test_phone_pictures_of_digits_are_told_apart_by_their_tilt():
    data = og.read("digits-tilted")
    found = by_name(feature_differences(features(data), data.source == "phone"))
    assert found["tilt", "spread"].auc.low > 0.75
    assert found["tilt", "spread"].differs
    assert not found["tilt", "value"].differs
    top = [name for name, _ in list(found)[:3]]
    assert "tilt" in top


def test_features_of_every_kind_of_column():
    data = Dataset("all", {
        "image": ImageColumn(np.zeros((3, 1, 8, 8), np.uint8)), "age": NumberColumn(np.array([1.0, np.nan, 3.0])),
        "size": NumberColumn(np.arange(6.0).reshape(3, 2), ("w", "h")),
        "kind": CategoryColumn(np.array([1, 0, -1]), ("a", "b")),
        "when": DateColumn(np.array(["1970-01-03", "NaT", "1970-01-01"])),
        "said": TextColumn(["Two words", None, "AB1"]), "y": CategoryColumn(np.array([0, 1, 0]), ("n", "y")),
    }, "y", np.array(["1", "2", "3"]))
    found = features(data)
    assert found["kind"].tolist() == ["b", "a", "missing"]
    np.testing.assert_array_equal(found["age"], [1, np.nan, 3])
    np.testing.assert_array_equal(found["size: h"], [1, 3, 5])
    np.testing.assert_array_equal(found["when"], [2, np.nan, 0])
    assert found["said: length"].tolist() == [9, 0, 3]
    assert found["said: words"].tolist() == [2, 0, 1]
    assert found["said: capitals"] == pytest.approx([1 / 9, 0, 2 / 3])
    assert found["said: digits"] == pytest.approx([0, 0, 1 / 3])
    assert "tilt" in found
    assert "y" not in found
