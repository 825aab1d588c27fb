"""Fenced code blocks of a page that are marked to be run: `<!-- run: NAME -->` on the line before, perhaps a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
MARKED = re.compile(r"<!-- run: (\w+)(?:, file: (\S+))? -->\n```(\w+)\n(.*?)\n```", re.DOTALL)


class Block(NamedTuple):
    """group: blocks of one name are run in order, one after the other. file: where it is saved instead of run."""

    group: str
    file: str
    language: str
    code: str
    line: int


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(m[1], m[2] or "", m[3], m[4], text[: m.start(4)].count("\n") + 1) for m in MARKED.finditer(text)]
