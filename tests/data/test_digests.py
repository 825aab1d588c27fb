"""SHA-256 that is remembered as long as a file stays as it was; downloads of which only the first digits are known."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest

from orthogon.data import digests
from orthogon.data.digests import fresh_sha256, remembered_sha256
from orthogon.data.download import fetch
from orthogon.errors import DataError


def test_a_digest_is_computed_once_and_again_when_the_file_changes(tmp_path, monkeypatch):
    path, reads = tmp_path / "a", []
    real = digests.sha256_of
    monkeypatch.setattr(digests, "sha256_of", lambda each: reads.append(each) or real(each))
    path.write_bytes(b"one")
    assert remembered_sha256(path) == remembered_sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert len(reads) == 1
    path.write_bytes(b"two")
    assert remembered_sha256(path) == hashlib.sha256(b"two").hexdigest()
    assert len(reads) == 2
    fresh_sha256(path)
    assert len(reads) == 3


def test_a_damaged_note_is_passed_over(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    remembered_sha256(path)
    (note,) = (tmp_path / "cache" / "digests").glob("*.json")
    note.write_text("{")
    assert remembered_sha256(path) == hashlib.sha256(b"one").hexdigest()


def remote(path, content, digits=8, size=None):
    return SimpleNamespace(name="got", address=path.as_uri(), bytes=size,
                           sha256=hashlib.sha256(content).hexdigest()[:digits])


def test_a_file_of_unknown_size_is_fetched_whole(tmp_path):
    content = bytes(range(256)) * 3000
    (tmp_path / "there").write_bytes(content)
    assert fetch(remote(tmp_path / "there", content), tmp_path / "here").read_bytes() == content
    (tmp_path / "there").unlink()
    assert fetch(remote(tmp_path / "there", content), tmp_path / "here").exists()


def test_of_a_file_of_unknown_size_no_more_is_fetched_than_allowed(tmp_path):
    (tmp_path / "there").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="longer"):
        fetch(remote(tmp_path / "there", b"x" * 1000), tmp_path / "here", most_bytes=999)
    assert not list((tmp_path / "here").glob("*"))


def test_the_first_digits_are_held_against_the_content(tmp_path):
    (tmp_path / "there").write_bytes(b"another")
    with pytest.raises(DataError, match="not what was expected"):
        fetch(remote(tmp_path / "there", b"content"), tmp_path / "here")
