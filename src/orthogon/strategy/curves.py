"""What the curves of a training say, each in a sentence with its evidence (rows 13.01-13.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from orthogon.strategy.trend import (
    FEWEST,
    WORTH,
    Floats,
    Turn,
    extent,
    last_part,
    noise,
    smooth,
    spikes,
    trend,
    turning_point,
)
from orthogon.train.run import Run
from orthogon.train.titles import title_of

Finding = Literal[
    "falling", "level", "unclear", "rising", "flat", "overfitting", "confident mistakes", "apart", "close and high",
    "close", "unstable", "noisy", "smooth", "too short",
]

CLOSE = 0.1
"""Dev loss within so large a share of train loss follows it."""
HIGH = 0.3
"""A loss above so large a share of the first epoch's is high: little was learnt."""
OF_LOSS = ("train loss", "dev loss", "train and dev", "steps")
"""Curves that are read as those of a loss which training descends on."""


@dataclass(frozen=True)
class Reading:
    """What one curve says.

    curve:    "train loss", "dev loss", "dev accuracy" (the metric's name), "train and dev", "steps".
    evidence: the numbers behind the sentence: slope, low, high (per epoch), start, end (epochs), …
    """

    curve: str
    finding: Finding
    sentence: str
    evidence: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence


def read_curves(
    lines: Sequence[Mapping[str, Any]], *, higher_is_better: bool = True, disturbed: Sequence[str] = ()
) -> tuple[Reading, ...]:
    """Readings of the train loss, the dev loss and score, of both losses together, and of the single steps.

    lines:     of metrics.jsonl (`Run.metrics`).
    higher_is_better: the direction of the dev score. disturbed: what acts in training alone ("dropout", …).
    """
    epochs = [line for line in lines if line["event"] == "epoch"]
    x, train = _points(epochs, lambda line: line.get("train_loss"))
    at, dev = _points(epochs, lambda line: (line.get("dev") or {}).get("loss"))
    name = next(iter(next((line["dev"] for line in epochs if line.get("dev")), {})), "")
    when, score = _points(epochs, lambda line: (line.get("dev") or {}).get(name))
    ended = _rate_ended(epochs)
    if len(x) < FEWEST:
        per_epoch = epochs[0]["step"] / epochs[0]["epoch"] if epochs else 1.0
        x, train = _points([line for line in lines if line["event"] == "step"], lambda line: line.get("loss"))
        x = x / per_epoch
    found = [_course("train loss", x, train, ended)]
    turn = turning_point(at, dev) if len(dev) >= FEWEST else None
    if len(dev):
        found.append(_overfitting(turn, x, train) if turn else _course("dev loss", at, dev, ended))
    again = len(score) == len(dev) and np.allclose(score, dev, atol=0)
    if len(score) and not again:  # the score of a language model is its loss
        found.append(_of_score(name, when, score, higher_is_better, turn, ended))
    if len(at) >= FEWEST and len(at) == len(train):
        found.append(_gap(train, dev, disturbed))
    return (*found, *_steps(lines, epochs, disturbed))


def loss_still_falls(run: Run) -> bool:
    """Whether the train loss was still falling when training ended: only then may training longer be a remedy."""
    return read_curves(run.metrics())[0].finding == "falling"


def write_curves(run: Run, descends: bool = True) -> tuple[Reading, ...]:
    """The readings of a run, kept as its evidence "curves".

    descends: whether training descends on the loss (`Task.has_loss`); where it does not, its course says nothing.
    {"readings": [{"curve", "finding", "sentence", "evidence"}], "work": []}
    """
    dev = (run.read_json("evaluations/dev.json") or {}).get("metrics") or {}
    lines, recipe = run.metrics(), run.recipe()
    name = next((next(iter(line["dev"])) for line in lines if line["event"] == "epoch" and line.get("dev")), "")
    options = recipe.model.options
    acting = {"dropout": options.get("dropout") or options.get("input_dropout"), "augmentation": recipe.train.augment}
    readings = read_curves(lines, higher_is_better=dev.get(name, {}).get("higher_is_better", True),
                           disturbed=[each for each, acts in acting.items() if acts])
    readings = tuple(each for each in readings if descends or each.curve not in OF_LOSS)
    run.write_evidence("curves", {"readings": [asdict(each) for each in readings], "work": []})
    return readings


def _points(lines: Sequence[Mapping[str, Any]], value: Any) -> tuple[Floats, Floats]:
    """Epoch (of steps: their number) and value where there is a finite one; at most 300 points, by means."""
    pairs = [(line["epoch"] if line["event"] == "epoch" else line["step"], value(line)) for line in lines]
    known = np.array([pair for pair in pairs if isinstance(pair[1], int | float) and np.isfinite(pair[1])], float)
    if len(known) > 300:
        known = np.array([block.mean(axis=0) for block in np.array_split(known, 300)])
    return (known[:, 0], known[:, 1]) if len(known) else (np.zeros(0), np.zeros(0))


def _rate_ended(epochs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the schedule had brought the rate near zero at the end."""
    rates = [line["lr"] for line in epochs if isinstance(line.get("lr"), int | float)]
    return len(rates) > 1 and rates[-1] < 0.1 * max(rates)


def _course(name: str, x: Floats, y: Floats, rate_ended: bool, sign: float = 1.0) -> Reading:
    """Whether the curve still gets better at its end. sign: −1 for a curve that is given upside down."""
    if len(y) < FEWEST:
        return Reading(name, "too short", f"{_capital(name)} has {len(y)} points: too few to say where it goes.")
    found, whole = trend(*last_part(x, y)), extent(y)
    span = found.end - found.start
    low, high = sorted((sign * found.low, sign * found.high))
    evidence = {"slope": sign * found.slope, "low": low, "high": high, "start": found.start, "end": found.end,
                "noise": noise(y), "last": sign * float(smooth(y)[-1])}
    per = f"{abs(found.slope):.2g} an epoch [{min(abs(low), abs(high)):.2g}, {max(abs(low), abs(high)):.2g}]"
    better, worse = ("falls", "rises") if sign > 0 else ("rises", "falls")
    stretch = f"over epochs {found.start:.0f} to {found.end:.0f}"
    if smooth(y)[0] - smooth(y)[-1] < 3 * noise(y) and trend(x, y).high >= 0 >= trend(x, y).low:
        return Reading(name, "flat", f"{_capital(name)} has not moved since the first epoch beyond its noise: nothing "
                       "that it shows was learnt.", evidence)
    if found.high < 0 and -found.change >= WORTH * whole:
        said = f"{_capital(name)} still {better} at the end: {per} {stretch}"
        more = (", though the schedule had brought the rate near zero: a longer run stretches it" if rate_ended
                else ", so each further epoch buys about that much")
        return Reading(name, "falling", said + more + ".", evidence)
    if found.low > 0 and found.change >= WORTH * whole:
        return Reading(name, "rising", f"{_capital(name)} {worse} at the end: {per} {stretch}.", evidence)
    if max(abs(found.low), abs(found.high)) * span <= max(0.1 * whole, 4 * noise(y)):
        fastest = max(abs(found.low), abs(found.high))
        moves = f"moves by less than {fastest:.2g} an epoch" if fastest else "does not move"
        return Reading(name, "level", f"{_capital(name)} has leveled off: it {moves} {stretch}.", evidence)
    return Reading(name, "unclear", f"{_capital(name)} is too uneven at the end to say where it goes: between "
                   f"{low:+.2g} and {high:+.2g} an epoch {stretch}.", evidence)


def _overfitting(turn: Turn, x: Floats, train: Floats) -> Reading:
    """Dev loss rises: overfitting where train loss goes on falling (rows 13.01, 13.02), something else where not."""
    slope = turn.slope
    evidence = {"from": turn.x, "lowest": turn.value, "rise": turn.rise, "slope": slope.slope, "low": slope.low,
                "high": slope.high}
    rose = (f"dev loss was lowest at epoch {turn.x:.0f} ({turn.value:.3g}) and has risen by {turn.rise:.2g} since "
            f"({slope.slope:+.2g} an epoch [{slope.low:.2g}, {slope.high:.2g}])")
    level = smooth(train)
    fell = float(level[x <= turn.x][-1] - level[-1]) if len(level) and x[0] <= turn.x else 0.0
    if fell > max(3 * noise(train), WORTH * extent(train)):
        return Reading("dev loss", "overfitting", f"Overfitting from epoch {turn.x:.0f}: {rose}, while train loss went "
                       "on falling. Stronger regularization, augmentation or more data are against it; "
                       "train.keep_best ends with the best epoch.", evidence)
    return Reading("dev loss", "rising", f"{_capital(rose)}, and train loss does not fall either: this is not "
                   "overfitting, look at the rate.", evidence)


def _of_score(name: str, x: Floats, y: Floats, higher_is_better: bool, loss_turn: Turn | None, ended: bool) -> Reading:
    """The dev score: where it turns down overfitting is strong (row 13.11); not fooled where the loss alone rises."""
    shown, sign = f"dev {title_of(name)}", -1.0 if higher_is_better else 1.0
    turn = turning_point(x, sign * y) if len(y) >= FEWEST else None
    if turn is not None:
        return Reading(shown, "overfitting", f"{_capital(shown)} was best at epoch {turn.x:.0f} "
                       f"({sign * turn.value:.3g}) and has worsened by {turn.rise:.2g} since: new examples are told "
                       "worse by the later epochs.", {"from": turn.x, "best": sign * turn.value, "worse": turn.rise})
    if loss_turn is not None:
        return Reading(shown, "confident mistakes", f"{_capital(shown)} does not worsen while dev loss rises: the "
                       "mistakes become no more, but more confident, and probabilities less to be trusted.",
                       {"from": loss_turn.x, "last": float(y[-1])})
    return _course(shown, x, sign * y, ended, sign)


def _gap(train: Floats, dev: Floats, disturbed: Sequence[str]) -> Reading:
    """How far dev loss lies from train loss at the end: the amount of overfitting, or the pattern of underfitting."""
    last = slice(-max(3, len(dev) // 5), None)
    fitted, seen = float(np.median(train[last])), float(np.median(dev[last]))
    evidence = {"train": fitted, "dev": seen, "gap": seen - fitted, "first": float(train[0])}
    both = f"dev loss {seen:.3g}, train loss {fitted:.3g}"
    acts = "act" if len(disturbed) > 1 else "acts"
    why = f" ({' and '.join(disturbed)} {acts} in training only, which raises its loss)" if disturbed else ""
    if seen - fitted > CLOSE * max(fitted, seen):
        return Reading("train and dev", "apart", f"At the end {both}: the difference of {seen - fitted:.2g} is the "
                       f"amount of overfitting{why}.", evidence)
    if seen > HIGH * train[0]:
        return Reading("train and dev", "close and high", f"Dev loss follows train loss closely and both are high "
                       f"({both}{why}): nothing is overfitted. Either no network can do better on this data, or this "
                       "one is too small or was trained too briefly; a bigger one tells.", evidence)
    return Reading("train and dev", "close", f"Dev loss follows train loss ({both}{why}): nothing is overfitted.",
                   evidence)


def _steps(lines: Sequence[Mapping[str, Any]], epochs: Sequence[Mapping[str, Any]],
           disturbed: Sequence[str]) -> tuple[Reading, ...]:
    """Spikes, and the ups and downs that are normal (rows 13.07, 13.08, 13.10)."""
    whole_set = len(epochs) > 1 and epochs[1]["step"] - epochs[0]["step"] == 1
    source = epochs if whole_set else [line for line in lines if line["event"] == "step"]
    _, losses = _points(source, lambda line: line.get("train_loss" if whole_set else "loss"))
    if len(losses) < 12:
        return ()
    found, ups = spikes(losses), int((np.diff(losses) > 0).sum())
    evidence = {"readings": len(losses), "spikes": len(found), "rises": ups}
    if len(found):
        largest = float(losses[found].max())
        times = f"{len(found)} spike{'s' if len(found) > 1 else ''}"
        return (Reading("steps", "unstable", f"The train loss has {times}, up to {largest:.3g}: the rate is too high "
                        "for some batches, or some examples are extreme. A lower train.lr or train.clip_norm=1 calms "
                        "it.", evidence),)
    if whole_set and not disturbed and ups > 0.02 * len(losses):
        return (Reading("steps", "unstable", "The batch is the whole train set and nothing is random, so every step "
                        f"should lower the loss; {ups} of {len(losses) - 1} raised it: the rate is too high.",
                        evidence),)
    if ups <= 0.02 * len(losses):
        return (Reading("steps", "smooth", "The train loss falls from reading to reading.", evidence),)
    causes = " and ".join(["mini-batches", *disturbed])
    return (Reading("steps", "noisy", f"{ups} of {len(losses) - 1} readings of the train loss lie above the one "
                    f"before: that is what {causes} do, and no fault; the trend counts.", evidence),)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
