"""`human`: measure how well people do on the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from orthogon.cli.look import Data, Target
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def human(
    data: Data = "digits",
    n: Annotated[int, Option("--n", min=1, help="Examples to answer, drawn at random.")] = 100,
    source: Annotated[
        str | None, Option(help="Only examples from this source: the level on that distribution.", show_default=False)
    ] = None,
    target: Target = None,
    answers: Annotated[
        Path | None,
        Option(metavar="CSV", help="The answers that the page saved: score and keep them.", show_default=False),
    ] = None,
    who: Annotated[
        str | None, Option(metavar="NAME", help="Who answered.", show_default="the name of your account")
    ] = None,
    seed: Annotated[int, Option(help="Which examples; the same seed for all who answer.")] = 0,
    open_: Annotated[bool, Option("--open", help="Open the page in the browser.")] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """One offline page to answer by keys; then the human error rate with its interval, kept with the data.

    Nothing is drawn from a test set, nor from the part of dev that stays unseen.
    """
    with quiet_stdout(json):
        from orthogon.verbs.human import human as verb

        result = verb(data, n=n, source=source, target=target, answers=answers, who=who, seed=seed, open=open_,
                      root=out)
    emit(result.to_dict()) if json else page(str(result))
