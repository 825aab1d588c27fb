"""What stands before the first step: data that is read, corrected and split; names that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import orthogon as og
from orthogon.data.corrections import Correction, write_corrections
from orthogon.errors import DataError, RecipeError
from orthogon.train.recipe import Recipe
from orthogon.verbs.prepare import prepare


def test_corrected_labels_move_nothing_and_open_no_sealed_test_set(tmp_path):
    before = prepare(Recipe())
    rows, labels = before.passport.rows("test")[:20], before.data.target_column()
    mended = write_corrections(tmp_path / "corrections.csv", [
        Correction(str(before.data.ids[row]), str(labels.cell(row)), str((int(labels.cell(row)) + 1) % 10))
        for row in rows])
    recipe = Recipe().with_values({"data.corrections": str(mended)})
    after = prepare(recipe)
    assert sum(labels.cell(i) != after.data.target_column().cell(i) for i in range(len(before.data))) == 20
    for part, held in before.passport.parts.items():
        assert np.array_equal(held, after.passport.parts[part])
    assert after.passport.test_key == before.passport.test_key
    passport = before.passport.write(tmp_path / "passport.json")
    again = prepare(recipe, passport=passport)  # the passport of the data as given is that of the corrected data
    assert again.data.target_column().cell(rows[0]) != labels.cell(rows[0])


def test_of_text_alone_it_is_said_what_can_be_learnt(tmp_path):
    (tmp_path / "book.txt").write_text("It was a day.\nAnd it was cold.\n" * 20)
    with pytest.raises(DataError, match=r"(?s)no target column.*--task language.*data.running=true"):
        og.train(tmp_path / "book.txt", out=tmp_path / "runs", quiet=True)


def test_what_the_task_finds_in_the_data_is_told_before_training(tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("ab\nba\n" * 20 + "a" * 1200 + "\n")
    og.train(tmp_path / "lines.txt", task="language", epochs=1, out=tmp_path / "runs", options={
        "model.options": {"hidden": 4, "layers": 1}, "train.threads": 1, "train.preflight": False})
    assert "1 of 41 texts have more than 1,000 characters" in " ".join(capsys.readouterr().out.split())


def test_a_metric_that_does_not_exist_is_refused_before_there_is_a_folder(tmp_path):
    with pytest.raises(RecipeError, match="there is no metric 'acuracy'") as caught:
        og.train("digits", options={"task.metric": "acuracy"}, out=tmp_path / "runs", quiet=True)
    assert "accuracy" in caught.value.remedy
    with pytest.raises(RecipeError, match="there is no metric 'accuracy'"):
        og.train("digits", task="regress", options={"task.metric": "accuracy"}, out=tmp_path / "runs", quiet=True)
    assert not Path(tmp_path / "runs").exists()
