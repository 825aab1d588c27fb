"""`orthogon train`: only the options that were given are passed on, so that no default here beats a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import Debug, Json, Set, emit, page, quiet_stdout
from orthogon.errors import RecipeError

if TYPE_CHECKING:
    from orthogon.train.run import Run

WHAT, HOW, RUN, SAY = "What is learnt", "How", "The run", "What is shown"

# flat key -> the option that sets it: where `--explain` says that a value comes from.
OPTIONS = {
    "task.name": "--task",
    "data.target": "--target",
    "task.metric": "--metric",
    "task.satisfice": "--satisfice",
    "model.name": "--model",
    "model.weights": "--weights",
    "train.epochs": "--epochs",
    "train.minutes": "--minutes",
    "train.lr": "--lr",
    "train.batch_size": "--batch-size",
    "train.seed": "--seed",
    "train.device": "--device",
    "split.folds": "--folds",
    "train.refit": "--refit",
    "train.preflight": "--no-preflight",
    "data.header": "--no-header",
    "data.columns": "--columns",
    "data.types": "--type",
    "data.group": "--group",
    "data.skip_bad": "--skip-bad",
    "data.source": "DATA",
}


def train(
    data: Annotated[
        str | None,
        Argument(
            metavar="DATA",
            autocompletion=complete.data,
            show_default=False,
            help="A folder of pictures, a table, texts (.txt, CoNLL, A.en,A.fr), or a public name; the bundled digits "
            "when left out.",
        ),
    ] = None,
    *,
    task: Annotated[
        str | None, Option(help="{task.name}", autocompletion=complete.tasks, rich_help_panel=WHAT)
    ] = None,
    target: Annotated[
        list[str] | None, Option(metavar="COL", help="{data.target}; may be repeated", rich_help_panel=WHAT)
    ] = None,
    metric: Annotated[str | None, Option(help="{task.metric}", rich_help_panel=WHAT)] = None,
    satisfice: Annotated[
        list[str] | None,
        Option(
            metavar="NAME>=X",
            help="A threshold to keep, e.g. 'recall>=0.9' or 'milliseconds<=5'; may be repeated.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    model: Annotated[
        str | None, Option(help="{model.name}", autocompletion=complete.models, rich_help_panel=WHAT)
    ] = None,
    weights: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="{model.weights}; they bring their preprocessing",
            autocompletion=complete.weights,
            rich_help_panel=WHAT,
        ),
    ] = None,
    columns: Annotated[
        str | None, Option(metavar="A,B,C", help="{data.columns}", rich_help_panel=WHAT)
    ] = None,
    no_header: Annotated[
        bool, Option("--no-header", help="The first row is data, not names.", rich_help_panel=WHAT)
    ] = False,
    type_: Annotated[
        list[str] | None, Option("--type", metavar="COL=KIND", help="{data.types}", rich_help_panel=WHAT)
    ] = None,
    group: Annotated[str | None, Option(metavar="COL", help="{data.group}", rich_help_panel=WHAT)] = None,
    skip_bad: Annotated[bool, Option("--skip-bad", help="{data.skip_bad}", rich_help_panel=WHAT)] = False,
    epochs: Annotated[int | None, Option(metavar="N", help="{train.epochs}", rich_help_panel=HOW)] = None,
    minutes: Annotated[float | None, Option(metavar="N", help="{train.minutes}", rich_help_panel=HOW)] = None,
    lr: Annotated[float | None, Option(metavar="X", help="{train.lr}", rich_help_panel=HOW)] = None,
    batch_size: Annotated[
        int | None, Option(metavar="N", help="{train.batch_size}", rich_help_panel=HOW)
    ] = None,
    seed: Annotated[int | None, Option(metavar="N", help="{train.seed}", rich_help_panel=HOW)] = None,
    device: Annotated[
        str | None,
        Option(
            help="{train.device}",
            rich_help_panel=HOW,
            autocompletion=complete.one_of("auto", "cpu", "cuda", "mps"),
        ),
    ] = None,
    folds: Annotated[int | None, Option(metavar="K", help="{split.folds}", rich_help_panel=HOW)] = None,
    tune: Annotated[
        bool,
        Option("--tune", help="Choose precision, layout and threads by timing them.", rich_help_panel=HOW),
    ] = False,
    refit: Annotated[bool, Option("--refit", help="{train.refit}", rich_help_panel=HOW)] = False,
    no_preflight: Annotated[
        bool,
        Option("--no-preflight", help="Do not look for mistakes before the first step.", rich_help_panel=HOW),
    ] = False,
    recipe: Annotated[
        str | None,
        Option(
            metavar="FILE|NAME",
            help="Start from this recipe (YAML), or from one that comes with it: strong, classic/…",
            autocompletion=complete.recipes,
            rich_help_panel=HOW,
        ),
    ] = None,
    set_: Set = None,
    out: Annotated[str, Option(metavar="DIR", help="Folder of the runs.", rich_help_panel=RUN)] = "runs",
    name: Annotated[
        str | None,
        Option(help="Name of the run; numbered after the data when left out.", rich_help_panel=RUN),
    ] = None,
    resume: Annotated[
        str | None,
        Option(
            metavar="RUN",
            help="Continue this run where it stopped.",
            autocompletion=complete.runs,
            rich_help_panel=RUN,
        ),
    ] = None,
    test: Annotated[
        bool,
        Option("--test", help="Look at a sealed test set again; the look is counted.", rich_help_panel=RUN),
    ] = False,
    explain: Annotated[
        bool,
        Option(
            "--explain", help="Show each value and where it comes from; do not train.", rich_help_panel=SAY
        ),
    ] = False,
    quiet: Annotated[
        bool, Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=SAY)
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a network, compare it with a cheap baseline, and write a report.

    Without DATA it learns the bundled handwritten digits.
    """
    if epochs is not None and minutes is not None:
        raise RecipeError("--epochs and --minutes both say how long to train", remedy="Give one of them.")
    assigned = assignments(set_ or [])
    flat = data_options(columns=columns, no_header=no_header, types=type_, group=group, skip_bad=skip_bad)
    flat |= goal_options(metric, satisfice)
    if no_preflight:
        flat["train.preflight"] = False
    asked: dict[str, Any] = {
        "data": data, "task": task, "target": one_or_all(target), "model": model, "weights": weights, "recipe": recipe,
        "options": {**flat, **assigned}, "epochs": epochs, "minutes": minutes, "lr": lr, "batch_size": batch_size,
        "seed": seed, "device": device, "folds": folds, "tune": tune, "out": out, "name": name, "resume": resume,
        "test": test, "refit": refit, "quiet": quiet,
    }  # fmt: skip
    from orthogon.verbs.train import is_first_rank
    from orthogon.verbs.train import train as verb

    with quiet_stdout(json):
        if explain:
            result = _explained(asked, assigned)
        else:
            run = verb(**asked)
            if not is_first_rank():  # of several processes only the first one writes and talks
                return
            result = _document(run)
    if json:
        emit(result)
    elif explain:
        page(_table(result["recipe"]))


def data_options(
    *,
    columns: str | None = None,
    no_header: bool = False,
    types: list[str] | None = None,
    group: str | None = None,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Flat keys of the `data` section for the options that were given."""
    flat: dict[str, Any] = {}
    if columns is not None:
        flat["data.columns"] = [name.strip() for name in columns.split(",")]
    if no_header:
        flat["data.header"] = False
    if types:
        flat["data.types"] = dict(_pair(text, "--type", "--type age=number") for text in types)
    if group is not None:
        flat["data.group"] = group
    if skip_bad:
        flat["data.skip_bad"] = True
    return flat


def goal_options(metric: str | None = None, satisfice: list[str] | None = None) -> dict[str, Any]:
    """Flat keys of the `task` section for what the network is to reach."""
    from orthogon.train.thresholds import split_condition

    flat: dict[str, Any] = {} if metric is None else {"task.metric": metric}
    try:
        conditions = dict(split_condition(text) for text in satisfice or [])
    except ValueError as error:
        raise RecipeError(str(error), where="--satisfice", remedy="For example: --satisfice 'recall>=0.9'") from None
    return flat | ({"task.satisfice": conditions} if conditions else {})


def assignments(texts: list[str]) -> dict[str, Any]:
    """The values of `--set`; a later one of the same key wins."""
    from orthogon.train.recipe import parse_assignment

    return dict(parse_assignment(text) for text in texts)


def _document(run: Run) -> dict[str, Any]:
    """What `--json` says of a finished run; everything else stands in its folder."""
    result = run.result
    keys = ("run", "seconds", "task", "metric", "splits", "baseline", "comparisons", "verdict")
    return {**{key: result[key] for key in keys}, "test": result["test"]["sentence"],
            "report": str(run.path / "report.html")}


def _explained(asked: dict[str, Any], assigned: dict[str, Any]) -> dict[str, Any]:
    """{"recipe": {flat key: {"value", "origin"}}}: the origin in the words of the command line."""
    from orthogon.verbs.train import explain

    named = _named(asked)
    recipe = {}
    for key, value, origin in explain(**asked):
        if not origin.startswith("resolved"):
            origin = "--set" if key in assigned else f"option {named[key]}" if key in named else origin
        recipe[key] = {"value": value, "origin": origin}
    return {"recipe": recipe}


def _named(asked: dict[str, Any]) -> dict[str, str]:
    """Flat key -> option, for the named options that were given."""
    given = {name for name, value in asked.items() if value not in (None, False)}
    return {
        key: option
        for key, option in OPTIONS.items()
        if key in asked["options"] or option.strip("-").replace("-", "_").lower() in given
    }


def _table(recipe: dict[str, dict[str, Any]]) -> str:
    width = max(len(key) for key in recipe)
    shown = {key: "-" if entry["value"] is None else str(entry["value"]) for key, entry in recipe.items()}
    middle = min(32, max(len(text) for text in shown.values()))
    return "\n".join(
        f"{key:<{width}}  {shown[key]:<{middle}}  {entry['origin']}" for key, entry in recipe.items()
    )


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals:
        raise RecipeError(f"{text!r} is not NAME=VALUE", where=option, remedy=f"For example: {example}")
    return name.strip(), value.strip()


def one_or_all(values: list[str] | None) -> str | list[str] | None:
    return values[0] if values and len(values) == 1 else values or None
