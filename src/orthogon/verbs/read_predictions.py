"""`read_predictions`: a Run of any model trained anywhere, from a table of what it predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.readers.image_files import image_column
from orthogon.report.examples import store_examples
from orthogon.report.report import write as write_report
from orthogon.strategy.dev_ledger import key_of
from orthogon.train.build import build_task
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.task import Task
from orthogon.train.titles import error_name
from orthogon.verbs import assess
from orthogon.verbs.compose import IN_MEMORY
from orthogon.verbs.console import Console
from orthogon.verbs.diagnose import diagnosed
from orthogon.verbs.predicted_values import SMALLEST
from orthogon.verbs.predictions_table import Predictions, parse, table_of
from orthogon.verbs.session import score_rows
from orthogon.verbs.task_of import STATE
from orthogon.verbs.train import environment
from orthogon.verbs.verdict import verdict


def read_predictions(
    source: Any, *, task: str | None = None, classes: Sequence[str] | None = None, positive: str | None = None,
    model: str | None = None, test: bool = False, out: str | Path = "runs", name: str | None = None,
    quiet: bool = False,
) -> Run:
    """A finished run of a model that was trained elsewhere: all that reads runs works on it, what needs weights not.

    source: a CSV, Parquet or JSON-lines file, a data frame, or a dict of arrays, with one row for each example:
            `id`, `split` (train, train-dev, dev, test), `target`, and `prediction` or probabilities: `p_CLASS` (or
            `probability_CLASS`) for each class, a list `probabilities` in the order of the classes, or for two classes
            `probability` of the positive one. Also `group`, `source`, `picture` (a path, relative to the file), `text`,
            `model` (its name).
    task:   "classify" or "regress"; default: from the target. classes: all of them, where some never occur.
    positive: of two classes the one that `probability`, precision, recall and ROC AUC speak of; default: for
            `probability` the second, for the figures the rarer one.
    model:  its name, and which one is read where a column `model` names several.
    test:   look at a sealed test set again. out, name: the folder of the runs, and the name of this one; default: the
            file's name with a number.

    Rows of test are looked at once, as with `train`: the look is entered in the ledger, under a key made of ids and
    targets. Raises DataError naming file, column and ids.
    """
    frame, where, folder = table_of(source)
    found = parse(frame, where, task=task, classes=classes, positive=positive, model=model, folder=folder)
    recipe = Recipe().with_values({
        "data.source": str(source) if folder is not None else IN_MEMORY, "data.target": "target",
        "task.name": found.task, **({"task.positive": found.positive} if found.positive else {}),
    })
    run = Run.create(recipe, out, name)
    run.write_json("environment.json", environment())
    return _Reading(run, found, Console(quiet)).work(test)


def examples_of(run: Run) -> Dataset:
    """What the table told of the examples of each part that was measured: targets, pictures, texts, groups, sources."""
    parts = [run.rows(name) for name, document in run.evaluations().items() if name == document["split"]]
    ids = np.concatenate([rows.ids for rows in parts])
    joined = {name: np.concatenate([rows[name] for rows in parts])
              for name in ("target", "picture", "text") if name in parts[0].values}
    classes = parts[0].classes
    columns: dict[str, Column] = {}
    if "picture" in joined:
        columns["picture"] = image_column([Path(path) for path in joined["picture"].tolist()], ids=ids.tolist(),
                                          channels=None, skip_bad=False, where=run.name)[0]
    if "text" in joined:
        columns["text"] = TextColumn(joined["text"].tolist())
    target = joined["target"]
    columns["target"] = CategoryColumn(target, classes) if classes else NumberColumn(target)
    part = np.concatenate([np.full(len(rows), rows.split) for rows in parts])
    group, source = (np.concatenate([getattr(rows, name) for rows in parts])
                     if all(getattr(rows, name) is not None for rows in parts) else None
                     for name in ("group", "source"))
    return Dataset(run.name, columns, "target", ids, group=group, source=source, part=part)


class _Reading:
    """From parsed predictions to a run that looks as if `train` had made it."""

    def __init__(self, run: Run, found: Predictions, console: Console) -> None:
        self.run, self.found, self.console = run, found, console
        self.noun = "pictures" if "picture" in next(iter(found.parts.values())).values else "rows"

    def work(self, test: bool) -> Run:
        run, found = self.run, self.found
        task = _task(run, found)
        run.write_json(STATE, task.state())
        keys = {part: key_of(rows) for part, rows in found.parts.items()}
        run.write_json("passport.json", {
            "foreign": True, "sizes": {part: len(rows) for part, rows in found.parts.items()}, "hashes": keys,
            "test_key": keys.get("test"), "groups": counts(found.parts, "group"),
            "sources": counts(found.parts, "source"),
        })
        look, about_test = assess.may_look_at(run, keys.get("test"), test)
        parts = {part: rows for part, rows in found.parts.items() if part != "test" or look}
        for part, rows in parts.items():
            assess.write(run, part, task, rows, assess.NETWORK)
        comparisons = self._against_constant(task, parts)
        result = self._result(task, parts, comparisons, about_test)
        run.write_json("result.json", result)
        self._keep_examples(parts)
        self._say(result, str(write_report(run)))
        return run

    def _against_constant(self, task: Task, parts: Mapping[str, Rows]) -> list[dict[str, Any]]:
        """The one baseline that needs no inputs: the majority, or the mean, of train."""
        comparisons: list[dict[str, Any]] = []
        if "train" not in parts:
            return comparisons
        name = "majority" if task.classes else "mean"
        for part, rows in parts.items():
            if part != "train":
                constant = constant_rows(parts["train"], rows)
                assess.write(self.run, f"{name}.{part}", task, constant, name)
                comparisons += assess.compare(task, {part: rows}, name, {part: constant})
        return comparisons

    def _result(
        self, task: Task, parts: Mapping[str, Rows], comparisons: list[dict[str, Any]], about_test: str
    ) -> dict[str, Any]:
        run, found, metric = self.run, self.found, task.metrics[0].name
        splits = assess.summary(run)
        sizes = {part: len(rows) for part, rows in found.parts.items()}
        n = sum(sizes.values())
        kind = f"{len(task.classes)} classes" if task.classes else "a number each"
        card = vars(Dataset(run.name, {}, None, np.array([], dtype=np.str_)).card)
        return {
            "run": str(run.path), "name": run.name, "task": task.name, "metric": metric, "foreign": True,
            "seconds": None, "model": {"name": found.model or "read predictions", "parameters": None,
                                       "multiply_adds": None},
            "data": {"title": run.name, "n": n, "sentence": f"{n:,} {self.noun}, {kind}; predictions of a model "
                     "trained elsewhere", "noun": self.noun, "card": card},
            "split": {"sentence": "split as the file names it: " + ", ".join(f"{k} {v:,}" for k, v in sizes.items()),
                      "sentences": [], "sizes": sizes, "folds": 0},
            "splits": splits,
            "baseline": {each: assess.summary(run, each) for each in dict.fromkeys(c["baseline"] for c in comparisons)},
            "comparisons": comparisons, "verdict": verdict(diagnosed(run, task.metrics[0], self.noun), comparisons),
            "test": {"sentence": about_test}, "speed": {},
            "findings": [vars(finding) for finding in found.findings], "health": {"findings": []},
        }

    def _keep_examples(self, parts: Mapping[str, Rows]) -> None:
        """Pictures and texts of the examples that the report shows."""
        shown = next((parts[part] for part in ("dev", "test", "train-dev", "train") if part in parts), None)
        if shown is not None and ("picture" in shown.values or "text" in shown.values):
            store_examples(self.run, examples_of(self.run), shown)

    def _say(self, result: dict[str, Any], report: str) -> None:
        console, metric = self.console, result["metric"]
        console.line(self.run.name, f"{result['data']['sentence']}; {result['split']['sentence']}")
        for finding in self.found.findings:
            console.line(finding.severity, told(finding))
        console.table(score_rows(metric, result["splits"], result["baseline"], result["test"]["sentence"]),
                      heading=error_name(metric))
        console.line("verdict", result["verdict"])
        console.line("report", report)
        console.line("next", f"orthogon diagnose {self.run.name}")


def counts(parts: Mapping[str, Rows], name: str) -> dict[str, Any] | None:
    """As a passport has them: of "group" how many each part holds, of "source" how many examples of each."""
    columns = {part: getattr(rows, name) for part, rows in parts.items()}
    if any(column is None for column in columns.values()):
        return None
    found = {part: np.unique(column, return_counts=True) for part, column in columns.items()}
    if name == "group":
        return {part: len(names) for part, (names, _) in found.items()}
    return {part: dict(zip(names.tolist(), many.tolist())) for part, (names, many) in found.items()}


def told(finding: Finding) -> str:
    return f"{finding.what}. {finding.remedy}".strip()


def _task(run: Run, found: Predictions) -> Task:
    """The task as if fitted on the train rows (on all, where there are none), with the table's classes."""
    task, rows = build_task(run.recipe()), found.parts.get("train") or next(iter(found.parts.values()))
    state: dict[str, Any] = {"target": "target", "inputs": {"encoders": [], "ignored": []}}
    target = rows["target"]
    if rows.classes:
        share = np.bincount(target, minlength=len(rows.classes)) / len(target)
        state |= {"classes": list(rows.classes), "share": share.tolist(), "class_weights": None, "soft": False}
    else:
        state |= {"mean": [float(target.mean())], "std": [float(target.std()) or 1.0], "names": ["target"],
                  "single": True}
    task.load_state(state)
    return task


def constant_rows(train: Rows, rows: Rows) -> Rows:
    """What always answering the most frequent class of train, or the mean, would give on those rows."""
    n, target = len(rows), rows["target"]
    if not rows.classes:
        prediction = np.full(n, train["target"].mean())
        spread = train["target"].std() or 1.0
        return replace(rows, values={"target": target, "prediction": prediction,
                                     "loss": ((prediction - target) / spread) ** 2})
    share = np.bincount(train["target"], minlength=len(rows.classes)) / len(train)
    safe = np.clip(share, SMALLEST, 1.0) / np.clip(share, SMALLEST, 1.0).sum()
    prediction = np.full(n, int(share.argmax()))
    values = {"target": target, "prediction": prediction, "loss": -np.log(safe)[target].astype(np.float32),
              "score": (prediction == target).astype(np.float32)}
    if "probabilities" in rows.values:
        values["probabilities"] = np.tile(safe.astype(np.float32), (n, 1))
    return replace(rows, values=values)
