"""What happens between a recipe and a finished run, in order: read, split, plan, fit, measure, compare, write."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

import numpy as np
from torch import nn

from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.errors import Diverged, RecipeError
from orthogon.report.augmentation import store_augmentation
from orthogon.report.examples import store_examples
from orthogon.report.report import write as write_report
from orthogon.report.sheets import store_sheets
from orthogon.serve.bundle import write_bundle
from orthogon.stats.estimate import Estimate
from orthogon.strategy.curves import write_curves
from orthogon.strategy.eyeball import draw_eyeball
from orthogon.strategy.health import health_findings
from orthogon.train.build import chosen_weights
from orthogon.train.compute import sentence
from orthogon.train.evaluate import as_rows, evaluate
from orthogon.train.fit import Fitted, Plan, fit, is_begun, plan
from orthogon.train.observers import Observer
from orthogon.train.pretrained import sentence as told
from orthogon.train.ranks import Ranks
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.task import Task
from orthogon.train.titles import error_name, is_accuracy
from orthogon.verbs import assess
from orthogon.verbs.compose import IN_MEMORY
from orthogon.verbs.console import Console, Row
from orthogon.verbs.diagnose import diagnosed
from orthogon.verbs.inside import inside_at_end
from orthogon.verbs.prepare import Prepared, prepare
from orthogon.verbs.progress import progress
from orthogon.verbs.targets import targets_of
from orthogon.verbs.verdict import verdict


class Session:
    """One call of `train`."""

    def __init__(
        self, run: Run, recipe: Recipe, console: Console, *, source: Any, module: nn.Module | None, tune: bool,
        test: bool, observers: Sequence[Observer], quiet: bool,
    ) -> None:
        self.run, self.recipe, self.console = run, recipe, console
        self.source, self.module, self.tune, self.test = source, module, tune, test
        self.observers, self.quiet = list(observers), quiet
        self.started = time.monotonic()

    def work(self) -> Run:
        """From the recipe to the report."""
        ranks = Ranks.join()
        self.run = Run(ranks.share(str(self.run.path)))
        prepared = prepare(self.recipe, self.source, self.run.path / "passport.json")
        if ranks.first:
            prepared.passport.write(self.run.path / "passport.json")
        noun = noun_of(prepared.data)
        self.console.line(prepared.data.name, f"{describe(prepared.data)}; {prepared.passport.describe()}")
        self._warn(prepared)
        if prepared.passport.folds:
            return self._cross_validate(prepared, ranks, noun)
        rows, dev = prepared.passport.rows("train"), prepared.passport.rows("dev")
        task = prepared.task(rows)
        self._tell(task.check(prepared.data))
        chosen = self._plan(prepared, task, rows, dev, ranks)
        self._preflight(chosen, task, rows, ranks)
        fitted = self._fit(chosen, task, prepared, rows, dev, ranks, noun)
        ranks.leave()
        if not ranks.first:
            return self.run
        look, about_test = assess.may_look(self.run, prepared.passport, self.test)
        parts = assess.shown_parts(prepared.passport, look)
        network = assess.assess_network(self.run, task, fitted.model, prepared, parts, fitted.compute)
        comparisons = self._baselines(task, prepared, rows, parts, network)
        return self._finish(prepared, task, fitted, comparisons, about_test, noun)

    # --- planning and fitting --------------------------------------------------------------------------------

    def _plan(
        self, prepared: Prepared, task: Task, rows: np.ndarray, dev: np.ndarray, ranks: Ranks, model: Any = None
    ) -> Plan:
        chosen = plan(prepared.recipe, task, rows, dev, tune=self.tune, model=model or self.module)
        if ranks.world > 1:  # timing differs between ranks; the first one's choice counts
            shared = ranks.share(chosen.recipe.model_dump() if ranks.first else None)
            chosen = replace(chosen, recipe=Recipe.from_dict(shared))
        if ranks.first:
            self.run.save_recipe(chosen.recipe)
        settings = chosen.recipe.train
        length = f"{settings.steps:,} steps"
        if settings.minutes is None and settings.epochs is not None:
            length = f"{settings.epochs} epoch{'s' if settings.epochs != 1 else ''}"
        self.console.line(
            str(chosen.recipe.model.name),
            f"{_size(chosen)}; {settings.optimizer}, {settings.schedule}, {length}; "
            + sentence(settings, list(chosen.reasons)),
        )
        if chosen.recipe.model.weights is not None and not is_begun(self.run):
            self.console.line("weights", told(chosen_weights(chosen.recipe.model), task.classes))
        return chosen

    def _preflight(self, chosen: Plan, task: Task, rows: np.ndarray, ranks: Ranks) -> None:
        """One line where all is well, one for each failure; RecipeError where the training cannot succeed."""
        if not chosen.recipe.train.preflight or not ranks.first or is_begun(self.run):
            return
        from orthogon.strategy.preflight import preflight_at_start

        found = preflight_at_start(chosen, task, rows, model=self.module)
        self.console.line("preflight", found.sentence())
        for name, outcome in found.failures.items():
            if outcome.hopeless:
                raise RecipeError(outcome.evidence, where=name, remedy=outcome.remedy)
            self.console.line("warning", f"{name}: {outcome.evidence}. {outcome.remedy}")

    def _fit(
        self, chosen: Plan, task: Task, prepared: Prepared, rows: np.ndarray, dev: np.ndarray, ranks: Ranks, noun: str,
        run: Run | None = None,
    ) -> Fitted:
        share = task.metrics[0].unit == "rate"
        watching = [*progress(self.quiet or not ranks.first, noun, share=share), *self.observers]
        try:
            return fit(chosen, task, prepared.data, rows, dev, run=run or self.run, observers=watching, ranks=ranks,
                       model=self.module)
        except Diverged as error:
            raise diverged(error, run or self.run) from None

    def _baselines(
        self, task: Task, prepared: Prepared, rows: np.ndarray, parts: dict[str, np.ndarray],
        network: dict[str, Rows],
    ) -> list[dict[str, Any]]:
        comparisons = []
        for baseline in assess.fit_baselines(task, rows):
            found = assess.assess_baseline(self.run, task, baseline, prepared, parts)
            comparisons += assess.compare(task, network, baseline.name, found)
        return comparisons

    # --- k folds ---------------------------------------------------------------------------------------------

    def _cross_validate(self, prepared: Prepared, ranks: Ranks, noun: str) -> Run:
        """Train k times; the rows that each fold's network did not see serve together as dev. Then train on all."""
        if ranks.world > 1:
            raise RecipeError("folds are trained one after another, in one process", where="split.folds",
                              remedy="Leave torchrun out, or --folds.")
        passport = prepared.passport
        network: list[Rows] = []
        baselines: dict[str, list[Rows]] = {}
        for k in range(len(passport.folds)):
            parts = passport.fold(k)
            task = prepared.task(parts["train"])
            chosen = plan(prepared.recipe, task, parts["train"], parts["dev"], model=self.module)
            self.console.line(f"fold {k + 1}/{len(passport.folds)}", f"{len(parts['train']):,} to train on, "
                              f"{len(parts['dev']):,} held out")
            if k == 0:
                self._tell(task.check(prepared.data))
                self._preflight(chosen, task, parts["train"], ranks)
            fold = self._fold_run(k, chosen)
            fitted = self._fit(chosen, task, prepared, parts["train"], parts["dev"], ranks, noun, fold)
            network.append(evaluate(task, fitted.model, prepared.data, parts["dev"], "dev", fitted.compute))
            for baseline in assess.fit_baselines(task, parts["train"]):
                results = baseline.results(task, parts["dev"])
                baselines.setdefault(baseline.name, []).append(
                    as_rows(task, prepared.data, parts["dev"], "dev", results))
        rows = passport.rows("train")
        task = prepared.task(rows)
        chosen = self._plan(prepared, task, rows, np.array([], dtype=np.int64), ranks)
        fitted = self._fit(chosen, task, prepared, rows, np.array([], dtype=np.int64), ranks, noun)
        look, about_test = assess.may_look(self.run, passport, self.test)
        parts = assess.shown_parts(passport, look)
        found = assess.assess_network(self.run, task, fitted.model, prepared, parts, fitted.compute)
        comparisons = self._baselines(task, prepared, rows, parts, found)
        found["dev"] = Rows.join(network)
        assess.write(self.run, "dev", task, found["dev"], assess.NETWORK)
        for name, pieces in baselines.items():
            whole = Rows.join(pieces)
            assess.write(self.run, f"{name}.dev", task, whole, name)
            comparisons += assess.compare(task, found, name, {"dev": whole})
        return self._finish(prepared, task, fitted, comparisons, about_test, noun)

    def _fold_run(self, k: int, chosen: Plan) -> Run:
        path = self.run.path / "folds" / str(k + 1)
        for folder in (path / "checkpoints", path / "evaluations"):
            folder.mkdir(parents=True, exist_ok=True)
        run = Run(path)
        run.save_recipe(chosen.recipe)
        return run

    # --- at the end ------------------------------------------------------------------------------------------

    def _finish(
        self, prepared: Prepared, task: Task, fitted: Fitted, comparisons: list[dict[str, Any]], about_test: str,
        noun: str,
    ) -> Run:
        run, metric = self.run, task.metrics[0].name
        splits = assess.summary(run)
        names = list(dict.fromkeys(each["baseline"] for each in comparisons))
        baseline = {name: assess.summary(run, name) for name in names}
        write_curves(run, task.has_loss)
        diagnosis = diagnosed(run, task.metrics[0], noun)
        said = verdict(diagnosis, comparisons)
        health = health_findings(run.metrics())
        parts = {part: run.rows(part) for part in splits}
        signs = task.signs(run.metrics(), parts)
        task.settle(parts)
        result = {
            "run": str(run.path), "name": run.name, "task": task.name, "metric": metric,
            "seconds": round(time.monotonic() - self.started, 3),
            "model": {"name": fitted.plan.recipe.model.name, "parameters": fitted.plan.parameters,
                      "learning": fitted.plan.learning, "multiply_adds": fitted.plan.multiply_adds},
            "data": {"title": prepared.data.card.title or prepared.data.name, "n": len(prepared.data),
                     "sentence": describe(prepared.data), "noun": noun, "card": vars(prepared.data.card)},
            "split": {"sentence": prepared.passport.describe(), "sentences": list(prepared.passport.sentences),
                      "sizes": {part: len(rows) for part, rows in prepared.passport.parts.items()},
                      "folds": len(prepared.passport.folds)},
            "splits": splits, "baseline": baseline, "comparisons": comparisons, "verdict": said,
            "test": {"sentence": about_test}, "legend": task.legend,
            "speed": speed(fitted),
            "findings": [vars(finding) for finding in (*prepared.data.findings, *task.check(prepared.data))],
            "health": {"findings": [vars(finding) for finding in health]},
            "signs": [sign._asdict() for sign in signs],
        }
        run.write_json("result.json", result)
        example = prepared.passport.rows("train")[0]
        targets = targets_of(run, task, fitted.model, fitted.compute, example, splits)
        if "dev" in splits or "test" in splits:
            shown = run.rows("dev" if "dev" in splits else "test")
            store_examples(run, prepared.data, shown, partial(task.drawn, fitted.model))
        self._store_sheets(prepared, task, fitted)
        store_augmentation(run, task, prepared.data, prepared.passport.rows("train"))
        looked = inside_at_end(run, task, fitted.model, fitted.compute, prepared, fitted.seconds)
        shipped = self._refitted(prepared, fitted) if fitted.plan.recipe.train.refit else (task, fitted)
        shipped[0].settle(parts)
        write_bundle(run, shipped[0], shipped[1].model, prepared.data)
        report = write_report(run)
        self.console.table(score_rows(metric, splits, baseline, about_test), heading=error_name(metric))
        for sign in (*signs, *health):
            self.console.line("health", f"{sign.kind}: {sign.what}. {sign.remedy}")
        if targets is not None:
            self.console.line("targets", targets.sentence)
        self.console.line("verdict", said)
        if looked:
            self.console.line("inside", looked)
        self.console.line("report", str(report))
        self.console.line("next", _next(run, prepared, result, diagnosis.outcome in ("act", "several"),
                                         task.put_to_use))
        return run

    def _store_sheets(self, prepared: Prepared, task: Task, fitted: Fitted) -> None:
        """Of dev only what belongs to the Eyeball is shown."""
        dev = prepared.passport.rows("dev")
        if len(dev):
            seen = self.run.rows("dev").take(draw_eyeball(self.run, self.run.rows("dev")).inside)
            dev = dev[np.isin(prepared.data.ids[dev], seen.ids)]
        store_sheets(self.run, task, fitted.model, fitted.compute, dev)

    def _refitted(self, prepared: Prepared, fitted: Fitted) -> tuple[Task, Fitted]:
        """The task and the network trained once more, by the same plan, on all parts but test: what is shipped."""
        parts = prepared.passport.parts
        rows = np.sort(np.concatenate([parts[name] for name in ("train", "train-dev", "dev") if name in parts]))
        task = prepared.task(rows)
        scaled = fitted.plan.recipe.with_values(
            {"train.steps": max(1, round((fitted.plan.recipe.train.steps or 1) * len(rows) / len(parts["train"])))}
        )
        self.console.line("refit", f"on {len(rows):,}: all parts but test; it has no score of its own")
        return task, fit(replace(fitted.plan, recipe=scaled), task, prepared.data, rows, model=self.module)

    def _warn(self, prepared: Prepared) -> None:
        for text in prepared.passport.sentences:
            self.console.line("split", text)
        self._tell(prepared.data.findings)

    def _tell(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            where = f" ({finding.where})" if finding.where else ""
            self.console.line(finding.severity, f"{finding.what}{where}. {finding.remedy}".strip())


def diverged(error: Diverged, run: Run) -> Diverged:
    """The error with what the health records say of the steps before it."""
    lines = run.metrics()
    broke = max((line["step"] for line in lines if line["event"] == "diverged"), default=inf)
    found = health_findings([line for line in lines if line["step"] < broke])
    seen = "; ".join(f"{each.kind}: {each.what}" for each in found)
    return Diverged(error.what, where=error.where, remedy=f"{error.remedy} Seen before it: {seen}.") if seen else error


def _next(run: Run, prepared: Prepared, result: dict[str, Any], gap: bool, use: str) -> str:
    """The command that is most useful now. gap: whether there is one to act on. use: see `Task.put_to_use`."""
    if gap and prepared.recipe.data.source != IN_MEMORY:
        return f"orthogon probe {run.name} --minutes 10   (tries what may help, side by side)"
    if prepared.recipe.data.source is None:
        return "orthogon train digits-tilted   (a harder story, one minute)"
    if "test" not in result["splits"] and prepared.passport.test_key:
        return f"orthogon evaluate {run.name} --test   (when all choices are made)"
    if prepared.recipe.data.source == IN_MEMORY:
        return f"og.load({str(run.path)!r}).predict(new_data)"
    return f"orthogon {use.format(run=run.name)}   (or: orthogon check {prepared.recipe.data.source})"


def noun_of(data: Dataset) -> str:
    return "pictures" if any(isinstance(column, ImageColumn) for column in data.inputs.values()) else "rows"


def describe(data: Dataset) -> str:
    """"1,797 pictures 8x8, 10 classes"."""
    from orthogon.data.columns import CategoryColumn

    parts = [f"{len(data):,} {noun_of(data)}"]
    pictures = next((column for column in data.inputs.values() if isinstance(column, ImageColumn)), None)
    if pictures is not None and pictures.uniform_size:
        parts[0] += f" {pictures.uniform_size[0]}x{pictures.uniform_size[1]}"
    elif pictures is None:
        parts.append(f"{len(data.inputs)} column{'' if len(data.inputs) == 1 else 's'}")
    target = None if data.target is None else data.target_column()
    if isinstance(target, CategoryColumn):
        parts.append(f"{len(target.levels)} classes")
    elif target is not None:
        parts.append(f"target {data.target}")
    return ", ".join(parts)


def _size(chosen: Plan) -> str:
    frozen = chosen.learning < chosen.parameters
    return f"{chosen.parameters:,} parameters{f', of which {chosen.learning:,} learn' if frozen else ''}"


def speed(fitted: Fitted) -> dict[str, Any]:
    """What the report's speed card shows."""
    settings = fitted.plan.recipe.train
    steps = max(1, fitted.examples // max(1, settings.batch_size or 1))
    return {
        "sentence": sentence(settings, list(fitted.plan.reasons)), "seconds": round(fitted.seconds, 3),
        "examples_per_second": round(fitted.examples / max(fitted.seconds, 1e-9), 1),
        "step_ms": round(1000 * fitted.seconds / steps, 3), "steps": settings.steps,
        "reasons": list(fitted.plan.reasons),
        "multiply_adds_per_second": round(3 * fitted.plan.multiply_adds * fitted.examples / max(fitted.seconds, 1e-9)),
    }


def score_rows(
    metric: str, splits: dict[str, Any], baseline: dict[str, Any], about_test: str
) -> list[Row]:
    """The lines of the table: baselines on dev, then the network on each part."""
    rows = []
    part = next((name for name in ("dev", "test") if name in splits), None)
    for name, measured in baseline.items():
        if part in measured:
            rows.append(Row(name, shown(metric, measured[part]["metrics"]), f"baseline, on {part}"))
    for name in ("train", "train-dev", "dev", "test"):
        if name in splits:
            rows.append(Row(name, shown(metric, splits[name]["metrics"]), about_test if name == "test" else ""))
    if "test" not in splits:
        rows.append(Row("test", Estimate(float("nan"), float("nan"), float("nan"), 0), about_test))
    return rows


def shown(metric: str, metrics: dict[str, Any]) -> Estimate:
    """What a person reads: the error where the metric is an accuracy, the metric itself elsewhere."""
    document = metrics[metric]
    none = float("nan")
    ends = {key: none if document[key] is None else document[key] for key in ("value", "low", "high")}
    found = Estimate(**ends, n=document["n"], method=document["method"], unit=document["unit"])
    return found.complement() if is_accuracy(metric) else found
