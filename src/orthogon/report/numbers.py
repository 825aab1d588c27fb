"""Every number of a report as one dict: what the page embeds, and what programs read."""

from __future__ import annotations

from math import isfinite, log10
from typing import Any

from orthogon.report import facts, health, progress
from orthogon.report.examples import choose, confused
from orthogon.report.view import View
from orthogon.strategy.eyeball import eyeball
from orthogon.train.run import Run

FORMAT = 1
FIGURES, MOST_POINTS, MOST_CELLS = 6, 400, 100


def numbers(run: Run) -> dict[str, Any]:
    """All numbers of the run's report as plain JSON values, to six figures; parts that a run lacks are left out.

    Keys: those of result.json; "splits" and "baseline" also where the run has not ended; "curves"; "health"
    (of the layers at the recorded steps); "classes" (figures per class), "confusion", "calibration", "pairs",
    "residuals" and "shown" (ids of the examples) of `main`.
    """
    return of_view(View(run))


def of_view(view: View) -> dict[str, Any]:
    """`numbers` of a view that has been read already."""
    found: dict[str, Any] = {
        "format": FORMAT, "name": view.run.name, **view.result, "metric": view.metric, "main": view.main,
        "splits": view.splits, "baseline": view.baselines, "curves": _curves(view),
        "health": health.numbers(view), **_details(view),
    }
    return _rounded({key: value for key, value in found.items() if value not in (None, {}, [], "")})


def _curves(view: View) -> dict[str, Any]:
    axis, losses = progress.loss_series(view)
    scores = progress.score_series(view)
    return {name: {line: {over: x[::_step(x)], "value": y[::_step(x)]} for line, (x, y) in series.items()}
            for name, over, series in (("loss", axis, losses), (view.metric, "epoch", scores)) if series}


def _step(points: list[float]) -> int:
    return max(1, -(-len(points) // MOST_POINTS))


def _details(view: View) -> dict[str, Any]:
    rows = view.main_rows
    if rows is None or len(rows) == 0:
        return {}
    seen = rows.take(eyeball(view.run, rows).inside)
    shown = {"shown": [str(seen.ids[row]) for row in choose(seen)]}
    if not rows.classes:
        about = {"tags": view.tags.to_dict()} if view.tags else {}
        return {**shown, **about, "residuals": [one.to_dict() for one in view.residuals]}
    return {
        **shown, "classes": [one.to_dict() for one in view.per_class],
        "confusion": _confusion(rows) if facts.is_single_label(rows) else None,
        "calibration": view.calibration.to_dict() if view.calibration else None,
        "pairs": view.pairs.to_dict() if view.pairs else None,
    }


def _confusion(rows: Any) -> dict[str, Any]:
    if len(rows.classes) <= MOST_CELLS:
        return {"classes": list(rows.classes), "counts": facts.confusion(rows).tolist()}
    matrix = facts.confusion(rows)
    return {"pairs": [[rows.classes[true], rows.classes[said], int(matrix[true, said])]
                      for (true, said), _ in confused(rows, pairs=200)]}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        if not isfinite(value):
            return None
        return round(value, FIGURES - 1 - int(log10(abs(value)) // 1)) if value else 0.0
    return value
