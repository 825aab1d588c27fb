"""A folder of pictures and a folder of masks beside it, matched by name; in parts, inside or outside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orthogon.data.dataset import PARTS, Dataset, Finding
from orthogon.data.mask_files import TABLES, Coding, read_table
from orthogon.data.masks import MaskColumn
from orthogon.data.picture_files import SUFFIXES, PictureError, read_header
from orthogon.data.readers.image_files import image_column
from orthogon.data.readers.options import PART_OF_NAME, Options
from orthogon.errors import DataError

PICTURES = ("images", "image", "imgs", "img", "pictures", "jpegimages")
MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "segmentations", "segmentationclass")
_ENDINGS = re.compile(r"[-_](mask|masks|seg|gt|labels?|l)$", re.IGNORECASE)
_SHOWN = 10


@dataclass(frozen=True)
class _Pair:
    """Two folders whose files belong together, and the part that they are of; "" where no folder tells it."""

    pictures: Path
    masks: Path
    part: str = ""


def has_masks(folder: Path) -> bool:
    """Whether pictures and PNG masks stand beside each other here, or in folders of parts."""
    return bool(_pairs(folder))


def read_folder(folder: Path, options: Options) -> Dataset:
    """Columns "image" and "mask", the target; ids are paths of pictures relative to the folder.

    The masks are PNGs with codes as palette indices or greys, with 0 and 255, or in the colors of a table; classes are
    named by classes.txt, labels.txt, label_colors.txt or class_names.txt. A mask is found by the name of its picture,
    also with _mask, _seg, _gt or _L behind it. Pictures without mask and masks without picture are left out, each a
    finding. DataError: a mask of another size than its picture, bad files (both left out by options.skip_bad), values
    that stand for no class.
    """
    pictures, masks, parts, findings = [], [], [], []
    for pair in _pairs(folder):
        found = _by_name(pair.pictures, SUFFIXES), _by_name(pair.masks, (".png",), _ENDINGS)
        for name, path in found[0].items():
            if name in found[1]:
                pictures.append(path)
                masks.append(found[1][name])
                parts.append(pair.part or PART_OF_NAME.get(name.partition("/")[0].lower(), ""))
        findings += _unmatched(found[0], found[1], folder)
    if not pictures:
        raise DataError("no mask has the name of a picture", where=str(folder), remedy=findings[0].remedy)
    ids = [path.relative_to(folder).as_posix() for path in pictures]
    image, remarks, good = image_column(pictures, ids=ids, channels=options.channels, skip_bad=options.skip_bad,
                                        where=str(folder))
    looked = (_misfit(masks[row], image.sizes[row], folder, int(row)) for row in np.flatnonzero(good))
    misfits = [each for each in looked if each is not None]
    if misfits and not options.skip_bad:
        _refuse(misfits, folder)
    for each in misfits:
        good[each.row] = False
    rows = np.flatnonzero(good)
    if not len(rows):
        raise DataError("not one picture with its mask can be read", where=str(folder),
                        remedy="`orthogon check` lists the reasons.")
    image = image.take(rows)
    mask = MaskColumn.from_files([masks[row] for row in rows], image.sizes, _coding(folder))
    return Dataset(
        name="", columns={"image": image, "mask": mask}, target="mask", ids=np.array(ids)[rows],
        part=np.array(parts)[rows] if any(parts) else None, findings=(*findings, *remarks, *misfits),
    )


def _pairs(folder: Path) -> list[_Pair]:
    """Of the folder itself, or else of its folders of parts, in the order of parts."""
    own = _pair(folder, "")
    if own:
        return [own]
    inside = [(PART_OF_NAME[entry.name.lower()], entry) for entry in _folders(folder)
              if entry.name.lower() in PART_OF_NAME]
    inside.sort(key=lambda found: PARTS.index(found[0]))
    return [pair for part, entry in inside if (pair := _pair(entry, part))]


def _pair(folder: Path, part: str) -> _Pair | None:
    by_name = {entry.name.lower(): entry for entry in _folders(folder)}
    pictures = next((by_name[name] for name in PICTURES if name in by_name), None)
    masks = next((by_name[name] for name in MASKS if name in by_name and _has_png(by_name[name])), None)
    return _Pair(pictures, masks, part) if pictures and masks else None


def _has_png(folder: Path) -> bool:
    return next(_files(folder, (".png",)), None) is not None


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def _files(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for here, inside, names in os.walk(folder):
        inside.sort()
        yield from (Path(here) / name for name in sorted(names)
                    if name.lower().endswith(suffixes) and not name.startswith("."))


def _by_name(folder: Path, suffixes: tuple[str, ...], endings: re.Pattern[str] | None = None) -> dict[str, Path]:
    """Path below the folder, without suffix -> file; where two have the same name, the one without ending."""
    found: dict[str, Path] = {}
    for path in _files(folder, suffixes):
        name = path.relative_to(folder).with_suffix("").as_posix()
        plain = endings.sub("", name) if endings else name
        if plain not in found or plain == name:
            found[plain] = path
    return found


def _unmatched(pictures: dict[str, Path], masks: dict[str, Path], folder: Path) -> list[Finding]:
    without_mask = [pictures[name] for name in pictures if name not in masks]
    without_picture = [masks[name] for name in masks if name not in pictures]
    return [
        Finding("no-mask", "warning", "a picture without a mask was left out",
                where=path.relative_to(folder).as_posix(), remedy="Add a PNG mask of the same name.")
        for path in without_mask
    ] + [
        Finding("no-picture", "warning", "a mask without a picture was left out",
                where=path.relative_to(folder).as_posix(), remedy="Give it the name of its picture.")
        for path in without_picture
    ]


def _misfit(path: Path, size: np.ndarray, folder: Path, row: int) -> Finding | None:
    """What is wrong with a mask, from its header."""
    where = path.relative_to(folder).as_posix()
    try:
        header = read_header(path)
    except PictureError as error:
        return Finding(error.kind, "error", error.what, where, row, value=str(path), remedy="Export it again.")
    if (header.height, header.width) == tuple(size):
        return None
    return Finding("mask-size", "error", f"the mask is {header.height}×{header.width}, its picture "
                   f"{size[0]}×{size[1]} (height × width)", where, row, value=str(path),
                   remedy="A mask has a pixel for each pixel of its picture, as it is seen upright.")


def _refuse(findings: list[Finding], folder: Path) -> None:
    lines = "\n".join(f"  {each.where}: {each.what}" for each in findings[:_SHOWN])
    more = f"\n  and {len(findings) - _SHOWN:,} more" if len(findings) > _SHOWN else ""
    raise DataError(f"{len(findings):,} {'mask does' if len(findings) == 1 else 'masks do'} not fit:\n{lines}{more}",
                    where=str(folder), remedy="Mend them, or leave them out with --skip-bad (skip_bad=True).")


def _coding(folder: Path) -> Coding | None:
    """The table of classes that lies in the folder, or in one of its folders of masks or parts."""
    pairs = _pairs(folder)
    places = [folder, *(pair.masks for pair in pairs), *(pair.masks.parent for pair in pairs)]
    return next((read_table(place / name) for place in places for name in TABLES if (place / name).is_file()), None)
