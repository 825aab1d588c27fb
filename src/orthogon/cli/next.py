"""`diagnose`: what to do next."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from orthogon.cli.results import MaybeRun
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def diagnose(
    run: MaybeRun = "last",
    human: Annotated[
        str | None,
        Option(
            metavar="METRIC=VALUE|K/N",
            help="How well people do it at their best (a team of experts, not a typical person): "
            "accuracy=0.98, taken as exact, or 6/300 for 6 wrong of 300. Default: what `orthogon human` measured.",
        ),
    ] = None,
    human_target: Annotated[
        str | None,
        Option(metavar="METRIC=VALUE|K/N", help="The same where dev comes from, if train comes from elsewhere."),
    ] = None,
    goal: Annotated[
        str | None,
        Option(metavar="METRIC=VALUE", help="What is wanted, where nobody knows how well people do it."),
    ] = None,
    tolerance: Annotated[
        float | None,
        Option(
            metavar="POINTS",
            help="A gap within it does not matter; of metrics that are no rates, in their unit. "
            "Default: a tenth of dev's error, at least 0.5 points.",
        ),
    ] = None,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what holds a run back: bias, variance, mismatch, an overfitted dev set, or nothing that could be seen."""
    with quiet_stdout(json):
        from orthogon.verbs.diagnose import diagnose as verb

        found = verb(run, human=human, human_target=human_target, goal=goal, tolerance=tolerance, root=out)
    emit(found.to_dict()) if json else page(str(found))
