"""Error against the number of training examples, and what twice as many would buy. Lower is better throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import group_codes
from orthogon.strategy.power_law import PowerLaw, fit_power_law
from orthogon.strategy.work_list import Work
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]

REPLICATES = 200
"""Bootstrap draws of the dev examples, for their share of the covariance of the points."""


@dataclass(frozen=True)
class Point:
    """Trainings on `size` examples. dev: mean of the errors on dev with its interval; train: on the examples learnt."""

    size: int
    dev: Estimate
    train: float
    draws: tuple[float, ...]


@dataclass(frozen=True)
class LearningCurve:
    """What more data of the same kind would buy.

    metric: the error that is shown ("error" is 1 − accuracy). points: from small to large.
    gain:   of twice the data, positive = better; law: the fitted error(m) = a + b·m^-c, None where the error did not
            fall over the sizes measured, beyond what chance explains.
    """

    metric: str
    points: tuple[Point, ...]
    gain: Estimate | None
    law: PowerLaw | None
    sentence: str

    @property
    def work(self) -> Work:
        """Collecting as much again, as an entry of the work list."""
        size = self.points[-1].size
        return Work(action=f"collect {size:,} more examples (twice the data)", problem="variance",
                    decision="at most" if self.gain else "not known", gain=self.gain, cost=f"{size:,} labels",
                    source="learning curve", note=self.sentence)

    def to_dict(self) -> dict[str, Any]:
        """{"metric", "points": [{"size", "dev", "train", "draws"}], "gain", "law", "band", "sentence", "work"}."""
        return {
            "metric": self.metric, "points": [asdict(point) for point in self.points],
            "gain": asdict(self.gain) if self.gain else None, "law": self.law.to_dict() if self.law else None,
            "band": self.law.band(self.points[0].size, 2 * self.points[-1].size) if self.law else None,
            "sentence": self.sentence, "work": [self.work.to_dict()],
        }

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        scale = 100.0 if self.points[0].dev.unit == "rate" else 1.0
        form = (lambda value: f"{scale * value:.1f}") if scale == 100 else (lambda value: f"{value:.4g}")
        cells = [[f"{point.size:,}", form(point.train), form(point.dev.value),
                  f"[{form(point.dev.low)}, {form(point.dev.high)}]", str(len(point.draws))] for point in self.points]
        unit = " %" if scale == 100 else ""
        headers = ["examples", f"train {self.metric}{unit}", f"dev {self.metric}{unit}", "95 % interval", "trainings"]
        return f"{text_table(headers, cells, align='rrrlr')}\n\n{self.sentence}"


def curve_sizes(examples: int, points: int) -> list[int]:
    """…, m/8, m/4, m/2, m; fewer where the smallest would have under ten examples."""
    sizes = [round(examples / 2**k) for k in range(points - 1, -1, -1)]
    return [size for size in sizes if size >= 10]


def nested_subsets(
    rows: np.ndarray, sizes: Sequence[int], stratum: np.ndarray | None, group: np.ndarray | None, seed: int
) -> list[np.ndarray]:
    """Subsets of `rows`, each within the next, in which every stratum has its share and is there at all.

    stratum, group: of those rows, or None. Whole groups are taken (the last one may be cut), then without strata.
    """
    generator = np.random.default_rng([seed, 3])
    order = generator.permutation(len(rows))
    if group is not None:
        own = group_codes(group, len(rows))
        rank = generator.permutation(own.max() + 1)[own]
    else:
        codes = np.zeros(len(rows), np.int64) if stratum is None else np.unique(stratum, return_inverse=True)[1]
        rank = np.empty(len(rows))
        for code in range(codes.max() + 1):
            members = order[codes[order] == code]
            rank[members] = (np.arange(len(members)) + generator.random()) / len(members)
            rank[members[0]] = 0
    found = rows[np.lexsort((order, rank))]
    return [np.sort(found[:size]) for size in sizes]


def learning_curve(
    measured: Mapping[int, Sequence[tuple[Rows, float]]], metric: Metric, *, seed: int = 0
) -> LearningCurve:
    """The curve and the forecast from what trainings on subsets gave.

    measured: size -> for each draw the dev rows and the metric on the examples learnt; the same draws for every size,
    and in each the same dev examples. Metrics of which more is better become what they are below their best.
    """
    sizes = sorted(measured)
    errors = np.array([[metric.error(metric.value(rows)) for rows, _ in measured[size]] for size in sizes])
    covariance = _covariance(measured, metric, errors, seed)
    unit, n = metric.estimate(measured[sizes[-1]][0][0]).unit, len(measured[sizes[-1]][0][0])
    name = metric.error_title
    means, spread = errors.mean(axis=1), np.sqrt(np.diag(covariance))
    method = "bootstrap over dev examples, spread of draws"
    points = tuple(
        Point(size, Estimate(float(mean), max(0.0, float(mean - 1.96 * sd)), float(mean + 1.96 * sd), n, method, unit),
              float(np.mean([metric.error(each) for _, each in measured[size]])), tuple(map(float, of)))
        for size, mean, sd, of in zip(sizes, means, spread, errors)
    )
    contrast = np.zeros(len(sizes))
    contrast[[0, -1]] = 1, -1
    fallen, doubt = float(contrast @ means), float(np.sqrt(contrast @ covariance @ contrast))
    if len(sizes) < 3 or fallen <= 1.96 * doubt:
        return LearningCurve(name, points, None, None, _unknown(name, sizes, fallen, doubt, unit))
    law = fit_power_law(sizes, means, covariance)
    gain = law.gain(2.0, n, unit)
    return LearningCurve(name, points, gain, law, _forecast(name, law, gain, sizes[-1], float(means[-1])))


def _covariance(measured: Mapping[int, Sequence[tuple[Rows, float]]], metric: Metric, errors: Floats,
                seed: int) -> Floats:
    """Of the mean errors: what other dev examples would change in all alike, and what other draws would in each."""
    sizes, draws = sorted(measured), errors.shape[1]
    generator = np.random.default_rng([seed, 4])
    first = measured[sizes[0]][0][0]
    same = all(np.array_equal(rows.ids, first.ids) for rows, _ in measured[sizes[0]])
    drawn = np.empty((REPLICATES, len(sizes)))
    for replicate in range(REPLICATES):
        index = _resampled(first, generator)
        of_draw = [index if same else _resampled(measured[sizes[0]][d][0], generator) for d in range(draws)]
        drawn[replicate] = [
            np.mean([metric.error(metric.value(measured[size][d][0].take(of_draw[d]))) for d in range(draws)])
            for size in sizes
        ]
    means = np.maximum(errors.mean(axis=1), 0.5 / len(first))
    relative = np.mean(errors.var(axis=1, ddof=1) / means**2) if draws > 1 else 0.01
    least = (0.5 / len(first)) ** 2
    return np.cov(drawn.T) + np.diag(relative * means**2 / draws + least)


def _resampled(rows: Rows, generator: np.random.Generator) -> np.ndarray:
    if rows.group is None:
        return generator.integers(0, len(rows), len(rows))
    codes = group_codes(rows.group, len(rows))
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    return np.concatenate([members[unit] for unit in generator.integers(0, len(members), len(members))])


def _amount(value: float, unit: str) -> str:
    return f"{100 * value:.1f}" if unit == "rate" else f"{value:.3g}"


def _forecast(name: str, law: PowerLaw, gain: Estimate, size: int, now: float) -> str:
    unit = " points" if gain.unit == "rate" else ""
    low, high = law.asymptote
    levels = (f"It would level off at {_amount(low, gain.unit)} to {_amount(high, gain.unit)}."
              if high - low < 0.8 * now else "Where it would level off cannot be told from these sizes.")
    return (f"Twice the data ({size:,} more examples) would buy about {_amount(gain.value, gain.unit)}{unit} "
            f"[{_amount(gain.low, gain.unit)}, {_amount(gain.high, gain.unit)}] of {name}, now "
            f"{_amount(now, gain.unit)}. {levels}")


def _unknown(name: str, sizes: Sequence[int], fallen: float, doubt: float, unit: str) -> str:
    if len(sizes) < 3:
        return "Fewer than three sizes: what more data would buy cannot be told."
    interval = f"[{_amount(fallen - 1.96 * doubt, unit)}, {_amount(fallen + 1.96 * doubt, unit)}]"
    return (f"From {sizes[0]:,} to {sizes[-1]:,} examples the {name} fell by {_amount(fallen, unit)} {interval}: "
            "whether more data would help cannot be told; more repeats or more dev examples would tell.")
