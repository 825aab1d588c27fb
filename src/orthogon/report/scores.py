"""The scores of a report: every metric on every split, the baselines beside it in pairs, the course of training."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from orthogon.draw.curves import curves
from orthogon.draw.page import Page
from orthogon.draw.tables import Raw, html_table
from orthogon.report import progress
from orthogon.report.view import View, estimate
from orthogon.report.words import difference, first_upper, interval_cell, p_value
from orthogon.train.titles import title_of

Line = tuple[list[float], list[float]]
VERDICTS = {"better": "network better", "worse": "baseline better", "tied": "open"}


def metrics(page: Page, view: View) -> None:
    """A table of all metrics with intervals, one column per split; one of the baselines on the main split."""
    splits = {split: of for split, of in view.splits.items() if of.get("metrics")}
    if not splits:
        return
    page.section("All metrics", note="95 % intervals below each figure: what other examples like these could give.")
    page.html(_metric_table(splits, view.metric, ""))
    on_main = {name: of[view.main] for name, of in view.baselines.items() if view.main and view.main in of}
    if on_main:
        beside = {"network": splits.get(view.main or "", {}), **on_main}
        page.html(_metric_table(beside, view.metric, f"The network and its baselines on {view.main}"))
    if view.comparisons:
        page.html(comparisons_table(view))


def _metric_table(columns: dict[str, dict[str, Any]], first: str, caption: str) -> str:
    names = list(dict.fromkeys(name for of in columns.values() for name in of.get("metrics") or {}))
    names.sort(key=lambda name: name != first)  # the main one on top; the others as the task lists them
    headers = ["metric", *(Raw(f"{escape(title)}<br><small>n = {of.get('n') or 0:,}</small>")
                           for title, of in columns.items())]
    rows = [[title_of(name), *(_cell(of, name) for of in columns.values())] for name in names]
    return html_table(headers, rows, caption=caption, align="l" + "r" * len(columns))


def _cell(of: dict[str, Any], name: str) -> Any:
    return interval_cell(estimate((of.get("metrics") or {}).get(name)), of.get("n"))


def comparisons_table(view: View) -> str:
    """The network against each baseline on the same examples."""
    rows = [
        [one.get("baseline"), one.get("split"),
         difference(one["difference"], one.get("low"), one.get("high"), view.rate),
         _changed(one.get("put_right"), one.get("broken")), p_value(one.get("p")), one.get("n"),
         VERDICTS.get(str(one.get("verdict")), str(one.get("verdict") or ""))]
        for one in view.comparisons
    ]
    headers = ["baseline", "split", f"{view.metric_title}, network − baseline", "put right / broken", "p", "n", ""]
    return html_table(headers, rows, caption="The network against each baseline, example by example", align="llrrrrl")


def _changed(put_right: int | None, broken: int | None) -> str:
    """Nothing where no example is right or wrong by itself, as under BLEU."""
    return "" if put_right is None or broken is None else f"{put_right:,} / {broken:,}"


def training(page: Page, view: View) -> None:
    """Loss and score over the epochs, and what the curves say."""
    axis, losses = progress.loss_series(view)
    if not losses:
        return
    page.section("Training", note=" ".join(progress.reading(view)))
    positive = all(y > 0 for _, values in losses.values() for y in values)
    values = [y for _, ys in losses.values() for y in ys]
    log = positive and max(values) > 20 * min(values)
    page.figure(
        curves(losses, title="loss by epoch", x_label=axis, y_label="loss" + (" (log scale)" if log else ""), log=log),
        "Loss" + (" on train and dev." if len(losses) > 1 else "."), _points(losses, axis),
    )
    scores = {name: line for name, line in progress.score_series(view).items() if not _again(line, losses.get(name))}
    if scores:
        factor = 100.0 if view.rate else 1.0
        scaled = {name: (x, [factor * y for y in ys]) for name, (x, ys) in scores.items()}
        label = view.metric_title + (", %" if view.rate else "")
        page.figure(curves(scaled, title=f"{view.metric_title} by epoch", x_label="epoch", y_label=label),
                    f"{first_upper(view.metric_title)} on {' and '.join(scores)}.",
                    _points(scaled, "epoch"))


def _again(score: Line, loss: Line | None) -> bool:
    """Whether the score is the loss, which is drawn already."""
    return loss is not None and score[0] == loss[0] and np.allclose(score[1], loss[1], atol=0)


def _points(series: progress.Series, axis: str, most: int = 12) -> str:
    """Up to twelve evenly chosen points of each line as a table; all are in the embedded numbers."""
    places = sorted({x for xs, _ in series.values() for x in xs})
    step = max(1, -(-len(places) // most))
    kept = sorted({*places[::step], *places[-1:]})
    found = [dict(zip(xs, ys)) for xs, ys in series.values()]
    return html_table([axis, *series], [[f"{x:.0f}", *(of.get(x) for of in found)] for x in kept],
                      align="r" * (1 + len(series)))
