"""`preflight` and `find-rate`: what is tried on copies before training. They take the options of `train`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import FOUND_ERRORS, Debug, Json, Set, emit, page, quiet_stdout
from orthogon.cli.train import HOW, SAY, WHAT, assignments, data_options, one_or_all

Data = Annotated[
    str | None,
    Argument(
        metavar="DATA", autocompletion=complete.data, show_default=False,
        help="A folder of pictures, a table, texts (.txt, CoNLL, A.en,A.fr), or a public name; the bundled digits when "
        "left out.",
    ),
]
Task = Annotated[str | None, Option(help="{task.name}", autocompletion=complete.tasks, rich_help_panel=WHAT)]
Target = Annotated[list[str] | None, Option(metavar="COL", help="{data.target}; may be repeated", rich_help_panel=WHAT)]
Model = Annotated[str | None, Option(help="{model.name}", autocompletion=complete.models, rich_help_panel=WHAT)]
Weights = Annotated[
    str | None,
    Option(metavar="NAME", help="{model.weights}", autocompletion=complete.weights, rich_help_panel=WHAT),
]
Columns = Annotated[str | None, Option(metavar="A,B,C", help="{data.columns}", rich_help_panel=WHAT)]
NoHeader = Annotated[bool, Option("--no-header", help="The first row is data, not names.", rich_help_panel=WHAT)]
Type = Annotated[list[str] | None, Option("--type", metavar="COL=KIND", help="{data.types}", rich_help_panel=WHAT)]
Epochs = Annotated[int | None, Option(metavar="N", help="{train.epochs}", rich_help_panel=HOW)]
Rate = Annotated[float | None, Option(metavar="X", help="{train.lr}", rich_help_panel=HOW)]
BatchSize = Annotated[int | None, Option(metavar="N", help="{train.batch_size}", rich_help_panel=HOW)]
Seed = Annotated[int | None, Option(metavar="N", help="{train.seed}", rich_help_panel=HOW)]
Device = Annotated[
    str | None,
    Option(help="{train.device}", rich_help_panel=HOW, autocompletion=complete.one_of("auto", "cpu", "cuda", "mps")),
]
File = Annotated[str | None, Option(metavar="FILE", help="Start from this recipe (YAML).", rich_help_panel=HOW)]


def preflight(
    data: Data = None, *, task: Task = None, target: Target = None, model: Model = None, weights: Weights = None,
    columns: Columns = None, no_header: NoHeader = False, type_: Type = None, epochs: Epochs = None, lr: Rate = None,
    batch_size: BatchSize = None, seed: Seed = None, device: Device = None, recipe: File = None, set_: Set = None,
    json: Json = False, debug: Debug = False,
) -> None:
    """Look for mistakes in data, model, loss and rate before training.

    Each check passes, fails or is skipped, with evidence and a remedy. Exit code 1 when one fails.
    """
    asked = _asked(data, task, target, model, weights, columns, no_header, type_, batch_size, seed, device, recipe,
                   set_)
    with quiet_stdout(json):
        from orthogon.verbs.preflight import preflight as verb

        found = verb(**asked, epochs=epochs, lr=lr)
    emit(found.to_dict()) if json else page(str(found))
    if not found:
        raise typer.Exit(FOUND_ERRORS)


def find_rate(
    data: Data = None, *, task: Task = None, target: Target = None, model: Model = None, weights: Weights = None,
    columns: Columns = None, no_header: NoHeader = False, type_: Type = None, batch_size: BatchSize = None,
    seed: Seed = None, device: Device = None, recipe: File = None, set_: Set = None,
    seeds: Annotated[
        int, Option(metavar="K", min=1, max=100, help="Sweeps, each with weights and an order of its own.",
                    rich_help_panel=HOW)
    ] = 3,
    save: Annotated[
        Path | None, Option(metavar="FILE", help="Write the picture to this .svg file.", rich_help_panel=SAY)
    ] = None,
    json: Json = False, debug: Debug = False,
) -> None:
    """Find the learning rates that work, in short trainings on copies.

    A range and a rate, or why there is no clear range; then the exit code is 1.
    """
    asked = _asked(data, task, target, model, weights, columns, no_header, type_, batch_size, seed, device, recipe,
                   set_)
    with quiet_stdout(json):
        from orthogon.verbs.find_rate import find_rate as verb

        found = verb(**asked, seeds=seeds)
        path = found.save(save or Path(tempfile.gettempdir()) / "orthogon-rate.svg") if save or not json else None
    if json:
        emit({**found.to_dict(), "saved": path})
    else:
        page(f"{found}\npicture  {path}")
    if not found:
        raise typer.Exit(FOUND_ERRORS)


def _asked(
    data: str | None, task: str | None, target: list[str] | None, model: str | None, weights: str | None,
    columns: str | None, no_header: bool, types: list[str] | None, batch_size: int | None, seed: int | None,
    device: str | None, recipe: str | None, assigned: list[str] | None,
) -> dict[str, Any]:
    """What both verbs are asked."""
    flat = data_options(columns=columns, no_header=no_header, types=types)
    return {
        "data": data, "task": task, "target": one_or_all(target), "model": model, "weights": weights,
        "recipe": recipe, "options": {**flat, **assignments(assigned or [])}, "batch_size": batch_size, "seed": seed,
        "device": device,
    }
