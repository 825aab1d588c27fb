"""`inside`, `ensemble`: what a network looks at, and what several say together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.results import MaybeRun
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def inside(
    run: MaybeRun = "last",
    data: Annotated[
        str | None,
        Argument(
            metavar="DATA",
            show_default=False,
            autocompletion=complete.data,
            help="Other pictures with labels; the run's own when left out.",
        ),
    ] = None,
    layer: Annotated[
        str | None, Option(metavar="NAME", help="Look into this layer.", show_default="an early, a middle, the last")
    ] = None,
    unit: Annotated[
        str | None, Option(metavar="N,…", help="Show these channels of it.", show_default="the most selective")
    ] = None,
    examples: Annotated[int, Option(min=0, help="How many of the worst mistakes are shown.")] = 6,
    save: Annotated[
        Path | None, Option(metavar="FILE.html", help="Write a page of its own as well.", show_default=False)
    ] = None,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """See what a picture network looks at: Grad-CAM and occlusion of mistakes, the patches its units answer to."""
    with quiet_stdout(json):
        from orthogon.verbs.inside import inside as verb

        found = verb(run, data, layer=layer, units=_numbers(unit), examples=examples, save=save, root=out)
    emit(found.to_dict()) if json else page(str(found))


def ensemble(
    runs: Annotated[
        list[str],
        Argument(
            metavar="RUN...",
            help="Runs on the same data with the same split; the first is what they are compared with.",
            autocompletion=complete.runs,
        ),
    ],
    views: Annotated[
        str | None,
        Option(
            metavar="VIEWS",
            help="Look at each picture several times: flip, 5-crop, 10-crop or scales.",
            autocompletion=complete.one_of("flip", "5-crop", "10-crop", "scales"),
        ),
    ] = None,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Average the probabilities of several runs, or of several views of each picture: what it gains, what it costs."""
    with quiet_stdout(json):
        from orthogon.verbs.ensemble import ensemble as verb

        found = verb(*runs, views=views, root=out)
    emit(found.to_dict()) if json else page(str(found))


def _numbers(text: str | None) -> list[int] | None:
    try:
        return None if text is None else [int(each) for each in text.split(",")]
    except ValueError:
        raise typer.BadParameter("whole numbers with commas between them: 0,3,17", param_hint="--unit") from None
