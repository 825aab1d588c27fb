"""Overlapping tiles give what the whole picture gives."""

import pytest
import torch

from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.tiles import MARGIN, TILE, outputs, spans
from orthogon.vision.unet import unet


def joined(model, picture, tile, margin):
    out = torch.full((2, *picture.shape[1:]), torch.nan, dtype=picture.dtype)
    for rows, columns, found in outputs(model, picture, tile, margin):
        assert out[:, rows, columns].isnan().all()  # each pixel once
        out[:, rows, columns] = found
    return out


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    network = unet(ModelSpec((InputSpec("image", (1, 64, 64)),), 2), width=3, depth=2).double()
    network(torch.randn(4, 1, 64, 64, dtype=torch.float64))  # so that batch norm has statistics
    return network.eval()


@pytest.mark.parametrize(("high", "wide"), [(150, 97), (64, 64), (161, 33), (96, 130)])
def test_tiles_with_enough_margin_give_the_whole_pictures_outputs(model, high, wide):
    # Two halvings reach 2·(1 + 2 + 4) + 3 + 2·(2 + 1) = 23 pixels far at most, less than the margin.
    picture = torch.randn(1, high, wide, dtype=torch.float64)
    with torch.no_grad():
        whole = model(picture[None])[0]
        assert torch.allclose(joined(model, picture, 96, 32), whole, atol=1e-12)


def test_without_margin_seams_differ_and_the_inside_does_not(model):
    picture = torch.randn(1, 128, 64, dtype=torch.float64)
    with torch.no_grad():
        whole, pieces = model(picture[None])[0], joined(model, picture, 64, 0)
    apart = (whole - pieces).abs().amax((0, 2))
    assert apart[60:68].max() > 1e-6
    assert apart[:30].max() < 1e-12
    assert apart[98:].max() < 1e-12


def test_the_margin_holds_what_a_pixel_depends_on_in_the_default_network():
    model = unet(ModelSpec((InputSpec("image", (1, 96, 96)),), 2), width=2).double().eval()
    for parameter in model.parameters():
        parameter.data.abs_()  # nothing cancels, no ReLU is off
    picture = torch.rand(1, 1, 320, 16, dtype=torch.float64, requires_grad=True)
    reached = []
    for row in range(160, 176):  # every place in a pixel of the coarsest map
        picture.grad = None
        model(picture)[0, :, row].sum().backward()
        seen = picture.grad[0, 0].abs().sum(1).nonzero().squeeze(1)
        reached += [row - int(seen[0]), int(seen[-1]) - row]
    assert max(reached) == 107 <= MARGIN


@pytest.mark.parametrize("length", [1, 100, 768, 769, 1152, 1500, 2049])
def test_kept_parts_cover_the_axis_once_and_begin_at_multiples_of_the_stride(length):
    found = spans(length)
    assert [k for span in found for k in range(length)[span.kept]] == list(range(length))
    for span in found:
        assert span.seen.start % 32 == 0
        assert span.seen.stop - span.seen.start <= TILE
        assert span.kept.start - span.seen.start in (0, MARGIN)
        assert span.seen.stop <= length
        assert range(length)[span.seen][span.inner] == range(length)[span.kept]


@pytest.mark.parametrize(("tile", "margin"), [(100, 32), (128, 20), (64, 32), (64, -32)])
def test_tiles_of_which_nothing_is_kept_are_refused(tile, margin):
    with pytest.raises(ValueError, match="expected multiples of 32"):
        spans(500, tile, margin)
