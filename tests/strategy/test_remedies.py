"""Which remedies a verdict calls for, what they change, and what a user may ask for."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from orthogon.errors import RecipeError
from orthogon.strategy.arm_recipe import changed
from orthogon.strategy.remedies import TABLE, Facts, asked_for, remedies_for
from orthogon.train.recipe import Recipe

PICTURES = Facts(train=700, dev=400, pictures=True)
TABLES = Facts(train=700, dev=400)
GAPS = ("bias", "variance", "mismatch", "dev overfitting")
EVERYTHING = Facts(train=700, dev=400, reserve=120, pictures=True, loss_falls=True, shifted=True, metric="macro_f1")


def recipe(**values):
    resolved = {
        "data.source": "digits", "task.name": "classify", "model.name": "convnet", "train.epochs": 30,
        "train.steps": 360, "train.batch_size": 64, "train.lr": 0.003, "train.weight_decay": 0.05,
    }
    return Recipe().with_values({**resolved, **{key.replace("__", "."): value for key, value in values.items()}})


def verdict(act=None, **states):
    """A diagnosis by its states alone; gaps that are not named are negligible."""
    states = {name.replace("_", " "): state for name, state in states.items()}
    return SimpleNamespace(act=act, gaps=[SimpleNamespace(name=name, state=states.get(name, "negligible"))
                                          for name in GAPS])


def names(*args):
    return [remedy.name for remedy in remedies_for(*args)]


def changes_of(name, base, facts, problem):
    found = remedies_for(base, verdict(**{problem: "present"}), facts)
    return next(each.changes for each in found if each.name == name)


def test_a_verdict_without_gaps_calls_for_nothing():
    assert names(recipe(), verdict(), EVERYTHING) == []


def test_dev_overfitting_has_no_remedy_in_training():
    assert names(recipe(), verdict("dev overfitting", dev_overfitting="present"), EVERYTHING) == []


@pytest.mark.parametrize("state", ["present", "undecided"])
@pytest.mark.parametrize("problem", ["bias", "variance", "mismatch"])
def test_a_gap_that_is_present_or_undecided_selects_the_rows_against_it(problem, state):
    found = remedies_for(recipe(), verdict(**{problem: state}), EVERYTHING)
    assert found
    against = {row.name: row.problems for row in TABLE}
    assert all(problem in against[remedy.name] and remedy.problems == (problem,) for remedy in found)
    assert len(found) >= 3


def test_unknown_bias_keeps_its_remedies_and_unknown_variance_only_where_dev_comes_from_elsewhere():
    assert "bigger-network" in names(recipe(), verdict(bias="unknown"), TABLES)
    both = verdict(variance="unknown", mismatch="unknown")
    assert names(recipe(), both, TABLES) == []
    assert {"part-of-dev", "more-decay"} <= set(names(recipe(), both, Facts(700, 400, shifted=True)))


def test_the_gap_to_act_on_comes_first_then_those_that_are_present():
    found = remedies_for(recipe(), verdict("mismatch", variance="present", mismatch="present"), EVERYTHING)
    first = [remedy.problems[0] for remedy in found]
    assert set(first) == {"mismatch", "variance"}
    assert first == sorted(first)
    assert found[0].name == "rotate-shift-scale"
    assert found[0].problems == ("mismatch", "variance")


def test_what_is_open_is_tried_only_where_the_verdict_does_not_say_what_to_act_on():
    open_ = {"bias": "unknown", "variance": "undecided", "mismatch": "present"}
    problems = {each for found in remedies_for(recipe(), verdict(**open_), EVERYTHING) for each in found.problems}
    assert problems == {"bias", "variance", "mismatch"}
    assert {each for found in remedies_for(recipe(), verdict("mismatch", **open_), EVERYTHING)
            for each in found.problems} == {"mismatch"}


BASES = [
    recipe(), recipe(model__name="mlp"), recipe(model__name="linear"), recipe(model__name="gmlp"),
    recipe(model__name="lenet5"), recipe(model__name="timm:x", train__minutes=2.0, train__epochs=None),
    recipe(train__weight_decay=0.0, train__l2=5.0, train__l1=0.1, task__label_smoothing=0.1, train__augment=["flip"],
           train__optimizer="momentum", model__options={"dropout": 0.5}),
    recipe(train__weight_decay=9.0, train__lr=99.0, train__batch_size=1, train__epochs=1_000_000, train__steps=3),
    recipe(task__name="regress", train__epochs=None, train__steps=900),
]


@pytest.mark.parametrize("base", BASES)
def test_every_change_is_a_recipe_within_the_bounds_and_none_leaves_it_as_it_is(base):
    found = remedies_for(base, verdict(bias="present", variance="present", mismatch="present"), EVERYTHING)
    assert len({remedy.name for remedy in found}) == len(found) >= 6
    for remedy in found:
        assert changed(base, remedy.changes).flat() != changed(base, {}).flat(), remedy.name
        assert remedy.cost >= 1
        assert re.fullmatch(r"[a-z0-9-]+", remedy.name)
        assert "{" not in remedy.line
        assert "None" not in remedy.line


def test_a_bigger_network_never_comes_without_more_weight_decay():
    """In worlds of known truth a bigger network alone lost up to 2.5 points."""
    for base, wider in [(recipe(model__options={"width": 48}), {"width": 96}),
                        (recipe(model__name="mlp"), {"hidden": [512, 256]}),
                        (recipe(model__name="gmlp", model__options={"depth": 2}),
                         {"depth": 2, "width": 128, "hidden": 512})]:
        changes = changes_of("bigger-network", base, TABLES, "bias")
        assert changes == {"model.options": wider, "train.weight_decay": pytest.approx(0.15)}
    changes = changes_of("bigger-network", recipe(model__name="linear", train__weight_decay=0.0), TABLES, "bias")
    assert changes == {"model.name": "mlp", "train.weight_decay": 0.01}
    changes = changes_of("bigger-network", recipe(train__l2=0.001), TABLES, "bias")
    assert changes["train.l2"] == pytest.approx(0.003)


def test_decay_grows_tenfold_up_to_its_bound():
    assert changes_of("more-decay", recipe(), TABLES, "variance") == {"train.weight_decay": 0.5}
    assert changes_of("more-decay", recipe(train__weight_decay=2.0), TABLES, "variance") == {"train.weight_decay": 10.0}
    assert changes_of("more-decay", recipe(train__weight_decay=0.0, train__optimizer="momentum"), TABLES,
                      "variance") == {"train.weight_decay": pytest.approx(5e-4)}


def test_rates_and_optimizer():
    assert changes_of("higher-rate", recipe(), TABLES, "bias") == {"train.lr": 0.009}
    assert changes_of("lower-rate", recipe(), TABLES, "bias") == {"train.lr": 0.001}
    assert changes_of("other-optimizer", recipe(), TABLES, "bias") == {
        "train.optimizer": "momentum", "train.lr": 0.05, "train.weight_decay": 5e-4}
    back = changes_of("other-optimizer", recipe(train__optimizer="momentum"), TABLES, "bias")
    assert back["train.optimizer"] == "adamw"


def test_training_longer_is_tried_only_while_the_training_loss_falls():
    bias = verdict(bias="present")
    assert "longer" not in names(recipe(), bias, TABLES)
    falling = Facts(700, 400, loss_falls=True)
    assert changes_of("longer", recipe(), falling, "bias") == {"train.epochs": 60}
    assert changes_of("longer", recipe(train__minutes=2.0), falling, "bias") == {"train.minutes": 4.0}
    assert changes_of("longer", recipe(train__epochs=None), falling, "bias") == {"train.steps": 720}


def test_less_regularization_takes_back_what_there_is():
    base = recipe(train__l1=0.1, task__label_smoothing=0.1, train__augment=["flip"],
                  model__options={"dropout": 0.5, "width": 8})
    assert changes_of("less-regularization", base, PICTURES, "bias") == {
        "train.weight_decay": pytest.approx(0.005), "train.l1": pytest.approx(0.01), "train.augment": [],
        "task.label_smoothing": 0.0, "model.options": {"dropout": 0.0, "width": 8}}
    assert "less-regularization" not in names(recipe(train__weight_decay=0.0), verdict(bias="present"), PICTURES)


def test_pictures_alone_are_augmented_and_digits_are_not_mirrored():
    variance = verdict(variance="present")
    assert not {"flip", "shift", "rotate-shift-scale"} & set(names(recipe(), variance, TABLES))
    assert {"flip", "shift", "rotate-shift-scale"} <= set(names(recipe(), variance, PICTURES))
    assert "flip" not in names(recipe(), variance, Facts(700, 400, pictures=True, symbols=True))
    assert changes_of("rotate-shift-scale", recipe(train__augment=["flip", "shift"]), PICTURES, "variance") == {
        "train.augment": ["flip", "shift", "rotate", "scale"]}
    assert "shift" not in names(recipe(train__augment=["shift"]), variance, PICTURES)


def test_dropout_where_the_model_has_it_and_smoothing_where_the_loss_takes_it():
    variance = verdict(variance="present")
    assert changes_of("dropout", recipe(model__options={"dropout": 0.1}), TABLES, "variance") == {
        "model.options": {"dropout": 0.4}}
    assert "dropout" not in names(recipe(model__name="gmlp"), variance, TABLES)
    assert "dropout" not in names(recipe(model__options={"dropout": 0.5}), variance, TABLES)
    for values in ({"task__name": "regress"}, {"task__loss": "squared_hinge"}, {"task__label_smoothing": 0.1}):
        assert "label-smoothing" not in names(recipe(**values), variance, TABLES)


def test_the_average_of_weights_spans_the_last_tenth():
    assert changes_of("average", recipe(), TABLES, "variance") == {"train.ema": pytest.approx(1 - 10 / 360, abs=1e-4)}
    assert "average" not in names(recipe(train__ema=0.9), verdict(variance="present"), TABLES)


def test_data_of_the_target_moves_into_training_and_says_what_it_costs():
    found = {each.name: each for each in remedies_for(recipe(), verdict(mismatch="present"), EVERYTHING)}
    assert found["reserve"].changes == {"split.move_reserve": 1.0}
    assert (found["reserve"].labels, found["reserve"].cost) == (120, pytest.approx(820 / 700, abs=0.01))
    assert found["reserve"].line == "move the reserve, 120 pictures, into training"
    assert found["part-of-dev"].changes == {"split.move_dev": 0.5}
    assert (found["part-of-dev"].labels, found["part-of-dev"].cost) == (200, pytest.approx(1800 / 700, abs=0.01))
    assert found["part-of-dev"].line == "move 200 pictures of dev into training"
    mismatch = verdict(mismatch="present")
    for values, facts in [({"split__move_dev": 0.5}, EVERYTHING), ({}, Facts(700, 400)),
                          ({}, Facts(700, 400, shifted=True, folds=True)), ({}, Facts(700, 60, shifted=True))]:
        assert "part-of-dev" not in names(recipe(**values), mismatch, facts)
    assert "reserve" not in names(recipe(split__move_reserve=1.0), mismatch, EVERYTHING)


def test_class_weights_only_for_a_metric_that_counts_classes_alike():
    variance = verdict(variance="present")
    assert "class-weights" in names(recipe(), variance, Facts(700, 400, metric="macro_f1"))
    assert "class-weights" not in names(recipe(), variance, Facts(700, 400, metric="accuracy"))


def test_what_the_user_asks_for():
    plain = asked_for("train.lr=0.01", recipe())
    assert (plain.name, plain.line, plain.problems) == ("train-lr-0-01", "train.lr=0.01", ("bias",))
    assert dict(plain.changes) == {"train.lr": 0.01}
    named = asked_for("my turn: train.augment=[rotate]; train.epochs=60", recipe())
    assert (named.name, named.line, named.cost) == ("my-turn", "my turn", 2.0)
    assert dict(named.changes) == {"train.augment": ["rotate"], "train.epochs": 60}
    assert named.problems == ("variance", "mismatch", "bias")
    options = asked_for("model.options={width: 8}", recipe())
    assert dict(options.changes) == {"model.options": {"width": 8}}
    assert asked_for("split.move_dev=0.2", recipe()).cost == 2.0
    assert asked_for("shift: train.augment=[shift]", recipe()).name == "try-shift"
    assert asked_for("base: train.augment=[shift]", recipe()).name == "try-base"


@pytest.mark.parametrize(("text", "words"), [
    ("train.lr", "not KEY=VALUE"), ("train.lrr=1", "train.lr"), ("train.lr=-1", "greater than 0"),
    ("data.source=other", "keeps the data"), ("split.seed=3", "keeps the split"), ("train.seed=3", "keeps the train"),
    ("task.name=regress", "keeps the task"), ("train.augment=[turn]", "rotate"),
])
def test_what_cannot_be_tried_is_refused(text, words):
    with pytest.raises(RecipeError, match=words):
        asked_for(text, recipe())


def transferred(transfer, **values):
    return recipe(model__name="mobilenet_v2", model__weights="imagenet", train__transfer=transfer, **values)


def test_against_bias_more_layers_of_a_pretrained_network_learn_and_against_variance_fewer():
    """Rows 18.02 to 18.05, as something that a probe can turn."""
    flip = {"train__augment": ["flip"]}
    for before, after in (("features", "last"), ("head", "last"), ("last", "all")):
        changes = changes_of("more-layers-learn", transferred(before, **flip), PICTURES, "bias")
        assert changes == {"train.transfer": after, "train.optimizer": "adamw", "train.lr": 8e-3,
                           "train.weight_decay": 0.05, "train.layer_decay": 0.5, "train.trunk_rate": 0.05,
                           "train.epochs": 10,
                           "train.batch_size": 32}
    for before, after in (("all", "last"), ("gradual", "last"), ("last", "features")):
        changes = changes_of("fewer-layers-learn", transferred(before, **flip), PICTURES, "variance")
        assert (changes["train.transfer"], changes["train.epochs"]) == (after, 100 if after == "features" else 10)
    assert changes_of("fewer-layers-learn", transferred("last", train__augment=["crop"]), PICTURES,
                      "variance")["train.transfer"] == "head"
    assert changes_of("more-layers-learn", transferred("features"), PICTURES, "bias")["train.augment"] == [
        "flip", "crop", "rotate", "color"]
    costs = {remedy.name: remedy.cost for base in ("features", "last") for remedy in
             remedies_for(transferred(base), verdict(bias="present"), PICTURES)}
    assert costs["more-layers-learn"] == 2.0
    assert next(each.cost for each in remedies_for(transferred("features"), verdict(bias="present"), PICTURES)
                if each.name == "more-layers-learn") == 10.0


def test_nothing_is_frozen_or_thawed_where_all_learns_already_nothing_is_pretrained_or_layers_are_named():
    bias, variance = verdict(bias="present"), verdict(variance="present")
    for base in (transferred("all"), transferred("gradual"), recipe(), transferred("all", train__freeze=3)):
        assert "more-layers-learn" not in names(base, bias, PICTURES)
    for base in (transferred("features"), transferred("head"), recipe(), transferred("all", train__freeze=3)):
        assert "fewer-layers-learn" not in names(base, variance, PICTURES)


def test_stored_features_are_mirrored_at_most_and_a_network_with_weights_keeps_its_size():
    found = names(transferred("features"), verdict(variance="present", mismatch="present", bias="present"), EVERYTHING)
    assert "flip" in found
    assert not {"shift", "rotate-shift-scale", "bigger-network"} & set(found)
    assert {"shift", "rotate-shift-scale"} < set(names(transferred("last"), verdict(variance="present"), PICTURES))
