"""`learning-curve`: what more data would buy."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from orthogon.cli.results import MaybeRun
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def learning_curve(
    run: MaybeRun = "last",
    points: Annotated[int, Option(metavar="N", help="How many sizes, each half the next: m/8, m/4, m/2, m.")] = 4,
    repeats: Annotated[int, Option(metavar="N", help="How often each size is drawn and trained anew.")] = 3,
    processes: Annotated[int | None, Option(metavar="N", help="Trainings side by side; default: one per core.")] = None,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train on ever more of the examples, and say what twice the data would buy.

    It costs about as much as training so often as points times repeats; what is done is kept.
    """
    with quiet_stdout(json):
        from orthogon.verbs.learning_curve import learning_curve as verb

        curve = verb(run, points=points, repeats=repeats, processes=processes, root=out, quiet=json)
    emit(curve.to_dict()) if json else page(str(curve))
