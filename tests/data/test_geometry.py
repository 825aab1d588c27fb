"""Places on a fitted picture against the pixels of the fitted picture itself."""

import numpy as np
import pytest

from orthogon.data.geometry import Placement, box_from_center, box_to_center, placement
from orthogon.data.pictures import resize

SIZES = [(120, 200), (200, 120), (97, 61), (64, 64), (30, 50)]
FITS = ("crop", "letterbox", "stretch")


def rectangle(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A white rectangle in the middle of a black picture, and its box."""
    height, width = size
    left, top, right, bottom = int(width * 0.4), int(height * 0.35), int(width * 0.65), int(height * 0.6)
    picture = np.zeros((height, width, 1), np.uint8)
    picture[top:bottom, left:right] = 255
    return picture, np.array([[left, top, right, bottom]], np.float32)


def measured(picture: np.ndarray) -> np.ndarray:
    """The box of a bright rectangle, to a part of a pixel: along its middle, light is length."""
    light = picture[..., 0].astype(float) / 255
    row, column = light.sum(axis=0), light.sum(axis=1)
    width, height = light[np.argmax(column)].sum(), light[:, np.argmax(row)].sum()
    x = (row * (np.arange(len(row)) + 0.5)).sum() / row.sum()
    y = (column * (np.arange(len(column)) + 0.5)).sum() / column.sum()
    return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
def test_a_box_lies_where_its_pixels_lie(size, fit):
    picture, box = rectangle(size)
    fitted = resize(picture, (64, 72), fit)
    np.testing.assert_allclose(placement(np.array([size]), (64, 72), fit).boxes(box)[0], measured(fitted), atol=0.35)


@pytest.mark.parametrize("fit", FITS)
def test_the_way_back_gives_the_box_again_and_no_object_stays_none(fit):
    boxes = np.array([[3, 5, 40, 60], [np.nan] * 4, [0, 0, 61, 97]], np.float64)
    there = placement(np.array([(120, 200), (20, 20), (97, 61)]), (48, 64), fit)
    np.testing.assert_allclose(there.inverse.boxes(there.boxes(boxes)), boxes, atol=1e-9)
    points = boxes[:, None, :2]
    np.testing.assert_allclose(there.take(np.array([2])).points(points[2:])[0, 0], there.boxes(boxes)[2, :2])


def test_the_corners_of_the_picture_fit_as_the_words_say():
    whole, sizes = np.array([[0, 0, 200, 100]], float), np.array([(100, 200)])
    assert placement(sizes, (50, 50), "stretch").boxes(whole).tolist() == [[0, 0, 50, 50]]
    assert placement(sizes, (50, 50), "crop").boxes(whole).tolist() == [[-25, 0, 75, 50]]
    assert placement(sizes, (50, 50), "letterbox").boxes(whole).tolist() == [[0, 12, 50, 37]]


@pytest.mark.parametrize("fit", FITS)
def test_a_mask_moved_by_nearest_pixels_lies_on_the_fitted_picture(fit):
    picture, _ = rectangle((120, 200))
    rows, columns = placement(np.array([(120, 200)]), (60, 60), fit).nearest(0, (120, 200), (60, 60))
    mask = np.where((rows[:, None] < 0) | (columns < 0), 0, picture[rows[:, None], columns, 0])
    assert np.mean((mask > 127) != (resize(picture, (60, 60), fit)[..., 0] > 127)) < 0.01
    assert (rows.min() == -1) == (fit == "letterbox")


def test_a_mask_goes_back_to_the_size_of_the_original():
    there = placement(np.array([(120, 200)]), (60, 60), "stretch")
    small = np.arange(3600).reshape(60, 60)
    rows, columns = there.inverse.nearest(0, (60, 60), (120, 200))
    large = small[rows[:, None], columns]
    assert large.shape == (120, 200)
    assert large[0, 0] == 0
    assert large[-1, -1] == 3599
    assert large[2, 0] == 60


def test_an_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="known: crop, letterbox, stretch"):
        placement(np.array([(4, 4)]), (2, 2), "squeeze")


def test_row_20_01_center_height_and_width_of_a_box():
    corners = np.array([[10.0, 20.0, 50.0, 40.0]])
    assert box_to_center(corners).tolist() == [[30.0, 30.0, 20.0, 40.0]]
    assert box_from_center(box_to_center(corners)).tolist() == corners.tolist()


def test_row_20_22_fractions_from_the_center_and_corners_from_the_top():
    """The two ways of the course: (b_x, b_y, b_h, b_w) of one session, (top, left, bottom, right) of another."""
    corners = Placement(np.full((1, 2), 1 / 100), np.zeros((1, 2))).boxes(np.array([[10.0, 20.0, 50.0, 40.0]]))
    top_left = corners[:, [1, 0, 3, 2]]
    assert top_left.tolist() == [[0.2, 0.1, 0.4, 0.5]]
    np.testing.assert_allclose(box_to_center(corners), [[0.3, 0.3, 0.2, 0.4]])
