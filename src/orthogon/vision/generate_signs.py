"""How a GAN fails, from the rows of its evaluation and the records of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orthogon.train.rows import Rows
from orthogon.train.task import Sign
from orthogon.vision.generate_metrics import generation_metrics

COLLAPSED_COVERAGE, COLLAPSED_SPREAD = 0.2, 0.5
"""Of pictures and of distances between them, under which samples are of few kinds. Thresholds of judgement: a small
GAN after a minute on Fashion-MNIST covered 0.42."""

SATURATED = 0.98
"""Share of pictures and samples told right in the later half of the records from which the generator hardly learns."""

COPIED = 0.6
"""Share of samples that lie nearer to the train pictures than held-out ones do; ½ where nothing is copied."""


def signs(lines: Sequence[Mapping[str, Any]], parts: Mapping[str, Rows]) -> list[Sign]:
    """Collapse and copying as dev shows them, and saturation as the later records of training do."""
    rows = next((parts[part] for part in ("dev", "test", "train") if part in parts), None)
    found = [] if rows is None else [*_collapse(rows), *_copying(rows)]
    return [*found, *_saturation([line for line in lines if line.get("figures")])]


def _collapse(rows: Rows) -> list[Sign]:
    if rows.get("covered") is None:
        return []
    metrics = {metric.name: metric for metric in generation_metrics()}
    coverage, spread = (metrics[name].estimate(rows) for name in ("coverage", "spread"))
    if coverage.value >= COLLAPSED_COVERAGE and spread.value >= COLLAPSED_SPREAD:
        return []
    return [Sign("collapse", f"samples are of few kinds: {100 * coverage.value:.0f} % "
                 f"[{100 * coverage.low:.0f}, {100 * coverage.high:.0f}] of {coverage.n:,} pictures of {rows.split} "
                 f"have a sample near them (97 % where nothing is missing), and samples differ {spread.value:.2f} "
                 f"times as much as pictures [{spread.low:.2f}, {spread.high:.2f}]",
                 "Cures, the likeliest first: a stronger penalty (ten times task.gradient_penalty); a lower rate (a "
                 "third of train.lr); more steps; a larger batch; a wider generator (model.options.width).")]


def _copying(rows: Rows) -> list[Sign]:
    if rows.get("copied") is None:
        return []
    metric = next(metric for metric in generation_metrics() if metric.name == "copied")
    copied = metric.estimate(rows)
    if not copied.low > COPIED:
        return []
    return [Sign("copying", f"{100 * copied.value:.0f} % [{100 * copied.low:.0f}, {100 * copied.high:.0f}] of "
                 f"{copied.n:,} samples lie nearer to the train pictures than pictures of {rows.split} do; half would "
                 "by chance", "Compare them with their nearest train pictures in the report. If they are the same: "
                 "more pictures, train.augment, fewer steps. If they are dull: samples near the mean do so too.")]


def _saturation(records: Sequence[Mapping[str, Any]]) -> list[Sign]:
    later = records[len(records) // 2:]
    right = [(line["figures"]["real_right"] + line["figures"]["made_right"]) / 2 for line in later]
    if not right or sum(share >= SATURATED for share in right) * 2 <= len(right):
        return []
    slopes = [slope for line in records if (slope := _generator_gradient(line)) is not None]
    fell = f"; the generator's gradient is {slopes[-1] / slopes[0]:.2g} times what it was at first" \
        if len(slopes) > 1 and slopes[0] > 0 else ""
    return [Sign("saturation", f"the discriminator tells {100 * min(right):.0f} to {100 * max(right):.0f} % of "
                 f"pictures and samples right from step {later[0]['step']:,} on: too sure for the "
                 f"generator to learn much{fell}",
                 "Cures, the likeliest first: a stronger penalty (ten times task.gradient_penalty); a slower "
                 "discriminator (train.parameter_rules=[{pattern: 'discriminator.*', lr: 0.3}]); changed pictures "
                 "(train.augment) where there are few.")]


def _generator_gradient(line: Mapping[str, Any]) -> float | None:
    """The norm of the whole gradient of the generator, where it was recorded."""
    mine = [value for layer, value in zip(line["layers"], line.get("gradient") or [])
            if layer.startswith("generator.") and value is not None]
    return sum(value**2 for value in mine) ** 0.5 if mine else None
