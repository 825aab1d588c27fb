"""Batch normalization in recurrent networks: against formulas written out, torch's LSTM, and differences."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.recurrent import NORM_STEPS, Recurrent
from orthogon.nn.recurrent_norms import InputBatchNormRNN, StepBatchNorm


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def batch_norm_lstm(inputs: int, units: int) -> Recurrent:
    return Recurrent(inputs, units, "batch_norm_lstm")


def varied(module: nn.Module) -> nn.Module:
    """In float64, with every parameter and statistic away from where it starts."""
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.3, 1) if parameter.ndim == 1 else parameter.normal_()
    return module


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def by_batch(x: Tensor, norm: StepBatchNorm) -> Tensor:
    """Batch norm by the formula, over those rows."""
    out = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt() * norm.weight
    return out if norm.bias is None else out + norm.bias


def written_out(net: Recurrent, x: Tensor, lengths: list[int]) -> Tensor:
    """Cooijmans et al. 2016, equations 6 to 8, in training; the rows that are there picked out at each step."""
    h, c = x.new_zeros(len(x), net.hidden_size), x.new_zeros(len(x), net.hidden_size)
    outputs = []
    for t in range(x.shape[1]):
        rows = [row for row, length in enumerate(lengths) if t < length]
        gates = (by_batch(x[rows, t] @ net.weight_ih_l0.T, net.norm_ih_l0) + net.bias_l0
                 + by_batch(h[rows] @ net.weight_hh_l0.T, net.norm_hh_l0))
        i, f, g, o = gates.split(net.hidden_size, dim=1)
        after = f.sigmoid() * c[rows] + i.sigmoid() * g.tanh()
        c = c.index_copy(0, torch.tensor(rows), after)
        h = h.index_copy(0, torch.tensor(rows), o.sigmoid() * by_batch(after, net.norm_c_l0).tanh())
        outputs.append(torch.zeros_like(h).index_copy(0, torch.tensor(rows), h[rows]))
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("lengths", [None, [4, 2, 4, 3, 1]])
def test_recurrent_batch_norm_is_the_formula_with_all_gradients(lengths):
    net = varied(batch_norm_lstm(3, 2))
    x, upstream = numbers(5, 4, 3).requires_grad_(), numbers(5, 4, 2)
    out, _ = net(x, None if lengths is None else torch.tensor(lengths))
    expected = written_out(net, x, lengths or [4] * 5)
    torch.testing.assert_close(out, expected)
    given = (x, *net.parameters())
    gradients = torch.autograd.grad(out, given, upstream)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected, given, upstream))


@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 2, 3])])
@pytest.mark.parametrize("make", [lambda: batch_norm_lstm(2, 2), lambda: InputBatchNormRNN(2, 2)])
def test_gradients_agree_with_differences(make, lengths):
    net = varied(make())
    torch.autograd.gradcheck(lambda x, *_: net(x, lengths)[0], (numbers(3, 3, 2).requires_grad_(), *net.parameters()),
                             atol=1e-4)


def test_with_statistics_forced_to_the_identity_it_is_torchs_lstm():
    net, lstm = varied(batch_norm_lstm(3, 4)).eval(), nn.LSTM(3, 4, batch_first=True).double()
    with torch.no_grad():
        for norm in (net.norm_ih_l0, net.norm_hh_l0, net.norm_c_l0):
            norm.running_var.fill_(1 - 1e-5)
            norm.weight.fill_(1)
        net.norm_c_l0.bias.zero_()
        for name, value in (("weight_ih", net.weight_ih_l0), ("weight_hh", net.weight_hh_l0),
                            ("bias_ih", net.bias_l0), ("bias_hh", torch.zeros(16))):
            getattr(lstm, f"{name}_l0").copy_(value)
    x, state = numbers(5, 6, 3), (numbers(5, 4), numbers(5, 4))
    out, ((h, c),) = net(x, state=(state,))
    expected, (last_h, last_c) = lstm(x, (state[0][None], state[1][None]))
    torch.testing.assert_close((out, h, c), (expected, last_h[0], last_c[0]))
    lengths = torch.tensor([6, 1, 3, 5, 2])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, (last_h, last_c) = lstm(packed)
    out, ((h, c),) = net(x, lengths)
    torch.testing.assert_close((out, h, c), (nn.utils.rnn.pad_packed_sequence(expected, True)[0], last_h[0], last_c[0]))


def test_every_scale_starts_at_a_tenth_and_recurrent_weights_start_orthogonal():
    net = batch_norm_lstm(3, 4)
    for norm in (net.norm_ih_l0, net.norm_hh_l0, net.norm_c_l0):
        assert torch.equal(norm.weight, torch.full_like(norm.weight, 0.1))
        assert norm.running_mean.shape == (NORM_STEPS, len(norm.weight))
    assert net.norm_ih_l0.bias is None
    assert net.norm_hh_l0.bias is None
    assert not net.norm_c_l0.bias.any()
    assert not net.bias_l0.any()
    for gate in net.weight_hh_l0.view(4, 4, 4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(4))
    assert net.weight_ih_l0.shape == (16, 3)
    assert net.weight_ih_l0.abs().max() <= (6 / 19) ** 0.5
    rnn = InputBatchNormRNN(3, 4)
    assert torch.equal(rnn.norm.weight, torch.ones(4))
    torch.testing.assert_close(rnn.weight_hh @ rnn.weight_hh.T, torch.eye(4))
    assert rnn.weight_ih.shape == (4, 3)


def test_statistics_are_those_of_each_step_with_the_unbiased_variance_and_later_steps_take_the_last():
    norm, mean, variance = StepBatchNorm(2, steps=3).double(), torch.zeros(3, 2), torch.ones(3, 2)
    for _ in range(2):
        for step in range(5):
            x = numbers(4, 2) * (step + 1) + step
            norm(x, step)
            if step < 3:
                mean[step] = 0.9 * mean[step] + 0.1 * x.mean(0)
                variance[step] = 0.9 * variance[step] + 0.1 * x.var(0, correction=1)
    torch.testing.assert_close(norm.running_mean.float(), mean)
    torch.testing.assert_close(norm.running_var.float(), variance)
    norm.eval()
    x = numbers(1, 2)
    for step, slot in ((0, 0), (1, 1), (2, 2), (3, 2), (9, 2)):
        expected = 0.1 * (x - norm.running_mean[slot]) / (norm.running_var[slot] + 1e-5).sqrt()
        torch.testing.assert_close(norm(x, step), expected)


@pytest.mark.parametrize("present", [None, torch.ones(6, dtype=torch.bool)])
def test_steps_that_training_never_saw_take_the_statistics_of_the_last_that_it_saw(present):
    norm = StepBatchNorm(2, steps=10, shift=True)
    for step in (0, 1):
        norm(torch.randn(6, 2) + 3, step, present)
    norm(torch.randn(6, 2) + 3, 0, present)
    assert norm.steps_seen == 2
    x = torch.randn(3, 2)
    norm.eval()
    assert torch.equal(norm(x, 7), norm(x, 1))
    assert not torch.equal(norm(x, 1), norm(x, 0))


def test_running_statistics_approach_those_of_the_population_step_by_step():
    norm = StepBatchNorm(2, steps=2)
    for _ in range(300):
        for step in range(2):
            norm(torch.randn(64, 2) * (step + 2) + 5 * step, step)
    torch.testing.assert_close(norm.running_mean, torch.tensor([[0.0, 0], [5, 5]]), atol=0.3, rtol=0)
    torch.testing.assert_close(norm.running_var, torch.tensor([[4.0, 4], [9, 9]]), atol=0, rtol=0.2)


def test_a_mask_that_hides_nothing_changes_nothing():
    plain, x = StepBatchNorm(3, steps=2, shift=True), torch.randn(5, 3)
    masked = copy.deepcopy(plain)
    for step in range(3):
        torch.testing.assert_close(masked(x, step, torch.ones(5, dtype=torch.bool)), plain(x, step))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(masked.state_dict()[name], value)


def test_hidden_rows_enter_no_statistics_and_where_one_is_left_the_stored_ones_serve():
    norm, alone = StepBatchNorm(3, steps=2), StepBatchNorm(3, steps=2)
    x, present = torch.randn(5, 3), torch.tensor([True, False, True, True, False])
    torch.testing.assert_close(norm(x, 0, present)[present], alone(x[present], 0))
    torch.testing.assert_close(norm.running_var, alone.running_var)
    torch.testing.assert_close(norm.running_mean, alone.running_mean)
    before = copy.deepcopy(norm.state_dict())
    out = norm(x, 1, torch.tensor([True, False, False, False, False]))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    torch.testing.assert_close(out, 0.1 * (x - norm.running_mean[0]) / (norm.running_var[0] + 1e-5).sqrt())
    assert norm.steps_seen == 1


def test_what_lies_behind_a_sequence_is_not_looked_at_and_comes_out_as_zero():
    for net in (batch_norm_lstm(3, 4), InputBatchNormRNN(3, 4)):
        other = copy.deepcopy(net)
        x, lengths = torch.randn(4, 5, 3), torch.tensor([5, 3, 4, 2])
        behind = x.clone()
        behind[1, 3:], behind[2, 4:], behind[3, 2:] = 1e9, torch.inf, torch.nan
        out, _ = net(x, lengths)
        assert torch.equal(other(behind, lengths)[0], out)
        assert not out[3, 2:].any()
        assert out[3, :2].all()


def test_input_batch_norm_is_over_batch_and_time_together_and_leaves_the_state_alone():
    net, x, lengths = varied(InputBatchNormRNN(3, 4)), numbers(3, 4, 3), torch.tensor([4, 2, 3])
    start = numbers(3, 4)
    flat = torch.cat([x[row, :length] for row, length in enumerate(lengths)]) @ net.weight_ih.T
    sums = by_batch(flat, net.norm).split(lengths.tolist())
    out, last = net(x, lengths, start)
    for row, length in enumerate(lengths):
        h = start[row]
        for t in range(length):
            h = (sums[row][t] + net.weight_hh @ h).tanh()
            torch.testing.assert_close(out[row, t], h)
        torch.testing.assert_close(last[row], h)
    torch.testing.assert_close(net.norm.running_mean[0], 0.1 * flat.mean(0))
    torch.testing.assert_close(net.norm.running_var[0], 0.9 + 0.1 * flat.var(0))
    whole = net(x)[0]
    expected = by_batch(x.flatten(0, 1) @ net.weight_ih.T, net.norm).view(3, 4, 4)
    torch.testing.assert_close(whole[:, 0], expected[:, 0].tanh())
    torch.testing.assert_close(whole[:, 1], (expected[:, 1] + whole[:, 0] @ net.weight_hh.T).tanh())


def test_in_evaluation_a_sequence_does_not_depend_on_its_batch():
    for net in (batch_norm_lstm(3, 4), InputBatchNormRNN(3, 4)):
        x = torch.randn(6, 5, 3)
        for _ in range(3):
            net(x)
        assert not torch.allclose(net(x)[0][:2], net(x[:2])[0])
        net.eval()
        torch.testing.assert_close(net(x[:1])[0], net(x)[0][:1])


def test_e93_a_single_sequence_is_refused_in_training():
    net = batch_norm_lstm(3, 4)
    with pytest.raises(ValueError, match="at least 2 rows in training, since one has no variance; got 1"):
        net(torch.randn(1, 5, 3))
    assert net.eval()(torch.randn(1, 5, 3))[0].shape == (1, 5, 4)
    assert net.train()(torch.randn(2, 5, 3))[0].shape == (2, 5, 4)


def test_bad_lengths_and_no_steps_are_refused():
    for lengths in (torch.tensor([2, 3]), torch.tensor([[2], [3], [2]])):
        with pytest.raises(ValueError, match=r"one number per sequence, shape \(3,\)"):
            batch_norm_lstm(3, 4)(torch.randn(3, 5, 3), lengths)
    with pytest.raises(ValueError, match="at least 1 step; got 0"):
        StepBatchNorm(3, steps=0)


@pytest.mark.parametrize("lengths", [None, torch.tensor([2, 1, 2])])
def test_statistics_are_those_of_float32_under_bf16(lengths):
    net, x = batch_norm_lstm(3, 8), torch.randn(3, 2, 3)
    exact = net(x, lengths)[0]
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(net(x, lengths)[0].float(), exact, atol=0.02, rtol=0.05)
    norm, given = StepBatchNorm(2, steps=1), (torch.randn(64, 2) + 30).bfloat16()
    for present in (None, torch.ones(64, dtype=torch.bool)):
        out = norm(given, 0, present)
        assert out.dtype == torch.bfloat16
        torch.testing.assert_close(out.float(), norm(given.float(), 0), atol=2e-3, rtol=1e-2)


@pytest.mark.parametrize("lengths", [None, torch.tensor([2, 1, 2])])
def test_input_batch_norm_exports_for_any_batch_size_and_compiles_whole(lengths):
    torch._dynamo.reset()
    net, x = InputBatchNormRNN(3, 4), torch.randn(3, 2, 3)
    compiled = torch.compile(copy.deepcopy(net), backend="eager", fullgraph=True)
    for _ in range(2):
        torch.testing.assert_close(compiled(x, lengths)[0], net(x, lengths)[0])
    given = (x,) if lengths is None else (x, lengths)
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(net.eval(), given, dynamic_shapes=(batch,) * len(given))
    more = [torch.cat([part, part]) for part in given]
    torch.testing.assert_close(exported.module()(*more)[0], net(*more)[0])


def test_recurrent_batch_norm_learns_to_remember_the_first_of_several_inputs():
    net, output = batch_norm_lstm(1, 12), nn.Linear(12, 1)
    optimizer = torch.optim.Adam([*net.parameters(), *output.parameters()], lr=0.02)
    for _ in range(80):
        x = torch.randn(64, 6, 1)
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(output(net(x)[0][:, -1]), (x[:, 0] > 0).float())
        loss.backward()
        optimizer.step()
    assert loss < 0.3
    x = torch.randn(500, 6, 1)
    assert ((output(net.eval()(x)[0][:, -1]) > 0) == (x[:, 0] > 0)).float().mean() > 0.9
