"""Sentences in columns: what is read, what is passed over, and what is refused by line."""

import gzip
import lzma
from pathlib import Path

import pytest

import orthogon as og
from orthogon.data.dataset import Dataset
from orthogon.data.readers.conll import part_of
from orthogon.data.text_columns import TokensColumn
from orthogon.errors import DataError

BIO = "Bob\tB-person\nruns\tO\n\nParis\tB-place\nHilton\tI-place\n#now\tO\n"
UNIVERSAL = """\
# newdoc id = a
# text = I don't.
1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_

# text = Go
1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_

"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def words_of(data: Dataset) -> list[tuple[str, ...]]:
    column = data.columns["words"]
    assert isinstance(column, TokensColumn)
    return column.values.tolist()


def test_two_columns_are_words_and_tags(tmp_path):
    data = og.read(written(tmp_path / "a.conll", BIO))
    assert data.target == "tags"
    assert words_of(data) == [("Bob", "runs"), ("Paris", "Hilton", "#now")]
    assert [data.target_column().cell(row) for row in range(2)] == ["B-person O", "B-place I-place O"]
    assert [(note.kind, "as BIO does" in note.what) for note in data.findings] == [("tag-scheme", True)]
    assert data.ids.tolist() == ["00000", "00001"]


def test_separators_that_hold_blanks_comments_documents_and_other_line_ends(tmp_path):
    text = "# a comment here\r\n-DOCSTART- -X- O\r\n \t\r\nBob NNP I-x\r\n# n O\r\n\t\r\n\r\n\r\n# more text it is\r\n"
    text += "x y O"
    data = og.read(written(tmp_path / "a.conll", text))
    assert words_of(data) == [("Bob", "#"), ("x",)]
    assert data.target_column().cell(0) == "I-x O"
    assert [note.what for note in data.findings] == ["passed over: 1 -DOCSTART- lines",
                                                     "the tags mark entities as IOB1 does"]


def test_a_column_of_three_by_its_name(tmp_path):
    path = written(tmp_path / "a.conll", "Bob NNP B-x\nruns VBZ O\n")
    assert og.read(path, target="column_2").target_column().cell(0) == "NNP VBZ"
    assert og.read(path, columns=["words", "pos", "ner"], target="pos").target_column().cell(0) == "NNP VBZ"
    with pytest.raises(DataError, match=r"no column 'pso'.*\n.*'pos'"):
        og.read(path, columns=["words", "pos", "ner"], target="pso")
    with pytest.raises(DataError, match="2 column names for 3 columns"):
        og.read(path, columns=["words", "pos"])


def test_universal_dependencies(tmp_path):
    path = written(tmp_path / "a.conllu", UNIVERSAL)
    data = og.read(path)
    assert data.target == "upos"
    assert words_of(data) == [("I", "do", "n't", "."), ("Go",)]
    assert data.target_column().cell(0) == "PRON AUX PART PUNCT"
    assert data.findings[0].what == "passed over: 1 ranges of several words (1-2) and 1 empty nodes (1.1)"
    assert og.read(path, target="xpos").target_column().cell(0) == "PRP VBP RB ."
    with pytest.raises(DataError, match="no column 'form'"):
        og.read(path, target="form")


def test_comments_of_universal_dependencies_may_hold_tabs_and_elsewhere_a_hashtag_is_a_word(tmp_path):
    tabs = "# text = a\tb\n#" + "\tx" * 9 + "\n"
    data = og.read(written(tmp_path / "a.conllu", tabs + UNIVERSAL.replace("# text = Go\n", tabs)))
    assert words_of(data) == [("I", "do", "n't", "."), ("Go",)]
    data = og.read(written(tmp_path / "a.conll", "#now\tO\nBob\tB-person\n"))
    assert words_of(data) == [("#now", "Bob")]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_packed_files(tmp_path, suffix, pack):
    path = tmp_path / f"a.conllu{suffix}"
    path.write_bytes(pack(UNIVERSAL.encode()))
    assert len(og.read(path)) == 2
    path.write_bytes(pack(UNIVERSAL.encode())[:-20])
    with pytest.raises(DataError, match=r"the (gzip|xz) file is damaged"):
        og.read(path)


def test_words_without_tags_have_no_target(tmp_path):
    assert og.read(written(tmp_path / "a.conll", "Bob\nruns\n\nx\n")).target is None
    bare = "1\tGo\t_\t_\t_\t_\t_\t_\t_\t_\n"
    data = og.read(written(tmp_path / "b.conllu", bare))
    assert (data.target, list(data.columns)) == (None, ["words"])


def test_a_folder_of_parts(tmp_path):
    (tmp_path / "README.md").write_text("train on it")
    written(tmp_path / "wnut17train.conll", BIO)
    written(tmp_path / "emerging.dev.conll", "a\tO\n")
    written(tmp_path / "emerging.test.annotated", "b\tB-place\n\t\nc\tO\n")
    data = og.read(tmp_path)
    assert data.part is not None
    assert data.part.tolist() == ["train", "train", "dev", "test", "test"]
    assert data.ids.tolist()[2:] == ["dev/00000", "test/00000", "test/00001"]
    named = og.read([tmp_path / "wnut17train.conll", tmp_path / "emerging.dev.conll"])
    assert len(named) == 3
    assert len(og.read({"train": tmp_path / "wnut17train.conll", "test": tmp_path / "emerging.test.annotated"})) == 4


@pytest.mark.parametrize(("name", "part"), [
    ("en_ewt-ud-train.conllu.xz", "train"), ("wnut17train.conll", "train"), ("emerging.test.annotated", "test"),
    ("eng.testa", None), ("my-train-dev.conll", "train-dev"), ("validation.bio", "dev"),
    ("training_notes.conll", "train"),
])
def test_the_part_that_a_name_tells(name, part):
    assert part_of(Path(name)) == part


@pytest.mark.parametrize(("text", "line", "why"), [
    ("Bob\tB-x\nruns\n", 2, "1 fields, expected 2 as on line 1; a token has no tag"),
    ("Bob\tB-x\nruns\tO\tO\n", 2, "3 fields, expected 2"),
    ("Bob\tB-x\n\nruns\t\n", 3, "the token 'runs' has no tag"),
    ("Bob\tB-x\n\tO\n", 2, "a tag without a token"),
    ("Bob\tB-x\nx\tO\n\nruns\tI-x\n", 4, "the tag 'I-x' after nothing breaks the scheme BIO"),
    ("Bob\tB-x\nruns\tI-y\n\nx\tI-x\n\ny\tB-y", 2, "'I-y' after 'B-x' breaks.*1 more"),
    ("Bob\tO\nruns\tM-y\n", 2, "'M-y' marks an entity with a letter of no scheme"),
])
def test_what_is_wrong_is_named_by_file_and_line(tmp_path, text, line, why):
    path = written(tmp_path / "a.conll", text)
    with pytest.raises(DataError, match=why) as caught:
        og.read(path)
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize(("text", "line", "why"), [
    ("1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n3\tx\tx\tX\tX\t_\t0\t_\t_\t_\n", 2, "token '3' where 2 is due"),
    ("1\tGo\tgo\tVERB\n", 1, "4 fields where CoNLL-U has 10"),
])
def test_what_is_wrong_in_universal_dependencies(tmp_path, text, line, why):
    path = written(tmp_path / "a.conllu", text)
    with pytest.raises(DataError, match=why) as caught:
        og.read(path)
    assert caught.value.where == f"{path}:{line}"


def test_bytes_that_are_no_utf8_are_named_by_line_and_byte(tmp_path):
    path = tmp_path / "a.conll"
    path.write_bytes(b"Bob\tO\n\nJ\xfcrgen\tO\n")
    with pytest.raises(DataError, match="byte 2 of the line, 0xfc, is no UTF-8") as caught:
        og.read(path)
    assert caught.value.where == f"{path}:3"


def test_sentences_whose_tags_break_the_scheme_are_left_out_when_asked(tmp_path):
    path = written(tmp_path / "a.conll", "Bob\tB-x\n\nruns\tI-x\n\nx\tO\n")
    data = og.read(path, skip_bad=True)
    assert words_of(data) == [("Bob",), ("x",)]
    assert [note.kind for note in data.findings] == ["tag-scheme", "tag-order"]
    assert data.findings[1].where == f"{path}:3"
    assert data.findings[1].remedy


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing here\n"])
def test_empty_files_are_refused(tmp_path, text):
    with pytest.raises(DataError, match="no sentence"):
        og.read(written(tmp_path / "a.conll", text))


def test_a_line_of_a_megabyte_is_a_word(tmp_path):
    data = og.read(written(tmp_path / "a.conll", "x" * 1_000_000 + "\tO\ny\tB-z\n"))
    assert len(words_of(data)[0][0]) == 1_000_000


def test_tags_in_some_parts_only_are_refused(tmp_path):
    written(tmp_path / "train.conll", BIO)
    written(tmp_path / "dev.conll", "a\n")
    with pytest.raises(DataError, match="some of the files have tags"):
        og.read(tmp_path)
