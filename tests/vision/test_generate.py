"""Generating: what rows say of samples, the baselines, the signs of failure, the pictures, what is refused (23.11)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import orthogon as og
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.stats.two_samples import all_distances, distances, energy_values
from orthogon.train.compute import Compute
from orthogon.train.evaluate import as_rows, evaluate, metrics_document, predict
from orthogon.train.randomness import normal_by_row
from orthogon.train.rows import Rows
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.verbs.listing import METRICS
from orthogon.vision.gan import GAN, gan
from orthogon.vision.generate import Generate
from orthogon.vision.generate_baselines import PixelGaussian, PixelMixture
from orthogon.vision.generate_sheets import _between, grid, sheets
from orthogon.vision.generate_signs import signs
from orthogon.vision.random_features import RandomFeatures

CPU = Compute(torch.device("cpu"))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    data = og.read("digits")
    return data.take(np.random.default_rng(0).permutation(len(data)))  # neighbors are of one writer


def fitted(data, rows, **settings):
    task = Generate(TaskSettings(**settings), DataSettings())
    task.fit(data, rows)
    task.attach(data, torch.device("cpu"))
    return task


@pytest.fixture(scope="module")
def task(digits) -> Generate:
    return fitted(digits, np.arange(600))


class Shows(nn.Module):
    """A generator without learning: for the k-th noise that it is given, the k-th of these pictures."""

    latent = 3

    def __init__(self, pictures):
        super().__init__()
        self.pictures, self.at = pictures, 0

    def forward(self, noise):
        start, self.at = self.at, self.at + len(noise)
        return self.pictures[start:self.at]


class Brightness(nn.Module):
    def forward(self, pictures):
        return pictures.mean((1, 2, 3))[:, None]


def pictures_of(task, rows):
    return task.batch(torch.as_tensor(rows)).inputs[0]


def shown(task, rows, pictures):
    return predict(task, GAN(Shows(pictures), Brightness()), np.asarray(rows), CPU)


# --- the eye -----------------------------------------------------------------------------------------------------


def test_features_are_drawn_from_a_key_and_are_the_same_for_everybody():
    state = torch.random.get_rng_state()
    one, other = RandomFeatures(1), RandomFeatures(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    picture = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
    assert torch.equal(one.of(picture), other.of(picture))
    assert one.of(picture).shape == (1, 64)
    assert RandomFeatures(3).of(torch.rand(5, 3, 30, 22)).shape == (5, 64)


def test_features_notice_blur_more_than_pixels_do_and_noise_as_well(task):
    first, second = pictures_of(task, np.arange(600, 1000)), pictures_of(task, np.arange(1000, 1400))
    blurred = F.avg_pool2d(second, 3, 1, 1)

    def relative(eye, made):
        x, y = eye(first).numpy(), eye(made).numpy()
        return energy_values(all_distances(x, y)).mean() / distances(x, x).mean()

    eye = task.eye.of
    assert abs(relative(eye, second)) < 0.01
    noisy = (second + 0.15 * torch.randn(second.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert relative(eye, blurred) > 1.2 * relative(lambda x: x.flatten(1), blurred) > 0.002
    assert relative(eye, noisy) > 0.005


# --- rows --------------------------------------------------------------------------------------------------------


def test_other_real_pictures_as_samples_cannot_be_told_apart(task):
    """The best that a generator can do."""
    found = shown(task, np.arange(600, 1100), pictures_of(task, np.arange(1100, 1600)))
    energy = found["energy"].astype(float)
    assert abs(energy.mean()) < 4 * energy.std() / 500**0.5
    assert abs(found["told"].mean() - 0.5) < 0.06
    assert found["covered"].mean() > 0.92
    assert abs(found["spread"].mean() - 1) < 0.03
    assert abs(found["copied"].mean() - 0.5) < 0.08


def test_copies_of_train_pictures_are_nearer_to_these_than_held_out_ones(task):
    found = shown(task, np.arange(600, 800), pictures_of(task, np.arange(200)))
    assert found["copied"].mean() > 0.99
    assert found["energy"].mean() < 0.01


def test_a_train_picture_is_not_its_own_neighbor(task):
    found = shown(task, np.arange(100), pictures_of(task, np.arange(600, 700)))
    assert 0.3 < found["copied"].mean() < 0.7


def test_one_picture_again_and_again_covers_little(task):
    found = shown(task, np.arange(600, 800), pictures_of(task, np.repeat(3, 200)))
    assert found["covered"].mean() < 0.2
    assert found["spread"].mean() < 1e-3


def test_rows_hold_what_the_discriminator_says_and_loses(task):
    rows, made = np.arange(600, 620), pictures_of(task, np.arange(620, 640))
    found = shown(task, rows, made)
    real, fake = (each.mean((1, 2, 3)).sigmoid() for each in (pictures_of(task, rows), made))
    np.testing.assert_allclose(found["prediction"], real, rtol=1e-5)
    np.testing.assert_allclose(found["loss"], -(real.log() + (1 - fake).log()), rtol=1e-5)
    assert "of_picture" not in found
    assert "of_sample" not in found


def test_energy_is_told_in_mean_distances_of_train_pictures(task):
    rows, made = np.arange(600, 650), pictures_of(task, np.arange(650, 700)).square()
    found = shown(task, rows, made)
    features = task.eye.of(pictures_of(task, np.sort(np.random.default_rng(0).permutation(600)))).numpy()
    scale = distances(features, features).sum() / (600 * 599)
    expected = energy_values(all_distances(task.eye.of(pictures_of(task, rows)).numpy(), task.eye.of(made).numpy()))
    np.testing.assert_allclose(found["energy"], expected / scale, rtol=1e-4, atol=1e-6)


def test_a_large_part_is_compared_block_by_block(task, monkeypatch):
    monkeypatch.setattr("orthogon.vision.generate.TOGETHER", 50)
    rows, made = np.arange(600, 720), pictures_of(task, np.arange(720, 840)).sqrt()
    whole = shown(task, rows, made)
    pieces = [shown(task, rows[part], made[part]) for part in np.split(np.arange(120), 3)]
    for name in ("energy", "told", "covered", "dense", "spread", "copied"):
        np.testing.assert_allclose(whole[name], np.concatenate([piece[name] for piece in pieces]), rtol=1e-4, atol=1e-5)


def test_samples_belong_to_rows_whatever_the_batch(task):
    torch.manual_seed(0)
    model = gan(task.spec, latent=6, width=4).eval()
    rows = np.arange(700, 760)
    whole, small = predict(task, model, rows, CPU), predict(task, model, rows, CPU, batch_size=7)
    np.testing.assert_allclose(whole["energy"], small["energy"], rtol=1e-3, atol=1e-5)
    some = torch.as_tensor(rows[3:5])
    with torch.no_grad():
        torch.testing.assert_close(task.samples(model, some), model.generator(normal_by_row(some, 6, "samples")))


def test_fewer_than_three_pictures_are_judged_one_by_one(task):
    found = shown(task, np.arange(600, 602), pictures_of(task, np.arange(2)))
    assert set(found) == {"prediction", "loss"}
    assert task.decode(found)[1].keys() == {"real"}


def test_metrics_are_those_that_are_listed_and_the_distance_judges(task, digits):
    assert [metric.name for metric in task.metrics] == [name for name, _, _ in METRICS["generate"]]
    assert [("high" if metric.higher_is_better else "low") for metric in task.metrics] == [
        good for _, good, _ in METRICS["generate"]]
    assert task.metrics[0].name == "energy_distance"
    rows = as_rows(task, digits, np.arange(600, 700), "dev",
                   shown(task, np.arange(600, 700), pictures_of(task, np.arange(700, 800))))
    told = metrics_document(task, rows)
    assert told["energy_distance"]["value"] == pytest.approx(rows["energy"].astype(float).mean())
    assert told["coverage"]["value"] == pytest.approx(rows["covered"].mean())
    assert told["told_apart"]["unit"] == told["copied"]["unit"] == "rate"
    assert told["spread"]["low"] < told["spread"]["value"] < told["spread"]["high"]


def test_a_task_that_was_loaded_knows_no_train_pictures_and_tells_no_copying(task, digits):
    loaded = Generate(TaskSettings(), DataSettings())
    loaded.load_state(task.state())
    loaded.attach(digits, torch.device("cpu"))
    found = shown(loaded, np.arange(600, 650), pictures_of(task, np.arange(650, 700)))
    again = shown(task, np.arange(600, 650), pictures_of(task, np.arange(650, 700)))
    assert "copied" not in found
    np.testing.assert_array_equal(found["energy"], again["energy"])
    assert loaded.nearest_remembered(pictures_of(task, np.arange(2))) is None


# --- baselines ---------------------------------------------------------------------------------------------------


def test_the_gaussian_has_the_moments_of_the_pictures_and_the_mixture_comes_closer(task, digits):
    rows = np.arange(600, 1000)
    found = {}
    for baseline in (PixelGaussian(), PixelMixture()):
        baseline.fit(task, np.arange(600))
        results = baseline.results(task, rows)
        found[baseline.name] = results["energy"].astype(float).mean()
        assert np.allclose(results["prediction"], 0.5)
        made = task.samples(baseline.model, torch.arange(1500)).flatten(1)
        real = pictures_of(task, np.arange(600)).flatten(1)
        assert (made.mean(0) - real.mean(0)).abs().max() < 0.06
        assert made.min() >= 0
        assert made.max() <= 1
    assert 0 < found["mixture"] < found["gaussian"]
    assert [each.name for each in task.baselines()] == ["gaussian", "mixture"]


def test_the_mixture_draws_its_gaussians_by_their_weights():
    from orthogon.vision.generate_baselines import _Gaussians

    made = _Gaussians(np.array([0.2, 0.8]), np.array([[0.0], [1.0]]), np.full((2, 1, 1), 0.01), np.full((1, 64), 0.5),
                      np.full(64, 0.2), (1, 8, 8))
    assert made.latent == 2
    values = made(normal_by_row(torch.arange(4000), 2, "x"))[:, 0, 0, 0]
    assert (values > 0.45).float().mean().item() == pytest.approx(0.8, abs=0.03)
    assert values[values < 0.45].mean().item() == pytest.approx(0.2, abs=0.002)
    assert values[values < 0.45].std().item() == pytest.approx(0.005, abs=0.001)


# --- signs -------------------------------------------------------------------------------------------------------


def rows_of(covered=0.6, spread=0.9, copied=0.5, n=400):
    def flags(share):
        return (np.arange(n) < share * n).astype(np.float32)

    return Rows("dev", np.arange(n).astype(str), {
        "energy": np.linspace(0, 1, n), "told": flags(0.5), "covered": flags(covered), "dense": flags(0.5),
        "spread": np.full(n, spread) + np.linspace(-1e-3, 1e-3, n), "copied": flags(copied)})


def records(*right, gradients=(1.0, 1.0)):
    slopes = np.geomspace(*gradients, len(right))
    return [{"event": "health", "step": 100 * (k + 1), "layers": ["generator.start", "discriminator.output"],
             "gradient": [slope, 5.0], "figures": {"real_right": share, "made_right": share}}
            for k, (share, slope) in enumerate(zip(right, slopes))]


def test_a_healthy_game_has_no_signs():
    assert signs(records(0.9, 0.7, 0.65, 0.6), {"dev": rows_of()}) == []
    assert signs([], {}) == []
    assert signs(records(1, 1, 0.8, 0.7), {}) == []  # sure at first alone


def test_collapse_is_told_by_coverage_and_by_spread_with_numbers():
    for rows in (rows_of(covered=0.1), rows_of(spread=0.3)):
        sign, = signs([], {"dev": rows})
        assert sign.kind == "collapse"
        assert f"{100 * rows['covered'].mean():.0f} % [" in sign.what
        assert "of 400 pictures of dev" in sign.what
        assert f"{rows['spread'].mean():.2f} times" in sign.what
        assert "gradient_penalty" in sign.remedy
    assert signs([], {"dev": rows_of(covered=0.2, spread=0.51)}) == []


def test_saturation_is_told_with_the_steps_and_the_vanished_gradient():
    sign, = signs(records(0.7, 0.9, 0.99, 1.0, gradients=(1.0, 1e-3)), {"dev": rows_of()})
    assert sign.kind == "saturation"
    assert "99 to 100 % of pictures and samples right from step 300 on" in sign.what
    assert "gradient is 0.001 times what it was" in sign.what


def test_copying_is_told_where_it_is_beyond_chance():
    sign, = signs([], {"dev": rows_of(copied=0.8)})
    assert sign.kind == "copying"
    assert "80 % [" in sign.what
    assert signs([], {"dev": rows_of(copied=0.62)}) == []  # its interval reaches below 60 %


# --- pictures ----------------------------------------------------------------------------------------------------


def test_a_grid_is_laid_out_row_by_row_with_white_between():
    found = grid(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 1, 40, 40), columns=2)
    assert found.shape == (84, 84, 1)
    assert found[20, 20] == 0
    assert found[20, 62] == 128
    assert found[62, 20] == 255
    assert found[0, 20] == found[20, 0] == found[62, 62] == 255
    assert grid(torch.zeros(4, 3, 8, 8), columns=4).shape == (42, 168, 3)  # small ones are enlarged


def test_the_way_from_noise_to_noise_stays_as_long_as_noise_is():
    first, last = torch.eye(4)[:1] * 3, torch.eye(4)[1:2] * 3
    found = _between(first, last)
    torch.testing.assert_close(found[0], first[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(found[-1], last[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(found.norm(dim=1), torch.full((12,), 3.0))


def test_sheets_show_samples_their_nearest_train_pictures_and_ways_between(task):
    model = GAN(Shows(pictures_of(task, np.arange(300))), Brightness())
    found = {sheet.name: sheet for sheet in sheets(task, model)}
    assert list(found) == ["samples", "nearest", "between"]
    assert "600 train pictures" in found["nearest"].line
    above, below = np.split(found["nearest"].picture, 2)
    assert np.array_equal(above, below)  # these samples are train pictures
    assert found["samples"].picture.shape == (8 * 42, 12 * 42, 1)


# --- from the command to the report ------------------------------------------------------------------------------


def test_a_run_from_data_to_report(tmp_path):
    run = og.train("digits", task="generate", epochs=2, out=tmp_path, quiet=True)
    result = run.result
    assert result["metric"] == "energy_distance"
    assert {each["baseline"] for each in result["comparisons"]} == {"gaussian", "mixture"}
    assert {each["metric"] for each in result["comparisons"]} == {"energy_distance"}
    assert {sign["kind"] for sign in result["signs"]} >= {"collapse"}  # two epochs have taught nothing
    health = [line for line in run.metrics() if line["event"] == "health"]
    assert set(health[0]["figures"]) == {"real_right", "made_right"}
    assert health[0]["layers"][0].startswith("generator.")
    report = (run.path / "report.html").read_text()
    assert "Samples beside pictures" in report
    assert "Collapse" in report
    assert len(list((run.path / "snapshots").glob("*.png"))) >= 2
    rows = run.rows("dev")
    data = og.read("digits")
    told = og.load(run.path).predict(data.take(np.arange(4)))
    assert len(told) == 4
    assert np.isfinite(rows["energy"]).all()


def test_the_recipe_prefers_what_suits_two_players(task, digits):
    settings = task.default_settings(1000)
    assert (settings["optimizer"], settings["momentum"], settings["schedule"]) == ("adam", 0.5, "linear")
    assert task.default_model() == ("gan", {})
    assert task.spec.outputs == 1
    assert task.penalty == 0.001
    assert fitted(digits, np.arange(50), gradient_penalty=0.5).penalty == 0.5
    pixels = pictures_of(task, np.arange(600))
    assert task.variance == pytest.approx(float(pixels.var(0, correction=0).sum()), rel=1e-5)


def test_a_loss_alone_is_not_there(task):
    with pytest.raises(NotImplementedError):
        task.loss(gan(task.spec), task.batch(torch.arange(2)))


# --- bad input ---------------------------------------------------------------------------------------------------


def test_pictures_without_contrast_and_pictures_that_are_all_alike_are_refused():
    flat = np.random.default_rng(0).integers(0, 255, (30, 1, 1)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    with pytest.raises(DataError, match="no picture has any contrast"):
        fitted(og.read((flat, np.zeros(30, int))), np.arange(30))
    alike = np.arange(64, dtype=np.uint8).reshape(1, 8, 8).repeat(30, 0)
    with pytest.raises(DataError, match="all pictures are alike"):
        fitted(og.read((alike, np.zeros(30, int))), np.arange(30))


def test_columns_that_are_no_pictures_are_refused():
    with pytest.raises(DataError, match="generate takes one input of kind image"):
        fitted(og.read((np.random.default_rng(0).normal(size=(30, 3)), np.zeros(30, int))), np.arange(30))


def test_standardized_pictures_are_refused(digits):
    task = Generate(TaskSettings(), DataSettings(normalize="fitted"))
    with pytest.raises(RecipeError, match="made in 0 … 1"):
        task.fit(digits, np.arange(50))


def test_evaluation_leaves_random_state_and_modes_as_they_were(task, digits):
    model = gan(task.spec, latent=4, width=4).train()
    state = torch.random.get_rng_state()
    evaluate(task, model, digits, np.arange(600, 650), "dev", CPU)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
