"""The command `features`."""

import pytest
import typer

from orthogon.cli.features import _numbers


def test_labels_are_shares_and_numbers_with_commas_or_spaces_between_them():
    assert _numbers("0.01,0.1,1") == [0.01, 0.1, 1]
    assert _numbers("50 200") == [50, 200]
    with pytest.raises(typer.BadParameter, match="numbers with commas"):
        _numbers("few")
