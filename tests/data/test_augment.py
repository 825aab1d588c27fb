"""Augmentation of pictures against flips, shifts and quarter turns done by hand, against SciPy and against Pillow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import affine_transform
from torch._subclasses.fake_tensor import FakeTensorMode

from orthogon.data import augment, resample
from orthogon.data.augment import WAYS, Augmentation
from orthogon.data.changes import Changes
from orthogon.data.warp import _axis_weights
from orthogon.train.randomness import Draw

RAMP = torch.arange(16, dtype=torch.uint8).view(1, 1, 1, 16).expand(64, 2, 16, 16).contiguous()
AFFINE = ("flip", "crop", "shift", "rotate", "scale", "shear")
PHOTOS = torch.randint(0, 256, (40, 3, 18, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def drawn(epoch: int = 1) -> torch.Generator:
    return Draw(0, epoch, 2, torch.device("cpu")).generator("augment")


def fitted(*ways, **options) -> Augmentation:
    return Augmentation(ways, **options).fitted(lambda: PHOTOS, np.arange(len(PHOTOS)))


# --- moves (rows 19.01 to 19.06) --------------------------------------------------------------------------------


@pytest.mark.parametrize("border", ["edge", "black"])
def test_a_picture_is_flipped_left_to_right_with_probability_one_half(border):
    flipped = Augmentation(("flip",), border=border)(RAMP, drawn())
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


@pytest.mark.parametrize("border", ["edge", "black"])
def test_moving_by_copies_is_what_sampling_would_give(border):
    """Mirrored and moved pictures are copied row by row; the sampling of all other ways gives the same pixels."""
    changes = Augmentation(("flip", "shift"), border=border).draw(40, 18, 24, drawn())
    sampled = Changes(changes.size, border, changes.maps)
    assert changes.reach == 3
    np.testing.assert_allclose(changes.pictures(PHOTOS).float(), sampled.pictures(PHOTOS), atol=0.02)


def test_a_quarter_turn_is_the_picture_turned(monkeypatch):
    monkeypatch.setattr(augment, "ROTATE", math.pi / 2)
    monkeypatch.setattr(torch, "rand", lambda names, count, **_: torch.ones(names, count))
    picture = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    turned = Augmentation(("rotate",))(picture, drawn()).round().to(torch.uint8)
    assert torch.equal(turned, picture.rot90(1, (2, 3)))


def test_all_affine_ways_together_are_scipys_map_on_a_picture_that_is_no_square():
    """Angles are those of pixels: a turn of a wide picture does not shear it."""
    pictures = torch.rand(8, 1, 12, 20, dtype=torch.float64)
    chosen = Augmentation(AFFINE, border="black")
    changed, maps = chosen(pictures, drawn()), chosen.draw(8, 12, 20, drawn()).maps.double().numpy()
    for picture, found, affine in zip(pictures, changed, maps):
        matrix = affine[::-1, 1::-1]  # rows first, as SciPy counts, from the middles of pixels
        offset = affine[::-1, 2] + matrix @ [0.5, 0.5] - 0.5
        expected = affine_transform(picture[0].numpy(), matrix, offset, order=1, mode="grid-constant")
        np.testing.assert_allclose(found[0], expected, atol=1e-5)


@pytest.mark.parametrize(("degrees", "zoom"), [(20, 1.0), (-33, 1.2), (0, 0.8)])
def test_a_turn_by_a_given_angle_is_pillows(degrees, zoom):
    angle = math.radians(degrees)
    linear = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) / zoom
    middle = torch.tensor([30.0, 24.0])
    maps = torch.cat([linear, (middle - linear @ middle)[:, None]], dim=1)[None]
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 15), (48, 60), mode="bicubic").mul(255).clamp(0, 255)
    picture = smooth.round().to(torch.uint8)
    found = Changes((48, 60), maps=maps).pictures(picture)[0].permute(1, 2, 0).numpy()
    image = Image.fromarray(picture[0].permute(1, 2, 0).numpy())
    expected = np.asarray(image.transform((60, 48), Image.Transform.AFFINE, maps.flatten().tolist(),
                                          Image.Resampling.BILINEAR)).astype(float)
    new = np.stack([*np.meshgrid(np.arange(60) + 0.5, np.arange(48) + 0.5), np.ones((48, 60))])
    x, y = np.einsum("ij,jhw->ihw", maps[0].numpy(), new)
    inside = (x > 1) & (x < 59) & (y > 1) & (y < 47)  # at the edge Pillow does not blend with the black beyond it
    assert inside.mean() > 0.5
    assert (found - expected)[inside].min() + 0.01 >= 0
    assert (found - expected)[inside].max() < 1.01  # Pillow cuts off what is behind the point


@pytest.mark.parametrize(("way", "most"), [("rotate", 30.0), ("scale", 1.2), ("shear", 0.2)])
def test_the_largest_change_of_each_way_is_reached_and_never_passed(way, most):
    maps = Augmentation((way,)).draw(4000, 10, 10, drawn()).maps.numpy()[:, :, :2]
    sizes = {
        "rotate": np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0])), "shear": maps[:, 0, 1],
        "scale": np.sqrt(1 / np.linalg.det(maps)),
    }[way]
    assert most * 0.99 < sizes.max() <= most * 1.00001
    least = 1 / most if way == "scale" else -most
    assert sizes.min() == pytest.approx(least, rel=0.01)


@pytest.mark.parametrize(("strength", "least"), [(1.0, 0.4), (0.5, 0.7), (3.0, 0.08)])
def test_a_crop_lies_in_the_picture_and_keeps_a_reasonable_part_of_it(strength, least):
    maps = Augmentation(("crop",), strength=strength).draw(4000, 24, 16, drawn()).maps
    parts = torch.stack([maps[:, 0, 0], maps[:, 1, 1]], dim=1)
    areas = parts.prod(1)
    assert least * 0.9 < areas.min() < least * 1.1
    assert areas.max() > 0.97
    for corner in ((0.0, 0.0), (16.0, 24.0)):
        places = maps[:, :, :2] @ torch.tensor(corner) + maps[:, :, 2]
        assert (places > -1e-3).all()
        assert (places < torch.tensor([16.0, 24.0]) + 1e-3).all()
    aspect = (parts[:, 0] / parts[:, 1]).log().abs()
    assert aspect.max() <= math.log(4 / 3) * strength + 1e-4
    assert (maps[:, 0, 2] + 8 * maps[:, 0, 0] - 8).std() > 0.4 * strength  # the places differ


# --- pixels (rows 19.07, 19.08, 19.10) --------------------------------------------------------------------------


def test_colors_are_shifted_each_picture_by_a_draw_of_its_own():
    grey = torch.full((4000, 3, 2, 2), 128, dtype=torch.uint8)
    middle = Augmentation(("color",))(grey, drawn())[:, :, 0, 0]
    balance = middle - middle.mean(1, keepdim=True)
    assert balance.abs().max() < 27  # each channel by up to 20, less their mean
    assert balance.std(0) == pytest.approx(np.full(3, 20 / math.sqrt(3) * math.sqrt(2 / 3)), rel=0.05)
    assert middle.mean(1).max() == pytest.approx(128 * 1.3 + 15, abs=9)
    assert middle.mean(1).min() == pytest.approx(128 * 0.7 - 15, abs=9)


def test_along_the_principal_colors_the_multiples_are_normal_with_a_tenth_as_deviation():
    chosen = fitted("pca_color")
    shift = chosen.draw(20_000, 4, 4, drawn()).color.shift.double()
    colors = chosen.colors.double()
    expected = 0.1**2 * 255**2 * colors @ colors.T
    np.testing.assert_allclose(torch.cov(shift.T), expected, atol=0.03 * expected.max().item())
    assert (shift.mean(0).abs() < 0.1).all()


def test_without_the_pictures_to_train_on_pca_color_refuses():
    with pytest.raises(ValueError, match=r"principal colors .* not known"):
        Augmentation(("pca_color",))(PHOTOS, drawn())


def test_half_of_the_pictures_lose_a_rectangle_to_their_mean_color():
    erased = Augmentation(("erase",))(PHOTOS.repeat(50, 1, 1, 1), drawn())
    changed = (erased != PHOTOS.repeat(50, 1, 1, 1)).any(1)
    share = changed.float().mean((1, 2))
    assert (share > 0).float().mean() == pytest.approx(0.5, abs=0.03)
    assert 0.22 < share.max() < 0.28
    one = int(share.argmax())
    rows, columns = changed[one].any(1), changed[one].any(0)
    assert torch.equal(changed[one], rows[:, None] & columns[None])
    mean = PHOTOS.repeat(50, 1, 1, 1)[one].float().mean((1, 2))
    np.testing.assert_allclose(erased[one][:, changed[one]].mean(1), mean, atol=0.01)


def test_masked_cells_and_noise_are_as_many_and_as_large_as_told():
    pictures = torch.full((500, 1, 16, 16), 100, dtype=torch.uint8)
    pictures[:, :, ::2] = 140
    masked = Augmentation(("mask",))(pictures, drawn())
    assert (masked == 120).float().mean() == pytest.approx(0.15, abs=0.01)
    cells = (masked == 120).view(500, 8, 2, 8, 2)
    assert (cells.any((2, 4)) == cells.all(4).all(2)).all()  # whole cells
    noise = Augmentation(("noise",))(pictures, drawn()) - pictures
    deviations = noise.std((1, 2, 3))
    assert deviations.max() == pytest.approx(25.5, rel=0.1)
    assert deviations.mean() == pytest.approx(12.75, rel=0.1)
    assert noise.mean() == pytest.approx(0, abs=0.3)


# --- all ways ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_at_strength_0_the_pictures_are_as_they_were(dtype):
    pictures = torch.rand(4, 3, 9, 7).mul(255).to(dtype)
    still = Augmentation(WAYS, strength=0.0)
    assert not still
    assert not still.mixes
    assert torch.equal(still(pictures, drawn()), pictures)
    assert torch.equal(Augmentation()(pictures, drawn()), pictures)


@pytest.mark.parametrize("way", WAYS)
def test_a_weak_change_is_smaller_than_a_strong_one(way):
    pictures = torch.nn.functional.interpolate(PHOTOS.float(), scale_factor=4, mode="bicubic").clamp(0, 255)

    def size(strength: float) -> float:
        return (fitted(way, strength=strength)(pictures, drawn()) - pictures).abs().mean().item()

    assert 0 < size(0.1) < 0.7 * size(1.0)


@pytest.mark.parametrize("ways", [*((way,) for way in WAYS), WAYS])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_way_works_on_grey_and_on_colored_pictures(ways, channels):
    pictures = PHOTOS[:, :channels].contiguous()
    chosen = Augmentation(ways).fitted(lambda: pictures, np.arange(40))
    first, again, other = chosen(pictures, drawn()), chosen(pictures, drawn()), chosen(pictures, drawn(epoch=2))
    assert first.shape == pictures.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first.float(), pictures.float())
    assert first.min() >= 0
    assert first.max() < 255.01


def test_a_way_does_the_same_whatever_the_others_are():
    alone = Augmentation(("rotate",)).draw(5, 8, 8, drawn()).maps
    assert torch.equal(alone, Augmentation(("color", "rotate", "erase", "mixup")).draw(5, 8, 8, drawn()).maps)


def test_the_pieces_in_which_a_batch_is_worked_on_change_nothing(monkeypatch):
    chosen = fitted(*WAYS)
    whole = chosen(PHOTOS, drawn())
    monkeypatch.setattr(resample, "_PIECE", 3 * 18 * 24 * 7)
    assert len(resample.pieces(PHOTOS)) == 6
    torch.testing.assert_close(chosen(PHOTOS, drawn()), whole, rtol=0, atol=1e-3)


def test_pixels_that_are_only_moved_stay_bytes_and_all_else_is_float32():
    assert Augmentation(("flip", "shift"))(RAMP, drawn()).dtype == torch.uint8
    for ways in (("rotate",), ("flip", "color"), ("erase",), ("mixup",)):
        assert Augmentation(ways)(RAMP[:, :1], drawn()).dtype == torch.float32
    assert Augmentation(("rotate",))(RAMP.double(), drawn()).dtype == torch.float64


@pytest.mark.parametrize("way", WAYS)
def test_no_number_comes_back_from_the_device_so_that_it_trains_while_the_next_batch_is_drawn(way, request):
    """Row 19.09: tensors without numbers refuse to be looked at, by `.item()` as by choosing with a mask."""
    generator = drawn()
    _axis_weights.cache_clear()  # what earlier tests left there has numbers
    request.addfinalizer(_axis_weights.cache_clear)
    with FakeTensorMode():
        changes = Augmentation((way,), colors=torch.rand(3, 3)).draw(8, 18, 24, generator)
        assert changes.pictures(torch.zeros(8, 3, 18, 24, dtype=torch.uint8)).shape == (8, 3, 18, 24)


def test_a_picture_of_another_size_than_drawn_for_is_refused():
    with pytest.raises(ValueError, match="18×24 pixels where the changes were drawn for 16×16"):
        Augmentation(("flip",)).draw(40, 16, 16, drawn()).pictures(PHOTOS)


@pytest.mark.parametrize("way", ["color", "crop"])
def test_beyond_the_border_it_stays_black_whatever_the_colors_become(way):
    white = torch.full((50, 3, 16, 16), 200, dtype=torch.uint8)
    turned = Augmentation(("shift", "rotate", way))(white, drawn())
    assert (turned == 0).any()
    assert turned[turned > 0].median() > 100


# --- mixing -----------------------------------------------------------------------------------------------------


def test_mixup_blends_each_picture_with_its_partner_by_a_share_of_the_beta_distribution():
    changes = Augmentation(("mixup",)).draw(40, 18, 24, drawn())
    partner, share = changes.mix
    mixed = changes.pictures(PHOTOS)
    expected = share[:, None, None, None] * PHOTOS + (1 - share[:, None, None, None]) * PHOTOS[partner]
    torch.testing.assert_close(mixed, expected)
    assert torch.equal(partner.sort().values, torch.arange(40))
    for strength, alpha in ((1.0, 0.2), (3.0, 0.6)):
        seen = Augmentation(("mixup",), strength).draw(20_000, 2, 2, drawn()).mix.share.double()
        assert seen.min() >= 0.5, strength  # its own share is the larger one
        assert (seen - 0.5).square().mean() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.02)


def test_the_share_of_cutmix_is_that_of_the_pixels_that_are_its_own():
    changes = Augmentation(("cutmix",)).draw(400, 13, 17, drawn())
    partner, share = changes.mix
    own = torch.arange(400.0).view(-1, 1, 1, 1).expand(-1, 1, 13, 17)
    mixed = changes.pictures(own)
    kept = (mixed == own).float().mean((1, 2, 3))
    elsewhere = partner != torch.arange(400)
    torch.testing.assert_close(kept[elsewhere], share[elsewhere].float())
    assert torch.equal((mixed == own) | (mixed == own[partner]), torch.ones_like(own).bool())
    assert 0.7 < share.mean() < 0.95  # 3/4 in the middle, and more where cuts reach beyond the edge
    assert 0.45 < share.min() < 0.55


def test_with_both_kinds_of_mixing_each_picture_gets_one_of_them():
    changes = Augmentation(("mixup", "cutmix")).draw(1000, 16, 16, drawn())
    partner, share = changes.mix
    own = torch.arange(1000.0).view(-1, 1, 1, 1).expand(-1, 1, 16, 16)
    mixed = changes.pictures(own)
    torch.testing.assert_close(mixed.mean((1, 2, 3)), share * torch.arange(1000.0) + (1 - share) * partner, atol=0.01,
                               rtol=1e-4)
    cut = changes.cuts[:, 2] > changes.cuts[:, 0]
    assert 0.35 < cut.float().mean() < 0.55  # of the half that is to be cut, some cuts are empty
    assert (mixed.flatten(1)[~cut].std(1) < 1e-3).all()
