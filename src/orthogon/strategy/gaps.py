"""The four gaps between the sets: what each is made of, and what draws say of it.

    avoidable bias   = train − human
    variance         = train-dev − train          (dev − train where dev is drawn from where train is)
    mismatch         = (dev − train-dev) − (human on dev − human)
    dev overfitting  = test − dev

in errors, so that a gap above 0 = loses that much (rows 14.14, 14.21-14.23). Variance is Ng's working definition, not
the statistician's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from orthogon.stats.estimate import Estimate
from orthogon.stats.posterior import GapEvidence, gap_probabilities
from orthogon.strategy.levels import Level
from orthogon.strategy.resolution import least_growth

SURE = 0.95
"""The probability with which a gap is taken to be above the tolerance, or small."""

State = Literal["present", "negligible", "undecided", "unknown"]
Levels = Mapping[str, Level]
"""Of "human" or "goal", "human on dev", "train", "train-dev", "dev", "test" those that there are."""


@dataclass(frozen=True)
class Gap:
    """What is lost between two rungs.

    name:     "bias", "variance", "mismatch", "dev overfitting".
    state:    "present" (the interval lies above the tolerance), "negligible" (below it), "undecided", "unknown".
    estimate: the gap and its 95 % interval; above 0 = loses that much; None where it was not measured.
    line:     from where to where ("train-dev to dev").
    needed:   where undecided: how many more examples in each set in `grow` would decide it, if it stays as it is.
    reason:   why it is unknown or undecided, or what else must be known of it.
    probability_present, probability_largest, probability_small: that it is above the tolerance; that no other is
              larger by more than that; that it is under twice the tolerance. None where nothing may be said.
    """

    name: str
    state: State
    estimate: Estimate | None = None
    line: str = ""
    needed: int | None = None
    grow: tuple[str, ...] = ()
    reason: str = ""
    probability_present: float | None = None
    probability_largest: float | None = None
    probability_small: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "grow": list(self.grow)}


class Sum(NamedTuple):
    """A gap as a sum of levels: level -> sign; from where to where; what else must be known of it."""

    terms: Mapping[str, int]
    line: str
    note: str = ""

    def of(self, values: Mapping[str, Any]) -> Any:
        return sum(sign * values[level] for level, sign in self.terms.items())


def made_of(levels: Levels, like_train: bool | None, test_like_dev: bool | None) -> dict[str, Sum | Gap]:
    """Gap -> the levels whose sum it is; or the gap itself where it cannot be measured, with the reason.

    like_train, test_like_dev: whether dev is drawn from where train is, and test from where dev is; None: not known.
    """
    return {
        "bias": _bias(levels), "variance": _variance(levels, like_train), "mismatch": _mismatch(levels, like_train),
        "dev overfitting": _dev_overfitting(levels, test_like_dev),
    }


def measured(levels: Levels, sums: Mapping[str, Sum | Gap], tolerance: float, bounded: bool = True) -> list[Gap]:
    """The gaps with their states, all judged by the same draws. bounded: whether no error is below 0."""
    draws = {name: level.draws for name, level in levels.items()}
    drawn = {name: each.of(draws) for name, each in sums.items() if isinstance(each, Sum)}
    evidence = gap_probabilities(drawn, tolerance)
    gaps = [each if isinstance(each, Gap) else
            _measured(name, each, levels, evidence[name], float(np.mean(drawn[name] < 2 * tolerance)), tolerance)
            for name, each in sums.items()]
    return [_beside_people(gap, levels, tolerance, bounded) if gap.name == "bias" else gap for gap in gaps]


def past_human(levels: Levels) -> bool:
    """Whether the model is surely better than people: on dev; or on train, while it is not surely worse on dev."""
    if "human" not in levels or "train" not in levels:
        return False
    on_dev = _against_people_on_dev(levels)
    return on_dev < 0 or (on_dev == 0 and side(levels["train"], levels["human"]) < 0)


def side(one: Level, other: Level) -> int:
    """-1 where the first is below the second, 1 where it is above it, 0 where that is open (95 %)."""
    if one.unclear or other.unclear:
        return 0
    low, high = np.quantile(one.draws - other.draws, [0.025, 0.975])
    return int(low > 0) - int(high < 0)


# --- what each gap is made of --------------------------------------------------------------------------------


def _bias(levels: Levels) -> Sum | Gap:
    if "train" not in levels:
        return Gap("bias", "unknown", reason="there are no results on train")
    if "human" in levels:
        return Sum({"train": 1, "human": -1}, "human to train")
    if "goal" in levels:
        return Sum({"train": 1, "goal": -1}, "goal to train", "how well people do it is not known")
    return Gap("bias", "unknown", reason="nobody said how well people do it (--human), and there is no --goal")


def _variance(levels: Levels, like_train: bool | None) -> Sum | Gap:
    if "train" not in levels:
        return Gap("variance", "unknown", reason="there are no results on train")
    if "train-dev" in levels:
        return Sum({"train-dev": 1, "train": -1}, "train to train-dev")
    held = next((part for part in ("dev", "test") if part in levels), None)
    if held is None:
        return Gap("variance", "unknown", reason="no examples were held out")
    if like_train is False:
        return Gap("variance", "unknown", line=f"train to {held}", reason=_together(levels, held))
    note = "" if like_train else f"with mismatch, if {held} is not drawn from where train is"
    return Sum({held: 1, "train": -1}, f"train to {held}", note)


def _mismatch(levels: Levels, like_train: bool | None) -> Sum | Gap:
    if "dev" not in levels:
        return Gap("mismatch", "unknown", reason="there is no dev")
    if "train-dev" in levels and "human on dev" in levels:
        return Sum({"dev": 1, "train-dev": -1, "human on dev": -1, "human": 1}, "train-dev to dev",
                   "less what dev is harder for people too")
    if "train-dev" in levels:
        note = "" if like_train else "at most that: dev may be harder for people too (--human-target)"
        return Sum({"dev": 1, "train-dev": -1}, "train-dev to dev", note)
    if like_train:
        return Gap("mismatch", "negligible", line="train to dev", reason="dev is drawn from where train is")
    if like_train is None:
        return Gap("mismatch", "unknown", line="train to dev",
                   reason="there is no train-dev (--set split.train_dev=0.1)")
    return Gap("mismatch", "unknown", line="train to dev", reason=_together(levels, "dev"))


def _together(levels: Levels, held: str) -> str:
    from orthogon.strategy.diagnosis_words import spoken

    if "train" not in levels:
        return "there is no train-dev (--set split.train_dev=0.1)"
    ends = np.quantile(levels[held].draws - levels["train"].draws, [0.025, 0.975])
    one, other = levels["train"].estimate, levels[held].estimate
    both = Estimate(other.value - one.value, *map(float, ends), n=other.n, unit=other.unit)
    return (f"variance and mismatch together are {spoken(both)}, and there is no train-dev to tell them apart "
            "(--set split.train_dev=0.1)")


def _dev_overfitting(levels: Levels, test_like_dev: bool | None) -> Sum | Gap:
    if "dev" not in levels:
        return Gap("dev overfitting", "unknown", reason="there is no dev")
    if "test" not in levels:
        return Gap("dev overfitting", "unknown", reason="no test look yet; `orthogon compare` forecasts it")
    if test_like_dev is False:
        return Gap("dev overfitting", "unknown", line="dev to test", reason="dev and test come from different sources: "
                   "take both from where the model will be used")
    return Sum({"test": 1, "dev": -1}, "dev to test")


# --- what the draws say --------------------------------------------------------------------------------------


def _measured(name: str, each: Sum, levels: Levels, said: GapEvidence, small: float, tolerance: float) -> Gap:
    noisy = {part: levels[part] for part in each.terms if not levels[part].exact}
    value = each.of({part: level.estimate.value for part, level in levels.items()})
    n = min(level.estimate.n for level in noisy.values() or [levels["train"]])
    unit = levels[next(iter(each.terms))].estimate.unit
    gap = Gap(name, "undecided", Estimate(value, said.low, said.high, n, "joint Monte Carlo", unit), each.line,
              reason=each.note)
    unclear = [part for part in each.terms if levels[part].unclear]
    if unclear:
        return replace(gap, reason=_also(*(f"{part} has {levels[part].unclear}" for part in unclear)))
    gap = replace(gap, probability_present=said.probability_present, probability_largest=said.probability_largest,
                  probability_small=small)
    if said.low > tolerance:
        return replace(gap, state="present")
    if said.high < tolerance:
        return replace(gap, state="negligible")
    growth = least_growth(noisy, abs(value - tolerance))
    if growth is None:
        return replace(gap, reason=_also(gap.reason, "about as large as what is tolerated: a million examples would "
                                                     "not tell"))
    return replace(gap, needed=growth[0], grow=growth[1])


def _also(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def _beside_people(bias: Gap, levels: Levels, tolerance: float, bounded: bool) -> Gap:
    """Bias where the model is better than people, or where the training error bounds it.

    People bound the Bayes error from above only, so bias cannot be told once they are surpassed (row 14.16). Where
    train is fitted better than people can, but dev is done worse, it is memorizing. And no bias is larger than the
    training error itself where it is bounded: no optimum lies below 0 then.
    """
    train = levels.get("train")
    if train is None:
        return bias
    if past_human(levels):
        bias = Gap("bias", "unknown", reason="past human level: how far it is from the best possible cannot be told")
    elif "human" in levels and side(train, levels["human"]) < 0:
        bias = replace(bias, reason="fits train better than people can: it memorizes, which is variance")
    if bias.state != "unknown" or train.unclear or not bounded:
        return bias
    if np.quantile(train.draws, 0.975) < tolerance:
        return replace(bias, state="negligible", line="0 to train", reason="bias is at most the training error")
    return replace(bias, probability_small=float(np.mean(train.draws < 2 * tolerance)))


def _against_people_on_dev(levels: Levels) -> int:
    if "dev" in levels:
        return side(levels["dev"], levels.get("human on dev", levels["human"]))
    return side(levels["train-dev"], levels["human"]) if "train-dev" in levels else 0
