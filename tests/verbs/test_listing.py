"""`list`: complete, one line each, without torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from orthogon.errors import OrthogonError, RecipeError
from orthogon.train.recipe import Recipe, flat_fields
from orthogon.train.run import Run
from orthogon.verbs.listing import METRICS, list_names


@pytest.mark.parametrize("what", ["models", "tasks", "data", "runs", "optimizers", "schedules", "knobs", "metrics"])
def test_every_list_has_one_line_each(what, tmp_path):
    listing = list_names(what, root=tmp_path)
    assert listing.what == what
    json.dumps(listing.to_dict())
    if what != "runs":
        assert len(listing) > 0
        shown = str(listing)
        assert all(name in shown for name in listing.names)
        assert all("\n" not in str(row["line"]) and row["line"] for row in listing.rows)
        assert "<table>" in listing._repr_html_()


def test_known_names():
    assert {"linear", "mlp", "lenet5", "convnet"} <= set(list_names("models").names)
    assert "digits" in list_names("data").names


def test_knobs_are_those_of_the_recipe_with_their_bounds():
    rows = {row["key"]: row for row in list_names("knobs").rows}
    of_the_recipe = [key for key, row in rows.items() if not row["of"]]
    assert of_the_recipe == [key for key, _ in flat_fields()]
    assert rows["train.lr"]["bounds"] == "above 0 to 100"
    assert rows["train.lr"]["scale"] == "log"
    assert rows["train.lr"]["problem"] == "train fit"
    assert rows["train.seed"]["bounds"] == "from 0"
    assert rows["data.fit"]["type"] == "crop | letterbox | stretch"
    assert rows["split.target_train"]["bounds"] == "0 to 1"


def test_metrics_are_those_of_the_tasks():
    import numpy as np

    from orthogon.tasks.boltzmann import boltzmann_metrics
    from orthogon.tasks.forecast_metrics import forecast_metrics
    from orthogon.tasks.metrics import classification_metrics, weighted_error
    from orthogon.tasks.multilabel_metrics import multilabel_metrics
    from orthogon.tasks.reconstruct_metrics import reconstruction_metrics
    from orthogon.tasks.regression_metrics import regression_metrics
    from orthogon.tasks.verification_metrics import verification_metrics
    from orthogon.text.entities import entity_metrics
    from orthogon.text.language_metrics import language_metrics
    from orthogon.text.tag import word_metrics
    from orthogon.text.translation_metrics import translation_metrics
    from orthogon.vision.barlow_twins_results import barlow_twins_metrics
    from orthogon.vision.generate_metrics import generation_metrics
    from orthogon.vision.localization_metrics import localization_metrics
    from orthogon.vision.segment_metrics import segmentation_metrics

    of_classes = (*classification_metrics(0), weighted_error(1 - np.eye(2)))
    real = {"classify": of_classes, "regress": regression_metrics(), "multilabel": multilabel_metrics(),
            "localize": localization_metrics(True, True, True), "segment": segmentation_metrics(()),
            "barlow_twins": barlow_twins_metrics(labelled=True), "verify": verification_metrics(0.01),
            "generate": generation_metrics(), "reconstruct": reconstruction_metrics(True, True, True, 784),
            "boltzmann": boltzmann_metrics(), "forecast": forecast_metrics(1.0), "language": language_metrics(),
            "tag": (*entity_metrics(()), *word_metrics()), "translate": translation_metrics(exact_first=False)}
    listed = {task: [(name, good == "high") for name, good, _ in metrics] for task, metrics in METRICS.items()}
    assert listed == {
        task: [(metric.name, metric.higher_is_better) for metric in metrics] for task, metrics in real.items()
    }


def test_runs_are_listed_last_first_with_their_figure(tmp_path):
    recipe = Recipe().with_values({"task.name": "classify", "model.name": "mlp"})
    first, second = Run.create(recipe, tmp_path), Run.create(recipe, tmp_path)
    accuracy = {"value": 0.975, "low": 0.95, "high": 0.99, "n": 359, "unit": "rate"}
    first.write_json("result.json", {"splits": {"dev": {"n": 359, "metrics": {"accuracy": accuracy}}}})
    listing = list_names("runs", root=tmp_path)
    assert listing.names == [second.name, first.name]
    assert listing.rows[0]["state"] == "not finished"
    assert listing.rows[1]["figure"] == "97.5 % [95.0, 99.0], n = 359"
    assert [listing.rows[1][key] for key in ("part", "metric", "task")] == ["dev", "accuracy", "classify"]


def test_an_interval_that_is_null_is_shown_as_none(tmp_path):
    run = Run.create(Recipe(), tmp_path)
    run.write_json("result.json", {"splits": {"dev": {"n": 3, "metrics": {
        "rmse": {"value": 2.5, "low": None, "high": None, "n": 3, "unit": ""}}}}})
    assert "2.5" in list_names("runs", root=tmp_path).rows[0]["figure"]


def test_unknown_lists_name_the_nearest():
    with pytest.raises(OrthogonError, match="models"):
        list_names("model")


def test_listing_does_not_import_torch():
    code = (
        "import sys\nfrom orthogon.verbs.listing import list_names\n"
        "for what in ('models', 'tasks', 'optimizers', 'knobs', 'metrics'): str(list_names(what))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- row 14.01: every knob says what it is turned for ------------------------------------------------------------


def test_every_knob_has_a_problem_or_says_why_it_is_none():
    from typing import get_args

    from orthogon.train.settings import Problem
    from orthogon.verbs.listing import PROBLEMS

    assert tuple(PROBLEMS) == get_args(Problem)
    for row in list_names("knobs").rows:
        assert set(row["problem"].split(", ")) <= set(PROBLEMS), row["key"]


def test_every_number_has_bounds():
    for row in list_names("knobs").rows:
        if row["type"] not in ("int", "float", "float | int") or row["key"].endswith(".seed"):
            continue
        if row["key"].startswith("split.") and row["key"] not in ("split.target_train", "split.folds"):
            # sizes: the data is their limit
            assert row["bounds"] in ("from 0", "above 0"), row["key"]
        else:
            assert " to " in row["bounds"], row["key"]


def test_knobs_that_touch_two_problems_say_so_in_words():
    two = {row["key"] for row in list_names("knobs").rows if "," in row["problem"]}
    assert {"train.early_stopping", "train.keep_best"} <= two
    text = str(list_names("knobs", problem="dev fit"))
    line = next(line for line in text.splitlines() if line.startswith("train.early_stopping"))
    assert "[touches 2 problems at once: dev fit and train fit]" in line


def test_batch_size_is_no_knob_for_dev_error():
    row = next(row for row in list_names("knobs").rows if row["key"] == "train.batch_size")
    assert row["problem"] == "speed"
    assert "no knob for dev error" in row["line"]


def test_knobs_are_chosen_and_grouped_by_problem():
    found = list_names("knobs", problem="dev fit")
    assert {"train.l2", "train.keep_best", "model.options.dropout"} <= set(found.names)
    assert "train.lr" not in found.names
    assert str(found).startswith("DEV FIT: new examples fare worse")
    headings = [line for line in str(list_names("knobs")).splitlines() if line.partition(":")[0].isupper()]
    assert [line.partition(":")[0] for line in headings] == [
        "TRAIN FIT", "DEV FIT", "TEST FIT", "REAL WORLD", "SPEED", "DESCRIPTION", "BOOKKEEPING"]
    with pytest.raises(OrthogonError, match="no problem 'devfit'"):
        list_names("knobs", problem="devfit")
    with pytest.raises(OrthogonError, match="among knobs"):
        list_names("models", problem="dev fit")


def test_options_of_models_are_their_builders_own_with_their_defaults():
    import inspect

    from orthogon import registry

    for entry in registry.models:
        parameters = inspect.signature(entry.load()).parameters
        decided = ("spec", "variant") if entry.variant else ("spec",)
        taken = {name: each.default for name, each in parameters.items() if name not in decided}
        assert {option.name: option.default for option in entry.options} == taken, entry.name
    rows = [row for row in list_names("knobs").rows if row["of"] == "mlp"]
    assert rows[0] == {"key": "model.options.hidden", "of": "mlp", "default": [256, 128], "type": "tuple",
                       "bounds": "1 to 65536", "scale": "log", "problem": "train fit", "live": "",
                       "line": "sizes of the hidden layers"}


def test_models_of_one_family_share_the_rows_of_their_options():
    stems = [row["of"] for row in list_names("knobs").rows if row["key"] == "model.options.stem"]
    assert "resnet18, …" in stems
    assert "alexnet" in stems
    assert not [name for name in stems if name.startswith("resnet34")]


@pytest.mark.parametrize(("model", "options"), [
    ("mlp", {"hidden": [100_000]}), ("mlp", {"hidden": [64, 0]}), ("mlp", {"dropout": 1.0}),
    ("mlp", {"dropout": [0.1, -0.2]}), ("mlp", {"embedding": 0}),
])
def test_an_option_of_a_model_out_of_bounds_is_refused_before_it_is_built(model, options):
    from orthogon.nn.spec import InputSpec, ModelSpec
    from orthogon.train.build import build_model
    from orthogon.train.settings import ModelSettings

    spec = ModelSpec((InputSpec("number", (4,)),), 2)
    with pytest.raises(RecipeError, match=f"{next(iter(options))} is from"):
        build_model(spec, ModelSettings(name=model, options=options), 0)
