"""One metric that judges, thresholds on others: what epochs are ranked by."""

from __future__ import annotations

import math

import pytest

from orthogon.errors import RecipeError
from orthogon.train.goal import Goal
from orthogon.train.recipe import Recipe
from orthogon.train.thresholds import Threshold, parse_threshold, split_condition
from train.worlds import new_run, recipe, trained


def test_a_threshold_is_a_sign_and_a_number():
    assert parse_threshold("recall", ">=0.9") == Threshold("recall", True, 0.9)
    assert parse_threshold("parameters", " <= 1e6 ") == Threshold("parameters", False, 1e6)
    assert str(parse_threshold("rmse", "<=-2.5")) == "rmse <= -2.5"
    for text in ("0.9", "=0.9", ">0.9", ">=", ">=high", ">=1.2.3"):
        with pytest.raises(ValueError, match="recall has"):
            parse_threshold("recall", text)


def test_a_condition_is_a_name_and_a_threshold():
    assert split_condition("recall >=0.9") == ("recall", ">=0.9")
    assert split_condition("milliseconds<=5") == ("milliseconds", "<=5")
    for text in ("recall", ">=0.9", "recall=0.9", "recall>0.9"):
        with pytest.raises(ValueError, match="is not NAME"):
            split_condition(text)


def test_a_threshold_is_kept_at_its_own_value_and_never_by_nothing():
    at_least, at_most = Threshold("a", True, 0.5), Threshold("b", False, 4.0)
    assert at_least.kept(0.5)
    assert not at_least.kept(0.49)
    assert not at_least.kept(math.nan)
    assert at_most.kept(4.0)
    assert not at_most.kept(4.1)
    assert not at_most.kept(math.nan)
    assert at_least.missed_by(0.6) == 0
    assert at_least.missed_by(0.4) == pytest.approx(0.2)
    assert at_most.missed_by(5.0) == pytest.approx(0.25)
    assert Threshold("c", True, 0.0).missed_by(-0.3) == pytest.approx(0.3)
    assert at_least.missed_by(math.nan) == math.inf


def test_a_recipe_refuses_what_is_no_threshold_and_no_weight():
    with pytest.raises(RecipeError, match="a threshold is >= or <= and a number"):
        Recipe().with_values({"task.satisfice": {"recall": "0.9"}})
    with pytest.raises(RecipeError, match="a number from 0 up"):
        Recipe().with_values({"task.costs": {"a": -1}})


def _goal(**task) -> Goal:
    wanted = recipe(**{f"task__{key}": value for key, value in task.items()}, train__epochs=1)
    return Goal.of(trained(wanted)[1])


def test_the_metric_that_the_recipe_names_comes_first():
    assert _goal().optimized.name == "accuracy"
    goal = _goal(metric="cross_entropy", satisfice={"accuracy": ">=0.5", "parameters": "<=1e6"})
    assert goal.optimized.name == "cross_entropy"
    assert [metric.name for metric, _ in goal.kept] == ["accuracy"]
    assert [threshold.name for threshold in goal.costs] == ["parameters"]


def test_unknown_names_are_refused_before_training():
    with pytest.raises(RecipeError, match="no metric 'accurracy'"):
        trained(recipe(task__metric="accurracy"))
    with pytest.raises(RecipeError, match="no metric 'accurracy'"):
        trained(recipe(task__satisfice={"accurracy": ">=0.9"}))


def test_what_keeps_every_threshold_goes_before_all_that_does_not():
    goal = _goal(metric="cross_entropy", satisfice={"accuracy": ">=0.8"})
    kept, better_but_missed = {"cross_entropy": 900.0, "accuracy": 0.8}, {"cross_entropy": 0.1, "accuracy": 0.79}
    nearer, farther = {"cross_entropy": 5.0, "accuracy": 0.7}, {"cross_entropy": 0.0, "accuracy": 0.6}
    scores = [goal.score(each) for each in (kept, better_but_missed, nearer, farther)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4
    assert goal.score({"cross_entropy": 0.3, "accuracy": 0.9}) == -0.3
    assert math.isfinite(goal.score({"cross_entropy": 0.3, "accuracy": math.nan}))
    assert _goal().score({"accuracy": 0.7}) == 0.7


def test_the_best_epoch_is_that_of_the_metric_and_its_thresholds(tmp_path):
    wanted = recipe(task__metric="cross_entropy", task__satisfice={"accuracy": ">=0.5"}, train__keep_best=True,
                    train__epochs=4, train__lr=0.3)
    run = new_run(tmp_path, wanted)
    trained(wanted, run=run)
    epochs = [line for line in run.metrics() if line["event"] == "epoch"]
    assert list(epochs[0]["dev"]) == ["cross_entropy", "accuracy", "loss"]
    good = [line for line in epochs if line["dev"]["accuracy"] >= 0.5]
    best = min(good, key=lambda line: line["dev"]["cross_entropy"])
    kept = [int(path.stem.removeprefix("best-")) for path in (run.path / "checkpoints").glob("best-*.json")]
    assert kept == [best["step"]]
