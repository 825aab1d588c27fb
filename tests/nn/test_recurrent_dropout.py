"""Dropout in an LSTM (rows 5.10, 5.11): against torch's LSTM, and against a loop with the masks read from gradients."""

import copy

import pytest
import torch
from torch import Tensor, nn

from orthogon.nn.recurrent_dropout import DropoutLSTM


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def twins(**rates: float) -> tuple[DropoutLSTM, nn.LSTM]:
    """Both in float64, with the weights of torch's."""
    net, lstm = DropoutLSTM(3, 4, **rates).double(), nn.LSTM(3, 4, batch_first=True).double()
    net.load_state_dict(lstm.state_dict())
    return net, lstm


def test_weights_start_as_torchs_do_under_the_same_names():
    torch.manual_seed(7)
    net = DropoutLSTM(5, 6)
    torch.manual_seed(7)
    lstm = nn.LSTM(5, 6)
    assert list(net.state_dict()) == list(lstm.state_dict())
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in lstm.state_dict().items())


@pytest.mark.parametrize("mode", ["no rates", "evaluation"])
@pytest.mark.parametrize("lengths", [None, [6, 1, 3, 5, 2]])
def test_without_masks_it_is_torchs_lstm_with_all_gradients(mode, lengths):
    net, lstm = twins() if mode == "no rates" else twins(dropout=0.4, recurrent_dropout=0.5)
    net.train(mode == "no rates")
    x, h, c = numbers(5, 6, 3).requires_grad_(), numbers(5, 4), numbers(5, 4)
    found, last = net(x, None if lengths is None else torch.tensor(lengths), (h, c))
    if lengths is None:
        expected, theirs = lstm(x, (h[None], c[None]))
    else:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        packed, theirs = lstm(packed, (h[None], c[None]))
        expected = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0]
    torch.testing.assert_close((found, *last), (expected, theirs[0][0], theirs[1][0]))
    upstream = numbers(5, 6, 4)
    torch.testing.assert_close(torch.autograd.grad(found, (x, *net.parameters()), upstream),
                               torch.autograd.grad(expected, (x, *lstm.parameters()), upstream))


def test_each_sequence_has_one_inverted_mask_for_all_its_steps():
    """The masks, read from zeros, put into a loop over torch's cell, give the same outputs and the same last state."""
    net, lstm = twins(dropout=0.4, recurrent_dropout=0.25)
    cell = nn.LSTMCell(3, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in lstm.state_dict().items()})
    x, h, c = numbers(50, 5, 3).requires_grad_(), numbers(50, 4).requires_grad_(), numbers(50, 4)
    out, (last_h, last_c) = net(x, state=(h, c))
    by_x, by_h = torch.autograd.grad(last_h.sum(), (x, h), retain_graph=True)
    for seen in (by_x, out):
        assert torch.equal(seen != 0, (seen[:, :1] != 0).expand_as(seen))
    mask_x, mask_h, mask_out = (by_x[:, 0] != 0) / 0.6, (by_h != 0) / 0.75, (out[:, 0] != 0) / 0.6
    state = (h, c)
    for step in range(5):
        state = cell(x[:, step] * mask_x, (state[0] * mask_h, state[1]))
        torch.testing.assert_close(out[:, step], state[0] * mask_out)
    torch.testing.assert_close((last_h, last_c), state)


@pytest.mark.parametrize("which", ["dropout", "recurrent_dropout"])
def test_masks_differ_over_sequences_and_calls_and_keep_their_share(which):
    net = DropoutLSTM(20, 20, **{which: 0.3})
    x, state = torch.ones(400, 2, 20, requires_grad=True), torch.ones(400, 20, requires_grad=True)
    masks = []
    for _ in range(2):
        out, _ = net(x, state=(state, torch.zeros(400, 20)))
        by_x, by_h = torch.autograd.grad(out.sum(), (x, state))
        masks.append((by_x[:, 0] if which == "dropout" else by_h) != 0)
        assert ((by_h if which == "dropout" else by_x) != 0).all()
        assert (out == 0).any() == (which == "dropout")
        assert float(masks[-1].float().mean()) == pytest.approx(0.7, abs=0.02)
    assert len(masks[0].unique(dim=0)) > 390  # of 400 sequences
    assert not torch.equal(*masks)


def test_what_stands_after_the_end_changes_nothing():
    net = DropoutLSTM(3, 4, dropout=0.3, recurrent_dropout=0.3)
    x, lengths = torch.randn(4, 5, 3), torch.tensor([5, 3, 4, 2])
    behind = x.clone()
    behind[1, 3:], behind[2, 4:], behind[3, 2:] = 1e9, torch.inf, torch.nan
    found = []
    for given in (x, behind):
        torch.manual_seed(1)
        found.append(net(given, lengths))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    assert not found[0][0][3, 2:].any()
    torch.manual_seed(1)
    torch.testing.assert_close(net(x[:, :2])[1][0][3], found[0][1][0][3])


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"recurrent_dropout": -0.1}])
def test_rates_are_shares_below_one(wrong):
    name, rate = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=f"{name} is {rate}; give the share"):
        DropoutLSTM(3, 4, **wrong)


def test_it_exports_for_any_batch_size_and_compiles_whole():
    torch._dynamo.reset()
    net, x = DropoutLSTM(3, 4, 0.2, 0.2), torch.randn(3, 2, 3)
    exported = torch.export.export(net.eval(), (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    more = torch.cat([x, x])
    torch.testing.assert_close(exported.module()(more)[0], net(more)[0])
    compiled = torch.compile(copy.deepcopy(net), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x)[0], net(x)[0])
