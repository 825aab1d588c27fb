"""The recurrent forecaster: against torch's own layers written out, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.nn.forecaster import forecaster
from orthogon.nn.spec import InputSpec, ModelSpec

SPEC = ModelSpec((InputSpec("number", (7, 3)),), 4)


@pytest.mark.parametrize("autoregressive", [False, True])
def test_direct_is_a_linear_layer_on_the_last_state_of_torchs_gru(autoregressive):
    model = forecaster(SPEC, width=5, layers=2, autoregressive=autoregressive).eval()
    torchs = torch.nn.GRU(3, 5, num_layers=2, batch_first=True)
    torchs.load_state_dict(model.recurrent.state_dict())  # type: ignore[union-attr]
    steps = torch.randn(6, 7, 3)
    expected = model.head(torchs(steps)[0][:, -1])  # type: ignore[operator]
    if autoregressive:
        expected = expected + steps[:, :, 0] @ model.linear.weight.T  # type: ignore[union-attr]
    torch.testing.assert_close(model(steps), expected)


@pytest.mark.parametrize("autoregressive", [False, True])
def test_recursive_makes_each_value_from_the_ones_before(autoregressive):
    model = forecaster(SPEC, width=5, cell="lstm", mode="recursive", autoregressive=autoregressive).eval()
    reader, writer = (torch.nn.LSTM(size, 5, batch_first=True) for size in (3, 1))
    reader.load_state_dict(model.reader.state_dict())  # type: ignore[union-attr]
    writer.load_state_dict(model.writer.state_dict())  # type: ignore[union-attr]
    steps = torch.randn(6, 7, 3)
    series, (_, state) = steps[:, :, 0], reader(steps)
    for step in range(4):
        out, state = writer(series[:, -1, None, None], state)
        value = model.head(out[:, 0])  # type: ignore[operator]
        if autoregressive:
            value = value + series[:, step:] @ model.linear.weight.T  # type: ignore[union-attr]
        series = torch.cat([series, value], dim=1)
    torch.testing.assert_close(model(steps), series[:, 7:])


def test_every_parameter_learns_and_dropout_acts_in_training_alone():
    for mode in ("direct", "recursive"):
        model = forecaster(SPEC, width=8, layers=2, dropout=0.5, mode=mode)
        model(torch.randn(6, 7, 3)).square().sum().backward()
        assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in model.parameters())
        steps = torch.randn(6, 7, 3)
        assert not torch.equal(model(steps), model(steps))
        model.eval()
        assert torch.equal(model(steps), model(steps))


def test_what_it_does_not_take():
    with pytest.raises(RecipeError, match="reads windows of a series"):
        forecaster(ModelSpec((InputSpec("number", (7,)),), 4))
    with pytest.raises(RecipeError, match="no mode 'direkt'"):
        forecaster(SPEC, mode="direkt")
    with pytest.raises(RecipeError, match="no recurrent cell is called 'grue'"):
        forecaster(SPEC, cell="grue")


def test_linear_and_mlp_read_the_window_as_one_vector():
    for name in ("linear", "mlp"):
        model = registry.models.load(name)(SPEC)
        assert model(torch.randn(2, 7, 3)).shape == (2, 4)
