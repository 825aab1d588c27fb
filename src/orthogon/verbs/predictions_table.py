"""A table of predictions as rows: its columns found and checked, each fault told by file, column and ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.dataset import PARTS, Finding
from orthogon.data.readers.options import PART_OF_NAME, Options, listing
from orthogon.data.readers.table_files import frame_of, read_frame
from orthogon.errors import DataError, nearest
from orthogon.train.rows import Rows
from orthogon.verbs.predicted_values import at, classified, holding, predicted_numbers, probability_columns

if TYPE_CHECKING:
    import polars as pl

FEW = 30
"""Examples below which a part is warned of: its interval spans half the scale."""

FEW_CLASSES = 100
"""Whole numbers with up to so many different values are labels, where every prediction is one of them."""


@dataclass(frozen=True)
class Predictions:
    """What a table of predictions holds.

    task:     "classify" or "regress". parts: part -> rows, in the order of `PARTS`.
    positive: of two classes the one that precision, recall and ROC AUC speak of. model: its name; "" where not told.
    findings: what is doubtful, and what cannot be said for want of it.
    """

    task: str
    parts: dict[str, Rows]
    positive: str | None
    model: str
    findings: tuple[Finding, ...]


def table_of(source: Any) -> tuple[pl.DataFrame, str, Path | None]:
    """A frame, where it comes from in words, and the folder that paths in it are relative to (None: in memory)."""
    import polars as pl

    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise DataError("there is no such file", where=str(path), remedy="Give a CSV, Parquet or JSON-lines file.")
        return read_frame(path, Options())[0], str(path), path.parent
    if isinstance(source, Mapping):
        columns = {str(name): np.asarray(values) for name, values in source.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"columns of unequal length: {lengths}", where="predictions")
        return pl.DataFrame(columns), "predictions", None
    frame = frame_of(source)
    if frame is None:
        raise DataError(f"a {type(source).__name__} cannot be read as predictions",
                        remedy="Give a path (CSV, Parquet, JSON lines), a data frame, or a dict of arrays.")
    return frame, "predictions", None


def parse(
    frame: pl.DataFrame, where: str, *, task: str | None = None, classes: Sequence[str] | None = None,
    positive: str | None = None, model: str | None = None, folder: Path | None = None,
) -> Predictions:
    """Rows of every part; DataError for what cannot be mended by leaving it out."""
    _refuse_missing_columns(frame, where)
    frame, model = _of_one_model(frame, model, where)
    if not len(frame):
        raise DataError("there are no rows", where=where, remedy="One row for each example: id, split, target, …")
    ids, parts = _ids(frame, where), _parts(frame, where)
    _refuse_repeated(ids, parts, where)
    if frame["target"].null_count():
        raise DataError(f"{holding(ids, frame['target'].is_null().to_numpy())} no target",
                        where=f"{where}: column 'target'", remedy="Leave rows without a known answer out.")
    guessed = task is None
    task = task or _task_of(frame)
    if task == "classify":
        values, names, positive, findings = classified(frame, ids, parts == "train", where, classes, positive)
    elif task == "regress":
        values, names, positive, findings = predicted_numbers(frame, ids, parts == "train", where), (), None, []
    else:
        raise DataError(f"predictions of the task {task!r} cannot be read", where=where,
                        remedy="Known: classify (one label each), regress (one number each).")
    if guessed and task == "classify" and not probability_columns(frame) and _is_number(frame["target"]).all():
        findings.append(Finding("task", "note", "the targets are whole numbers, taken as labels", where,
                                column="target", remedy="If they are amounts: --task regress."))
    values |= _pictures_and_texts(frame, ids, folder, where)
    whole = Rows("", ids, values, names, _texts_of(frame, "group"), _texts_of(frame, "source"))
    found = {part: _part(whole, part, parts == part) for part in PARTS if (parts == part).any()}
    return Predictions(task, found, positive, model, (*findings, *_doubts(found, where)))


def _refuse_missing_columns(frame: pl.DataFrame, where: str) -> None:
    names = frame.columns
    absent = [name for name in ("id", "split", "target") if name not in names]
    if "prediction" not in names and not probability_columns(frame):
        absent.append("prediction")
    if not absent:
        return
    wanted = {"id": "id (the same for the same example in every file)",
              "split": "split (train, train-dev, dev or test)",
              "target": "target (the right answer)",
              "prediction": "prediction, or probabilities (p_CLASS for each class, or one column: probability)"}
    near = {name: nearest(name, [each for each in names if each not in wanted]) for name in absent}
    guesses = "".join(f" For {name}: {said}" for name, said in near.items() if said.startswith("Did"))
    raise DataError(f"there is no column {listing([repr(name) for name in absent])}; there are {listing(names, 12)}",
                    where=where, remedy=f"Needed: {'; '.join(wanted[name] for name in absent)}.{guesses}")


def _of_one_model(frame: pl.DataFrame, model: str | None, where: str) -> tuple[pl.DataFrame, str]:
    """The rows of one model. A column "model" names it; without one, the argument does."""
    if "model" not in frame.columns:
        return frame, model or ""
    names = [str(name) for name in frame["model"].drop_nulls().unique(maintain_order=True).to_list()]
    if model is None and len(names) > 1:
        raise DataError(f"the file holds predictions of {len(names)} models ({listing(names)})",
                        where=f"{where}: column 'model'", remedy=f"Read one at a time: --model {names[0]}")
    chosen = model if model is not None else names[0] if names else ""
    if names and chosen not in names:
        raise DataError(f"there is no model {chosen!r}", where=f"{where}: column 'model'",
                        remedy=nearest(chosen, names))
    return (frame.filter(frame["model"].cast(str) == chosen) if names else frame), chosen


def _ids(frame: pl.DataFrame, where: str) -> np.ndarray:
    column = frame["id"]
    if column.null_count():
        rows = listing(np.flatnonzero(column.is_null().to_numpy()).tolist())
        raise DataError(f"{column.null_count():,} rows have no id (rows {rows}, from 0)", where=f"{where}: column 'id'",
                        remedy="Give every example the id that it has in the data.")
    return np.array(column.cast(str).to_list(), dtype=np.str_)


def _parts(frame: pl.DataFrame, where: str) -> np.ndarray:
    names = frame["split"].cast(str).fill_null("").str.to_lowercase()
    unknown = [name for name in names.unique(maintain_order=True).to_list() if name not in PART_OF_NAME]
    if unknown:
        count = int(names.is_in(unknown).sum())
        raise DataError(f"{count:,} rows have the split {listing([repr(name) for name in unknown])}",
                        where=f"{where}: column 'split'",
                        remedy="Known: train, train-dev, dev (or val, valid, validation), test. Leave other rows out.")
    return np.array([PART_OF_NAME[name] for name in names.to_list()], dtype=np.str_)


def _refuse_repeated(ids: np.ndarray, parts: np.ndarray, where: str) -> None:
    order = np.argsort(ids, kind="stable")
    same = ids[order][1:] == ids[order][:-1]
    if not same.any():
        return
    apart = same & (parts[order][1:] != parts[order][:-1])
    kind = apart if apart.any() else same
    repeated = listing(np.unique(ids[order][1:][kind]).tolist())
    if apart.any():
        raise DataError(f"{int(apart.sum()):,} ids stand in two splits ({repeated})", where=f"{where}: column 'id'",
                        remedy="An example that was trained on says nothing about new ones: keep it in one split.")
    raise DataError(f"{int(same.sum()):,} ids occur more than once within a split ({repeated})",
                    where=f"{where}: column 'id'",
                    remedy="One row for each example; average repeated predictions, or name the models in a column "
                           "'model' and read one at a time.")


def _is_number(column: pl.Series) -> pl.Series:
    import polars as pl

    return column.cast(pl.Float64, strict=False).is_not_null()


def _task_of(frame: pl.DataFrame) -> str:
    """"regress" where targets are numbers, unless there are probabilities, or few whole numbers that are all labels."""
    import polars as pl

    target = frame["target"].cast(pl.Float64, strict=False)
    if probability_columns(frame) or target.null_count():
        return "classify"
    prediction = frame["prediction"].cast(pl.Float64, strict=False)
    whole = bool((target == target.round()).all()) and target.n_unique() <= FEW_CLASSES
    return "classify" if whole and bool(prediction.is_in(target.unique().to_list()).all()) else "regress"


def _texts_of(frame: pl.DataFrame, name: str) -> np.ndarray | None:
    if name not in frame.columns:
        return None
    return np.array(frame[name].cast(str).fill_null("").to_list(), dtype=np.str_)


def _pictures_and_texts(frame: pl.DataFrame, ids: np.ndarray, folder: Path | None, where: str) -> dict[str, np.ndarray]:
    """"picture": absolute paths, those of a file being relative to its folder. "text": as it stands."""
    found = {}
    pictures = _texts_of(frame, "picture")
    if pictures is not None:
        paths = [(folder or Path()) / name for name in pictures.tolist()]
        absent = np.array([not path.is_file() for path in paths])
        if absent.any():
            raise DataError(f"{at(ids, absent)} name a picture that is not there, such as {paths[absent.argmax()]}",
                            where=f"{where}: column 'picture'",
                            remedy="Paths are relative to the file. Mend them, or leave the column out: then examples "
                                   "are shown by their ids.")
        found["picture"] = np.array([str(path.resolve()) for path in paths], dtype=np.str_)
    texts = _texts_of(frame, "text")
    return found if texts is None else {**found, "text": texts}


def _part(whole: Rows, part: str, mask: np.ndarray) -> Rows:
    taken = whole.take(np.flatnonzero(mask))
    return Rows(part, taken.ids, taken.values, taken.classes, taken.group, taken.source)


def _doubts(parts: Mapping[str, Rows], where: str) -> list[Finding]:
    """What the parts are too few or too small to say."""
    doubts = [
        Finding("small-part", "warning", f"{part} has {len(rows)} examples, fewer than {FEW}: its intervals are wide",
                where, remedy="Predict more examples.")
        for part, rows in parts.items() if len(rows) < FEW
    ]
    missing = {"train": "bias and variance cannot be told apart", "dev": "models cannot be compared by dev"}
    for part, lost in missing.items():
        if part not in parts:
            doubts.append(Finding(f"no-{part}", "warning", f"there are no rows of {part}: {lost}", where,
                                  remedy=f"Add the model's predictions for {part}."))
    if "train" in parts and parts["train"].classes:
        doubts += _unseen(parts, where)
    return doubts


def _unseen(parts: Mapping[str, Rows], where: str) -> list[Finding]:
    classes, seen = parts["train"].classes, np.unique(parts["train"]["target"])
    found = []
    for part, rows in parts.items():
        new = np.setdiff1d(rows["target"], seen)
        if len(new):
            names = listing([repr(classes[code]) for code in new])
            found.append(Finding("unseen-class", "warning", f"{part} holds {names}, which train never does", where,
                                 column="target", remedy="The model could not learn it: add examples to train."))
    return found
