"""Sentences in columns, a token on each line and a blank line between sentences: CoNLL and CoNLL-U, packed or not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from orthogon.data.columns import Column
from orthogon.data.dataset import PARTS, Dataset, Finding
from orthogon.data.readers.content import text_of
from orthogon.data.readers.options import PART_OF_NAME, Options, ids_by_part, listing
from orthogon.data.tag_schemes import SCHEMES, scheme_of, strange_letters
from orthogon.data.text_columns import TagsColumn, TokensColumn
from orthogon.errors import DataError, nearest

SUFFIXES = (".conll", ".conllu", ".conllx", ".iob", ".iob2", ".bio")
UNIVERSAL = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The ten columns of CoNLL-U (universaldependencies.org/format.html)."""

WORDS, TAGS, UPOS = "words", "tags", "upos"
DOCUMENT = "-DOCSTART-"

_PACKED = (".gz", ".xz")
_PART_WITHIN = re.compile(rf"(?<![a-z])({'|'.join(sorted(PART_OF_NAME, key=len, reverse=True))})(?![a-z])")
_OTHER_SORTS = (".md", ".txt", ".json", ".csv", ".tsv", ".yaml", ".yml")
_SKIPPED = {"range": "ranges of several words (1-2)", "empty": "empty nodes (1.1)", "document": f"{DOCUMENT} lines"}


def suffix_of(path: Path) -> str:
    """".conllu" of "a.conllu.xz"; "" where the name is not that of such a file."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _PACKED]
    return suffixes[-1] if suffixes and suffixes[-1] in SUFFIXES else ""


def part_of(path: Path) -> str | None:
    """The part that stands anywhere in the name, between what are no letters: "wnut17train.conll" is train."""
    found = _PART_WITHIN.findall(path.name.lower())
    return PART_OF_NAME[found[-1]] if found else None


def parts_in(folder: Path) -> dict[str, Path] | None:
    """Part -> file, where a file of the folder is CoNLL by its suffix, and names tell a train part and what others are.

    A file without a suffix that is known counts where its name tells a part that no other has, as that of
    "emerging.test.annotated" does.
    """
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    sure = [path for path in files if suffix_of(path)]
    found = parts_of(sure) if sure else None
    if found is None:
        return None
    for path in files:
        part = part_of(path)
        if part is not None and part not in found and path.suffix.lower() not in _OTHER_SORTS:
            found[part] = path
    return {part: found[part] for part in PARTS if part in found} if "train" in found else None


def parts_of(paths: list[Path]) -> dict[str, Path] | None:
    """Part -> file, where every name tells a different part; else None."""
    parts = {part_of(path): path for path in paths}
    return None if len(parts) < len(paths) or None in parts else {str(part): path for part, path in parts.items()}


def read_parts(paths: Mapping[str, Path], options: Options) -> Dataset:
    """A file for each part, or {"": path}: column "words", and the tags as the target.

    The tags are "upos" of CoNLL-U, or the column of it that `options.target` names; of other files the last column,
    "tags", or that of `options.columns` which `options.target` names. Files of words alone have no target. A scheme of
    entities is detected and told as a note. DataError, with file and line: bytes that are no UTF-8, a line with another
    number of fields, a token without tag, tags that break their scheme (`options.skip_bad` leaves their sentences out),
    or mark entities with letters of none.
    """
    files = {part: _Reader(path, options) for part, path in paths.items()}
    for reader in files.values():
        reader.read()
    readers = list(files.values())
    targets = {reader.target for reader in readers}
    if len(targets) > 1:
        raise DataError("some of the files have tags and some have none", where=listing([r.path.name for r in readers]),
                        remedy="Give all of them tags; what has none is for `predict`.")
    target = targets.pop()
    columns: dict[str, Column] = {WORDS: TokensColumn([words for reader in readers for words in reader.words])}
    if not len(columns[WORDS]):
        raise DataError("there is no sentence", where=listing([str(reader.path) for reader in readers]),
                        remedy="Give words a line each, with an empty line between sentences.")
    if target is not None:
        columns[target] = TagsColumn.from_values([tags for reader in readers for tags in reader.tags])
    part = None if "" in files else np.repeat(np.array(list(files)), [len(reader.words) for reader in readers])
    findings = [note for reader in readers for note in reader.findings()]
    data = Dataset("", columns, target, ids_by_part(part, len(columns[WORDS])), part=part, findings=tuple(findings))
    return data if target is None else _with_scheme(data, readers, options)


def _with_scheme(data: Dataset, readers: list[_Reader], options: Options) -> Dataset:
    """The data with a note of the scheme that its tags follow; DataError where they follow none to the end."""
    tags = data.target_column()
    assert isinstance(tags, TagsColumn)  # noqa: S101 - made by `read_parts`
    lines = [(reader.path, line) for reader in readers for line in reader.lines]

    def at(token: int) -> str:
        return f"{lines[token][0]}:{lines[token][1]}"

    name, faults = scheme_of(tags.levels, tags.codes, tags.lengths)
    if not name:
        return data
    known = ", ".join(SCHEMES)
    if strange := strange_letters(tags.levels):
        first = int(np.argmax(tags.codes == tags.levels.index(strange[0])))
        raise DataError(f"the tag {strange[0]!r} marks an entity with a letter of no scheme that is known",
                        where=at(first), remedy=f"Known are {known}: write the tags in one of these.")
    row = np.repeat(np.arange(len(tags)), tags.lengths)
    if len(faults) and not options.skip_bad:
        first = int(faults[0])
        more = f" ({len(faults) - 1:,} more such places)" if len(faults) > 1 else ""
        before = repr(tags.levels[tags.codes[first - 1]]) if first and row[first - 1] == row[first] else "nothing"
        raise DataError(
            f"the tag {tags.levels[tags.codes[first]]!r} after {before} breaks the scheme {name}, which the tags come "
            f"closest to{more}", where=at(first),
            remedy="Mend the tags, or leave such sentences out: --set data.skip_bad=true",
        )
    kind = Finding("tag-scheme", "note", f"the tags mark entities as {name} does",
                   where=listing([reader.path.name for reader in readers]), column=data.target)
    bad, firsts = np.unique(row[faults], return_index=True)
    left_out = tuple(
        Finding("tag-order", "warning", f"a sentence was left out: its tags break the scheme {name}",
                where=at(int(first)), column=data.target, value=tags.cell(int(each))[:80], remedy="Mend its tags.")
        for each, first in zip(bad, np.asarray(faults)[firsts]))
    kept = data.take(np.setdiff1d(np.arange(len(data)), bad)) if len(bad) else data
    return Dataset("", kept.columns, kept.target, kept.ids, part=kept.part,
                   findings=(*kept.findings, kind, *left_out))


@dataclass
class _Layout:
    """Of the lines of one file: what separates fields (None: any blanks), how many there are, and on which line that
    was first seen; which field is the word, which the tag (None: none)."""

    separator: str | None
    fields: int
    line: int
    universal: bool
    word: int
    tag: int | None

    def split(self, line: str) -> list[str]:
        return line.split(self.separator)


@dataclass
class _Reader:
    """One file: `read` fills in its sentences, and the line that each token stands on."""

    path: Path
    options: Options
    target: str | None = None
    words: list[list[str]] = field(default_factory=list)
    tags: list[list[str | None]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def read(self) -> None:
        lines = [line.removesuffix("\r") for line in text_of(self.path).split("\n")]
        layout = self._layout(lines)
        words: list[str] = []
        tags: list[str | None] = []
        numbers: list[int] = []
        for number, line in enumerate([*lines, ""], start=1):
            if not line.strip():
                self._end(words, tags, numbers)
                words, tags, numbers = [], [], []
                continue
            fields = layout.split(line)
            if line[0] == "#" and not words and (layout.universal or len(fields) != layout.fields):
                continue
            token = self._token(fields, layout, number, len(words) + 1)
            if token is not None:
                words.append(token[0])
                tags.append(token[1])
                numbers.append(number)
        if not any(tag is not None for row in self.tags for tag in row):
            self.target = None

    def _end(self, words: list[str], tags: list[str | None], numbers: list[int]) -> None:
        if words == [DOCUMENT]:
            self.skipped["document"] += 1
        elif words:
            self.words.append(words)
            self.tags.append(tags)
            self.lines += numbers

    def _token(self, fields: list[str], layout: _Layout, number: int, due: int) -> tuple[str, str | None] | None:
        """The word and its tag; None where the line is no word of the sentence."""
        where = f"{self.path}:{number}"
        if len(fields) != layout.fields:
            few = "; a token has no tag" if len(fields) < layout.fields and layout.tag is not None else ""
            raise DataError(f"the line has {len(fields)} fields, expected {layout.fields} as on line {layout.line}"
                            f"{few}", where=where, remedy="Mend the line, or put a blank line between sentences.")
        if layout.universal and (kind := self._kind(fields[0], due, where)):
            self.skipped[kind] += 1
            return None
        word, tag = fields[layout.word], None if layout.tag is None else fields[layout.tag]
        if not word or tag == "":
            raise DataError("a tag without a token" if not word else f"the token {word!r} has no tag", where=where,
                            remedy="Write a token and its tag on each line.")
        return word, None if layout.universal and tag == "_" else tag

    @staticmethod
    def _kind(identity: str, due: int, where: str) -> str:
        """"" for a word, which is number `due` of its sentence; "range" or "empty" for what is none."""
        if re.fullmatch(r"\d+-\d+", identity):
            return "range"
        if re.fullmatch(r"\d+\.\d+", identity):
            return "empty"
        if identity != str(due):
            raise DataError(f"token {identity!r} where {due} is due", where=where,
                            remedy="Number the tokens of each sentence from 1, and put a blank line between sentences.")
        return ""

    def _layout(self, lines: list[str]) -> _Layout:
        """By the first line that is no comment. With a tab it may be a word, "#now", but not where words are numbered.
        """
        named = suffix_of(self.path) == ".conllu"
        number, line = next(((number, line) for number, line in enumerate(lines, start=1)
                             if line.strip() and (line[0] != "#" or ("\t" in line and not named))), (0, ""))
        if not line:
            raise DataError("there is no sentence", where=str(self.path), remedy="It needs a token on each line.")
        separator = "\t" if "\t" in line else None
        fields = line.split(separator)
        universal = named or (len(fields) == len(UNIVERSAL) and bool(re.fullmatch(r"\d+([-.]\d+)?", fields[0])))
        if universal and len(fields) != len(UNIVERSAL):
            raise DataError(f"{len(fields)} fields where CoNLL-U has {len(UNIVERSAL)}", where=f"{self.path}:{number}",
                            remedy="Separate them by tabs, or name the file .conll where it has other columns.")
        names = UNIVERSAL if universal else self._names(len(fields))
        word = 1 if universal else 0
        self.target = self.options.target or (UPOS if universal else names[-1] if len(names) > 1 else None)
        if self.target is not None and self.target not in names[word + 1 :]:
            raise DataError(f"there is no column {self.target!r} to be the target", where=str(self.path),
                            remedy=nearest(self.target, names[word + 1 :]))
        return _Layout(separator, len(fields), number, universal, word,
                       None if self.target is None else names.index(self.target))

    def _names(self, count: int) -> tuple[str, ...]:
        if self.options.columns:
            if len(self.options.columns) != count:
                raise DataError(f"{len(self.options.columns)} column names for {count} columns", where=str(self.path))
            return self.options.columns
        middle = tuple(f"column_{number}" for number in range(2, count))
        return (WORDS, *middle, TAGS) if count > 1 else (WORDS,)

    def findings(self) -> list[Finding]:
        """A note of what was passed over."""
        told = [f"{count:,} {_SKIPPED[kind]}" for kind, count in self.skipped.items()]
        note = Finding("passed-over", "note", f"passed over: {' and '.join(told)}", where=str(self.path))
        return [note] if told else []
