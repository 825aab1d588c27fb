"""`inside`: what a trained network for pictures looks at, in its mistakes and unit by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import nn

from orthogon.data.dataset import Dataset
from orthogon.errors import OrthogonError, RecipeError, RunError
from orthogon.files import write_atomically
from orthogon.report.examples import mistakes, worst
from orthogon.strategy.eyeball import draw_eyeball
from orthogon.tasks.classify import Classify
from orthogon.train.compute import Compute
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.task import Task
from orthogon.verbs.compose import IN_MEMORY
from orthogon.verbs.items import rows_of
from orthogon.verbs.mistakes import dev_rows
from orthogon.verbs.prepare import Prepared, prepare
from orthogon.vision.inside.document import (
    Clock,
    Subject,
    add_occlusion,
    examples_document,
    layers_document,
    patches_document,
)

if TYPE_CHECKING:
    from orthogon.serve.predictor import Predictor

EXAMPLES, PICTURES = 6, 2_000
"""Mistakes that are shown, and pictures that patches are looked for in, at most."""

SHARE, LEAST, MOST = 0.05, 0.5, 10.0
"""At the end of a training: so much of its time, at least and at most so many seconds."""

_PICTURES = ("picture", "true_heat", "predicted_heat", "occlusion")


@dataclass(frozen=True)
class Inside:
    """What was seen inside. document: the evidence "inside". page: the file in which it is drawn."""

    run: str
    document: Mapping[str, Any]
    page: Path

    def to_dict(self) -> dict[str, Any]:
        """The document without its pictures."""
        return {"run": self.run, "page": str(self.page), **_without_pictures(self.document)}

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table
        from orthogon.verbs.console import labelled

        shown = {each["layer"]: ", ".join(str(unit["unit"]) for unit in each["units"])
                 for each in self.document["patches"]}
        table = text_table(
            ["layer", "", "channels", "maps", "a unit sees", "units shown"],
            [[layer["name"], layer["kind"], layer["channels"], f"{layer['height']}×{layer['width']}",
              "{}×{}".format(*layer["sees"]), shown.get(layer["name"], "")]
             for layer in self.document["layers"] if not layer["same_as"] or layer["name"] in shown],
        )
        return "\n".join([table, "", labelled("inside", self.document["sentence"]), labelled("page", str(self.page))])


def inside(
    run: str | Path | Run = "last", data: Any = None, *, layer: str | None = None, units: Sequence[int] | None = None,
    examples: int = EXAMPLES, save: str | Path | None = None, model: nn.Module | None = None, root: str | Path = "runs",
) -> Inside:
    """Grad-CAM and occlusion of the worst mistakes, and the patches that units answer to most.

    run:   of a classifier of pictures: a path, a name under `root`, "last" or "last~1".
    data:  other pictures with labels, or the run's own as an object, where it was trained on one; default: the
           mistakes of the run's dev, and its train pictures for the patches.
    layer: to look into; default: an early, a middle and the last one. units: its channels; default: the six whose
           strongest answers stand out most. examples: how many mistakes.
    model: an untrained module of the user's own class, where the run was trained on such an object.
    save:  also, or for other data only, a page of its own; default for other data: inside.html in the run.

    Of dev only the Eyeball is shown. Kept as evidence "inside" and in the report, where it is the run's own data.
    Raises RunError, DataError; RecipeError for a layer or unit that is not there, naming those that are.
    """
    from orthogon.report.report import write as write_report
    from orthogon.serve.bundle import load

    if units is not None and layer is None:
        raise RecipeError("units are those of a layer, and none is named", where="unit",
                          remedy="Name it: --layer NAME; without --unit the layers are listed.")
    found = Run.open(run, root)
    predictor = load(found, model=model)
    _classifier(predictor.task)
    own = data is None or found.recipe().data.source == IN_MEMORY
    if own:
        material = _of_run(found, prepare(found.recipe(), data, found.path / "passport.json"))
        predictor.task.attach(material.data, predictor.device)
    else:
        material = _of_other(found, predictor, data)
    subject = Subject(_classifier(predictor.task), predictor.model, Compute(predictor.device), material.data.ids)
    document = _document(subject, material, Clock(None), layer, units, examples)
    page = found.path / ("report.html" if own else "inside.html")
    if own:
        found.write_evidence("inside", document)
        write_report(found)
    if save is not None or not own:
        page = _save(page if save is None else Path(save), found, document)
    return Inside(found.name, document, page)


def inside_at_end(run: Run, task: Task, model: nn.Module, compute: Compute, prepared: Prepared, seconds: float) -> str:
    """The same at the end of a training of so many seconds, in 5 % of them: half a second at least, 10 s at most.

    What is said where it was cut short or could not be; "" where all is there, or where there is nothing to look into
    (no pictures, no labels, no dev).
    """
    if not _is_of_pictures(task) or "dev" not in run.evaluations():
        return ""
    clock = Clock(min(MOST, max(LEAST, SHARE * seconds)))
    subject = Subject(_classifier(task), model, compute.exact(), prepared.data.ids)
    try:
        with compute.in_force():
            document = _document(subject, _of_run(run, prepared), clock, None, None, EXAMPLES)
    except OrthogonError as error:
        return f"not looked into: {error.what}"
    except Exception as error:  # a module of the user's own may not bear it; the training is done and stays
        return f"could not be looked into: {type(error).__name__}: {error}"
    run.write_evidence("inside", document)
    return f"{document['sentence']}; all of it: orthogon inside {run.name}" if clock.cut else ""


def _is_of_pictures(task: Task) -> bool:
    return isinstance(task, Classify) and task.inputs.kinds[:1] == ("image",)


def _classifier(task: Task) -> Classify:
    if not isinstance(task, Classify) or not _is_of_pictures(task):
        raise RunError(f"only classifiers of pictures are looked into; this is {task.name} of "
                       f"{', '.join(task.spec.kinds)}", where="inside", remedy=_instead(task))
    return task


def _instead(task: Task) -> str:
    """What shows more of a network that is not looked into."""
    if "image" not in task.spec.kinds:
        return "orthogon mistakes RUN shows what the errors have in common."
    if task.needs_target:
        return ("Pictures with truth and prediction drawn in are in its report (orthogon report RUN), and those that "
                "went worst on a page to go through: orthogon mistakes RUN.")
    return ("What it has learnt to make or to tell apart is drawn in its report: orthogon report RUN. An encoder can "
            "be looked into once it classifies: orthogon train DATA --task classify --weights RUN.")


class _Material(NamedTuple):
    """What may be shown. data: attached to the task. rows: of which mistakes are shown. pictures: int, rows of the
    data that patches are looked for in. part: what the rows are called."""

    data: Dataset
    rows: Rows
    pictures: np.ndarray
    part: str


def _of_run(run: Run, prepared: Prepared) -> _Material:
    """Of dev the Eyeball; of train all but what serves as dev (of folds) and is not to be seen."""
    rows = dev_rows(run)
    seen, train, ids = draw_eyeball(run, rows), prepared.passport.rows("train"), prepared.data.ids
    return _Material(prepared.data, rows.take(seen.inside), train[~np.isin(ids[train], rows.ids[seen.outside])], "dev")


def _of_other(run: Run, predictor: Predictor, source: Any) -> _Material:
    """Other data, attached, of which nothing is held back but a sealed test set."""
    from orthogon.train.evaluate import evaluate
    from orthogon.verbs.evaluate import labelled_data, open_parts

    data = labelled_data(run, source)
    places = np.sort(np.concatenate(list(open_parts(run, data, False)[0].values())))
    predictor.task.attach(data, predictor.device)
    rows = evaluate(predictor.task, predictor.model, data, places, "data", Compute(predictor.device))
    return _Material(data, rows, places, data.name)


def _document(
    subject: Subject, material: _Material, clock: Clock, layer: str | None, units: Sequence[int] | None, examples: int
) -> dict[str, Any]:
    chosen, rows = subject.chosen(layer), material.rows
    heat_layer, names = chosen[-1].name, [each.name for each in chosen]
    places = rows_of(material.data, rows.ids[_shown(rows, examples)])
    found = examples_document(subject, places, heat_layer) if len(places) else []
    drawn = np.random.default_rng(0).permutation(material.pictures)[:PICTURES]
    patches, looked_at = patches_document(subject, drawn, names, units, clock)
    add_occlusion(subject, places, found, clock)
    shown = [*(f"{len(found)} examples of {material.part}" for _ in found[:1]), f"units of {', '.join(names)}"]
    until = f"after {looked_at:,} of {len(drawn):,} pictures" if looked_at < len(drawn) else "before occlusion was done"
    cut = f"; cut short for time {until}" if clock.cut else ""
    return {
        "sentence": f"{' and '.join(shown)}{cut}", "part": material.part, "about_examples": _about(rows),
        "heat_layer": heat_layer, "picture": list(subject.inputs([0])[0].shape[2:]), "looked_at": looked_at,
        "examples": found, "layers": layers_document(subject), "patches": patches,
    }


def _about(rows: Rows) -> str:
    return "the mistakes with the largest loss" if len(mistakes(rows)) else "nothing was wrong: the largest losses"


def _shown(rows: Rows, count: int) -> list[int]:
    """The mistakes of largest loss; where nothing is wrong, the largest losses."""
    wrong = set(mistakes(rows).tolist())
    ordered = worst(rows, len(rows))
    return [row for row in ordered if row in wrong or not wrong][:count]


def _save(path: Path, run: Run, document: Mapping[str, Any]) -> Path:
    from orthogon.draw.page import Page
    from orthogon.report.inside import section

    page = Page(f"Inside {run.name}")
    section(page, document)
    write_atomically(path, page.render())
    return path


def _without_pictures(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_pictures(each) for key, each in value.items()
                if not (key in _PICTURES and isinstance(each, str))}
    return [_without_pictures(each) for each in value] if isinstance(value, list) else value
