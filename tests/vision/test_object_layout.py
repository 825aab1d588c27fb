"""What the outputs of a localizing network mean, by value (rows 20.01, 20.03)."""

import pytest
import torch

from orthogon.vision.object_layout import Layout, Truth

PLAIN = {"mean": (0.0,) * 8, "std": (1.0,) * 8}


def layout(**changes) -> Layout:
    return Layout(**{"absent": True, "classes": 3, "box": True, "points": 2, "size": (50, 100), **PLAIN, **changes})


def test_row_20_01_outputs_are_presence_classes_box_points():
    said = layout().split(torch.arange(12.0)[None])
    assert layout().outputs == 12
    assert said.present.tolist() == [0]
    assert said.classes.tolist() == [[1, 2, 3]]
    assert said.box.tolist() == [[4, 5, 6, 7]]
    assert said.points.tolist() == [[[8, 9], [10, 11]]]


def test_what_there_is_none_of_has_no_output():
    only_box = layout(absent=False, classes=1, points=0)
    assert only_box.outputs == 4
    said = only_box.split(torch.zeros(2, 4))
    assert said.present is None
    assert said.classes is None
    assert said.points is None
    only_points = layout(absent=False, classes=1, box=False)
    assert only_points.outputs == 4
    assert only_points.split(torch.zeros(2, 4)).box is None


def test_row_20_01_the_box_is_center_height_and_width_as_shares_of_the_picture():
    """A box 40 wide and 20 high with its middle at (30, 20), in a picture 100 wide and 50 high."""
    corners = torch.tensor([[10.0, 10, 50, 30]])
    said = layout().standardized_box(corners)
    torch.testing.assert_close(said, torch.tensor([[0.3, 0.4, 0.4, 0.4]]))  # b_x, b_y, b_h, b_w
    torch.testing.assert_close(layout().corners(said), corners)
    tall = layout().standardized_box(torch.tensor([[0.0, 0, 10, 50]]))
    torch.testing.assert_close(tall, torch.tensor([[0.05, 0.5, 1.0, 0.1]]))


def test_places_are_said_in_standard_deviations_from_the_mean():
    scaled = layout(mean=(0.5, 0.5, 0.2, 0.4, 0.1, 0.2, 0.3, 0.4), std=(0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.5, 1.0))
    corners = torch.tensor([[10.0, 10, 50, 30]])
    said = scaled.standardized_box(corners)
    torch.testing.assert_close(said, torch.tensor([[-2.0, -0.5, 2.0, 0.0]]))
    torch.testing.assert_close(scaled.corners(said), corners)
    points = torch.tensor([[[20.0, 20], [80, 45]]])
    said = scaled.standardized_points(points)
    torch.testing.assert_close(said, torch.tensor([[[1.0, 1.0], [1.0, 0.5]]]))
    torch.testing.assert_close(scaled.places(said), points)


def test_a_box_of_negative_height_has_none():
    corners = layout().corners(torch.tensor([[0.5, 0.5, -0.1, 0.2]]))
    torch.testing.assert_close(corners, torch.tensor([[40.0, 25, 60, 25]]))


@pytest.mark.parametrize("changes", [{}, {"points": 0}, {"box": False}])
def test_a_packed_target_is_unpacked_as_it_was(changes):
    form = layout(**changes)
    truth = Truth(torch.tensor([2, -1, 0]), torch.randn(3, 4) if form.box else None,
                  torch.randn(3, 2, 2) if form.points else None)
    found = form.unpack(form.pack(truth))
    assert found.code.tolist() == [2, -1, 0]
    assert found.present.tolist() == [True, False, True]
    for given, back in ((truth.box, found.box), (truth.points, found.points)):
        assert (given is None) == (back is None)
        if given is not None:
            torch.testing.assert_close(given, back)
