"""Colors changed by one matrix, against Pillow's ImageEnhance, colorsys and NumPy's eigenvectors."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from orthogon.data.changes import Changes
from orthogon.data.color import LUMA, ColorChange, principal_colors

# Soft colors, so that nothing is cut off at 0 or 255 in between: Pillow does so after each step.
PICTURES = torch.randint(70, 170, (3, 3, 20, 26), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def change(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0, balance=(0.0, 0.0, 0.0), shift=None) -> ColorChange:
    each = (torch.full((3,), float(value)) for value in (brightness, contrast, saturation, hue))
    return ColorChange(*each, torch.tensor(balance).repeat(3, 1), None if shift is None else torch.tensor([shift] * 3))


def changed(pictures=PICTURES, **values) -> np.ndarray:
    return Changes(tuple(pictures.shape[2:]), color=change(**values)).pictures(pictures).numpy()


@pytest.mark.parametrize(("name", "kind"), [
    ("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast), ("saturation", ImageEnhance.Color)])
@pytest.mark.parametrize("factor", [0.6, 1.4])
def test_each_factor_is_that_of_pillow(name, kind, factor):
    for picture, found in zip(PICTURES, changed(**{name: factor})):
        expected = np.asarray(kind(Image.fromarray(picture.permute(1, 2, 0).numpy())).enhance(factor)).astype(float)
        assert np.abs(found.transpose(1, 2, 0) - expected).max() < 1.6
        assert np.abs(found.transpose(1, 2, 0) - expected).mean() < 0.7


def test_together_they_are_pillows_one_after_the_other():
    found = changed(brightness=1.1, contrast=0.8, saturation=1.3)
    image = Image.fromarray(PICTURES[1].permute(1, 2, 0).numpy())
    for kind, factor in ((ImageEnhance.Brightness, 1.1), (ImageEnhance.Contrast, 0.8), (ImageEnhance.Color, 1.3)):
        image = kind(image).enhance(factor)
    assert np.abs(found[1].transpose(1, 2, 0) - np.asarray(image)).max() < 3.5


def test_hue_turns_colors_and_leaves_how_bright_they_are():
    found = changed(hue=0.4)
    np.testing.assert_allclose(np.einsum("nchw,c->nhw", found, LUMA),
                               np.einsum("nchw,c->nhw", PICTURES.numpy(), LUMA), atol=1e-2)
    grey = torch.full((3, 3, 4, 4), 90, dtype=torch.uint8)
    np.testing.assert_allclose(changed(grey, hue=0.4), 90, atol=1e-3)
    red = torch.tensor([150.0, 100.0, 100.0]).view(1, 3, 1, 1).repeat(3, 1, 4, 4)
    for turn in (0.1, 0.3):
        before, after = (complex(*colorsys.rgb_to_yiq(*picture[0, :, 0, 0])[1:])
                         for picture in (red.numpy(), changed(red, hue=turn)))
        assert np.angle(after / before) == pytest.approx(turn, rel=0.05)  # colorsys has rounded coefficients
        assert abs(after) == pytest.approx(abs(before), rel=0.02)
    np.testing.assert_allclose(changed(red, hue=2 * np.pi), red, atol=1e-2)


def test_the_balance_of_channels_and_a_shift_are_added():
    found = changed(balance=(20.0, -20.0, 5.0), shift=[1.0, 2.0, 3.0])
    expected = PICTURES.numpy() + np.array([21.0, -18.0, 8.0])[:, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert changed(balance=(-200.0, 200.0, 0.0))[:, :2].reshape(3, 2, -1).max(2).tolist() == [[0, 255]] * 3


def test_of_grey_pictures_brightness_and_contrast_change_and_color_does_not():
    grey = PICTURES[:, :1].contiguous()
    np.testing.assert_allclose(changed(grey, saturation=0.2, hue=1.0, balance=(20.0, 9.0, 1.0)), grey, atol=1e-4)
    mean = grey.float().mean((2, 3), keepdim=True).numpy()
    expected = 1.1 * (mean + 0.7 * (grey.numpy() - mean)) + 2
    np.testing.assert_allclose(changed(grey, brightness=1.1, contrast=0.7, shift=[2.0]), expected, atol=1e-3)


def test_principal_colors_are_numpys_eigenvectors_times_eigenvalues_of_the_train_pixels():
    """Row 19.08: p_i λ_i, of colors from 0 to 1."""
    rows = np.array([2, 0])
    tinted = PICTURES.clone()
    tinted[:, 1] = (tinted[:, 0] * 0.6 + tinted[:, 1] * 0.4).to(torch.uint8)
    pixels = tinted[rows].numpy().transpose(1, 0, 2, 3).reshape(3, -1) / 255
    values, vectors = np.linalg.eigh(np.cov(pixels, bias=True))
    found = principal_colors(tinted, rows).numpy()
    signs = np.sign((found * vectors).sum(0))
    np.testing.assert_allclose(found * signs, vectors * values, atol=1e-7)
    assert not np.allclose(found, principal_colors(tinted, np.arange(3)).numpy(), atol=1e-5)
    assert principal_colors(tinted[:, :1], rows).abs().item() == pytest.approx(pixels[0].var(), rel=1e-5)
