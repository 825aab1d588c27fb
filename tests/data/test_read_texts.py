"""Plain text: lines, files and folders, and what is wrong with them."""

import gzip
import json
from pathlib import Path

import pytest

from orthogon.data.columns import CategoryColumn, TextColumn
from orthogon.data.read import read
from orthogon.errors import DataError


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_txt", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def values(data, name="text") -> list[str]:
    return [data.columns[name].cell(row) for row in range(len(data))]


def test_a_line_is_an_example_and_its_number_the_id(tmp_path):
    folder = written(tmp_path, poem_txt="Rose, oh pure\n\n  contradiction  \r\n\x0ba line\u2028still the same\n\n")
    data = read(folder / "poem.txt")
    assert values(data) == ["Rose, oh pure", "contradiction", "a line\u2028still the same"]
    assert data.ids.tolist() == ["00001", "00003", "00004"]
    assert data.target is None
    (finding,) = data.findings
    assert (finding.kind, finding.row, finding.what) == ("empty-line", 2, "2 empty lines were left out")
    assert isinstance(read(folder).columns["text"], TextColumn)
    assert values(read(folder / "poem.txt", columns=["line"]), "line")[0] == "Rose, oh pure"


def test_a_text_file_that_a_separator_cuts_is_a_table(tmp_path):
    folder = written(tmp_path, mail_txt="ham\tsee you, then\nspam\twin now\nham\tyes\n" * 3)
    data = read(folder / "mail.txt", header=False, columns=["label", "text"], target="label")
    assert isinstance(data.columns["label"], CategoryColumn)
    assert len(read(folder, header=False, columns=["label", "text"])) == 9


def test_files_beside_each_other_are_classes_and_descriptions_are_passed_over(tmp_path):
    folder = written(tmp_path, Czech_txt="Novak\nDvorak\n", Dutch_txt="Jansen\n", README_txt="Names\nof people\n")
    data = read(folder)
    assert values(data) == ["Novak", "Dvorak", "Jansen"]
    assert data.target == "label"
    assert values(data, "label") == ["Czech", "Czech", "Dutch"]
    assert data.ids.tolist() == ["Czech/00001", "Czech/00002", "Dutch/00001"]
    assert any(finding.kind == "file-classes" for finding in data.findings)


def test_files_named_by_part_are_parts(tmp_path):
    folder = written(tmp_path, train_txt="one\ntwo\n", test_txt="three\n")
    for data in (read(folder), read({"train": folder / "train.txt", "test": folder / "test.txt"})):
        assert data.part is not None
        assert data.part.tolist() == ["train", "train", "test"]
        assert data.target is None


@pytest.mark.parametrize("start", ["", "train__"])
def test_folders_of_classes_hold_one_example_a_file(tmp_path, start):
    names = {f"{start}good__1_txt": "fine\nfilm", f"{start}good__2_txt": "lovely", f"{start}bad__1_txt": "awful",
             f"{start}bad__2_txt": " \n"}
    more = {"test__bad__9_txt": "poor"} if start else {}
    data = read(written(tmp_path, **names, **more))
    assert values(data) == ["awful", "fine\nfilm", "lovely", *more.values()]
    assert values(data, "label")[:3] == ["bad", "good", "good"]
    assert data.ids[0] == f"{start.replace('__', '/')}bad/1.txt"
    assert (data.part is None) == (not start)
    assert [finding.kind for finding in data.findings] == ["empty-file"]


def test_bytes_that_are_no_utf8_are_told_with_line_and_byte(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"fine\nna\xefve\n")
    data = read(tmp_path / "a.txt")
    assert values(data) == ["fine", "naïve"]
    (finding,) = data.findings
    assert (finding.kind, finding.row) == ("encoding", 2)
    assert "byte 3 of line 2 is 0xef" in finding.what


def test_a_line_of_a_megabyte_and_a_packed_file(tmp_path):
    (tmp_path / "long.txt").write_text("word " * 200_000 + "\nshort\n")
    assert len(values(read(tmp_path / "long.txt"))[0]) == 999_999
    (tmp_path / "long.csv").write_text('text,y\n"' + "word " * 200_000 + '",1\n"say ""a""",0\n x "y" z,1\n')
    assert len(read(tmp_path / "long.csv")) == 3
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("one\ntwo\n")
    assert values(read(tmp_path / "b.txt.gz")) == ["one", "two"]


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(DataError, match="there is no text"):
        read(tmp_path / "a.txt")


def test_json_lines_may_hold_what_unicode_calls_a_line_end(tmp_path):
    rows = [{"text": "one\u2028line", "y": "a"}, {"text": "two", "y": "b"}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert len(read(tmp_path / "a.jsonl", types={"text": "text"})) == 2
