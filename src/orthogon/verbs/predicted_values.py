"""Classes, probabilities and numbers of a table of predictions, checked and turned into what Rows hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.columns import natural
from orthogon.data.dataset import Finding
from orthogon.data.readers.options import listing
from orthogon.errors import DataError, nearest

if TYPE_CHECKING:
    import polars as pl

PREFIXES = ("p_", "probability_")
BLOCK, SINGLE = "probabilities", "probability"
SUM_TOLERANCE = 1e-3
SMALLEST = 1e-7
"""Probabilities are kept this far from 0, as the baselines' are: to be certain and wrong would cost infinity."""

Values = dict[str, np.ndarray]


def probability_columns(frame: pl.DataFrame) -> list[str]:
    """The columns that hold probabilities: one for each class, a list, or one for two classes."""
    named = [name for name in frame.columns if name.startswith(PREFIXES) and name != BLOCK]
    return named or [name for name in (BLOCK, SINGLE) if name in frame.columns][:1]


def at(ids: np.ndarray, mask: np.ndarray, most: int = 5) -> str:
    """"3 rows (ids a, b, c)"."""
    count = int(mask.sum())
    plural = "s" if count != 1 else ""
    return f"{count:,} row{plural} (id{plural} {listing(ids[mask].tolist(), most)})"


def holding(ids: np.ndarray, mask: np.ndarray) -> str:
    """"3 rows (ids a, b, c) have", "1 row (id a) has"."""
    return f"{at(ids, mask)} {'has' if mask.sum() == 1 else 'have'}"


# --- classes -------------------------------------------------------------------------------------------------


def classified(
    frame: pl.DataFrame, ids: np.ndarray, train: np.ndarray, where: str, classes: Sequence[str] | None,
    positive: str | None,
) -> tuple[Values, tuple[str, ...], str | None, list[Finding]]:
    """(values of Rows, classes, the positive one of two, what was noticed).

    Classes are those that are given, else those of the targets and of the columns of probabilities, in natural order.
    """
    targets = class_names(frame["target"])
    columns = probability_columns(frame)
    of_columns = [_class_of(name) for name in columns if name not in (BLOCK, SINGLE)]
    known = [_plain(str(name)) for name in classes or ()] or sorted({*targets, *of_columns}, key=natural)
    _refuse_unknown(targets, known, ids, where, "target")
    if len(known) < 2:
        raise DataError(f"there is one class only, {known[0]!r}", where=f"{where}: column 'target'",
                        remedy="Name all of them: --classes a,b; for amounts: --task regress.")
    code = {name: k for k, name in enumerate(known)}
    if len(known) == 2:
        positive = _positive(positive, known)
    values: Values = {"target": np.array([code[name] for name in targets])}
    findings: list[Finding] = []
    shares = None
    if columns:
        shares = _shares(frame, columns, known, positive, ids, where)
    if "prediction" in frame.columns:
        values["prediction"] = _predicted(frame, known, ids, where)
        if shares is not None:
            findings = _against_shares(values["prediction"], shares, known, positive, columns, ids, where)
    elif shares is not None:
        values["prediction"] = shares.argmax(axis=1)
    values["score"] = (values["prediction"] == values["target"]).astype(np.float32)
    if shares is None:
        findings.append(Finding("no-probabilities", "note", "there are no probabilities: calibration, cross-entropy, "
                                "ROC AUC and the label queue cannot be had", where,
                                remedy="Add a column p_CLASS for each class."))
        values["loss"] = np.full(len(ids), np.nan, dtype=np.float32)
    else:
        safe = np.clip(shares, SMALLEST, 1.0)
        safe /= safe.sum(axis=1, keepdims=True)
        values["probabilities"] = safe.astype(np.float32)
        values["loss"] = -np.log(safe[np.arange(len(ids)), values["target"]]).astype(np.float32)
    if len(known) == 2 and positive is None:
        positive = known[_rarer(values["target"][train] if train.any() else values["target"])]
    return values, tuple(known), positive, findings


def class_names(column: pl.Series) -> list[str]:
    """Names as text; 3.0 and "3.0" are the class "3"."""
    return [_plain(name) for name in column.cast(str).to_list()]


def _plain(name: str) -> str:
    whole, point, zeros = name.strip().partition(".")
    return whole if point and zeros and not zeros.strip("0") and whole.lstrip("-").isdigit() else name.strip()


def _class_of(column: str) -> str:
    return _plain(next(column.removeprefix(prefix) for prefix in reversed(PREFIXES) if column.startswith(prefix)))


def _positive(positive: str | None, known: Sequence[str]) -> str | None:
    if positive is not None and positive not in known:
        raise DataError(f"there is no class {positive!r}", where="--positive", remedy=nearest(positive, list(known)))
    return positive


def _rarer(codes: np.ndarray) -> int:
    """Of two classes the rarer one; the second where both are as frequent."""
    return int(np.mean(codes == 1) <= 0.5)


def _predicted(frame: pl.DataFrame, known: Sequence[str], ids: np.ndarray, where: str) -> np.ndarray:
    empty = frame["prediction"].is_null().to_numpy()
    if empty.any():
        raise DataError(f"{holding(ids, empty)} no prediction", where=f"{where}: column 'prediction'",
                        remedy="Predict them too, or leave those rows out.")
    names = class_names(frame["prediction"])
    _refuse_unknown(names, known, ids, where, "prediction")
    code = {name: k for k, name in enumerate(known)}
    return np.array([code[name] for name in names])


def _refuse_unknown(names: Sequence[str], known: Sequence[str], ids: np.ndarray, where: str, column: str) -> None:
    mask = ~np.isin(np.asarray(names), np.asarray(known))
    if not mask.any():
        return
    wrong = sorted({name for name, out in zip(names, mask) if out}, key=natural)
    raise DataError(f"{holding(ids, mask)} the {column} {listing([repr(name) for name in wrong])}, which is not among "
                    f"the classes {listing(known, 12)}", where=f"{where}: column {column!r}",
                    remedy=f"{nearest(wrong[0], list(known))} Mend it, or name all classes: --classes a,b,c")


# --- probabilities -------------------------------------------------------------------------------------------


def _shares(
    frame: pl.DataFrame, columns: list[str], known: Sequence[str], positive: str | None, ids: np.ndarray, where: str
) -> np.ndarray:
    """Float64 (n, K) in the order of the classes."""
    place = f"{where}: column{'s' if len(columns) > 1 else ''} {listing([repr(name) for name in columns])}"
    if columns == [SINGLE]:
        return _of_two(frame, known, positive, ids, place)
    given = _block(frame, known, ids, place) if columns == [BLOCK] else np.column_stack(
        [_numbers(frame[name]) for name in columns])
    _refuse_impossible(given, ids, place)
    off = np.abs(given.sum(axis=1) - 1) > SUM_TOLERANCE
    if off.any():
        sums = listing([f"{total:.4g}" for total in given[off].sum(axis=1)[:3]])
        raise DataError(f"the probabilities of {at(ids, off)} do not sum to 1 (they sum to {sums})", where=place,
                        remedy="Give softmax outputs, one for each class. Logits or scores are no probabilities: leave "
                               "these columns out, and all but calibration and the label queue still works.")
    if columns == [BLOCK]:
        return given
    code = {name: k for k, name in enumerate(known)}
    shares = np.zeros((len(ids), len(known)))
    shares[:, [code[_class_of(name)] for name in columns]] = given
    return shares


def _of_two(
    frame: pl.DataFrame, known: Sequence[str], positive: str | None, ids: np.ndarray, place: str
) -> np.ndarray:
    """One column: the probability of the positive class, by default the second."""
    if len(known) != 2:
        raise DataError(f"one column of probabilities for {len(known)} classes", where=place,
                        remedy="Give one for each class, p_CLASS; or leave it out: all but calibration and the label "
                               "queue still works.")
    p = _numbers(frame[SINGLE])
    _refuse_impossible(p[:, None], ids, place)
    code = known.index(positive) if positive is not None else 1
    return np.column_stack([p, 1 - p] if code == 0 else [1 - p, p])


def _against_shares(
    prediction: np.ndarray, shares: np.ndarray, known: Sequence[str], positive: str | None, columns: list[str],
    ids: np.ndarray, where: str,
) -> list[Finding]:
    """A note where predictions are not the likeliest class; DataError where probabilities are of something else."""
    other = prediction != shares.argmax(axis=1)
    if columns == [SINGLE]:
        of = positive if positive is not None else known[1]
        p = shares[:, known.index(of)]
        if other.mean() > 0.5 or (other.any() and p.min() >= 0.5):
            raise DataError(f"taken as the probability of {of!r}, it contradicts the prediction in {at(ids, other)}",
                            where=f"{where}: column {SINGLE!r}",
                            remedy=f"Say whose it is: --positive {known[0] if of == known[1] else known[1]}. If it is "
                                   "that of the predicted class, give p_CLASS for each class instead.")
    if not other.any():
        return []
    return [Finding("not-the-likeliest", "note", f"{holding(ids, other)} a prediction that is not the likeliest class; "
                    "predictions are taken as they stand", where, column="prediction")]


def _block(frame: pl.DataFrame, known: Sequence[str], ids: np.ndarray, place: str) -> np.ndarray:
    """A column of lists, as lists or as JSON text: one number for each class, in the order of the classes."""
    cells = frame[BLOCK].to_list()
    parsed = [_parsed(cell) for cell in cells]
    odd = np.array([not isinstance(cell, list) or len(cell) != len(known) for cell in parsed])
    if odd.any():
        raise DataError(f"{at(ids, odd)} do not hold {len(known)} numbers, one for each class "
                        f"({listing(known, 12)}), such as {str(cells[int(odd.argmax())])[:60]!r}", where=place,
                        remedy="Give [0.1, 0.9, …]; if some classes never occur in the targets, name all in the "
                               "order of the list: --classes a,b,c")
    return np.array([[np.nan if each is None else each for each in cell] for cell in parsed], dtype=np.float64)


def _parsed(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    try:
        found = json.loads(cell)
    except ValueError:
        return None
    numeric = isinstance(found, list) and all(isinstance(each, int | float | None) for each in found)
    return found if numeric else None


def _numbers(column: pl.Series) -> np.ndarray:
    """Float64; NaN where there is no number."""
    import polars as pl

    return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def _refuse_impossible(given: np.ndarray, ids: np.ndarray, place: str) -> None:
    missing = np.asarray(~np.isfinite(given).all(axis=1))
    if missing.any():
        raise DataError(f"{holding(ids, missing)} a probability that is empty or no number", where=place,
                        remedy="Fill it in, leave those rows out, or leave the probabilities out altogether.")
    outside = np.asarray(((given < -SUM_TOLERANCE) | (given > 1 + SUM_TOLERANCE)).any(axis=1))
    if outside.any():
        worst = given[outside][0]
        raise DataError(f"{holding(ids, outside)} a probability outside 0 to 1, such as "
                        f"{worst[np.argmax(np.abs(worst - 0.5))]:.4g}", where=place,
                        remedy="Logits become probabilities by softmax; percentages by dividing by 100.")


# --- numbers -------------------------------------------------------------------------------------------------


def predicted_numbers(frame: pl.DataFrame, ids: np.ndarray, train: np.ndarray, where: str) -> Values:
    """Values of Rows; "loss" is the squared error over the variance of the targets (of train, where there is any)."""
    values = {}
    for name in ("target", "prediction"):
        if name not in frame.columns:
            raise DataError("there is no column 'prediction'", where=where, remedy="It holds the predicted number.")
        values[name] = _numbers(frame[name])
        wrong = ~np.isfinite(values[name])
        if wrong.any():
            first = frame[name].cast(str).to_list()[int(wrong.argmax())]
            raise DataError(f"{holding(ids, wrong)} a {name} that is no number, such as {first!r}",
                            where=f"{where}: column {name!r}",
                            remedy="Mend it, leave those rows out, or for labels: --task classify.")
    spread = values["target"][train].std() if train.any() else values["target"].std()
    values["loss"] = ((values["prediction"] - values["target"]) / (spread or 1.0)) ** 2
    return values
