"""Single blood cells, cut from the pictures of BCCD, localized: how well the boxes of new pictures are found.

    python benchmarks/localize.py FOLDER [--only-cut] [options of orthogon train]

FOLDER gets train/, val/ and test/ of PNGs, cells.csv (picture, split, group, label, xmin, ymin, xmax, ymax), and runs.
A cell is cut out once: in a square window of 1.3 to 2.5 times its longer side (at least 96 pixels), laid at random so
that its box is wholly inside and the center of no other box is; after 30 tries it is left out. Of red cells at most
four of a picture are taken, so that they do not drown the others. Boxes without area, and those within 2 pixels of the
edge (cells that are cut off), are left out. Parts are those of the data set, by whole pictures. Seed 0.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from PIL import Image

SMALLEST, LOOSE, TRIES, MOST_RED = 96, (1.3, 2.5), 30, 4
TRAIN = ["--set", "data.image_size=64", "--epochs", "30", "--set", "train.augment=[flip, scale, shift]",
         "--set", "train.augment_border=edge"]


class Cell(NamedTuple):
    """label and box (left, top, right, bottom), in pixels of the picture."""

    label: str
    box: np.ndarray


def cut(archive: Path, folder: Path, seed: int = 0) -> Path:
    """Writes the pictures and cells.csv; the path of the table."""
    random = np.random.default_rng(seed)
    rows = []
    with tarfile.open(archive) as tar:
        for part in ("train", "val", "test"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            for name in _text(tar, f"BCCD/ImageSets/Main/{part}.txt").split():
                picture = Image.open(BytesIO(_bytes(tar, f"BCCD/JPEGImages/{name}.jpg"))).convert("RGB")
                cells = _cells(_text(tar, f"BCCD/Annotations/{name}.xml"))
                for number, (window, cell) in enumerate(_windows(cells, picture.size, random)):
                    file = f"{part}/{name.removeprefix('BloodImage_')}-{number}.png"
                    picture.crop(tuple(window.tolist())).save(folder / file)
                    inside = cell.box - np.tile(window[:2], 2)
                    rows.append([file, part, name, cell.label, *inside.tolist()])
    table = folder / "cells.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["picture", "split", "group", "label", "xmin", "ymin", "xmax", "ymax"], *rows])
    return table


def _bytes(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is not in the archive")
    return file.read()


def _text(tar: tarfile.TarFile, name: str) -> str:
    return _bytes(tar, name).decode()


def _cells(annotation: str) -> list[Cell]:
    found = []
    for thing in ElementTree.fromstring(annotation).iter("object"):  # noqa: S314 - a file of known content
        corners = [float(thing.findtext(f"bndbox/{side}", "nan")) for side in ("xmin", "ymin", "xmax", "ymax")]
        found.append(Cell(thing.findtext("name", ""), np.array(corners)))
    return found


def _windows(cells: list[Cell], size: tuple[int, int], random: np.random.Generator) -> list[tuple[np.ndarray, Cell]]:
    """Each cell that can be had alone, with the window (left, top, right, bottom) around it."""
    found, red = [], 0
    centers = np.array([(cell.box[:2] + cell.box[2:]) / 2 for cell in cells])
    for number in random.permutation(len(cells)):
        cell = cells[number]
        sides = cell.box[2:] - cell.box[:2]
        at_edge = (cell.box[:2] < 2).any() or (cell.box[2:] > np.array(size) - 2).any()
        if (sides <= 0).any() or at_edge or (cell.label == "RBC" and red == MOST_RED):
            continue
        others = np.delete(centers, number, axis=0)
        window = next((window for _ in range(TRIES) if (window := _window(cell.box, size, random)) is not None
                       and not _within(others, window).any()), None)
        if window is not None:
            found.append((window, cell))
            red += cell.label == "RBC"
    return found


def _window(box: np.ndarray, size: tuple[int, int], random: np.random.Generator) -> np.ndarray | None:
    """A square around the box and within the picture; None where this draw leaves no room."""
    side = int(max(SMALLEST, (box[2:] - box[:2]).max() * random.uniform(*LOOSE)))
    low = np.maximum(0, np.ceil(box[2:] - side))
    high = np.minimum(np.array(size) - side, np.floor(box[:2]))
    if (high < low).any():
        return None
    corner = np.floor(random.uniform(low, high + 1)).astype(int)
    return np.concatenate([corner, corner + side])


def _within(points: np.ndarray, window: np.ndarray) -> np.ndarray:
    return ((points >= window[:2]) & (points <= window[2:])).all(axis=1)


def main() -> None:
    folder, options = Path(sys.argv[1]), sys.argv[2:]
    archive = Path(os.environ["ORTHOGON_DATA"], "bccd_detection", "BCCD.tar")
    table = folder / "cells.csv"
    if not table.exists():
        cut(archive, folder)
    if "--only-cut" not in options:
        command = ["orthogon", "train", str(table), "--task", "localize", "--set", "data.group=group", *TRAIN, *options]
        raise SystemExit(subprocess.call(command, cwd=folder))


if __name__ == "__main__":
    main()
