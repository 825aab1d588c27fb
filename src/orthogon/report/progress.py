"""The course of training, read from a run's metrics: series for curves, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orthogon.report.view import View

Series = dict[str, tuple[list[float], list[float]]]


def loss_series(view: View) -> tuple[str, Series]:
    """("epoch", name -> (epochs, losses)) of train and dev; ("step", …) of train where there are under two epochs."""
    found: Series = {}
    for line in _epochs(view):
        _add(found, "train", line, line.get("train_loss"))
        _add(found, "dev", line, _of(line.get("dev"), "loss"))
    if any(len(x) >= 2 for x, _ in found.values()):
        return "epoch", found
    steps: Series = {}
    for line in view.metrics:
        if line.get("event") == "step":
            _add(steps, "train", {**line, "epoch": line.get("step")}, line.get("loss"))
    return ("step", steps) if steps else ("epoch", found)


def score_series(view: View) -> Series:
    """Name -> (epochs, values of the main metric) of dev, and of train where the run measured it."""
    found: Series = {}
    for line in _epochs(view):
        for part in ("train", "dev"):
            _add(found, part, line, _of(line.get(part), view.metric))
    return found


def reading(view: View) -> list[str]:
    """What each curve says, and whether training was resumed; nothing while it has not ended."""
    said = [each["sentence"] for each in (view.evidence.get("curves") or {}).get("readings") or []]
    resumed = sum(line.get("event") == "resume" for line in view.metrics)
    if resumed:
        said.append(f"Training was resumed {resumed} time{'s' if resumed > 1 else ''}; "
                    "what was superseded is not shown.")
    return said


def _epochs(view: View) -> list[dict[str, Any]]:
    return [line for line in view.metrics if line.get("event") == "epoch"]


def _of(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, Mapping) else None


def _add(found: Series, part: str, line: Mapping[str, Any], value: Any) -> None:
    """One point; the folds of a run are lines of their own."""
    if isinstance(value, int | float) and isinstance(line.get("epoch"), int | float):
        name = part if line.get("fold") is None else f"{part}, fold {line['fold']}"
        x, y = found.setdefault(name, ([], []))
        x.append(float(line["epoch"]))
        y.append(float(value))
