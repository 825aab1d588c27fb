"""`evaluate`, `report`, `predict`: after training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout

MaybeRun = Annotated[
    str,
    Argument(
        metavar="RUN",
        help="A path, a name, last or last~1.",
        show_default=False,
        autocompletion=complete.runs,
    ),
]


def evaluate(
    run: MaybeRun = "last",
    data: Annotated[
        str | None,
        Argument(
            metavar="DATA",
            show_default=False,
            autocompletion=complete.data,
            help="Other data with the same columns; the run's own parts when left out.",
        ),
    ] = None,
    test: Annotated[
        bool, Option("--test", help="Look at a sealed test set again; the look is counted.")
    ] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a trained network, with intervals."""
    with quiet_stdout(json):
        from orthogon.verbs.evaluate import evaluate as verb

        result = verb(run, data, test=test, root=out)
    emit(result.to_dict()) if json else page(str(result))


def report(
    run: MaybeRun = "last",
    open_: Annotated[bool, Option("--open", help="Open it in the browser.")] = False,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the one-file report of a run again, and say where it is."""
    with quiet_stdout(json):
        from orthogon.verbs.report import report as verb

        path = verb(run, open=open_, root=out)
    emit({"report": str(path)}) if json else page(str(path))


def predict(
    run: Annotated[
        str, Argument(metavar="RUN", help="A path, a name, last or last~1.", autocompletion=complete.runs)
    ],
    inputs: Annotated[
        list[str], Argument(metavar="INPUT...", help="Pictures, folders of them, tables, or texts in quotation marks.")
    ],
    csv: Annotated[
        Path | None, Option(metavar="FILE", help="Write the predictions to this CSV file.")
    ] = None,
    save: Annotated[
        Path | None,
        Option(metavar="DIR", help="Write predicted masks here, a PNG for each picture; left out: beside the CSV."),
    ] = None,
    precision: Annotated[
        str,
        Option(
            help="fp32; or bf16, several times faster on pictures where the hardware has it, and rounder.",
            autocompletion=complete.one_of("fp32", "bf16"),
        ),
    ] = "fp32",
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Predict for new inputs.

    What cannot be read gives an error for that input alone.
    """
    with quiet_stdout(json):
        from orthogon.verbs.predict import predict as verb

        predictions = verb(run, inputs, root=out, precision=precision)
        masks = save or (csv.with_name(f"{csv.stem}-masks") if csv and predictions.has_masks else None)
        if masks is not None:
            predictions.save_masks(masks)
        if csv is not None:
            predictions.write_csv(csv)
    if json:
        emit(predictions.to_dict())
    else:
        wrong = len(predictions.errors)
        unused = f"; {wrong:,} could not be used, their lines say why" if wrong else ""
        page(f"{len(predictions) - wrong:,} predictions in {csv}{unused}" if csv else str(predictions))
        if masks is not None:
            page(f"masks in {masks}")
