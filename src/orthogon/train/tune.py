"""Choosing precision, layout, threads and compilation by timing a few steps; only on request."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from orthogon.train.compute import has_fast_bf16, resolve_device, threads_allowed
from orthogon.train.settings import TrainSettings

WORTH = 0.95
"""A variant must take less than this share of the heuristic choice's time to be taken instead of it."""


def variants(chosen: TrainSettings, asked: TrainSettings) -> Iterator[TrainSettings]:
    """The chosen settings first, then every combination of what the user left open."""
    device = resolve_device(chosen.device)
    precisions = ["fp32", "bf16"] if asked.precision == "auto" and has_fast_bf16(device) else [chosen.precision]
    layouts = [False, True] if asked.channels_last is None else [chosen.channels_last]
    threads = sorted({1, threads_allowed()}) if asked.threads is None and device.type == "cpu" else [chosen.threads]
    yield chosen
    for precision, layout, count in itertools.product(precisions, layouts, threads):
        variant = chosen.model_copy(update={"precision": precision, "channels_last": layout, "threads": count})
        if variant != chosen:
            yield variant


def fastest(
    chosen: TrainSettings, asked: TrainSettings, seconds_per_step: Callable[[TrainSettings], float]
) -> tuple[TrainSettings, list[str]]:
    """The fastest variant, and the sentence that says what was measured."""
    timed = [(seconds_per_step(variant), variant) for variant in variants(chosen, asked)]
    heuristic = timed[0][0]
    best, variant = min(timed, key=lambda pair: pair[0])
    if best > WORTH * heuristic:
        return chosen, [f"timed {len(timed)} ways; none is clearly faster than {1000 * heuristic:.2f} ms a step"]
    compared = f"{1000 * best:.2f} ms a step, the usual choice took {1000 * heuristic:.2f}"
    return variant, [f"timed {len(timed)} ways: {compared}"]
