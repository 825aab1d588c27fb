"""Texts from a file to a report: what is learnt, what stands beside it, what is shown."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers_tasks import ready

import orthogon as og
from orthogon.data.columns import CategoryColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.tasks.classify import Classify

DRAW = np.random.default_rng(0)
GOOD, BAD = ["love", "great", "nice", "fine"], ["hate", "awful", "bad", "poor"]
REST = ["the", "film", "was", "very", "quite"]


def written(path: Path, n: int = 120) -> Path:
    lines = ["text,label,stars,tags"]
    for row in range(n):
        said = [*DRAW.choice(GOOD if row % 2 else BAD, 2), *DRAW.choice(REST, DRAW.integers(1, 5))]
        lines.append(f"{' '.join(DRAW.permutation(said))},{'good' if row % 2 else 'bad'},{row % 2},"
                     f"{'liked|any' if row % 2 else 'any'}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("target", "ignored", "task"), [
    ("label", ("stars", "tags"), "classify"), ("stars", ("label", "tags"), "regress"),
    ("tags", ("label", "stars"), "multilabel")])
def test_a_table_of_texts_becomes_a_report_and_a_bundle(tmp_path, target, ignored, task):
    source = written(tmp_path / "reviews.csv")
    run = og.train(source, target=target, task=task, out=tmp_path, quiet=True, epochs=3, options={
        "data.types": {**dict.fromkeys(ignored, "ignore"), "text": "text"}, "train.threads": 1,
        "model.options": {"filters": 8, "embedding": 8}})
    recipe = run.recipe()
    assert recipe.model.name == "text_cnn"
    assert recipe.train.explicit is False
    assert {document["model"] for document in run.evaluations().values()} == {
        "network", *(("mean", "tf-idf ridge") if task == "regress" else ("majority", "tf-idf svm"))}
    shown = json.loads((run.path / "shown.json").read_text())
    text = next(iter(shown.values()))["record"]["text"]
    assert set(text.split()) <= {*GOOD, *BAD, *REST}
    assert text.split()[0] in (run.path / "report.html").read_text()
    (found,) = og.load(run.path).predict(["what a great nice film"])
    assert {"classify": "label", "regress": "value", "multilabel": "labels"}[task] in found


def test_inputs_keep_the_texts_as_they_were_read():
    column = TextColumn(["One two", "two ONE", None] * 4)
    data = Dataset("t", {"text": column, "y": CategoryColumn(np.arange(12) % 2, ["a", "b"])}, "y",
                   np.arange(12).astype(str))
    task = ready(Classify, data)
    assert task.inputs.texts == {"text": column}
    assert task.default_model()[0] == "text_cnn"
