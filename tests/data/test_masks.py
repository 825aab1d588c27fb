"""Masks as a column: codes, shares, and where their pixels go when pictures are fitted to a size."""

import numpy as np
import pytest
from PIL import Image

from orthogon.data.columns import ImageColumn
from orthogon.data.mask_files import IGNORE
from orthogon.data.masks import Mask, MaskColumn
from orthogon.data.pictures import materialize
from orthogon.errors import DataError

STEPS = np.array([[[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 255], [0, 0, 0, 0, 0, 0], [2, 2, 2, 2, 2, 2]]], dtype=np.uint8)


def test_values_of_an_array_are_codes_with_255_ignored():
    column = MaskColumn.from_array(STEPS)
    assert column.names == ("background", "class 1", "class 2")
    assert column.counts.tolist() == [[10, 4, 9]]
    assert column.shares[0] == pytest.approx([10 / 23, 4 / 23, 9 / 23])
    assert (column.cell(0) == STEPS[0]).all()


@pytest.mark.parametrize("masks", [STEPS == 1, (STEPS == 1) * np.uint8(255), (STEPS == 1).astype(np.int64)[..., None]])
def test_two_values_are_background_and_foreground(masks):
    column = MaskColumn.from_array(masks)
    assert column.names == ("background", "foreground")
    assert (column.cell(0) == (STEPS[0] == 1)).all()


def test_with_names_a_value_beyond_them_is_refused():
    with pytest.raises(DataError, match="holds 2, which stands for no class"):
        MaskColumn.from_array(STEPS, ["a", "b"])


@pytest.mark.parametrize("masks", [np.zeros((2, 3)), np.zeros((2, 4, 4)), np.zeros((0, 4, 4), np.uint8),
                                   np.zeros((2, 4, 4, 3), np.uint8)])
def test_other_shapes_and_types_are_no_masks(masks):
    with pytest.raises(DataError, match="masks have shape"):
        MaskColumn.from_array(masks)


def test_rows_are_taken_with_their_counts_and_digests():
    column = MaskColumn.from_array(np.concatenate([STEPS, STEPS[:, ::-1], STEPS]))
    some = column.take(np.array([2, 1]))
    assert (some.cell(1) == STEPS[0, ::-1]).all()
    assert some.counts.tolist() == [[10, 4, 9]] * 2
    assert column.digests()[0] == column.digests()[2] != column.digests()[1]
    assert some.digests().tolist() == column.digests()[[2, 1]].tolist()


def test_a_mask_that_is_all_ignored_is_missing():
    column = MaskColumn.from_array(np.stack([STEPS[0], np.full((4, 6), IGNORE, np.uint8)]), ["a", "b", "c"])
    assert column.missing().tolist() == [False, True]
    assert column.shares[1].tolist() == [0, 0, 0]


def test_halved_each_pixel_is_the_nearest_one():
    # The middle of new pixel k lies on the border of old pixels 2k and 2k + 1, and belongs to the second.
    assert MaskColumn.from_array(STEPS).at((2, 3), "stretch")[0].tolist() == [[0, 1, IGNORE], [2, 2, 2]]


def test_a_letterbox_ignores_its_bars_and_a_crop_cuts_the_middle():
    column = MaskColumn.from_array(STEPS)
    boxed = column.at((6, 6), "letterbox")[0]
    assert (boxed[1:5] == STEPS[0]).all()
    assert (boxed[[0, 5]] == IGNORE).all()
    assert (column.at((4, 4), "crop")[0] == STEPS[0][:, 1:5]).all()


@pytest.mark.parametrize("fit", ["crop", "letterbox", "stretch"])
@pytest.mark.parametrize("size", [(37, 23), (24, 60), (96, 96), (150, 110)])
def test_masks_lie_where_the_pictures_of_them_lie(fit, size):
    y, x = np.mgrid[:80, :112]
    mask = ((x - 70) ** 2 / 900 + (y - 35) ** 2 / 500 < 1).astype(np.uint8)
    codes = MaskColumn.from_array(mask[None]).at(size, fit)[0]
    picture = materialize(ImageColumn(mask[None, None] * np.uint8(255)), size, fit)[0, 0]
    sure = (codes != IGNORE) & ((picture < 40) | (picture > 215))
    assert sure.mean() > 0.85 * (codes != IGNORE).mean() > 0.2
    # Beside the outline, where Lanczos mixes the two, the halves may differ.
    assert ((picture > 127) == (codes == 1))[sure].mean() > 0.995


@pytest.fixture
def files(tmp_path):
    paths = []
    for row in range(3):
        paths.append(tmp_path / f"{row}.png")
        Image.fromarray(np.roll(STEPS[0], row, axis=1)).save(paths[-1])
    return paths


def test_files_give_what_the_array_gives_also_the_second_time(files):
    masks = np.stack([np.roll(STEPS[0], row, axis=1) for row in range(3)])
    array, column = MaskColumn.from_array(masks), MaskColumn.from_files(files, np.tile([4, 6], (3, 1)))
    assert column.names == array.names
    assert (column.counts == array.counts).all()
    for _ in range(2):
        assert (column.at((3, 5), "letterbox") == array.at((3, 5), "letterbox")).all()
    assert (column.at((4, 6)) == masks).all()
    assert (column.take(np.array([2])).at((3, 5)) == array.take(np.array([2])).at((3, 5))).all()
    assert len(set(column.digests().tolist())) == 3


def test_a_changed_file_is_decoded_again(files):
    sizes = np.tile([4, 6], (3, 1))
    before = MaskColumn.from_files(files, sizes)
    before.at((3, 5))
    Image.fromarray(np.full((4, 6), 2, np.uint8)).save(files[1])
    after = MaskColumn.from_files(files, sizes)
    assert after.counts[1].tolist() == [0, 0, 24]
    assert (after.at((3, 5))[1] == 2).all()
    assert (after.at((3, 5))[0] == before.at((3, 5))[0]).all()


def test_a_predicted_mask_is_a_png_with_its_codes(tmp_path):
    mask = Mask.of(STEPS[0], ("a", "b", "c"))
    assert (mask.codes == STEPS[0]).all()
    picture = Image.open(mask.save(tmp_path / "sub" / "mask.png"))
    assert picture.mode == "P"
    assert (np.asarray(picture) == STEPS[0]).all()
    assert repr(mask) == "Mask(4×6, a, b, c)"


def test_neither_codes_nor_files_is_an_error():
    with pytest.raises(ValueError, match="needs its codes, or its files"):
        MaskColumn(["a"], np.zeros((1, 1)))
