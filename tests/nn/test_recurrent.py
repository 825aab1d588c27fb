"""Recurrent layers (rows 24.01-24.23): against torch's, the NumPy cells, formulas written out, and differences."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from orthogon.equations import recurrent as equations
from orthogon.errors import RecipeError
from orthogon.nn.dropout import SequenceDropout
from orthogon.nn.recurrent import CELLS, Recurrent, reversed_steps

TORCHS = {"rnn": nn.RNN, "rnn_relu": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
STEPWISE = {"recurrent_dropout": 0.4, "zoneout": 0.2}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def varied(net: Recurrent) -> Recurrent:
    """In float64, with every parameter and statistic away from where it starts."""
    net.double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.uniform_(0.3, 1) if parameter.ndim == 1 else parameter.normal_(0, 0.5)
    return net


def flat(state: tuple) -> list[Tensor]:
    """All tensors of a state, those of each layer and direction side by side."""
    return [each for part in state for each in (part if isinstance(part, tuple) else (part,))]


def stacked(state: tuple) -> tuple[Tensor, ...]:
    """A state as torch's layers give it: (layers·directions)×N×H each."""
    return tuple(torch.stack(each) for each in zip(*[part if isinstance(part, tuple) else (part,) for part in state]))


def torchs(cell: str, *sizes: int, **options: object) -> nn.RNNBase:
    more = {"nonlinearity": "relu"} if cell == "rnn_relu" else {}
    return TORCHS[cell](*sizes, batch_first=True, **more, **options).double()


def by_torch(layer: nn.RNNBase, x: Tensor, lengths: Tensor | None, state: tuple[Tensor, ...],
             ) -> tuple[Tensor, tuple[Tensor, ...]]:
    given = state if len(state) > 1 else state[0]
    if lengths is None:
        out, last = layer(x, given)
    else:
        packed, last = layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), given)
        out = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])[0]
    return out, last if isinstance(last, tuple) else (last,)


@pytest.mark.parametrize("cell", TORCHS)
def test_weights_start_as_torchs_do_under_the_same_names(cell):
    torch.manual_seed(7)
    net = Recurrent(5, 6, cell, layers=2, bidirectional=True)
    torch.manual_seed(7)
    layer = torchs(cell, 5, 6, num_layers=2, bidirectional=True)
    assert list(net.state_dict()) == list(layer.state_dict())
    layer.load_state_dict(net.state_dict())
    assert all(torch.equal(value, net.state_dict()[name].double()) for name, value in layer.state_dict().items())
    torch.manual_seed(7)
    fresh = TORCHS[cell](5, 6, num_layers=2, bidirectional=True).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("stepwise", [False, True], ids=["fused", "stepwise"])
@pytest.mark.parametrize("lengths", [None, torch.tensor([6, 1, 3, 5, 2])], ids=["whole", "lengths"])
@pytest.mark.parametrize("cell", TORCHS)
def test_it_is_torchs_layer_with_all_gradients_also_of_states(cell, lengths, stepwise):
    """Deep and in both directions. A recurrent dropout that evaluation leaves out still takes the written-out steps."""
    net = Recurrent(3, 4, cell, layers=2, bidirectional=True, zoneout=1e-300 * stepwise)
    layer = torchs(cell, 3, 4, num_layers=2, bidirectional=True)
    net.double().load_state_dict(layer.state_dict())
    x = numbers(5, 6, 3).requires_grad_()
    starts = tuple(numbers(4, 5, 4).requires_grad_() for _ in range(2 if cell == "lstm" else 1))
    given = tuple(zip(*starts)) if cell == "lstm" else tuple(starts[0])
    found, last = net.eval()(x, lengths, given)
    expected, theirs = by_torch(layer, x, lengths, starts)
    torch.testing.assert_close((found, stacked(last)), (expected, theirs), rtol=0, atol=1e-10)
    upstream = [numbers(*each.shape) for each in (found, *theirs)]
    torch.testing.assert_close(
        torch.autograd.grad((found, *stacked(last)), (x, *starts, *net.parameters()), upstream),
        torch.autograd.grad((expected, *theirs), (x, *starts, *layer.parameters()), upstream), rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "batch_norm_lstm"])  # it counts its steps
def test_one_step_at_a_time_without_gradients_is_the_whole_with_them(cell):
    net, x = varied(Recurrent(3, 4, cell, layers=2)).eval(), numbers(5, 6, 3)
    whole, last = net(x)
    state, steps = None, []
    with torch.no_grad():
        for t in range(6):
            out, state = net(x[:, t : t + 1], None, state)
            steps.append(out)
    torch.testing.assert_close((torch.cat(steps, 1), flat(state)), (whole, flat(last)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_alone_are_those_that_come_with_states(cell):
    net = varied(Recurrent(3, 4, cell, layers=2, bidirectional=True)).eval()
    x, lengths = numbers(5, 6, 3), torch.tensor([6, 1, 3, 5, 2])
    found, (expected, _) = net.outputs(x, lengths), net(x, lengths)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    upstream = numbers(*found.shape)
    torch.testing.assert_close(torch.autograd.grad(found, tuple(net.parameters()), upstream),
                               torch.autograd.grad(expected, tuple(net.parameters()), upstream), rtol=0, atol=1e-10)


def numpy_parameters(net: Recurrent) -> list[np.ndarray]:
    """The parameters of layer 0 as equations.recurrent orders them: rows c̃, Γ_u, … and columns [a, x]."""
    weight = torch.cat([net.weight_hh_l0, net.weight_ih_l0], dim=1).detach().numpy()
    bias_ih, bias_hh = net.bias_ih_l0.detach().numpy(), net.bias_hh_l0.detach().numpy()
    if net.cell == "rnn":
        return [weight, bias_ih + bias_hh]
    if "gru" in net.cell:  # torch's update gate is 1 − Γ_u
        (r, u, n), (b_r, b_u, b_n), in_n = np.split(weight, 3), np.split(bias_ih + bias_hh, 3), np.split(bias_hh, 3)[2]
        if net.cell == "gru":
            return [np.concatenate([n, -u, r]), np.concatenate([b_n - in_n, -b_u, b_r]), in_n]
        return [np.concatenate([n, -u, r]), np.concatenate([b_n, -b_u, b_r])]
    (i, f, g, o), (b_i, b_f, b_g, b_o) = np.split(weight, 4), np.split(bias_ih + bias_hh, 4)
    peephole = [net.weight_peephole_l0.detach().numpy()] if net.cell == "peephole_lstm" else []
    return [np.concatenate([g, i, f, o]), np.concatenate([b_g, b_i, b_f, b_o]), *peephole]


@pytest.mark.parametrize(("cell", "name"), [("rnn", "rnn"), ("gru", "gru_reset_after"), ("gru_relevance", "gru"),
                                            ("lstm", "lstm"), ("peephole_lstm", "peephole_lstm")])
def test_24_18_to_20_every_cell_is_that_of_the_equations(cell, name):
    net, x, lengths = varied(Recurrent(3, 4, cell)), numbers(5, 6, 3).requires_grad_(), torch.tensor([6, 1, 3, 5, 2])
    starts = numbers(2, 5, 4) if cell.endswith("lstm") else numbers(5, 4)
    mask = (torch.arange(6) < lengths[:, None]).numpy()
    states, cache = equations.unroll(name, x.detach().numpy(), starts.numpy(), numpy_parameters(net), mask)
    h = torch.from_numpy(states[0] if cell.endswith("lstm") else states)
    out, last = net(x, lengths, (tuple(starts) if cell.endswith("lstm") else starts,))
    torch.testing.assert_close(out, h.masked_fill(~torch.from_numpy(mask)[..., None], 0), rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.stack(flat(last)).view_as(starts), torch.from_numpy(states[..., -1, :]))
    upstream = np.zeros_like(states)
    (upstream[0] if cell.endswith("lstm") else upstream)[mask] = 1
    d_x, _, (d_weight, *_) = equations.unroll_backward(upstream, cache)
    found = torch.autograd.grad(out.sum(), (x, net.weight_hh_l0))
    torch.testing.assert_close(found[0], torch.from_numpy(d_x), rtol=0, atol=1e-10)
    rows = np.split(d_weight[:, :4], len(d_weight) // 4)
    order = {3: lambda n, u, r: [r, -u, n], 4: lambda g, i, f, o: [i, f, g, o], 1: lambda a: [a]}[len(rows)]
    torch.testing.assert_close(found[1], torch.from_numpy(np.concatenate(order(*rows))), rtol=0, atol=1e-10)


def test_layer_normalized_lstm_is_the_formula_with_all_gradients():
    """Ba et al. 2016, equations 20 to 22."""
    net, x = varied(Recurrent(3, 4, "layer_norm_lstm")), numbers(5, 6, 3).requires_grad_()
    h, c = start = (numbers(5, 4), numbers(5, 4))
    outputs = []
    for t in range(6):
        sums = (F.layer_norm(x[:, t] @ net.weight_ih_l0.T, (16,), net.norm_ih_l0.weight) + net.bias_l0
                + F.layer_norm(h @ net.weight_hh_l0.T, (16,), net.norm_hh_l0.weight))
        i, f, g, o = sums.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * F.layer_norm(c, (4,), net.norm_c_l0.weight, net.norm_c_l0.bias).tanh()
        outputs.append(h)
    out, ((last_h, last_c),) = net(x, state=(start,))
    expected = (torch.stack(outputs, dim=1), h, c)
    torch.testing.assert_close((out, last_h, last_c), expected)
    upstream = [numbers(*each.shape) for each in expected]
    wanted = (x, *net.parameters())
    torch.testing.assert_close(torch.autograd.grad((out, last_h, last_c), wanted, upstream),
                               torch.autograd.grad(expected, wanted, upstream))


@pytest.mark.parametrize("rates", [{}, {"zoneout": 0.3}, STEPWISE], ids=["plain", "zoneout", "both"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_agree_with_differences(cell, rates):
    net, lengths = varied(Recurrent(2, 2, cell, bidirectional=True, **rates)), torch.tensor([3, 2, 3])

    def read(x: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        out, last = net(x, lengths)
        return out, *flat(last)

    torch.autograd.gradcheck(read, (numbers(3, 3, 2).requires_grad_(), *net.parameters()), atol=1e-4, fast_mode=True)


@settings(max_examples=40, deadline=None)
@given(cell=st.sampled_from(list(CELLS)), bidirectional=st.booleans(), layers=st.integers(1, 2), zones=st.booleans(),
       lengths=st.lists(st.integers(1, 5), min_size=2, max_size=4), more=st.integers(0, 3), seed=st.integers(0, 99))
def test_what_stands_behind_a_sequence_changes_nothing(cell, bidirectional, layers, zones, lengths, more, seed):
    """Neither its values (NaN too) nor its amount, in outputs, states and gradients; nor do the other sequences."""
    torch.manual_seed(seed)
    net = varied(Recurrent(2, 3, cell, layers, bidirectional, zoneout=0.2 * zones)).eval()
    longest = max(lengths)
    x = numbers(len(lengths), longest, 2)
    behind = torch.cat([x, numbers(len(lengths), more, 2)], dim=1)
    for row, length in enumerate(lengths):
        behind[row, length:] = torch.tensor([1e9, torch.inf, torch.nan])[seed % 3]
    x, behind = x.requires_grad_(), behind.requires_grad_()
    (out, last), (other, other_last) = (net(each, torch.tensor(lengths)) for each in (x, behind))
    torch.testing.assert_close((other[:, :longest], flat(other_last)), (out, flat(last)), rtol=0, atol=1e-12)
    assert not other[:, longest:].any()
    gradients = [torch.autograd.grad(each.square().sum() + sum(s.sum() for s in flat(ends)), (given, *net.parameters()))
                 for each, ends, given in ((out, last, x), (other, other_last, behind))]
    torch.testing.assert_close(gradients[1][0][:, :longest], gradients[0][0], rtol=0, atol=1e-10)
    torch.testing.assert_close(gradients[1][1:], gradients[0][1:], rtol=0, atol=1e-10)
    for row, length in enumerate(lengths):
        alone, alone_last = net(x[row : row + 1, :length])
        torch.testing.assert_close(out[row, :length], alone[0], rtol=0, atol=1e-12)
        assert not out[row, length:].any()
        torch.testing.assert_close([each[row] for each in flat(last)], [each[0] for each in flat(alone_last)])


@pytest.mark.parametrize("cell", CELLS)
def test_24_05_a_carried_state_goes_on_where_the_last_call_ended(cell):
    net, x = varied(Recurrent(3, 4, cell, layers=2)).eval(), numbers(2, 9, 3)
    whole, last = net(x)
    state, outputs = None, []
    for part in x.split(4, dim=1):
        out, state = net(part, state=state)
        assert all(each.requires_grad for each in flat(state))
        state = tuple(tuple(s.detach() for s in each) if isinstance(each, tuple) else each.detach() for each in state)
        outputs.append(out)
    torch.testing.assert_close((torch.cat(outputs, dim=1), flat(state)), (whole, flat(last)))


def test_an_empty_sequence_gives_zeros_and_keeps_its_state():
    for cell in CELLS:
        net, start = varied(Recurrent(3, 4, cell)).eval(), numbers(3, 4)
        given = (start, 2 * start) if cell.endswith("lstm") else start
        out, last = net(numbers(3, 2, 3), torch.tensor([2, 0, 1]), (given,))
        assert not out[1].any()
        assert torch.equal(flat(last)[-1][1], flat((given,))[-1][1])


def test_24_22_backward_reads_each_sequence_from_its_own_end():
    x = torch.arange(1.0, 9).view(4, 2, 1)
    found = reversed_steps(x, torch.tensor([4, 2]))[..., 0]
    assert found.T.tolist() == [[7, 5, 3, 1], [4, 2, 6, 8]]
    net, x, lengths = varied(Recurrent(3, 4, "gru", bidirectional=True)), numbers(2, 5, 3), torch.tensor([5, 3])
    out, _ = net(x, lengths)
    later = x.clone()
    later[:, 2] += 1
    changed = (net(later, lengths)[0] != out).any(2)
    assert changed.all(1).tolist() == [True, False]
    assert changed[1].tolist() == [True, True, True, False, False]
    one_way = varied(Recurrent(3, 4, "gru"))
    assert (one_way(later)[0] != one_way(x)[0]).any(2)[0].tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("cell", CELLS)
def test_weight_dropout_drops_recurrent_weights_anew_and_the_raw_ones_learn(cell):
    net, x = Recurrent(3, 8, cell, weight_dropout=0.5), torch.randn(4, 5, 3)
    raw, before = net.weight_hh_l0, net.weight_hh_l0.detach().clone()
    first, second = net(x)[0], net(x)[0]
    assert not torch.allclose(first, second)
    first.sum().backward()
    assert 0.3 < float((raw.grad == 0).float().mean()) < 0.7
    assert torch.equal(raw, before)
    net.eval()
    plain = Recurrent(3, 8, cell).eval()
    plain.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(x)[0], plain(x)[0])


def test_weight_dropout_is_a_layer_with_those_weights_missing_the_others_scaled():
    net, x = Recurrent(3, 4, weight_dropout=0.25).double(), numbers(2, 5, 3)
    out, _ = net(x)
    out.sum().backward()
    layer = torchs("lstm", 3, 4)
    layer.load_state_dict(net.state_dict())
    with torch.no_grad():
        layer.weight_hh_l0.mul_((net.weight_hh_l0.grad != 0) / 0.75)
    torch.testing.assert_close(layer(x)[0], out)


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_is_between_layers_of_each_step_or_of_a_sequence(variational):
    net = Recurrent(20, 20, "rnn_relu", layers=2, dropout=0.3, variational=variational).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.weight_ih_l0.copy_(torch.eye(20))
        net.weight_ih_l1.copy_(torch.eye(20))
    out, _ = net(torch.ones(100, 6, 20, dtype=torch.float64))
    assert sorted(out.unique().tolist()) == pytest.approx([0, 1 / 0.7])
    assert float((out != 0).double().mean()) == pytest.approx(0.7, abs=0.03)
    same = torch.equal(out, out[:, :1].expand_as(out))
    assert same == variational
    assert len((out[:, 0] != 0).unique(dim=0)) > 95
    assert torch.equal(net.eval()(torch.ones(1, 6, 20, dtype=torch.float64))[0].unique(), torch.ones(1).double())


def test_each_sequence_has_one_inverted_mask_for_all_its_steps():
    """The masks, read from zeros, put into a loop over torch's cell, give the same outputs and the same last state."""
    net, layer, before, after = (Recurrent(3, 4, recurrent_dropout=0.25).double(), torchs("lstm", 3, 4),
                                 SequenceDropout(0.4), SequenceDropout(0.4))
    net.load_state_dict(layer.state_dict())
    cell = nn.LSTMCell(3, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, h, c = numbers(50, 5, 3).requires_grad_(), numbers(50, 4).requires_grad_(), numbers(50, 4)
    out, ((last_h, last_c),) = net(before(x), state=((h, c),))
    out = after(out)
    by_x, by_h = torch.autograd.grad(last_h.sum(), (x, h))
    for found in (by_x, out):
        assert torch.equal(found != 0, (found[:, :1] != 0).expand_as(found))
    mask_x, mask_h, mask_out = (by_x[:, 0] != 0) / 0.6, (by_h != 0) / 0.75, (out[:, 0] != 0) / 0.6
    state = (h, c)
    for step in range(5):
        state = cell(x[:, step] * mask_x, (state[0] * mask_h, state[1]))
        torch.testing.assert_close(out[:, step], state[0] * mask_out)
    torch.testing.assert_close((last_h, last_c), state)


@pytest.mark.parametrize("which", ["sequence", "recurrent"])
def test_masks_differ_over_sequences_and_calls_and_keep_their_share(which):
    drop = SequenceDropout(0.3 if which == "sequence" else 0.0)
    net = Recurrent(20, 20, recurrent_dropout=0.3 if which == "recurrent" else 0.0)
    x, state, masks = torch.ones(400, 2, 20, requires_grad=True), torch.ones(400, 20, requires_grad=True), []
    for _ in range(2):
        out, _ = net(drop(x), state=((state, torch.zeros(400, 20)),))
        by_x, by_h = torch.autograd.grad(out.sum(), (x, state))
        masks.append((by_x[:, 0] if which == "sequence" else by_h) != 0)
        assert ((by_h if which == "sequence" else by_x) != 0).all()
        assert float(masks[-1].float().mean()) == pytest.approx(0.7, abs=0.02)
    assert len(masks[0].unique(dim=0)) > 390  # of 400 sequences
    assert not torch.equal(*masks)
    plain = Recurrent(20, 20)
    plain.load_state_dict(net.state_dict())
    torch.testing.assert_close(net.eval()(drop.eval()(x))[0], plain(x)[0])


@pytest.mark.parametrize("cell", CELLS)
def test_zoneout_keeps_units_as_they_were_and_evaluates_to_the_expectation(cell):
    net, x = varied(Recurrent(3, 6, cell, zoneout=0.4)), numbers(200, 1, 3)
    starts = (numbers(200, 6), numbers(200, 6)) if cell.endswith("lstm") else numbers(200, 6)
    plain = varied(Recurrent(3, 6, cell))
    plain.load_state_dict(net.state_dict())
    _, new = plain(x, state=(starts,))
    _, found = net(x, state=(starts,))
    for before, after, kept in zip(flat((starts,)), flat(new), flat(found)):
        stays = torch.isclose(kept, before, rtol=0, atol=1e-12)
        torch.testing.assert_close(kept[~stays], after[~stays])
        assert float(stays.double().mean()) == pytest.approx(0.4, abs=0.06)
        assert len(stays.unique(dim=0)) > 40
    plain.load_state_dict(net.state_dict())
    (_, new), (_, found) = plain.eval()(x, state=(starts,)), net.eval()(x, state=(starts,))
    for before, after, expected in zip(flat((starts,)), flat(new), flat(found)):
        torch.testing.assert_close(expected, 0.4 * before + 0.6 * after)


@pytest.mark.parametrize("cell", CELLS)
def test_bf16_stays_near_float32_and_learns(cell):
    net, x = Recurrent(8, 16, cell, layers=2, zoneout=0.1).eval(), torch.randn(4, 6, 8)
    exact, _ = net(x)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = net(x)
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.1)
    rough.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 and p.grad.isfinite().all()
               for p in net.parameters())


def test_wrong_names_rates_and_depths_are_refused():
    with pytest.raises(RecipeError, match="no recurrent cell is called 'lstn'"):
        Recurrent(3, 4, "lstn")
    for name, rate in (("dropout", 1.0), ("recurrent_dropout", -0.1), ("zoneout", 1.5), ("weight_dropout", 1.0)):
        with pytest.raises(ValueError, match=f"{name} is {rate}; give the share"):
            Recurrent(3, 4, **{name: rate})
    with pytest.raises(ValueError, match="p is 1; give the share"):
        SequenceDropout(1)
    with pytest.raises(ValueError, match="layers is 0; give 1 or more"):
        Recurrent(3, 4, layers=0)
    with pytest.raises(ValueError, match="one number per sequence"):
        Recurrent(3, 4)(torch.randn(3, 5, 3), torch.tensor([2, 3]))


@pytest.mark.parametrize("cell", ["gru", "lstm", "layer_norm_lstm", "batch_norm_lstm"])
def test_they_export_for_any_batch_size(cell):
    net, x = Recurrent(3, 4, cell, bidirectional=True).eval(), torch.randn(3, 2, 3)
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(net, (x, torch.tensor([2, 1, 2])), dynamic_shapes=(batch, batch))
    more, lengths = torch.cat([x, x]), torch.tensor([2, 1, 2, 2, 2, 1])
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(more, lengths)[0], net(more, lengths)[0])


@pytest.mark.parametrize("cell", ["gru", "lstm", "peephole_lstm", "layer_norm_lstm"])
def test_they_export_behind_a_layer_that_learns(cell):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.cells = nn.Embedding(9, 3), Recurrent(3, 4, cell, bidirectional=True)

        def forward(self, ids):
            return self.cells(self.table(ids), (ids != 0).sum(1))[0]

    net, ids = Reader().eval(), torch.tensor([[1, 2, 3], [4, 5, 0]])
    exported = torch.export.export(net, (ids,)).module()
    other = torch.tensor([[7, 8, 0], [2, 1, 3]])
    torch.testing.assert_close(exported(other), net(other))


def test_compiled_they_learn_the_same():
    torch._dynamo.reset()
    net, x = Recurrent(3, 4, "peephole_lstm"), torch.randn(3, 2, 3)
    other = copy.deepcopy(net)
    compiled = torch.compile(other, backend="eager")
    for each in (net, compiled):
        each(x)[0].square().sum().backward()
    torch.testing.assert_close([p.grad for p in other.parameters()], [p.grad for p in net.parameters()])
