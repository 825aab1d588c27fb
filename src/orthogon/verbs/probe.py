"""`probe`: remedies that match the verdict, tried in small paired experiments; what helped is the next recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from orthogon.errors import RecipeError, RunError
from orthogon.files import write_atomically
from orthogon.strategy.arm_recipe import changed
from orthogon.strategy.curves import loss_still_falls
from orthogon.strategy.diagnosis import Diagnosis
from orthogon.strategy.experiment import BUDGET
from orthogon.strategy.experiment import probe as experiment
from orthogon.strategy.gaps import Gap
from orthogon.strategy.measure import TrainingArms, seconds_of
from orthogon.strategy.probes import Probes
from orthogon.strategy.remedies import Facts, asked_for, remedies_for
from orthogon.strategy.training_arms import Base
from orthogon.strategy.work_list import WorkList, work_list
from orthogon.train.launch import cores
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.transfer import are_symbols
from orthogon.verbs.compose import IN_MEMORY
from orthogon.verbs.console import labelled
from orthogon.verbs.diagnose import diagnosed
from orthogon.verbs.prepare import prepare
from orthogon.verbs.probe_progress import Progress
from orthogon.verbs.task_of import metric_of

NEXT = "next.yaml"
ALONE = 10.0
"""Seconds of training below which processes take longer to start than they save."""
AT_ONCE = 2
"""Arms that are trained at once when one remedy is confirmed: minutes are reckoned by that many processes at most."""


@dataclass(frozen=True)
class Probed:
    """What a probe of a run found. work: what every inquiry into the run proposes. next: the recipe to follow, or None
    where nothing was adopted."""

    run: Run
    probes: Probes
    work: WorkList
    next: Path | None

    def to_dict(self) -> dict[str, Any]:
        """As evidence/probes.json, with the ranked work list of the run."""
        return {"run": str(self.run.path), **self.run.evidence()["probes"], **self.work.to_dict(),
                "next": str(self.next) if self.next else None}

    def __str__(self) -> str:
        return f"{self.work}\n{labelled('probes', self.probes.sentence)}\n{labelled('next', self._next())}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        return f"{self.work._repr_html_()}<p>{escape(self.probes.sentence)}</p><p>next: {escape(self._next())}</p>"

    def _next(self) -> str:
        if self.next and self.run.recipe().data.source == IN_MEMORY:
            return f"og.train(data, recipe={str(self.next)!r})"
        if self.next:
            return f"orthogon train --recipe {self.next}"
        if any(result.decision == "promising" for result in self.probes.results):
            return f"nothing is confirmed yet; more time would tell: orthogon probe {self.run.name} --budget 10"
        return "nothing that was tried is sure to help"


def probe(
    run: str | Path | Run = "last", *, minutes: float | None = None, budget: float | None = None,
    tries: Sequence[str] = (), jobs: int | None = None, data: Any = None, root: str | Path = "runs",
    quiet: bool = False,
) -> Probed:
    """Try the remedies that match the verdict on a run, and write the recipe to follow where one is confirmed.

    run:     a path, a name under `root`, "last" or "last~1".
    minutes, budget: how long: by the clock, or in trainings of the run (default: 4); where both are given, the less.
    tries:   changes to try beside the remedies: "train.lr=0.01", "NAME: train.augment=[flip]".
    jobs:    processes that train side by side; default: the cores on a CPU, one on a GPU.
    data:    the data again, where it was an object in memory.

    Arms that were trained before are read from RUN/probes: a probe that was stopped goes on. Writes
    evidence/probes.json, next.yaml where a remedy is adopted, and the report anew. RunError: no such run, one that has
    not ended, or one without a network to train anew. RecipeError: nothing to try, or a change that cannot be tried.
    """
    found = Run.open(run, root)
    _check(found, minutes, budget, jobs, data)
    recipe = found.recipe()
    asked = [asked_for(text, recipe) for text in tries]
    remedies = [*asked, *remedies_for(recipe, _verdict(found), _facts(found))]
    if not remedies:
        raise RecipeError("the verdict calls for nothing that training could mend", where=found.name,
                          remedy="See `orthogon diagnose`; a change of your own is tried with --try train.lr=0.01")
    allowed = _budget(found, minutes, budget, jobs)
    seconds = allowed * seconds_of(found)
    here = data is not None or recipe.data.source == IN_MEMORY
    processes = 1 if here or (jobs is None and seconds < ALONE) else jobs or _processes(recipe)
    opening = partial(open_base, recipe, found.path / "passport.json", data)
    with Progress(quiet, seconds / processes) as progress, \
            TrainingArms(found, opening, processes=processes, side_by_side=not here, watch=progress.watch) as measure:
        probes = experiment(remedies, measure, budget=allowed, seed=recipe.train.seed, metric=metric_of(found))
    return _written(found, probes, allowed)


def open_base(recipe: Recipe, passport: Path, data: Any) -> Base:
    """The data and split of a run; called in each process that trains."""
    prepared = prepare(recipe, data, passport)
    return Base(prepared.data, prepared.passport, prepared.recipe)


def _check(run: Run, minutes: float | None, budget: float | None, jobs: int | None, data: Any) -> None:
    run.refuse_foreign("There is no network to train anew")
    recipe = run.recipe()
    _ = run.result  # says so where it has not ended
    if recipe.data.source == IN_MEMORY and data is None:
        raise RunError("its data was an object in memory", where=run.name,
                       remedy=f"Give the object again: og.probe({run.name!r}, data=…)")
    if str(recipe.model.name).startswith(IN_MEMORY):
        raise RunError("its model was an object in memory, and a probe trains from first weights", where=run.name,
                       remedy="Train with a model that has a name: model='file.py:Class'.")
    if "dev" not in run.evaluations():
        raise RunError("there is no dev set to measure a gain on", where=run.name,
                       remedy="Train with one, or with --folds 5.")
    for name, value in (("minutes", minutes), ("budget", budget), ("jobs", jobs)):
        if value is not None and not value > 0:
            raise RecipeError(f"{name} is more than 0, not {value}", where=f"--{name}")


def _verdict(run: Run) -> Diagnosis:
    """The diagnosis that was made, with the human level that was given for it; or one made now."""
    document = run.evidence().get("diagnosis")
    if document is None:
        return diagnosed(run, metric_of(run), run.result["data"]["noun"])
    gaps = tuple(Gap(gap["name"], gap["state"]) for gap in document["gaps"])
    return Diagnosis(document["metric"], document["unit"], document["tolerance"], (), gaps, document["outcome"],
                     document["act"])


def _facts(run: Run) -> Facts:
    passport, result = run.read_json("passport.json"), run.result
    sizes, folds = passport["sizes"], bool(passport["folds"])
    classes = run.evaluations()["dev"]["classes"]
    return Facts(
        train=sizes["train"], dev=sizes["train" if folds else "dev"], reserve=sizes.get("reserve", 0), folds=folds,
        pictures=result["data"]["noun"] == "pictures", loss_falls=loss_still_falls(run), metric=result["metric"],
        symbols=are_symbols(classes),
        shifted=passport["method"].get("target_source") is not None,
    )


def _processes(recipe: Recipe) -> int:
    return cores() if recipe.train.device == "cpu" else 1


def _budget(run: Run, minutes: float | None, budget: float | None, jobs: int | None) -> float:
    """In trainings of the base: as given, or what the minutes buy; the less where both are given."""
    if minutes is None:
        return BUDGET if budget is None else budget
    at_once = min(AT_ONCE, jobs or _processes(run.recipe()))
    bought = 60 * minutes * at_once / max(seconds_of(run), 1e-9)
    return bought if budget is None else min(bought, budget)


def _written(run: Run, probes: Probes, budget: float) -> Probed:
    """Evidence, next recipe and report."""
    from orthogon.report.report import write as write_report

    adopted, path = probes.adopted, run.path / NEXT
    promise = None
    if adopted is not None and adopted.gain is not None:
        changes: dict[str, Any] = dict(adopted.remedy.changes)
        promise = {"name": adopted.name, "low": adopted.gain.low, "changes": changes}
        write_atomically(path, changed(run.recipe(), changes).to_yaml())
    else:
        path.unlink(missing_ok=True)  # of a probe that had adopted something
    run.write_evidence("probes", {**probes.to_dict(), "budget": budget, "promise": promise,
                                  "next": str(path) if promise else None})
    write_report(run)
    return Probed(run, probes, work_list(run), path if promise else None)
