"""How well pairs of one identity are told from pairs of two, at each distance that a threshold could be set to."""

from __future__ import annotations

import numpy as np

from orthogon.draw.curves import curves
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.view import View
from orthogon.report.words import interval_cell

RATES = (0.001, 0.01, 0.1)
"""Shares of the pairs of two identities that may be taken for one, of which the table tells what they cost."""

BINS = 40


def pairs(page: Page, view: View) -> None:
    """The ROC curve, what each rate of false accepts costs, and the distances of both sorts of pairs; nothing where
    rows hold no pairs."""
    rows = view.main_rows
    if rows is None or rows.get("partner") is None or len(rows) < 2:
        return
    from orthogon.tasks.verification_metrics import Pairs, threshold_at, true_accept_metric

    found = Pairs.of(rows)
    curve = found.curve()
    if not len(curve.distance) or np.isnan(curve.false_accept).any():
        return
    same = found.first == found.second
    page.section("Same or different", note=f"On {view.main}: {same.sum():,} pairs of one identity and "
                                           f"{(~same).sum():,} of two, of {found.identities:,} identities.")
    table = [[f"{100 * rate:g} %", interval_cell(true_accept_metric(rate).estimate(rows)),
              f"{threshold_at(rows, rate):.3g}"] for rate in RATES]
    page.figure(
        curves({str(view.main): (100 * curve.false_accept, 100 * curve.true_accept)}, log_x=True,
               title=f"ROC curve on {view.main}", x_label="pairs of two identities taken for one, %",
               y_label="pairs of one identity known as one, %"),
        "The ROC curve: the farther the threshold, the more of both sorts are taken for one identity.",
        html_table(["two identities taken for one", "one identity known as one", "distance up to"], table,
                   caption=f"Thresholds, by the pairs of {view.main}; intervals are over identities", align="rrr"))
    edges = np.histogram_bin_edges(found.distance, BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    shares = {name: (middles, 100 * np.histogram(found.distance[these], edges)[0] / these.sum())
              for name, these in (("one identity", same), ("two identities", ~same))}
    page.figure(curves(shares, title=f"distances of pairs on {view.main}", x_label="distance",
                       y_label="share of the pairs of its sort, %"),
                "How far apart the encodings of a pair are; where the two lines overlap no threshold is right.")
