"""A comparison as a person reads it: the sentence of two runs, and the table."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from orthogon.stats.estimate import Estimate
from orthogon.train.titles import error_name

if TYPE_CHECKING:
    from orthogon.strategy.comparison import Comparison, Line


def sentence(found: Comparison) -> str:
    """Of two runs: "dev 19.5 -> 2.5   better by 17.0 [13.0, 21.0] points (63 put right, 2 broken); …"."""
    (line,) = found.others
    rate = found.unit == "rate"
    before, after = (number(each.estimate.value, rate) for each in (found.reference, line))
    said = f"{found.part} {'' if rate else error_name(found.metric) + ' '}{before} -> {after}   {told(line)}"
    if found.promise:
        promised = number(found.promise.low, rate)
        said += f"; promised at least {promised}: {found.promise.verdict}"
    return f"{said}; {found.remark}" if found.remark else said


def told(line: Line) -> str:
    """"better by 17.0 [13.0, 21.0] points (63 put right, 2 broken)"; "tied: +0.6 [-1.0, 2.2] points"."""
    gain = line.gain
    if gain is None:
        return line.standing
    rate = gain.unit == "rate"
    if line.standing == "worse":  # worse by a positive number
        gain = Estimate(-gain.value, -gain.high, -gain.low, gain.n, gain.method, gain.unit)
    size = number(gain.value, rate, signed=line.standing == "tied")
    interval = f" [{number(gain.low, rate)}, {number(gain.high, rate)}]" if isfinite(gain.low + gain.high) else ""
    changed = "" if line.put_right is None or not rate else f" ({line.put_right:,} put right, {line.broken:,} broken)"
    how = "tied:" if line.standing == "tied" else f"{line.standing} by"
    return f"{how} {size}{interval}{' points' if rate else ''}{changed}"


def cells(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the table; columns that nobody fills are left out."""
    rate, lines = found.unit == "rate", found.lines
    columns = {
        error_name(found.metric) + (" %" if rate else ""): [_value(x) for x in lines],
        "over seeds": [_range(x) for x in lines],
        "gain, points" if rate else "gain": [_gain(x) for x in lines],
        "put right, broken": ["" if x.put_right is None else f"{x.put_right:,}, {x.broken:,}" for x in lines],
        "p, Holm" if len(found.others) > 1 else "p": [_p(x) for x in lines],
        f"against {found.reference.name}": ["" if x.standing == "reference" else x.standing for x in lines],
        "seconds": ["" if x.seconds is None else f"{x.seconds:.1f}" for x in lines],
        "parameters": [_amount(x.parameters) for x in lines],
        "multiply-adds": [_amount(x.multiply_adds) for x in lines],
    }
    kept = {name: column for name, column in columns.items() if any(column)}
    return ["", *kept], [[x.name, *(column[at] for column in kept.values())] for at, x in enumerate(lines)]


def number(value: float, rate: bool, signed: bool = False) -> str:
    """A share in points with one digit, anything else to three figures; never "-0.0"."""
    if not isfinite(value):
        return "–"
    text = f"{100 * value:.1f}" if rate else f"{value:.3g}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return f"+{text}" if signed and float(text) > 0 else text


def _value(line: Line) -> str:
    return _with_interval(line.estimate)


def _gain(line: Line) -> str:
    return "" if line.gain is None else _with_interval(line.gain, signed=True)


def _with_interval(estimate: Estimate, signed: bool = False) -> str:
    rate = estimate.unit == "rate"
    value = number(estimate.value, rate, signed)
    if not isfinite(estimate.low + estimate.high):
        return value
    return f"{value} [{number(estimate.low, rate)}, {number(estimate.high, rate)}]"


def _range(line: Line) -> str:
    if line.spread is None:
        return ""
    low, high = (number(end, line.estimate.unit == "rate") for end in line.spread)
    return f"{line.seeds} seeds: {low} to {high}"


def _p(line: Line) -> str:
    """Of what is claimed of runs; baselines stand outside the family."""
    if line.p_value is None or line.baseline or not isfinite(line.p_value):
        return ""
    return "< 0.0001" if line.p_value < 1e-4 else f"{line.p_value:.2g}"


def _amount(value: int | None) -> str:
    """"50.8 k", "1.79 M"."""
    if value is None:
        return ""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return str(value)
