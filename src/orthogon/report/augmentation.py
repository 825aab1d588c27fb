"""Training pictures as augmentation changes them: a sheet to look at, kept in the run and shown in its report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from orthogon.data.display import choose
from orthogon.draw.images import contact_sheet
from orthogon.draw.page import Page
from orthogon.report.view import View
from orthogon.train.run import Run

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from orthogon.data.augment import Way
    from orthogon.data.dataset import Dataset
    from orthogon.tasks.encoded import Encoded
    from orthogon.train.task import Batch, Task

KEPT = "augment.json"
"""Where a run keeps its sheet: {"picture": data URI, "ways", "strength", "border"}."""

PICTURES, TOGETHER = 4, 3
CELL, LEAST_CELL = 96, 64
PNG_BYTES = 250_000


def augmentation_sheet(task: Encoded, rows: Sequence[int] | np.ndarray, together: int = TOGETHER) -> Image:
    """A row for each picture: as it is, by each way alone, and by all together, `together` times.

    task: fitted, with data attached, and an augmentation. Boxes, points and masks that the task predicts are drawn in.
    """
    import torch

    at = torch.as_tensor(np.asarray(rows), dtype=torch.int64, device=task.inputs.device)
    ways = task.inputs.augment.ways
    wanted: list[tuple[str, tuple[Way, ...]]] = [("as it is", ()), *((way, (way,)) for way in ways)]
    if len(ways) > 1:
        wanted += [("together", ways)] * together
    columns = [_pictures(task, at, chosen, number) for number, (_, chosen) in enumerate(wanted)]
    flat = [picture for row in zip(*columns) for picture in row]
    captions = [name.replace("_", " ") for name, _ in wanted] * len(at)
    side = max(flat[0].shape[:2])
    cell = side * max(1, CELL // side) if side <= CELL else CELL  # small pixels stay squares
    return contact_sheet(flat, captions, columns=len(wanted), cell=max(cell, LEAST_CELL))


def _pictures(task: Encoded, rows: Tensor, ways: tuple[Way, ...], number: int) -> list[np.ndarray]:
    """The pictures of the rows by a draw of those ways, as people see them."""
    from orthogon.train.randomness import Draw

    changes = task.inputs.changes(len(rows), Draw(0, 0, number, task.inputs.device), ways) if ways else ()
    batch = task.changed(rows, changes)
    return task.marked(batch, _unprepared(task, batch))


def _unprepared(task: Encoded, batch: Batch) -> list[np.ndarray]:
    """The first pictures of the batch as H×W×C uint8: its standardization undone."""
    import torch

    from orthogon.data.encode import ImageEncoder

    encoder, tensor = next((encoder, tensor) for encoder, tensor in zip(task.inputs.encoders, batch.inputs)
                           if isinstance(encoder, ImageEncoder))
    mean, std = (torch.tensor(values, device=tensor.device).view(1, -1, 1, 1) for values in (encoder.mean, encoder.std))
    pixels = (tensor.float() * std + mean).round().clamp(0, 255).to(torch.uint8)
    return list(pixels.permute(0, 2, 3, 1).cpu().numpy())


def store_augmentation(run: Run, task: Task, data: Dataset, rows: np.ndarray) -> None:
    """Keep the sheet of some of the train rows in the run; nothing where no picture is changed."""
    from orthogon.tasks.encoded import Encoded

    if not isinstance(task, Encoded) or not task.augment or "image" not in task.inputs.kinds:
        return
    shown = rows[choose(data.take(rows), PICTURES)]
    augment = task.augment
    run.write_json(KEPT, {"picture": picture_address(augmentation_sheet(task, shown, together=2)),
                          "ways": list(augment.ways), "strength": augment.strength, "border": augment.border})


def picture_address(image: Image) -> str:
    """A data URI: PNG, or JPEG where that would be large."""
    for kind, options in (("png", {"optimize": True}), ("jpeg", {"quality": 85, "optimize": True})):
        stream = BytesIO()
        image.save(stream, kind, **options)
        if kind == "jpeg" or stream.tell() <= PNG_BYTES:
            break
    return f"data:image/{kind};base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def augmentation(page: Page, view: View) -> None:
    """The section of the report; nothing where training pictures were not changed."""
    found = view.run.read_json(KEPT)
    if not found:
        return
    page.section("Augmentation", note="Train pictures as the network saw them: by each way alone, by all together, "
                                      f"at strength {found['strength']:g}. What a person could not recognize, or what "
                                      "means something else now, asks for less strength or one way fewer.")
    ways = ", ".join(found["ways"])
    page.html(f'<img alt="{escape(f"Train pictures changed by {ways}")}" style="max-width:100%" '
              f'src="{escape(found["picture"])}">')
