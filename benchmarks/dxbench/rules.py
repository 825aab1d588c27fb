"""What each rule advises in a world, and what following it would truly gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dxbench import real
from dxbench.arms import FOLDS, Bench, Lab
from dxbench.worlds import World, world
from orthogon.strategy.arms import Remedy
from orthogon.strategy.diagnosis import Diagnosis, judge
from orthogon.strategy.experiment import BUDGET, probe
from orthogon.strategy.gaps import Gap
from orthogon.strategy.levels import Level
from orthogon.strategy.probes import Probes
from orthogon.strategy.reference import Reference
from orthogon.strategy.remedies import Facts, remedies_for

Record = dict[str, Any]

LEVELS = (300, 1000, 5000)
WITH_FOLDS = 300
"""At this level worlds without a mismatch are judged out of folds: all train examples count as dev. With a mismatch
dev comes from elsewhere, folds of the train set say nothing of it, and the 300 examples are used as they are. Remedies
are not tried in full here: with folds that is some 60 trainings a world."""

USUAL = {"bias": ("bigger-network",), "variance": ("more-decay",), "mismatch": ("reserve", "part-of-dev")}
"""The knob that the naive rule and the interval rule turn."""

COSTS = {"reserve": 1.0, "part-of-dev": 2.0, "bigger-network": 1.3, "dropout": 1.4}
"""Of remedies, as these tiny networks have them: a training has a number of steps, so more examples do not make it
longer; a step of a network twice as wide takes little more. What was really taken stands beside it, in CPU seconds."""

TRUTH_SEEDS, RANKED = range(100, 105), 2
"""Seeds over which the true gain of what is advised is averaged; so many of them rank the remedies nobody advised."""


def assess(kind: str, seed: int) -> list[Record]:
    """All rules at all levels in one world."""
    import torch

    torch.set_num_threads(1)
    lab = Lab(real.world(kind, seed) if kind in real.KINDS else world(kind, seed))
    return [_at_level(lab, n_dev) for n_dev in LEVELS]


def _at_level(lab: Lab, n_dev: int) -> Record:
    given, folds = lab.world, n_dev == WITH_FOLDS and not lab.world.mismatched
    rates, truth = _errors(lab, n_dev, folds)
    verdict = _verdict(given, rates)
    offered = remedies(lab, n_dev, folds, verdict)
    every = remedies(lab, n_dev, folds, None)
    of_training = BUDGET * (FOLDS + 1) / FOLDS if folds else BUDGET
    searched = Bench(lab, n_dev, folds)
    probes = probe(offered, searched, budget=of_training) if offered else None
    names = {remedy.name for remedy in every}
    advice = {"naive": _usual(_largest(verdict), names), "intervals": _usual(verdict.act, names),
              "probes": _adopted(probes)}
    promised = {"probes": _promise(probes)}
    if n_dev != WITH_FOLDS:
        in_full = probe(offered, Bench(lab, n_dev, folds), full=True) if offered else None
        advice["full"], promised["full"] = _adopted(in_full), _promise(in_full)
    gains = {remedy.name: _true_gain(lab, remedy, n_dev, remedy.name in advice.values()) for remedy in every}
    return {
        "kind": given.kind, "seed": given.seed, "n_dev": n_dev, "folds": folds,
        "best": max(gains, key=gains.__getitem__), "gains": gains,
        "advice": advice, "promised": promised,
        "cost": _cost(probes, folds), "cpu_cost": _cpu_cost(searched, folds),
        "largest": _brier(verdict, truth),
    }


# --- the verdict ---------------------------------------------------------------------------------------------


def _errors(lab: Lab, n_dev: int, folds: bool) -> tuple[dict[str, tuple[int, int]], dict[str, float]]:
    """Part -> (wrong, n) of the base as the user sees it, and part -> its true error."""
    parts = lab.world.parts
    base, train = lab.outcome({}, 1.0, 0, n_dev, folds), parts["train"]
    wrong = {"train": lab.train(train, train, {}, 0).rows, "dev": base.rows}
    truth = {"dev": base.fresh_error}
    if lab.world.mismatched:
        seen = lab.train(train, np.concatenate([parts["train-dev"][:n_dev], parts["unused"]]), {}, 0).rows
        wrong["train-dev"] = seen.take(np.arange(n_dev))
        truth["train-dev"] = 1 - float(seen["score"][n_dev:].mean())
    counts = {part: (int((1 - rows["score"]).sum()), len(rows)) for part, rows in wrong.items()}
    truth["train"] = counts["train"][0] / counts["train"][1]
    return counts, truth


def _verdict(given: World, counts: dict[str, tuple[int, int]]) -> Diagnosis:
    """The human level is known exactly: it is the share of flipped labels, on both distributions."""
    levels = {part: Level.of_counts(wrong, n, seed) for seed, (part, (wrong, n)) in enumerate(counts.items())}
    levels["train"] = Level.taken_as_exact(levels["train"].estimate)
    human = Reference("human", given.bayes)
    return judge(levels, reference=human, target_reference=human if given.mismatched else None,
                 like_train=not given.mismatched)


def _largest(verdict: Diagnosis) -> str | None:
    measured = {gap.name: gap.estimate.value for gap in verdict.gaps if gap.estimate is not None}
    return max(measured, key=measured.__getitem__, default=None)


def _brier(verdict: Diagnosis, truth: dict[str, float]) -> list[tuple[float, bool]]:
    """P(no other gap is larger by more than the tolerance), and whether that is so, for each gap that was measured."""
    human = verdict.reference.error if verdict.reference else 0.0
    held_out = truth.get("train-dev", truth["dev"])
    gaps = {"bias": truth["train"] - human, "variance": held_out - truth["train"], "mismatch": truth["dev"] - held_out}
    told = {gap.name: gap.probability_largest for gap in verdict.gaps if gap.probability_largest is not None}
    top = max(gaps[name] for name in told) if told else 0.0
    return [(float(told[name]), bool(gaps[name] >= top - verdict.tolerance)) for name in told]


# --- remedies and what they truly do -------------------------------------------------------------------------


def remedies(lab: Lab, n_dev: int, folds: bool, verdict: Diagnosis | None) -> list[Remedy]:
    """What the catalogue offers for the verdict; without one all that could apply."""
    parts, mismatched = lab.world.parts, lab.world.mismatched
    facts = Facts(train=len(parts["train"]), dev=len(parts["train"]) if folds else n_dev,
                  reserve=len(parts.get("reserve", ())), loss_falls=True, shifted=mismatched, folds=folds,
                  metric="accuracy")
    if verdict is None:
        names = ("mismatch", "variance", "bias") if mismatched else ("variance", "bias")
        verdict = Diagnosis("error", "rate", 0.005, (), tuple(Gap(name, "present") for name in names), "several", None)
    found = [replace(remedy, cost=COSTS.get(remedy.name, remedy.cost))
             for remedy in remedies_for(lab.recipe, verdict, facts)]
    spare = any(remedy.name == "reserve" for remedy in found)
    return [remedy for remedy in found if not (spare and remedy.name == "part-of-dev")]


def _true_gain(lab: Lab, remedy: Remedy, n_dev: int, advised: bool) -> float:
    """Base error minus remedy error on fresh examples, averaged over seeds, trained as it would be when adopted."""
    seeds = TRUTH_SEEDS if advised else TRUTH_SEEDS[:RANKED]
    errors = [[lab.outcome(changes, 1.0, seed, n_dev, False).fresh_error for seed in seeds]
              for changes in ({}, remedy.changes)]
    return float(np.mean(errors[0]) - np.mean(errors[1]))


def _usual(gap: str | None, names: set[str]) -> str | None:
    return next((name for name in USUAL.get(gap or "", ()) if name in names), None)


def _adopted(probes: Probes | None) -> str | None:
    return probes.adopted.name if probes and probes.adopted else None


def _promise(probes: Probes | None) -> Sequence[float] | None:
    gain = probes.adopted.gain if probes and probes.adopted else None
    return (gain.value, gain.low, gain.high) if gain else None


def _cost(probes: Probes | None, folds: bool) -> float:
    """In trainings of the base; with folds a training is K + 1 networks and an arm is K."""
    return 0.0 if probes is None else probes.spent * (FOLDS / (FOLDS + 1) if folds else 1.0)


def _cpu_cost(bench: Bench, folds: bool) -> float:
    """The same by the CPU seconds of everything that was trained but the run itself."""
    base = bench.lab.base_seconds(folds) * ((FOLDS + 1) / FOLDS if folds else 1.0)
    return sum(bench.seconds[1:]) / base
