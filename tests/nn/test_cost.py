"""What a network costs, against counts by hand."""

from __future__ import annotations

import torch
from torch import nn

from orthogon.nn.cost import multiply_adds, operation_counter, parameter_count


def test_what_is_learnt_is_counted_and_what_is_frozen_is_not():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 5, bias=False))
    assert parameter_count(model) == 3 * 2 + 2 + 2 + 2 + 2 * 5
    model[0].requires_grad_(False)
    assert parameter_count(model) == 2 + 2 + 2 * 5


def test_multiply_adds_of_products_and_convolutions_and_the_model_stays_as_it_is():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Dropout(), nn.Linear(4 * 6 * 6, 10)).train()
    assert multiply_adds(model, (torch.zeros(2, 3, 8, 8),)) == 2 * (4 * 6 * 6 * 3 * 9 + 4 * 6 * 6 * 10)
    assert all(module.training for module in model.modules())


def test_multiply_adds_of_attention_are_counted_on_a_cpu_and_without_numbers_alike():
    class Attention(nn.Module):
        def forward(self, query, key):
            return nn.functional.scaled_dot_product_attention(query, key, key)

    for device in ("cpu", "meta"):
        query, key = torch.zeros(2, 3, 5, 4, device=device), torch.zeros(2, 3, 7, 4, device=device)
        assert multiply_adds(Attention(), (query, key)) == 2 * 3 * (5 * 7 * 4 + 5 * 7 * 4)


def test_both_matrices_of_an_lstm_serve_every_step_also_where_it_is_one_operation_of_a_gpu():
    steps, batch, width, units = 5, 3, 4, 6
    expected = steps * batch * 4 * units * (width + units)
    x, start = torch.zeros(steps, batch, width), torch.zeros(1, batch, units, device="meta")
    assert multiply_adds(nn.LSTM(width, units), (x,)) == expected
    weights = [each.to("meta") for each in nn.LSTM(width, units).parameters()]
    with operation_counter() as counter:  # as torch calls it; mode 2 is an LSTM
        torch.ops.aten._cudnn_rnn(x.to("meta"), weights, 4, None, start, start, 2, units, 0, 1, False, 0.0, False,
                                  False, [], None)
    assert counter.get_total_flops() == 2 * expected
