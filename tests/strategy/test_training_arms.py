"""Arms of a probe against runs of the same recipe; cross-fitting, folds, what is kept, what goes wrong."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

import orthogon as og
from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.strategy import training_arms
from orthogon.strategy.arm_recipe import changed, shortened
from orthogon.strategy.arms import Arm, Remedy
from orthogon.strategy.measure import TrainingArms
from orthogon.strategy.training_arms import ArmTraining, Base, pieces
from orthogon.train.fit import Plan
from orthogon.train.recipe import Recipe
from orthogon.verbs.prepare import prepare

N = 240


def table() -> Dataset:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(N, 2))
    label = np.where(x.sum(axis=1) + 0.3 * draw.normal(size=N) > 0, "yes", "no")
    columns = {"a": NumberColumn(x[:, 0]), "b": NumberColumn(x[:, 1]), "y": CategoryColumn.from_values(label)}
    source = np.where(np.arange(N) % 2 == 0, "here", "there")
    return Dataset("t", columns, "y", np.array([f"row {i:03}" for i in range(N)]), source=source)


OPTIONS = {"split.target_source": "there", "split.target_train": 0.25, "train.preflight": False, "train.threads": 1}


def trained(**named):
    options = {**OPTIONS, **named.pop("options", {})}
    return og.train(table(), quiet=True, model="mlp", epochs=2, options=options, **named)


def base_of(run) -> Base:
    prepared = prepare(run.recipe(), table(), run.path / "passport.json")
    return Base(prepared.data, prepared.passport, prepared.recipe)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(out=tmp_path_factory.mktemp("arms"))


@pytest.fixture(scope="module")
def train_arm(run):
    return ArmTraining(base_of(run), side_by_side=True)


def same(one, other):
    return one.ids.tolist() == other.ids.tolist() and np.array_equal(one["probabilities"], other["probabilities"])


def remedy(**changes):
    return Remedy("it", "it", ("bias",), {key.replace("__", "."): value for key, value in changes.items()})


def test_the_base_from_another_seed_is_the_run_of_that_seed_bit_for_bit(train_arm):
    again = trained(seed=5)
    measured = train_arm(Arm(None, 1.0, 5))
    assert same(measured.rows, again.rows("dev"))
    assert measured.seconds > 0
    assert measured.train == pytest.approx(again.result["splits"]["train"]["metrics"]["accuracy"]["value"])


@pytest.mark.parametrize("change", [
    {"model__options": {"hidden": [16]}, "train__batch_size": 16, "train__epochs": 4},
    {"model__name": "linear", "train__optimizer": "momentum", "split__move_reserve": 1.0},
])
def test_a_remedy_gives_the_rows_of_a_run_of_the_changed_recipe(run, train_arm, change):
    tried = remedy(**change)
    following = og.train(table(), recipe=changed(run.recipe(), tried.changes), options={"train.threads": 1}, quiet=True)
    assert same(train_arm(Arm(tried, 1.0, 0)).rows, following.rows("dev"))


def test_part_of_dev_is_moved_by_halves_so_that_all_of_dev_is_scored_by_networks_that_did_not_see_it(run, train_arm):
    tried = remedy(split__move_dev=0.5)
    measured = train_arm(Arm(tried, 1.0, 0))
    assert measured.rows.ids.tolist() == run.rows("dev").ids.tolist()
    following = og.train(table(), recipe=changed(run.recipe(), tried.changes), options={"train.threads": 1}, quiet=True)
    kept = following.rows("dev")
    place = [measured.rows.ids.tolist().index(name) for name in kept.ids]
    assert same(measured.rows.take(np.array(place)), kept)


@pytest.mark.parametrize("size", [0.5, 0.2, 7, 0.9])
def test_no_example_is_scored_by_a_network_that_saw_it(run, size):
    base = base_of(run)
    dev, train = base.passport.rows("dev"), base.passport.rows("train")
    found = pieces(base, changed(base.recipe, {"split.move_dev": size}))
    assert len(found) == 2
    assert sorted(np.concatenate([scored for _, scored in found]).tolist()) == dev.tolist()
    for seen, scored in found:
        assert not set(seen) & set(scored)
        assert set(train) < set(seen) <= set(train) | set(dev)
        assert np.array_equal(seen, np.unique(seen))
    if size == 0.2:
        assert len(found[0][0]) == len(found[1][0]) == len(train) + round(0.2 * len(dev))


def test_what_is_in_training_already_cannot_move_again(run):
    base = base_of(run)
    base = Base(base.data, base.passport, base.recipe.with_values({"split.move_dev": 0.5}))
    assert [len(scored) for _, scored in pieces(base, base.recipe)] == [len(base.passport.rows("dev"))]
    with pytest.raises(RecipeError, match="in training already"):
        pieces(base, changed(base.recipe, {"split.move_dev": 0.7}))


def test_with_folds_every_example_but_test_is_scored_in_the_order_of_the_run():
    run = trained(folds=3, options={"split.target_source": None, "split.target_train": 0.0})
    base = base_of(run)
    again = ArmTraining(base, side_by_side=True)(Arm(None, 1.0, 0))
    assert same(again.rows, run.rows("dev"))
    with TrainingArms(run, lambda: base) as measure:
        own = measure([Arm(None, 1.0, 0)])[0]
    assert own.seconds == pytest.approx(2 * run.result["speed"]["seconds"])


def test_an_arm_at_a_quarter_of_the_budget_takes_a_quarter_of_the_steps(train_arm, monkeypatch):
    taken = []
    fit = training_arms.fit

    def watched(plan, *args, **more):
        taken.append(plan.recipe.train.steps)
        return fit(plan, *args, **more)

    monkeypatch.setattr(training_arms, "fit", watched)
    steps = train_arm.base.recipe.train.steps
    train_arm(Arm(None, 0.25, 0))
    train_arm(Arm(remedy(train__batch_size=20), 0.5, 0))
    assert taken == [max(1, round(steps / 4)), 5]  # 90 train rows in batches of 20, twice, halved


def test_schedules_are_compressed_with_the_steps():
    recipe = Recipe().with_values({"train.steps": 900, "train.schedule": "manual", "train.schedule_epochs": 10,
                                   "train.schedule_table": {6: 0.3, 9: 0.1}})
    settings = shortened(Plan(recipe, (), 0, 0, 0), 1 / 3).recipe.train
    assert (settings.steps, settings.schedule_epochs, settings.schedule_table) == (300, 3, {2: 0.3, 3: 0.1})
    assert shortened(Plan(recipe, (), 0, 0, 0), 1e-6).recipe.train.steps == 1


def test_an_arm_that_fails_is_a_result_with_its_reason(train_arm):
    diverging = train_arm(Arm(remedy(train__optimizer="sgd", train__lr=100.0, train__l2=10.0, train__epochs=60), 1, 0))
    assert "the loss became" in diverging.failure
    assert len(diverging.rows) == 0
    assert "hiden" in train_arm(Arm(remedy(model__options={"hiden": [3]}), 1.0, 0)).failure


def test_arms_that_were_measured_are_read_and_the_run_is_its_own_base(run, train_arm):
    tried = remedy(model__options={"hidden": [8]})
    failing = remedy(model__options={"hiden": [3]})
    arms = [Arm(None, 1.0, 0), Arm(tried, 0.5, 1), Arm(failing, 0.25, 1), Arm(tried, 0.5, 1)]
    seen = []
    with TrainingArms(run, lambda: train_arm.base, watch=lambda todo, done: seen.append((len(todo), done))) as measure:
        first = measure(arms)
    assert seen == [(2, 0), (2, 1), (2, 2)]

    def closed():
        raise AssertionError("nothing is left to train")

    with TrainingArms(run, closed) as measure:
        second = measure(arms)
    for one, other in zip(first, second):
        assert same(one.rows, other.rows) if not one.failure else other.failure == one.failure
        assert one.seconds == other.seconds
    assert same(first[0].rows, run.rows("dev"))
    assert first[1].train == second[1].train
    document = json.loads((run.path / "probes" / "it-b50-s1" / "arm.json").read_text())
    assert document["arm"]["changes"] == {"model.options": {"hidden": [8]}}


def test_an_arm_of_the_same_name_with_other_changes_is_trained_anew(run, train_arm):
    with TrainingArms(run, lambda: train_arm.base) as measure:
        one = measure([Arm(remedy(train__lr=0.5), 0.5, 3)])[0]
        other = measure([Arm(remedy(train__lr=1e-5), 0.5, 3)])[0]
    assert not np.array_equal(one.rows["probabilities"], other.rows["probabilities"])


def test_a_changed_recipe_opens_what_planning_had_resolved_and_keeps_the_rest():
    base = Recipe().with_values({"train.epochs": 3, "train.steps": 60, "train.explicit": True, "train.threads": 4,
                                 "train.lr": 0.02, "model.name": "mlp", "model.options": {"hidden": [4]}})
    plain = changed(base, {}).train
    assert (plain.steps, plain.explicit, plain.threads, plain.epochs, plain.lr) == (None, None, None, 3, 0.02)
    assert changed(base, {"train.minutes": 2.0}).train.epochs is None
    assert changed(base, {"model.name": "linear"}).model.options == {}
    assert changed(base, {"train.optimizer": "momentum"}).train.lr == 0.05
    assert changed(base, {"train.optimizer": "momentum", "train.lr": 0.1}).train.lr == 0.1
    by_steps = base.with_values({"train.epochs": None})
    assert changed(by_steps, {}).train.steps == 60


def test_an_arm_of_a_run_counted_in_minutes_takes_the_steps_of_the_run():
    recipe = Recipe().with_values({"train.minutes": 2.0, "train.steps": 70})
    base = SimpleNamespace(recipe=recipe)
    arm = ArmTraining(base, side_by_side=True)
    assert arm._length(changed(recipe, {})) == {"train.steps": 70}
    assert arm._length(changed(recipe, {"train.minutes": 6.0})) == {"train.steps": 210}
    assert arm._length(changed(recipe, {"train.epochs": 6})) == {}
