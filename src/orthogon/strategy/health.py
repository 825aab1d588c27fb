"""What the health records of a run mean: findings with their evidence, and the remedies that fit the cause.

Rows 10.01-10.03, 10.05, 10.06 and 10.13 of the catalogue; `orthogon.train.health` makes the records. The bounds stand
far from what healthy networks show. Beside each: the worst that was seen on the bundled digits in the later records of
nets with 2 to 8 hidden layers, fully connected and convolutional, with relu, gelu, tanh and sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

VANISHING = 1e-3
"""Share of the largest relative gradient of the hidden layers after it below which a layer's vanishes. Healthy: 0.1."""

EXPLODING = 30.0
"""Norm of a layer's gradient over that of its weights: a plain step at rate 1/30 replaces the weights. Healthy: 0.2."""

DEAD = 0.75
"""Share of rectified units that are zero for all examples. Healthy: 0.2; with more classes than examples that are
looked at, half may have nothing to say."""

SATURATED = 0.8
"""Share of the outputs of a tanh or sigmoid near its ends. Healthy: 0.55, behind the last hidden layer of a net that is
sure of its answers."""

DRIFT = 100.0
"""How many times the scale of activations may grow or shrink behind the first hidden layer. Healthy: 12."""

LARGE_UPDATE = 0.1
"""Share of its weights' norm by which one step moves a layer when the rate is too high. Healthy: 0.03; usual: 0.001."""

LOOKUPS = frozenset({"Embedding", "EmbeddingBag"})
"""Kinds of layers of which a batch reaches few rows: their gradient is small beside the whole of their weights."""

Record = Mapping[str, Any]
Records = Sequence[Record]
Offenders = dict[str, float]
"""Layer -> the number that makes it one."""


@dataclass(frozen=True)
class HealthFinding:
    """Something that is wrong with gradients or activations.

    kind:   "exploding gradient", "dead units", "saturated units", "vanishing gradient", "growing activations" or
            "shrinking activations".
    layer:  where it is worst. layers: all where it is, in forward order.
    first, last: the first and the last recorded step at which `layer` has it; value: its number at the last.
    what:   a sentence with the evidence. remedy: what to do, the likeliest cure first.
    """

    kind: str
    layer: str
    layers: tuple[str, ...]
    first: int
    last: int
    value: float
    what: str
    remedy: str


@dataclass(frozen=True)
class Check:
    """One kind of finding.

    offenders: the layers of a record that have it. say: (layer, number) -> the evidence. remedy: (records, layer) ->
    what to do. least: whether the smallest number is the worst. lasting: whether it must be there in the end to count.
    """

    kind: str
    offenders: Callable[[Record], Offenders]
    say: Callable[[str, float], str]
    remedy: Callable[[Records, str], str]
    least: bool = False
    lasting: bool = True


def health_findings(lines: Records) -> list[HealthFinding]:
    """What the health records say is wrong; nothing for a healthy net, and nothing without records.

    lines: of metrics.jsonl (`Run.metrics`), of which those count whose event is "health".
    """
    records = [line for line in lines if line.get("event") == "health"]
    found = {check.kind: finding for check in CHECKS if (finding := _judged(check, records))}
    explained = {kind for cause, kinds in CONSEQUENCES.items() if cause in found for kind in kinds}
    return [finding for kind, finding in found.items() if kind not in explained]


def _judged(check: Check, records: Records) -> HealthFinding | None:
    """The layers that have it, in one finding: in half of the later records, or in any if it need not last."""
    seen: dict[str, dict[int, float]] = {}
    for record in records:
        for layer, value in check.offenders(record).items():
            seen.setdefault(layer, {})[int(record["step"])] = value
    if check.lasting:
        later = [int(record["step"]) for record in records[len(records) // 2:]]
        seen = {layer: at for layer, at in seen.items() if 2 * sum(step in at for step in later) >= len(later)}
    if not seen:
        return None
    layers = tuple(layer for layer in records[-1]["layers"] if layer in seen)
    layer = (min if check.least else max)(layers, key=lambda name: list(seen[name].values())[-1])
    steps, value = list(seen[layer]), list(seen[layer].values())[-1]
    when = f"at step {steps[0]:,}" if len(steps) == 1 else f"from step {steps[0]:,} to {steps[-1]:,}"
    more = f"; {len(layers) - 1} of the other {len(records[-1]['layers']) - 1} likewise" if layers[1:] else ""
    return HealthFinding(check.kind, layer, layers, steps[0], steps[-1], value,
                         f"{check.say(layer, value)} ({when}{more})", check.remedy(records, layer))


# --- which layers have it ----------------------------------------------------------------------------------------


def _column(record: Record, name: str) -> dict[str, float]:
    """Layer -> value, of the layers that have one."""
    values = record.get(name) or []
    return {layer: value for layer, value in zip(record["layers"], values) if value is not None}


def _relative_gradients(record: Record) -> dict[str, float]:
    """Hidden layer -> norm of its gradient over that of its weights (the inverse of You et al. 2017, arXiv:1708.03888).

    Not of the last layer, whose initial weights are small by design, nor of embeddings.
    """
    weights = _column(record, "weight")
    kinds = dict(zip(record["layers"], record["kinds"]))
    return {layer: value / weights[layer] for layer, value in _column(record, "gradient").items()
            if layer != record["layers"][-1] and kinds[layer] not in LOOKUPS and weights.get(layer)}


def _vanishing(record: Record) -> Offenders:
    found: Offenders = {}
    largest = 0.0
    for layer, value in reversed(_relative_gradients(record).items()):
        if value < VANISHING * largest:
            found[layer] = value / largest
        largest = max(largest, value)
    return found


def _exploding(record: Record) -> Offenders:
    large = {layer: value for layer, value in _relative_gradients(record).items() if value > EXPLODING}
    return large | dict.fromkeys(record.get("not_finite", ()), inf)


def _dead(record: Record) -> Offenders:
    return {layer: share for layer, share in _column(record, "dead").items() if share > DEAD}


def _saturated(record: Record) -> Offenders:
    """Of all layers but the last: outputs near 0 and 1 are what a last sigmoid is for."""
    return {layer: share for layer, share in _column(record, "saturated").items()
            if share > SATURATED and layer != record["layers"][-1]}


def _drifts(record: Record) -> dict[str, float]:
    """Layer -> the scale of what enters it over that of what enters the second; the first is given the data."""
    scales = {layer: value for layer, value in _column(record, "scale").items() if layer != record["layers"][0]}
    start = next(iter(scales.values()), 0.0)
    return {layer: value / start for layer, value in scales.items()} if start else {}


def _growing(record: Record) -> Offenders:
    return {layer: times for layer, times in _drifts(record).items() if times > DRIFT}


def _shrinking(record: Record) -> Offenders:
    return {layer: times for layer, times in _drifts(record).items() if times < 1 / DRIFT}


# --- what to do --------------------------------------------------------------------------------------------------


def _is_recurrent(records: Records, layer: str) -> bool:
    kinds = dict(zip(records[-1]["layers"], records[-1]["kinds"]))
    return kinds[layer].startswith(("RNN", "LSTM", "GRU"))


def _cures(*cures: str) -> str:
    return f"Cures, the likeliest first: {'; '.join(cures)}."


def _against_vanishing(records: Records, layer: str) -> str:
    if _is_recurrent(records, layer):
        return "This is the commonest trouble of recurrent nets. " + _cures("gates (LSTM or GRU)", "shorter sequences")
    bounded = any(_column(record, "saturated") for record in records)
    return _cures(*(["relu in place of tanh and sigmoid"] if bounded else []), "batch or layer norm",
                  "initial weights that suit the activation", "connections that skip layers")


def _against_exploding(records: Records, layer: str) -> str:
    cures = _cures("clipping (train.clip_norm=1)", "a lower rate (a third of train.lr)",
                   "initial weights that suit the activation", "batch or layer norm")
    return f"In recurrent nets one such step can undo all that was learnt. {cures}" if _is_recurrent(records, layer) \
        else cures


def _against_dead(records: Records, _layer: str) -> str:
    largest = max((value for record in records for value in _column(record, "update").values()), default=0.0)
    lower = "a lower rate (a third of train.lr)"
    if largest > LARGE_UPDATE:
        lower += f": one step moved a layer by {100 * largest:.0f} % of its weights"
        return _cures(lower, "batch norm", "leaky_relu")
    return _cures("biases that start at zero", "batch norm", "leaky_relu", lower)


def _against_saturated(_records: Records, _layer: str) -> str:
    return _cures("smaller initial weights", "inputs of unit scale", "batch or layer norm", "relu")


def _against_drift(_records: Records, _layer: str) -> str:
    return _cures("initial weights that suit the activation (He et al. for relu, Glorot for tanh)",
                  "batch or layer norm in each layer", "connections that skip layers")


# --- the checks, the gravest first ----------------------------------------------------------------------------------


def _say_exploding(layer: str, value: float) -> str:
    said = "is not finite" if value == inf else f"is {value:,.0f} times as long as its weights"
    return f"the gradient of layer {layer} {said}"


def _say_dead(layer: str, value: float) -> str:
    return f"{100 * value:.0f} % of the rectified units after layer {layer} are zero for every example"


def _say_saturated(layer: str, value: float) -> str:
    return f"{100 * value:.0f} % of the outputs after layer {layer} lie at the ends of tanh or sigmoid"


def _say_vanishing(layer: str, value: float) -> str:
    said = f"is {value:.1g} times that of a later layer, both relative to their weights" if value else \
        "is zero, that of later layers is not"
    return f"the gradient of layer {layer} {said}"


def _say_drift(layer: str, value: float) -> str:
    times = f"{value:,.0f}" if value > 1 else f"{value:.1g}"
    return f"what enters layer {layer} varies {times} times as much as what enters the second"


CHECKS = (
    Check("exploding gradient", _exploding, _say_exploding, _against_exploding, lasting=False),
    Check("dead units", _dead, _say_dead, _against_dead),
    Check("saturated units", _saturated, _say_saturated, _against_saturated),
    Check("vanishing gradient", _vanishing, _say_vanishing, _against_vanishing, least=True),
    Check("growing activations", _growing, _say_drift, _against_drift),
    Check("shrinking activations", _shrinking, _say_drift, _against_drift, least=True),
)

CONSEQUENCES = {
    "dead units": ("vanishing gradient", "shrinking activations"),
    "saturated units": ("vanishing gradient",),
}
"""Cause -> what follows from it and is not told beside it."""
