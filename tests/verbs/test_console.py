"""The printed summary: aligned, wrapped, on the right stream."""

from __future__ import annotations

from math import nan

import pytest

from orthogon.stats.estimate import Estimate
from orthogon.verbs.console import Console, Row, labelled, score_table


def test_the_table_of_scores():
    table = score_table([
        Row("linear", Estimate(0.0391, 0.023, 0.064, 359, unit="rate"), "the baseline"),
        Row("dev", Estimate(0.0056, 0.002, 0.120, 1359, unit="rate")),
    ])
    assert table.splitlines() == [
        "            error %   95 % interval       n",
        "linear          3.9    [ 2.3,  6.4]     359     the baseline",
        "dev             0.6    [ 0.2, 12.0]   1,359",
    ]


def test_the_table_in_a_unit_and_without_an_interval():
    table = score_table([Row("dev", Estimate(3.14159, nan, nan, 7, unit="years"))], heading="rmse")
    assert table.splitlines()[0].split() == ["rmse", "(years)", "95", "%", "interval", "n"]
    assert table.splitlines()[1].split() == ["dev", "3.142", "–", "7"]


def test_a_metric_that_is_called_as_its_unit_says_so_once():
    table = score_table([Row("dev", Estimate(2.6, 2.5, 2.7, 7, unit="nats"))], heading="nats")
    assert table.splitlines()[0].split() == ["nats", "95", "%", "interval", "n"]


def test_long_texts_hang_under_their_label():
    text = labelled("verdict", "word " * 40, width=60)
    lines = text.splitlines()
    assert len(lines) > 3
    assert all(len(line) <= 60 for line in lines)
    assert lines[0].startswith("verdict     word")
    assert all(line.startswith(" " * 12 + "word") for line in lines[1:])


def test_a_long_label_has_its_own_line():
    assert labelled("fashion-mnist-two", "60,000 pictures") == "fashion-mnist-two\n            60,000 pictures"


@pytest.mark.parametrize(
    ("quiet", "json", "out", "err"), [(False, False, 1, 0), (False, True, 0, 1), (True, False, 0, 0)]
)
def test_streams(capsys, quiet, json, out, err):
    console = Console(quiet=quiet, json=json)
    console.line("digits", "1,797 pictures")
    console.table([])
    captured = capsys.readouterr()
    assert (len(captured.out.splitlines()), len(captured.err.splitlines())) == (out, err)
