"""`probe`: try what may help."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from orthogon.cli.results import MaybeRun
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout


def probe(
    run: MaybeRun = "last",
    minutes: Annotated[float | None, Option(metavar="N", help="How long to try, by the clock.")] = None,
    budget: Annotated[
        float | None,
        Option(metavar="X", help="How long to try, in trainings of the run; 4 when neither is given. "
               "Where both are, the less."),
    ] = None,
    tries: Annotated[
        list[str] | None,
        Option(
            "--try",
            metavar="KEY=VALUE",
            help="Try this change as well: train.lr=0.01, or with a name 'mirrored: train.augment=\\[flip]'.",
        ),
    ] = None,
    jobs: Annotated[
        int | None, Option(metavar="N", help="Trainings side by side; by default one for each core.")
    ] = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print nothing but the result and errors.")] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Try what may help, in small paired experiments, and write the recipe to follow.

    Ctrl-C keeps what is done; the same command goes on from there.
    """
    with quiet_stdout(json):
        from orthogon.verbs.probe import probe as verb

        found = verb(run, minutes=minutes, budget=budget, tries=tries or (), jobs=jobs, root=out, quiet=quiet)
    emit(found.to_dict()) if json else page(str(found))
