"""`compare`: runs beside each other, by the same examples of dev."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orthogon.data.ledger import Ledger
from orthogon.errors import RunError
from orthogon.report.report import write as write_report
from orthogon.strategy.comparison import Comparison, Contender, compare_contenders, follows, judge_promise
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs.assess import NETWORK
from orthogon.verbs.overfitting import tell_overfitting
from orthogon.verbs.task_of import metric_of

SPEED = {"device", "precision", "channels_last", "fused", "flat", "explicit", "compile", "threads", "checkpoint_steps",
         "health", "preflight", "micro_batch_size", "minutes"}
"""Knobs of training that do not change what is learnt: runs that differ by them and the seed alone are seeds of one."""

PARTS = ("dev", "test")


def compare(*runs: str | Path | Run, part: str = "dev", root: str | Path = "runs") -> Comparison:
    """Runs against the first one named, on the examples of a part that all have.

    runs: two or more: paths, names under `root`, "last", "last~1". Those that differ by their seed alone are one line,
          with their range. Baselines of the runs are lines of their own.
    part: "dev", or "test" where all have looked already; nothing is looked at here.

    By the metric that the runs are judged by: right and wrong in pairs (interval by Tango, p by McNemar), all else by
    paired bootstrap. Where the first run has a probe's promise (evidence "probes") and the second one's recipe holds
    its changes, the promise is judged. The best of them is told how much too good it is for having been chosen by dev
    (evidence "overfitting", and its report anew). RunError, DataError where they cannot be compared.
    """
    if part not in PARTS:
        raise RunError(f"runs are not compared on {part!r}", where="--part", remedy="dev, or test.")
    found = list({run.path.resolve(): run for run in (Run.open(run, root) for run in runs)}.values())
    if len(found) < 2:
        raise RunError("there is one run only", where=", ".join(run.name for run in found) or "compare",
                       remedy="Name two: orthogon compare last~1 last")
    _refuse_unlike(found)
    _refuse_unseen(found, part)
    seeds = _by_recipe(found)
    contenders = [_contender(members, part) for members in seeds]
    if len(contenders) < 2:  # the same recipe throughout: then the seeds are what is compared
        contenders = [_contender([run], part) for run in found]
    comparison = compare_contenders(part, metric_of(found[0]), [*contenders, *_baselines(found, part)])
    choice = _about_choice(found) if part == "dev" else ""
    return replace(comparison, promise=_promise(found, comparison), remark=_about_test(found, part), choice=choice)


def _refuse_unlike(runs: Sequence[Run]) -> None:
    first = runs[0].result
    for run in runs[1:]:
        for key, what in (("task", "task"), ("metric", "metric that judges")):
            if run.result[key] != first[key]:
                raise RunError(f"the {what} is {first[key]!r} in {runs[0].name} and {run.result[key]!r} in {run.name}",
                               where="compare", remedy="Compare runs of one task, judged by one metric.")


def _refuse_unseen(runs: Sequence[Run], part: str) -> None:
    for run in runs:
        if part not in run.result["splits"]:
            remedy = ("Compare on dev; if all choices are made: orthogon evaluate "
                      f"{run.name} --test" if part == "test" else "Train with a dev set, or with --folds.")
            raise RunError(f"{run.name} was not measured on {part}", where=str(run.path), remedy=remedy)


def _by_recipe(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs of one recipe but for the seed together, in the order in which the first of them is named."""
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        groups.setdefault(_recipe_key(run), []).append(run)
    return list(groups.values())


def _recipe_key(run: Run) -> Any:
    """What is learnt, whatever the seed; each run of predictions is one of its own."""
    if run.foreign:
        return run.name
    left_out = {"train.seed", "train.refit", *(f"train.{name}" for name in SPEED)}
    return repr(sorted((key, value) for key, value in run.recipe().flat().items() if key not in left_out))


def _contender(members: Sequence[Run], part: str) -> Contender:
    results = [run.result for run in members]
    seconds = [result["speed"]["seconds"] for result in results if result["speed"]]
    name = members[0].name if len(members) == 1 else f"{members[0].name} and {len(members) - 1} more seeds"
    return Contender(
        name, tuple(run.rows(part) for run in members), sum(seconds) / len(seconds) if seconds else None,
        results[0]["model"]["parameters"], results[0]["model"]["multiply_adds"],
    )


def _baselines(runs: Iterable[Run], part: str) -> list[Contender]:
    """Each baseline once, from the first run that has it."""
    found: dict[str, Rows] = {}
    for run in runs:
        for name, document in run.evaluations().items():
            if document["split"] == part and document["model"] != NETWORK:
                found.setdefault(document["model"], run.rows(name))
    return [Contender(name, (rows,), baseline=True) for name, rows in found.items()]


def _promise(runs: Sequence[Run], comparison: Comparison) -> Any:
    """Of the first run, judged by the second, where there are two."""
    promised = (runs[0].evidence().get("probes") or {}).get("promise")
    if not promised or len(comparison.others) != 1 or comparison.others[0].gain is None:
        return None
    if not follows(promised["changes"], runs[1].recipe().flat()):
        return None
    return judge_promise(promised["low"], comparison.others[0].gain)


def _about_choice(runs: Sequence[Run]) -> str:
    """Of the best of them by dev: how much too good it is for having been chosen; kept in its evidence and report."""
    best = max(runs, key=_score)
    found = tell_overfitting(best)
    if found is None:
        return ""
    write_report(best)
    return str(found) if found.models > 1 else ""


def _score(run: Run) -> float:
    """The metric that judges on dev, more is better."""
    result = run.result
    found = result["splits"]["dev"]["metrics"][result["metric"]]
    return found["value"] if found["higher_is_better"] else -found["value"]


def _about_test(runs: Sequence[Run], part: str) -> str:
    """Whether the test set stayed out of it."""
    keys = {key for run in runs if (key := (run.read_json("passport.json") or {}).get("test_key"))}
    if not keys:
        return "no test set"
    if part == "dev":
        return "test sealed"
    looks = max(len(Ledger(runs[0].path.parent).looks(key)) for key in keys)
    return f"{looks} look{'s' if looks != 1 else ''} at this test set: no choice among these runs is unbiased any more"
