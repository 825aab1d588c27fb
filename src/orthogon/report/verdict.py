"""The head of a report: the verdict and what would change it, key figures, and the ladder from baseline to test."""

from __future__ import annotations

from math import isfinite
from typing import Any

from orthogon import stats
from orthogon.draw.figures import dots
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.view import View, estimate
from orthogon.report.words import difference, first_upper, interval_cell, points, told, written
from orthogon.stats.estimate import Estimate
from orthogon.strategy.resolution import rounded

FEWEST = 6
TOO_FAR = 2.5
"""Baselines this many times as far out as all else stand in the table, not in the figure."""


def verdict(page: Page, view: View) -> None:
    """The verdict in a box, what would change it, and the key figures."""
    lost = lost_to(view)
    said = str(view.result.get("verdict") or "").strip() or _plain_verdict(view)
    said = first_upper(said)
    if lost:
        names = " and ".join(str(one["baseline"]) for one in lost)
        page.callout(f"The baseline wins: {names} is better than the network on {lost[0]['split']}.",
                     " ".join(_lost(view, one) for one in lost) + " " + said, "warning")
    else:
        page.callout("Verdict", said, "info" if view.splits or view.result.get("figures") else "warning")
    change = what_would_change_it(view)
    if change:
        page.text("What would change it: " + " ".join(change))
    cards = _cards(view)
    if cards:
        page.cards(cards)


def lost_to(view: View) -> list[dict[str, Any]]:
    """The comparisons on the main split in which the baseline was found better than the network."""
    return [one for one in view.comparisons if one.get("verdict") == "worse" and one.get("split") == view.main]


def _lost(view: View, one: dict[str, Any]) -> str:
    return (f"Network against {one['baseline']}, {view.metric_title}: "
            f"{difference(one['difference'], one.get('low'), one.get('high'), view.rate)}, n = {one.get('n', 0):,}.")


def _plain_verdict(view: View) -> str:
    if not view.splits:
        return "This run has no scores yet: training has not ended."
    found = view.main_estimate(view.splits.get(view.main or "") or {})
    return f"{view.main}: {view.main_title} {told(found)}." if found else "There are scores, and no verdict."


def what_would_change_it(view: View) -> list[str]:
    """What would turn the verdict: examples to decide what is open, and what this dev set is too small to see."""
    said = []
    for one in view.comparisons:
        needed = _needed(one) if view.rate and one.get("verdict") == "tied" and one.get("split") == view.main else None
        if needed:
            said.append(f"Network against {one['baseline']} is open; about {needed:,} examples like these would "
                        f"show a difference of {100 * abs(one['difference']):.1f} points.")
    found = view.main_estimate(view.splits.get(view.main or "") or {})
    if found and view.shows_error and found.n and _plain_rate(found):
        said.append(_smallest(f"{view.main} {view.noun}", round(found.value * found.n), found.n))
    return said


def _plain_rate(found: Estimate) -> bool:
    """Whether it counts right and wrong examples, each on its own: not means of scores, and not groups."""
    return found.method == "Wilson"


def _smallest(what: str, wrong: int, n: int) -> str:
    """The least that a change must do to be told from chance: six put right and none broken (exact McNemar, 5 %)."""
    if wrong < FEWEST:
        left = f"Only {wrong} mistake{' is' if wrong == 1 else 's are'} left" if wrong else "No mistake is left"
        return (f"{left} among {n:,} {what}: no remedy can be told from chance on them. "
                "More would show the rest, or --folds 5.")
    return (f"On these {n:,} {what} a change has to gain at least {100 * FEWEST / n:.1f} points "
            f"({FEWEST} put right, none broken) before chance can be ruled out; smaller gains need more.")


def _needed(one: dict[str, Any]) -> int | None:
    n, changed = one.get("n") or 0, (one.get("put_right") or 0) + (one.get("broken") or 0)
    gap = abs(one.get("difference") or 0.0)
    if not n or not 0 < gap <= changed / n <= 1:
        return None
    needed = stats.examples_needed_paired(changed / n, gap)
    return needed if n < needed <= 1_000_000 else None


def _cards(view: View) -> list[tuple[str, str, str]]:
    """Dev and test, the best baseline, and how long it took."""
    cards = []
    for split in ("dev", "test"):
        found = view.main_estimate(view.splits.get(split) or {})
        if found:
            value, interval = written(found)
            cards.append((f"{view.main_title}, {split}", value, f"{interval}, n = {found.n:,}"))
    best = best_baseline(view)
    if best:
        cards.append((f"{view.main_title}, best baseline", written(best[1])[0], f"{best[0]} on {view.main}"))
    seconds = view.result.get("seconds")
    if isinstance(seconds, int | float):
        model = view.result.get("model") or {}
        cards.append(("trained and measured in", duration(seconds), _size(model)))
    return cards


def _size(model: dict[str, Any]) -> str:
    parameters, learning = model.get("parameters"), model.get("learning")
    if not isinstance(parameters, int):
        return ""
    frozen = isinstance(learning, int) and learning < parameters
    return f"{parameters:,} parameters{f', of which {learning:,} learn' if frozen else ''}"


def duration(seconds: float) -> str:
    """41.2 -> "41 s", 754 -> "12 min 34 s", 8000 -> "2 h 13 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def best_baseline(view: View) -> tuple[str, Estimate] | None:
    """Name and main metric of the best baseline on the main split."""
    found = [(name, value) for name, of in view.baselines.items()
             if (value := view.main_estimate(of.get(view.main or "") or {})) is not None]
    sign = 1 if view.lower_is_better else -1
    return min(found, key=lambda item: sign * item[1].value, default=None)


# --- the ladder ----------------------------------------------------------------------------------------------


def ladder(page: Page, view: View) -> None:
    """Baseline, human, train, train-dev, dev and test as dots with intervals, and the gaps between them."""
    splits = [(split, found) for split, of in view.splits.items() if (found := view.main_estimate(of)) is not None]
    if not splits:
        return
    rungs = [*_human(view), *splits]
    bases = [(name, found) for name, of in view.baselines.items()
             if (found := view.main_estimate(of.get(view.main or "") or {})) is not None]
    shown, far = _in_sight(bases, rungs)
    side = "left" if view.lower_is_better else "right"
    caption = f"{first_upper(view.main_title)} with 95 % intervals; {side} is better."
    if shown:
        caption += f" Baselines (grey) on {view.main}."
    if far:
        caption += " Off the scale, in the table only: " + ", ".join(far) + "."
    rows = [[label, interval_cell(found), found.n] for label, found in [*bases, *rungs]]
    svg = dots([*shown, *rungs], title=f"{view.main_title} of baselines and splits", percent=view.rate,
               connect=False, faint=[name for name, _ in shown],
               x_label=f"{view.main_title}, %" if view.rate else view.main_title)
    page.section("The ladder", note="What is lost from one rung to the next says where to look.")
    page.figure(svg, caption, html_table(["", view.main_title, "n"], rows, align="lrr"))
    _gaps(page, view)


def _human(view: View) -> list[tuple[str, Estimate]]:
    """What people reach, or the goal, in the unit of the ladder."""
    return [(rung["name"], found) for rung in view.diagnosis.get("rungs") or []
            if rung["name"].startswith(("human", "goal")) and (found := estimate(rung["estimate"])) is not None]


def _in_sight(bases: list[tuple[str, Estimate]], rungs: list[tuple[str, Estimate]]
              ) -> tuple[list[tuple[str, Estimate]], list[str]]:
    """The baselines that fit the scale of the other dots (the nearest one always), and the names of the others."""
    values = [found.value for _, found in rungs]
    center = sum(values) / len(values)
    ends = [end for _, found in rungs for end in (found.low, found.high, found.value) if isfinite(end)]
    by_distance = sorted(bases, key=lambda item: abs(item[1].value - center))
    near, reach = [], max(abs(end - center) for end in ends)
    for number, (name, found) in enumerate(by_distance):
        distance = abs(found.value - center)
        if number and distance > TOO_FAR * reach:
            break
        near.append(name)
        reach = max(reach, distance)
    return [item for item in bases if item[0] in near], [name for name, _ in bases if name not in near]


def _gaps(page: Page, view: View) -> None:
    """The gaps of the diagnosis: how large each is, and whether that is decided."""
    gaps = view.diagnosis.get("gaps") or []
    known = [(gap, found) for gap in gaps if (found := estimate(gap.get("estimate"))) is not None]
    if not known:
        return
    in_points = all(found.unit == "rate" for _, found in known)
    tolerance = float(view.diagnosis.get("tolerance") or 0.0)
    shown = f"{points(tolerance, False)} points" if in_points else f"{tolerance:.3g}"
    sizes = {gap["name"]: _in_points(found) if in_points else found for gap, found in known}
    rows = [[gap["name"], gap["line"], interval_cell(sizes.get(gap["name"])), gap["state"], _remark(gap)]
            for gap in gaps]
    table = html_table(["gap", "", "points" if in_points else view.main_title, "state", ""], rows, align="llrll")
    page.figure(
        dots(list(sizes.items()), title="gaps between the rungs", percent=False,
             x_label="gap, points" if in_points else "gap", highlight=[str(view.diagnosis.get("act") or "")]),
        f"What each step costs. Present: surely above {shown}, which {'are' if in_points else 'is'} tolerated; "
        "negligible: surely below; undecided: the interval holds both.",
    )
    page.html(table)


def _remark(gap: dict[str, Any]) -> str:
    """What would decide it, or why nothing can be said."""
    parts = [str(gap.get("reason") or "")]
    if gap.get("needed"):
        where = " and ".join(gap.get("grow") or ["dev"])
        parts.append(f"about {rounded(gap['needed']):,} more in {where} would decide it")
    return "; ".join(part for part in parts if part)


def _in_points(found: Estimate) -> Estimate:
    value, low, high = (round(100 * x, 1) + 0.0 for x in (found.value, found.low, found.high))
    return Estimate(value, low, high, found.n, found.method)
