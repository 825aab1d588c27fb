"""The largest values of rows, against torch's topk."""

import pytest
import torch

from orthogon.nn.top_values import BLOCK, top_values


@pytest.mark.parametrize("columns", [5, 4 * BLOCK * 3, 12 * BLOCK + 17, 1000])
@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("levels", [0, 7])
def test_they_are_those_of_topk(columns, count, levels):
    values = torch.randn(20, columns, generator=torch.Generator().manual_seed(columns))
    if levels:  # many ties
        values = (values * levels).round()
    values[0, 2:] = -torch.inf
    found, places = top_values(values, count)
    torch.testing.assert_close(found, values.topk(count).values)
    torch.testing.assert_close(values.gather(1, places), found)
    assert all(len(set(row)) == count for row in places.tolist())


def test_the_largest_may_stand_behind_the_last_whole_block_and_what_is_no_number_comes_first():
    values = torch.zeros(2, 8 * BLOCK + 3)
    values[0, -1] = 1
    values[1, 100] = torch.nan
    found, places = top_values(values, 2)
    assert places[:, 0].tolist() == [8 * BLOCK + 2, 100]
    assert found[1, 0].isnan()
