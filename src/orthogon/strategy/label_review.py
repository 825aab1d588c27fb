"""What a person found when reviewing labels: how precise the queue was, when to stop, the rate by an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from orthogon.data.corrections import Correction
from orthogon.errors import DataError, nearest
from orthogon.stats import rate
from orthogon.stats.estimate import Estimate
from orthogon.strategy.labels import LabelQueue
from orthogon.strategy.paired import named
from orthogon.train.rows import Rows

AS_GIVEN, UNSURE = "as given", "unsure"
"""Answers beside the names of the classes."""

LAST, FEW_WRONG = 50, 0.10
"""Stop where fewer than a tenth of the last fifty reviewed labels were wrong."""

MATTERS = 0.2
"""From this share of the dev error on, wrong labels are worth mending: between 6 % (no) and 30 % (yes) of Machine
Learning Yearning, chapter 16."""


@dataclass(frozen=True)
class Review:
    """Answers to labels, in the order of the queue; "unsure" is in none of the figures.

    places:  int (n,) in the queue. wrong: bool (n,): the reviewer gave another label.
    doubted: bool (n,): the models' likeliest class is not the given one.
    unsure:  how many answers were "unsure".
    corrections: what the reviewer would have instead. Nothing applies them by itself.
    """

    places: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    doubted: NDArray[np.bool_]
    unsure: int
    corrections: tuple[Correction, ...]

    @property
    def precision(self) -> Estimate:
        """Of the labels that the models doubt, the share that is wrong."""
        return rate(self.wrong[self.doubted])

    @property
    def overlooked(self) -> Estimate:
        """Of the labels that the models believe, the share that is wrong."""
        return rate(self.wrong[~self.doubted])

    @property
    def last(self) -> Estimate:
        """As `precision`, of the last 50 reviewed."""
        return rate(self.wrong[self.doubted][-LAST:])

    @property
    def stop(self) -> bool:
        """Whether going on finds too little: fewer than 10 % wrong among the last 50 reviewed."""
        return int(self.doubted.sum()) >= LAST and self.last.value < FEW_WRONG

    def to_dict(self) -> dict[str, Any]:
        return {"n": len(self.wrong), "wrong": int(self.wrong.sum()), "unsure": self.unsure, "stop": self.stop,
                **{name: getattr(self, name).to_dict() for name in ("precision", "overlooked", "last")}}

    def sentence(self) -> str:
        count = int(self.doubted.sum())
        advice = "stop here: going on would find little" if self.stop else "go on down the queue"
        if count < LAST:
            advice = f"the rule to stop looks at the last {LAST}"
        doubt = f", {self.unsure} unsure" if self.unsure else ""
        wrong = int(self.wrong[self.doubted].sum())
        said = f"{wrong} of {count} doubted labels are wrong, {shown(self.precision)}{doubt}"
        if self.overlooked.n:
            said += f"; of {self.overlooked.n} that the models believe, {int(self.wrong[~self.doubted].sum())}"
        return f"{said}; {advice}"


def review(queue: LabelQueue, answers: Mapping[str, Sequence[str]], where: str = "") -> Review:
    """The answers (id -> at most one of: "as given", "unsure", a class) held against the queue.

    Unanswered ids are passed over. DataError: an id that is not in the queue, a class that does not exist, two answers.
    """
    place_of = {str(name): place for place, name in enumerate(queue.ids.tolist())}
    unknown = [name for name in answers if name not in place_of]
    if unknown:
        raise DataError(f"{len(unknown):,} of {len(answers):,} ids are not in the queue, the first is {unknown[0]!r}",
                        where=where, remedy="Give the file that the page of this run saved.")
    judged: dict[int, str] = {}
    unsure = 0
    for name, given in answers.items():
        if len(given) > 1:
            raise DataError(f"two answers for {name!r}: {', '.join(given)}", where=where, remedy="Leave one of them.")
        if given and given[0] == UNSURE:
            unsure += 1
        elif given:
            place = place_of[name]
            judged[place] = queue.classes[queue.given[place]] if given[0] == AS_GIVEN else given[0]
    places = np.array(sorted(judged), dtype=np.int64)
    strange = [label for label in judged.values() if label not in queue.classes]
    if strange:
        raise DataError(f"there is no class {strange[0]!r}", where=where,
                        remedy=nearest(strange[0], [AS_GIVEN, UNSURE, *queue.classes]))
    given_names = queue.names(queue.given[places]).tolist()
    found = [(str(queue.ids[place]), label, judged[place]) for place, label in zip(places.tolist(), given_names)]
    wrong = np.array([before != after for _, before, after in found], dtype=bool)
    corrections = tuple(Correction(*each) for each, mended in zip(found, wrong.tolist()) if mended)
    doubted = queue.predicted[places] != queue.given[places]
    return Review(places, wrong, doubted, unsure, corrections)


@dataclass(frozen=True)
class NoiseInError:
    """How much of the dev error wrong labels are.

    points: the share of all examples that count as mistakes and carry a wrong label. share: of the dev error.
    matters: "yes", "no", or "undecided": whether the share is above a fifth.
    """

    points: Estimate
    share: Estimate
    error: float
    matters: Literal["yes", "no", "undecided"]

    def to_dict(self) -> dict[str, Any]:
        return {"points": self.points.to_dict(), "share": self.share.to_dict(), "error": self.error,
                "matters": self.matters}

    def sentence(self) -> str:
        size = f"{100 * self.points.value:.2g} of {100 * self.error:.2g} points of dev error are wrong labels"
        return size + {"yes": ": mend them, in dev and test alike", "no": ": look at the other mistakes first",
                       "undecided": ": not known yet whether mending matters; audit more"}[self.matters]


def noise_in_error(mislabelled: int, n: int, error: float) -> NoiseInError:
    """Of n examples drawn at random, `mislabelled` counted as mistakes and carried a wrong label; error: on dev.

    A tenth of mistakes that are mere labels hardly matters, a third does (rows 11.12, 14.19; MLY chapter 16: 0.6 of
    10 % no, 0.6 of 2 % yes). DataError where the error is not a rate.
    """
    if not 0 < error <= 1:
        raise DataError(f"a dev error of {error} leaves nothing to explain", where="label audit",
                        remedy="Give it as a share above 0: 0.02 is two in a hundred.")
    points = rate(np.arange(n) < mislabelled)
    value, low, high = (min(1.0, end / error) for end in (points.value, points.low, points.high))
    share = Estimate(value, low, high, n, f"{points.method}, of a dev error of {100 * error:.3g} %", "rate")
    matters = "yes" if share.low > MATTERS else "no" if share.high < MATTERS else "undecided"
    return NoiseInError(points, share, error, matters)


def shown(estimate: Estimate) -> str:
    """"3.0 % [1.4, 6.4]"."""
    return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


@dataclass(frozen=True)
class Version:
    """The error on one part with the labels as given and as corrected; changed: labels that differ."""

    part: str
    changed: int
    before: Estimate
    after: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {"part": self.part, "changed": self.changed, "before": self.before.to_dict(),
                "after": self.after.to_dict()}


def both_versions(rows: Rows, corrections: Sequence[Correction]) -> Version:
    """The same predictions against both versions of the labels. DataError: a correction to a class they do not know."""
    names = named(rows, "target").astype(str)
    mended = dict(zip(rows.ids.tolist(), names.tolist()))
    here = [each for each in corrections if each.id in mended]
    for each in here:
        if each.corrected not in rows.classes:
            raise DataError(f"there is no class {each.corrected!r}", where=each.id,
                            remedy=nearest(each.corrected, list(rows.classes)))
        mended[each.id] = each.corrected
    predicted, after = named(rows, "prediction").astype(str), np.array(list(mended.values()))
    return Version(rows.split, int((after != names).sum()), rate(predicted != names, groups=rows.group),
                   rate(predicted != after, groups=rows.group))
