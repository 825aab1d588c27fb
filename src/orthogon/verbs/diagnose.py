"""`diagnose`: what holds a run back: bias, variance, mismatch, an overfitted dev set, or nothing that could be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orthogon.errors import RecipeError, nearest
from orthogon.strategy import diagnosis as strategy
from orthogon.strategy.diagnosis import PARTS, Diagnosis, Rung
from orthogon.strategy.human import human_reference
from orthogon.strategy.levels import as_error
from orthogon.strategy.reference import SHARES, Reference, measured, name_in, parse_reference
from orthogon.train.run import Run
from orthogon.train.task import Metric
from orthogon.verbs.assess import NETWORK
from orthogon.verbs.task_of import task_of
from orthogon.verbs.verdict import verdict


def diagnose(
    run: str | Path | Run = "last", *, human: str | None = None, human_target: str | None = None,
    goal: str | None = None, tolerance: float | None = None, root: str | Path = "runs",
) -> Diagnosis:
    """The verdict on a finished run: which gap is there, which is not, and what would decide what is open.

    run:   a path, a name under `root`, "last" or "last~1"; also one of `og.read_predictions`.
    human: how well people do it at their best (a team of experts, not a typical person) where train comes from:
           "accuracy=0.98", taken as exact, or "6/300", 6 wrong of 300. Default: what `orthogon human` measured.
    human_target: the same where dev comes from. goal: "accuracy=0.95", where nobody knows how well people do it.
           They speak of what the run is judged by, or of another metric of its task.
    tolerance: a gap within it does not matter; in points of a rate (1 = 1 %), else in the unit of the metric. Default:
           a tenth of dev's error, and at least half a point.

    Writes evidence/diagnosis.json, and verdict and report of the run anew. RunError: no such run, or not ended.
    RecipeError: a level that is a bare number, no rate, from no examples, or of another metric.
    """
    found = Run.open(run, root)
    metric = _metric(found, [human, human_target, goal])
    if human is not None and goal is not None:
        raise RecipeError("a goal stands in where nobody knows how well people do it", where="goal",
                          remedy="Give --human or --goal.")
    given = parse_reference("goal", goal, metric) if goal is not None else (
        parse_reference("human", human, metric) if human is not None else None)
    target = parse_reference("human", human_target, metric) if human_target is not None else None
    diagnosis = diagnosed(found, metric, found.result["data"]["noun"], given, target, tolerance)
    from orthogon.report.report import write as write_report

    found.write_json("result.json", {**found.result, "verdict": verdict(diagnosis, found.result["comparisons"])})
    write_report(found)
    return diagnosis


def diagnosed(
    run: Run, metric: Metric, noun: str, reference: Reference | None = None, target_reference: Reference | None = None,
    tolerance: float | None = None,
) -> Diagnosis:
    """The verdict on the evaluations of the run, kept as its evidence.

    noun: what the examples are; in the sentence stands what n counts: groups or blocks, where intervals draw these.
    """
    documents = {name: document for name, document in run.evaluations().items() if document["model"] == NETWORK}
    parts = {part: run.rows(part) for part in PARTS if part in documents}
    passport = run.read_json("passport.json") or {}
    like_train = (passport.get("method") or {}).get("dev_like_train")
    if reference is None and metric.name in SHARES:
        reference = _people(run, passport, "train")
        if reference is not None and target_reference is None and like_train is False:
            target_reference = _people(run, passport, "dev")
    rate = bool(documents) and next(iter(documents.values()))["metrics"][metric.name]["unit"] == "rate"
    in_blocks = (passport.get("method") or {}).get("in_blocks")
    counted = "blocks of time" if in_blocks else "groups" if passport.get("groups") else noun
    found = strategy.diagnose(
        parts, metric, reference=reference, target_reference=target_reference,
        tolerance=tolerance if tolerance is None or not rate else tolerance / 100,
        whole_train=documents.get("train", {}).get("n") == (passport.get("sizes") or {}).get("train"),
        like_train=like_train, noun=counted, folds=len(passport.get("folds") or ()),
    )
    found = replace(found, rungs=(*_baselines(run, metric), *found.rungs))
    run.write_evidence("diagnosis", found.to_dict())
    return found


def _metric(run: Run, texts: Sequence[str | None]) -> Metric:
    """What the levels speak of; what the run is judged by, where they do not say."""
    _ = run.result  # says so where it has not ended
    kept = {name for document in run.evaluations().values() for name in document["metrics"]}
    metrics = {metric.name: metric for metric in task_of(run).metrics if metric.name in kept}
    judged = next(iter(metrics))
    names = {name for text in texts if (name := name_in(text)) is not None}
    names = {judged if name in SHARES and judged in SHARES else name for name in names}
    if unknown := sorted(names - set(metrics)):
        raise RecipeError(f"this run has no metric {unknown[0]!r}", where=run.name,
                          remedy=nearest(unknown[0], list(metrics)))
    if len(names) > 1:
        raise RecipeError(f"the levels speak of {' and '.join(sorted(names))}", where=run.name,
                          remedy="Give all in one metric.")
    return metrics[names.pop() if names else judged]


def _people(run: Run, passport: dict[str, Any], part: str) -> Reference | None:
    """How well people do it where the part comes from, as `orthogon human` has kept it beside the runs."""
    counts = (passport.get("sources") or {}).get(part) or {}
    for source in [*sorted(counts, key=lambda name: -counts[name]), ""]:
        if found := human_reference(run.path.parent, passport.get("content") or "", source):
            return measured(*found)
    return None


def _baselines(run: Run, metric: Metric) -> list[Rung]:
    """What cheap models reach on dev."""
    from orthogon.report.view import estimate

    found = []
    for document in run.evaluations().values():
        value = estimate(document["metrics"].get(metric.name))
        if document["model"] != NETWORK and document["split"] == "dev" and value is not None:
            found.append(Rung(document["model"], as_error(value, metric), "baseline, on dev"))
    return found
