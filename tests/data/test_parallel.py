"""Parallel text: two files line by line, what is wrong with them by line; dates that mean what they say."""

from pathlib import Path

import numpy as np
import pytest

import orthogon as og
from orthogon.data.dates import FIRST, KNOWN, LAST, UNSEEN, dates, unseen
from orthogon.errors import DataError


def _write(folder: Path, **texts: str) -> list[str]:
    paths = []
    for name, text in texts.items():
        paths.append(folder / name.replace("_", "."))
        paths[-1].write_bytes(text.encode("utf-8"))
    return [str(path) for path in paths]


def test_two_files_are_pairs(tmp_path: Path) -> None:
    english, french = _write(tmp_path, talk_en="Go.\nI see.\u2028Well.\n", talk_fr="Va !\r\nJe vois.\u2028Bon.\n")
    for source in (f"{english},{french}", [english, french]):
        data = og.read(source)
        assert list(data.columns) == ["en", "fr"]
        assert data.target == "fr"
        assert [data.columns["fr"].cell(row) for row in range(2)] == ["Va !", "Je vois.\u2028Bon."]
    assert og.read([french, english]).target == "en"
    assert og.read([english, french], target="en").target == "en"


def test_a_folder_of_pairs_has_parts(tmp_path: Path) -> None:
    _write(tmp_path, train_en="a\nb\n", train_fr="A\nB\n", dev_en="c\n", dev_fr="C\n")
    data = og.read(tmp_path)
    assert data.part is not None
    assert data.part.tolist() == ["train", "train", "dev"]
    assert data.columns["fr"].cell(2) == "C"


def test_unaligned_files_are_told_by_their_line_counts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"talk\.en has 3 lines, talk\.fr 2"):
        og.read(_write(tmp_path, talk_en="a\nb\nc\n", talk_fr="A\nB\n"))


def test_invalid_utf8_is_told_by_line_and_byte(tmp_path: Path) -> None:
    paths = _write(tmp_path, talk_en="a\nb\n", talk_fr="A\nB\n")
    Path(paths[1]).write_bytes(b"A\nB\xff\n")
    with pytest.raises(DataError, match="byte 2 of the line") as error:
        og.read(paths)
    assert str(error.value.where).endswith("talk.fr:2")


def test_empty_sides_are_said(tmp_path: Path) -> None:
    data = og.read(_write(tmp_path, talk_en="a\n\nc\n", talk_fr="A\nB\n\n"))
    assert data.columns["fr"].missing().tolist() == [False, False, True]
    assert any(found.kind == "empty-line" and found.row == 1 for found in data.findings)


def test_empty_sides_are_said_of_the_files_that_have_them(tmp_path: Path) -> None:
    _write(tmp_path, train_en="a\nb\n", train_fr="A\nB\n", dev_en="\nc\n", dev_fr="C\nD\n", test_en="d\n", test_fr="\n")
    dev, test = (found for found in og.read(tmp_path).findings if found.kind == "empty-line")
    assert (dev.where, dev.row) == (f"{tmp_path / 'dev.en'}, {tmp_path / 'dev.fr'}", 2)
    assert dev.what.startswith("1 of 2 pairs have an empty side, the first in line 1;")
    assert (test.where, test.row) == (f"{tmp_path / 'test.en'}, {tmp_path / 'test.fr'}", 4)


def test_a_long_line_is_read(tmp_path: Path) -> None:
    data = og.read(_write(tmp_path, talk_en="x " * 500_000 + "\n", talk_fr="y\n"))
    assert len(data.columns["en"].cell(0)) == 999_999


@pytest.mark.parametrize("made", [lambda: dates(2000, 3), lambda: unseen(1000)])
def test_dates_mean_what_they_say(made) -> None:
    """Read back by babel's own names of months: the day, the month and the year are all in the text."""
    from babel import Locale

    data, months = made(), {}
    for locale in {locale for locale, _ in (*KNOWN, *UNSEEN)}:
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for month, name in Locale.parse(locale).months[context][width].items():
                    months.setdefault(name.lower().strip("."), set()).add(month)
    texts, meanings = data.columns["written"], data.columns["date"]
    for row in range(len(data)):
        text, year, month, day = texts.cell(row).lower(), *meanings.cell(row).split("-")
        digits = "".join(c if c.isdigit() else " " for c in text).split()
        if text.isdigit():
            assert text == year + month + day
            continue
        assert any(int(piece) == int(day) for piece in digits)
        assert year in digits or year[2:] in digits
        named = any(int(month) in found and name in text for name, found in months.items())
        assert named or any(int(piece) == int(month) for piece in digits)


def test_each_text_has_one_meaning_and_the_seed_decides() -> None:
    data, again, other = dates(5000), dates(5000), dates(5000, seed=1)
    meaning: dict[str, str] = {}
    for row in range(len(data)):
        text, means = data.columns["written"].cell(row), data.columns["date"].cell(row)
        assert meaning.setdefault(text, means) == means
        assert FIRST.isoformat() <= means <= LAST.isoformat()
    assert data.content_hash() == again.content_hash() != other.content_hash()
    known, others = np.asarray(data.source), np.asarray(unseen().source)
    assert not set(known.tolist()) & set(others.tolist())
    assert (np.unique(known, return_counts=True)[1] > 50).all()
