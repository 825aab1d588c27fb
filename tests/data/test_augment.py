"""Augmentation of pictures against flips, shifts and quarter turns done by hand, and against SciPy's affine map."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from orthogon.data import augment
from orthogon.data.augment import Augmentation
from orthogon.train.randomness import Draw

RAMP = torch.arange(16, dtype=torch.uint8).view(1, 1, 1, 16).expand(64, 2, 16, 16).contiguous()
EVERY = ("flip", "shift", "rotate", "scale", "shear")


def drawn(epoch: int = 1) -> torch.Generator:
    return Draw(0, epoch, 2, torch.device("cpu")).generator("augment")


def test_a_picture_is_flipped_left_to_right_with_probability_one_half():
    flipped = Augmentation(("flip",))(RAMP, drawn())
    turned = flipped[:, 0, 0, 0] == 15
    assert 20 < turned.sum() < 44
    assert torch.equal(flipped[turned], RAMP[turned].flip(3))
    assert torch.equal(flipped[~turned], RAMP[~turned])


@pytest.mark.parametrize(("border", "beyond"), [("edge", lambda x: np.clip(x, 0, 15)),
                                                ("black", lambda x: np.where((x < 0) | (x > 15), 0, x))])
def test_a_picture_is_moved_by_whole_pixels_up_to_an_eighth_of_its_side(border, beyond):
    moved = Augmentation(("shift",), border=border)(RAMP, drawn())
    steps = moved[:, 0, 8, 8].int() - 8
    assert set(steps.tolist()) == {-2, -1, 0, 1, 2}
    for picture, step in zip(moved, steps.tolist()):
        assert picture[1, 8].tolist() == beyond(np.arange(16) + step).tolist()


def test_down_and_across_are_drawn_apart_and_strength_multiplies_them():
    pictures = RAMP + 16 * torch.arange(16, dtype=torch.uint8).view(1, 1, 16, 1)
    middle = Augmentation(("shift",), strength=2.0)(pictures, drawn())[:, 0, 8, 8].int()
    across, down = middle % 16 - 8, middle // 16 - 8
    assert set(across.tolist()) == set(down.tolist()) == set(range(-4, 5))
    assert not torch.equal(across, down)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_at_strength_0_the_pictures_are_as_they_were(dtype):
    pictures = torch.rand(4, 3, 9, 7).mul(255).to(dtype)
    still = Augmentation(EVERY, strength=0.0)
    assert not still
    assert torch.equal(still(pictures, drawn()), pictures)
    assert torch.equal(Augmentation()(pictures, drawn()), pictures)


def test_a_quarter_turn_is_the_picture_turned(monkeypatch):
    monkeypatch.setattr(augment, "ROTATE", math.pi / 2)
    monkeypatch.setattr(torch, "rand", lambda count, **_: torch.ones(count))
    picture = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    turned = Augmentation(("rotate",))(picture, drawn())
    assert torch.equal(turned, picture.rot90(1, (2, 3))) or torch.equal(turned, picture.rot90(-1, (2, 3)))


def test_all_ways_together_are_scipys_affine_map_on_a_picture_that_is_no_square():
    """Angles are those of pixels: a turn of a wide picture does not shear it."""
    pictures = torch.rand(8, 1, 12, 20, dtype=torch.float64)
    changed = Augmentation(EVERY, border="black")(pictures, drawn())
    maps = Augmentation(EVERY).maps(8, 12, 20, drawn()).double().numpy()
    half = np.array([6.0, 10.0])  # rows first, as SciPy counts
    for picture, found, affine in zip(pictures, changed, maps):
        matrix = affine[::-1, 1::-1] * (half[:, None] / half[None, :])
        middle = half - 0.5
        offset = middle + affine[::-1, 2] * half - matrix @ middle
        expected = affine_transform(picture[0].numpy(), matrix, offset, order=1, mode="grid-constant")
        np.testing.assert_allclose(found[0], expected, atol=1e-5)
        assert 1 / 1.21 < np.sqrt(abs(np.linalg.det(matrix))) < 1.21


@pytest.mark.parametrize(("way", "most"), [("rotate", 30.0), ("scale", 1.2), ("shear", 0.2)])
def test_the_largest_change_of_each_way_is_reached_and_never_passed(way, most):
    maps = Augmentation((way,)).maps(4000, 10, 10, drawn()).numpy()[:, :, :2]
    sizes = {
        "rotate": np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0])), "shear": maps[:, 0, 1],
        "scale": np.sqrt(1 / np.linalg.det(maps)),
    }[way]
    assert most * 0.99 < sizes.max() <= most * 1.00001
    least = 1 / most if way == "scale" else -most
    assert sizes.min() == pytest.approx(least, rel=0.01)


def test_the_same_draw_gives_the_same_pictures_and_another_epoch_others():
    chosen = Augmentation(EVERY)
    first, again, other = chosen(RAMP, drawn()), chosen(RAMP, drawn()), chosen(RAMP, drawn(epoch=2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({tuple(picture.flatten().tolist()) for picture in first}) > 60


def test_uint8_stays_uint8_and_is_rounded_float_stays_float():
    whole = Augmentation(("rotate", "scale"))
    bytes_, floats = whole(RAMP, drawn()), whole(RAMP.float(), drawn())
    assert bytes_.dtype == torch.uint8
    assert floats.dtype == torch.float32
    assert torch.equal(bytes_, floats.round().to(torch.uint8))
    assert not torch.equal(floats, floats.round())
