"""`list`: complete, one line each, without torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from orthogon.errors import OrthogonError
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
    assert list(rows) == [key for key, _ in flat_fields()]
    assert rows["train.lr"]["bounds"] == "above 0 to 100"
    assert rows["train.lr"]["scale"] == "log"
    assert rows["train.lr"]["problem"] == "train fit"
    assert rows["train.seed"]["bounds"] == "from 0"
    assert rows["data.fit"]["type"] == "crop | letterbox | stretch"
    assert rows["split.target_train"]["bounds"] == "0 to 1"


def test_metrics_are_those_of_the_tasks():
    import numpy as np

    from orthogon.tasks.metrics import classification_metrics, weighted_error
    from orthogon.tasks.multilabel_metrics import multilabel_metrics
    from orthogon.tasks.regression_metrics import regression_metrics

    of_classes = (*classification_metrics(0), weighted_error(1 - np.eye(2)))
    real = {"classify": of_classes, "regress": regression_metrics(), "multilabel": multilabel_metrics()}
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
