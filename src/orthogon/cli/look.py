"""`show`, `check`, `list`, `get`, `summary`: before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import FOUND_ERRORS, Debug, Json, Root, emit, page, quiet_stdout
from orthogon.cli.train import data_options

Data = Annotated[
    str,
    Argument(
        metavar="DATA", help="A folder of pictures, a table, or a public name.", autocompletion=complete.data
    ),
]
Target = Annotated[str | None, Option(metavar="COL", help="Column to learn.")]
NoHeader = Annotated[bool, Option("--no-header", help="The first row of the table is data, not names.")]
Columns = Annotated[str | None, Option(metavar="A,B,C", help="Names of the columns.")]
Type = Annotated[
    list[str] | None,
    Option("--type", metavar="COL=KIND", help="number, category, text, image, date or ignore."),
]
Group = Annotated[
    str | None, Option(metavar="COL", help="Column whose equal values belong together (patient, page).")
]


def show(
    data: Data,
    save: Annotated[
        Path | None, Option(metavar="FILE", help="Write it to this .png, .html or .txt file.")
    ] = None,
    open_: Annotated[bool, Option("--open", help="Open the contact sheet.")] = False,
    count: Annotated[int, Option(metavar="N", min=1, max=1000, help="How many examples.")] = 24,
    target: Target = None,
    no_header: NoHeader = False,
    columns: Columns = None,
    type_: Type = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """See examples as the network will: a contact sheet or a table."""
    with quiet_stdout(json):
        from orthogon.verbs.show import default_file, document
        from orthogon.verbs.show import show as verb

        options = data_options(columns=columns, no_header=no_header, types=type_)
        shown = verb(data, count, target=target, save=save, options=options)
        saved = save or (None if json else default_file(shown))
    if json:
        emit(document(shown, saved))
    else:
        page(f"{shown}\n\ncontact sheet  {saved}" if saved else str(shown))
    if open_ and saved:
        typer.launch(str(saved))


def check(
    data: Data,
    target: Target = None,
    no_header: NoHeader = False,
    columns: Columns = None,
    type_: Type = None,
    group: Group = None,
    save: Annotated[Path | None, Option(metavar="FILE", help="Write all findings to this CSV file.")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Find what is wrong with the data; nothing is edited.

    Exit code 1 when there are errors.
    """
    with quiet_stdout(json):
        from orthogon.verbs.check import check as verb

        found = verb(
            data,
            target=target,
            options=data_options(columns=columns, no_header=no_header, types=type_, group=group),
        )
        if save is not None:
            found.write_csv(save)
    emit(found.to_json()) if json else page(str(found))
    if found.errors:
        raise typer.Exit(FOUND_ERRORS)


def list_(
    what: Annotated[
        str,
        Argument(
            metavar="models|tasks|data|runs|optimizers|schedules|knobs|metrics|recipes",
            show_default=False,
            help="Of what.",
            autocompletion=complete.one_of(
                "models", "tasks", "data", "runs", "optimizers", "schedules", "knobs", "metrics", "recipes"
            ),
        ),
    ] = "models",
    problem: Annotated[
        str | None,
        Option(
            metavar="PROBLEM",
            help="Of knobs: those that are turned for train fit, dev fit, test fit or real world.",
            autocompletion=complete.one_of("train fit", "dev fit", "test fit", "real world"),
        ),
    ] = None,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """What there is, one line each; knobs by the problem that each is turned for."""
    with quiet_stdout(json):
        from orthogon.verbs.listing import list_names

        listing = list_names(what, root=out, problem=problem)
    emit(listing.to_dict()) if json else page(str(listing))


def get(
    name: Annotated[
        str, Argument(help="A public data set (`orthogon list data`).", autocompletion=complete.data)
    ],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Fetch a named public data set, verify it, and say where it lies."""
    with quiet_stdout(json):
        from orthogon.verbs.get import get as verb

        got = verb(name)
    emit(got.to_dict()) if json else page(str(got))


def summary(
    model: Annotated[
        str,
        Argument(
            metavar="MODEL", help="A model's name, file.py:Class, or a RUN.", autocompletion=complete.models
        ),
    ],
    data: Annotated[
        str | None,
        Option(
            metavar="DATA",
            help="Data it is built for; the bundled digits when left out.",
            autocompletion=complete.data,
        ),
    ] = None,
    target: Target = None,
    set_: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="An option of the model, e.g. hidden=[64,64]."),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Layers, shapes, parameters and multiply-adds of a network."""
    with quiet_stdout(json):
        from orthogon.cli.train import assignments
        from orthogon.verbs.summary import summary as verb

        table = verb(model, data, target=target, options=assignments(set_ or []))
    emit(table.to_dict()) if json else page(str(table))
