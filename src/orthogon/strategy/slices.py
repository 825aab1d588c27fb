"""Slices: kinds of examples on which the model errs more. Proposed on the Eyeball, confirmed once on the Blackbox.

Whoever tries a hundred slices finds bad ones by chance. So those that are proposed on the one half of dev are tested
on the other, which nobody has looked at, and once only: what it says is kept with the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr
from scipy.stats import hypergeom

from orthogon.stats import Estimate, rate
from orthogon.stats.intervals import group_codes
from orthogon.stats.multiple import benjamini_hochberg, holm
from orthogon.stats.posterior import beta_draws
from orthogon.strategy.eyeball import Eyeball, mistakes
from orthogon.strategy.facets import Facet
from orthogon.strategy.work_list import Work
from orthogon.train.rows import Rows

SMALLEST, MOST = 10, 8
"""Examples a slice holds at least in the Eyeball, and proposals at most: each more makes confirming harder."""
FALSE_SHARE, LEVEL = 0.10, 0.05
"""Expected share of false ones among the proposals, and the chance that any confirmation is false."""
SAME = 0.8
"""Two slices that share so much of their union are one: the more evident one stands."""


@dataclass(frozen=True)
class Slice:
    """A kind of examples.

    eyeball, blackbox: its error rate there (None: there is no Blackbox). elsewhere: of the examples outside of it, on
    the side that counts. p_value: adjusted, of a higher error inside: by Holm where it was tested on the Blackbox, by
    Benjamini-Hochberg on the Eyeball otherwise.
    state:   "confirmed", "not confirmed" or "proposed" (there is nothing to confirm it on).
    ceiling: points of error that would be gained if the slice were like the rest.
    """

    name: str
    state: str
    eyeball: Estimate
    blackbox: Estimate | None
    elsewhere: Estimate
    p_value: float
    ceiling: Estimate


@dataclass(frozen=True)
class Slices:
    """What was tried, and the slices that were proposed, the most evident first."""

    run: str
    tried: int
    slices: tuple[Slice, ...]
    blackbox: int

    @property
    def work(self) -> tuple[Work, ...]:
        """A confirmed slice is worth at most its ceiling."""
        return tuple(
            Work(f"make {one.name} as good as the rest", "mistakes", "at most", one.ceiling, "", "slices",
                 note=f"error {one.blackbox} there, {one.elsewhere} elsewhere, on examples nobody looked at")
            for one in self.slices if one.state == "confirmed"
        )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "work": [item.to_dict() for item in self.work]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Slices:
        """The inverse of `to_dict`, also after a way through JSON."""
        found = [
            Slice(one["name"], one["state"], Estimate.from_dict(one["eyeball"]),
                  None if one["blackbox"] is None else Estimate.from_dict(one["blackbox"]),
                  Estimate.from_dict(one["elsewhere"]), one["p_value"], Estimate.from_dict(one["ceiling"]))
            for one in document["slices"]
        ]
        return cls(document["run"], document["tried"], tuple(found), document["blackbox"])

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of the table, on the screen and in the report."""
        rows = [[one.name, str(one.eyeball), str(one.blackbox or "–"), str(one.elsewhere),
                 f"{one.state}, p {one.p_value:.2g}"] for one in self.slices]
        return ["slice", "error, Eyeball", "error, Blackbox", "elsewhere", "evidence"], rows

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        if not self.slices:
            return f"{self.tried} slices tried, none with more mistakes than chance gives"
        return f"{text_table(*self.cells())}\n{self.tried} slices tried"


def find_slices(run: str, rows: Rows, seen: Eyeball, facets: Sequence[Facet]) -> Slices:
    """Slices with more mistakes than elsewhere: proposed on the Eyeball (Benjamini-Hochberg at 10 %), confirmed on the
    Blackbox (Holm at 5 %).

    facets: in the order of the rows. Classes, levels and sources each make a slice; numbers their lowest and highest
    quarter, cut on the Eyeball; missing values one more.
    """
    names, masks = candidates(facets, seen.inside)
    if not names:
        return Slices(run, 0, (), int(seen.outside.sum()))
    errors = _Errors(mistakes(rows), rows.group)
    proposed = _proposed(errors.p_values(masks, seen.inside), masks[:, seen.inside])
    if not seen.outside.any():
        found = [_slice(names[at], "proposed", errors, seen, masks[at], p) for at, p in proposed]
        return Slices(run, len(names), tuple(found), 0)
    at = [place for place, _ in proposed]
    adjusted = holm(errors.p_values(masks[at], seen.outside)) if at else []
    found = [_slice(names[place], "confirmed" if p <= LEVEL else "not confirmed", errors, seen, masks[place], float(p))
             for place, p in zip(at, adjusted)]
    return Slices(run, len(names), tuple(sorted(found, key=lambda one: one.p_value)), int(seen.outside.sum()))


def candidates(facets: Sequence[Facet], inside: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names, and masks bool (S, n), of all slices that are large enough in the Eyeball and leave as many outside."""
    named: list[tuple[str, np.ndarray]] = []
    for facet in facets:
        if facet.levels:
            named += [(f"{facet.name} = {level}", facet.values == code) for code, level in enumerate(facet.levels)]
            named.append((f"{facet.name} missing", facet.values < 0))
        else:
            named += _quarters(facet, inside)
    counts = [int(mask[inside].sum()) for _, mask in named]
    kept = [pair for pair, count in zip(named, counts) if SMALLEST <= count <= inside.sum() - SMALLEST]
    return [name for name, _ in kept], np.array([mask for _, mask in kept], bool).reshape(len(kept), len(inside))


def _quarters(facet: Facet, inside: np.ndarray) -> list[tuple[str, np.ndarray]]:
    known = facet.values[inside & np.isfinite(facet.values)]
    slices = [(f"{facet.name} missing", np.isnan(facet.values))]
    if len(known) and known.min() < known.max():
        low, high = np.quantile(known, (0.25, 0.75))
        slices.append((f"{facet.name} up to {low:.4g}", facet.values <= low))
        slices.append((f"{facet.name} from {high:.4g}", facet.values >= high))
    return slices


class _Errors(NamedTuple):
    """What was wrong, bool (n,), and the group of each example."""

    wrong: np.ndarray
    group: np.ndarray | None

    def rate(self, mask: np.ndarray) -> Estimate:
        return rate(self.wrong[mask], groups=None if self.group is None else self.group[mask])

    def p_values(self, masks: np.ndarray, side: np.ndarray) -> np.ndarray:
        """(S,) of a higher error inside each mask (S, n) than outside, among the examples of one side."""
        return p_values(self.wrong[side], masks[:, side], None if self.group is None else self.group[side])


def p_values(wrong: np.ndarray, masks: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """One-sided p-values (S,) of a higher share of wrong (n,) inside each mask (S, n) than outside; 1 without a side.

    Exact (Fisher, hypergeometric) where examples are independent; with groups, normal with the variance over groups.
    """
    wrong, size = wrong.astype(np.float64), masks.sum(axis=1)
    if group is None:
        return np.where(size > 0, hypergeom.sf(masks @ wrong - 1, len(wrong), wrong.sum(), size), 1.0)
    rest = len(wrong) - size
    both = (size > 0) & (rest > 0)
    weights = masks / np.maximum(size, 1)[:, None] - ~masks / np.maximum(rest, 1)[:, None]
    means = np.where(masks, (masks @ wrong / np.maximum(size, 1))[:, None],
                     (~masks @ wrong / np.maximum(rest, 1))[:, None])
    codes = group_codes(group, len(wrong))
    of_group = np.zeros((codes.max() + 1, len(masks)))
    np.add.at(of_group, codes, (weights * (wrong - means)).T)
    spread = np.sqrt((of_group**2).sum(axis=0))
    z = np.divide(weights @ wrong, spread, out=np.zeros(len(masks)), where=spread > 0)
    return np.where(both, ndtr(-z), 1.0)


def _proposed(p: np.ndarray, masks: np.ndarray) -> list[tuple[int, float]]:
    """(place, adjusted p-value) of what chance does not explain, the most evident first, each kind once."""
    adjusted = benjamini_hochberg(p)
    chosen: list[int] = []
    for place in np.argsort(p, kind="stable"):
        shared = (masks[place] & masks[chosen]).sum(axis=1) / np.maximum((masks[place] | masks[chosen]).sum(axis=1), 1)
        if adjusted[place] <= FALSE_SHARE and not (shared > SAME).any() and len(chosen) < MOST:
            chosen.append(int(place))
    return [(place, float(adjusted[place])) for place in chosen]


def _slice(name: str, state: str, errors: _Errors, seen: Eyeball, mask: np.ndarray, p_value: float) -> Slice:
    counted = seen.inside if state == "proposed" else seen.outside  # what it was chosen on flatters its effect
    blackbox = errors.rate(mask & seen.outside) if seen.outside.any() else None
    return Slice(name, state, errors.rate(mask & seen.inside), blackbox, errors.rate(~mask & counted), p_value,
                 _ceiling(errors.wrong, mask & counted, ~mask & counted))


def _ceiling(wrong: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> Estimate:
    """Share of the slice × how much higher its error is, never below 0."""
    n = int(inside.sum() + outside.sum())
    share = inside.sum() / n
    draws = beta_draws([wrong[inside].sum(), wrong[outside].sum()], [inside.sum(), outside.sum()])
    ends = np.maximum(share * np.quantile(draws[0] - draws[1], (0.025, 0.975)), 0)
    means = [wrong[side].mean() if side.any() else 0.0 for side in (inside, outside)]
    return Estimate(max(0.0, float(share * (means[0] - means[1]))), float(ends[0]), float(ends[1]), n,
                    "Jeffreys draws of both error rates", "rate")
