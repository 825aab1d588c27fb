"""`list`: what there is, one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orthogon import registry
from orthogon.errors import OrthogonError, nearest

METRICS = {
    "classify": (
        ("accuracy", "high", "share that is right"),
        ("error", "low", "share that is wrong"),
        ("macro_f1", "high", "mean of F1 over the classes, each counting alike"),
        ("weighted_f1", "high", "mean of F1 over the classes, each by how often it occurs"),
        ("roc_auc", "high", "chance that a right class is scored above a wrong one; over classes, their mean"),
        ("cross_entropy", "low", "mean of -log of the probability of the true label, in nats"),
        ("brier", "low", "mean squared distance of the probabilities from the truth"),
        ("precision", "high", "share of the predicted positives that are positive; two classes only"),
        ("recall", "high", "share of the positives that are found; two classes only"),
        ("f1", "high", "harmonic mean of precision and recall; two classes only"),
        ("weighted_error", "low", "cost of the errors over that of the worst ones; where task.costs weighs them"),
    ),
    "regress": (
        ("rmse", "low", "root of the mean squared error, in the unit of the target"),
        ("mae", "low", "mean absolute error, in the unit of the target"),
        ("r2", "high", "share of the variance that is explained"),
    ),
    "forecast": (
        ("mae", "low", "mean absolute error, in the unit of the target, over all steps ahead"),
        ("rmse", "low", "root of the mean squared error, in the unit of the target"),
        ("mase", "low", "mae over that of the seasonal naive forecast of the train part, one step ahead"),
        ("mae_first", "low", "mean absolute error of the first step ahead"),
        ("mae_last", "low", "mean absolute error of the last step ahead"),
    ),
    "multilabel": (
        ("label_accuracy", "high", "share of the known labels that is right"),
        ("subset_accuracy", "high", "share of the examples with every label right"),
        ("macro_f1", "high", "mean of F1 over the labels"),
        ("macro_auc", "high", "mean of ROC AUC over the labels"),
        ("cross_entropy", "low", "mean over the known labels, in nats"),
    ),
    "segment": (
        ("mean_iou", "high", "shared over joined pixels of truth and prediction, the mean over the classes"),
        ("pixel_accuracy", "high", "share of the pixels that is right"),
        ("dice", "high", "twice the shared pixels over those of truth and prediction, the mean over the classes"),
        ("picture_iou", "high", "mean over the pictures of each one's own mean IoU"),
    ),
    "localize": (
        ("iou", "high", "mean overlap of the boxes, over the pictures with an object"),
        ("iou_50", "high", "share of those boxes that overlap by at least a half"),
        ("point_error", "low", "mean distance of the points, as a share of the object's size; where there are points"),
        ("accuracy", "high", "share with the right class, or rightly without an object; where there are classes"),
        ("error", "low", "share with a wrong one"),
    ),
    "language": (
        ("nats", "low", "-log probability of a token, the mean over all tokens"),
        ("perplexity", "low", "e to the nats of a token"),
        ("bits_per_character", "low", "-log2 probability of all tokens over all characters"),
        ("unknown", "low", "share of the tokens that the vocabulary lacks"),
    ),
    "tag": (
        ("entity_f1", "high", "where tags mark entities: harmonic mean of precision and recall of whole entities"),
        ("entity_precision", "high", "share of the entities found that are right"),
        ("entity_recall", "high", "share of the entities there that are found; f1_of_TYPE for each type"),
        ("token_accuracy", "high", "share of the words with the right tag"),
        ("cross_entropy", "low", "-log probability of the true tags, the mean over words"),
    ),
    "translate": (
        ("bleu", "high", "n-grams shared with the reference, as sacrebleu counts them"),
        ("exact_match", "high", "share of texts that are exactly right; first where letters are written"),
        ("chrf", "high", "n-grams of characters shared with it: chrF2"),
        ("perplexity", "low", "e to the -log probability of a true token, the mean over all tokens"),
        ("unfinished", "low", "share of texts that came to no end"),
    ),
    "reconstruct": (
        ("nats", "low", "cross-entropy of a picture's pixels, of a vae with its kl: the bound on -log likelihood"),
        ("reconstruction", "low", "of a vae, the part that rebuilding from one draw of the code costs"),
        ("kl", "low", "of a vae, how far its codes are from a normal distribution, in nats a picture"),
        ("bits_per_value", "low", "nats over the number of values, in bits"),
        ("squared_error", "low", "mean over the values; what judges tables, and pictures under task.loss=squared"),
        ("psnr_gain", "high", "psnr over that of what the network is given, in dB; where that is corrupted"),
        ("psnr", "high", "peak signal-to-noise ratio, the mean over pictures, in dB"),
        ("rounded_accuracy", "high", "share of the pixels on the right side of 1/2"),
    ),
    "generate": (
        ("energy_distance", "low", "between samples and pictures by 64 random features, in mean distances of pictures"),
        ("told_apart", "low", "share whose nearest neighbor is of its own kind: 50 % = nothing tells them apart"),
        ("coverage", "high", "share of pictures with a sample near them: 97 % = no kind is missing"),
        ("density", "high", "in how many pictures' neighborhoods a sample lies: 1 = as pictures do, 0 = like none"),
        ("spread", "high", "how far samples are from each other; pictures: 1"),
        ("copied", "low", "share of samples nearer to train pictures than held-out ones are: 50 % = none is a copy"),
    ),
    "verify": (
        ("accuracy", "high", "share of the examples whose nearest other one is of the same identity"),
        ("error", "low", "share whose nearest other one is of another"),
        ("one_shot", "high", "share told right by one example of each of 20 identities, or of as many as there are"),
        ("equal_error_rate", "low", "where as many pairs of one identity are refused as pairs of two are accepted"),
        ("roc_auc", "high", "chance that a pair of one identity is nearer than one of two"),
        ("true_accept_rate", "high", "share of pairs of one identity accepted at task.false_accept_rate"),
    ),
    "barlow_twins": (
        ("nearest_accuracy", "high", "share whose nearest other of some 500 encodings has the same label; where known"),
        ("loss", "low", "the loss over all examples at once"),
        ("view_agreement", "high", "mean correlation of the outputs for two views of a picture: 1 = the same"),
        ("effective_rank", "high", "how many dimensions the encodings use"),
        ("spread", "high", "how differently encodings point: 0 = collapsed, 1 = in all directions alike"),
    ),
    "boltzmann": (
        ("squared_error", "low", "of what the stack rebuilds, the mean over the values"),
        ("cross_entropy", "low", "of what the stack rebuilds, summed over the values, in nats; bernoulli units only"),
        ("log_likelihood", "high", "exact, in nats; where a layer has at most 16 units; of 0 and 1, or real values"),
        ("pseudo_log_likelihood", "high", "of each value given all others, summed, in nats; bernoulli units only"),
        ("free_energy", "low", "in nats, but for a constant of the machine: compare train with dev, not two machines"),
    ),
}
"""Task -> (name, whether high or low is good, one line). Here, so that listing does not import torch; a test holds it
against the tasks."""


PROBLEMS = {
    "train fit": "the train set is not fitted well enough (bias)",
    "dev fit": "new examples fare worse than those learnt (variance)",
    "test fit": "test fares worse than dev: dev was overfitted",
    "real world": "good on test, bad in use: change the dev set, the metric or the loss",
    "speed": "time and memory; no problem of fit",
    "description": "what the data and the task are; not turned for a better score",
    "bookkeeping": "seeds, records and looks; not turned for a better score",
}
"""What knobs are turned for, in the order in which problems are solved; a test holds it against the recipe's own."""

ASIDE = ("path", "bytes", "address", "citation", "sha256")
"""In `to_dict`, but not in the table."""


@dataclass(frozen=True)
class Listing:
    """A table of named things.

    what: "models", "runs", …; rows: one dict of plain values each, all with the same keys, the name first.
    """

    what: str
    rows: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        return [str(next(iter(row.values()))) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """{"list": what, "items": [row, …]}"""
        return {"list": self.what, "items": [dict(row) for row in self.rows]}

    def __str__(self) -> str:
        """The name and what is said of it; the first line of a cell, without columns that are empty throughout."""
        if not self.rows:
            return f"no {self.what} yet"
        from orthogon.draw.tables import text_table

        headers = self._shown()
        cells = [[_cell(row[name]) for name in headers] for row in self.rows]
        lines = text_table(headers, cells, align="l" * len(headers))
        return "\n".join(lines.splitlines()[2:]) if len(headers) <= 2 else lines

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        headers = self._shown()
        return html_table(headers, [[_cell(row[name]) for name in headers] for row in self.rows], caption=self.what)

    def _shown(self) -> list[str]:
        names = [name for name in (self.rows[0] if self.rows else {}) if name not in ASIDE]
        return [name for name in names if any(_cell(row[name]) for row in self.rows)]


@dataclass(frozen=True)
class Knobs(Listing):
    """The knobs, grouped by the problem that each is turned for (row 14.01)."""

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        parts = []
        for problem, meaning in PROBLEMS.items():
            group = [row for row in self.rows if row["problem"].split(", ")[0] == problem]
            if group:
                cells = [[" ".join(filter(None, [row["key"], row["of"]])), _cell(row["default"]), row["bounds"],
                          f"{row['line']}{_coupled(row['problem'])}"] for row in group]
                table = text_table(["", "default", "bounds", ""], cells, align="llll")
                parts.append(f"{problem.upper()}: {meaning}\n{table}")
        return "\n\n".join(parts) or "no knobs"


def _coupled(problem: str) -> str:
    """In words, where a knob cannot be turned for one problem alone."""
    several = problem.split(", ")
    return f" [touches {len(several)} problems at once: {' and '.join(several)}]" if len(several) > 1 else ""


def list_names(what: str = "models", *, root: str | Path = "runs", problem: str | None = None) -> Listing:
    """What there is of "models", "tasks", "data", "weights", "runs", "optimizers", "schedules", "knobs", "metrics" or
    "recipes".

    root: the folder of the runs. problem: of knobs only, those that are turned for it ("dev fit").
    OrthogonError, naming the nearest, for anything else.
    """
    found = rows(what, root)
    if problem is None:
        return (Knobs if what == "knobs" else Listing)(what, tuple(found))
    if what != "knobs":
        raise OrthogonError(f"a problem chooses among knobs, not among {what}",
                            remedy=f"orthogon list knobs --problem {problem!r}")
    if problem not in PROBLEMS:
        raise OrthogonError(f"there is no problem {problem!r}", remedy=nearest(problem, list(PROBLEMS)))
    chosen = [(row, row["problem"].split(", ")) for row in found]
    return Knobs(what, tuple(
        {**row, "problem": ", ".join(sorted(problems, key=lambda each: each != problem))}
        for row, problems in chosen if problem in problems
    ))


def rows(what: str, root: str | Path = "runs") -> list[dict[str, Any]]:
    """The rows of a Listing."""
    if what == "runs":
        return _run_rows(root)
    if what not in _SORTS:
        raise OrthogonError(f"there is no list of {what!r}", remedy=nearest(what, [*_SORTS, "runs"]))
    return _SORTS[what]()


def _registered(sort: registry.Registry) -> Callable[[], list[dict[str, Any]]]:
    def found() -> list[dict[str, Any]]:
        return [
            {"name": entry.name, "line": entry.line, "takes": " ".join(entry.kinds), "extra": entry.extra}
            for entry in sort
        ]

    return found


def _data_rows() -> list[dict[str, Any]]:
    from orthogon.data import public

    return [
        {"name": each.name, "line": each.title, "licence": each.licence, "address": each.address,
         "bytes": sum(file.bytes for file in each.files), "citation": each.citation}
        for each in public.list_public()
    ]


def _weights_rows() -> list[dict[str, Any]]:
    """Published weights; `--weights` takes their names, and "imagenet" for the first of a model that is here."""
    from orthogon.train.published import PUBLISHED
    from orthogon.train.weights import location

    return [
        {"name": each.title, "classes": len(each.classes), "pixels": each.preprocessing.size,
         "MB": f"{each.megabytes * 1.048576:.1f}", "licence": each.licence, "here": location(each) is not None,
         "sha256": each.sha256, "address": each.address, "citation": each.citation}
        for each in PUBLISHED
    ]


def _knob_rows() -> list[dict[str, Any]]:
    from orthogon.train.recipe import flat_fields

    return [_knob_row(key, field) for key, field in flat_fields()] + [
        {"key": f"model.options.{option.name}", "of": of, "default": _plain(option.default),
         "type": type(option.default).__name__ if option.default is not None else "", "bounds": _bounds(
             {name: value for name, value in (("ge", option.low), ("le", option.high)) if value is not None}),
         "scale": "log" if option.scale == "log" else "", "problem": option.problem, "live": "", "line": option.line}
        for of, options in _options_of_models().items() for option in options
    ]


def _options_of_models() -> dict[str, tuple[registry.Option, ...]]:
    """"mlp" -> its options; models of one family, which share theirs, once: "resnet18, …"."""
    sharing: dict[tuple[str, tuple[registry.Option, ...]], list[str]] = {}
    for entry in registry.models:
        sharing.setdefault((entry.path, entry.options), []).append(entry.name)
    return {f"{names[0]}, …" if len(names) > 1 else names[0]: options for (_, options), names in sharing.items()}


def _knob_row(key: str, field: Any) -> dict[str, Any]:
    extra = field.json_schema_extra or {}
    marks = [(name, getattr(mark, name, None)) for mark in field.metadata for name in ("ge", "gt", "le")]
    bounds = {name: value for name, value in marks if value is not None}
    default = field.get_default(call_default_factory=True)
    return {
        "key": key, "of": "", "default": _plain(default), "type": _type_name(field.annotation),
        "bounds": _bounds(bounds), "scale": "log" if extra.get("scale") == "log" else "",
        "problem": ", ".join(extra["problem"]),
        "live": "live" if extra.get("live") else "", "line": field.description,
    }


def _plain(default: Any) -> Any:
    return "" if default is None else list(default) if isinstance(default, tuple) else default


def _bounds(bounds: dict[str, float]) -> str:
    """`0 to 1`, `above 0`, `above 0 to 100`, `from 1`; empty without bounds."""
    low = f"{bounds['ge']:g}" if "ge" in bounds else f"above {bounds['gt']:g}" if "gt" in bounds else ""
    if "le" in bounds:
        return f"{low} to {bounds['le']:g}".strip()
    return f"from {low}" if "ge" in bounds else low


def _type_name(annotation: Any) -> str:
    """`float`, `crop | stretch`, `number`: without "or nothing"."""
    from types import NoneType, UnionType
    from typing import Literal, Union, get_args, get_origin

    if get_origin(annotation) is Literal:
        return " | ".join(str(value) for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(_type_name(each) for each in get_args(annotation) if each is not NoneType)
    return getattr(get_origin(annotation) or annotation, "__name__", str(annotation))


def _metric_rows() -> list[dict[str, Any]]:
    """The figures of merit of each task; the first of a task is what its results are judged by."""
    return [
        {"name": name, "task": task, "good": good, "line": line}
        for task, metrics in METRICS.items() for name, good, line in metrics
    ]


def _recipe_rows() -> list[dict[str, Any]]:
    """The recipes that come with the software."""
    from orthogon.train import recipes

    return [{"name": name, "line": line} for name, line in recipes.names().items()]


def _run_rows(root: str | Path) -> list[dict[str, Any]]:
    """The runs, last first; "on dev" says which is the best on its dev set, and which are tied with it."""
    from orthogon.train.run import Run
    from orthogon.verbs.standings import standings

    runs = {run.name: (run, run.read_json("result.json") or {}) for run in reversed(Run.all(root))}
    standing = standings({name: pair for name, pair in runs.items() if pair[1]})
    return [_run_row(run, result, standing.get(name, "")) for name, (run, result) in runs.items()]


def _run_row(run: Any, result: dict[str, Any], standing: str) -> dict[str, Any]:
    """A run's name, task, model, when, and its first metric on dev (or the best part it has), with the interval."""
    part, name, figure = _main_figure(result)
    task, model = result.get("task"), (result.get("model") or {}).get("name")
    if task is None or model is None:  # not finished; the recipe takes longer to read
        recipe = run.recipe()
        task, model = recipe.task.name or "", recipe.model.name or ""
    began = datetime.fromtimestamp((run.path / "recipe.yaml").stat().st_mtime).astimezone()
    return {
        "name": run.name, "task": task, "model": model, "part": part, "metric": name, "figure": figure,
        "on dev": standing, "date": f"{began:%Y-%m-%d %H:%M}", "state": "" if result else "not finished",
        "path": str(run.path),
    }


def _main_figure(result: dict[str, Any]) -> tuple[str, str, str]:
    from orthogon.stats.estimate import Estimate

    splits = result.get("splits", {})
    part = next((name for name in ("dev", "test", "train-dev", "train") if name in splits), None)
    metrics = splits[part].get("metrics", {}) if part else {}
    if part is None or not metrics:
        return "", "", ""
    name, values = next(iter(metrics.items()))
    value, low, high = (float("nan") if values.get(key) is None else values[key] for key in ("value", "low", "high"))
    estimate = Estimate(value, low, high, values.get("n", splits[part].get("n", 0)), unit=values.get("unit", ""))
    return part, name, str(estimate)


def _cell(value: Any) -> str:
    if value is True or value is False:
        return "yes" if value else "no"
    return "" if value in (None, {}, []) else str(value)


_SORTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "models": _registered(registry.models), "tasks": _registered(registry.tasks),
    "optimizers": _registered(registry.optimizers), "schedules": _registered(registry.schedules),
    "data": _data_rows, "weights": _weights_rows, "knobs": _knob_rows, "metrics": _metric_rows, "recipes": _recipe_rows,
}
