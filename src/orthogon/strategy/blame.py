"""Blame: whether a wrong output is the fault of the search, which missed a better one, or of the model.

    objective(reference) > objective(output): the search        objective(reference) ≤ objective(output): the model

The objective is the one that was searched, normalized by length where the search was: `BeamSpec.score`. A search at
fault is mended by a wider beam; a model at fault by all that makes models better, and by a wider beam not at all.
Source: Ng, "Machine Learning Yearning", chapters 44 to 46; catalogue rows 28.10 and 36.22.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from orthogon.stats import Estimate, compare_paired, compare_paired_values, estimate_score, rate
from orthogon.strategy.work_list import Work
from orthogon.train.searched import Searched

SAME = 1e-5
"""Two computations of one objective differ by rounding: the reference is better by more than this share of it."""

BUCKETS, FEWEST = 4, 10
"""Lengths are cut at quarters of the references; of fewer examples than ten no share is given."""


@dataclass(frozen=True)
class Bucket:
    """Examples whose references have `shortest` to `longest` tokens.

    search: the search's share of the mistakes; None where they are too few. quality: of the outputs.
    """

    shortest: int
    longest: int
    n: int
    mistakes: int
    search: Estimate | None
    quality: Estimate | None


@dataclass(frozen=True)
class Wide:
    """What a beam of `width` finds instead.

    better: the share of all examples for which it finds a greater objective: there the narrow beam has missed it.
    search: the search's share of the mistakes, judged by the better of both outputs.
    gain:   in quality over the beam that was used, paired.
    """

    width: int
    better: Estimate
    search: Estimate | None
    gain: Estimate | None


@dataclass(frozen=True)
class Blame:
    """Whose fault the mistakes of a run are.

    search:   the search's share of the mistakes; the rest is the model's. None where nothing is wrong.
    unreachable: mistakes whose reference the search could not have given; they count as the model's.
    shorter:  among the model's mistakes of another length than the reference, the share that are shorter.
    length_bias: "shorter" or "longer", where that share is beyond doubt not a half; "" otherwise.
    oracle:   what choosing the best of the `n_best` outputs would gain in quality.
    covered_right, covered_wrong: the share of the source attended to, of right and of wrong outputs.
    """

    run: str
    width: int
    n: int
    mistakes: int
    unreachable: int
    search: Estimate | None
    shorter: Estimate | None
    length_bias: str
    buckets: tuple[Bucket, ...]
    wide: Wide | None = None
    n_best: int = 1
    oracle: Estimate | None = None
    covered_right: Estimate | None = None
    covered_wrong: Estimate | None = None

    @property
    def work(self) -> tuple[Work, ...]:
        """What could be done, each with what was measured of it."""
        items = []
        if self.wide and self.wide.gain:
            gain = self.wide.gain
            decision = "promising" if gain.low > 0 else "no" if gain.high < 0 else "not known"
            items.append(Work(f"search with a beam of {self.wide.width}", "mistakes", decision, gain,
                              f"{self.wide.width / self.width:.3g} x the time to search", "blame",
                              note=f"it finds a greater objective for {self.wide.better}"))
        if self.oracle:
            items.append(Work(f"choose better among the {self.n_best} best outputs", "mistakes", "at most", self.oracle,
                              "a model that ranks them", "blame"))
        if self.length_bias:
            direction = "more" if self.length_bias == "shorter" else "less"
            items.append(Work(f"divide by {direction} of the length (the beam's exponent)", "mistakes", "not known",
                              None, "no training", "blame",
                              note=f"of the model's mistakes that differ in length, {self.shorter} are shorter"))
        return tuple(items)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": self.sentence, "work": [item.to_dict() for item in self.work]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Blame:
        """The inverse of `to_dict`, also after a way through JSON."""
        told: dict[str, Any] = {each.name: document[each.name] for each in fields(cls)}
        told["buckets"] = tuple(Bucket(**_estimates(one)) for one in told["buckets"])
        told["wide"] = told["wide"] and Wide(**_estimates(told["wide"]))
        return cls(**_estimates(told))

    @property
    def sentence(self) -> str:
        """Whose fault it is, in words."""
        if self.search is None:
            return f"none of {self.n:,} outputs is wrong"
        if self.search.low > 0.5:
            said = "mostly the search's fault, which missed a better output: search wider"
        elif self.search.high < 0.5:
            said = "mostly the model's fault, which holds its own output for better: a wider beam would not help"
        else:
            said = "the search's fault and the model's alike"
        beyond = f" ({self.unreachable:,} where the search could not give the reference)" if self.unreachable else ""
        bias = f"; the model's are {self.length_bias} than they should be" if self.length_bias else ""
        return (f"{self.mistakes:,} of {self.n:,} outputs are wrong{beyond}, {said}{bias}; the search's share is "
                f"{self.search}")

    def cells(self) -> tuple[list[str], list[list[Any]]]:
        """Headers and rows of the table by length, on the screen and in the report."""
        rows = [[f"{one.shortest}" if one.shortest == one.longest else f"{one.shortest} to {one.longest}",
                 f"{one.mistakes:,} of {one.n:,}", one.search or "too few", one.quality] for one in self.buckets]
        return ["tokens", "wrong", "of these the search's fault", "quality"], rows

    def beside(self) -> list[tuple[str, Estimate]]:
        """What else was measured, each with its title, on the screen and in the report."""
        told: list[tuple[str, Estimate | None]] = []
        if self.wide:
            beam = f"a beam of {self.wide.width}"
            told += [(f"{beam} finds a greater objective", self.wide.better),
                     (f"the search's share, judged by {beam} as well", self.wide.search),
                     (f"what {beam} gains", self.wide.gain)]
        told += [(f"what the best of the {self.n_best} outputs would gain", self.oracle),
                 ("of the model's mistakes of another length, shorter", self.shorter),
                 ("share of the source attended to, right outputs", self.covered_right),
                 ("share of the source attended to, wrong outputs", self.covered_wrong)]
        return [(title, one) for title, one in told if one is not None]

    def tables(self) -> str:
        """By length, and what was measured beside it, as text."""
        from orthogon.draw.tables import text_table

        beside = f"\n\n{text_table(['beside it', ''], self.beside(), align='ll')}" if self.beside() else ""
        return text_table(*self.cells(), align="rrll") + beside

    def __str__(self) -> str:
        return f"{self.tables()}\n\n{self.sentence}"


def _estimates(document: Mapping[str, Any]) -> dict[str, Any]:
    """With estimates where there are documents of such."""
    return {key: Estimate.from_dict(value) if isinstance(value, Mapping) and "low" in value else value
            for key, value in document.items()}


def blame(run: str, width: int, results: Searched) -> Blame:
    """Whose fault the outputs are that are not right. width: of the beam that was used."""
    wrong, wide = ~np.asarray(results.right, bool), results.wide
    best, length = results.found, results.found_length
    if wide is not None:
        best, length = np.maximum(best, wide.found), np.where(wide.found > best, wide.length, length)
    of_model = wrong & np.isfinite(results.reference) & ~at_fault(results.reference, best)
    shorter = _share(length < results.reference_length, of_model & (length != results.reference_length), results)
    search = at_fault(results.reference, results.found)
    return Blame(
        run, width, len(wrong), int(wrong.sum()), int((wrong & np.isneginf(results.reference)).sum()),
        _share(search, wrong, results, fewest=1), shorter, _bias(shorter), _buckets(search, wrong, results),
        _wide(wrong, best, results), 1 if results.quality is None else results.quality.shape[1], _oracle(results),
        _mean(results.coverage, ~wrong, results, "rate"), _mean(results.coverage, wrong, results, "rate"),
    )


def at_fault(reference: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Bool N: the search missed an output that it would have preferred."""
    finite = np.where(np.isfinite(found), found, 0.0)
    return reference > found + SAME * np.maximum(np.abs(finite), 1)


def _share(what: np.ndarray, among: np.ndarray, results: Searched, fewest: int = FEWEST) -> Estimate | None:
    if among.sum() < fewest:
        return None
    return rate(what[among], groups=None if results.groups is None else results.groups[among])


def _bias(shorter: Estimate | None) -> str:
    if shorter is None or shorter.low <= 0.5 <= shorter.high:
        return ""
    return "shorter" if shorter.low > 0.5 else "longer"


def _buckets(search: np.ndarray, wrong: np.ndarray, results: Searched) -> tuple[Bucket, ...]:
    length = np.asarray(results.reference_length)
    if not len(length):
        return ()
    edges = np.unique(np.quantile(length, np.arange(1, BUCKETS) / BUCKETS, method="lower"))
    place = np.searchsorted(edges, length, side="left")
    quality = None if results.quality is None else results.quality[:, 0]
    found = []
    for number in np.unique(place):
        inside = place == number
        found.append(Bucket(int(length[inside].min()), int(length[inside].max()), int(inside.sum()),
                            int((wrong & inside).sum()), _share(search, wrong & inside, results),
                            _mean(quality, inside, results, results.unit)))
    return tuple(found)


def _wide(wrong: np.ndarray, best: np.ndarray, results: Searched) -> Wide | None:
    if results.wide is None:
        return None
    gain = None
    if results.wide.quality is not None and results.quality is not None:
        gain = _gain(results.quality[:, 0], results.wide.quality, results)
    better = rate(at_fault(results.wide.found, results.found), groups=results.groups)
    return Wide(results.wide.width, better, _share(at_fault(results.reference, best), wrong, results, fewest=1), gain)


def _oracle(results: Searched) -> Estimate | None:
    if results.quality is None or results.quality.shape[1] == 1:
        return None
    return _gain(results.quality[:, 0], results.quality.max(axis=1), results)


def _mean(values: np.ndarray | None, which: np.ndarray, results: Searched, unit: str) -> Estimate | None:
    if values is None or which.sum() < FEWEST:
        return None
    groups = None if results.groups is None else results.groups[which]
    return estimate_score(values[which], groups=groups, unit=unit)


def _gain(before: np.ndarray, after: np.ndarray, results: Searched) -> Estimate:
    if results.unit == "rate" and np.isin([before, after], (0, 1)).all():
        return compare_paired(before, after, groups=results.groups).estimate
    return compare_paired_values(before, after, groups=results.groups, unit=results.unit).estimate
