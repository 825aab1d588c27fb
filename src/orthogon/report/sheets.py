"""Pictures of what a network makes, at the end and along the way: kept in the run, shown in its report."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from orthogon.draw.images import contact_sheet, figure, to_image
from orthogon.draw.page import Page
from orthogon.draw.svg import Svg
from orthogon.errors import RunError, nearest
from orthogon.files import write_atomically
from orthogon.nn.modes import evaluating
from orthogon.report.augmentation import picture_address
from orthogon.report.view import View
from orthogon.train.run import Run
from orthogon.train.snapshots import FOLDER as SNAPSHOTS

if TYPE_CHECKING:
    from torch import nn

    from orthogon.train.compute import Compute
    from orthogon.train.task import Task

KEPT, FOLDER = "sheets.json", "sheets"
"""Where a run keeps them: [{"name", "title", "line"}], and NAME.png each."""

CELL, WIDE = 128, 256
"""Pixels of a picture among those that were taken along the way, and of one that is wide, as text is."""


def store_sheets(run: Run, task: Task, model: nn.Module, compute: Compute, rows: np.ndarray) -> None:
    """Keep the sheets of the task in the run; nothing where it has none. rows: not learnt from, free to be shown."""
    with compute.in_force(), evaluating(model):
        sheets = task.sheets(model, rows)
    if not sheets:
        return
    for sheet in sheets:
        stream = BytesIO()
        to_image(sheet.picture).save(stream, "png", optimize=True)
        write_atomically(run.path / FOLDER / f"{sheet.name}.png", stream.getvalue())
    run.write_json(KEPT, [{"name": each.name, "title": each.title, "line": each.line} for each in sheets])


def sheet(run: Run, name: str) -> Svg:
    """One of the pictures that a run keeps, as a figure that a notebook shows, its title followed by the run's name.

    RunError names those that there are.
    """
    from PIL import Image

    kept = {each["name"]: each["title"] for each in run.read_json(KEPT) or []}
    if name not in kept:
        raise RunError(f"the run keeps no picture {name!r}", where=str(run.path), remedy=nearest(name, list(kept)))
    with Image.open(run.path / FOLDER / f"{name}.png") as picture:
        return figure(np.asarray(picture), f"{kept[name]}: {run.name}")


def sheets(page: Page, view: View) -> None:
    """The section of the report; nothing where the run holds no such pictures."""
    from PIL import Image

    kept = view.run.read_json(KEPT) or []
    taken = sorted((view.run.path / SNAPSHOTS).glob("*.png"))
    if not kept and not taken:
        return
    page.section("What was learnt, in pictures")
    for each in kept:
        with Image.open(view.run.path / FOLDER / f"{each['name']}.png") as picture:
            page.image(picture_address(picture), each["title"], f"{each['title']}. {each['line']}")
    if len(taken) > 1:
        pictures = [np.asarray(Image.open(path)) for path in taken]
        cell = min(WIDE, max(CELL, *(picture.shape[1] for picture in pictures)))
        strip = contact_sheet(pictures, [f"step {int(path.stem):,}" for path in taken],
                              columns=min(6 * CELL // cell, len(taken)), cell=cell)
        page.image(picture_address(strip), "The same picture as training went on", "As training went on.")
