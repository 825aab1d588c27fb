"""`verify` and `convert`: files of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import FOUND_ERRORS, Debug, Json, emit, page, quiet_stdout


def verify(
    name: Annotated[
        str | None,
        Argument(
            metavar="NAME|FILE",
            show_default=False,
            help="MODEL/NAME (`orthogon list weights`) or a file; left out: all weights that are here.",
            autocompletion=complete.weights,
        ),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Read files of weights anew and compare their SHA-256 with what was published.

    Exit code 1 when one is damaged.
    """
    with quiet_stdout(json):
        from orthogon.verbs.verify import verify as verb

        found = verb(name)
    emit(found.to_dict()) if json else page(str(found))
    if not found:
        raise typer.Exit(FOUND_ERRORS)


def convert(
    weights: Annotated[
        str,
        Argument(
            metavar="FILE|NAME|RUN",
            help="A .pth, .pt, .th, .npz or .safetensors file, MODEL/NAME, or a RUN.",
            autocompletion=complete.weights,
        ),
    ],
    model: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="The model they are of; left out: what they say, or whose tensors they have.",
            autocompletion=complete.models,
        ),
    ] = None,
    out: Annotated[Path | None, Option(metavar="FILE", help="The .safetensors file to write.")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a .safetensors file of weights that says what it is: model, classes, preprocessing, licence.

    Its tensors have the names of torchvision, so that both sides can load it. Nothing in the source is run.
    """
    with quiet_stdout(json):
        from orthogon.verbs.convert import convert as verb

        written = verb(weights, model=model, out=out)
    emit(written.to_dict()) if json else page(str(written))
