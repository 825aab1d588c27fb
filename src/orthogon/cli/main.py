"""`orthogon`: the verbs, in the order of the loop. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from orthogon.cli import (
    before,
    compare,
    features,
    gallery,
    human,
    inside,
    labels,
    language,
    learning_curve,
    look,
    mistakes,
    one_picture,
    probe,
    results,
    train,
    weights,
)
from orthogon.cli import next as next_
from orthogon.cli.shell import Debug, RecipeCommand, Verbs

FIRST = "Try first:  [bold]orthogon train[/bold]   (nothing to download: real handwritten digits are inside)"

app = typer.Typer(
    cls=Verbs,
    name="orthogon",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"Deep learning with the strategy built in.\n\n{FIRST}",
    epilog="A RUN is a path, a name, last, last~1 (the one before it), or left out: the last one.",
)

LOOK, TRAIN, SEE = "1  look at the data", "2  train", "3  see what came out"
NEXT = "4  what to do next"
app.command(rich_help_panel=LOOK)(look.show)
app.command(rich_help_panel=LOOK)(look.check)
app.command("list", rich_help_panel=LOOK)(look.list_)
app.command(rich_help_panel=LOOK)(look.get)
app.command(rich_help_panel=LOOK)(weights.verify)
app.command(rich_help_panel=LOOK)(weights.convert)
app.command(rich_help_panel=TRAIN, cls=RecipeCommand)(before.preflight)
app.command("find-rate", rich_help_panel=TRAIN, cls=RecipeCommand)(before.find_rate)
app.command(rich_help_panel=TRAIN, cls=RecipeCommand)(train.train)
app.command(rich_help_panel=TRAIN)(one_picture.stylize)
app.command(rich_help_panel=TRAIN)(one_picture.restore)
app.command(rich_help_panel=TRAIN)(look.summary)
app.command(rich_help_panel=SEE)(results.evaluate)
app.command(rich_help_panel=SEE)(results.report)
app.command(rich_help_panel=SEE)(inside.inside)
app.command(rich_help_panel=SEE)(inside.ensemble)
app.command(rich_help_panel=SEE)(results.predict)
app.command(rich_help_panel=SEE)(language.score)
app.command(rich_help_panel=SEE)(language.write)
app.add_typer(gallery.app, rich_help_panel=SEE)
app.command("read-predictions", rich_help_panel=SEE)(compare.read_predictions)
app.command(rich_help_panel=NEXT)(next_.diagnose)
app.command(rich_help_panel=NEXT)(probe.probe)
app.command(rich_help_panel=NEXT)(compare.compare)
app.command("learning-curve", rich_help_panel=NEXT)(learning_curve.learning_curve)
app.command(rich_help_panel=NEXT)(features.features)
app.command(rich_help_panel=NEXT)(mistakes.mistakes)
app.command(rich_help_panel=NEXT)(human.human)
app.command(rich_help_panel=NEXT)(labels.labels)
app.command(rich_help_panel=NEXT)(labels.calibrate)
app.command(rich_help_panel=NEXT)(labels.mismatch)


def _version(value: bool) -> None:
    if value:
        from orthogon import __version__

        print(f"orthogon {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
    debug: Debug = False,
) -> None:
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Exit codes: 0, 1 (findings, or a closed pipe), 2 (bad input), 130 (interrupted)."""
    app(args=None if arguments is None else list(arguments), prog_name="orthogon")
