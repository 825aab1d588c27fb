"""A start that is refused leaves no run folder behind; a run in which anything was done always stays."""

import numpy as np
import pytest

import orthogon as og
from orthogon.errors import DataError, OrthogonError, RecipeError
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run


def begun(root) -> Run:
    run = Run.create(Recipe(), root, "x")
    run.write_json("environment.json", {})
    with run.lock():
        pass
    return run


@pytest.mark.parametrize(("given", "error"), [
    ({"model": "mlp", "options": {"model.options": {"hiden": [3]}}}, RecipeError),
    ({"model": "convnet", "options": {"train.lr": 1e-3, "task.metric": "acuracy"}}, RecipeError),
])
def test_a_bad_option_leaves_nothing(tmp_path, given, error):
    with pytest.raises(error):
        og.train("digits", out=tmp_path / "runs", quiet=True, **given)
    assert list((tmp_path / "runs").glob("*")) == []


def test_bad_data_leaves_nothing(tmp_path):
    alike = np.zeros((40, 8, 8), np.uint8)
    with pytest.raises(DataError):
        og.train((alike, np.arange(40) % 2), task="generate", out=tmp_path, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_other_runs_stay_and_the_number_is_free_again(tmp_path):
    kept = Run.create(Recipe(), tmp_path, "kept")
    for _ in range(2):
        with pytest.raises(OrthogonError):
            og.train("digits", model="lenet", out=tmp_path, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.recipe() == Recipe()


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints/00000001.json", "snapshots/00000000.png", "notes.txt",
                                  "checkpoints/recipe.yaml"])
def test_a_folder_with_anything_else_in_it_stays_whole(tmp_path, name):
    run = begun(tmp_path)
    (run.path / name).parent.mkdir(exist_ok=True)
    (run.path / name).write_text("x")
    before = sorted(run.path.rglob("*"))
    run.discard_unbegun()
    assert sorted(run.path.rglob("*")) == before


def test_a_link_is_something_else(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    run = begun(tmp_path / "runs")
    (run.path / "link").symlink_to(tmp_path / "elsewhere")
    run.discard_unbegun()
    assert (run.path / "link").exists()


def test_what_stands_before_the_first_step_alone_is_discarded(tmp_path):
    run = begun(tmp_path)
    run.write_json("passport.json", {})
    (run.path / "folds" / "1" / "checkpoints").mkdir(parents=True)
    run.discard_unbegun()
    assert not run.path.exists()


def test_a_run_that_is_to_be_resumed_stays_where_that_is_refused(tmp_path):
    run = begun(tmp_path)
    run.save_recipe(Recipe.from_dict({"data": {"source": str(tmp_path / "gone.csv")}}))
    with pytest.raises(OrthogonError):
        og.train(resume=run.path, out=tmp_path, quiet=True)
    assert (run.path / "recipe.yaml").exists()
