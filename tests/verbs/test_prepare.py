"""What stands before the first step: data that is read, corrected and split; names that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import orthogon as og
from orthogon.data.corrections import Correction, write_corrections
from orthogon.errors import RecipeError
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


def test_a_metric_that_does_not_exist_is_refused_before_there_is_a_folder(tmp_path):
    with pytest.raises(RecipeError, match="there is no metric 'acuracy'") as caught:
        og.train("digits", options={"task.metric": "acuracy"}, out=tmp_path / "runs", quiet=True)
    assert "accuracy" in caught.value.remedy
    with pytest.raises(RecipeError, match="there is no metric 'accuracy'"):
        og.train("digits", task="regress", options={"task.metric": "accuracy"}, out=tmp_path / "runs", quiet=True)
    assert not Path(tmp_path / "runs").exists()
