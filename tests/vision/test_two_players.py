"""The step of two players: losses and penalty by hand, who moves whom, resuming; the networks' shapes (row 23.11)."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.optim.schedules import Timeline
from orthogon.train.checkpoint import copy_tree
from orthogon.train.compute import Compute
from orthogon.train.randomness import Draw
from orthogon.train.settings import ParameterRule, TrainSettings
from orthogon.train.task import Batch
from orthogon.vision import two_players
from orthogon.vision.gan import GAN, gan
from orthogon.vision.two_players import TwoPlayerStep

CPU = torch.device("cpu")
PIXELS = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def spec(channels=1, high=8, wide=8):
    return ModelSpec((InputSpec("image", (channels, high, wide)),), 1)


class Pixels:
    """All that the step asks of a task."""

    name = "pixels"

    def batch(self, rows, draw=None):
        return Batch((PIXELS[rows],), None, None, rows)


def a_step(penalty=0.0, model=None, **settings):
    torch.manual_seed(0)
    chosen = {"optimizer": "sgd", "lr": 0.1, "weight_decay": 0.0, "schedule": "constant", **settings}
    return TwoPlayerStep(Pixels(), model or gan(spec(), latent=5, width=4), TrainSettings(**chosen), Compute(CPU),
                         Timeline(100, 10), penalty)


def take(step, at=0):
    return step(torch.arange(8), Draw(0, 0, at, CPU))


def weights(module):
    return torch.cat([each.detach().flatten() for each in module.parameters()])


# --- networks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "high", "wide"), [(1, 8, 8), (1, 28, 28), (3, 30, 22), (3, 64, 64), (1, 9, 64)])
def test_pictures_of_every_size_are_made_and_judged(channels, high, wide):
    network = gan(spec(channels, high, wide), latent=7, width=3)
    made = network.generator(torch.randn(2, 7))
    assert made.shape == (2, channels, high, wide)
    assert 0 < made.min() < made.max() < 1
    assert network(made).shape == (2, 1)
    assert network.latent == 7


def test_one_picture_is_made_the_same_alone_and_among_others():
    network = gan(spec(), latent=7, width=8).eval()
    noise = torch.randn(6, 7)
    torch.testing.assert_close(network.generator(noise)[2:3], network.generator(noise[2:3]))
    torch.testing.assert_close(network(PIXELS)[2:3], network(PIXELS[2:3]))
    assert not list(network.discriminator.buffers())


def test_pictures_too_large_or_too_small_are_refused_with_what_helps():
    with pytest.raises(RecipeError, match="at most 64 pixels a side; these have 65×40") as large:
        gan(spec(1, 65, 40))
    assert "image_size=64" in large.value.remedy
    with pytest.raises(RecipeError, match="at least 8×8"):
        gan(spec(1, 7, 20))
    with pytest.raises(RecipeError, match="at least 1; got 0 and 32"):
        gan(spec(), latent=0)
    with pytest.raises(RecipeError, match="takes one picture"):
        gan(ModelSpec((InputSpec("number", (3,)),), 1))


# --- the step ----------------------------------------------------------------------------------------------------


def test_both_players_descend_on_their_own_loss():
    step = a_step()
    before = copy_tree(dict(step.plain.state_dict()))
    loss = take(step)
    torch.manual_seed(0)
    model = gan(spec(), latent=5, width=4)
    model.load_state_dict(before)
    noise = torch.randn(8, 5, generator=Draw(0, 0, 0, CPU).generator("noise"))
    samples = model.generator(noise)
    probability = model(PIXELS[:8]).sigmoid(), model(samples.detach()).sigmoid()
    expected = -(probability[0].log() + (1 - probability[1]).log()).mean()
    torch.testing.assert_close(loss, expected.detach())
    slopes = torch.autograd.grad(expected, list(model.discriminator.parameters()))
    with torch.no_grad():
        for parameter, slope in zip(model.discriminator.parameters(), slopes):
            parameter -= 0.1 * slope
    fooled = -model(samples).sigmoid().log().mean()  # by the discriminator that has moved
    slopes = torch.autograd.grad(fooled, list(model.generator.parameters()))
    with torch.no_grad():
        for parameter, slope in zip(model.generator.parameters(), slopes):
            parameter -= 0.1 * slope
    torch.testing.assert_close(weights(step.plain), weights(model))


def test_the_generator_leaves_the_discriminators_gradient_as_it_was():
    step = a_step()
    samples = step.plain.generator(torch.randn(8, 5))
    step.discriminator.move(F.softplus(step.plain(samples.detach())).mean(), 0.0)
    kept = [each.grad.clone() for each in step.plain.discriminator.parameters()]
    step.generator.move(F.softplus(-step.plain(samples)).mean(), 0.0)
    for each, before in zip(step.plain.discriminator.parameters(), kept):
        assert torch.equal(each.grad, before)
    assert all(each.grad.abs().sum() > 0 for each in step.plain.generator.parameters())


def test_the_penalty_is_the_squared_slope_of_the_logit_for_all_the_steps_that_it_stands_for():
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.full((64,), 0.5))

        def forward(self, pictures):
            return (pictures.flatten(1) @ self.weight)[:, None]

    generator = gan(spec(), latent=5, width=4).generator
    step = a_step(0.3, GAN(generator, Linear()))
    penalty = step._penalty(PIXELS[:4])
    assert penalty.item() == pytest.approx(16 * 0.3 / 2 * 64 * 0.25)
    penalty.backward()
    torch.testing.assert_close(step.plain.discriminator.weight.grad, torch.full((64,), 16 * 0.3 / 2 * 2 * 0.5))


def test_every_sixteenth_step_is_penalized_from_the_first(monkeypatch):
    asked = []
    step = a_step(0.5)
    monkeypatch.setattr(step, "_penalty", lambda pictures: asked.append(step.steps) or torch.zeros(()))
    for at in range(33):
        take(step, at)
    assert asked == [0, 16, 32]
    assert two_players.PENALIZE_EVERY == 16
    without = a_step(0.0)
    monkeypatch.setattr(without, "_penalty", lambda pictures: asked.append(-1))
    take(without)
    assert -1 not in asked


def test_the_loss_that_is_told_has_no_penalty_in_it():
    assert take(a_step(5.0)).item() == take(a_step(0.0)).item()
    with_it, without = a_step(5.0), a_step(0.0)
    take(with_it), take(without)
    assert not torch.equal(weights(with_it.plain.discriminator), weights(without.plain.discriminator))


def test_players_that_know_nothing_have_a_loss_of_two_log_two():
    step = a_step()
    with torch.no_grad():
        step.plain.discriminator.output.weight.zero_()
    assert take(step).item() == pytest.approx(2 * math.log(2))


def test_rates_differ_by_rule_and_follow_the_schedule():
    step = a_step(parameter_rules=[ParameterRule(pattern="discriminator.*", lr=3.0)], schedule="linear")
    for player, rate in ((step.discriminator, 0.3), (step.generator, 0.1)):
        assert [group["lr"] for group in player.optimizer.param_groups] == pytest.approx(
            [rate] * len(player.optimizer.param_groups))
    step.steps = 50
    take(step)
    assert step.rate() == pytest.approx(0.1 * step.schedule(50))
    assert step.discriminator.optimizer.param_groups[0]["lr"] == pytest.approx(0.3 * step.schedule(50))


def test_what_was_told_right_is_counted():
    step = a_step()
    with torch.no_grad():
        step.plain.discriminator.output.weight.zero_()
        step.plain.discriminator.output.bias.fill_(1.0)
    take(step)
    assert {name: value.item() for name, value in step.figures().items()} == {"real_right": 1.0, "made_right": 0.0}


def test_an_average_of_both_players_is_what_is_evaluated():
    step = a_step(ema=0.5)
    first = weights(step.plain)
    take(step)
    decay = min(0.5, 2 / 11)
    torch.testing.assert_close(weights(step.evaluation_model()), decay * first + (1 - decay) * weights(step.plain))
    assert a_step().evaluation_model() is not None
    alone = a_step()
    assert alone.evaluation_model() is alone.model()


@pytest.mark.parametrize("settings", [
    {"optimizer": "adam", "momentum": 0.5, "fused": True, "ema": 0.9},
    {"optimizer": "adam", "flat": True, "clip_norm": 0.1, "schedule": "linear"},
])
def test_interrupted_and_resumed_is_bit_for_bit_the_same(settings):
    whole, first = a_step(0.5, **settings), a_step(0.5, **settings)
    losses = [take(whole, at).item() for at in range(20)]
    for at in range(17):
        take(first, at)
    saved = copy_tree(first.state())
    second = a_step(0.5, gan(spec(), latent=5, width=4), **settings)
    second.load_state(saved)
    assert [take(second, at).item() for at in range(17, 20)] == losses[17:]
    assert torch.equal(weights(whole.plain), weights(second.plain))
    assert torch.equal(weights(whole.evaluation_model()), weights(second.evaluation_model()))


def test_flat_parameters_move_as_the_others_do():
    plain, flat = a_step(0.5, optimizer="adam"), a_step(0.5, optimizer="adam", flat=True)
    for at in range(3):
        take(plain, at), take(flat, at)
    torch.testing.assert_close(weights(plain.plain), weights(flat.plain), rtol=1e-4, atol=1e-6)


def test_clipping_bounds_how_far_each_player_moves():
    step = a_step(clip_norm=1e-3)
    before = {player: weights(getattr(step.plain, player)) for player in ("generator", "discriminator")}
    take(step)
    for player, old in before.items():
        assert (weights(getattr(step.plain, player)) - old).norm().item() == pytest.approx(1e-4, rel=1e-2)
    by_value = a_step(clip_value=1e-3)
    old = weights(by_value.plain)
    take(by_value)
    assert (weights(by_value.plain) - old).abs().max().item() <= 1.001e-4


def test_a_fixed_discriminator_can_be_misled():
    step = a_step(optimizer="adam", lr=0.01, parameter_rules=[ParameterRule(pattern="discriminator.*", lr=0.0)])
    for at in range(60):
        take(step, at)
    torch.manual_seed(0)
    untrained = gan(spec(), latent=5, width=4)
    noise = torch.randn(100, 5)
    trained = step.plain(step.plain.generator(noise)).mean()
    assert trained > step.plain(untrained.generator(noise)).mean() + 0.1


def test_what_has_no_meaning_between_two_players_is_refused():
    with pytest.raises(RecipeError, match="two players") as split:
        a_step(micro_batch_size=4)
    assert split.value.where == "train.micro_batch_size"
    with pytest.raises(RecipeError, match="two players") as twice:
        a_step(backstitch=0.3)
    assert twice.value.where == "train.backstitch"
    with pytest.raises(RecipeError, match="Linear is one network") as one:
        a_step(model=nn.Linear(2, 1))
    assert "--model gan" in one.value.remedy


def test_the_path_from_noise_to_logit_is_what_health_listens_to():
    step, heard = a_step(), []
    step.plain.generator.start.register_forward_hook(lambda *_: heard.append("generator"))
    step.plain.discriminator.output.register_forward_hook(lambda *_: heard.append("discriminator"))
    state = torch.random.get_rng_state()
    step.run_model(torch.arange(3))
    assert heard == ["generator", "discriminator"]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.isfinite(step.rate())
