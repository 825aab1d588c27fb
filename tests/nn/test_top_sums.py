"""The largest sums of several rows together, against torch's topk of all of them."""

import pytest
import torch

from orthogon.nn.top_sums import BLOCK, top_sums


@pytest.mark.parametrize("columns", [3, BLOCK, 4 * BLOCK * 3, 12 * BLOCK + 17, 1000])
@pytest.mark.parametrize("parts", [1, 2, 5, 100])
@pytest.mark.parametrize("count", [1, 5, 10])
@pytest.mark.parametrize("levels", [0, 7])
def test_they_are_those_of_all_sums(columns, parts, count, levels):
    generator = torch.Generator().manual_seed(columns)
    values, totals = torch.randn(7 * parts, columns, generator=generator), torch.randn(7, parts, generator=generator)
    if levels:  # many ties
        values, totals = (values * levels).round(), (totals * levels).round()
    values[0, 2:] = -torch.inf
    totals[1, 1:] = -torch.inf
    every = (totals.unsqueeze(2) + values.view(7, parts, columns)).flatten(1)
    found, places = top_sums(totals, values, count)
    torch.testing.assert_close(found, every.topk(min(count, parts * columns)).values, rtol=0, atol=0)
    torch.testing.assert_close(every.gather(1, places), found, rtol=0, atol=0)
    assert all(len(set(row)) == len(row) for row in places.tolist())


def test_the_largest_may_stand_behind_the_last_whole_block_and_what_is_no_number_comes_first():
    values = torch.zeros(4, 8 * BLOCK + 3)
    values[1, -1] = 1
    values[2, 100] = torch.nan
    found, places = top_sums(torch.zeros(2, 2), values, 2)
    assert places[:, 0].tolist() == [2 * (8 * BLOCK + 3) - 1, 100]
    assert found[1, 0].isnan()
