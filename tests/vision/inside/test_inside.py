"""What networks look at, on networks that were made to look at something known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.registry import models
from orthogon.vision.inside.grad_cam import grad_cam, over_picture
from orthogon.vision.inside.layers import check_layer, chosen_layers, layers
from orthogon.vision.inside.occlusion import occlusion
from orthogon.vision.inside.patches import top_patches

CROSS = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]])


def _pictures(n: int = 20, height: int = 12, width: int = 15) -> Tensor:
    return torch.rand(n, 1, height, width, generator=torch.Generator().manual_seed(3)) * 0.5


def _cross_finder() -> nn.Sequential:
    """Unit 0 answers to a cross; unit 1 to bright pixels; unit 2 never."""
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].weight[0, 0] = 2 * CROSS - 1
        model[0].weight[1, 0, 1, 1] = 1.0
        model[0].bias.copy_(torch.tensor([0.0, 0.0, -1.0]))
    return model


def test_a_unit_made_for_a_pattern_finds_where_the_pattern_was_planted() -> None:
    pictures, planted = _pictures(), {4: (2, 3), 11: (7, 0), 17: (0, 12)}
    for strength, (number, (row, column)) in enumerate(planted.items()):
        pictures[number, 0, row : row + 3, column : column + 3] = CROSS * (3 - 0.5 * strength)
    found = top_patches(_cross_finder(), pictures.split(7), ["1"], count=3)["1"]
    assert found.pictures[0].tolist() == [4, 11, 17]
    assert found.rectangles[0].tolist() == [[c, r, c + 3, r + 3] for r, c in planted.values()]
    assert found.values[0].tolist() == pytest.approx([15.0, 12.5, 10.0])
    assert found.size == (3, 3)


@pytest.mark.parametrize("batch", [1, 7, 20])
@pytest.mark.parametrize("one_per_picture", [True, False])
def test_top_patches_are_the_best_of_all_places_however_pictures_come_in_batches(
    batch: int, one_per_picture: bool
) -> None:
    pictures, model = _pictures(), _cross_finder()
    answers = model[0](pictures).relu()[:, 1]  # 20 × 10 × 13
    found = top_patches(model, pictures.split(batch), ["1"], 9, one_per_picture=one_per_picture)["1"]
    best = answers.amax((1, 2)) if one_per_picture else answers.flatten()
    assert torch.equal(found.values[1], best.sort(descending=True).values[:9])
    assert (len(set(found.pictures[1].tolist())) == 9) is one_per_picture
    for value, number, (left, top, *_) in zip(found.values[1], found.pictures[1], found.rectangles[1], strict=True):
        assert answers[number, top, left] == value


def test_selectivity_is_how_far_the_shown_answers_lie_above_all_answers_in_standard_deviations() -> None:
    pictures, model = _pictures(), _cross_finder()
    answers = model[0](pictures).relu()
    found = top_patches(model, pictures.split(6), ["1"], 9)["1"]
    expected = (found.values[1].mean() - answers[:, 1].mean()) / answers[:, 1].std(correction=0)
    assert found.selectivity[1].item() == pytest.approx(expected.item(), rel=1e-4)
    assert found.selectivity[2].item() == 0.0


def test_several_layers_are_listened_to_in_one_pass_and_each_has_its_own_rectangles() -> None:
    model = models.load("lenet5")(ModelSpec((InputSpec("image", (1, 28, 28)),), 10))
    pictures = _pictures(12, 28, 28)
    found = top_patches(model, [pictures], ["c1", "s4"], 4)
    assert {name: (tuple(each.values.shape), each.size) for name, each in found.items()} == {
        "c1": ((6, 4), (5, 5)), "s4": ((16, 4), (16, 16))}


def test_fewer_pictures_than_patches_give_fewer_patches() -> None:
    assert top_patches(_cross_finder(), [_pictures(2)], ["0"])["0"].values.shape == (3, 2)


def test_without_pictures_there_is_nothing_to_look_at() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        top_patches(_cross_finder(), [], ["0"])


class LeftHalf(nn.Module):
    """Class 1 is what is bright in the left half; class 0 is always 0."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x[:, 0, :, : x.shape[3] // 2].mean((1, 2)) * 4
        return torch.stack([torch.zeros_like(bright), bright], dim=1)


def test_covering_what_a_classifier_looks_at_drops_its_probability_and_nothing_else_does() -> None:
    picture = torch.ones(1, 1, 12, 16)
    heat = occlusion(LeftHalf(), picture, 1, side=4, step=2)
    assert heat.shape == (12, 16)
    assert (heat[:, :8] > 0.001).all()
    assert torch.allclose(heat[:, 10:], torch.zeros(12, 6), atol=1e-6)
    assert torch.allclose(occlusion(LeftHalf(), picture, 0, side=4, step=2), -heat, atol=1e-6)


def test_occlusion_is_the_mean_drop_over_the_squares_that_cover_a_pixel() -> None:
    picture, model = _pictures(1, 9, 11), LeftHalf()
    total, count = torch.zeros(9, 11), torch.zeros(9, 11)
    whole = model(picture).softmax(1)[0, 1]
    for top in range(-2, 9, 2):
        for left in range(-2, 11, 2):
            rows = slice(max(0, top), max(0, top + 4))
            columns = slice(max(0, left), max(0, left + 4))
            covered = picture.clone()
            covered[..., rows, columns] = 0.25
            total[rows, columns] += whole - model(covered).softmax(1)[0, 1]
            count[rows, columns] += 1
    assert torch.allclose(occlusion(model, picture, 1, side=4, step=2, fill=0.25), total / count, atol=1e-6)


def test_the_square_of_occlusion_is_a_quarter_of_the_shorter_side_and_moves_by_half_of_it() -> None:
    picture = _pictures(1, 16, 24)
    assert torch.equal(occlusion(LeftHalf(), picture, 1), occlusion(LeftHalf(), picture, 1, side=4, step=2, fill=0.0))


def _mean_then_linear(inplace: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize("layer", ["2", "1"])
def test_grad_cam_is_the_class_activation_map_behind_a_mean_and_a_linear_layer(layer: str) -> None:
    model, pictures, classes = _mean_then_linear(inplace=True).eval(), _pictures(5), torch.tensor([0, 1, 2, 1, 0])
    maps = model[1](model[0](pictures))
    positive = maps > 0
    weight = model[5].weight[classes]  # n × 4
    if layer == "2":
        slope = weight / maps[0, 0].numel()
        maps = maps.relu()
    else:
        slope = weight * positive.float().mean((2, 3)) / maps[0, 0].numel()
    expected = torch.einsum("nk,nkhw->nhw", slope, maps).clamp(min=0)
    found = grad_cam(model, pictures, classes, layer)
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.max() > 0


def test_grad_cam_is_warm_where_the_classifier_looks() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), LeftHalf())
    nn.init.ones_(model[0].weight)
    picture = torch.zeros(1, 1, 8, 8)
    picture[..., 2:4, 1:3] = 1.0
    heat = grad_cam(model, picture, torch.tensor([1]), "0")[0]
    assert torch.equal(heat > 0, picture[0, 0] > 0)


def test_grad_cam_needs_no_trainable_parameter_and_leaves_the_network_as_it_was() -> None:
    model = _mean_then_linear().requires_grad_(False).train()
    expected = grad_cam(_mean_then_linear().eval(), _pictures(2), torch.tensor([0, 2]), "0")
    assert torch.equal(grad_cam(model, _pictures(2), torch.tensor([0, 2]), "0"), expected)
    assert all(module.training for module in model)
    assert not any(module._forward_hooks for module in model)


def test_heat_is_brought_to_the_size_of_the_picture_by_straight_lines() -> None:
    heat = over_picture(torch.tensor([[[0.0, 4.0]]]), 2, 4)
    assert heat.tolist() == [[[0.0, 1.0, 3.0, 4.0], [0.0, 1.0, 3.0, 4.0]]]


def test_layers_are_listed_in_the_order_in_which_they_run_with_the_size_of_their_maps() -> None:
    model = models.load("lenet5")(ModelSpec((InputSpec("image", (1, 28, 28)),), 10))
    found = layers(model, torch.zeros(3, 1, 28, 28))
    assert [tuple(layer)[:5] for layer in found] == [
        ("c1", "Conv2d", 6, 28, 28), ("a1", "ReLU", 6, 28, 28), ("s2", "MaxPool2d", 6, 14, 14),
        ("c3", "Conv2d", 16, 10, 10), ("a3", "ReLU", 16, 10, 10), ("s4", "MaxPool2d", 16, 5, 5)]


def test_a_layer_that_hands_on_what_another_computed_says_so() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Identity()), nn.ReLU(), nn.Dropout(), nn.Flatten())
    found = {layer.name: layer.same_as for layer in layers(model, torch.zeros(1, 1, 6, 6))}
    assert found == {"0.0": "", "0.1": "0.0", "0": "0.0", "1": "", "2": "1"}


class Reused(nn.Module):
    """One activation, in place, for two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far, self.active = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.active(self.far(self.active(self.near(x)))).flatten(1)


def test_of_a_module_that_runs_twice_the_last_time_counts() -> None:
    model, pictures = Reused(), _pictures(10)
    assert [tuple(layer) for layer in layers(model, pictures)] == [
        ("near", "Conv2d", 2, 10, 13, ""), ("far", "Conv2d", 2, 8, 11, ""), ("active", "ReLU", 2, 8, 11, "")]
    best = top_patches(model, pictures.split(4), ["active", "near"], 3)
    last = model.far(model.near(pictures).relu()).relu()
    assert best["active"].size == (5, 5)
    assert torch.allclose(best["active"].values, last.amax((2, 3)).T.sort(descending=True).values[:, :3])
    before = model.near(pictures).amax((2, 3)).T.sort(descending=True).values[:, :3]
    assert torch.allclose(best["near"].values, before)


def test_an_early_a_middle_and_the_last_of_the_last_maps_of_each_size_are_chosen() -> None:
    shapes = (3, 1), (1, 1), (2, 2), (1, 1), (2, 2)
    model = nn.Sequential(*(nn.Conv2d(1, 1, kernel, stride) for kernel, stride in shapes))
    assert [layer.name for layer in chosen_layers(model, torch.zeros(1, 1, 14, 14))] == ["1", "3", "4"]


def test_padding_before_the_first_layer_with_parameters_is_passed_over() -> None:
    model = nn.Sequential(nn.ZeroPad2d(2), nn.Conv2d(1, 1, 2, stride=2), nn.Tanh(), nn.Tanh())
    assert [layer.name for layer in chosen_layers(model, torch.zeros(1, 1, 6, 6))] == ["1", "2", "3"]


def test_of_a_picture_network_the_maps_that_it_names_are_chosen() -> None:
    class Named(PictureNetwork):
        head = output = "last"
        maps = tuple(FeatureMap(f"trunk.{k}", 1, 1) for k in (0, 1, 2, 4))  # type: ignore[assignment]

        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(5)))
            self.last = nn.Linear(1, 2)

        def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
            return (self.trunk(picture),)

        def classify(self, last: Tensor) -> Tensor:
            return self.last(last.mean((2, 3)))

    chosen = chosen_layers(Named(), torch.zeros(1, 1, 6, 6))
    assert [layer.name for layer in chosen] == ["trunk.0", "trunk.1", "trunk.4"]


def test_a_network_without_maps_has_no_layers() -> None:
    model = models.load("mlp")(ModelSpec((InputSpec("image", (1, 28, 28)),), 10))
    assert chosen_layers(model, torch.zeros(1, 1, 28, 28)) == []


def test_a_network_of_one_size_of_maps_is_looked_into_at_its_first_middle_and_last_layer() -> None:
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(5)), nn.Flatten())
    assert [layer.name for layer in chosen_layers(model, torch.zeros(1, 1, 6, 6))] == ["0", "2", "4"]


@pytest.mark.parametrize("look", [
    lambda model, x: top_patches(model, [x], ["c2"]), lambda model, x: check_layer(model, x, "c2"),
    lambda model, x: grad_cam(model, x, torch.zeros(2, dtype=torch.int64), "c2"),
])
def test_an_unknown_layer_is_refused_with_the_names_of_those_that_there_are(look: object) -> None:
    model = models.load("lenet5")(ModelSpec((InputSpec("image", (1, 28, 28)),), 10))
    with pytest.raises(RecipeError, match="no layer 'c2' that gives maps") as caught:
        look(model, torch.zeros(2, 1, 28, 28))  # type: ignore[operator]
    assert caught.value.remedy == "Layers with maps: c1, a1, s2, c3, a3, s4."
