"""How well pairs of one identity are told from pairs of two, at each distance that a threshold could be set to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthogon.draw.curves import curves, downsample
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.words import interval_cell
from orthogon.stats.estimate import Estimate
from orthogon.train.rows import Rows

if TYPE_CHECKING:
    from orthogon.report.view import View

RATES = (0.001, 0.01, 0.1)
"""Shares of the pairs of two identities that may be taken for one, of which the table tells what they cost."""

BINS, POINTS = 40, 200
"""Of the distances that are drawn; points of the ROC curve that are embedded."""


class Threshold(NamedTuple):
    """Up to this distance pairs are taken for one identity: of two identities the rate, of one so many."""

    rate: float
    accepted: Estimate
    distance: float


@dataclass(frozen=True)
class PairFacts:
    """distance, same: of each pair, and whether it is of one identity. false_accept, true_accept: at each threshold."""

    distance: NDArray
    same: NDArray[np.bool_]
    identities: int
    false_accept: NDArray
    true_accept: NDArray
    thresholds: tuple[Threshold, ...]

    def to_dict(self) -> dict[str, Any]:
        """What a report embeds; of the ROC curve at most 200 points."""
        false, true = downsample(np.stack([self.false_accept, self.true_accept]), POINTS).tolist()
        return {
            "same": int(self.same.sum()), "different": int((~self.same).sum()), "identities": self.identities,
            "roc": {"false_accept": false, "true_accept": true},
            "thresholds": [{**each._asdict(), "accepted": each.accepted.to_dict()} for each in self.thresholds],
        }


def pair_facts(rows: Rows) -> PairFacts | None:
    """None where rows hold no pairs, or pairs of one sort alone."""
    if rows.get("partner") is None:
        return None
    from orthogon.tasks.verification_metrics import Pairs, threshold_at, true_accept_metric

    found = Pairs.of(rows)
    curve = found.curve()
    if not len(curve.distance) or np.isnan(curve.false_accept).any():
        return None
    thresholds = (Threshold(rate, true_accept_metric(rate).estimate(rows), threshold_at(rows, rate)) for rate in RATES)
    return PairFacts(found.distance, found.first == found.second, found.identities, curve.false_accept,
                     curve.true_accept, tuple(thresholds))


def pairs(page: Page, view: View) -> None:
    """The ROC curve, what each rate of false accepts costs, and the distances of both sorts of pairs; nothing where
    rows hold no pairs."""
    found = view.pairs
    if found is None:
        return
    page.section("Same or different", note=f"On {view.main}: {found.same.sum():,} pairs of one identity and "
                                           f"{(~found.same).sum():,} of two, of {found.identities:,} identities.")
    table = [[f"{100 * each.rate:g} %", interval_cell(each.accepted), f"{each.distance:.3g}"]
             for each in found.thresholds]
    page.figure(
        curves({str(view.main): (100 * found.false_accept, 100 * found.true_accept)}, log_x=True,
               title=f"ROC curve on {view.main}", x_label="pairs of two identities taken for one, %",
               y_label="pairs of one identity known as one, %"),
        "The ROC curve: the farther the threshold, the more of both sorts are taken for one identity.",
        html_table(["two identities taken for one", "one identity known as one", "distance up to"], table,
                   caption=f"Thresholds, by the pairs of {view.main}; intervals are over identities", align="rrr"))
    edges = np.histogram_bin_edges(found.distance, BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    shares = {name: (middles, 100 * np.histogram(found.distance[these], edges)[0] / these.sum())
              for name, these in (("one identity", found.same), ("two identities", ~found.same))}
    page.figure(curves(shares, title=f"distances of pairs on {view.main}", x_label="distance",
                       y_label="share of the pairs of its sort, %"),
                "How far apart the encodings of a pair are; where the two lines overlap no threshold is right.")
