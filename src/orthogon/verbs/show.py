"""`show`: examples as a network will see them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orthogon.data import display
from orthogon.data.display import Shown
from orthogon.verbs.sources import data_settings, read_as


def show(
    data: Any = None, count: int = 24, *, target: str | None = None, save: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Shown:
    """A contact sheet of pictures, or a table with its types; it draws itself in a notebook and prints itself.

    data:    as `og.read` takes it; default: the bundled digits. count: examples, spread over the classes.
    target:  the column to learn. options: how to read, by flat key, e.g. {"data.types": {"zip": "category"}}.
    save:    also write it: .png (pictures), .html, .txt.

    Size and shape of pictures are those of the recipe's `data.image_size` and `data.fit`. Raises DataError.
    """
    settings = data_settings(data, target, options)
    size = None if settings.image_size is None else (settings.image_size, settings.image_size)
    shown = display.show(read_as(settings, data), count, size=size, fit=settings.fit)
    if save is not None:
        shown.save(save)
    return shown


def document(shown: Shown, saved: Path | None) -> dict[str, Any]:
    """What `orthogon show --json` says."""
    headers, rows = shown.examples()
    names = ("name", "type", "missing", "distinct", "values")
    columns = [dict(zip(names, row)) for row in display.column_rows(shown.data)]
    return {
        "data": shown.data.name, "n": len(shown.data), "about": display.headline(shown.data), "columns": columns,
        "examples": [dict(zip(headers, row)) for row in rows], "saved": None if saved is None else str(saved),
    }


def default_file(shown: Shown) -> Path | None:
    """Where a contact sheet goes when nobody says where: the folder for temporary files. None for tables."""
    if shown.picture_column is None:
        return None
    return shown.save(Path(tempfile.gettempdir()) / f"orthogon-{shown.data.name}.png")
