"""Pictures of cells: the same on every machine, and as hard as they say."""

import hashlib

import numpy as np

import orthogon as og
from orthogon.data.cells import cells


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others():
    first, again, other = cells(4, 64, 1), cells(4, 64, 1), cells(4, 64, 2)
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[1] != other[1]).any()
    assert first[0].dtype == first[1].dtype == np.uint8
    assert first[0].shape == first[1].shape == (4, 64, 64)
    assert set(np.unique(first[1])) == {0, 1}


def test_the_masks_are_those_that_figures_were_measured_on():
    digest = hashlib.sha256(np.packbits(cells(8)[1]).tobytes()).hexdigest()
    assert digest[:16] == "2bc2781011c0da2a"


def test_cells_are_brighter_than_what_is_about_them_and_no_threshold_finds_them():
    pictures, masks = cells(60)
    inside = np.array([p[m == 1].mean() for p, m in zip(pictures, masks)])
    outside = np.array([p[m == 0].mean() for p, m in zip(pictures, masks)])
    assert (inside > outside + 5).mean() > 0.9
    assert 0.15 < masks.mean() < 0.25
    best = max(((masks == 1) & (pictures > t)).sum() / ((masks == 1) | (pictures > t)).sum() for t in range(40, 140, 5))
    assert best < 0.55


def test_the_public_set_comes_in_parts():
    data = og.read("cells")
    assert data.target == "mask"
    assert data.part is not None
    assert [int((data.part == part).sum()) for part in ("train", "dev", "test")] == [240, 80, 80]
    assert data.columns["mask"].names == ("background", "cell")
    assert data.columns["image"].uniform_size == (96, 96)
