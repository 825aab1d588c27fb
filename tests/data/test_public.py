"""Named public sets: the bundled ones, the look in $ORTHOGON_DATA, downloads and unpacking."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import stat
import tarfile
import threading
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from orthogon.data import public
from orthogon.data.download import fetch, unpack
from orthogon.data.read import read
from orthogon.errors import DataError

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()


@dataclass
class Remote:
    name: str
    address: str
    sha256: str = hashlib.sha256(CONTENT).hexdigest()
    bytes: int = len(CONTENT)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; cuts the first answers to /cut in the middle; /plain knows no ranges; /long sends too much."""

    requests: list[str | None]
    cuts: int

    def do_GET(self):
        asked = self.headers.get("Range")
        type(self).requests.append(asked)
        start = int(asked.split("=")[1].rstrip("-")) if asked and self.path != "/plain" else 0
        if self.path == "/gone":
            self.send_error(404)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT)
        if self.path in ("/cut", "/plain") and type(self).cuts:
            type(self).cuts -= 1
            end = start + (len(CONTENT) - start) // 2
        self.wfile.write(CONTENT[start:end])
        if self.path == "/long":
            self.wfile.write(b"more")

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server():
    Server.requests, Server.cuts = [], 2
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{web.server_address[1]}"
    web.shutdown()
    web.server_close()


def test_a_cut_connection_is_continued(server, tmp_path):
    path = fetch(Remote("x.bin", f"{server}/cut"), tmp_path)
    assert path.read_bytes() == CONTENT
    assert Server.requests == [None, "bytes=150000-", "bytes=225000-"]
    fetch(Remote("x.bin", f"{server}/cut"), tmp_path)
    assert len(Server.requests) == 3  # it is there: nothing is asked
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["x.bin"]


def test_what_an_earlier_process_left_is_continued(server, tmp_path):
    (tmp_path / "x.bin.part").write_bytes(CONTENT[:1000])
    Server.cuts = 0
    assert fetch(Remote("x.bin", f"{server}/cut"), tmp_path).read_bytes() == CONTENT
    assert Server.requests == ["bytes=1000-"]


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    assert fetch(Remote("x.bin", f"{server}/plain"), tmp_path).read_bytes() == CONTENT


def test_wrong_content_is_refused_and_deleted(server, tmp_path):
    Server.cuts = 0
    with pytest.raises(DataError, match="SHA-256"):
        fetch(Remote("x.bin", f"{server}/x", sha256="0" * 64), tmp_path)
    assert not list(tmp_path.glob("x.bin*"))


def test_other_troubles_are_said(server, tmp_path):
    with pytest.raises(DataError, match=r"got 0 of 300,000 bytes.*404"):
        fetch(Remote("x.bin", f"{server}/gone"), tmp_path)
    assert len(Server.requests) == 1
    Server.cuts = 99
    with pytest.raises(DataError, match="goes on where it stopped"):
        fetch(Remote("x.bin", f"{server}/cut"), tmp_path)
    for address in ("http://example.org/x", "ftp://127.0.0.1/x"):
        with pytest.raises(DataError, match="only https"):
            fetch(Remote("x.bin", address), tmp_path)
    Server.cuts = 0
    with pytest.raises(DataError, match="longer than the 1,000 bytes"):
        fetch(Remote("y.bin", f"{server}/x", bytes=1000), tmp_path)
    assert not (tmp_path / "y.bin").exists()


def tar_with(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = content.decode() if kind != tarfile.REGTYPE else ""
            tar.addfile(info, io.BytesIO(content))
    return path


def test_unpacking(tmp_path):
    members = [("a/1.txt", b"one", tarfile.REGTYPE), ("./b.txt", b"two", tarfile.REGTYPE)]
    good = tar_with(tmp_path / "good.tar.gz", *members)
    folder = unpack(good, tmp_path / "good", 1000)
    assert (folder / "a" / "1.txt").read_bytes() == b"one"
    assert (folder / "b.txt").read_bytes() == b"two"
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as packed:
        packed.writestr("a/1.txt", "one")
    assert (unpack(tmp_path / "good.zip", tmp_path / "zip", 1000) / "a" / "1.txt").read_bytes() == b"one"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("../out.txt", b"x", tarfile.REGTYPE),
        ("/tmp/out.txt", b"x", tarfile.REGTYPE),  # noqa: S108 - a hostile name
        ("a/../../out.txt", b"x", tarfile.REGTYPE),
        ("a\\..\\..\\out.txt", b"x", tarfile.REGTYPE),
        ("C:out.txt", b"x", tarfile.REGTYPE),
        ("link", b"/etc/passwd", tarfile.SYMTYPE),
        ("link", b"../out.txt", tarfile.LNKTYPE),
        ("pipe", b"", tarfile.FIFOTYPE),
        ("big.txt", b"x" * 2000, tarfile.REGTYPE),
    ],
)
def test_hostile_archives_are_refused(tmp_path, name, content, kind):
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = tar_with(inner / "bad.tar", ("fine.txt", b"x", tarfile.REGTYPE), (name, content, kind))
    with pytest.raises(DataError):
        unpack(archive, inner / "target", 1000)
    assert [entry.name for entry in inner.iterdir()] == ["bad.tar"]
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "link"])
def test_hostile_zips_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        info = zipfile.ZipInfo(name)
        if name == "link":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(DataError):
        unpack(tmp_path / "bad.zip", tmp_path / "target", 1000)
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name != "cache") == ["bad.zip"]


def test_a_damaged_archive(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"no tar")
    with pytest.raises(DataError, match="damaged"):
        unpack(tmp_path / "a.tar", tmp_path / "target", 1000)
    assert not (tmp_path / "target").exists()


def test_every_set_says_where_it_comes_from():
    known = {"digits", "digits-tilted", "fashion-mnist", "mnist", "adult", "wine-quality", "trashnet"}
    assert set(public.names()) >= known
    for each in public.list_public():
        assert each.title
        assert each.licence
        assert each.citation
        assert each.address or each.citation == "made by Orthogon"
        for file in each.files:
            assert file.address.startswith("https://")
            assert len(file.sha256) == 64
            assert file.bytes > 0
    with pytest.raises(DataError, match="Did you mean 'adult'"):
        public.get("adlut")


def test_digits():
    data = read("digits")
    column = data.columns["image"]
    assert column.pixels.shape == (1797, 1, 8, 8)
    assert data.columns["label"].levels == tuple("0123456789")
    assert data.card.notes
    assert data.origin == data.name == "digits"


def test_tilted_digits_are_the_same_everywhere():
    data, plain = read("digits-tilted"), read("digits")
    assert data.source is not None
    phone = data.source == "phone"
    assert abs(int(phone.sum()) - 898) <= 5
    changed = (data.columns["image"].pixels != plain.columns["image"].pixels).any(axis=(1, 2, 3))
    assert not changed[~phone].any()
    assert changed[phone].mean() > 0.99
    assert data.content_hash() == "a4ef980077d9fb323654d9a7554220ee"
    assert read("digits-tilted").content_hash() == data.content_hash()


@pytest.fixture
def tiny(monkeypatch, tmp_path, server):
    """A public set of one small file that the test's own server has."""
    text = gzip.compress(b"x,y\n1,a\n2,b\n")
    far = tmp_path / "far" / "t.csv.gz"
    far.parent.mkdir()
    far.write_bytes(text)
    file = public.PublicFile("t.csv.gz", far.as_uri(), hashlib.sha256(text).hexdigest(), len(text))
    each = public.Public("tiny", "a tiny set", lambda folder: read(folder / "t.csv.gz", target="y"), "CC0", "nobody",
                         ("beware",), "https://example.org", "tiny_set", (file,))
    monkeypatch.setitem(public.SETS, "tiny", each)
    monkeypatch.delenv("ORTHOGON_DATA", raising=False)
    return each


def test_fetched_once_into_the_cache(tiny, tmp_path):
    data = read("tiny")
    assert (data.name, data.origin, data.card.notes) == ("tiny", "tiny", ("beware",))
    assert public.get("tiny") == Path(os.environ["ORTHOGON_CACHE"]) / "data" / "tiny"
    (tmp_path / "far" / "t.csv.gz").unlink()
    assert len(read("tiny")) == 2


def test_orthogon_data_comes_first_and_is_verified(tiny, tmp_path, monkeypatch):
    home = tmp_path / "own" / "tiny_set"
    home.mkdir(parents=True)
    monkeypatch.setenv("ORTHOGON_DATA", str(tmp_path / "own"))
    assert public.get("tiny") != home  # nothing there: fetched
    content = (tmp_path / "far" / "t.csv.gz").read_bytes()
    (home / "t.csv.gz").write_bytes(content)
    assert public.get("tiny") == home
    other = gzip.compress(b"x,y\n1,a\n2,b\n", 1, mtime=1)
    (home / "t.csv.gz").write_bytes(other)
    with pytest.raises(DataError, match="not the file"):
        public.get("tiny")
    also = (("t.csv.gz", hashlib.sha256(other).hexdigest()),)
    monkeypatch.setitem(public.SETS, "tiny", replace(tiny, files=(replace(tiny.files[0], also=also),)))
    assert public.get("tiny", root=tmp_path / "own") == home
