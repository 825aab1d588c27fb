"""Several views of a picture at test time, by value (row 31.02)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.vision.views import VIEWS, View, Views

PICTURES = torch.rand(3, 2, 16, 24, generator=torch.Generator().manual_seed(0))


class Corner(nn.Module):
    """Logits of the top left pixel, and what is beside the picture."""

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        shift = others[0] if others else 0.0
        return torch.stack([x[:, 0, 0, 0] * 4, x[:, 1, 0, 0] * 4], dim=1) + shift


def test_the_whole_picture_is_one_view_and_its_mirror_image_the_other() -> None:
    plain, mirrored = (view.of(PICTURES) for view in VIEWS["flip"])
    assert torch.equal(plain, PICTURES)
    assert torch.equal(mirrored, PICTURES.flip(3))


def test_crops_are_seven_eighths_of_the_center_and_the_corners_enlarged_to_the_whole_size() -> None:
    """14×21 of 16×24 pixels."""
    corners = [(1, 2), (0, 0), (0, 3), (2, 0), (2, 3)]  # of (16 - 14) / 2 = 1 and (24 - 21) / 2 = 1.5, rounded to even
    assert len(VIEWS["5-crop"]) == 5
    for view, (top, left) in zip(VIEWS["5-crop"], corners, strict=True):
        crop = PICTURES[:, :, top : top + 14, left : left + 21]
        expected = F.interpolate(crop, (16, 24), mode="bilinear", align_corners=False)
        assert torch.equal(view.of(PICTURES), expected)


def test_ten_crops_are_the_five_and_their_mirror_images() -> None:
    ten = [view.of(PICTURES) for view in VIEWS["10-crop"]]
    assert len(ten) == 10
    for crop, mirrored in zip(ten[:5], ten[5:], strict=True):
        assert torch.equal(mirrored, crop.flip(3))


def test_scales_are_the_whole_and_two_zooms_of_the_center() -> None:
    assert [view.share for view in VIEWS["scales"]] == [1.0, 0.875, 0.75]
    expected = F.interpolate(PICTURES[:, :, 2:14, 3:21], (16, 24), mode="bilinear", align_corners=False)
    assert torch.equal(VIEWS["scales"][2].of(PICTURES), expected)


@pytest.mark.parametrize("name", list(VIEWS))
def test_the_answer_is_the_mean_of_the_probabilities_over_the_views(name: str) -> None:
    model = Corner()
    expected = torch.stack([model(view.of(PICTURES)).softmax(1) for view in VIEWS[name]]).mean(0)
    assert torch.allclose(Views(model, name)(PICTURES).exp(), expected, atol=1e-6)


def test_views_of_ones_own_and_inputs_beside_the_picture() -> None:
    beside = torch.tensor([[0.0, 2.0]]).expand(3, 2)
    found = Views(Corner(), (View(mirrored=True),))(PICTURES, beside)
    assert torch.allclose(found, (Corner()(PICTURES.flip(3)) + beside).log_softmax(1), atol=1e-6)


def test_a_picture_of_one_pixel_has_views() -> None:
    assert Views(Corner(), "10-crop")(torch.rand(1, 2, 1, 1)).shape == (1, 2)


def test_unknown_views_are_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="no views '10-crops'") as caught:
        Views(Corner(), "10-crops")
    assert caught.value.remedy == "Did you mean '10-crop'?"
