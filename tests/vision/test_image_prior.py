"""The deep image prior: what it is fitted to, its running means, when it stops, and what it gains."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from orthogon.errors import DataError, RecipeError
from orthogon.train.randomness import Draw
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.vision.hourglass import Hourglass
from orthogon.vision.image_prior import NOISE, WARM, ImagePrior, PriorOptions, Restore, input_shape, psnr
from orthogon.vision.one_picture import optimize, resized

CPU = torch.device("cpu")


def stripes(high: int = 24, wide: int = 32) -> np.ndarray:
    """Broad bands of two colors, and a disc."""
    y, x = np.mgrid[:high, :wide]
    picture = np.where(((x + y) // 6 % 2 == 0)[..., None], (210, 60, 40), (30, 90, 160))
    return np.where(((y - 10) ** 2 + (x - 18) ** 2 < 36)[..., None], (240, 230, 190), picture).astype(np.uint8)


@pytest.fixture
def pictures(tmp_path):
    """truth.png, noisy.png (deviation 25), mask.png (half of the pixels), holed.png and small.png."""
    draws, truth = np.random.default_rng(0), stripes()
    kept = draws.random(truth.shape[:2]) < 0.5
    for name, picture in {
        "truth": truth, "noisy": np.clip(truth + draws.normal(0, 25, truth.shape), 0, 255).astype(np.uint8),
        "mask": np.uint8(255 * kept), "holed": truth * kept[..., None].astype(np.uint8),
        "small": truth.reshape(12, 2, 16, 2, 3).mean((1, 3)).round().astype(np.uint8),
    }.items():
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    return tmp_path


def task_of(folder, name: str, how: str, **options) -> Restore:
    options = {"widths": (8, 16)} | {key: str(folder / value) if isinstance(value, str) else value
                                    for key, value in options.items()}
    return Restore(TaskSettings(), DataSettings(source=str(folder / f"{name}.png")), PriorOptions(how, **options))


def recipe(**train) -> Recipe:
    chosen = {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.0, "schedule": "constant", "steps": 30, "threads": 1,
              "precision": "fp32", "health": False, "device": "cpu", "channels_last": False} | train
    return Recipe().with_values({f"train.{name}": value for name, value in chosen.items()})


# --- the network and its running means ---------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(8,), (8, 16), (4, 8, 16)])
def test_an_hourglass_gives_pictures_of_the_size_of_its_input_in_0_to_1(widths):
    torch.manual_seed(0)
    network = Hourglass(5, 3, widths)
    with torch.no_grad():
        made = network(torch.randn(1, 5, 16, 24))
    assert made.shape == (1, 3, 16, 24)
    assert 0 < made.min() < made.max() < 1
    # A change at one place reaches far: through the levels, not only through the first filters.
    x = torch.zeros(1, 5, 16, 24)
    network.eval()
    with torch.no_grad():
        moved = (network(x + torch.nn.functional.one_hot(torch.tensor(0), 24).float()) - network(x)).abs().amax((0, 1))
    assert int((moved.amax(0) > 0).nonzero().max()) >= 2 ** (len(widths) + 1) - 2


def test_an_hourglass_without_levels_is_refused():
    with pytest.raises(ValueError, match="without levels"):
        Hourglass(3, 3, ())


def test_pictures_of_any_size_are_made_from_noise_whose_sides_can_be_halved():
    assert input_shape((24, 33), (8, 16)) == (1, 16, 24, 36)
    assert input_shape((3, 3), (8, 16, 32)) == (1, 16, 16, 16)
    model = ImagePrior((21, 33), (8, 16), 0)
    noise = model.get_buffer("noise")
    assert noise.shape == (1, 16, 24, 36)
    assert noise.min() >= 0
    assert float(noise.max()) == pytest.approx(NOISE, rel=0.01)
    assert model(torch.zeros(())).shape == (1, 3, 21, 33)


def test_the_same_seed_makes_the_same_network_and_leaves_the_global_state_alone():
    before = torch.random.get_rng_state()
    first, again, other = (ImagePrior((16, 16), (8,), seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["network.last.weight"], other["network.last.weight"])
    assert not torch.equal(first["noise"], other["noise"])


def test_running_means_are_those_of_their_recursions():
    model = ImagePrior((4, 4), (4,), 0)
    draws = torch.Generator().manual_seed(0)
    average, recent, variance = (np.full((1, 3, 4, 4), 0.5), np.full((1, 3, 4, 4), 0.5), 0.0)
    for age in range(1, 130):
        output = torch.rand(1, 3, 4, 4, generator=draws)
        model.follow(output)
        x = output.numpy().astype(float)
        apart = ((x - recent) ** 2).mean()
        average += max(0.01, 1 / age) * (x - average)
        recent += max(0.1, 1 / age) * (x - recent)
        variance += max(0.02, 1 / age) * (apart - variance)
    np.testing.assert_allclose(model.get_buffer("average").numpy(), average, rtol=1e-4)
    np.testing.assert_allclose(model.get_buffer("recent").numpy(), recent, rtol=1e-4)
    assert float(model.get_buffer("variance")) == pytest.approx(variance, rel=1e-4)
    assert int(model.get_buffer("seen")) == 129


# --- the task ----------------------------------------------------------------------------------------------------


def test_each_way_is_fitted_to_what_the_damage_leaves(pictures):
    output = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(1))

    class Given(torch.nn.Module):
        def forward(self, shake):
            return output

    def misfit(task):
        part, = task.loss(Given().eval(), task.batch(torch.empty(0))).parts
        assert (part.name, part.weight, part.count) == ("misfit", 1.0, 1.0)
        return float(part.sum)

    noisy, holed, small = (torch.tensor(np.asarray(Image.open(pictures / f"{name}.png")) / 255).permute(2, 0, 1)
                           for name in ("noisy", "holed", "small"))
    kept = torch.tensor(np.asarray(Image.open(pictures / "mask.png")) > 0)
    squares = (output[0] - noisy).square()
    assert misfit(task_of(pictures, "noisy", "denoise")) == pytest.approx(float(squares.mean()), rel=1e-5)
    squares = (output[0] - holed).square()[:, kept]
    inpainted = misfit(task_of(pictures, "holed", "inpaint", mask="mask.png"))
    assert inpainted == pytest.approx(float(squares.mean()), rel=1e-5)
    averaged = output[0].reshape(3, 12, 2, 16, 2).mean((2, 4))
    assert misfit(task_of(pictures, "small", "enlarge")) == pytest.approx(
        float((averaged - small).square().mean()), rel=1e-5)


def test_the_noise_is_shaken_anew_at_each_step_and_not_when_one_looks(pictures):
    task = task_of(pictures, "noisy", "denoise")
    shakes = [task.batch(torch.empty(0), Draw(0, 0, step, CPU)).inputs[0] for step in (0, 0, 1)]
    assert torch.equal(shakes[0], shakes[1])
    assert not torch.equal(shakes[0], shakes[2])
    assert shakes[0].shape == input_shape((24, 32), (8, 16))
    assert float(shakes[0].std()) == pytest.approx(0.01, rel=0.02)
    assert not task.batch(torch.empty(0)).inputs[0].any()


def test_psnr_and_what_there_is_without_a_network(pictures):
    task = task_of(pictures, "holed", "inpaint", mask="mask.png", truth="truth.png")
    truth, kept = stripes() / 255, np.asarray(Image.open(pictures / "mask.png")) > 0
    simple = np.where(kept[..., None], truth, truth[kept].mean(0))
    np.testing.assert_allclose(task.simple()[0].permute(1, 2, 0).numpy(), simple, atol=1e-6)
    error = ((simple - truth) ** 2).mean()
    assert psnr(task.simple()[0], task.truth[0]) == pytest.approx(-10 * math.log10(error), abs=1e-3)
    assert psnr(torch.tensor([2.0]), torch.tensor([0.5])) == pytest.approx(-10 * math.log10(0.25))
    large = task_of(pictures, "small", "enlarge")
    torch.testing.assert_close(large.simple(), resized(large.given, (24, 32)))


def test_figures_say_nothing_of_variance_before_it_is_warm(pictures):
    task = task_of(pictures, "noisy", "denoise", truth="truth.png")
    model = task.model(0)
    model.get_buffer("variance").fill_(0.25)
    model.get_buffer("seen").fill_(WARM - 1)
    assert task.figures(model)["variance"] == math.inf
    assert task.score(task.figures(model)) == -math.inf
    model.get_buffer("seen").fill_(WARM)
    found = task.figures(model)
    assert list(found) == ["psnr", "gain", "variance"]
    assert task.score(found) == -0.25
    grey = -10 * math.log10(((stripes() / 255 - 0.5) ** 2).mean())
    assert found["psnr"] == pytest.approx(grey, abs=1e-3)
    assert found["gain"] == pytest.approx(grey - psnr(task.given[0], task.truth[0]), abs=1e-3)
    assert list(task_of(pictures, "noisy", "denoise").figures(model)) == ["variance"]


def test_noise_is_taken_out_and_a_stopped_run_ends_with_the_same_bits(pictures, tmp_path):
    from test_stylize import StopAfter

    from orthogon.errors import Interrupted

    wanted = recipe(steps=120, lr=0.02, checkpoint_steps=40, keep_best=True, early_stopping=30)

    def made():
        task = task_of(pictures, "noisy", "denoise", truth="truth.png", widths=(16,))
        return task, task.model(0)

    task, model = made()
    whole = optimize(task, model, wanted, Run.create(wanted, tmp_path, "whole"))
    assert task.figures(whole)["gain"] > 4
    cut = Run.create(wanted, tmp_path, "cut")
    with pytest.raises(Interrupted):
        optimize(*made(), wanted, cut, [StopAfter(80)])
    found = optimize(*made(), wanted, cut)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name


def test_it_goes_back_to_where_the_variance_was_lowest(pictures, tmp_path):
    wanted = recipe(steps=60, keep_best=True, early_stopping=2)

    class Planned(Restore):
        """Variances by step, as if noise were learnt from step 30 on."""

        def figures(self, model):
            return {"variance": {10: 3.0, 20: 1.0, 30: 2.0, 40: 2.5}.get(int(model.get_buffer("seen")), 9.0)}

    source = DataSettings(source=str(pictures / "noisy.png"))
    task = Planned(TaskSettings(), source, PriorOptions("denoise", widths=(4,)))
    run = Run.create(wanted, tmp_path, "run")
    model = optimize(task, task.model(0), wanted, run)
    assert int(model.get_buffer("seen")) == 20
    assert [line["step"] for line in run.metrics() if line["event"] == "epoch"] == [10, 20, 30, 40]


# --- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "options", "what"), [
    ("denoize", {}, "restored by 'denoize'"), ("inpaint", {}, "inpaint needs a mask"),
    ("denoise", {"mask": "mask.png"}, "denoise has no use for a mask"), ("enlarge", {"factor": 1}, "enlarged 1 times"),
])
def test_options_that_make_no_sense_are_refused(how, options, what):
    with pytest.raises(RecipeError, match=what) as caught:
        PriorOptions(how, **options)
    assert caught.value.remedy


def test_masks_and_truths_that_do_not_fit_are_refused(pictures):
    with pytest.raises(DataError, match="the mask has 12×16 pixels, the picture 24×32"):
        task_of(pictures, "holed", "inpaint", mask="small.png")
    for color, word in ((0, "black"), (255, "white")):
        Image.new("L", (32, 24), color).save(pictures / "flat.png")
        with pytest.raises(DataError, match=f"the mask is all {word}"):
            task_of(pictures, "holed", "inpaint", mask="flat.png")
    with pytest.raises(DataError, match="truth has 24×32 pixels, the restored picture will have 48×64"):
        task_of(pictures, "noisy", "enlarge", truth="truth.png")
    Image.new("RGB", (32, 24), (9, 99, 200)).save(pictures / "flat.png")
    with pytest.raises(DataError, match="has no contrast"):
        task_of(pictures, "flat", "denoise")
