"""A folder of pictures: class folders, parts with class folders inside, or pictures without labels."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from orthogon.data.columns import CategoryColumn, Column
from orthogon.data.dataset import PARTS, Dataset, Finding
from orthogon.data.picture_files import SUFFIXES
from orthogon.data.readers.image_files import image_column
from orthogon.data.readers.options import PART_OF_NAME, Options, listing
from orthogon.errors import DataError

_OTHER_PICTURES = (".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".svg")


@dataclass
class _Found:
    """Pictures in reading order, with their class and part; and what lies about besides."""

    paths: list[Path] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)

    def add(self, paths: list[Path], label: str | None, part: str) -> None:
        self.paths += paths
        self.labels += [label] * len(paths)
        self.parts += [part] * len(paths)


def has_pictures(folder: Path) -> bool:
    """Whether a picture file lies anywhere below."""
    return bool(_files(folder, [], first=True))


def read_folder(folder: Path, options: Options) -> Dataset:
    """Columns "image" and, where there are class folders, "label"; ids are paths relative to the folder.

    DataError: no pictures; parts beside class folders; bad files unless options.skip_bad.
    """
    found = _Found()
    _walk(folder, found)
    if not found.paths:
        seen = Counter(path.suffix or "no suffix" for path in found.others)
        raise DataError(
            "there is no picture (JPEG, PNG, WEBP) in this folder"
            + (f"; it holds {listing([f'{n} × {s}' for s, n in seen.most_common()])}" if seen else "; it is empty"),
            where=str(folder), remedy="Expected one sub-folder for each class: glass/1.jpg, metal/1.jpg, …",
        )
    ids = [path.relative_to(folder).as_posix() for path in found.paths]
    image, findings, good = image_column(
        found.paths, ids=ids, channels=options.channels, skip_bad=options.skip_bad, where=str(folder)
    )
    columns: dict[str, Column] = {"image": image}
    labelled = any(label is not None for label in found.labels)
    if labelled:
        columns["label"] = CategoryColumn.from_values(found.labels)
    data = Dataset(
        name="", columns=columns, target="label" if labelled else None, ids=np.array(ids),
        part=np.array(found.parts) if any(found.parts) else None,
        findings=(*_remarks(found, folder), *findings),
    )
    return data if good.all() else _only(data, good, folder)


def _only(data: Dataset, good: np.ndarray, folder: Path) -> Dataset:
    if not good.any():
        raise DataError("not one picture can be read", where=str(folder), remedy="`orthogon check` lists the reasons.")
    return data.take(np.flatnonzero(good))


def _walk(folder: Path, found: _Found) -> None:
    inside = _folders_with_pictures(folder, found)
    parts = [entry for entry in inside if entry.name.lower() in PART_OF_NAME]
    classes = [entry for entry in inside if entry not in parts]
    loose = _direct(folder, found.others)
    is_split = parts and (not classes or any(PART_OF_NAME[entry.name.lower()] == "train" for entry in parts))
    if is_split and classes:
        raise DataError(
            f"folders of parts ({listing([entry.name for entry in parts])}) stand beside other folders "
            f"({listing([entry.name for entry in classes])})",
            where=str(folder), remedy="Put the class folders into train/, dev/ and test/, or move the others away.",
        )
    if not is_split:
        _walk_classes(folder, inside, loose, "", found)
        return
    found.others += loose
    by_order = sorted(parts, key=lambda entry: PARTS.index(PART_OF_NAME[entry.name.lower()]))
    for entry in by_order:
        part = PART_OF_NAME[entry.name.lower()]
        nested = [sub for sub in _folders(entry) if PART_OF_NAME.get(sub.name.lower()) == "train-dev"]
        classes = [sub for sub in _folders(entry) if sub not in nested]
        _walk_classes(entry, classes, _direct(entry, found.others), part, found)
        for sub in nested:
            _walk_classes(sub, _folders(sub), _direct(sub, found.others), "train-dev", found)


def _walk_classes(folder: Path, classes: list[Path], loose: list[Path], part: str, found: _Found) -> None:
    """Class folders of one part; pictures beside them have no label and are left out, with a finding."""
    before = len(found.paths)
    for entry in classes:
        found.add(_files(entry, found.others), entry.name, part)
    if len(found.paths) > before:
        found.others += loose
    else:
        found.add(loose, None, part)


def _folders_with_pictures(folder: Path, found: _Found) -> list[Path]:
    inside = []
    for entry in _folders(folder):
        if has_pictures(entry):
            inside.append(entry)
        else:
            found.empty.append(entry)
            _files(entry, found.others)
    return inside


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not _hidden(entry.name)]
    return [folder / name for name in sorted(names)]


def _direct(folder: Path, others: list[Path]) -> list[Path]:
    """Pictures in the folder itself, in order of name; other files go to `others`."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file() and not _hidden(entry.name))
    others += [folder / name for name in names if not name.lower().endswith(SUFFIXES)]
    return [folder / name for name in names if name.lower().endswith(SUFFIXES)]


def _files(folder: Path, others: list[Path], first: bool = False) -> list[Path]:
    """Pictures in the folder and below it (through links, but round no circle); only one if `first`."""
    out: list[Path] = []
    pending, seen = [folder], set()
    while pending:
        here = pending.pop(0)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        out += _direct(here, others)
        if first and out:
            return out[:1]
        pending += _folders(here)
    return out


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name in ("Thumbs.db", "desktop.ini")


def _remarks(found: _Found, folder: Path) -> list[Finding]:
    """What was passed over, so that nothing is dropped in silence."""
    remarks = []
    for path in found.others:
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in SUFFIXES:
            remarks.append(Finding("loose-image", "warning", "a picture outside the class folders was left out",
                                   where=name, remedy="Move it into the folder of its class."))
        elif path.suffix.lower() in _OTHER_PICTURES:
            remarks.append(Finding("unsupported-format", "warning", f"{path.suffix} pictures are not read",
                                   where=name, remedy="Convert it to PNG, JPEG or WEBP."))
    rest = [path for path in found.others if path.suffix.lower() not in (*SUFFIXES, *_OTHER_PICTURES)]
    if rest:
        remarks.append(Finding("other-files", "note", f"{len(rest)} files that are not pictures were passed over",
                               where=str(folder), value=listing([path.name for path in rest])))
    for path in found.empty:
        remarks.append(Finding("empty-class", "warning", "a sub-folder without pictures", where=path.name,
                               remedy="Remove it, or put its pictures in."))
    return remarks
