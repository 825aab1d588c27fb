"""What all commands share: errors and exit codes, `--json`, `--debug`, help that is read from the recipe."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from orthogon.cli import complete
from orthogon.errors import Interrupted, OrthogonError

BAD_INPUT, FOUND_ERRORS, INTERRUPTED = 2, 1, 130
_JSON, _DEBUG, _STDOUT = "orthogon.json", "orthogon.debug", "orthogon.stdout"


class Verbs(TyperGroup):
    """The commands in the order of the loop, with every error of ours as a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Exit codes: 2 for OrthogonError, 130 when interrupted, 1 when the reader of a pipe has gone."""
        try:
            return super().invoke(ctx)
        except Interrupted as error:
            _tell(ctx, error, "stopped")
            raise typer.Exit(INTERRUPTED) from None
        except OrthogonError as error:
            if _debugging(ctx):
                traceback.print_exc()
            _tell(ctx, error, "error")
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            print("\nstopped", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that the flush at exit has somewhere to go
            raise typer.Exit(1) from None


class RecipeCommand(TyperCommand):
    """A command whose options are knobs: `{train.lr}` in a help text stands for that knob's own description.

    They are filled in only when help is asked for: the recipe's library takes a tenth of a second to import.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from orthogon.train.recipe import flat_fields

        lines = {key: field.description for key, field in flat_fields()}
        for parameter in self.params:
            if text := getattr(parameter, "help", None):
                parameter.help = re.sub(r"\{([a-z]+\.[a-z_]+)\}", lambda match: lines[match[1]], text)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def _remember(key: str) -> Any:
    def callback(ctx: typer.Context, value: bool) -> bool:
        ctx.meta[key] = ctx.meta.get(key) or value
        return value

    return callback


Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set any knob (`orthogon list knobs`); beats all else.",
                 autocompletion=complete.knobs, rich_help_panel="How"),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="One JSON object on standard output, and nothing else there.",
        callback=_remember(_JSON),
        is_eager=True,
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show the traceback of an error.",
        callback=_remember(_DEBUG),
        is_eager=True,
        hidden=True,
    ),
]
Root = Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of the runs.")]


@contextlib.contextmanager
def quiet_stdout(as_json: bool) -> Iterator[None]:
    """With --json, whatever is printed meanwhile goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        yield


def emit(document: Any) -> None:
    """The one JSON object of `--json`: a line on standard output, NaN and infinity as null."""
    from orthogon.train.run import finite

    print(json.dumps(finite(document), ensure_ascii=False, allow_nan=False, default=str), flush=True)


def page(text: str) -> None:
    """Text on standard output."""
    print(text, flush=True)


def _tell(ctx: Any, error: OrthogonError, word: str) -> None:
    """The message on standard error; with --json also as a JSON object."""
    print(f"{word}: {error}", file=sys.stderr)
    if ctx.meta.get(_JSON):
        emit({word: {"what": error.what, "where": error.where, "remedy": error.remedy}})


def _debugging(ctx: Any) -> bool:
    return bool(ctx.meta.get(_DEBUG)) or os.environ.get("ORTHOGON_DEBUG", "") not in ("", "0")
