"""Decoding of every sort of picture, resizing, and the cache that notices changed files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogon.data import pictures
from orthogon.data.columns import ImageColumn
from orthogon.data.pictures import PictureError, decode, materialize, network_size, read_header, resize
from orthogon.errors import DataError


def column_of(files: list[Path], channels: int = 3) -> ImageColumn:
    headers = [read_header(path) for path in files]
    return ImageColumn(None, files, np.array([(h.height, h.width) for h in headers]), channels)


def gradient(width: int, height: int) -> np.ndarray:
    across = np.linspace(0, 255, width)[None, :, None].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None, None].repeat(width, 1)
    return np.concatenate([across, down, 255 - across], axis=2).astype(np.uint8)


def test_modes_become_grey_or_rgb(tmp_path):
    rgb = gradient(16, 12)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    np.testing.assert_array_equal(decode(tmp_path / "rgb.png", 3), rgb)
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    np.testing.assert_array_equal(decode(tmp_path / "rgb.png", 1)[:, :, 0], grey)
    deep = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert decode(tmp_path / "deep.png", 1).ravel().tolist() == [0, 1, 128, 255]
    assert read_header(tmp_path / "deep.png").grey
    half = np.zeros((1, 2, 4), dtype=np.uint8)
    half[0, 0, 3], half[0, 1] = 0, (200, 0, 0, 51)
    Image.fromarray(half).save(tmp_path / "alpha.png")
    assert decode(tmp_path / "alpha.png", 3).tolist() == [[[255, 255, 255], [244, 204, 204]]]
    palette = Image.fromarray(rgb).quantize(4)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(decode(tmp_path / "palette.png", 3), np.asarray(palette.convert("RGB")))
    palette.save(tmp_path / "clear.png", transparency=palette.getpixel((0, 0)))
    assert decode(tmp_path / "clear.png", 3)[0, 0].tolist() == [255, 255, 255]
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    red = decode(tmp_path / "cmyk.jpg", 3)[4, 4]
    assert red[0] > 200
    assert red[1:].max() < 60
    Image.fromarray(rgb[:, :, 0] > 99).save(tmp_path / "bits.png")
    assert set(np.unique(decode(tmp_path / "bits.png", 1))) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(gradient(64, 32))
    image.save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    turned = decode(tmp_path / "a.jpg", 3)
    header = read_header(tmp_path / "a.jpg")
    assert (header.height, header.width) == turned.shape[:2] == ((64, 32) if orientation > 4 else (32, 64))
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    methods = {0: "FLIP_LEFT_RIGHT", 1: "FLIP_TOP_BOTTOM", 2: "ROTATE_90", 3: "ROTATE_180", 4: "ROTATE_270",
               5: "TRANSPOSE", 6: "TRANSVERSE"}
    upright = image if orientation == 1 else image.transpose(Image.Transpose[methods[turns[orientation]]])
    assert np.abs(turned.astype(int) - np.asarray(upright)).mean() < 3


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (255, 0)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert read_header(tmp_path / "a.webp").frames == 2
    assert decode(tmp_path / "a.webp", 3)[0, 0].tolist() == [255, 0, 0]


def test_only_allowed_formats_and_sizes(tmp_path, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    with pytest.raises(PictureError, match="not a readable JPEG, PNG or WEBP"):
        decode(tmp_path / "a.png", 3)
    Image.new("RGB", (80, 80)).save(tmp_path / "b.png")
    monkeypatch.setattr("orthogon.data.picture_files.MOST_PIXELS", 6399)
    with pytest.raises(PictureError, match="6,400 pixels"):
        decode(tmp_path / "b.png", 3)
    with pytest.raises(PictureError, match="no such file"):
        read_header(tmp_path / "c.png")


def test_a_hint_decodes_jpegs_smaller_but_large_enough(tmp_path):
    Image.fromarray(gradient(800, 400)).save(tmp_path / "a.jpg")
    small = decode(tmp_path / "a.jpg", 3, hint=(32, 32))
    assert small.shape[0] < 400
    assert small.shape[0] >= 64
    quick, slow = resize(small, (32, 32)), resize(decode(tmp_path / "a.jpg", 3), (32, 32))
    assert np.abs(quick.astype(int) - slow).mean() < 2


def test_fits():
    wide = np.zeros((10, 30, 1), dtype=np.uint8)
    wide[:, 10:20] = 255
    assert resize(wide, (10, 10), "crop").min() == 255
    boxed = resize(wide, (30, 30), "letterbox")[:, :, 0]
    assert boxed[:10].max() == 0
    assert boxed[20:].max() == 0
    np.testing.assert_array_equal(boxed[10:20], wide[:, :, 0])
    stretched = resize(wide, (10, 10), "stretch")[:, :, 0]
    assert stretched[5, 5] == 255
    assert stretched[5, 0] == 0
    assert resize(wide, (10, 30)) is wide
    flat = np.full((40, 24, 3), 77, dtype=np.uint8)
    for fit in ("crop", "stretch"):
        assert (resize(flat, (16, 16), fit) == 77).all()


def test_network_size():
    small = ImageColumn(np.zeros((2, 1, 28, 20), np.uint8))
    assert network_size(small) == (28, 20)
    assert network_size(small, 32) == (32, 32)
    mixed = ImageColumn(None, [Path("a"), Path("b")], np.array([[28, 28], [28, 30]]))
    assert network_size(mixed) == (64, 64)
    assert network_size(ImageColumn(None, [Path("a")], np.array([[65, 10]])), 48) == (48, 48)


def test_arrays_are_given_as_they_are_or_resized():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), np.uint8)
    column = ImageColumn(pixels)
    assert materialize(column, (8, 8)) is pixels
    assert materialize(column, (16, 12)).shape == (3, 3, 16, 12)
    grey = materialize(column, (8, 8), channels=1)
    expected = np.asarray(Image.fromarray(pixels[1].transpose(1, 2, 0)).convert("L"))
    assert np.abs(grey[1, 0].astype(int) - expected).max() <= 1
    assert (materialize(ImageColumn(grey), (8, 8), channels=3) == grey).all()
    with pytest.raises(DataError, match="squeeze"):
        materialize(column, (8, 8), "squeeze")


@pytest.fixture
def files(tmp_path) -> list[Path]:
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((20, 30 + i, 3), 40 * i, np.uint8)).save(path)
    return paths


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the files that were decoded, in order."""
    names: list[str] = []
    original = pictures._decoded

    def spy(path, size, fit, channels):
        names.append(path.name)
        return original(path, size, fit, channels)

    monkeypatch.setattr(pictures, "_decoded", spy)
    return names


def test_each_file_is_decoded_once(files, decoded, tmp_path):
    cache = tmp_path / "cache"
    first = materialize(column_of(files), (10, 10), cache_dir=cache)
    assert first.shape == (6, 3, 10, 10)
    assert [int(picture.mean()) for picture in first] == [40 * i for i in range(6)]
    assert sorted(decoded) == [path.name for path in files]
    again = materialize(column_of(files[::-1]), (10, 10), cache_dir=cache)
    np.testing.assert_array_equal(again, first[::-1])
    np.testing.assert_array_equal(materialize(column_of(files[2:4]), (10, 10), cache_dir=cache), first[2:4])
    assert len(decoded) == 6
    materialize(column_of(files), (10, 10), "stretch", cache_dir=cache)
    assert len(decoded) == 12
    assert not list(cache.rglob("*.part"))


def test_a_changed_file_alone_is_decoded_again(files, decoded, tmp_path):
    cache = tmp_path / "cache"
    materialize(column_of(files), (10, 10), cache_dir=cache)
    decoded.clear()
    before = files[2].stat()
    Image.fromarray(np.full((20, 32, 3), 250, np.uint8)).save(files[2])
    os.utime(files[2], ns=(before.st_atime_ns, before.st_mtime_ns))  # even with its old date
    changed = materialize(column_of(files), (10, 10), cache_dir=cache)
    assert decoded == ["2.png"]
    assert [int(picture.mean()) for picture in changed] == [0, 40, 250, 120, 160, 200]
    files[2].touch()
    materialize(column_of(files), (10, 10), cache_dir=cache)
    assert decoded == ["2.png"]  # another date, the same content


def test_copies_share_an_entry(files, decoded, tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(files[3].read_bytes())
    out = materialize(column_of([files[3], copy, files[4]]), (10, 10), cache_dir=tmp_path / "cache")
    assert sorted(decoded) == ["3.png", "4.png"]
    np.testing.assert_array_equal(out[0], out[1])


def test_beyond_memory_it_is_a_map(files, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    whole = materialize(column_of(files), (10, 10), cache_dir=cache)
    monkeypatch.setattr(pictures, "_IN_MEMORY", 100)
    mapped = materialize(column_of(files), (10, 10), cache_dir=cache)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, whole)
    packs = len(list(cache.rglob("*.npy")))
    turned = materialize(column_of(files[::-1]), (10, 10), cache_dir=cache)
    np.testing.assert_array_equal(turned, whole[::-1])
    assert len(list(cache.rglob("*.npy"))) == packs + 1


def test_damaged_cache_files_are_passed_over(files, decoded, tmp_path):
    cache = tmp_path / "cache"
    first = materialize(column_of(files), (10, 10), cache_dir=cache)
    for path in cache.rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:500])
    for path in cache.rglob("*.json"):
        path.write_text("{broken")
    decoded.clear()
    np.testing.assert_array_equal(materialize(column_of(files), (10, 10), cache_dir=cache), first)
    assert len(decoded) == 6


def test_bad_pictures_are_named_or_listed(files, tmp_path):
    column = column_of(files)
    data = bytearray(files[1].read_bytes())
    data[len(data) // 2 :] = b"\0" * (len(data) - len(data) // 2)
    files[1].write_bytes(bytes(data))
    files[4].unlink()
    with pytest.raises(DataError, match=r"2 pictures") as caught:
        materialize(column, (10, 10), cache_dir=tmp_path / "cache")
    assert "1.png" in str(caught.value)
    assert "4.png" in str(caught.value)
    bad = []
    out = materialize(column, (10, 10), cache_dir=tmp_path / "cache", bad=bad)
    assert [finding.row for finding in bad] == [1, 4]
    assert out[1].max() == 0
    assert out[5].mean() == 200
