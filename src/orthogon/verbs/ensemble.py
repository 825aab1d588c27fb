"""`ensemble`: several runs, or several views of each picture, averaged on dev; what it gains and costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orthogon.errors import RunError
from orthogon.strategy.ensemble import Member, Together, together
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.titles import error_name
from orthogon.verbs.task_of import task_of


def ensemble(*runs: str | Path | Run, views: str | None = None, root: str | Path = "runs") -> Together:
    """The averaged probabilities of runs, each perhaps over several views of a picture, against the first run alone.

    runs:  of one data set with one split, classifiers: paths, names under `root`, "last", "last~1"; also runs of
           predictions. One is enough where views are given.
    views: "flip", "5-crop", "10-crop" or "scales", of pictures; default: the predictions as they were stored, so that
           no network is run.

    On dev alone: test is not touched, and choosing by it stays honest. Kept as the first run's evidence "ensemble",
    in its report and work list. Raises RunError, DataError where runs do not fit together; RecipeError for unknown
    views.
    """
    found = list({run.path.resolve(): run for run in (Run.open(run, root) for run in runs)}.values())
    if not found or (len(found) < 2 and views is None):
        raise RunError("there is nothing to average: one run, seen once", where="ensemble",
                       remedy="Name several runs, or views: orthogon ensemble last --views flip")
    _refuse_unlike(found)
    task = task_of(found[0])
    judge = task.metrics[0]
    shown = next(metric for metric in task.metrics if metric.name == error_name(judge.name))
    by = task.compared_by
    members = [_member(run) for run in found]
    if views is None:
        made = together(members, shown, by=by)
    else:
        seen, looks = _seen(found, views)
        made = together(members, shown, by=by, views=views, looks=looks, seen=seen)
    _keep(found[0], made)
    return made


def _refuse_unlike(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.result["task"] != "classify":
            raise RunError(f"only classifiers of one label are averaged; this is {run.result['task']}",
                           where=str(run.path), remedy="Name runs of the task classify.")
        if "dev" not in run.evaluations():
            raise RunError("ensembles are measured on dev, and this run has no dev rows", where=str(run.path),
                           remedy="Train with a dev part or --folds; test is for the last look only.")
    hashes = [_content(run) for run in runs]
    for run, content in zip(runs[1:], hashes[1:], strict=True):
        if content and hashes[0] and content != hashes[0]:
            raise RunError(f"its dev examples are not those of {runs[0].name}", where=str(run.path),
                           remedy="Average runs on one data set with one split: the same split.seed and shares.")


def _content(run: Run) -> str:
    """The hash of what dev holds; "" where folds serve as dev or nothing is known."""
    return ((run.read_json("passport.json") or {}).get("hashes") or {}).get("dev") or ""


def _member(run: Run) -> Member:
    about = run.result.get("model") or {}
    return Member(run.name, run.rows("dev"), about.get("parameters"), about.get("multiply_adds"))


def _seen(runs: Sequence[Run], name: str) -> tuple[list[Rows], int]:
    """Rows of each run's network over the views, and how many views there are."""
    from orthogon.vision.views import views_called

    views = views_called(name)
    return [_seen_by(run, name) for run in runs], len(views)


def _seen_by(run: Run, views: str) -> Rows:
    from orthogon.serve.bundle import load
    from orthogon.train.compute import Compute
    from orthogon.train.evaluate import evaluate
    from orthogon.verbs.prepare import prepare
    from orthogon.vision.views import Views

    predictor = load(run)
    prepared = prepare(run.recipe(), None, run.path / "passport.json")
    if prepared.passport.folds or run.recipe().train.refit:
        raise RunError("the network that was kept has learnt from the examples of dev", where=str(run.path),
                       remedy="Views need a run with a dev part of its own, without --folds and --refit.")
    if predictor.task.spec.kinds[:1] != ("image",):
        raise RunError("views are of pictures, and this run has none", where=str(run.path),
                       remedy="Leave --views out, and name several runs.")
    if run.recipe().task.loss == "squared_hinge":
        raise RunError("views average the probabilities of softmax, and this run has none", where=str(run.path),
                       remedy="Train with task.loss=cross_entropy.")
    predictor.task.attach(prepared.data, predictor.device)
    return evaluate(predictor.task, Views(predictor.model, views), prepared.data, prepared.passport.rows("dev"), "dev",
                    Compute(predictor.device))


def _keep(run: Run, made: Together) -> None:
    from orthogon.report.report import write

    run.write_evidence("ensemble", made.to_dict())
    write(run)
