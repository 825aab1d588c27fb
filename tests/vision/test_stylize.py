"""Style transfer: the eye, the costs as a task, sizes on the way, and the steps on the picture itself."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from orthogon.errors import DataError, Interrupted, RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.style import content_cost, style_cost, total_variation
from orthogon.train.compute import Compute
from orthogon.train.observers import Observer
from orthogon.train.randomness import Draw
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.vision.eye import BORDER, Eye, check_layers, default_layers
from orthogon.vision.one_picture import optimize, options_of, resized, to_pixels, within
from orthogon.vision.squeezenet import squeezenet
from orthogon.vision.stylize import Picture, StyleOptions, Stylize, covering
from orthogon.vision.vgg import vgg

CPU = torch.device("cpu")
GREY = ([127.5] * 3, [127.5] * 3)


def net(kind=vgg, name="vgg11", **options) -> nn.Module:
    torch.manual_seed(0)
    return kind(ModelSpec((InputSpec("image", (3, 64, 64)),), 4), name, **options)


@pytest.fixture
def pictures(tmp_path):
    """A content of 24×32 and a style of 40×30 pixels."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :32]
    Image.fromarray(np.stack([8 * x, 10 * y, 4 * (x + y)], -1).astype(np.uint8)).save(tmp_path / "content.png")
    Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(tmp_path / "style.png")
    return tmp_path


def task_of(folder, **options) -> Stylize:
    options = {"sizes": (16, 32), "content_layers": {"features.4": 1.0},
               "style_layers": {"features.1": 0.5, "features.4": 0.5}} | options
    chosen = StyleOptions(str(folder / "style.png"), **options)
    eye = Eye(net(width=4), sorted({*chosen.content_layers, *chosen.style_layers}), *GREY)
    return Stylize(TaskSettings(), DataSettings(source=str(folder / "content.png")), chosen, eye)


class StopAfter(Observer):
    """Asks for a stop, as Ctrl-C does, when so many steps are done."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_epoch(self, event):
        if event["step"] == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def recipe(**train) -> Recipe:
    chosen = {"optimizer": "lbfgs", "lr": 1.0, "weight_decay": 0.0, "schedule": "constant", "steps": 4, "threads": 1,
              "precision": "fp32", "health": False, "device": "cpu", "channels_last": False} | train
    return Recipe().with_values({f"train.{name}": value for name, value in chosen.items()})


# --- the eye -----------------------------------------------------------------------------------------------------


def test_an_eye_gives_the_maps_before_a_later_layer_writes_over_them():
    network = net(width=4)
    picture = torch.rand(1, 3, 20, 24)
    found = Eye(network, ["features.0", "features.4"], *GREY)(picture)
    padded = nn.functional.pad((picture - 0.5) / 0.5, (BORDER,) * 4, mode="reflect")
    first = network.get_submodule("features.0")(padded)
    torch.testing.assert_close(found["features.0"], first)
    assert (first < 0).any()  # a ReLU in place would have cut these off
    assert list(found) == ["features.0", "features.4"]


def test_an_eye_runs_no_further_than_it_has_to_and_learns_nothing():
    network = net(width=4)
    network.classifier = nn.Module()  # it cannot be called
    eye = Eye(network, ["features.1"], *GREY)
    pixels = torch.rand(1, 3, 16, 16, requires_grad=True)
    eye(pixels)["features.1"].sum().backward()
    assert pixels.grad.abs().sum() > 0  # type: ignore[union-attr]
    assert not any(parameter.requires_grad for parameter in eye.parameters())


def test_average_pooling_takes_the_place_of_maxima():
    found = Eye(net(width=4), ["features.2"], *GREY, average=True)
    layer = found.network.get_submodule("features.2")
    assert isinstance(layer, nn.AvgPool2d)
    x = torch.rand(1, 4, 6, 6)
    torch.testing.assert_close(layer(x), nn.functional.avg_pool2d(x, 2))
    assert isinstance(Eye(net(width=4), ["features.2"], *GREY).network.get_submodule("features.2"), nn.MaxPool2d)


def test_a_network_of_grey_pictures_is_given_the_mean_of_the_channels():
    torch.manual_seed(0)
    grey = vgg(ModelSpec((InputSpec("image", (1, 64, 64)),), 4), "vgg11", width=4)
    picture = torch.rand(1, 3, 16, 16)
    eye = Eye(grey, ["features.1"], [127.5], [127.5])
    mean = picture.mean(1, keepdim=True).expand(1, 3, 16, 16)
    torch.testing.assert_close(eye(picture)["features.1"], eye(mean)["features.1"])


@pytest.mark.parametrize(("kind", "name", "content", "style"), [
    (vgg, "vgg19", "features.26", ["features.3", "features.8", "features.17", "features.26", "features.35"]),
    (squeezenet, "squeezenet1_0", "features.10", ["features.1", "features.5", "features.10", "features.12"]),
])
def test_the_default_layers_are_the_last_of_each_size(kind, name, content, style):
    """Of VGG-19 all ReLUs: relu1_2, relu2_2, relu3_4, relu4_4, relu5_4 in torchvision's numbering."""
    with torch.device("meta"):
        network = kind(ModelSpec((InputSpec("image", (3, 224, 224)),), 10), name)
    assert default_layers(network) == ([content], style)
    if kind is vgg:
        assert all(isinstance(network.get_submodule(layer), nn.ReLU) for layer in style)


def test_a_network_that_names_no_maps_needs_layers_named():
    with pytest.raises(RecipeError, match="does not say which of its layers") as caught:
        default_layers(nn.Sequential(nn.Conv2d(3, 4, 3)))
    assert "--layers" in caught.value.remedy


def test_layers_that_do_not_exist_are_refused_with_those_that_do():
    with pytest.raises(RecipeError, match="no layer 'relu9_9'") as caught:
        check_layers(net(width=4), ["features.1", "relu9_9"], 3, 64)
    assert "features.0, features.1, features.2" in caught.value.remedy


# --- the task ----------------------------------------------------------------------------------------------------


def test_the_loss_is_alpha_content_plus_beta_style_each_relative_to_maps_of_zeros(pictures):
    """Rows 22.02, 22.04, 22.06, 22.07: S and G are compared, C and G are compared, layers count by λ."""
    task = task_of(pictures, alpha=2.0, beta=3.0, smoothness=4.0, style_layers={"features.1": 0.8, "features.4": 0.2})
    torch.manual_seed(1)
    model = Picture(torch.rand(1, 3, 24, 32))
    parts = {part.name: part for part in task.loss(model, task.batch(torch.empty(0))).parts}
    assert {name: part.weight for name, part in parts.items()} == {"content": 2.0, "style": 3.0, "variation": 4.0}
    content, style = task.content, resized(task.style, (32, 24))
    of_c, of_s, of_g = (task.eye(each) for each in (content, style, model.pixels))

    def relative(cost, name, of):
        return cost(of_g[name], of[name]) / cost(torch.zeros_like(of[name]), of[name])

    expected = relative(content_cost, "features.4", of_c)
    torch.testing.assert_close(parts["content"].sum, expected.squeeze())
    expected = 0.8 * relative(style_cost, "features.1", of_s) + 0.2 * relative(style_cost, "features.4", of_s)
    torch.testing.assert_close(parts["style"].sum, expected.squeeze())
    torch.testing.assert_close(parts["variation"].sum, total_variation(model.pixels).squeeze())
    figures = task.figures(model)
    assert list(figures) == ["style", "content", "variation"]
    assert figures["content"] == pytest.approx(float(parts["content"].sum.detach()))


def test_a_plain_step_goes_down_the_gradient_of_j_not_along_j_itself(pictures):
    """E42 (row 22.03): G ← G − α ∂J/∂G."""
    task = task_of(pictures, sizes=(32,))
    settings = recipe(optimizer="sgd", lr=0.5, steps=1).train
    step = task.step(Picture(task.first_picture(0)), settings, Compute(CPU), None)  # type: ignore[arg-type]
    before = step.model().get_parameter("pixels").detach().clone().requires_grad_()
    parts = task.loss(Picture(before), task.batch(torch.empty(0))).parts
    model = Picture(before.detach())
    parts = task.loss(model, task.batch(torch.empty(0))).parts
    slope = torch.autograd.grad(sum(part.weight * part.sum for part in parts), model.pixels)[0]
    step(torch.empty(0, dtype=torch.int64), Draw(0, 0, 0, CPU))
    torch.testing.assert_close(step.model().get_parameter("pixels").detach(), before.detach() - 0.5 * slope)
    assert slope.abs().max() > 1e-4


def test_the_first_picture_is_content_style_or_random_and_of_the_first_size(pictures):
    task = task_of(pictures, start="content")
    torch.testing.assert_close(task.first_picture(0), resized(task.content, (12, 16)))
    assert torch.equal(task_of(pictures, start="style").first_picture(0), resized(
        covering(task.style, (12, 16)), (12, 16)))
    first, again, other = (task_of(pictures, start="random").first_picture(seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (1, 3, 12, 16)


def test_a_style_that_covers_is_cut_in_the_middle():
    style = torch.arange(24.0).reshape(1, 1, 4, 6) / 24
    torch.testing.assert_close(covering(style, (4, 4)), style[..., 1:5])
    torch.testing.assert_close(covering(style, (2, 6)), style[:, :, 1:3])


def test_the_picture_grows_on_the_way_and_every_size_has_its_share_of_steps(pictures):
    task = task_of(pictures)
    step = task.step(Picture(task.first_picture(0)), recipe(steps=5).train, Compute(CPU), None)  # type: ignore[arg-type]
    shapes = []
    for number in range(5):
        step(torch.empty(0, dtype=torch.int64), Draw(0, 0, number, CPU))
        shapes.append(tuple(step.model().get_parameter("pixels").shape[2:]))
    assert shapes == [(12, 16)] * 3 + [(24, 32)] * 2


def test_costs_fall_and_a_stopped_run_ends_with_the_same_pixels(pictures, tmp_path):
    """Across the step at which the picture is enlarged, with the memory of L-BFGS on both sides of it."""
    wanted = recipe(steps=5, checkpoint_steps=1)

    def made():
        task = task_of(pictures, start="random")
        return task, Picture(task.first_picture(0))

    task, model = made()
    run = Run.create(wanted, tmp_path, "whole")
    whole = optimize(task, model, wanted, run)
    losses = [line["train_loss"] for line in run.metrics() if line["event"] == "epoch"]
    assert losses[2] < losses[1] < losses[0] / 2
    assert losses[4] < losses[3]
    for stop in (2, 4):
        cut = Run.create(wanted, tmp_path, f"cut-{stop}")
        with pytest.raises(Interrupted):
            optimize(*made(), wanted, cut, [StopAfter(stop)])
        found = optimize(*made(), wanted, cut)
        assert torch.equal(found.get_parameter("pixels"), whole.get_parameter("pixels"))
    taken = sorted(path.name for path in (run.path / "snapshots").glob("*.png"))
    assert taken == [f"{step:08d}.png" for step in range(6)]


def test_sheets_are_the_picture_made_the_content_and_the_style(pictures):
    task = task_of(pictures)
    model = Picture(torch.full((1, 3, 24, 32), 2.0))
    sheets = {sheet.name: sheet.picture for sheet in task.sheets(model, np.empty(0))}
    assert {name: picture.shape for name, picture in sheets.items()} == {
        "picture": (24, 32, 3), "content": (24, 32, 3), "style": (32, 24, 3)}
    assert (sheets["picture"] == 255).all()
    assert task.title == "content in the style of style"


# --- bad input ---------------------------------------------------------------------------------------------------


def test_units_that_see_all_of_the_style_picture_are_said(pictures):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)).save(
        pictures / "style.png")
    said = task_of(pictures).warnings()
    assert len(said) == 1
    assert "a unit of features.4 sees 6×7 pixels, all of the style picture (6×7)" in said[0]
    assert not task_of(pictures, style_layers={"features.1": 1.0}).warnings()


def test_pictures_without_contrast_are_refused(pictures):
    Image.new("RGB", (20, 20), (7, 90, 7)).save(pictures / "style.png")
    assert np.asarray(Image.open(pictures / "style.png")).std() > 0  # between its channels alone
    with pytest.raises(DataError, match="the style picture has no contrast"):
        task_of(pictures)


@pytest.mark.parametrize(("options", "what"), [
    ({"start": "contents"}, "cannot start from 'contents'"), ({"pooling": "min"}, "no pooling 'min'"),
    ({"alpha": -1.0}, "alpha is -1"), ({"beta": float("nan")}, "beta is nan"), ({"alpha": 0.0, "beta": 0.0}, "both 0"),
    ({"sizes": ()}, "sizes are"), ({"sizes": (8, 32)}, "sizes are"),
])
def test_options_that_make_no_sense_are_refused(options, what):
    with pytest.raises(RecipeError, match=what) as caught:
        StyleOptions("style.png", **options)
    assert caught.value.remedy
    assert caught.value.where


def test_options_that_do_not_exist_are_refused_with_the_nearest():
    with pytest.raises(RecipeError, match="no option 'betta'") as caught:
        options_of(StyleOptions, {"style": "a.png", "betta": 3})
    assert "'beta'" in caught.value.remedy


def test_pixels_are_rounded_and_cut():
    picture = torch.tensor([[[-1.0, 0.5, 2.0]]]).expand(3, 1, 3)
    assert to_pixels(picture)[0, :, 0].tolist() == [0, 128, 255]
    assert within(torch.zeros(1, 3, 100, 300), 60) == (20, 60)
