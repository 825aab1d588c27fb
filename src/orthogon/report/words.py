"""Small pieces of text and HTML that the sections of a report share."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import floor, isfinite, log10
from typing import Any

from orthogon.draw.tables import NOTHING, Raw, format_number
from orthogon.stats.estimate import Estimate

MOST_DIGITS = 4


def points(value: float, sign: bool = True) -> str:
    """A difference of rates: 0.062 -> "+6.2"."""
    return f"{100 * value:{'+' if sign else ''}.1f}".replace("-", "−")


def signed(value: float) -> str:
    """A difference in the unit of a metric, to three figures: "-24.1"."""
    return f"{value:+.3g}".replace("-", "−")


def difference(value: float, low: Any, high: Any, rate: bool) -> str:
    """A difference with its interval, in points where it is one of rates: "+6.1 points [3.2, 9.3]"."""
    text = points if rate else signed
    unit = " points" if rate else ""
    known = isinstance(low, int | float) and isinstance(high, int | float) and isfinite(low) and isfinite(high)
    if not known:
        return f"{text(value)}{unit}"
    ends = [f"{100 * end:.1f}" if rate else f"{end:.3g}" for end in (low, high)]
    return f"{text(value)}{unit} [{ends[0]}, {ends[1]}]".replace("-", "−")


def p_value(p: Any) -> str:
    """A p-value to two figures; "< 0.0001" below that; a dash where there is none."""
    if not isinstance(p, int | float) or not isfinite(p):
        return NOTHING
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def interval_cell(found: Estimate | None, n: int | None = None) -> Raw:
    """An estimate for a table: the value, under it its interval, and n where it is not the n given."""
    if found is None:
        return Raw(NOTHING)
    value, below = written(found)
    if n is not None and found.n != n:
        below += f", n = {found.n:,}"
    return Raw(f'<span title="{escape(found.method)}">{escape(value)}<br><small>{escape(below)}</small></span>')


def written(found: Estimate) -> tuple[str, str]:
    """(value, interval) with no more digits than the interval bears out: ("0.208 nats", "[0.190, 0.233]")."""
    known = isfinite(found.low) and isfinite(found.high)
    if found.unit == "rate" or not known or not isfinite(found.value):
        rate = found.unit == "rate"
        value = format_number(found.value, rate, "" if rate else found.unit)
        ends = [format_number(end, rate).removesuffix(" %") for end in (found.low, found.high)]
    else:
        half = (found.high - found.low) / 2
        needed = max(0, 1 - floor(log10(half))) if half > 0 else MOST_DIGITS
        # Numbers near zero keep their figures; of others the fifth decimal tells nobody anything.
        digits = min(needed, MOST_DIGITS if abs(found.value) >= 0.01 else 8)
        value = f"{found.value:,.{digits}f} {found.unit}".rstrip()
        ends = [f"{end:,.{digits}f}" for end in (found.low, found.high)]
    interval = f"[{ends[0]}, {ends[1]}]" if known else "no interval"
    if value.startswith("-"):
        value = value[1:] if not float(value.split()[0].replace(",", "")) else "−" + value[1:]
    return value, interval.replace("-", "−")


def told(found: Estimate) -> str:
    """An estimate in a sentence: "0.208 nats [0.190, 0.233], n = 359"."""
    value, interval = written(found)
    return f"{value} {interval}, n = {found.n:,}"


def listed(lines: list[str]) -> str:
    """A bullet list, escaped."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def folded(title: str, text: str) -> str:
    """Preformatted text behind a heading that opens it."""
    return f"<details><summary>{escape(title)}</summary><pre><code>{escape(text)}</code></pre></details>"


def sentence(document: Any, key: str = "sentence") -> str:
    """The sentence in a document of the run, ending with a stop; "" where there is none."""
    text = str(document.get(key) or "").strip() if isinstance(document, Mapping) else ""
    if not text:
        return ""
    if text.split()[0].isalpha():
        text = first_upper(text)
    return text if text[-1] in ".!?" else text + "."


def first_upper(text: str) -> str:
    """The text with its first letter large; the others stay as they are."""
    return text[:1].upper() + text[1:]
