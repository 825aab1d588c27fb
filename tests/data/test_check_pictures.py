"""Checking picture files: a folder with one of each defect, and every one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orthogon.data.check import Report, check, check_folder, check_source, inspect_files
from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.duplicates import near_duplicates, thumbnails
from orthogon.data.passport import Passport


def photograph(seed: int, height: int = 48, width: int = 64) -> Image.Image:
    """A smooth picture of many colors, as photographs are, without a black edge."""
    coarse = np.random.default_rng(seed).integers(40, 250, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(1).save(path, exif=exif)


def cut(path: Path, image: Image.Image, share: float, **options: Any) -> None:
    image.save(path, **options)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    glass, metal = tmp_path / "glass", tmp_path / "metal"
    glass.mkdir()
    metal.mkdir()
    for seed in range(10, 14):
        photograph(seed).save(glass / f"good{seed}.jpg", quality=92)
        photograph(seed + 10).save(metal / f"good{seed + 10}.png")
    (glass / "text.jpg").write_text("not a picture")
    cut(glass / "cut.jpg", photograph(2, 400, 400), 0.5, quality=95)
    cut(glass / "cut.png", photograph(3, 300, 300), 0.5)
    cut(glass / "cut.webp", photograph(4, 300, 300), 0.5, quality=95)
    (glass / "empty.png").touch()
    rotated(glass / "turned.jpg")
    photograph(5).convert("CMYK").save(glass / "print.jpg")
    Image.fromarray(np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)).save(metal / "deep.png")
    photograph(6).save(metal / "moving.webp", save_all=True, append_images=[photograph(7)])
    photograph(8, 5, 6).save(metal / "tiny.png")
    Image.new("L", (5001, 5000), 128).save(metal / "huge.png")
    photograph(9).save(metal / "really.png", format="JPEG")
    photograph(31).save(metal / "hidden.jpg", format="GIF")
    photograph(32).save(metal / "other.bmp")
    (metal / "good20.jpg").write_bytes((glass / "good10.jpg").read_bytes())
    photograph(33, 300, 400).save(glass / "large.jpg", quality=95)
    photograph(33, 300, 400).resize((200, 150)).save(metal / "near.jpg", quality=40)
    (tmp_path / "notes.txt").write_text("taken in spring")
    (tmp_path / ".hidden.jpg").touch()
    return tmp_path


EXPECTED = {
    ("glass/text.jpg", "unreadable-image", "error"),
    ("glass/cut.jpg", "truncated-image", "error"),
    ("glass/cut.png", "truncated-image", "error"),
    ("glass/cut.webp", "truncated-image", "error"),
    ("glass/empty.png", "empty-file", "error"),
    ("glass/turned.jpg", "rotated-image", "note"),
    ("glass/print.jpg", "cmyk-image", "warning"),
    ("metal/deep.png", "16-bit-image", "warning"),
    ("metal/moving.webp", "animated-image", "warning"),
    ("metal/tiny.png", "tiny-image", "warning"),
    ("metal/huge.png", "huge-image", "error"),
    ("metal/really.png", "wrong-extension", "note"),
    ("metal/hidden.jpg", "wrong-extension", "error"),
    ("metal/other.bmp", "unsupported-format", "warning"),
    ("notes.txt", "other-files", "note"),
}


def test_a_folder_with_one_of_each_defect_has_every_one_named(folder: Path) -> None:
    found = check_folder(folder)
    assert {(finding.where, finding.kind, finding.severity) for finding in found} == EXPECTED
    assert all(finding.remedy or finding.kind == "other-files" for finding in found)
    assert Report.of(found).exit_code == 1


def test_truncated_files_say_how_far_they_go(folder: Path) -> None:
    found = {finding.where: finding for finding in check_folder(folder) if finding.kind == "truncated-image"}
    for name in ("glass/cut.jpg", "glass/cut.png", "glass/cut.webp"):
        assert found[name].what.startswith("truncated after ")
        assert 30 <= int(str(found[name].value).split()[0]) <= 70


def test_a_truncated_progressive_picture_has_no_share(tmp_path: Path) -> None:
    cut(tmp_path / "a.jpg", photograph(1, 300, 300), 0.5, quality=95, progressive=True)
    (finding,) = inspect_files([tmp_path / "a.jpg"])
    assert finding.kind == "truncated-image"
    assert "%" not in finding.what


def test_files_that_cannot_be_opened_are_findings(tmp_path: Path) -> None:
    (finding,) = inspect_files([tmp_path / "gone.jpg"], ["gone.jpg"])
    assert (finding.where, finding.severity) == ("gone.jpg", "error")


def as_dataset(folder: Path) -> Dataset:
    paths = sorted(path for path in folder.rglob("*.*") if path.parent != folder and path.suffix != ".bmp")
    ids = [path.relative_to(folder).as_posix() for path in paths]
    columns = {
        "image": ImageColumn(None, paths, np.tile([48, 64], (len(paths), 1)), 3),
        "label": CategoryColumn.from_values([path.parent.name for path in paths]),
    }
    return Dataset("photos", columns, "label", np.array(ids))


def test_a_data_set_of_files_names_the_same_and_its_duplicates(folder: Path) -> None:
    data = as_dataset(folder)
    report = check(data)
    files = {entry for entry in EXPECTED if entry[1] not in ("unsupported-format", "other-files")}
    found = {(finding.where, finding.kind, finding.severity) for finding in report}
    assert files <= found
    assert ("glass/good10.jpg = metal/good20.jpg", "duplicate-two-labels", "warning") in found
    assert ("glass/large.jpg ≈ metal/near.jpg", "near-duplicate-two-labels", "warning") in found
    assert len([finding for finding in report if "duplicate" in finding.kind]) == 2
    truncated = next(finding for finding in report if finding.where == "glass/cut.jpg")
    assert (truncated.column, data.ids[truncated.row or 0]) == ("image", "glass/cut.jpg")


def test_a_folder_is_read_and_checked_and_each_defect_named_once(folder: Path) -> None:
    report = check_source(folder)
    found = [(finding.where, finding.kind, finding.severity) for finding in report]
    files = {entry for entry in EXPECTED if entry[1] != "other-files"}
    assert files <= set(found)
    assert len(found) == len(set(found)) == len(files) + 3  # with two pairs, and the note on other files
    truncated = {finding.where: finding.what for finding in report if finding.kind == "truncated-image"}
    assert all(what.startswith("truncated after ") for what in truncated.values())
    assert report.exit_code == 1


def test_a_folder_that_cannot_be_read_at_all_names_why(tmp_path: Path) -> None:
    (tmp_path / "glass").mkdir()
    (tmp_path / "glass" / "text.jpg").write_text("not a picture")
    report = check_source(tmp_path)
    assert {finding.kind for finding in report.errors} == {"unreadable-data", "unreadable-image"}


def test_what_reading_already_refused_is_named_once(folder: Path) -> None:
    read = Finding("unreadable-image", "error", "damaged header", where="glass/cut.jpg")
    report = Report.of([read]) + check_folder(folder)
    assert [finding.kind for finding in report if finding.where == "glass/cut.jpg"] == ["truncated-image"]


def arrays(n: int = 40, side: int = 12) -> np.ndarray:
    return np.stack([np.asarray(photograph(seed, side, side).convert("L"))[None] for seed in range(n)])


def labelled(pixels: np.ndarray, **more: Any) -> Dataset:
    n = len(pixels)
    columns = {"image": ImageColumn(pixels), "label": CategoryColumn(np.arange(n) % 2, ["even", "odd"])}
    return Dataset("arrays", columns, "label", np.array([f"{row:03}" for row in range(n)]), **more)


def test_arrays_have_duplicates_on_two_sides_of_a_split_found() -> None:
    pixels = arrays()
    pixels[21] = pixels[3]
    pixels[30] = np.clip(pixels[6].astype(int) + 5, 0, 255)  # brighter: the same label, the other side
    data = labelled(pixels)
    assert {finding.kind for finding in check(data)} == {"duplicate", "near-duplicate"}
    passport = Passport.of(data, {"train": np.arange(20), "test": np.arange(20, 40)}, seed=0, method={})
    found = {(finding.kind, finding.where, finding.value) for finding in check(data, passport)}
    assert found == {
        ("duplicate-across-sets", "003 = 021", "train / test"),
        ("near-duplicate-across-sets", "006 ≈ 030", "train / test"),
    }
    part = np.array(["train"] * 20 + ["test"] * 20)
    assert check(labelled(pixels, part=part)).kinds() == {"duplicate-across-sets": 1, "near-duplicate-across-sets": 1}


def test_small_pictures_that_only_resemble_each_other_raise_no_alarm() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images * 15.9375).astype(np.uint8)[:, None]  # type: ignore[attr-defined]
    columns = {"image": ImageColumn(pixels), "label": CategoryColumn(digits.target, list("0123456789"))}  # type: ignore[attr-defined]
    data = Dataset("digits", columns, "label", np.arange(len(pixels)).astype(str))
    assert check(data).findings == ()


def test_near_duplicates_agree_with_all_pairs() -> None:
    pixels = arrays(60)
    pixels[40:50] = np.clip(pixels[:10] * 0.9, 0, 255)
    rows = np.arange(60)
    flat = thumbnails(pixels).reshape(60, -1)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    expected = [[a, b] for a in range(60) for b in range(a + 1, 60) if distance[a, b] < 0.05]
    assert [[row, row + 40] for row in range(10)] == expected
    assert near_duplicates(thumbnails(pixels), rows).tolist() == expected


def test_flat_pictures_are_not_near_duplicates() -> None:
    pixels = np.stack([np.full((1, 20, 20), level, dtype=np.uint8) for level in range(0, 100, 10)])
    assert len(near_duplicates(thumbnails(pixels), np.arange(10))) == 0


def test_thumbnails_average_areas() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 48, 32), dtype=np.uint8)
    grey = pixels.mean(axis=1)
    np.testing.assert_allclose(
        thumbnails(pixels), grey.reshape(3, 16, 3, 16, 2).mean(axis=(2, 4)), rtol=1e-5
    )
    whole = thumbnails(pixels[:, :, :20, :9])
    assert whole.shape == (3, 16, 9)
    np.testing.assert_allclose(whole.mean(axis=(1, 2)), grey[:, :20, :9].mean(axis=(1, 2)), rtol=1e-5)
