"""What several models are worth together: their probabilities averaged on the same examples, against one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from orthogon.errors import DataError
from orthogon.stats import Estimate, PairedComparison, compare_paired_values
from orthogon.strategy.paired import Gain, aligned, compare_rows
from orthogon.strategy.work_list import Work
from orthogon.train.rows import Rows
from orthogon.train.task import Metric


@dataclass(frozen=True)
class Member:
    """One model of an ensemble. rows: on dev. parameters, multiply_adds: of one picture or row; None: not known."""

    name: str
    rows: Rows
    parameters: int | None = None
    multiply_adds: int | None = None


@dataclass(frozen=True)
class Together:
    """An ensemble, several views, or both, on n examples of dev.

    single, together: the metric of the first member alone, seen once, and of all together. alone: of each member.
    gain:      of all together over the first, in pairs; positive = better. over_mean: the same in the share of right
               answers, over the mean of the members.
    computation, parameters: how many times those of the first alone; None where they are not known.
    """

    members: tuple[str, ...]
    views: str
    n: int
    metric: str
    single: Estimate
    together: Estimate
    alone: tuple[Estimate, ...]
    gain: PairedComparison
    over_mean: PairedComparison
    computation: float | None
    parameters: float | None

    @property
    def what(self) -> str:
        """"3 networks", "10-crop", "3 networks, flip"."""
        count = [f"{len(self.members)} networks"] if len(self.members) > 1 else []
        return ", ".join([*count, *([self.views] if self.views else [])])

    @property
    def cost(self) -> str:
        known = (("computation", self.computation), ("parameters", self.parameters))
        return ", ".join(f"{times:.3g} × {name}" for name, times in known if times is not None) or "not known"

    @property
    def sentence(self) -> str:
        return (f"{self.what}, averaged: {_points(self.gain)} against {self.members[0]} alone ({self.gain.verdict}) "
                f"on {self.n:,} examples of dev, for {self.cost}")

    @property
    def work(self) -> Work:
        """What the work list says of it: seen in one measurement on dev, so never more than promising."""
        better = self.gain.verdict == "better"
        return Work(f"average {self.what}", "variance", "promising" if better else "no", self.gain.estimate, self.cost,
                    "ensemble", note="at every prediction; measured on dev")

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": self.sentence, "work": [self.work.to_dict()]}

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        return f"{text_table(*self.cells())}\n\n{self.sentence[:1].upper()}{self.sentence[1:]}."

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        return html_table(*self.cells())

    def cells(self) -> tuple[list[str], list[list[Any]]]:
        """Headers and rows of the table, on the screen and in the report."""
        first = self.members[0]
        rows: list[list[Any]] = [[name, estimate, "", ""] for name, estimate in zip(self.members, self.alone)]
        rows.append([self.what, self.together, _points(self.gain), self.cost])
        if len(self.members) > 1:
            rows.append(["the same, over the mean of the networks", "", _points(self.over_mean), ""])
        return ["", f"{self.metric}, dev", f"gain over {first}", "cost"], rows


def together(
    members: Sequence[Member], metric: Metric, *, by: Metric | None = None, views: str = "", looks: int = 1,
    seen: Sequence[Rows] | None = None,
) -> Together:
    """Members, all together, against the first of them.

    metric: that is shown. by: that the gain is in, where the recipe names one; default: right and wrong.
    views, looks, seen: the name of the views, how many there are, and the rows of each member over all of them; where
    left out, the members' own rows. DataError where examples, labels or classes are not the same.
    """
    first = members[0].rows
    whole = averaged([member.rows for member in members] if seen is None else seen)
    alone = [_like(first, member.rows) for member in members]
    mean = np.mean([rows["score"] for rows in alone], axis=0)
    return Together(
        tuple(member.name for member in members), views, len(first), metric.name, metric.estimate(first),
        metric.estimate(whole), tuple(metric.estimate(rows) for rows in alone),
        _upward(compare_rows(first, whole, by)),
        compare_paired_values(mean, whole["score"], groups=first.group, unit="rate"),
        _times([member.multiply_adds for member in members], looks), _times([member.parameters for member in members]),
    )


def averaged(members: Sequence[Rows]) -> Rows:
    """The rows of an ensemble: the mean of the members' probabilities on the same examples, in the order of the first.

    prediction, loss (−log of the probability of the true class) and score follow from it. DataError where the members
    do not have the same examples, labels and classes, or no probabilities.
    """
    first = members[0]
    each = np.stack([_like(first, rows)["probabilities"] for rows in members])
    probabilities = each.mean(axis=0, dtype=np.float64)
    target, prediction = first["target"], probabilities.argmax(axis=1)
    of_true = probabilities[np.arange(len(target)), target]
    loss = -np.log(np.maximum(of_true, np.finfo(np.float32).tiny))
    values = {**first.values, "prediction": prediction, "probabilities": probabilities.astype(np.float32),
              "loss": loss.astype(np.float32), "score": (prediction == target).astype(np.float32)}
    return Rows(first.split, first.ids, values, first.classes, first.group, first.source)


def _like(first: Rows, rows: Rows) -> Rows:
    """The rows in the order of the first, with its order of classes."""
    where = f"{first.split} of {len(first):,} and {len(rows):,} examples"
    if first["target"].ndim != 1 or not first.classes:
        raise DataError("only classifiers of one label are averaged", where=where,
                        remedy="Average runs of the task classify.")
    if any(each.get("probabilities") is None for each in (first, rows)):
        raise DataError("there are no probabilities to average", where=where,
                        remedy="Read predictions with a column p_CLASS for each class.")
    if set(first.ids.tolist()) != set(rows.ids.tolist()):
        raise DataError("the runs were not measured on the same examples", where=where,
                        remedy="Average runs on one data set with one split: the same split.seed and shares.")
    if set(first.classes) != set(rows.classes):
        raise DataError("the runs do not have the same classes", remedy="Average runs on one data set with one split.",
                        where=", ".join(sorted(set(first.classes) ^ set(rows.classes))))
    _, found = aligned(first, rows)
    order = [rows.classes.index(name) for name in first.classes]
    place = np.argsort(order)
    values = {**found.values, "probabilities": found["probabilities"][:, order],
              **{name: place[found[name]] for name in ("target", "prediction")}}
    return Rows(found.split, found.ids, values, first.classes, found.group, found.source)


def _upward(gain: Gain) -> PairedComparison:
    """The comparison with more = better."""
    paired = gain.paired
    if gain.direction > 0:
        return paired
    return PairedComparison(**{**asdict(paired), "difference": -paired.difference, "low": -paired.high,
                               "high": -paired.low})


def _times(each: Sequence[int | None], looks: int = 1) -> float | None:
    if not each[0] or any(one is None for one in each):
        return None
    return looks * sum(one for one in each if one is not None) / each[0]


def _points(gain: PairedComparison) -> str:
    scale, form, unit = (100, "+.1f", " points") if gain.unit == "rate" else (1, "+.3g", "")
    value, low, high = (f"{scale * each:{form}}" for each in (gain.difference, gain.low, gain.high))
    return f"{value}{unit} [{low}, {high}]".replace("-", "−")
