"""`evaluate`: the scores of a finished run on its own parts, or of its network on other data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.ledger import Ledger
from orthogon.errors import DataError, RunError
from orthogon.train.run import Run
from orthogon.train.titles import error_name

if TYPE_CHECKING:
    from orthogon.data.dataset import Dataset

WHOLE = "data"
"""The name of the part where other data comes in no parts."""


@dataclass(frozen=True)
class Evaluation:
    """Scores with their intervals.

    metric:   what the result is judged by. splits: part -> {"n", "metrics": {name: {"value", "low", "high", …}}}.
    baseline: name of a baseline -> part -> the same.
    test:     a sentence on the test set: when it was looked at, or that it is sealed.
    """

    run: str
    metric: str
    splits: dict[str, Any]
    baseline: dict[str, Any] = field(default_factory=dict)
    test: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        """The table of scores, then all metrics of the parts that were held out."""
        from orthogon.draw.tables import text_table
        from orthogon.verbs.console import labelled, score_table

        heading, rows = self._rows()
        parts = [score_table(rows, heading)] if rows else []
        if self.test and "test" not in self.splits:
            parts.append(labelled("test", self.test))
        headers, cells = self._figures([name for name in self.splits if name != "train"])
        parts.append(text_table(headers, cells, align="l" * len(headers)))
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        caption = f"{self.run}: test: {self.test}" if self.test else self.run
        return html_table(*self._figures(list(self.splits)), caption=caption)

    def _figures(self, parts: list[str]) -> tuple[list[str], list[list[str]]]:
        """Headers and cells: a row for each metric, a column for each of the parts."""
        measured = [self.splits[part]["metrics"] for part in parts]
        names = dict.fromkeys(name for metrics in measured for name in metrics)
        cells = [
            [name, *(_sentence(metrics[name]) if name in metrics else "" for metrics in measured)] for name in names
        ]
        return ["metric", *parts], cells

    def _rows(self) -> tuple[str, list[Any]]:
        from orthogon.verbs.session import score_rows

        known = {name: measured for name, measured in self.splits.items() if name != WHOLE}
        rows = score_rows(self.metric, known, self.baseline, self.test) if known else []
        rows = [row for row in rows if row.estimate.n or row.label != "test"]
        if WHOLE in self.splits:
            rows += [row._replace(label=WHOLE) for row in score_rows(self.metric, {"dev": self.splits[WHOLE]}, {}, "")
                     if row.label == "dev"]
        return error_name(self.metric), rows


def evaluate(
    run: str | Path | Run = "last", data: Any = None, *, test: bool = False, root: str | Path = "runs"
) -> Evaluation:
    """Scores of a finished run.

    run:  a path, a name under `root`, "last" or "last~1".
    data: other data with the same columns, the target among them, as `og.read` takes it; each of its parts is scored.
          Default: the run's own parts, from the rows that it stored.
    test: look at a sealed test set again, the run's own or one that is given as data; the look is entered in the
          ledger, and the run's result and report then hold it.

    Raises RunError (no such run, not finished), DataError (other columns, unknown labels, a sealed test set as data).
    """
    started = time.monotonic()
    found = Run.open(run, root)
    result = found.result
    if result.get("figures"):
        raise RunError(f"{result['task']} makes one picture, so there are no examples to score", where=str(found.path),
                       remedy=f"Its figures are in the report: orthogon report {found.path}")
    if data is None:
        if test and "test" not in result["splits"]:
            result = _look_again(found, result)
        splits, baseline, about = result["splits"], result["baseline"], result["test"]["sentence"]
        if "test" not in splits:
            about = _about_test(found, about)
    else:
        (splits, about), baseline = _on_other_data(found, data, test), {}
    seconds = round(time.monotonic() - started, 3)
    return Evaluation(str(found.path), result["metric"], splits, baseline, about, seconds)


def _about_test(run: Run, about: str) -> str:
    """How often the test set has been looked at by now."""
    key = (run.read_json("passport.json") or {}).get("test_key")
    return Ledger(run.path.parent).status(key) if key else about


def _look_again(run: Run, result: dict[str, Any]) -> dict[str, Any]:
    """Score the run's own test part, enter the look, and write result and report anew."""
    from orthogon.report.report import write as write_report
    from orthogon.serve.bundle import load
    from orthogon.train.compute import Compute
    from orthogon.verbs import assess
    from orthogon.verbs.prepare import prepare

    predictor = load(run)
    prepared = prepare(run.recipe(), None, run.path / "passport.json")
    allowed, about = assess.may_look(run, prepared.passport, True)
    if not allowed:
        return result
    parts = {"test": prepared.passport.rows("test")}
    predictor.task.attach(prepared.data, predictor.device)
    network = assess.assess_network(run, predictor.task, predictor.model, prepared, parts, Compute(predictor.device))
    comparisons = list(result["comparisons"])
    rows = prepared.passport.rows("train")
    task = prepared.task(rows)
    for baseline in assess.fit_baselines(task, rows):
        scored = assess.assess_baseline(run, task, baseline, prepared, parts)
        comparisons += assess.compare(task, network, baseline.name, scored)
    names = list(dict.fromkeys(each["baseline"] for each in comparisons))
    result = {
        **result, "splits": assess.summary(run), "baseline": {name: assess.summary(run, name) for name in names},
        "comparisons": comparisons, "test": {"sentence": about},
    }
    run.write_json("result.json", result)
    write_report(run)
    return result


def _on_other_data(run: Run, data: Any, test: bool) -> tuple[dict[str, Any], str]:
    """Part -> scores of the run's network, and what is said of a test set."""
    from orthogon.serve.bundle import load
    from orthogon.train.compute import Compute
    from orthogon.train.evaluate import evaluate as rows_of
    from orthogon.train.evaluate import metrics_document

    read = labelled_data(run, data)
    parts, about = open_parts(run, read, test)
    predictor = load(run)
    predictor.task.attach(read, predictor.device)
    splits = {}
    for part, rows in parts.items():
        scored = rows_of(predictor.task, predictor.model, read, rows, part, Compute(predictor.device))
        splits[part] = {"n": len(scored), "metrics": metrics_document(predictor.task, scored)}
    return splits, about


def labelled_data(run: Run, data: Any) -> Dataset:
    """Other data, read as the run's own was: the examples that have a target."""
    from orthogon.tasks.infer import labelled_rows
    from orthogon.verbs.compose import compose
    from orthogon.verbs.prepare import in_blocks, windows_of, with_target
    from orthogon.verbs.sources import read_as

    recipe = compose(data, recipe=run.recipe())[0]
    as_given = recipe.data.model_copy(update={"corrections": None})  # those are of the run's own examples
    read, _ = with_target(read_as(as_given, data), recipe)
    labelled = labelled_rows(read)
    if not len(labelled):
        raise DataError("no example has a target to compare with", where=read.name,
                        remedy=f"Fill in the column {read.target!r}, or use orthogon predict.")
    windows = windows_of(read, recipe)
    return read.take(labelled) if windows is None else in_blocks(read, recipe, windows)


def open_parts(run: Run, data: Dataset, test: bool) -> tuple[dict[str, np.ndarray], str]:
    """The parts that may be looked at; a sealed test set only on demand, and the look is entered. Where examples are
    windows of rows in time, those whose window is whole."""
    from orthogon.verbs.prepare import windows_of

    names = [WHOLE] if data.part is None else [name for name in dict.fromkeys(data.part.tolist()) if name]
    parts = {name: np.arange(len(data)) if data.part is None else np.flatnonzero(data.part == name) for name in names}
    if (windows := windows_of(data, run.recipe())) is not None:
        whole = windows.whole(parts, ~data.target_column().missing())[0]
        parts = {name: whole[name] for name in parts}
    ledger, said = Ledger(run.path.parent), ""
    for name, key in {name: data.content_hash(rows) for name, rows in parts.items()}.items():
        if not ledger.sealed(key):
            continue
        if test:
            said = f"look number {ledger.record(key, run.name, why='--test')} at this test set"
        else:
            said = ledger.status(key)
            del parts[name]
    if not parts:
        raise DataError("this data is a test set that was looked at before", where=data.name, remedy=f"{said}.")
    return parts, said


def _sentence(values: Mapping[str, Any]) -> str:
    from orthogon.draw.tables import format_estimate
    from orthogon.stats.estimate import Estimate

    value, low, high = (float("nan") if values.get(key) is None else values[key] for key in ("value", "low", "high"))
    return format_estimate(Estimate(value, low, high, int(values.get("n") or 0), unit=values.get("unit") or ""))
