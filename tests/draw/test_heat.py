"""Heat over pictures, and sheets of patches."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.draw.heat import SLATE, enlarged, overlay, patch_sheet

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def test_small_pictures_are_enlarged_by_a_whole_factor_with_sharp_pixels() -> None:
    found = enlarged(GREY, 30)
    assert np.array_equal(found, np.repeat(np.repeat(GREY, 3, 0), 3, 1)[..., None].repeat(3, 2))


def test_large_pictures_are_shrunk_with_their_proportions() -> None:
    assert enlarged(np.zeros((300, 400, 3), np.uint8), 160).shape == (120, 160, 3)


def test_without_heat_the_picture_is_grey_as_it_is() -> None:
    colored = np.zeros((4, 4, 3), np.uint8)
    colored[..., 0] = 200
    found = overlay(colored, np.zeros((2, 2)), 4)
    assert np.array_equal(found, np.full((4, 4, 3), found[0, 0, 0]))
    assert 50 < found[0, 0, 0] < 70


def test_the_hottest_place_is_yellow_and_the_cold_side_stays_grey() -> None:
    heat = np.zeros((6, 8))
    heat[:, :3] = 1.0
    found = overlay(GREY, heat, 8).astype(int)
    assert (found[:, 0, 0] > found[:, 0, 2] + 60).all()
    assert (found[:, 0, 1] > found[:, 0, 2] + 60).all()
    assert np.array_equal(found[:, 7], GREY[:, 7:].repeat(3, 1))


def test_heat_of_any_size_is_stretched_over_the_picture() -> None:
    found = overlay(np.full((40, 40), 128, np.uint8), np.array([[0.0, 1.0]]), 40).astype(int)
    warmth = found[20, :, 0] - found[20, :, 2]
    assert warmth[0] == 0
    assert warmth[-1] > 60
    assert (np.abs(np.diff(found[20, :, 0])) < 40).all()


def test_nine_patches_stand_in_a_block_of_three_by_three() -> None:
    patches = [np.full((5, 5, 1), 20 * k, np.uint8) for k in range(9)]
    found = patch_sheet(patches, (5, 5), cell=10)
    assert found.shape == (38, 38, 3)
    for k in range(9):
        top, left = k // 3 * 14, k % 3 * 14
        assert (found[top : top + 10, left : left + 10] == 20 * k).all()
    assert (found[10:14] == SLATE).all()
    assert (found[:, 10:14] == SLATE).all()


@pytest.mark.parametrize(("shape", "covered"), [((4, 2, 1), 10 * 5), ((2, 4, 3), 5 * 10), ((1, 1, 1), 9)])
def test_a_patch_cut_off_at_a_border_keeps_the_scale_of_the_others(shape: tuple[int, ...], covered: int) -> None:
    found = patch_sheet([np.full(shape, 255, np.uint8)], (4, 4), cell=10)
    assert found.shape == (10, 38, 3)
    assert int((found == 255).all(axis=2).sum()) == pytest.approx(covered, abs=5)


def test_patches_of_another_shape_fill_cells_of_that_shape() -> None:
    assert patch_sheet([np.zeros((10, 20, 3), np.uint8)] * 4, (10, 20), cell=40).shape == (44, 128, 3)
