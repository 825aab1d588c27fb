"""A diagnosis in words: the verdict as one calm sentence, the ladder, the gaps, and what is done about each."""

from __future__ import annotations

import textwrap
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

from orthogon.draw.tables import NOTHING, html_table, text_table
from orthogon.stats.estimate import Estimate
from orthogon.strategy.gaps import SURE
from orthogon.strategy.levels import FEWEST, PLAIN
from orthogon.strategy.resolution import FEWEST_MENDED, rounded, smallest_gain

if TYPE_CHECKING:
    from orthogon.strategy.diagnosis import Diagnosis
    from orthogon.strategy.gaps import Gap

WIDE = 100

HELPS = {
    "bias": "a bigger network or longer training may help, more data will not.",
    "variance": "more data, regularization or augmentation may help.",
    "mismatch": "more of the same data will not help.",
    "dev overfitting": "dev has been chosen by too often; take a fresh or a larger one.",
}
REMEDIES = {
    "bias": "a bigger network with its regularization retuned; longer training, while the training loss still falls; "
            "a better optimizer; another architecture. Rule out mistakes first: orthogon preflight, find-rate",
    "variance": "more data; L2, dropout, augmentation; another architecture",
    "mismatch": "see what differs between train and dev; collect or synthesize examples like those of dev; move some "
                "of them into training",
    "dev overfitting": "a larger or a fresh dev set; fewer choices by it",
}
"""Rows 14.07-14.09, 14.17, 14.21."""


# --- figures -------------------------------------------------------------------------------------------------


def spoken(estimate: Estimate) -> str:
    """A gap in a sentence: "17.2 [12.4, 21.8] points"; in the metric's own unit where it is no rate."""
    unit = " points" if estimate.unit == "rate" else f" {estimate.unit}" if estimate.unit else ""
    return f"{figures(estimate)}{unit}"


def figures(estimate: Estimate) -> str:
    """"17.2 [12.4, 21.8]"."""
    value, low, high = (_number(x, estimate.unit) for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]" if isfinite(estimate.low) and isfinite(estimate.high) else value


def _number(value: float, unit: str) -> str:
    if not isfinite(value):
        return NOTHING
    return f"{round(100 * value, 1) + 0.0:.1f}" if unit == "rate" else f"{value:.3g}"


def _size(value: float, unit: str) -> str:
    """A size without interval: "0.5 points", "0.041"."""
    return f"{_number(value, unit)} points" if unit == "rate" else f"{_number(value, unit)} {unit}".rstrip()


# --- the sentence --------------------------------------------------------------------------------------------


def sentence_of(found: Diagnosis) -> str:
    """The verdict: what to act on, or that there is nothing to see, or what would show it."""
    if not any(found.rung(part) for part in ("train-dev", "dev", "test")):
        return "No examples were held out, so nothing can be said about new ones."
    beside = [_goal(found), _open_bias(found)]
    if found.outcome in ("act", "several"):
        said = [_act(found) if found.outcome == "act" else _several(found), _past(found), *beside]
    else:
        rest = _nothing(found) if found.outcome == "nothing big" else _unsure(found)
        said = [_past(found), _few_mistakes(found) or rest, *beside]
    return " ".join(part for part in said if part)


def _act(found: Diagnosis) -> str:
    gap = found.gap(str(found.act))
    name = title(found, gap).upper() + ("" if gap.state == "present" else ", very likely:")
    neither = f"{_smaller(found, gap)}: " if _smaller(found, gap) else ""
    helps = HELPS[gap.name] if neither else _upper(HELPS[gap.name])
    also = [f"{title(found, each)} {spoken(each.estimate)}" for each in found.gaps
            if each.state == "present" and each is not gap and each.estimate]
    beside = f" Also {' and '.join(also)}." if also else ""
    return f"{name} {spoken(gap.estimate)}, {gap.line}. {neither}{helps}{beside}" if gap.estimate else ""


def _smaller(found: Diagnosis, acted: Gap) -> str:
    """"Not bias, little variance": the gaps that are negligible, and those that are surely less than half as large."""
    least = acted.estimate.low if acted.estimate else 0.0
    said = [f"not {title(found, gap)}" if gap.state == "negligible" else f"little {title(found, gap)}"
            for gap in found.gaps if (gap.state == "negligible" and title(found, gap) == gap.name)
            or (gap.state == "undecided" and gap.estimate and gap.probability_present is not None
                and gap.estimate.high < least / 2)]
    return _upper(", ".join(said))


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _several(found: Diagnosis) -> str:
    named = [f"{title(found, gap).upper()} {spoken(gap.estimate)}" for gap in found.gaps
             if gap.estimate and (gap.probability_present or 0) >= SURE]
    if len(named) == 1:
        rival = _rival(found)
        beside = f" {_upper(title(found, rival))} {spoken(rival.estimate)} may be larger:" if rival.estimate else ""
        return f"{named[0]} is there.{beside} look for remedies of both."
    which = "larger" if len(named) == 2 else "the largest"
    return f"{', '.join(named[:-1])} and {named[-1]}: which is {which} is open, so look for remedies of each."


def _rival(found: Diagnosis) -> Gap:
    """Of the gaps that are not surely there the one that reaches highest."""
    return max((gap for gap in found.gaps if gap.estimate and (gap.probability_present or 0) < SURE),
               key=lambda gap: gap.estimate.high if gap.estimate else 0.0)


def _few_mistakes(found: Diagnosis) -> str:
    """Where so few mistakes are left that no remedy could be seen to help."""
    dev = found.rung("dev")
    if dev is None or dev.estimate.method != PLAIN:
        return ""
    n, wrong = dev.estimate.n, round(dev.estimate.value * dev.estimate.n)
    smallest = smallest_gain(dev.estimate.value, n)
    if n < FEWEST or (wrong >= FEWEST_MENDED and smallest < dev.estimate.value):
        return ""
    mistakes = f"{wrong} mistake{'' if wrong == 1 else 's'}" if wrong else "no mistake"
    more = "more data" if found.folds else "more data or --folds 5"
    return (f"Nothing to fix that {n:,} {found.noun} could show: {mistakes}. Remedies worth under "
            f"{_size(smallest, 'rate')} need {more}.")


def _nothing(found: Diagnosis) -> str:
    known = [f"{title(found, gap)} {figures(gap.estimate)}" for gap in found.gaps
             if gap.estimate and gap.state in ("negligible", "undecided")]
    return f"Nothing big: no gap of {_size(2 * found.tolerance, found.unit)} or more ({', '.join(known)})."


def _unsure(found: Diagnosis) -> str:
    undecided = [gap for gap in found.gaps if gap.state == "undecided" and gap.estimate
                 and (gap.probability_small or 0) < SURE]
    if undecided:
        said = ", ".join(f"{title(found, gap)} {spoken(gap.estimate)}" for gap in undecided if gap.estimate)
        return f"Not enough evidence: {said}. Cheapest next step: {_cheapest(found, undecided)}."
    if found.rung("train") is None:
        return _without_train(found)
    negligible = [f"not {title(found, gap)}" for gap in found.gaps if gap.state == "negligible"]
    said = [", ".join(negligible), found.gap("variance").reason if found.gap("variance").state == "unknown" else ""]
    return " ".join(f"{_upper(text)}." for text in said if text)


def _without_train(found: Diagnosis) -> str:
    """That bias and variance cannot be told, and what can be: the error on new examples."""
    held = next(rung for part in ("dev", "test", "train-dev") if (rung := found.rung(part)))
    share = " %" if found.unit == "rate" else f" {found.unit}".rstrip()
    return (f"There are no results on train, so bias and variance cannot be told. What is known: {found.metric} on "
            f"{held.name} {figures(held.estimate)}{share}, n = {held.estimate.n:,}.")


def _cheapest(found: Diagnosis, undecided: list[Gap]) -> str:
    """The growth of sets that takes the fewest examples."""
    decidable = [gap for gap in undecided if gap.needed]
    if not decidable:
        return "larger sets" if any(gap.probability_present is None for gap in undecided) else (
            "none, what is open is about as large as what is tolerated")
    gap = min(decidable, key=lambda each: (each.needed or 0) * len(each.grow))
    folds = ", or --folds 5" if "dev" in gap.grow and not found.folds else ""
    return f"{growth(found, gap)}{folds}, would decide {title(found, gap)}"


def growth(found: Diagnosis, gap: Gap) -> str:
    """"about 3,100 more in dev (now 359)"."""
    now = [f"{rung.estimate.n:,}" for part in gap.grow if (rung := found.rung(part))]
    sets = gap.grow[0] if len(gap.grow) == 1 else f"each of {' and '.join(gap.grow)}"
    return f"about {rounded(gap.needed or 0):,} more in {sets} (now {', '.join(now)})"


def _past(found: Diagnosis) -> str:
    if not found.past_human:
        return ""
    return "Past human level: bias cannot be told from people any more; set a goal (--goal)."


def _goal(found: Diagnosis) -> str:
    goal, dev = found.rung("goal"), found.rung("dev")
    if goal is None or dev is None:
        return ""
    if dev.estimate.high <= goal.estimate.value:
        return "The goal is met on dev."
    return "The goal is not met on dev." if dev.estimate.low > goal.estimate.value else ""


def _open_bias(found: Diagnosis) -> str:
    """That nobody knows how much of the training error could be avoided, where there is much of it."""
    train = found.rung("train")
    if found.gap("bias").state != "unknown" or found.past_human or train is None:
        return ""
    share = "%" if found.unit == "rate" else found.unit
    return (f"Bias is unknown: the {found.metric} on train is {_number(train.estimate.value, found.unit)}"
            f"{' ' + share if share else ''}, and neither --human nor --goal was given.")


def title(found: Diagnosis, gap: Gap) -> str:
    """The name of a gap; what is above a goal is no bias."""
    return "gap to the goal" if gap.name == "bias" and found.rung("goal") else gap.name


# --- tables --------------------------------------------------------------------------------------------------


def remedies(found: Diagnosis) -> dict[str, str]:
    """Gap -> what is done about it, for those that are there, the one to act on first."""
    there = [gap.name for gap in found.gaps if gap.state == "present" or gap.name == found.act]
    return {name: REMEDIES[name] for name in sorted(there, key=lambda name: name != found.act)}


def ladder(found: Diagnosis) -> tuple[list[str], list[list[str]]]:
    """Headers and cells: a row for each rung."""
    rows = [[rung.name, _number(rung.estimate.value, rung.estimate.unit), _interval(rung.estimate),
             f"{rung.estimate.n:,}" if rung.estimate.n else "", rung.note] for rung in found.rungs]
    heading = f"{found.metric} %" if found.unit == "rate" else f"{found.metric} {found.unit}".rstrip()
    return ["", heading, "95 % interval", "n", ""], rows


def _interval(estimate: Estimate) -> str:
    if not estimate.n or not (isfinite(estimate.low) and isfinite(estimate.high)):
        return NOTHING
    return f"[{_number(estimate.low, estimate.unit)}, {_number(estimate.high, estimate.unit)}]"


def gaps(found: Diagnosis) -> tuple[list[str], list[list[str]]]:
    """Headers and cells: a row for each gap."""
    rows = [[title(found, gap), figures(gap.estimate) if gap.estimate else NOTHING, gap.line, gap.state]
            for gap in found.gaps]
    return ["gap", "points" if found.unit == "rate" else found.unit, "", "state"], rows


def notes(found: Diagnosis) -> list[str]:
    """What would decide the gaps that are open, why others are unknown, and what is done about those that are there."""
    named: dict[str, list[str]] = {}
    for gap in found.gaps:
        wanted = f"{growth(found, gap)} would decide it" if gap.needed else ""
        if text := "; ".join(part for part in (wanted, gap.reason) if part):
            named.setdefault(text, []).append(title(found, gap))
    said = [f"{', '.join(names)}: {text}." for text, names in named.items()]
    return [*said, *(f"against {title(found, found.gap(name))}: {what}." for name, what in remedies(found).items())]


def as_text(found: Diagnosis) -> str:
    """The verdict, the ladder, the gaps, and what there is to know of them."""
    wrapped = [textwrap.fill(note, WIDE, subsequent_indent="  ", break_on_hyphens=False) for note in notes(found)]
    return "\n\n".join([
        textwrap.fill(found.sentence, WIDE, break_on_hyphens=False), text_table(*ladder(found), align="lrrrl"),
        text_table(*gaps(found), align="lrll"),
        "\n".join([*wrapped, f"A gap within {_size(found.tolerance, found.unit)} is tolerated (--tolerance)."]),
    ])


def as_html(found: Diagnosis) -> str:
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes(found))
    return f"<p>{escape(found.sentence)}</p>{html_table(*ladder(found))}{html_table(*gaps(found))}<ul>{listed}</ul>"

