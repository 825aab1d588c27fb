"""Dropout of whole sequences."""

import pytest
import torch

from orthogon.nn.dropout import SequenceDropout


def test_one_mask_serves_all_steps_of_a_sequence_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = SequenceDropout(0.3)(torch.ones(200, 5, 50))
    assert torch.equal(dropped, dropped[:, :1].expand(-1, 5, -1))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert not torch.equal(dropped[0], dropped[1])


def test_in_evaluation_and_without_a_share_nothing_is_dropped():
    x = torch.randn(2, 3, 4)
    assert torch.equal(SequenceDropout(0.5).eval()(x), x)
    assert torch.equal(SequenceDropout(0.0)(x), x)


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_other_shares_are_refused(p):
    with pytest.raises(ValueError, match="from 0 to below 1"):
        SequenceDropout(p)
