"""What diagnosing and probing are worth where the truth is known. Level 0: sets drawn from known error rates, and how
often a rule names a gap that is not the largest. Level 1: small worlds in which networks are trained: what holds the
base back was planted, the Bayes error is exact, 20,000 fresh examples and five seeds tell what the advised remedy truly
gains. Useless: under half a point. Two kinds of world were never used in tuning. At 300 examples worlds without a
mismatch are judged out of five folds over their train set. Cost: all that the probe trained, in trainings of the base.
"""

from __future__ import annotations

import os
import sys
import time
from multiprocessing import get_context
from typing import Any

from dxbench import binomial, real, scores
from dxbench.worlds import HELD_OUT, KINDS

Record = dict[str, Any]

WORLDS, FEWER = 10, {"nothing helps": 5}
"""Worlds of each kind; fewer where the right advice is none."""

REPORTED = 0
"""The first seed of the report; the procedure was tuned on worlds with seeds from 9,000 on."""

DRAWS = 1000
GOALS = {300: 0.20, 1000: 0.50, 5000: 0.85}


def measure(settings: Any) -> Record:
    """Level 0, then all worlds of levels 1 and 2, in as many processes as there are cores."""
    worlds = reported()[:2] if settings.quick else reported()
    faults = [(kind, REPORTED) for kind in real.KINDS] if real.available() and not settings.quick else []
    return {"level_0": binomial.measure(20 if settings.quick else DRAWS), "worlds": assessed(worlds),
            "real": assessed(faults) if faults else []}


def reported() -> list[tuple[str, int]]:
    """Kind and seed of every world of the report, one of each kind after the other."""
    return [(kind, REPORTED + index) for index in range(WORLDS) for kind in KINDS if index < FEWER.get(kind, WORLDS)]


def assessed(worlds: list[tuple[str, int]]) -> list[Record]:
    """The records of all rules at all levels in those worlds, in their order."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before the processes load torch
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    records: list[Record] = []
    started = time.monotonic()
    with get_context("spawn").Pool(min(cores, len(worlds))) as pool:
        for done, found in enumerate(pool.imap(_assess, worlds), start=1):
            records += found
            print(f"world {done}/{len(worlds)}  {found[0]['kind']}  {time.monotonic() - started:.0f} s",
                  file=sys.stderr, flush=True)
    return records


def _assess(world: tuple[str, int]) -> list[Record]:
    from dxbench.rules import assess

    return assess(*world)


def goals(found: Record) -> list[list[str]]:
    """Each goal of the probes, what was measured, and whether it is met."""
    lines = []
    for n_dev, wanted in GOALS.items():
        here = [each for each in found["worlds"] if each["n_dev"] == n_dev]
        if not here:
            continue
        seen = scores.score(here, "probes")
        acted = max(1, seen["acts"])
        for what, value, met in (
            ("useless advice at most 2 %", seen["useless"] / acted, seen["useless"] / acted <= 0.02),
            ("wrong direction at most 2 %", seen["wrong"] / acted, seen["wrong"] / acted <= 0.02),
            (f"acts in at least {100 * wanted:.0f} %", seen["acts"] / len(here), seen["acts"] / len(here) >= wanted),
        ):
            lines.append([f"probes, n_dev = {n_dev:,}: {what}", f"{100 * value:.1f} %", "met" if met else "not met"])
        lines.append([f"probes, n_dev = {n_dev:,}: costs at most 4 trainings", f"{seen['cost_most']:.2f}",
                      "met" if seen["cost_most"] <= 4 else "not met"])
    return lines


def render(found: Record) -> str:
    """Level 0, level 1 over all worlds, probes by kind, and how well P(largest) is calibrated."""
    from harness import table

    percent = lambda value: f"{100 * value:.1f} %"  # noqa: E731
    level_0 = [[f"{each['n']:,}", *(percent(each[key]) for key in
                                    ("naive_wrong", "naive_false", "acts", "wrong", "false"))]
               for each in found["level_0"]]
    worlds, every = found["worlds"], list(scores.RULES)
    count = len({(each["kind"], each["seed"]) for each in worlds})
    blocks = [
        f"Level 0, {found['level_0'][0]['draws']:,} draws a line",
        table(("examples in a set", "largest gap: wrong", "false alarm", "rule acts", "wrong when acting",
               "false alarm when acting"), level_0),
        f"Level 1, {count} worlds",
        table(("n_dev, rule", *scores.HEAD),
              scores.rows_of(worlds, every, lambda each, rule: f"{each['n_dev']:,}: {scores.RULES[rule]}")),
        "Level 1, probes within the budget, by kind (the last two were never used in tuning)",
        table(("kind, n_dev", *scores.HEAD),
              [line for kind in _kinds(worlds) for line in scores.rows_of(
                  [each for each in worlds if each["kind"] == kind], ["probes"],
                  lambda each, _: f"{each['kind']}{' (held out)' if each['kind'] in HELD_OUT else ''}, "
                                  f"{each['n_dev']:,}")]),
        "Counted in CPU seconds, the short trainings' overhead included, the probes took "
        f"{scores.score(worlds, 'probes')['cpu_cost']:.1f} trainings of the base on average.",
        *_level_2(found.get("real") or []),
        "Brier score of P(largest): " + ", ".join(
            f"{scores.brier([each for each in worlds if each['n_dev'] == n_dev]):.3f} at n_dev = {n_dev:,}"
            for n_dev in sorted({each["n_dev"] for each in worlds})) + ".",
    ]
    return "\n\n".join(blocks)


def _level_2(worlds: list[Record]) -> list[str]:
    """What each rule advised for each planted fault, and what following it would truly gain, at 1,000 of dev."""
    from harness import table

    if not worlds:
        return []

    def told(each: Record, rule: str) -> str:
        advice = each["advice"].get(rule)
        return f"{advice} ({100 * each['gains'][advice]:+.1f})" if advice else "–"

    rows = [[each["kind"], f"{each['best']} ({100 * each['gains'][each['best']]:+.1f})",
             *(told(each, rule) for rule in scores.RULES)] for each in worlds if each["n_dev"] == 1000]
    return ["Level 2, public data with planted faults, n_dev = 1,000: advice, and what following it truly "
            "gains, in points", table(("data, fault", "best", *scores.RULES.values()), rows),
            "Level 2, all faults", table(("n_dev, rule", *scores.HEAD), scores.rows_of(
                worlds, list(scores.RULES), lambda each, rule: f"{each['n_dev']:,}: {scores.RULES[rule]}"))]


def _kinds(worlds: list[Record]) -> list[str]:
    present = {each["kind"] for each in worlds}
    return [kind for kind in KINDS if kind in present]
