"""What kinds of mistakes there are: confusion, figures per class or label, calibration, residuals."""

from __future__ import annotations

import numpy as np

from orthogon.draw import figures
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report import facts
from orthogon.report.examples import confused, mistakes
from orthogon.report.view import View
from orthogon.report.words import interval_cell, points, told

MOST_IN_MATRIX, MOST_IN_FIGURE = 40, 12


def classes(page: Page, view: View) -> None:
    """The confusion matrix, and precision, recall and F1 of each class or label."""
    rows = view.main_rows
    if rows is None or not rows.classes or len(rows) == 0:
        return
    single = facts.is_single_label(rows)
    page.section("Classes" if single else "Labels", note=f"On {view.main}, n = {len(rows):,}.")
    if single:
        _confusion(page, view)
    shown = view.per_class
    if 1 < len(shown) <= MOST_IN_FIGURE:
        ranked = sorted((one for one in shown if one.f1.n), key=lambda one: one.f1.value)
        page.figure(figures.dots([(one.name, one.f1) for one in ranked], title="F1 of each class", x_label="F1, %"),
                    "F1, the harmonic mean of precision and recall, with 95 % intervals, the lowest first.")
    if len(shown) > 12:
        shown = sorted(shown, key=lambda one: one.f1.value if one.f1.n else 2.0)
    headers = ["class" if single else "label", "n", "predicted", "precision", "recall", "F1"]
    table = [[one.name, one.n, one.predicted, interval_cell(one.precision), interval_cell(one.recall),
              interval_cell(one.f1)] for one in shown]
    left_out = len(facts.occurring(rows)) - len(shown)
    caption = "Per class, the lowest F1 first" if len(shown) > 12 else "Per class" if single else "Per label"
    if left_out:
        caption += f"; {left_out} more with a higher F1 are not shown"
    page.html(html_table(headers, table, caption=caption, align="lrrrrr"))


def _confusion(page: Page, view: View) -> None:
    rows = view.main_rows
    assert rows is not None  # noqa: S101 - the caller has looked
    matrix, wrong = facts.confusion(rows), len(mistakes(rows))
    pairs = [[rows.classes[true], rows.classes[said], int(matrix[true, said])]
             for (true, said), _ in confused(rows, pairs=12)]
    table = html_table(["true", "predicted", "times"], pairs, caption="The most frequent confusions") if pairs else ""
    count = f"{wrong:,} of {len(rows):,} are wrong." if wrong else f"All {len(rows):,} are right."
    keep = _busiest(matrix)
    if len(keep) < len(matrix):
        count += f" Shown: the {len(keep)} of {len(matrix)} classes with most mistakes."
    svg = figures.confusion(matrix[np.ix_(keep, keep)], [rows.classes[k] for k in keep],
                            title=f"confusion matrix on {view.main}")
    page.figure(svg, f"Rows are the truth, columns what was predicted. {count}", table)


def _busiest(matrix: np.ndarray) -> np.ndarray:
    """The classes to draw, in their order: all of them, or the forty that take part in most mistakes."""
    if len(matrix) <= MOST_IN_MATRIX:
        return np.arange(len(matrix))
    off = matrix - np.diag(np.diag(matrix))
    return np.sort(np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:MOST_IN_MATRIX])


def trust(page: Page, view: View) -> None:
    """Whether stated probabilities can be believed; for numbers, how far predictions are off and to which side."""
    rows = view.main_rows
    if rows is None or len(rows) == 0:
        return
    if rows.classes:
        if view.calibration is not None:
            _calibration(page, view, view.calibration)
        return
    _residuals(page, view)


def _calibration(page: Page, view: View, found: facts.Calibration) -> None:
    page.section("Calibration", note=_believable(found))
    what = "confidence" if found.of == "confidence" else "probability of a label"
    table = html_table([f"stated {what}", "came true", "n"],
                       [[f"{100 * stated:.1f} %", interval_cell(true), true.n] for stated, true in found.bins],
                       align="rrr")
    svg = figures.calibration(found.bins, title=f"calibration on {view.main}", x_label=f"stated {what}, %",
                              y_label="share that came true, %")
    page.figure(svg, f"Above the dashed line: better than stated. Band: 95 % intervals, on {view.main}. "
                     f"Brier score {told(found.brier)}; 0 is perfect.", table)


def _believable(found: facts.Calibration) -> str:
    gap = found.gap
    said = f"stated minus true: {points(gap.value)} points [{points(gap.low, False)}, {points(gap.high, False)}]."
    if gap.low > 0:
        return f"Too sure of itself on average; {said}"
    if gap.high < 0:
        return f"Less sure than it could be on average; {said}"
    return f"On average stated probabilities agree with what came true; {said}"


def _residuals(page: Page, view: View) -> None:
    if not view.residuals:
        return
    page.section("Residuals", note=f"Prediction minus target on {view.main}, n = {len(view.residuals[0].target):,}.")
    for one in view.residuals:
        of, mean = f" of {one.name}" if one.name else "", one.mean
        page.figure(figures.scatter(one.target, one.prediction, title=f"prediction against target{of}"),
                    f"Predictions{of}; on the dashed line they are exact.")
        side = "too high" if mean.low > 0 else "too low" if mean.high < 0 else "to neither side"
        quantiles = [[f"{100 * q:.0f} %", float(np.quantile(one.off, q))] for q in (0.05, 0.25, 0.5, 0.75, 0.95)]
        page.figure(figures.histogram(one.off, title=f"residuals{of}", x_label="prediction − target"),
                    f"On average off {side}: {told(mean)}.",
                    html_table(["share of examples", "residual below"], quantiles, align="rr"))
