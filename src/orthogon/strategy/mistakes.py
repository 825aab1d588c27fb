"""Error analysis: tags that a person gave to mistakes, as shares with intervals, ceilings and work to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from orthogon.draw.questionnaire import NONE
from orthogon.errors import DataError
from orthogon.stats import Estimate, rate, wilson
from orthogon.stats.posterior import beta_draws
from orthogon.strategy.eyeball import Eyeball, mistakes, retire
from orthogon.strategy.work_list import Work
from orthogon.train.rows import Rows
from orthogon.train.run import Run

WRONG_LABEL, CANNOT_TELL = "wrong label", "cannot tell"
"""A wrong label is one more category (row 14.19). What nobody can tell is no work."""

RELIABILITY = ((100, "very good: the main causes and their order"), (50, "good: a sense of the main causes"),
               (20, "rough: the largest causes"), (10, "very rough: at most the largest cause"),
               (0, "too few to rank causes"))
"""Mistakes examined -> what they tell. Source: Ng, "Machine Learning Yearning", chapter 18, for 100, 50, 20 and 10."""


@dataclass(frozen=True)
class Tag:
    """One kind of mistake.

    count:   examined mistakes that carry it. share: of those examined.
    ceiling: how many points of error mending all of them would buy at most: share × error rate of dev; the interval
             holds the doubt of both. None for numbers, where mistakes are no share of an error rate.
    """

    name: str
    count: int
    share: Estimate
    ceiling: Estimate | None


@dataclass(frozen=True)
class Tags:
    """What tags say of the mistakes of a run.

    n:        examples in dev.
    tags:     the most frequent first; one example may carry several. examined: of the `mistakes` in the Eyeball.
    error:    of the whole dev set; eyeball_error, blackbox_error: of its two sides (None: there is no Blackbox).
    reliability: what so many examined mistakes tell, in Ng's words. retire: a sentence, where the Eyeball is worn.
    errors, notes: sentences that name what was left out: ids that are unknown here; examples that this run got right.
    """

    run: str
    n: int
    tags: tuple[Tag, ...]
    examined: int
    mistakes: int
    share_of_dev: float
    error: Estimate
    eyeball_error: Estimate
    blackbox_error: Estimate | None
    reliability: str
    retire: str = ""
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def work(self) -> tuple[Work, ...]:
        """What could be mended, each at most worth its ceiling."""
        return tuple(self._work(tag) for tag in self.tags if tag.ceiling and tag.name != CANNOT_TELL)

    def _work(self, tag: Tag) -> Work:
        said = f"{tag.count:,} of {self.examined:,} mistakes looked at"
        if tag.name == WRONG_LABEL:
            labels = max(1, round(tag.share.value * self.error.value * self.n))
            return Work("correct the wrong labels of dev and test", "labels", "at most", tag.ceiling,
                        f"about {labels:,} labels in dev", "tags",
                        note=f"{said}; it corrects the measurement, not the model: mend dev and test alike")
        return Work(f"mend “{tag.name}”", "mistakes", "at most", tag.ceiling, "", "tags", note=said)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "work": [item.to_dict() for item in self.work]}

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of the table, on the screen and in the report."""
        rows = [[tag.name, f"{tag.count:,} of {self.examined:,}", _percent(tag.share),
                 "" if tag.ceiling is None else _percent(tag.ceiling)] for tag in self.tags]
        return ["tag", "mistakes", "share, % [95 % interval]", "mending all buys at most, points"], rows

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        headers, rows = self.cells()
        table = text_table(headers, rows, align="lrll") if rows else "no tag was given"
        lines = [f"{self.examined:,} of the {self.mistakes:,} mistakes in the Eyeball ({self.share_of_dev:.0%} of dev) "
                 f"looked at: {self.reliability}"]
        lines += [f"error    {line}" for line in self.errors] + [f"note     {line}" for line in self.notes]
        lines += [f"warning  {self.retire}"] if self.retire else []
        return "\n".join([table, "", *lines])

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        return html_table(*self.cells(), caption=f"Tags of {self.run}")


def tag_mistakes(run: Run, rows: Rows, seen: Eyeball, answers: Mapping[str, Sequence[str]]) -> Tags:
    """Tags of mistakes, counted.

    answers: id -> its tags; (NONE,) where it was looked at and none fits, () where it was not looked at.
    Ids that are not in the Eyeball, and examples that this run got right, are left out, and named.
    Raises DataError where nothing is left.
    """
    looked = {identity: set(tags) - {NONE} for identity, tags in answers.items() if tags}
    place = {identity: row for row, identity in enumerate(rows.ids.tolist())}
    wrong = mistakes(rows)
    strange = [one for one in looked if one not in place or not seen.inside[place[one]]]
    right = [one for one in looked if one in place and seen.inside[place[one]] and not wrong[place[one]]]
    used = {one: tags for one, tags in looked.items() if one not in {*strange, *right}}
    errors = _told(strange, "not among the examples that may be looked at in this run", len(used))
    notes = _told(right, "right in this run", len(used))
    if not used:
        raise DataError("; ".join((*errors, *notes)) or "no mistake was looked at", where=run.name,
                        remedy=f"Tag on the page of this run: orthogon mistakes {run.name} --open")
    error = _error(wrong, rows.group, np.ones(len(rows), bool))
    names = sorted({tag for tags in used.values() for tag in tags})
    counted = [(name, sum(name in tags for tags in used.values())) for name in names]
    tags = [_tag(rows, name, count, len(used), error) for name, count in sorted(counted, key=lambda pair: -pair[1])]
    return Tags(
        run.name, len(rows), tuple(tags), len(used), int(wrong[seen.inside].sum()), seen.share, error,
        _error(wrong, rows.group, seen.inside),
        _error(wrong, rows.group, seen.outside) if seen.outside.any() else None,
        next(words for least, words in RELIABILITY if len(used) >= least), retire(rows, seen, run), errors, notes,
    )


def _error(wrong: np.ndarray, group: np.ndarray | None, side: np.ndarray) -> Estimate:
    return rate(wrong[side], groups=None if group is None else group[side])


def _tag(rows: Rows, name: str, count: int, examined: int, error: Estimate) -> Tag:
    low, high = wilson(count, examined)
    share = Estimate(count / examined, float(low), float(high), examined, "Wilson", "rate")
    if rows.get("score") is None:
        return Tag(name, count, share, None)
    of_share, of_error = beta_draws([count, error.value * error.n], [examined, error.n])
    ends = np.quantile(of_share * of_error, (0.025, 0.975))
    return Tag(name, count, share, Estimate(share.value * error.value, float(ends[0]), float(ends[1]), examined,
                                            "Jeffreys draws of share and error rate", "rate"))


def _told(ids: Sequence[str], why: str, used: int) -> tuple[str, ...]:
    if not ids:
        return ()
    named = ", ".join(repr(one) for one in ids[:5]) + (", …" if len(ids) > 5 else "")
    return (f"{len(ids):,} left out, {why}: {named}; {used:,} counted",)


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"

