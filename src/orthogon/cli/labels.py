"""`labels`, `calibrate`, `mismatch`: what to doubt in labels, probabilities and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.results import MaybeRun
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def labels(
    source: Annotated[
        str,
        Argument(
            metavar="RUN_OR_DATA",
            help="A run (a path, a name, last or last~1), or data, on which one is trained first.",
            show_default=False,
            autocompletion=complete.runs,
        ),
    ] = "last",
    open_: Annotated[bool, Option("--open", help="Open the page in the browser.")] = False,
    reviewed: Annotated[
        Path | None, Option(metavar="FILE", help="The labels.csv that the page saved.", show_default=False)
    ] = None,
    audit: Annotated[
        int | None,
        Option(metavar="N", min=1, help="A page of N examples drawn at random, for the rate.", show_default=False),
    ] = None,
    audited: Annotated[
        Path | None, Option(metavar="FILE", help="The audit.csv that that page saved.", show_default=False)
    ] = None,
    corrections: Annotated[
        Path | None,
        Option(metavar="FILE", help="id,given,corrected: the scores on both versions.", show_default=False),
    ] = None,
    count: Annotated[int, Option(metavar="N", min=1, help="How many doubted labels the page shows.")] = 200,
    rounds: Annotated[
        int | None,
        Option(metavar="N", min=1, help="How often each example is held out; left out: 3 up to 5,000, else 1.",
               show_default=False),
    ] = None,
    test: Annotated[bool, Option("--test", help="Test examples too; the look is counted.")] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Find wrong labels: a queue to review, an audit for their rate.

    Each example is judged by networks that have not seen it. Nothing is changed or deleted: what you find is written to
    corrections.csv, which --set data.corrections=FILE applies to a later run.
    """
    with quiet_stdout(json):
        from orthogon.verbs.labels import labels as verb

        found = verb(source, test=test, rounds=rounds, count=count, reviewed=reviewed, audit=audit, audited=audited,
                     corrections=corrections, open=open_, root=out)
    emit(found.to_dict()) if json else page(str(found))


def mismatch(run: MaybeRun = "last", out: Root = "runs", json: Json = False, debug: Debug = False) -> None:
    """Does dev look different from train, and in what.

    Each property of pictures, each column of a table, and all together; test is not looked at.
    """
    with quiet_stdout(json):
        from orthogon.verbs.mismatch import mismatch as verb

        found = verb(run, root=out)
    emit(found.to_dict()) if json else page(str(found))


def calibrate(
    run: MaybeRun = "last",
    ship: Annotated[bool, Option("--ship", help="Predict at the temperature from now on.")] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Can its probabilities be believed? Fit a temperature on dev.

    Judged on test rows where there are any already; test is not looked at anew.
    """
    with quiet_stdout(json):
        from orthogon.verbs.calibrate import calibrate as verb

        found = verb(run, ship=ship, root=out)
    emit(found.to_dict()) if json else page(str(found))
