"""Synthesized examples, and the count of what they were made from (rows 11.09, 11.10)."""

from __future__ import annotations

import numpy as np
import pytest

import orthogon as og
from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.data.split import split
from orthogon.data.synthesis import (
    add_noise,
    blend,
    blur,
    effective_sources,
    few_sources,
    grain,
    lower_contrast,
    overlay,
    synthesize,
)
from orthogon.errors import DataError

random = np.random.default_rng(0)
PICTURES = random.integers(0, 256, (6, 1, 9, 9), dtype=np.uint8)
GROUNDS = random.integers(0, 256, (6, 1, 9, 9), dtype=np.uint8)


def test_blend_is_a_weighted_mean_and_overlay_the_lighter():
    assert np.array_equal(blend(PICTURES, GROUNDS, 0.0), PICTURES)
    assert np.array_equal(blend(PICTURES, GROUNDS, 1.0), GROUNDS)
    assert np.array_equal(blend(PICTURES, GROUNDS, 0.25), np.rint(0.75 * PICTURES + 0.25 * GROUNDS).astype(np.uint8))
    assert np.array_equal(blend(PICTURES, GROUNDS), blend(PICTURES, GROUNDS, 0.3))
    assert np.array_equal(overlay(PICTURES, GROUNDS), np.where(PICTURES > GROUNDS, PICTURES, GROUNDS))


def test_blur_spreads_a_point_as_a_gaussian_within_its_own_picture():
    point = np.zeros((2, 1, 15, 15), dtype=np.uint8)
    point[0, 0, 7, 7] = 255
    blurred = blur(point, sigma=1.5)
    line = blurred[0, 0, 7].astype(float)
    assert line[7] == pytest.approx(255 / (2 * np.pi * 1.5**2), abs=1)
    assert line[6] / line[7] == pytest.approx(np.exp(-0.5 / 1.5**2), abs=0.05)
    assert blurred[1].max() == 0


def test_contrast_is_drawn_toward_each_pictures_mean():
    assert np.array_equal(lower_contrast(PICTURES, 1.0), PICTURES)
    flat = lower_contrast(PICTURES, 0.0)
    assert np.array_equal(flat[2], np.full((1, 9, 9), np.rint(PICTURES[2].mean())))
    assert lower_contrast(PICTURES, 0.5)[0].std() == pytest.approx(0.5 * PICTURES[0].std(), rel=0.01)


def test_grain_has_its_standard_deviation():
    grey = np.full((1, 1, 200, 200), 128, dtype=np.uint8)
    noisy = grain(grey, 12.0, np.random.default_rng(1)).astype(float)
    assert noisy.std() == pytest.approx(12.0, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.2)


def test_noise_is_added_at_its_ratio_in_decibels():
    generator = np.random.default_rng(2)
    clean, noise = generator.normal(size=(3, 500)), generator.normal(size=(3, 800))
    mixed = add_noise(clean, noise, [0.0, 10.0, -6.0], np.random.default_rng(3))
    added = mixed - clean
    ratio = 10 * np.log10((clean**2).mean(axis=1) / (added**2).mean(axis=1))
    assert ratio == pytest.approx([0.0, 10.0, -6.0], abs=1e-9)
    again = add_noise(clean, noise, 0.0, np.random.default_rng(4))
    assert not np.allclose(again[0], mixed[0])  # another stretch


def test_a_stretch_of_noise_is_taken_whole_from_somewhere_in_the_recording():
    clean, noise = np.ones((40, 3)), np.arange(1.0, 7.0)[None]
    added = add_noise(clean, noise, 0.0, np.random.default_rng(0)) - clean
    begun = np.rint(added[:, 1] / (added[:, 1] - added[:, 0]) - 2).astype(int)
    assert set(begun.tolist()) == {0, 1, 2, 3}


def test_silence_adds_no_noise_and_short_noise_is_refused():
    generator = np.random.default_rng(0)
    assert np.array_equal(add_noise(np.ones((1, 4)), np.zeros((1, 9)), 0.0, generator), np.ones((1, 4)))
    assert np.array_equal(add_noise(np.zeros((1, 4)), np.ones((1, 9)), 0.0, generator), np.zeros((1, 4)))
    with pytest.raises(DataError, match="3 samples for signals of 4"):
        add_noise(np.ones((1, 4)), np.ones((1, 3)), 0.0, generator)


def test_effective_sources_are_all_where_each_serves_alike_and_fewer_where_one_serves_most():
    assert effective_sources(list("abcd") * 5) == pytest.approx(4)
    assert effective_sources(["a"] * 90 + ["b"] * 10) == pytest.approx(1 / (0.81 + 0.01))
    assert effective_sources([]) == 0


def test_a_warning_where_few_sources_are_repeated():
    """MLY chapter 43: twenty car designs for all cars of the world."""
    assert few_sources(np.arange(200) % 20) is None  # ten times each
    warned = few_sources(np.arange(20_000) % 20)
    assert warned is not None
    assert warned.severity == "warning"
    assert "20 unique sources (20 effective) serve 20,000" in warned.what
    assert "1,000 times each" in warned.what


def pictures(count, name, group=None):
    return Dataset(name, {"image": ImageColumn(random.integers(0, 256, (count, 1, 4, 4), dtype=np.uint8)),
                          "label": og.read((np.zeros((count, 2)), np.arange(count) % 2)).target_column()},
                   "label", np.array([f"{name}{i}" for i in range(count)]), group=group)


def test_every_synthesized_example_keeps_the_names_of_what_it_was_made_from():
    clean, grounds = pictures(10, "clean"), pictures(5, "ground")
    made = synthesize(clean, grounds, lambda a, b, _: blend(a, b, 0.5), copies=3, seed=1)
    assert (len(made.data), made.unique_sources, made.effective_sources) == (30, 5, pytest.approx(5))
    place = {name: row for row, name in enumerate(grounds.ids.tolist())}
    for row in (0, 13, 29):
        a = clean.columns["image"].cell(clean.ids.tolist().index(made.clean_ids[row]))
        b = grounds.columns["image"].cell(place[made.source_ids[row]])
        assert np.array_equal(made.data.columns["image"].cell(row), np.rint(0.5 * a + 0.5 * b).astype(np.uint8))
    assert set(made.data.source) == {"synthetic"}
    assert list(made.data.inputs) == ["image"]
    assert made.data.ids[:4].tolist() == ["clean0~1", "clean0~2", "clean0~3", "clean1~1"]
    assert [made.data.target_column().cell(i) for i in (0, 3)] == [clean.target_column().cell(i) for i in (0, 1)]
    assert not made.data.findings
    assert "5 sources (5 effective)" in str(made)


def test_copies_of_one_clean_example_stay_on_one_side_of_a_split():
    made = synthesize(pictures(30, "clean"), pictures(9, "ground"), lambda a, b, _: overlay(a, b), copies=3)
    part = split(made.data, seed=0).part_of()
    assert all(len(set(part[made.clean_ids == name])) == 1 for name in np.unique(made.clean_ids))


def test_few_sources_are_told_with_the_data():
    made = synthesize(pictures(44, "clean"), pictures(2, "ground"), lambda a, b, _: overlay(a, b))
    assert [finding.kind for finding in made.data.findings] == ["few-sources"]
    assert "22 times each" in str(made)


def test_mixes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="the mix gives"):
        synthesize(pictures(4, "clean"), pictures(2, "ground"), lambda a, b, _: a[:2])
    with pytest.raises(DataError, match="0 copies"):
        synthesize(pictures(4, "clean"), pictures(2, "ground"), lambda a, b, _: a, copies=0)
    with pytest.raises(DataError, match="0 columns hold pictures"):
        synthesize(og.read((np.arange(4.0), np.arange(4) % 2)), pictures(2, "ground"), lambda a, b, _: a)
