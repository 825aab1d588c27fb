"""Reading tables: inference, overrides, and every way in which a file can be broken."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.data.columns import CategoryColumn, DateColumn, NumberColumn, TextColumn
from orthogon.data.read import read
from orthogon.errors import DataError


def write(path: Path, text: str) -> Path:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def kinds(data) -> dict[str, str]:
    return {name: column.kind for name, column in data.columns.items()}


SMALL = "age, job ,when,note,flag\n39, clerk ,2021-01-02,?,true\n 50,smith,2021-02-03,?,false\n,clerk,,NA,true\n"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_types_are_inferred_and_blanks_stripped(tmp_path, name):
    data = read(write(tmp_path / name, SMALL))
    assert kinds(data) == {"age": "number", "job": "category", "when": "date", "note": "number", "flag": "category"}
    np.testing.assert_array_equal(data.columns["age"].values, [39, 50, np.nan])
    assert data.columns["job"].levels == ("clerk", "smith")
    assert data.columns["when"].cell(1).startswith("2021-02-03")
    assert data.columns["when"].missing().tolist() == [False, False, True]
    assert data.columns["note"].missing().all()
    assert data.name == "a"
    assert data.target is None
    assert data.ids.tolist() == ["00000", "00001", "00002"]
    assert data.origin == str(tmp_path / name)


@pytest.mark.parametrize(("separator", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv"), ("|", "a.txt")])
def test_the_separator_is_guessed(tmp_path, separator, name):
    text = "\n".join(separator.join(row) for row in (["x", "y", "z"], ["1.5", "a b", "2"], ["2.5", "c", "3"])) + "\n"
    data = read(write(tmp_path / name, text))
    assert kinds(data) == {"x": "number", "y": "category", "z": "number"}
    assert data.columns["x"].values.tolist() == [1.5, 2.5]


def test_decimal_commas(tmp_path):
    data = read(write(tmp_path / "a.csv", "x;y\n1,5;a\n-2;b\n"))
    assert data.columns["x"].values.tolist() == [1.5, -2.0]


def test_types_can_be_told(tmp_path):
    path = write(tmp_path / "a.csv", "code,when,gone\n1,03/04/2021,a\n2,05/06/2021,b\n")
    data = read(path, types={"code": "category", "when": "date:%d/%m/%Y", "gone": "ignore"}, target="code")
    assert kinds(data) == {"code": "category", "when": "date"}
    assert data.columns["code"].levels == ("1", "2")
    assert data.columns["when"].cell(0).startswith("2021-04-03")
    assert data.target == "code"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"types": {"x": "colour"}}, "no column type 'colour'"),
        ({"types": {"z": "number"}}, "column 'z' that does not exist"),
        ({"types": {"y": "number"}}, "'a'"),
        ({"target": "yy"}, "Did you mean 'y'"),
        ({"group": "site"}, "no column 'site'"),
        ({"columns": ["only"]}, "1 column names"),
        ({"channels": 2}, "channels"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "a.csv", "x,y\n1,a\n2,b\n"), **arguments)


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("", "empty", "a.csv"),
        ("\n\n", "empty", "a.csv"),
        ("x,y\n", "no rows", "a.csv"),
        ("x,y\n1,2\n3\n5,6\n", "line 3 has 1 fields, expected 2", "a.csv:3"),
        ("x,y\n1,2\n\n3,4,5\n7\n", "line 4 has 3 fields.*1 more", "a.csv:4"),
        ('x,y\n"a\nb",2\n3,4,5\n', "line 4 has 3 fields", "a.csv:4"),
        ('x,y\n"a,b,1\nc,2\n', "line 2 has 1 fields", "a.csv:2"),
        ("x,y,x\n1,2,3\n", "duplicate column names: 'x'", "a.csv:1"),
        ("1.5,2.5\n3.5,4.5\n", "looks like data", "a.csv:1"),
        ("39,clerk,yes\n50,smith,no\n38,clerk,yes\n", "looks like data", "a.csv:1"),
        ("x\0,y\n1,2\n", "not a text file", "a.csv"),
    ],
)
def test_broken_files_say_where(tmp_path, text, message, where):
    with pytest.raises(DataError, match=message) as caught:
        read(write(tmp_path / "a.csv", text))
    assert where in caught.value.where


def test_no_header_is_suggested_and_works(tmp_path):
    path = write(tmp_path / "a.csv", "39,clerk\n50,smith\n38,clerk\n")
    with pytest.raises(DataError, match="--no-header"):
        read(path)
    assert list(read(path, header=False).columns) == ["column_1", "column_2"]
    named = read(path, header=False, columns=["age", "job"])
    assert kinds(named) == {"age": "number", "job": "category"}
    assert len(named) == 3


def test_names_that_are_a_count_are_names(tmp_path):
    data = read(write(tmp_path / "a.csv", ",0,1,y\n0,5,7,a\n1,6,8,b\n"))
    assert kinds(data) == {"0": "number", "1": "number", "y": "category"}
    assert [finding.kind for finding in data.findings] == ["index-column"]


def test_a_name_may_occur_among_many_texts(tmp_path):
    rows = "".join(f"some words {i},{i % 3}\n" for i in range(600))
    assert len(read(write(tmp_path / "a.csv", "text,y\n" + rows + "text,1\n"))) == 601


def test_quotes(tmp_path):
    rows = 'who,said\n"Smith, J.","he said ""no"""\nbob,"two\nlines"\n'
    data = read(write(tmp_path / "a.csv", rows))
    assert data.columns["who"].levels == ("Smith, J.", "bob")
    assert set(data.columns["said"].levels) == {'he said "no"', "two\nlines"}
    irregular = read(write(tmp_path / "b.csv", 'who,said\n1, "a, b"\n2, "c"\n'))
    assert set(irregular.columns["said"].levels) == {"a, b", "c"}
    literal = read(write(tmp_path / "c.tsv", 'who\tsaid\nx\t5" pipe\ny\t"half\n'))
    assert set(literal.columns["said"].levels) == {'5" pipe', '"half'}
    assert [finding.kind for finding in literal.findings] == ["literal-quotes"]


def test_windows_line_ends_blank_lines_and_other_encodings(tmp_path):
    data = read(write(tmp_path / "a.csv", "x,y\r\n1,a\r\n\r\n2,b\r\n\r\n"))
    assert data.columns["y"].levels == ("a", "b")
    assert data.columns["x"].values.tolist() == [1, 2]
    (tmp_path / "b.csv").write_bytes("x,y\n1,é\n2,ü\n".encode("cp1252"))
    other = read(tmp_path / "b.csv")
    assert other.columns["y"].levels == ("é", "ü")
    assert other.findings[0].kind == "encoding"
    assert other.findings[0].row == 2
    (tmp_path / "c.csv").write_bytes("x,y\n1,é\n".encode("utf-16"))
    assert read(tmp_path / "c.csv").columns["y"].levels == ("é",)


def test_mixed_columns_are_reported_with_the_first_bad_value(tmp_path):
    data = read(write(tmp_path / "a.csv", "x,y\n1,a\n2,b\nlots,c\n4,d\n"))
    (finding,) = data.findings
    assert (finding.kind, finding.row, finding.column, finding.value) == ("mixed-types", 2, "x", "lots")
    assert finding.remedy.startswith("Mend")


def test_text_against_category(tmp_path):
    many = "\n".join(f"sentence number {i} of this file,{'ab'[i % 2]},{i % 30}x" for i in range(100))
    data = read(write(tmp_path / "a.csv", "say,letter,code\n" + many + "\n"))
    assert kinds(data) == {"say": "text", "letter": "category", "code": "category"}
    assert read(tmp_path / "a.csv", target="say").columns["say"].kind == "category"


def test_ambiguous_dates_stay_as_they_are(tmp_path):
    data = read(write(tmp_path / "a.csv", "a,b\n03/04/2021,13/04/2021\n05/06/2021,01/06/2021\n"))
    assert kinds(data) == {"a": "category", "b": "date"}
    assert data.columns["b"].cell(1).startswith("2021-06-01")


def test_ids_group_source_and_weight(tmp_path):
    path = write(tmp_path / "a.csv", "id,patient,site,w,x,y\nq,012,A,1,5,a\nr,12,B,2,6,b\ns,,A,1,7,a\n")
    data = read(path, group="patient", source_column="site", weight="w", target="y")
    assert data.ids.tolist() == ["q", "r", "s"]
    assert data.group is not None
    assert data.group.tolist() == ["012", "12", "s"]
    assert data.source is not None
    assert data.source.tolist() == ["A", "B", "A"]
    assert data.weight is not None
    assert data.weight.tolist() == [1, 2, 1]
    assert list(data.columns) == ["x", "y"]
    with pytest.raises(DataError, match="no source"):
        read(path, source_column="patient")


def test_parts_by_folder_list_pattern_and_dict(tmp_path, monkeypatch):
    train = write(tmp_path / "set-train.csv", "x,y\n1,a\n2,b\n")
    test = write(tmp_path / "set-test.csv.gz", "y,x\nc,3\n")
    monkeypatch.chdir(tmp_path)
    sources = [tmp_path, [train, test], "set-*", "set-train.csv,set-test.csv.gz", {"train": train, "test": str(test)}]
    for source in sources:
        data = read(source, target="y")
        assert data.part is not None
        assert data.part.tolist() == ["train", "train", "test"]
        assert data.ids.tolist() == ["train/00000", "train/00001", "test/00000"]
        assert data.columns["y"].levels == ("a", "b", "c")
    assert read([train, test]).name == "set"
    assert len(read(read([train, test]).origin)) == 3
    write(tmp_path / "set-dev.csv", "x,z\n1,a\n")
    with pytest.raises(DataError, match="same columns"):
        read(tmp_path)


def test_split_column(tmp_path):
    data = read(write(tmp_path / "a.csv", "x,split\n1,train\n2,val\n3,test\n"))
    assert data.part is not None
    assert data.part.tolist() == ["train", "dev", "test"]
    assert data.findings[0].kind == "split-column"


def test_parquet_and_json_lines(tmp_path):
    frame = pl.DataFrame(
        {"n": [1, None, 3], "c": ["u", "v", "u"], "b": [True, False, None], "v": [[1.0, 2.0], [3.0, 4.0], None],
         "tags": [["p"], ["p", "q"], []]}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet")
    assert kinds(data) == {"n": "number", "c": "category", "b": "category", "v": "number", "tags": "labels"}
    assert data.columns["v"].values.shape == (3, 2)
    assert data.columns["tags"].values.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert data.columns["b"].cell(2) == ""
    (tmp_path / "a.jsonl").write_text('{"n": 1, "c": "7"}\n\n{"n": 2.5}\n')
    lines = read(tmp_path / "a.jsonl")
    assert kinds(lines) == {"n": "number", "c": "category"}  # a string stays a string where types are given
    (tmp_path / "b.jsonl").write_text('{"n": 1}\n{"n": \n')
    with pytest.raises(DataError, match="JSON") as caught:
        read(tmp_path / "b.jsonl")
    assert caught.value.where.endswith("b.jsonl:2")
    (tmp_path / "b.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "b.parquet")


def test_a_damaged_gzip_is_an_error(tmp_path):
    path = write(tmp_path / "a.csv.gz", SMALL)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="gzip"):
        read(path)


values = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**9), 10**9))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(values, words), min_size=1, max_size=20))
def test_csv_round_trip(tmp_path_factory, rows):
    import csv

    path = tmp_path_factory.mktemp("csv") / "a.csv"
    words_in = [f"w{word}" for _, word in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["the number", "the word"])
        writer.writerows([("" if number is None else repr(number), word) for (number, _), word in zip(rows, words_in)])
    data = read(path, types={"the word": "text"})
    number, word = data.columns["the number"], data.columns["the word"]
    assert isinstance(number, NumberColumn)
    expected = [np.nan if value is None else float(value) for value, _ in rows]
    np.testing.assert_array_equal(number.values, expected)
    assert isinstance(word, TextColumn)
    assert word.values.tolist() == words_in


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), words), min_size=1, max_size=30))
def test_vectorised_categories_equal_plain_ones(items):
    from orthogon.data.tables import category

    plain = CategoryColumn.from_values(items)
    fast = category(pl.Series("x", items, dtype=pl.String))
    assert fast.levels == plain.levels
    np.testing.assert_array_equal(fast.codes, plain.codes)
    present = np.array([item for item in items if item is not None and "\0" not in item], dtype=np.str_)
    by_array = CategoryColumn.from_values(present)
    assert [by_array.cell(i) for i in range(len(present))] == present.tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=10))
def test_dates_round_trip(tmp_path_factory, moments):
    path = tmp_path_factory.mktemp("dates") / "a.csv"
    lines = [moment.replace(microsecond=0).isoformat(sep=" ") for moment in moments]
    path.write_text("when,x\n" + "".join(f"{line},1\n" for line in lines))
    column = read(path).columns["when"]
    assert isinstance(column, DateColumn)
    assert column.values.tolist() == [moment.replace(microsecond=0) for moment in moments]


def test_json_of_a_list_is_no_table(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps([1, 2]) + "\n")
    with pytest.raises(DataError, match="expected an object"):
        read(tmp_path / "a.jsonl")
