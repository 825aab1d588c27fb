"""`compare`, `read-predictions`: models beside each other, also those of other people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def compare(
    runs: Annotated[
        list[str],
        Argument(
            metavar="RUN RUN...",
            help="The first is what the others are compared with.",
            autocompletion=complete.runs,
        ),
    ],
    part: Annotated[
        str,
        Option(
            metavar="PART",
            help="dev, or test where all have looked already.",
            autocompletion=complete.one_of("dev", "test"),
        ),
    ] = "dev",
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare runs on the same examples: better, worse or tied."""
    with quiet_stdout(json):
        from orthogon.verbs.compare import compare as verb

        found = verb(*runs, part=part, root=out)
    emit(found.to_dict()) if json else page(str(found))


def read_predictions(
    file: Annotated[
        Path, Argument(metavar="FILE", help="CSV, Parquet or JSON lines: id, split, target, prediction, p_CLASS …")
    ],
    task: Annotated[
        str | None,
        Option(
            metavar="TASK",
            help="classify or regress; from the target when left out.",
            autocompletion=complete.one_of("classify", "regress"),
        ),
    ] = None,
    classes: Annotated[str | None, Option(metavar="A,B,C", help="All classes, where some never occur.")] = None,
    positive: Annotated[str | None, Option(metavar="CLASS", help="Of two classes the one that counts.")] = None,
    model: Annotated[str | None, Option(metavar="NAME", help="Which model, where a column names several.")] = None,
    name: Annotated[str | None, Option(metavar="NAME", help="Name of the run.")] = None,
    test: Annotated[bool, Option("--test", help="Look at a sealed test set again; the look is counted.")] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a run of what a model trained anywhere predicted.

    One row for each example. Columns: id, split (train, train-dev, dev, test), target, and prediction or p_CLASS for
    each class; also group, source, picture (a path), text, model.
    """
    with quiet_stdout(json):
        from orthogon.verbs.read_predictions import read_predictions as verb

        run = verb(
            file,
            task=task,
            classes=classes.split(",") if classes else None,
            positive=positive,
            model=model,
            test=test,
            out=out,
            name=name,
        )
    if json:
        emit(run.result)
