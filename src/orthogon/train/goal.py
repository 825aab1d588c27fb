"""What a training is judged by while it goes on: the task's first metric, and the thresholds on its others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orthogon.errors import RecipeError, nearest
from orthogon.train.rows import Rows
from orthogon.train.task import Metric, Task
from orthogon.train.thresholds import COSTS, Threshold, parse_thresholds


@dataclass(frozen=True)
class Goal:
    """One metric to optimize, and any number that only have to keep a threshold (rows 12.06, 12.07).

    optimized: the metric that judges. kept: metrics with their thresholds; costs: thresholds on what no row tells.
    """

    optimized: Metric
    kept: tuple[tuple[Metric, Threshold], ...]
    costs: tuple[Threshold, ...]

    @classmethod
    def of(cls, task: Task) -> Goal:
        """By the task's settings; RecipeError where a threshold names what this task does not measure."""
        metrics = {metric.name: metric for metric in task.metrics}
        thresholds = parse_thresholds(task.settings.satisfice)
        for threshold in thresholds:
            if threshold.name not in metrics and threshold.name not in COSTS:
                raise RecipeError(f"{task.name} has no metric {threshold.name!r} here", where="task.satisfice",
                                  remedy=nearest(threshold.name, [*metrics, *COSTS]))
        return cls(task.metrics[0], tuple((metrics[each.name], each) for each in thresholds if each.name in metrics),
                   tuple(each for each in thresholds if each.name in COSTS))

    def values(self, rows: Rows) -> dict[str, float]:
        """Name -> value of the optimized metric, then of those with thresholds."""
        return {metric.name: metric.value(rows) for metric in (self.optimized, *(each for each, _ in self.kept))}

    def score(self, values: Mapping[str, float]) -> float:
        """The number by which epochs are ranked, more is better: the metric where every threshold is kept.

        Whatever misses a threshold comes after all that keep them, the nearest miss first. Source: Deb (2000), "An
        efficient constraint handling method for genetic algorithms".
        """
        missed = sum(threshold.missed_by(values[metric.name]) for metric, threshold in self.kept)
        if missed > 0:
            return -1e300 * (1.0 + min(missed, 1e6))
        value = values[self.optimized.name]
        return value if self.optimized.higher_is_better else -value
