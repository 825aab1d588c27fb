"""The gated loss by hand (row 20.02, E33)."""

import math

import pytest
import torch

from orthogon.nn.boxes import generalized_overlap
from orthogon.vision.localization_loss import LOSSES, counted, localization_losses
from orthogon.vision.object_layout import Layout, Truth

LAYOUT = Layout(True, 2, True, 2, (10, 10), (0.0,) * 8, (1.0,) * 8)
NAN = math.nan
TRUTH = Truth(
    torch.tensor([1, -1]), torch.tensor([[2.0, 2, 6, 8], [NAN] * 4]),
    torch.tensor([[[1.0, 2], [NAN, NAN]], [[NAN, NAN], [NAN, NAN]]]),
)
OUTPUTS = torch.tensor([[1.5, 0.2, -0.3, 0.5, 0.4, 0.7, 0.3, 0.2, 0.1, 9.0, 9.0],
                        [0.8, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.0]], dtype=torch.float64)


def losses(loss: str, outputs: torch.Tensor = OUTPUTS) -> dict[str, torch.Tensor]:
    return localization_losses(LAYOUT.split(outputs), TRUTH, LAYOUT, loss)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def test_e33_presence_is_the_negative_log_likelihood_with_a_plus_between_its_terms():
    """L = −(y log ŷ + (1 − y) log(1 − ŷ)), not with a minus between: for y = 0 it is −log(1 − ŷ), above 0."""
    found = losses("log_likelihood")["object"]
    assert found[0].item() == pytest.approx(-math.log(sigmoid(1.5)))
    assert found[1].item() == pytest.approx(-math.log(1 - sigmoid(0.8)))
    assert (found > 0).all()


def test_row_20_02_squared_error_of_everything_by_hand():
    found = losses("squared")
    assert found["object"].tolist() == pytest.approx([(sigmoid(1.5) - 1) ** 2, sigmoid(0.8) ** 2])
    first = sigmoid(0.2 + 0.3)
    assert found["class"].tolist() == pytest.approx([first**2 + first**2, 0])
    # The true box: center (0.4, 0.5), 0.6 high, 0.4 wide.
    assert found["box"].tolist() == pytest.approx([(0.1**2 + 0.1**2 + 0.1**2 + 0.1**2) / 4, 0])
    assert found["points"].tolist() == pytest.approx([(0.1**2 + 0.1**2) / 2, 0])


def test_row_20_02_log_likelihood_of_the_class_and_squared_error_of_the_box():
    found = losses("log_likelihood")
    assert found["class"].tolist() == pytest.approx([-math.log(1 - sigmoid(0.5)), 0])
    assert found["box"].tolist() == pytest.approx([0.01, 0])


def test_huber_grows_in_proportion_beyond_one_standard_deviation():
    far = OUTPUTS.clone()
    far[0, 3] = 3.4  # 3 from the true 0.4
    assert losses("huber", far)["box"][0].item() == pytest.approx(((3 - 0.5) + 3 * 0.1**2 / 2) / 4)


def test_giou_adds_what_the_boxes_do_not_share():
    found = losses("giou")
    said = torch.tensor([[3.5, 0.5, 6.5, 7.5]], dtype=torch.float64)  # center (0.5, 0.4), 0.7 high, 0.3 wide
    expected = 4 * 0.1**2 / 2 / 4 + 1 - generalized_overlap(said, TRUTH.box[:1].double())
    assert found["box"][0].item() == pytest.approx(expected.item())
    assert found["box"][1].item() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_row_20_02_without_an_object_only_presence_has_a_gradient(loss):
    outputs = OUTPUTS.clone().requires_grad_()
    sum(each.sum() for each in losses(loss, outputs).values()).backward()
    assert outputs.grad.isfinite().all()
    assert outputs.grad[1, 0] != 0
    assert not outputs.grad[1, 1:].any()
    assert outputs.grad[0, :9].all()
    assert not outputs.grad[0, 9:].any()  # the point that is not visible


def test_parts_are_counted_where_they_are_asked():
    found = counted(TRUTH, LAYOUT)
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "object": [True, True], "class": [True, False], "box": [True, False], "points": [True, False]}
    plain = Layout(False, 1, True, 0, (10, 10), (0.0,) * 4, (1.0,) * 4)
    assert list(counted(Truth(TRUTH.code, TRUTH.box, None), plain)) == ["box"]
