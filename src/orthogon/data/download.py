"""Fetching a public file: resumed where it was cut, bounded, checked against its SHA-256, unpacked with care."""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from orthogon.data.progress import bar
from orthogon.errors import DataError

_CHUNK = 1 << 18
_TIMEOUT = 30
_TRIES = 4
_MOST_FILES = 200_000


class Remote(Protocol):
    """What `fetch` must know of a file; bytes and sha256 are of what lies at the address.

    sha256: whole, or its first digits where no more was published. bytes: None where they were not published: then the
    server's word counts.
    """

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def bytes(self) -> int | None: ...


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(remote: Remote, folder: Path, progress: bool | None = None, most_bytes: int = 1 << 31) -> Path:
    """The file in the folder, fetched if it is not there; what an earlier try left is continued.

    most_bytes: where the size was not published, more than this is not fetched.

    DataError: an address that is not https (file, or http to this machine, for tests); no connection after four
    tries; another size or SHA-256 than promised (what was fetched is then deleted).
    """
    _check_address(remote.address)
    path = folder / remote.name
    if path.exists() and sha256_of(path).startswith(remote.sha256):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    size = remote.bytes
    if part.exists() and part.stat().st_size >= (size or most_bytes):
        part.unlink()
    with bar(f"getting {remote.name}", size, unit="bytes", show=progress) as advance:
        trouble: Exception | None = None
        for _ in range(_TRIES):
            try:
                size = _continue(remote, part, advance, most_bytes)
            except (urllib.error.URLError, OSError) as error:
                trouble = error
                if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                    break
            if part.exists() and part.stat().st_size == size:
                trouble = None
                break
    _check(remote, part, size, trouble)
    part.replace(path)
    return path


def _check_address(address: str) -> None:
    parts = urllib.parse.urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme not in ("https", "file") and not local:
        raise DataError("only https addresses are fetched", where=address)


def _continue(remote: Remote, part: Path, advance: object, most_bytes: int) -> int:
    """One try: the bytes that are still missing are added to the part. Returns how many the whole file has."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "orthogon"} | ({"Range": f"bytes={done}-"} if done else {})
    request = urllib.request.Request(remote.address, headers=headers)  # noqa: S310 - scheme checked
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
        _check_address(answer.url)  # after redirections
        if done and getattr(answer, "status", None) != 206:
            done = 0  # the server does not continue: from the beginning
        size = remote.bytes
        if size is None:
            size = done + int(answer.headers.get("Content-Length") or most_bytes)
            if size > most_bytes:
                raise _Longer
        with part.open("ab" if done else "wb") as file:
            while block := answer.read(_CHUNK):
                done += len(block)
                if done > size:
                    raise _Longer
                file.write(block)
                if callable(advance):
                    advance(len(block))
    return size


class _Longer(OSError):
    """More came than was promised."""


def _check(remote: Remote, part: Path, size: int | None, trouble: Exception | None) -> None:
    by_hand = f"Fetch it by hand and put it here: {part.with_name(remote.name)}"
    if isinstance(trouble, _Longer):
        part.unlink(missing_ok=True)
        expected = "" if size is None else f" than the {size:,} bytes expected"
        raise DataError(f"the file is longer{expected}", where=remote.address)
    got = part.stat().st_size if part.exists() else 0
    if got != size:
        reason = f" ({trouble})" if trouble else ""
        of = "" if size is None else f" of {size:,}"
        raise DataError(f"got {got:,}{of} bytes{reason}", where=remote.address,
                        remedy=f"Try again: it goes on where it stopped. {by_hand}")
    found = sha256_of(part)
    if not found.startswith(remote.sha256):
        part.unlink()
        raise DataError(f"the content is not what was expected: SHA-256 {found}, expected {remote.sha256}",
                        where=remote.address, remedy=f"It was deleted. The address may serve something new. {by_hand}")


def unpack(archive: Path, folder: Path, most_bytes: int) -> Path:
    """Unpacks a tar (any compression) or zip into the folder, all or nothing; the folder, if it is there, stays.

    Only plain files and folders below the target are written, by names without "..", roots or links; DataError for
    anything else, for more than `most_bytes` when unpacked, and for a damaged archive.
    """
    if folder.exists():
        return folder
    import shutil

    staging = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, staging, most_bytes)
        else:
            _untar(archive, staging, most_bytes)
        staging.rename(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"the archive is damaged ({error})", where=str(archive), remedy="Delete it, get it again.") \
            from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def _target(name: str, staging: Path, archive: Path) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or not path.parts:
        raise DataError(f"the archive holds a path that leads outside: {name!r}", where=str(archive),
                        remedy="It was not unpacked. Do not trust it.")
    target = staging.joinpath(*path.parts)
    if not target.resolve().is_relative_to(staging.resolve()):
        raise DataError(f"the archive holds a path that leads outside: {name!r}", where=str(archive))
    return target


def _untar(archive: Path, staging: Path, most_bytes: int) -> None:
    with tarfile.open(archive) as tar:
        total = 0
        for count, member in enumerate(tar):
            if member.isdir():
                continue
            target = _target(member.name, staging, archive)
            if not member.isreg():
                raise DataError(f"the archive holds {member.name!r}, which is no plain file", where=str(archive),
                                remedy="It was not unpacked. Do not trust it.")
            total += member.size
            _check_size(total, count, most_bytes, archive)
            source = tar.extractfile(tarfile.data_filter(member, str(staging)))
            if source is not None:
                _write(source, target)


def _unzip(archive: Path, staging: Path, most_bytes: int) -> None:
    with zipfile.ZipFile(archive) as packed:
        total = 0
        for count, member in enumerate(packed.infolist()):
            if member.is_dir():
                continue
            target = _target(member.filename, staging, archive)
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise DataError(f"the archive holds {member.filename!r}, which is a link", where=str(archive))
            total += member.file_size
            _check_size(total, count, most_bytes, archive)
            with packed.open(member) as source:
                _write(source, target)


def _check_size(total: int, count: int, most_bytes: int, archive: Path) -> None:
    if total > most_bytes or count > _MOST_FILES:
        raise DataError(f"unpacked it would be more than {most_bytes:,} bytes or {_MOST_FILES:,} files",
                        where=str(archive), remedy="It was not unpacked.")


def _write(source: IO[bytes], target: Path) -> None:
    import shutil

    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
