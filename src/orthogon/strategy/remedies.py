"""Which remedies match a verdict: a table, one row a remedy, with the gaps it is against and when it applies."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from orthogon import registry
from orthogon.strategy.arm_recipe import LENGTHS, changed
from orthogon.strategy.arms import Remedy
from orthogon.strategy.diagnosis import Diagnosis
from orthogon.train.optimizer import usual_settings
from orthogon.train.recipe import Recipe, flat_fields, parse_assignment
from orthogon.train.transfer import transfer_augment, transfer_settings

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """What decides, beside recipe and verdict, which remedies apply.

    train, dev, reserve: examples in each part; with folds dev is the out-of-fold rows. pictures: whether inputs are.
    symbols:    classes are digits or letters, which are others when mirrored.
    loss_falls: whether the training loss was still falling at the end.
    shifted:    dev comes from another source than train. folds: whether dev is out of folds.
    metric:     what the run is judged by.
    """

    train: int
    dev: int
    reserve: int = 0
    pictures: bool = False
    symbols: bool = False
    loss_falls: bool = False
    shifted: bool = False
    folds: bool = False
    metric: str = ""


class Row(NamedTuple):
    """A remedy as the table has it.

    changes: of the recipe; nothing where the remedy does not apply. cost: expected time of a training, relative to the
    base. labels: examples that leave another use.
    """

    name: str
    line: str
    problems: tuple[str, ...]
    changes: Callable[[Recipe, Facts], Changes]
    cost: Callable[[Recipe, Facts], float] = lambda recipe, facts: 1.0
    labels: Callable[[Facts], int] = lambda facts: 0


def remedies_for(recipe: Recipe, diagnosis: Diagnosis, facts: Facts) -> tuple[Remedy, ...]:
    """The remedies against the gaps that are present or undecided, those against the gap to act on first.

    recipe: resolved. A gap that is negligible calls for nothing, and where the verdict is sure what to act on, neither
    does one that is open. Bias that is unknown keeps its remedies (where the training error bounds it, it is
    negligible), and where variance and mismatch cannot be told apart both keep theirs.
    Dev overfitting and being near people have no remedy in training.
    """
    urgency = {gap.name: _urgency(gap.name, gap.state, diagnosis.act, facts) for gap in diagnosis.gaps}
    found, base = [], recipe.flat()
    for row in TABLE:
        matched = sorted((name for name in row.problems if urgency.get(name)), key=urgency.__getitem__)
        changes = row.changes(recipe, facts) if matched else {}
        if any(base[key] != value for key, value in changes.items()):
            remedy = Remedy(row.name, row.line.format(**_words(changes, facts)), tuple(matched), changes,
                            round(row.cost(recipe, facts), 2), row.labels(facts))
            found.append((urgency[matched[0]], remedy))
    return tuple(remedy for _, remedy in sorted(found, key=lambda pair: pair[0]))


def _urgency(name: str, state: str, act: str | None, facts: Facts) -> int:
    """1 for the gap to act on, then present, undecided, unknown; 0 where nothing is called for."""
    if act is not None and state in ("undecided", "unknown"):
        return 0
    if state == "unknown" and not (name == "bias" or (facts.shifted and name in ("variance", "mismatch"))):
        return 0
    return 1 if name == act else {"present": 2, "undecided": 3, "unknown": 4, "negligible": 0}[state]


def _words(changes: Changes, facts: Facts) -> dict[str, Any]:
    return {"optimizer": changes.get("train.optimizer"), "transfer": changes.get("train.transfer"),
            "dropout": changes.get("model.options", {}).get("dropout"), "half": facts.dev // 2,
            "noun": "pictures" if facts.pictures else "examples", "reserve": facts.reserve}


# --- what each remedy changes --------------------------------------------------------------------------------


def _options(recipe: Recipe) -> dict[str, Any]:
    """The model's options, those left out at their defaults; empty for models that are not known by name."""
    if recipe.model.name not in registry.models:
        return {}
    known = inspect.signature(registry.models.load(str(recipe.model.name))).parameters.values()
    return {each.name: each.default for each in known if each.name != "spec"} | recipe.model.options


def _bigger(recipe: Recipe, facts: Facts) -> Changes:
    """Twice as wide; of the models that cannot be widened the next larger one. Always with more weight decay, since
    in worlds of known truth a bigger network alone lost."""
    if recipe.model.weights is not None:
        return {}  # they fit this network alone
    options, name = _options(recipe), recipe.model.name
    wider: dict[str, Any] = {}
    if name == "mlp":
        wider = {"hidden": [2 * size for size in options["hidden"]]}
    elif name in ("convnet", "gmlp"):
        wider = {key: 2 * options[key] for key in ("width", "hidden") if key in options}
    elif name in ("linear", "lenet5"):
        return {"model.name": {"linear": "mlp", "lenet5": "convnet"}[name], **_decay(recipe, 3)}
    return {"model.options": {**recipe.model.options, **wider}, **_decay(recipe, 3)} if wider else {}


def _decay(recipe: Recipe, factor: float) -> dict[str, float]:
    """The L2 penalty or weight decay times a factor; where there is none yet, a usual one."""
    settings = recipe.train
    if settings.l2:
        return {"train.l2": min(10.0, settings.l2 * factor)}
    usual = 0.01 if settings.optimizer in ("adamw", "adamod") else 5e-4
    return {"train.weight_decay": min(10.0, (settings.weight_decay or usual / factor) * factor)}


def _longer(recipe: Recipe, facts: Facts) -> Changes:
    settings = recipe.train
    if not facts.loss_falls:
        return {}
    if settings.minutes is not None:
        return {"train.minutes": 2 * settings.minutes}
    if settings.epochs is not None:
        return {"train.epochs": min(1_000_000, 2 * settings.epochs)}
    return {"train.steps": 2 * (settings.steps or 1)}


def _rate(factor: float) -> Callable[[Recipe, Facts], Changes]:
    return lambda recipe, facts: {"train.lr": min(100.0, float(f"{recipe.train.lr * factor:.3g}"))} \
        if recipe.train.lr else {}


def _other_optimizer(recipe: Recipe, facts: Facts) -> Changes:
    name = "momentum" if recipe.train.optimizer.startswith("ada") else "adamw"
    if recipe.train.optimizer == name:
        return {}
    return {"train.optimizer": name, **{f"train.{key}": value for key, value in usual_settings(name).items()}}


def _less(recipe: Recipe, facts: Facts) -> Changes:
    """Every penalty a tenth; dropout, smoothing and augmentation off."""
    settings, changes = recipe.train, {}
    for name in ("weight_decay", "l1", "l2"):
        if getattr(settings, name):
            changes[f"train.{name}"] = getattr(settings, name) / 10
    if settings.augment:
        changes["train.augment"] = []
    if recipe.task.label_smoothing:
        changes["task.label_smoothing"] = 0.0
    if recipe.model.options.get("dropout"):
        changes["model.options"] = {**recipe.model.options, "dropout": 0.0}
    return changes


def _smaller_batch(recipe: Recipe, facts: Facts) -> Changes:
    """More steps in the same epochs; where the length is counted otherwise it would only be noisier."""
    settings, size = recipe.train, recipe.train.batch_size or 1
    return {"train.batch_size": size // 2} if settings.epochs and not settings.minutes and size >= 16 else {}


def _dropout(recipe: Recipe, facts: Facts) -> Changes:
    rate = _options(recipe).get("dropout")
    if not isinstance(rate, int | float) or rate >= 0.5:
        return {}
    return {"model.options": {**recipe.model.options, "dropout": round(rate + 0.3, 3)}}


def _smoothing(recipe: Recipe, facts: Facts) -> Changes:
    task = recipe.task
    fits = task.name == "classify" and task.loss in (None, "cross_entropy") and not task.label_smoothing
    return {"task.label_smoothing": 0.1} if fits else {}


def _average(recipe: Recipe, facts: Facts) -> Changes:
    """Over about the last tenth of the steps."""
    steps = recipe.train.steps or 1
    return {} if recipe.train.ema or steps < 50 else {"train.ema": round(min(0.999, 1 - 10 / steps), 4)}


def _augmented(*ways: str) -> Callable[[Recipe, Facts], Changes]:
    def changes(recipe: Recipe, facts: Facts) -> Changes:
        new = [way for way in ways if way not in recipe.train.augment]
        if not facts.pictures or not new or ("flip" in new and facts.symbols):
            return {}
        if recipe.train.transfer == "features" and new != ["flip"]:
            return {}  # stored features know no other change
        return {"train.augment": [*recipe.train.augment, *new]}

    return changes


_LEARN = ("head", "last", "all")


def _learning(step: int) -> Callable[[Recipe, Facts], Changes]:
    """Of a network with weights more learns, or less (rows 18.02-18.05), with the settings and the changes of pictures
    that suit that. step: how far along `_LEARN`."""
    def changes(recipe: Recipe, facts: Facts) -> Changes:
        settings = recipe.train
        if recipe.model.weights is None or settings.freeze is not None or settings.transfer == "auto":
            return {}
        at = _LEARN.index({"features": "head", "gradual": "all"}.get(settings.transfer, settings.transfer)) + step
        if not 0 <= at < len(_LEARN):
            return {}
        wanted = _LEARN[at]
        if wanted == "head" and not set(settings.augment) - {"flip"}:
            wanted = "features"  # the same, and faster
        found = {f"train.{name}": value for name, value in transfer_settings(wanted, facts.train).items()}
        if facts.pictures and not settings.augment:
            found["train.augment"] = transfer_augment(wanted, facts.symbols)
        return {"train.transfer": wanted, **found}

    return changes


def _reserve(recipe: Recipe, facts: Facts) -> Changes:
    return {"split.move_reserve": 1.0} if facts.reserve and not recipe.split.move_reserve else {}


def _part_of_dev(recipe: Recipe, facts: Facts) -> Changes:
    possible = facts.shifted and not facts.folds and not recipe.split.move_dev and facts.dev >= 100
    return {"split.move_dev": 0.5} if possible else {}


def _class_weights(recipe: Recipe, facts: Facts) -> Changes:
    """Only where the metric counts classes alike: elsewhere it would make what is judged worse."""
    wanted = recipe.task.name == "classify" and facts.metric == "macro_f1" and recipe.task.class_weights == "none"
    return {"task.class_weights": "balanced"} if wanted else {}


# Sources: rows 14.07, 14.08, 14.10, 14.21; "Machine Learning Yearning", chapters 23-27 and 39.
# More data of the same kind is no row: what it would buy is forecast by the learning curve.
TABLE = (
    Row("rotate-shift-scale", "rotate, shift, scale in training", ("mismatch", "variance"),
        _augmented("rotate", "shift", "scale"), lambda recipe, facts: 1.2),
    Row("reserve", "move the reserve, {reserve:,} {noun}, into training", ("mismatch",), _reserve,
        lambda recipe, facts: (facts.train + facts.reserve) / facts.train, lambda facts: facts.reserve),
    Row("part-of-dev", "move {half:,} {noun} of dev into training", ("mismatch",), _part_of_dev,
        lambda recipe, facts: (2 * facts.train + facts.dev) / facts.train, lambda facts: facts.dev // 2),
    Row("shift", "shift in training", ("variance",), _augmented("shift"), lambda recipe, facts: 1.1),
    Row("flip", "flip left to right in training", ("variance",), _augmented("flip"), lambda recipe, facts: 1.1),
    Row("more-decay", "weight decay × 10", ("variance",), lambda recipe, facts: _decay(recipe, 10)),
    Row("dropout", "dropout {dropout}", ("variance",), _dropout),
    Row("label-smoothing", "label smoothing 0.1", ("variance",), _smoothing),
    Row("average", "average of the last weights", ("variance",), _average),
    Row("fewer-layers-learn", "fewer layers learn, more stay as the weights have them ({transfer})", ("variance",),
        _learning(-1)),
    Row("more-layers-learn", "more layers learn, fewer stay as the weights have them ({transfer})", ("bias",),
        _learning(+1), lambda recipe, facts: 10.0 if recipe.train.transfer == "features" else 2.0),
    Row("bigger-network", "bigger network, L2 retuned", ("bias",), _bigger, lambda recipe, facts: 3.0),
    Row("longer", "train twice as long", ("bias",), _longer, lambda recipe, facts: 2.0),
    Row("higher-rate", "learning rate × 3", ("bias",), _rate(3)),
    Row("lower-rate", "learning rate ÷ 3", ("bias",), _rate(1 / 3)),
    Row("other-optimizer", "{optimizer} as the optimizer", ("bias",), _other_optimizer),
    Row("less-regularization", "less regularization", ("bias",), _less),
    Row("smaller-batch", "batches of half the size", ("bias",), _smaller_batch, lambda recipe, facts: 1.7),
    Row("class-weights", "every class counts alike in the loss", ("bias", "variance"), _class_weights),
)


# --- what the user wants to try ------------------------------------------------------------------------------

_AGAINST = {"train fit": "bias", "dev fit": "variance", "real world": "mismatch"}


def asked_for(text: str, recipe: Recipe) -> Remedy:
    """The remedy behind `train.lr=0.01`, `NAME: train.lr=0.01`, or several changes with ";" between them.

    recipe: resolved. RecipeError where it is no such text, a key is unknown, or a probe cannot change it.
    """
    name, colon, rest = text.partition(":")
    if not colon or "=" in name:
        name, rest = text, text
    changes = dict(parse_assignment(part.strip()) for part in rest.split(";"))
    changed(recipe, changes, where="--try")
    folder = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
    taken = {"base", "", *(row.name for row in TABLE)}
    if folder in taken:
        folder = f"try-{folder}".rstrip("-")
    declared = {key: field.json_schema_extra["problem"] for key, field in flat_fields()}
    against = dict.fromkeys(_AGAINST[each] for key in changes for each in declared[key] if each in _AGAINST)
    base = recipe.flat()
    cost = next((changes[key] / base[key] for key in LENGTHS if changes.get(key) and base[key]), 1.0)
    if changes.get("split.move_dev"):
        cost *= 2
    return Remedy(folder, name.strip(), tuple(against) or ("bias",), changes, round(cost, 2))
