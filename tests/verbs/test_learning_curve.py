"""The verb: trainings on subsets of a run's own train set, kept, and taken up again."""

from __future__ import annotations

import math
import os

import numpy as np
import polars as pl
import pytest

from orthogon.errors import RecipeError, RunError
from orthogon.tasks.metrics import mean_metric
from orthogon.verbs.learning_curve import learning_curve
from orthogon.verbs.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 20))
    label = np.where(x @ rng.normal(size=20) + 0.3 * rng.normal(size=500) > 0, "yes", "no")
    pl.DataFrame({**{f"x{k}": x[:, k] for k in range(20)}, "y": label}).write_csv(folder / "data.csv")
    return train(folder / "data.csv", target="y", model="mlp", out=folder / "runs", quiet=True,
                 options={"model.options": {"hidden": [8]}, "train.steps": 80, "train.lr": 0.03, "train.threads": 1,
                          "train.preflight": False})


def test_the_curve_of_a_run_falls_and_stands_as_evidence(run):
    curve = learning_curve(run, points=3, repeats=2, processes=1)
    assert [point.size for point in curve.points] == [75, 150, 300]
    assert curve.points[0].dev.value > curve.points[-1].dev.value
    assert all(len(point.draws) == 2 for point in curve.points)
    evidence = run.evidence()["learning-curve"]
    assert evidence["sentence"] == curve.sentence
    assert evidence["work"][0]["source"] == "learning curve"
    files = sorted(path.name for path in (run.path / "learning-curve").glob("*.parquet"))
    assert len(files) == 6


def test_what_was_trained_is_kept_and_only_the_rest_is_trained_again(run):
    learning_curve(run, points=3, repeats=2, processes=1)
    folder = run.path / "learning-curve"
    before = {path.name: os.stat(path).st_mtime_ns for path in folder.iterdir()}
    (folder / "75-1.json").unlink()
    again = learning_curve(run, points=3, repeats=2, processes=1)
    after = {path.name: os.stat(path).st_mtime_ns for path in folder.iterdir()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"75-1.json", "75-1.parquet"}
    assert again.to_dict() == learning_curve(run, points=3, repeats=2, processes=1).to_dict()


def test_what_cannot_be_trained_is_refused(run, tmp_path):
    with pytest.raises(RecipeError, match="too few to see a curve"):
        learning_curve(run, points=2)
    with pytest.raises(RecipeError, match="too few"):
        learning_curve(run, repeats=1)
    held = train({"x": list(range(80)), "y": ["a", "b"] * 40},
                 target="y", model="linear", out=tmp_path, quiet=True,
                 options={"train.steps": 2, "train.preflight": False})
    with pytest.raises(RunError, match="in memory"):
        learning_curve(held)


def test_no_curve_towards_a_best_that_there_is_not(run, monkeypatch):
    monkeypatch.setattr("orthogon.verbs.task_of.metric_of", lambda run: mean_metric("psnr", lambda rows: rows["loss"],
                                                                                    best=math.inf))
    with pytest.raises(RunError, match="psnr has no best value"):
        learning_curve(run)
