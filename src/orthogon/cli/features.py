"""`features`: what the representation of a run is worth."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from orthogon.cli import complete
from orthogon.cli.results import MaybeRun
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def features(
    run: MaybeRun = "last",
    labels: Annotated[
        str,
        Option(metavar="N,…", help="How many labels: shares up to 1 (1 = all), or numbers above it."),
    ] = "0.01,0.1,1",
    data: Annotated[
        str | None,
        Option(
            metavar="DATA",
            show_default="the run's own",
            autocompletion=complete.data,
            help="Another data set, whose inputs the network takes.",
        ),
    ] = None,
    target: Annotated[
        str | None, Option(metavar="COLUMN", help="The column of labels, where it is another one.", show_default=False)
    ] = None,
    processes: Annotated[int | None, Option(metavar="N", help="Trainings side by side; default: one per core.")] = None,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say how few labels a classifier needs that starts from what a network has learnt, with labels or without.

    Nearest neighbors and a linear probe on what enters its head, and training of the whole network, each against the
    same from random first weights, on the same labelled examples. Two trainings for each number of labels.
    """
    with quiet_stdout(json):
        from orthogon.verbs.features import features as verb

        found = verb(run, labels=_numbers(labels), data=data, target=target, processes=processes, root=out, quiet=json)
    emit(found.to_dict()) if json else page(str(found))


def _numbers(text: str) -> list[float]:
    try:
        return [float(each) for each in text.replace(",", " ").split()]
    except ValueError:
        raise typer.BadParameter("numbers with commas between them: 0.01,0.1,1", param_hint="--labels") from None
