"""Plain text files as running text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from orthogon.data.dataset import Dataset, Finding
from orthogon.data.readers import text_files
from orthogon.data.readers.content import text_of
from orthogon.data.readers.options import ids_by_part
from orthogon.data.running_text import RunningText
from orthogon.errors import DataError


def read_folder(folder: Path) -> Dataset:
    """The text files below a folder one after the other, by name; those of each part where names tell of parts."""
    files = text_files.texts_below(folder)
    if not files:
        raise DataError("there is no text file (.txt) here", where=str(folder))
    parts = text_files.parts_of(files)
    data = read_running_text({part: [path] for part, path in parts.items()} if parts else {"": files})
    note = Finding("texts-in-order", "note", f"{len(files)} text files were read one after the other, the first is "
                   f"{files[0].name}, the last {files[-1].name}", where=str(folder))
    return data if parts else replace(data, findings=(note,))


def read_running_text(parts: Mapping[str, Sequence[Path]]) -> Dataset:
    """One column "text" of the files' blocks in their order; part -> files, "" where the parts are still to be chosen.

    UTF-8 (.gz too), with any sort of line ends. DataError for an empty file, and for what is no UTF-8, with line and
    byte.
    """
    columns = {part: RunningText.of([_text(path) for path in paths]) for part, paths in parts.items()}
    sizes = [len(column) for column in columns.values()]
    part = None if list(parts) == [""] else np.repeat(np.array(list(parts)), sizes)
    column = RunningText(
        [block for each in columns.values() for block in each.values],
        np.concatenate([each.follows for each in columns.values()]),
    )
    return Dataset("", {"text": column}, None, ids_by_part(part, len(column)), part=part)


def _text(path: Path) -> str:
    text = text_of(path).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError("the file holds no text", where=str(path), remedy="Give a file with something to learn from.")
    return text
