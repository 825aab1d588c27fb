"""What the sections of a report read: one run, each file of it read once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from orthogon.errors import RunError
from orthogon.report import facts
from orthogon.report.examples import SHOWN
from orthogon.report.pairs import PairFacts, pair_facts
from orthogon.report.tags import TagFacts, tag_facts
from orthogon.stats.estimate import Estimate
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.titles import error_name, is_accuracy, title_of

SPLITS = ("train", "train-dev", "dev", "test")
NETWORK = "network"
LOWER_IS_BETTER = {"error", "loss", "mae", "rmse", "mse", "brier", "entropy", "perplexity", "nll"}
"""Words in the names of metrics of which less is better, for runs that do not tell the direction."""


class View:
    """A run as its report sees it. Everything may be missing: a run that has just begun has a recipe and no more.

    run: the run; a `View` is made by `View(run)` and reads its files when a section asks for them.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._rows: dict[str, Rows | None] = {}

    @cached_property
    def result(self) -> dict[str, Any]:
        """result.json, or an empty dict while training has not ended."""
        return self.run.read_json("result.json") or {}

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        return self.run.metrics()

    @cached_property
    def evidence(self) -> dict[str, dict[str, Any]]:
        """What inquiries into the run found: "diagnosis", "probes", "learning-curve", …"""
        return self.run.evidence()

    @property
    def diagnosis(self) -> dict[str, Any]:
        return self.evidence.get("diagnosis") or {}

    @property
    def health(self) -> list[dict[str, Any]]:
        """The health records of the run."""
        return [line for line in self.metrics if line.get("event") == "health" and line.get("layers")]

    @cached_property
    def shown(self) -> dict[str, dict[str, Any]]:
        """id -> picture and record of the examples that were kept for showing."""
        return self.run.read_json(SHOWN) or {}

    @cached_property
    def documents(self) -> dict[str, dict[str, Any]]:
        """Name -> document of every evaluation that has a split."""
        return {name: found for name, found in self.run.evaluations().items()
                if isinstance(found, dict) and "split" in found}

    @property
    def task(self) -> str:
        """The name of the task; "" where the run does not tell."""
        return str(self.result.get("task") or self.run.recipe().task.name or "")

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """Split -> {"n", "metrics"} of the network, in the order train, train-dev, dev, test."""
        found = dict(self.result.get("splits") or {})
        for name, document in self.documents.items():
            if name == document["split"] and name not in found:
                found[name] = {"n": document.get("n"), "metrics": document.get("metrics") or {}}
        order = [*(s for s in SPLITS if s in found), *sorted(s for s in found if s not in SPLITS)]
        return {split: found[split] for split in order}

    @property
    def baselines(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Baseline -> split -> {"n", "metrics"}."""
        found = {name: dict(of) for name, of in (self.result.get("baseline") or {}).items()}
        for document in self.documents.values():
            model, split = str(document.get("model") or NETWORK), document["split"]
            if model != NETWORK:
                found.setdefault(model, {}).setdefault(
                    split, {"n": document.get("n"), "metrics": document.get("metrics") or {}})
        return found

    @cached_property
    def pairs(self) -> PairFacts | None:
        """What pairs of the main evaluation say, where it is of identities."""
        return None if self.main_rows is None else pair_facts(self.main_rows)

    @cached_property
    def tags(self) -> TagFacts | None:
        """What the main evaluation says of tags, where it is of tagged words."""
        return None if self.main_rows is None else tag_facts(self.main_rows)

    @cached_property
    def main(self) -> str | None:
        """The evaluation whose examples are looked at: dev, so that test stays a check; else what there is."""
        return next((name for name in ("dev", "test", "train-dev", "train") if self.rows(name) is not None), None)

    @property
    def main_rows(self) -> Rows | None:
        return self.rows(self.main) if self.main else None

    @cached_property
    def per_class(self) -> list[facts.ClassFigures]:
        """Figures of each class or label on `main`; empty for numbers."""
        rows = self.main_rows
        return facts.per_class(rows) if rows is not None and rows.classes and len(rows) else []

    @cached_property
    def calibration(self) -> facts.Calibration | None:
        rows = self.main_rows
        return facts.calibration(rows) if rows is not None and rows.classes else None

    @cached_property
    def residuals(self) -> list[facts.Residuals]:
        """Of each predicted number on `main`; empty for classes, where predictions answer no target, and for
        what lies on a picture, of which overlap tells more."""
        rows = self.main_rows
        if rows is None or rows.classes or rows.texts or not rows.answers or rows.get("iou") is not None:
            return []
        return facts.residuals(rows)

    def rows(self, name: str) -> Rows | None:
        """The rows of an evaluation; None where it was not made."""
        if name not in self._rows:
            known = name in self.documents and (self.run.path / "evaluations" / f"{name}.parquet").exists()
            try:
                self._rows[name] = self.run.rows(name) if known else None
            except (OSError, KeyError) as error:
                raise RunError(f"the rows of {name!r} cannot be read: {error}", where=str(self.run.path)) from error
        return self._rows[name]

    @property
    def comparisons(self) -> list[dict[str, Any]]:
        """The paired comparisons of the network with each baseline; `verdict` is about the network."""
        return [one for one in self.result.get("comparisons") or [] if isinstance(one.get("difference"), int | float)]

    # --- the figure that the result is judged by --------------------------------------------------------------

    @property
    def metric(self) -> str:
        """The name of the main metric: the one that the run names, else the first of an evaluation; "" without any."""
        named = self.result.get("metric")
        first = next((name for of in self.splits.values() for name in of.get("metrics") or {}), "")
        return str(named or first)

    def main_estimate(self, of: dict[str, Any]) -> Estimate | None:
        """The main metric of one {"n", "metrics"}; accuracy is told as the error, 100 % minus it."""
        metrics = of.get("metrics") or {}
        found = estimate(metrics.get(self.metric))
        if found is None or not self.shows_error:
            return found
        return found.complement()

    @property
    def shows_error(self) -> bool:
        """Whether the main metric is a share of right answers, so that 100 % minus it is the error."""
        return is_accuracy(self.metric)

    @property
    def noun(self) -> str:
        """What the examples are called: "pictures", "rows"."""
        return str((self.result.get("data") or {}).get("noun") or "examples")

    @property
    def rate(self) -> bool:
        """Whether the main metric is a share, shown in percent."""
        found = [estimate((of.get("metrics") or {}).get(self.metric)) for of in self.splits.values()]
        return any(one is not None and one.unit == "rate" for one in found)

    @property
    def metric_title(self) -> str:
        return title_of(self.metric)

    @property
    def main_title(self) -> str:
        """What `main_estimate` is, in words."""
        return title_of(error_name(self.metric))

    @property
    def lower_is_better(self) -> bool:
        """The direction of good of `main_estimate`."""
        if self.shows_error:
            return True
        told = [of["metrics"][self.metric].get("higher_is_better") for of in self.splits.values()
                if self.metric in (of.get("metrics") or {})]
        if told and told[0] is not None:
            return not told[0]
        words = set(self.metric.lower().replace("-", "_").replace(" ", "_").split("_"))
        return bool(words & LOWER_IS_BETTER)


def estimate(document: Any) -> Estimate | None:
    """An Estimate from its dict; None where there is none or its value is not a number. Null ends become NaN."""
    if isinstance(document, Estimate):
        return document
    if not isinstance(document, dict) or not isinstance(document.get("value"), int | float):
        return None
    low, high = (float("nan") if document.get(end) is None else float(document[end]) for end in ("low", "high"))
    return Estimate(float(document["value"]), low, high, int(document.get("n") or 0),
                    str(document.get("method") or ""), str(document.get("unit") or ""))
