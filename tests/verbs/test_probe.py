"""`probe` on a small table whose rate is far too low: the remedy is found, written, followed, its promise kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import orthogon as og
from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError, RunError
from orthogon.strategy import training_arms
from orthogon.strategy.arms import Arm, Remedy
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs import probe as verb
from orthogon.verbs.probe_progress import Progress, rung

N = 600
CURE = "quicker: train.lr=0.05"
OPTIONS = {"train.preflight": False, "train.lr": 1e-5, "model.options": {"hidden": [8]}}


def values() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(N, 2))
    return x, np.where(x[:, 0] > x[:, 1], "yes", "no")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    x, label = values()
    lines = [f"{a:.4f},{b:.4f},{y}" for (a, b), y in zip(x, label)]
    (folder / "shop.csv").write_text("a,b,bought\n" + "\n".join(lines) + "\n")
    og.train(folder / "shop.csv", target="bought", model="mlp", epochs=4, options=OPTIONS, out=folder / "runs",
             quiet=True)
    return folder


@pytest.fixture
def run(trained, tmp_path) -> Run:
    """A copy of the trained run, in an empty folder of runs."""
    shutil.copytree(trained / "runs" / "shop-1", tmp_path / "runs" / "shop-1")
    return Run(tmp_path / "runs" / "shop-1")


@pytest.fixture
def trainings(monkeypatch) -> list[str]:
    """The names of the arms that are trained, in turn."""
    names: list[str] = []
    train = training_arms.ArmTraining.__call__

    def watched(self, arm):
        names.append(arm.name)
        return train(self, arm)

    monkeypatch.setattr(training_arms.ArmTraining, "__call__", watched)
    return names


def test_a_cure_is_adopted_written_as_the_next_recipe_and_its_promise_kept(run, trained):
    found = og.probe(run, tries=[CURE], budget=30, jobs=1, quiet=True)
    adopted = found.probes.adopted
    assert adopted.name == "quicker"
    assert adopted.gain.low > 0.2
    recipe = Recipe.read(run.path / "next.yaml")
    assert recipe.train.lr == 0.05
    assert (recipe.train.steps, recipe.train.threads, recipe.train.explicit) == (None, None, None)
    assert (recipe.train.epochs, recipe.model.options) == (4, {"hidden": [8]})
    evidence = run.evidence()["probes"]
    assert evidence["promise"] == {"name": "quicker", "low": adopted.gain.low, "changes": {"train.lr": 0.05}}
    assert evidence["work"][0]["decision"] == "adopt"
    assert "adopt" in str(found)
    assert f"orthogon train --recipe {run.path / 'next.yaml'}" in " ".join(str(found).split())
    assert found.to_dict()["next"] == str(run.path / "next.yaml")
    assert json.dumps(found.to_dict())
    following = og.train(recipe=run.path / "next.yaml", out=run.path.parent, quiet=True)
    assert following.rows("dev").ids.tolist() == run.rows("dev").ids.tolist()
    promise = og.compare(run, following).promise
    assert promise.verdict == "kept"


def test_a_probe_that_was_stopped_keeps_what_is_done_and_goes_on_from_there(run, trainings, monkeypatch):
    watched = training_arms.ArmTraining.__call__

    def stopping(self, arm):
        if len(trainings) == 2:
            raise KeyboardInterrupt
        return watched(self, arm)

    with monkeypatch.context() as patch:
        patch.setattr(training_arms.ArmTraining, "__call__", stopping)
        stopped = og.probe(run, tries=[CURE], budget=30, jobs=1, quiet=True)
    assert not stopped.probes.complete
    assert stopped.next is None
    done = list(trainings)
    assert {path.parent.name for path in run.path.glob("probes/*/arm.json")} == set(done)
    first = og.probe(run, tries=[CURE], budget=30, jobs=1, quiet=True)
    assert first.probes.complete
    assert not set(done) & set(trainings[2:])
    before = len(trainings)
    again = og.probe(run, tries=[CURE], budget=30, jobs=1, quiet=True)
    assert len(trainings) == before
    assert again.probes.to_dict() == first.probes.to_dict()


def test_processes_change_nothing_but_time(run, tmp_path):
    other = Run(shutil.copytree(run.path, tmp_path / "others" / "shop-1"))
    arms = [Arm(Remedy("quicker", "", (), {"train.lr": 0.05}), 0.5, 3), Arm(None, 0.5, 3)]
    found = []
    for each, processes in ((run, 1), (other, 2)):
        opening = verb.partial(verb.open_base, each.recipe(), each.path / "passport.json", None)
        with verb.TrainingArms(each, opening, processes=processes) as measure:
            found.append(measure(arms))
    for one, two in zip(*found):
        assert one.rows.ids.tolist() == two.rows.ids.tolist()
        assert np.array_equal(one.rows["probabilities"], two.rows["probabilities"])
        assert not one.failure


def test_where_nothing_is_adopted_no_recipe_is_left_and_that_is_said(run):
    (run.path / "next.yaml").write_text("of an earlier probe")
    found = og.probe(run, tries=["same: train.momentum=0.9001"], budget=0.1, jobs=1, quiet=True)
    assert found.next is None
    assert not (run.path / "next.yaml").exists()
    assert "nothing that was tried is sure to help" in str(found)
    assert run.evidence()["probes"]["promise"] is None


def test_the_verdict_that_was_given_with_a_human_level_is_the_one_that_counts(run):
    og.diagnose(run, human="accuracy=0.99")
    remedies = {each.name for each in verb.remedies_for(run.recipe(), verb._verdict(run), verb._facts(run))}
    assert {"bigger-network", "higher-rate"} <= remedies
    document = run.evidence()["diagnosis"]
    for gap in document["gaps"]:
        gap["state"] = "negligible"
    run.write_evidence("diagnosis", {**document, "act": None})
    with pytest.raises(RecipeError, match="calls for nothing"):
        og.probe(run, quiet=True)


def test_data_in_memory_is_given_again(tmp_path):
    x, label = values()
    data = Dataset("mine", {"a": NumberColumn(x[:, 0]), "b": NumberColumn(x[:, 1]),
                            "y": CategoryColumn.from_values(label)}, "y", np.arange(N).astype(str))
    run = og.train(data, model="mlp", epochs=4, options=OPTIONS, quiet=True)
    with pytest.raises(RunError, match=r"in memory(?s:.)*data="):
        og.probe(run, tries=[CURE], quiet=True)
    found = og.probe(run, tries=[CURE], budget=12, data=data, quiet=True)
    assert found.probes.results[0].name == "quicker"
    if found.next:
        assert f"og.train(data, recipe='{found.next}')" in str(found)


def test_runs_that_cannot_be_trained_anew_say_so(run, tmp_path):
    def edited(**changes):
        copy = Run(shutil.copytree(run.path, tmp_path / "copies" / "-".join(changes), dirs_exist_ok=True))
        copy.save_recipe(copy.recipe().with_values({key.replace("__", "."): value for key, value in changes.items()}))
        return copy

    with pytest.raises(RunError, match="model was an object in memory"):
        og.probe(edited(model__name="(in memory) Mine"))
    foreign = edited(data__source="x")
    foreign.write_json("result.json", {**foreign.result, "foreign": True})
    with pytest.raises(RunError, match="no network to train anew"):
        og.probe(foreign)
    without = edited(train__seed=0)
    (without.path / "evaluations" / "dev.json").unlink()
    with pytest.raises(RunError, match="no dev set"):
        og.probe(without)
    for wrong in ({"minutes": 0}, {"budget": -1.0}, {"jobs": 0}):
        with pytest.raises(RecipeError, match="more than 0"):
            og.probe(run, **wrong)
    with pytest.raises(RecipeError, match="keeps the data"):
        og.probe(run, tries=["data.source=other"])


def test_minutes_buy_trainings_and_the_less_of_both_counts(monkeypatch):
    monkeypatch.setattr(verb, "seconds_of", lambda run: 30.0)
    run = SimpleNamespace(recipe=lambda: Recipe().with_values({"train.device": "cpu"}))
    assert verb._budget(run, None, None, None) == 4.0
    assert verb._budget(run, None, 9.0, None) == 9.0
    assert verb._budget(run, 2.0, None, 1) == 4.0
    assert verb._budget(run, 2.0, None, 8) == 8.0
    assert verb._budget(run, 2.0, 3.0, 1) == 3.0
    assert verb._budget(run, 1.0, 3.0, 1) == 2.0
    monkeypatch.setattr(verb, "cores", lambda: 16)
    assert verb._processes(run.recipe()) == 16
    assert verb._processes(Recipe().with_values({"train.device": "cuda"})) == 1


def test_each_rung_is_told(capsys):
    cure = Remedy("turn", "turn the pictures", ("variance",))
    screened = [Arm(None, 0.25, 1), Arm(cure, 0.25, 1)]
    assert rung(screened) == "screening 1 remedy at 25 % of the training"
    assert rung([*screened, Arm(cure, 0.25, 2)]) == "screening 2 remedies at 25 % of the training"
    assert rung([Arm(None, 1.0, 3), Arm(cure, 1.0, 3)]) == "confirming turn the pictures"
    assert rung([Arm(None, 1.0, 3)]) == "confirming the recipe as it is"
    with Progress(quiet=False, seconds=1.0) as progress:
        progress.watch([], 0)
        progress.watch(screened, 0)
        progress.watch(screened, 1)
    assert capsys.readouterr().err == "screening 1 remedy at 25 % of the training\n"
    with Progress(quiet=True, seconds=1.0) as progress:
        progress.watch(screened, 0)
    assert capsys.readouterr().err == ""


def test_rows_of_a_kept_arm_are_those_that_it_gave(run):
    og.probe(run, tries=[CURE], budget=12, jobs=1, quiet=True)
    folder = next(path for path in run.path.glob("probes/quicker-*"))
    document = json.loads((folder / "arm.json").read_text())
    rows = Rows.read(folder / "rows.parquet", document["classes"])
    assert rows.ids.tolist() == run.rows("dev").ids.tolist()
    assert rows["target"].tolist() == run.rows("dev")["target"].tolist()
    assert (document["arm"]["changes"], document["failure"]) == ({"train.lr": 0.05}, "")
