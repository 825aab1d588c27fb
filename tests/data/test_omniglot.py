"""Omniglot: what both archives hold is taken once; the official runs pair each query with its character."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogon.data import omniglot
from orthogon.errors import DataError


def drawing(number: int) -> bytes:
    """A bit map of 4×4 with as many pixels of ink (0) as the number says."""
    bits = np.ones(16, dtype=bool)
    bits[:number] = False
    stream = io.BytesIO()
    Image.fromarray(bits.reshape(4, 4)).save(stream, "png")
    return stream.getvalue()


def pack(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    first = {f"images_background_small1/{name}/character0{c}/0{c}00_0{d}.png": drawing(c + d)
             for name in ("Greek", "Korean") for c in (1, 2) for d in (1, 2, 3)}
    second = {f"images_background_small2/{name}/character01/0900_0{d}.png": drawing(9 + d)
              for name in ("Greek", "Tagalog") for d in (1, 2)}
    pack(tmp_path / omniglot.BACKGROUND[0], {**first, "__MACOSX/images_background_small1/Greek/._x.png": b"junk",
                                             "images_background_small1/.DS_Store": b"junk"})
    pack(tmp_path / omniglot.BACKGROUND[1], second)
    runs = {}
    for run in (1, 2):
        order = [2, 1, 3] if run == 1 else [3, 2, 1]
        runs |= {f"run0{run}/training/class0{k}.png": drawing(k) for k in (1, 2, 3)}
        runs |= {f"run0{run}/test/item0{k}.png": drawing(answer) for k, answer in enumerate(order, start=1)}
        runs[f"run0{run}/class_labels.txt"] = "".join(
            f"run0{run}/test/item0{k}.png run0{run}/training/class0{answer}.png\n"
            for k, answer in enumerate(order, start=1)).encode()
    pack(tmp_path / omniglot.RUNS, {**runs, "__MACOSX/run01/._x": b"junk"})
    return tmp_path


def test_what_both_archives_hold_is_taken_once(folder: Path) -> None:
    data = omniglot.load(folder)
    names = ["Greek/character01", "Greek/character02", "Korean/character01", "Korean/character02",
             "Tagalog/character01"]
    assert data.ids.tolist() == [f"{each}/0{d}" for each in names for d in ((1, 2) if "Tag" in each else (1, 2, 3))]
    column = data.target_column()
    assert [column.levels[code] for code in column.codes] == [each.rpartition("/")[0] for each in data.ids]  # type: ignore[attr-defined]
    assert data.source is not None
    assert data.source.tolist() == [each.split("/")[0] for each in data.ids]


def test_ink_is_white_and_the_first_archive_counts(folder: Path) -> None:
    pixels = omniglot.load(folder).columns["image"].pixels  # type: ignore[attr-defined]
    assert pixels.shape == (14, 1, 4, 4)
    assert set(np.unique(pixels)) == {0, 255}
    assert [(each == 255).sum() for each in pixels[:3]] == [2, 3, 4]  # not 10, 11 of the second archive


def test_the_runs_say_which_character_each_query_is(folder: Path) -> None:
    runs = omniglot.one_shot_runs(folder)
    assert [(run.name, run.answers.tolist()) for run in runs] == [("run01", [1, 0, 2]), ("run02", [2, 1, 0])]
    for run in runs:
        assert run.known.shape == run.queries.shape == (3, 1, 4, 4)
        assert (run.known[run.answers] == run.queries).all()


def test_archives_that_are_missing_damaged_or_others_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        omniglot.load(folder / "nowhere")
    (folder / omniglot.RUNS).write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        omniglot.one_shot_runs(folder)
    for name in omniglot.BACKGROUND:
        pack(folder / name, {"else.png": drawing(1)})
    with pytest.raises(DataError, match="no characters"):
        omniglot.load(folder)
