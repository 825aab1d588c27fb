"""What files hold, packed or not: the same for every reader, and never a part of it without a word."""

import gzip
import lzma
from pathlib import Path

import pytest

import orthogon as og
from orthogon.data.readers import content
from orthogon.errors import DataError

PACKED = {"gzip": gzip.compress, "xz": lzma.compress}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("sort", PACKED)
def test_a_packed_file_is_unpacked_whatever_its_name(tmp_path, sort):
    path = written(tmp_path / "a.txt", PACKED[sort]("\ufeffä\n".encode()))
    assert content.bytes_of(path) == "\ufeffä\n".encode()
    assert content.text_of(path) == "ä\n"


@pytest.mark.parametrize("sort", PACKED)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, sort):
    path = written(tmp_path / "a", PACKED[sort](b"some text " * 100)[:-9])
    with pytest.raises(DataError, match=f"the {sort} file is damaged") as caught:
        content.bytes_of(path)
    assert (caught.value.where, caught.value.remedy) == (str(path), "Get it again.")
    with pytest.raises(DataError, match="cannot be read"):
        content.bytes_of(tmp_path)


@pytest.mark.parametrize("sort", PACKED)
def test_what_unpacks_to_too_much_is_refused_and_plain_files_may_have_any_size(tmp_path, monkeypatch, sort):
    monkeypatch.setattr(content, "MOST_UNPACKED", 40)
    assert content.bytes_of(written(tmp_path / "a", PACKED[sort](b"x" * 40))) == b"x" * 40
    with pytest.raises(DataError, match="more than 40 bytes"):
        content.bytes_of(written(tmp_path / "b", PACKED[sort](b"x" * 41)))
    assert content.bytes_of(written(tmp_path / "c", b"x" * 100)) == b"x" * 100


def test_every_reader_of_texts_refuses_what_it_would_have_cut_off(tmp_path, monkeypatch):
    lines = "".join(f"{number}\tO\n\n" for number in range(100)).encode()
    plain = written(tmp_path / "a.conll", lines)
    for name in ("b.conll.gz", "b.txt.gz", "b.csv.gz", "b.en.gz", "b.fr.gz"):
        written(tmp_path / name, gzip.compress(lines))
    monkeypatch.setattr(content, "MOST_UNPACKED", 40)
    assert len(og.read(plain)) == 100
    pair = [tmp_path / "b.en.gz", tmp_path / "b.fr.gz"]
    for source in (tmp_path / "b.conll.gz", tmp_path / "b.txt.gz", tmp_path / "b.csv.gz", pair):
        with pytest.raises(DataError, match="unpacked it has more than 40 bytes"):
            og.read(source, running=source == tmp_path / "b.txt.gz")


def test_what_is_no_utf8_is_told_by_line_and_byte_of_the_line(tmp_path):
    path = written(tmp_path / "a", b"\xef\xbb\xbffine\nna\xefve\n")
    with pytest.raises(DataError, match="byte 3 of the line, 0xef, is no UTF-8") as caught:
        content.text_of(path)
    assert caught.value.where == f"{path}:2"
    with pytest.raises(DataError, match="byte 4 of the line, 0xff,"):
        content.text_of(written(path, b"\xef\xbb\xbf\xff"))
