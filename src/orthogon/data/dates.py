"""Dates as people write them, with the date that is meant: a small translation of which everything is known (28.16)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.readers.options import row_ids
from orthogon.errors import DataError

COUNT, SEED = 20_000, 0
FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)
"""Years of two digits mean one year each within this century."""

DAY_FIRST = ("de", "fr", "es", "it", "nl", "pt", "sv", "da", "fi", "pl", "cs")
"""Languages in which the day comes before the month, in words and in numbers."""

KNOWN = (
    ("en", "MMMM d, y"), ("en", "MMM d, y"), ("en", "EEEE, MMMM d, y"), ("en", "d MMMM y"), ("en", "EEE d MMM y"),
    ("en", "MMMM d yy"), *((locale, pattern) for locale in DAY_FIRST for pattern in
                          ("d MMMM y", "d. MMM y", "EEEE d MMMM y", "d MMMM yy")),
    ("fr", "d/M/y"), ("es", "dd/MM/yy"), ("de", "d.M.y"), ("pl", "dd.MM.yy"), ("nl", "d-M-y"), ("sv", "y-MM-dd"),
    ("sv", "y/MM/dd"), ("sv", "yMMdd"),
)
"""(language, pattern of the Unicode locale data). Numbers alone are never month first, so that each text has one
meaning: 3/5/14 is the third of May."""

UNSEEN = (("en", "y MMMM d"), ("en", "EEEE d MMMM yy"), ("en", "d-MMM-y"), ("fr", "MMMM d y"), ("de", "d/M/yy"),
          ("nl", "y.MM.dd"))
"""Of the set `dates-unseen`: the same words in ways of writing that `dates` does not hold."""


def dates(count: int = COUNT, seed: int = SEED, formats: Sequence[tuple[str, str]] = KNOWN) -> Dataset:
    """Texts such as "Saturday, May 3, 2014" and "3. mai 2014", the target 2014-05-03; the same arguments give the same.

    source: the pattern, so that each way of writing has a figure of its own. group: the day, so that no day of dev or
    test is learnt from in another way of writing. A quarter is in capitals, a quarter in small letters.
    DataError without the package babel.
    """
    written = _formatter()
    random = np.random.default_rng((seed, len(formats)))
    days = [FIRST + timedelta(days=int(k)) for k in random.integers((LAST - FIRST).days + 1, size=count)]
    chosen = [formats[int(k)] for k in random.integers(len(formats), size=count)]
    letters = random.integers(4, size=count)
    cases = (str.upper, str.lower, str, str)
    texts = [cases[case](written(day, pattern, locale)) for day, (locale, pattern), case in zip(days, chosen, letters)]
    meant = [day.isoformat() for day in days]
    return Dataset("dates", {"written": TextColumn(texts), "date": TextColumn(meant)}, "date", row_ids(count),
                   group=np.array(meant), source=np.array([pattern for _, pattern in chosen]))


def unseen(count: int = 2000, seed: int = SEED + 1) -> Dataset:
    """The same in ways of writing that `dates` does not hold."""
    return dates(count, seed, UNSEEN)


def _formatter() -> Any:
    try:
        from babel.dates import format_date
    except ImportError:
        raise DataError("dates are written with the package babel", remedy='pip install "orthogon[text]"') from None
    return format_date
