"""Pictures for a gallery: where they come from, whose they are, and the hash that each is known by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RunError
from orthogon.serve.inputs import Gathered, gather, other_source, pictures_below
from orthogon.serve.predictor import Predictor


@dataclass(frozen=True)
class Pictures:
    """names: as a person knows them. identities: whose they are, None where nothing says so. source: the files, or a
    data set whose rows they are."""

    names: tuple[str, ...]
    identities: tuple[str | None, ...]
    source: tuple[Path, ...] | Dataset

    def __len__(self) -> int:
        return len(self.names)

    def hash(self, row: int) -> bytes:
        """SHA-256 of the file's bytes, or of the pixels and their shape. DataError where the file cannot be read."""
        if not isinstance(self.source, Dataset):
            return _of_file(self.source[row])
        [column] = _image_columns(self.source)
        if column.pixels is None:
            return _of_file(column.files[row])
        pixels = np.ascontiguousarray(column.pixels[row])
        return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).digest()

    def gathered(self, rows: Sequence[int], network: Predictor) -> Gathered:
        """Some of them as the network takes them; what cannot be read or shows nothing is remarked as an error."""
        if isinstance(self.source, Dataset):
            given: Any = self.source.take(np.asarray(rows))
        else:
            given = [self.source[row] for row in rows]
        return gather(given, network.schema, network.task.data_settings)


def pictures_of(inputs: Any, network: Predictor, identity: str | None = None) -> Pictures:
    """The pictures of a file, a folder, several of them, a data set or the name of a public one.

    In a folder the first folder below is the identity; in a data set its target is, where that is a category. identity:
    that of all of them, in place of this. DataError where there are no pictures, RunError where the network takes
    something else than pictures.
    """
    if network.schema.only("image") is None:
        raise RunError(f"a gallery is of pictures, and {network!r} takes {', '.join(network.schema.names)}",
                       remedy="Name the run of a network for pictures: --run RUN")
    paths = _paths(inputs)
    if paths and not (len(paths) == 1 and other_source(paths[0])):
        found = [each for path in paths for each in _in(path)]
        names, owners, files = zip(*found) if found else ((), (), ())
        source: tuple[Path, ...] | Dataset = files
    else:
        source = _dataset(inputs)
        names, owners = tuple(map(str, source.ids)), _targets(source)
    if not names:
        raise DataError("there is no picture (JPEG, PNG, WEBP) here", where=str(inputs))
    return Pictures(names, (identity,) * len(names) if identity is not None else owners, source)


def _paths(inputs: Any) -> list[Path]:
    """None of them where it is something else."""
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    are_paths = isinstance(given, list | tuple) and all(isinstance(each, str | Path) for each in given)
    return [Path(each) for each in given] if are_paths else []


def _in(path: Path) -> list[tuple[str, str | None, Path]]:
    """Name, identity and file of each picture."""
    if not path.is_dir():
        return [(str(path), None, path)]
    below = [file.relative_to(path) for file in pictures_below(path)]
    return [(str(path / file), file.parts[0] if len(file.parts) > 1 else None, path / file) for file in below]


def _dataset(inputs: Any) -> Dataset:
    from orthogon.data.read import read

    data = inputs if isinstance(inputs, Dataset) else read(inputs)
    if len(_image_columns(data)) != 1:
        raise DataError(f"{len(_image_columns(data))} columns of pictures where there should be one", where=data.name,
                        remedy="Give a data set with one picture in each row.")
    return data


def _image_columns(data: Dataset) -> list[ImageColumn]:
    return [column for column in data.columns.values() if isinstance(column, ImageColumn)]


def _targets(data: Dataset) -> tuple[str | None, ...]:
    column = None if data.target is None else data.target_column()
    if not isinstance(column, CategoryColumn):
        return (None,) * len(data)
    levels = (*column.levels, None)
    return tuple(levels[code] for code in column.codes)


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"it cannot be opened ({error.strerror})", where=str(path)) from error
