"""Boxes, points and masks follow the picture: what is drawn into it is found where they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.warp import CELLS, CONTROLS, displacement, displacement_at, spline_weights

SIZE = (96, 128)
WAYS = [("flip",), ("shift",), ("flip", "shift"), ("rotate",), ("shear", "scale"), ("crop",), ("warp",),
        ("flip", "crop", "shift", "rotate", "shear", "scale", "warp")]
BOXES = torch.tensor([[40.0, 30.0, 70.0, 60.0], [62.0, 44.0, 90.0, 70.0], [50.0, 36.0, 60.0, 66.0]])


def drawn(*ways, count=3, strength=0.5, border="black") -> Changes:
    generator = torch.Generator().manual_seed(sum(map(len, ways)))
    return Augmentation(ways, strength, border).draw(count, *SIZE, generator)


def places() -> tuple[Tensor, Tensor]:
    """x and y of the middles of pixels, each H×W."""
    y, x = torch.meshgrid(*(torch.arange(side) + 0.5 for side in SIZE), indexing="ij")
    return x, y


def filled(boxes: Tensor) -> Tensor:
    """N×1×H×W: 255 within the box of the picture."""
    x, y = places()
    left, top, right, bottom = boxes.view(-1, 4, 1, 1).unbind(1)
    return (((left <= x) & (x < right) & (top <= y) & (y < bottom)) * 255).float().unsqueeze(1)


def around(pictures: Tensor) -> Tensor:
    """The box around what is brighter than a half."""
    found = []
    for picture in pictures[:, 0] > 127:
        rows, columns = (picture.any(axis).nonzero() for axis in (1, 0))
        found.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return torch.tensor(found).float()


@pytest.mark.parametrize("ways", WAYS)
def test_a_box_goes_where_the_rectangle_goes_that_is_drawn_in_it(ways):
    changes = drawn(*ways)
    moved = changes.boxes(BOXES)
    np.testing.assert_allclose(moved.boxes, around(changes.pictures(filled(BOXES))), atol=1.5)
    several = changes.boxes(BOXES.unsqueeze(1).expand(-1, 2, -1))
    assert torch.equal(several.boxes[:, 1], moved.boxes)
    assert torch.equal(several.visible[:, 1], moved.visible)


def test_a_tight_box_is_that_of_the_turned_ellipse_and_the_other_one_of_the_turned_rectangle():
    x, y = places()
    left, top, right, bottom = BOXES.view(-1, 4, 1, 1).unbind(1)
    inside = ((2 * x - left - right) / (right - left)) ** 2 + ((2 * y - top - bottom) / (bottom - top)) ** 2 <= 1
    ellipses = (inside * 255).float().unsqueeze(1)
    changes = drawn("rotate", strength=1.0)
    tight, loose = changes.boxes(BOXES, tight=True).boxes, changes.boxes(BOXES).boxes
    np.testing.assert_allclose(tight, around(changes.pictures(ellipses)), atol=1.5)
    assert (tight[:, :2] >= loose[:, :2] - 1e-4).all()
    assert (tight[:, 2:] <= loose[:, 2:] + 1e-4).all()
    area = (tight[:, 2:] - tight[:, :2]).prod(1)
    assert (area < 0.97 * (loose[:, 2:] - loose[:, :2]).prod(1)).any()
    unmoved = drawn("flip", strength=0.0).boxes(BOXES, tight=True)
    assert torch.equal(unmoved.boxes, BOXES)


@pytest.mark.parametrize("ways", WAYS)
def test_a_tight_box_holds_the_points_that_lay_in_it_and_no_others(ways):
    changes = drawn(*ways)
    corners = torch.stack([BOXES[:, :2], BOXES[:, 2:], BOXES[:, :2] - 20, torch.full((3, 2), torch.nan)], dim=1)
    bare, held = changes.boxes(BOXES, tight=True).boxes, changes.boxes(BOXES, tight=True, points=corners)
    height, width = SIZE
    there = changes.points(corners)[:, :2].clamp(min=0).minimum(torch.tensor([width, height]))
    assert (held.boxes[:, None, :2] <= there + 1e-4).all()
    assert (held.boxes[:, None, 2:] >= there - 1e-4).all()
    lowest, highest = there.amin(1), there.amax(1)  # no larger than it must be
    torch.testing.assert_close(held.boxes[:, :2], torch.minimum(bare[:, :2], lowest))
    torch.testing.assert_close(held.boxes[:, 2:], torch.maximum(bare[:, 2:], highest))
    assert ((held.visible > 0) & (held.visible <= 1 + 1e-6)).all()


@pytest.mark.parametrize("ways", WAYS)
def test_a_point_goes_where_the_blob_goes_that_is_drawn_at_it(ways):
    points = torch.tensor([[[50.0, 40.0], [64.0, 48.0]], [[80.0, 60.5], [70.0, 50.0]], [[60.5, 61.0], [52.5, 45.0]]])
    x, y = places()
    changes = drawn(*ways)
    moved = changes.points(points)
    for k in range(2):
        at = points[:, k].view(-1, 2, 1, 1)
        blob = 255 * torch.exp(-((x - at[:, 0]) ** 2 + (y - at[:, 1]) ** 2) / 18).unsqueeze(1)
        seen = changes.pictures(blob)[:, 0]
        middle = torch.stack([(seen * axis).sum((1, 2)) / seen.sum((1, 2)) for axis in (x, y)], dim=1)
        np.testing.assert_allclose(moved[:, k], middle, atol=0.6)


def test_a_point_that_is_moved_there_and_looked_up_again_is_the_same_point():
    """The warp is undone to a hundredth of a pixel: the map of the pictures brings moved points back."""
    changes = drawn("warp", "rotate", "scale", strength=1.0, count=200)
    points = torch.rand(200, 6, 2, dtype=torch.float64) * torch.tensor([64.0, 48.0]) + torch.tensor([32.0, 24.0])
    moved = changes.points(points)
    maps, offsets = changes.maps.double(), changes.offsets.double()
    back = moved @ maps[:, :, :2].mT + maps[:, :, 2].unsqueeze(1) + displacement_at(offsets, moved, *SIZE)
    assert (back - points).abs().max() < 0.01


def test_points_of_left_and_right_keep_their_order_in_a_mirrored_picture():
    changes = drawn("flip", count=40, strength=1.0)
    points = torch.tensor([[30.0, 20.0], [90.0, 22.0], [60.0, 50.0]]).expand(40, 3, 2)
    moved = changes.points(points, mirrored=(1, 0, 2))
    assert changes.mirrored.any()
    assert (~changes.mirrored).any()
    assert torch.equal(moved[~changes.mirrored], points[~changes.mirrored])
    expected = torch.tensor([[128 - 90.0, 22.0], [128 - 30.0, 20.0], [128 - 60.0, 50.0]])
    torch.testing.assert_close(moved[changes.mirrored], expected.expand(int(changes.mirrored.sum()), 3, 2))
    assert (moved[:, 0, 0] < moved[:, 1, 0]).all()


@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("border", ["black", "edge"])
def test_a_mask_has_the_code_of_what_the_picture_shows_and_is_ignored_beyond_the_edge(ways, border):
    changes = drawn(*ways, border=border)
    mask = (filled(BOXES)[:, 0] > 0).to(torch.uint8) * 3
    moved = changes.masks(mask)
    assert moved.dtype == torch.uint8
    assert set(moved.unique().tolist()) <= {0, 3, 255}
    shown = changes.pictures(filled(BOXES))[:, 0]
    sure = ((shown < 1) | (shown > 254)) & (moved != 255)
    assert torch.equal((shown > 127)[sure], (moved == 3)[sure])
    there = drawn(*ways).pictures(torch.full((3, 1, *SIZE), 255.0))[:, 0]
    assert (moved[there < 1] == 255).all()
    assert (moved[there > 254] != 255).all()


def test_of_a_box_that_leaves_the_picture_the_visible_share_is_told():
    maps = torch.tensor([[1.0, 0, 50], [0, 1, 0]]).repeat(3, 1, 1)
    changes = Changes(SIZE, maps=maps, reach=50)
    boxes = torch.tensor([[40.0, 10, 60, 20], [60, 10, 80, 20], [0, 0, 10, 10]])
    moved = changes.boxes(boxes)
    torch.testing.assert_close(moved.visible, torch.tensor([0.5, 1.0, 0.0]))
    torch.testing.assert_close(moved.boxes[:2], torch.tensor([[0.0, 10, 10, 20], [10, 10, 30, 20]]))


@pytest.mark.parametrize("ways", [("rotate",), ("color",)])
def test_where_there_is_no_box_there_is_none_afterwards(ways):
    none = torch.full((3, 4), torch.nan)
    none[1] = BOXES[1]
    moved = drawn(*ways).boxes(none)
    assert moved.boxes.isnan().all(1).tolist() == moved.visible.isnan().tolist() == [True, False, True]
    assert moved.visible[1] == pytest.approx(1)


def test_ways_that_move_nothing_leave_what_lies_on_the_picture_as_it_is():
    changes = drawn("color", "erase", "noise")
    mask = (filled(BOXES)[:, 0] > 0).long()
    assert torch.equal(changes.boxes(BOXES).boxes, BOXES)
    assert torch.equal(changes.points(BOXES.view(3, 2, 2)), BOXES.view(3, 2, 2))
    assert torch.equal(changes.masks(mask), mask)


# --- warp (row 19.05) -------------------------------------------------------------------------------------------


def test_the_splines_are_scipys():
    from scipy.interpolate import BSpline

    places = np.linspace(0, 1, 41)
    knots = (np.arange(CONTROLS + 4) - 3) / CELLS
    expected = BSpline.design_matrix(np.clip(places, 0, 1 - 1e-12), knots, 3).toarray()
    np.testing.assert_allclose(spline_weights(torch.from_numpy(places)), expected, atol=1e-9)
    beyond = spline_weights(torch.tensor([-0.5, 1.5]))
    torch.testing.assert_close(beyond, spline_weights(torch.tensor([0.0, 1.0])))


def test_the_displacement_of_pixels_and_that_of_points_are_one():
    offsets = torch.randn(2, 2, CONTROLS, CONTROLS, dtype=torch.float64)
    field = displacement(offsets, 10, 14)
    points = torch.tensor([[[3.5, 0.5], [13.5, 9.5]], [[0.5, 4.5], [7.5, 7.5]]], dtype=torch.float64)
    found = displacement_at(offsets, points, 10, 14)
    for n in range(2):
        for k in range(2):
            x, y = (points[n, k] - 0.5).long()
            torch.testing.assert_close(found[n, k], field[n, :, y, x])
    uneven = torch.arange(CONTROLS, dtype=torch.float64).view(1, 1, 1, -1).expand(1, 2, CONTROLS, -1)
    assert (displacement(uneven, 6, 40)[0, 0, 0].diff() > 0).all()  # the last axis is x


def test_a_warp_at_full_strength_never_folds_the_picture():
    changes = drawn("warp", count=300, strength=1.0)
    y, x = torch.meshgrid(torch.arange(40) / 39 * SIZE[0], torch.arange(40) / 39 * SIZE[1], indexing="ij")
    grid = torch.stack([x, y], dim=2).double().view(1, -1, 2).expand(300, -1, 2)
    went = (grid + displacement_at(changes.offsets.double(), grid, *SIZE)).view(300, 40, 40, 2)
    along, down = went.diff(dim=2)[:, :-1], went.diff(dim=1)[:, :, :-1]
    assert (along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0] > 0).all()
    size = changes.offsets.abs().amax((0, 2, 3))
    torch.testing.assert_close(size, torch.tensor([128 / 12, 96 / 12]), rtol=0.01, atol=0)
