"""Picture files by path: headers read, bad ones refused together or left out with a finding each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Finding
from orthogon.data.picture_files import Header, PictureError, decode, read_header
from orthogon.data.progress import track
from orthogon.errors import DataError

_SHOWN = 10


def image_column(
    paths: Sequence[Path | None], *, ids: Sequence[str], channels: int | None, skip_bad: bool, where: str
) -> tuple[ImageColumn, list[Finding], np.ndarray]:
    """The column, a finding for each bad file, and bool (n,): which rows are good.

    channels: 1 or 3; None = 1 where every picture is grey, else 3. Bad files: DataError that names the first ten,
    unless skip_bad. Rows of bad files have size (0, 0) in the column: the caller drops them.
    """
    sizes = np.zeros((len(paths), 2), dtype=np.int64)
    good = np.ones(len(paths), dtype=bool)
    findings: list[Finding] = []
    grey = True
    for row, path in enumerate(track(paths, len(paths), "reading picture headers")):
        header = _header(path, ids[row], row, where)
        if isinstance(header, Finding):
            findings.append(header)
            good[row] = False
        else:
            sizes[row] = header.height, header.width
            grey &= header.grey
    if findings and not skip_bad:
        refuse(findings, where)
    if skip_bad:
        # Whoever leaves bad files out must know them before the data is split: so each is decoded once here.
        rows = [row for row, path in enumerate(paths) if good[row]]
        for finding in undecodable([paths[row] or Path() for row in rows], [ids[row] for row in rows], rows):
            findings.append(finding)
            good[finding.row] = False
    column = ImageColumn(None, [path or Path() for path in paths], sizes, channels or (1 if grey else 3))
    return column, findings, good


def undecodable(paths: Sequence[Path], ids: Sequence[str], rows: Sequence[int]) -> list[Finding]:
    """A finding for each file that cannot be decoded to its end, each being decoded once, in threads."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = track(pool.map(_decoded, paths), len(paths), "decoding pictures")
        return [
            Finding(error.kind, "error", error.what, where=name, row=row, value=str(path), remedy=error.remedy)
            for error, path, name, row in zip(results, paths, ids, rows) if error is not None
        ]


def _decoded(path: Path) -> PictureError | None:
    try:
        decode(path, 3, hint=(1, 1))
    except PictureError as error:
        return error
    return None


def _header(path: Path | None, name: str, row: int, where: str) -> Header | Finding:
    if path is None:
        return Finding("missing-image", "error", "no picture is named", where, row, remedy="Name one, or --skip-bad.")
    try:
        return read_header(path)
    except PictureError as error:
        return Finding(error.kind, "error", error.what, where=name, row=row, value=str(path),
                       remedy=error.remedy or "Mend it, or --skip-bad.")


def refuse(findings: Sequence[Finding], where: str) -> None:
    """One DataError that names the bad files (the first ten)."""
    lines = "\n".join(f"  {finding.where}: {finding.what}" for finding in findings[:_SHOWN])
    more = f"\n  and {len(findings) - _SHOWN:,} more" if len(findings) > _SHOWN else ""
    raise DataError(
        f"{len(findings):,} {'picture' if len(findings) == 1 else 'pictures'} cannot be read:\n{lines}{more}",
        where=where, remedy="Mend or remove them, or leave them out with --skip-bad (skip_bad=True).",
    )
