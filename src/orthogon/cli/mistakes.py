"""`mistakes`: look at what went wrong, tag it, and see what mending would buy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from orthogon.cli.results import MaybeRun
from orthogon.cli.shell import FOUND_ERRORS, Debug, Json, Root, emit, page, quiet_stdout


def mistakes(
    run: MaybeRun = "last",
    tags: Annotated[
        Path | None, Option(metavar="CSV", help="The tags that the page saved: count them.", show_default=False)
    ] = None,
    n: Annotated[int, Option("--n", min=1, help="Mistakes on the page at most, in random order.")] = 100,
    share: Annotated[
        float | None,
        Option(help="Share of dev to look at; more than was drawn before.", show_default="about 100 mistakes"),
    ] = None,
    open_: Annotated[bool, Option("--open", help="Open the page in the browser.")] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """One offline page of dev mistakes to tag by keys; then what mending each kind would buy.

    Part of dev (the Blackbox) stays unseen; kinds of examples that stand out are confirmed on it, once.
    Of a task that searches for its outputs (translate) it is also said whether the search or the model is at fault.
    """
    with quiet_stdout(json):
        from orthogon.verbs.mistakes import mistakes as verb

        result = verb(run, tags=tags, n=n, share=share, open=open_, root=out)
    emit(result.to_dict()) if json else page(str(result))
    if getattr(result, "errors", ()):
        raise typer.Exit(FOUND_ERRORS)
