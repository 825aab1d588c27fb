"""Runs beside each other on the same examples: who is better than the first, who is tied, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from math import isfinite, lcm
from typing import Any, Literal

import numpy as np

from orthogon.errors import DataError
from orthogon.stats import holm
from orthogon.stats.estimate import Estimate
from orthogon.strategy.comparison_words import cells, sentence
from orthogon.strategy.paired import aligned, compare_rows
from orthogon.train.rows import Rows
from orthogon.train.task import Metric
from orthogon.train.titles import is_accuracy

LEVEL = 0.05
Standing = Literal["reference", "better", "worse", "tied"]


@dataclass(frozen=True)
class Contender:
    """What is compared: a run, runs that differ by their seed alone, or a baseline.

    rows:     of each seed, on the part that is compared. seconds: of training, mean over the seeds.
    baseline: whether it stands there for reference only, outside the family of claims.
    """

    name: str
    rows: tuple[Rows, ...]
    seconds: float | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    baseline: bool = False


@dataclass(frozen=True)
class Line:
    """One contender against the reference, on the examples that all have.

    estimate: what is shown: the error where the metric is accuracy, else the metric; over all seeds together.
    spread:   lowest and highest over the seeds; None for one seed.
    put_right, broken: examples; None where a side has several seeds.
    gain:     over the reference, positive = better; None for the reference itself.
    p_value:  two-sided, of no difference; adjusted by Holm over the contenders that are no baselines.
    standing: "tied" where the interval holds 0, or the adjusted p-value is 0.05 or more among several.
    """

    name: str
    estimate: Estimate
    spread: tuple[float, float] | None
    seeds: int
    gain: Estimate | None
    put_right: int | None
    broken: int | None
    p_value: float | None
    standing: Standing
    seconds: float | None
    parameters: int | None
    multiply_adds: int | None
    baseline: bool


@dataclass(frozen=True)
class Promise:
    """What a confirmed probe promised of a change, and whether it came true.

    low: the gain that was promised at least. verdict: "kept" (the gain is at least that), "broken" (its whole interval
    lies below), "open" (neither).
    """

    low: float
    verdict: Literal["kept", "broken", "open"]


@dataclass(frozen=True)
class Comparison:
    """The reference first, then the other runs in their order, then baselines.

    n: examples that all have. of: how many each run has, where that is more.
    unit: "rate" is shown in points. remark: on the test set. promise: of the first run, judged by the second.
    choice: what choosing the best of all that were measured on this dev set costs; "" where nothing was chosen.
    """

    part: str
    metric: str
    unit: str
    n: int
    of: tuple[int, ...]
    lines: tuple[Line, ...]
    promise: Promise | None = None
    remark: str = ""
    choice: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def reference(self) -> Line:
        return self.lines[0]

    @property
    def others(self) -> tuple[Line, ...]:
        """The runs that are compared with the reference, without baselines."""
        return tuple(line for line in self.lines[1:] if not line.baseline)

    def _about(self) -> str:
        about = f"{self.part}, {self.n:,} examples that all have"
        held = ", ".join(f"{n:,}" for n in self.of)
        return f"{about} (of {held})" if any(n != self.n for n in self.of) else about

    def __str__(self) -> str:
        """Of two runs a sentence first; then the table."""
        from orthogon.draw.tables import text_table

        headers, rows = cells(self)
        table = text_table(headers, rows, align="l" + "r" * (len(headers) - 1))
        about = self._about() + (f"; {self.remark}" if self.remark and len(self.others) != 1 else "")
        lines = [sentence(self), "", about, table] if len(self.others) == 1 else [about, table]
        return "\n".join([*lines, "", self.choice] if self.choice else lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        said = [sentence(self)] if len(self.others) == 1 else []
        caption = ". ".join([*said, self._about(), self.choice]).removesuffix(". ")
        return html_table(*cells(self), caption=caption)


def compare_contenders(part: str, metric: Metric, contenders: Sequence[Contender]) -> Comparison:
    """The first contender is what the others are compared with, on the examples that all of them have.

    DataError where they have none in common, or where a target differs.
    """
    held = [len(each.rows[0]) for each in contenders if not each.baseline]
    contenders = _on_common_examples(contenders)
    reference, *others = contenders
    lines = [_line(each, reference, metric) for each in others]
    lines = _adjusted(lines)
    first = _line(reference, None, metric)
    return Comparison(part, metric.name, first.estimate.unit, len(reference.rows[0]), tuple(held),
                      (first, *(line for line in lines if not line.baseline), *(x for x in lines if x.baseline)))


def judge_promise(low: float, gain: Estimate) -> Promise:
    """kept: the gain that was seen is at least what was promised; broken: its interval lies below; open: neither."""
    if gain.value >= low:
        return Promise(low, "kept")
    return Promise(low, "broken" if gain.high < low else "open")


def follows(changes: Mapping[str, Any], recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe (flat key -> value) holds all the changes; of an option that is a mapping, its own entries."""
    return bool(changes) and all(_holds(recipe.get(key), value) for key, value in changes.items())


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(name in found and found[name] == value for name, value in wanted.items())
    return found == wanted


def _on_common_examples(contenders: Sequence[Contender]) -> list[Contender]:
    ids = reduce(np.intersect1d, [rows.ids for each in contenders for rows in each.rows])
    if not len(ids):
        raise DataError("the runs have no example in common",
                        where=", ".join(each.name for each in contenders if not each.baseline),
                        remedy="Compare runs that were measured on the same examples of the same data. For "
                               "read predictions: their ids are those in evaluations/dev.parquet of the other run.")
    first = contenders[0].rows[0]
    common = first.take(np.flatnonzero(np.isin(first.ids, ids)))
    found = []
    for each in contenders:
        try:
            found.append(replace(each, rows=tuple(aligned(common, rows)[1] for rows in each.rows)))
        except DataError as error:
            raise DataError(error.what, where=f"{contenders[0].name} and {each.name}", remedy=error.remedy) from None
    return found


def _line(each: Contender, reference: Contender | None, metric: Metric) -> Line:
    estimate = metric.estimate(_pooled(each.rows, len(each.rows)))
    values = [metric.value(rows) for rows in each.rows]
    if is_accuracy(metric.name):  # told as the error: what is left to do
        estimate = estimate.complement()
        values = [1 - value for value in values]
    line = Line(
        each.name, estimate, (min(values), max(values)) if len(values) > 1 else None, len(values), None, None, None,
        None, "reference", each.seconds, each.parameters, each.multiply_adds, each.baseline,
    )
    if reference is None:
        return line
    copies = lcm(len(reference.rows), len(each.rows))
    found = compare_rows(_pooled(reference.rows, copies), _pooled(each.rows, copies), metric)
    paired, gain = found.paired, found.paired.estimate
    if found.direction < 0:
        gain = replace(gain, value=-gain.value, low=-gain.high, high=-gain.low)
    one = copies == 1
    return replace(line, gain=gain, put_right=paired.put_right if one else None, broken=paired.broken if one else None,
                   p_value=paired.p_value, standing=paired.verdict)


def _pooled(seeds: Sequence[Rows], copies: int) -> Rows:
    """So many sets of rows below each other, the seeds in turn; the rows of an example are one group."""
    if copies == 1:
        return seeds[0]
    pieces, first = [seeds[at % len(seeds)] for at in range(copies)], seeds[0]
    group = first.ids if first.group is None else first.group
    values = {name: np.concatenate([piece[name] for piece in pieces]) for name in first.values}
    return Rows(first.split, np.tile(first.ids, copies), values, first.classes, np.tile(group, copies))


def _adjusted(lines: Sequence[Line]) -> list[Line]:
    """p-values of the runs adjusted by Holm where there are several; what is then not sure is tied."""
    family = [line for line in lines if not line.baseline and line.p_value is not None and isfinite(line.p_value)]
    if len(family) < 2:
        return list(lines)
    adjusted = dict(zip((line.name for line in family), holm([line.p_value or 0.0 for line in family]).tolist()))
    return [
        replace(line, p_value=adjusted[line.name],
                standing="tied" if adjusted[line.name] >= LEVEL else line.standing)
        if line.name in adjusted else line
        for line in lines
    ]
