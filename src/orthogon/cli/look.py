"""`show`, `check`, `list`, `get`, `summary`: before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import FOUND_ERRORS, Debug, Json, Root, emit, page, quiet_stdout
from orthogon.cli.train import data_options
from orthogon.errors import DataError

Data = Annotated[
    str,
    Argument(
        metavar="DATA", autocompletion=complete.data,
        help="A folder of pictures, a table, texts (.txt, CoNLL, A.en,A.fr), or a public name.",
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
    data: Annotated[
        str,
        Argument(
            metavar="DATA|augment", autocompletion=complete.data,
            help="A folder of pictures, a table, texts, or a public name; or the word augment: what augmentation makes "
            "of pictures.",
        ),
    ],
    of: Annotated[
        str | None,
        Argument(metavar="[RUN|RECIPE|DATA]", show_default=False,
                 help="After augment: whose pictures; left out: the bundled digits."),
    ] = None,
    augment: Annotated[
        str | None,
        Option(metavar="WAYS", help="What these ways make of the pictures, e.g. flip,rotate,color; or all."),
    ] = None,
    strength: Annotated[float | None, Option(min=0, max=3, help="How strongly, with --augment; 1 is usual.")] = None,
    save: Annotated[
        Path | None, Option(metavar="FILE", help="Write it to this .png, .html or .txt file.")
    ] = None,
    open_: Annotated[bool, Option("--open", help="Open the contact sheet.")] = False,
    count: Annotated[
        int | None, Option(metavar="N", min=1, max=1000, help="How many examples: 24, of augmentation 6.")
    ] = None,
    target: Target = None,
    no_header: NoHeader = False,
    columns: Columns = None,
    type_: Type = None,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """See examples as the network will: a contact sheet or a table; or, with augment, what augmentation makes of them.

    orthogon show photos/ · orthogon show photos/ --augment flip,rotate · orthogon show augment last
    """
    options = data_options(columns=columns, no_header=no_header, types=type_)
    with quiet_stdout(json):
        if data == "augment" or augment is not None or strength is not None:
            from orthogon.verbs.show_augment import document, show_augment

            ways = None if augment in (None, "all") else [way.strip() for way in augment.split(",")]
            shown = show_augment(of if data == "augment" else data, ways, strength, count=count or 6, target=target,
                                 options=options, save=save, root=out)
            saved = save or (None if json else shown.default_file())
        else:
            from orthogon.verbs.show import default_file, document
            from orthogon.verbs.show import show as verb

            if of is not None:
                raise DataError(f"{of!r} is one argument too many", remedy=f"orthogon show {data}, or: orthogon show "
                                f"augment {of}")
            shown = verb(data, count or 24, target=target, save=save, options=options)
            saved = save or (None if json else default_file(shown))
    if json:
        emit(document(shown, saved))  # pyright: ignore[reportArgumentType]
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
            metavar="models|tasks|data|weights|runs|optimizers|schedules|knobs|metrics|recipes",
            show_default=False,
            help="Of what.",
            autocompletion=complete.one_of(
                "models", "tasks", "data", "weights", "runs", "optimizers", "schedules", "knobs", "metrics", "recipes"
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
        str,
        Argument(
            help="A public data set (`orthogon list data`), or weights as MODEL/NAME (`orthogon list weights`).",
            autocompletion=complete.gettable,
        ),
    ],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Fetch a public data set or published weights, verify them, and say where they lie.

    For example: orthogon get trashnet, orthogon get resnet18/imagenet
    """
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
