"""Checking tables: a CSV with one of each defect, and every one is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orthogon.data.check import Report, check, check_source
from orthogon.data.columns import CategoryColumn, Column, DateColumn, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.leaks import check_leaks
from orthogon.data.passport import Passport
from orthogon.data.read import read
from orthogon.data.split import split

N = 200
rng = np.random.default_rng(0)


def table(target: Column | None = None, **columns: Column) -> Dataset:
    n = len(next(iter(columns.values()))) if columns else len(target or ())
    if target is not None:
        columns["y"] = target
    ids = np.array([f"row {row}" for row in range(n)])
    return Dataset("t", columns, "y" if target is not None else None, ids)


def coin(n: int = N) -> CategoryColumn:
    return CategoryColumn(np.random.default_rng(5).integers(0, 2, n), ["no", "yes"])


def noise(n: int = N, seed: int = 1) -> NumberColumn:
    return NumberColumn(np.random.default_rng(seed).normal(size=n))


def kinds(report: Report) -> set[tuple[str, str | None, str]]:
    return {(finding.kind, finding.column, finding.severity) for finding in report}


def test_a_sound_table_has_nothing_to_say() -> None:
    report = check(table(coin(), a=noise(), b=noise(seed=2)))
    assert report.findings == ()
    assert str(report) == "nothing found"
    assert report.exit_code == 0


def write_csv(path: Path) -> None:
    """200 rows, one defect to a column; the target is yes or no, but once maybe, once Yes, once empty."""
    generator = np.random.default_rng(0)
    target = np.where(generator.random(N) < 0.95, "no", "yes").astype(object)
    target[:4] = ["maybe", "Yes", "", "no"]
    age = generator.integers(18, 90, N).astype(str).astype(object)
    age[7] = "unknown"
    ratio = np.round(generator.normal(size=N), 6).astype(str).astype(object)
    ratio[11] = "inf"
    few = np.round(generator.normal(size=N), 6).astype(str).astype(object)
    few[9] = ""
    mostly = np.where(generator.random(N) < 0.2, "3.5", "").astype(object)
    leak = [{"no": "0", "yes": "1", "Yes": "2", "maybe": "3", "": "4"}[value] for value in target]
    columns = {
        "age": age, "ratio": ratio, "few": few, "mostly": mostly, "nothing": [""] * N, "same": ["x"] * N,
        "twin": few, "code": [f"c{row % 120}" for row in range(N)], "leak": leak, "y": target,
    }
    rows = [list(values) for values in zip(*columns.values())]
    rows[150] = rows[20]
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def test_a_csv_with_one_of_each_defect_has_every_one_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    write_csv(path)
    data = read(path, target="y", types={"code": "category"})
    found = kinds(check(data))
    for expected in {
        ("mixed-types", "age", "warning"), ("infinite-values", "ratio", "error"), ("missing-values", "few", "note"),
        ("missing-values", "mostly", "warning"), ("missing-values", "nothing", "error"),
        ("constant-column", "same", "warning"), ("duplicate-columns", "twin", "warning"),
        ("high-cardinality", "code", "warning"), ("target-leak", "leak", "warning"), ("missing-target", "y", "error"),
        ("lone-label", "y", "warning"), ("imbalance", "y", "warning"), ("similar-levels", "y", "warning"),
        ("duplicate-rows", None, "note"),
    }:
        assert expected in found
    mixed = next(finding for finding in check(data) if finding.kind == "mixed-types")
    assert (mixed.value, mixed.row) == ("unknown", 7)


def test_a_csv_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (finding,) = check_source(tmp_path / "empty.csv")
    assert (finding.kind, finding.severity) == ("unreadable-data", "error")
    write_csv(tmp_path / "bad.csv")
    assert check_source(tmp_path / "bad.csv", target="y").exit_code == 1


def test_findings_name_row_column_and_value() -> None:
    values = np.arange(float(N))
    values[17] = -np.inf
    infinite = next(f for f in check(table(coin(), x=NumberColumn(values))) if f.kind == "infinite-values")
    assert (infinite.row, infinite.column, infinite.value, infinite.where) == (17, "x", "-inf", "row 17")
    block = np.random.default_rng(0).normal(size=(N, 3))
    block[5, 1] = np.inf
    block[:, 2] = 4
    report = check(table(coin(), pixels=NumberColumn(block, ["a", "b", "c"])))
    assert kinds(report) == {("infinite-values", "pixels", "error"), ("constant-column", "pixels", "note")}
    assert next(f for f in report if f.kind == "constant-column").what.endswith("1 of 3 numbers never change: c")


@pytest.mark.parametrize("kind", [CategoryColumn.from_values, TextColumn])
def test_mixed_types_are_found_where_reading_did_not_see_them(kind: type) -> None:
    values = [str(value) for value in range(50)] + [None, "about 7"]
    (finding,) = [f for f in check(table(coin(52), x=kind(values))) if f.kind == "mixed-types"]
    assert (finding.row, finding.value) == (51, "about 7")
    words = ["low", "high", "7"] * 20
    assert not [f for f in check(table(coin(60), x=kind(words))) if f.kind == "mixed-types"]


def test_missing_is_counted_for_every_kind() -> None:
    half = np.arange(N) % 2 == 0
    report = check(
        table(
            coin(),
            number=NumberColumn(np.where(half, np.nan, noise().values)),
            category=CategoryColumn(np.where(half, -1, np.arange(N) % 3), ["a", "b", "c"]),
            date=DateColumn(np.full(N, np.datetime64("NaT"))),
        )
    )
    found = {(f.column, f.severity) for f in report if f.kind == "missing-values"}
    assert found == {("number", "note"), ("category", "note"), ("date", "error")}


def test_labels() -> None:
    assert ("one-class", "y", "error") in kinds(check(table(CategoryColumn([0] * 30, ["a"]), x=noise(30))))
    assert ("one-class", "y", "error") in kinds(check(table(NumberColumn(np.ones(30)), x=noise(30))))
    gone = CategoryColumn([-1] * 30, ["a"])
    assert ("missing-target", "y", "error") in kinds(check(table(gone, x=noise(30))))
    lopsided = CategoryColumn([0] * 190 + [1] * 10, ["common", "rare"])
    (finding,) = [f for f in check(table(lopsided, x=noise())) if f.kind == "imbalance"]
    assert "19 times" in finding.what
    assert finding.value == "rare"
    several = LabelsColumn(np.array([[1.0, 0], [np.nan, np.nan]] * 10), ["a", "b"])
    assert ("missing-target", "y", "note") in kinds(check(table(several, x=noise(20))))


def test_leaks_of_every_kind() -> None:
    target = np.sort(np.random.default_rng(5).integers(0, 3, N))
    category = CategoryColumn(target, ["a", "b", "c"])
    data = table(
        category,
        copy=CategoryColumn(target, ["a", "b", "c"]),
        renamed=CategoryColumn(2 - target, ["z", "y", "x"]),
        scaled=NumberColumn(target * 10.0 + np.random.default_rng(0).random(N)),
        index=NumberColumn(np.arange(float(N))),
        when=DateColumn(np.datetime64("2030-01-01") + target.astype("timedelta64[D]")),
        noise=noise(),
        words=CategoryColumn(np.arange(N), [str(row) for row in range(N)]),
    )
    found = {f.column: f for f in check_leaks(data)}
    assert set(found) == {"copy", "renamed", "scaled", "index", "when"}
    assert (found["copy"].kind, found["copy"].severity) == ("target-copy", "error")
    assert "rises from row to row" in found["index"].what
    assert "100.0 % of the errors" in found["renamed"].what


def test_leaks_of_a_number() -> None:
    target = np.random.default_rng(3).normal(size=400)
    weak = target + np.random.default_rng(4).normal(size=400)
    block = np.column_stack([weak, 3 * target - 1])
    data = table(NumberColumn(target), block=NumberColumn(block, ["weak", "strong"]), copy=NumberColumn(target))
    assert {f.column for f in check_leaks(data)} == {"block.strong", "copy"}


def test_a_good_column_is_no_leak() -> None:
    from sklearn.datasets import load_iris

    bunch = load_iris(as_frame=True)
    data = read(bunch.frame, target="target")  # type: ignore[attr-defined]
    assert check_leaks(data) == []


def test_rows_twice_under_two_labels_and_across_sets() -> None:
    values = noise(100).values.copy()
    labels = np.arange(100) % 2
    values[50] = values[10]  # the same label
    values[61] = values[20]  # another
    data = table(CategoryColumn(labels, ["a", "b"]), x=NumberColumn(values))
    found = {f.kind: f for f in check(data)}
    assert set(found) == {"duplicate-rows", "duplicate-two-labels"}
    assert found["duplicate-two-labels"].where == "row 20 = row 61"
    passport = Passport.of(data, {"train": np.arange(55), "dev": np.arange(55, 100)}, seed=0, method={})
    found = {f.kind: f for f in check(data, passport)}
    assert "another set: 1;" in found["duplicate-across-sets"].what
    assert passport.duplicate_count == 1


def test_several_answers_to_one_text_are_no_mistake() -> None:
    data = table(TextColumn(["a", "b", "c", "c"] * 20), x=TextColumn([f"text {row // 2}" for row in range(80)]))
    (found,) = [finding for finding in check(data) if finding.kind == "several-answers"]
    assert found.severity == "note"
    assert not [finding for finding in check(data) if finding.kind == "duplicate-two-labels"]


def test_cells_of_several_numbers_are_taken_for_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("x,y\n" + "".join(f'{row},"{row % 7}{",3" if row % 4 == 0 else ""}"\n' for row in range(40)))
    (found,) = [finding for finding in read(path).findings if finding.kind == "mixed-types"]
    assert "--task multilabel" in found.remedy


def test_a_group_on_two_sides_is_an_error() -> None:
    group = np.array([f"patient {row // 4}" for row in range(100)])
    data = Dataset("t", {"x": noise(100), "y": coin(100)}, "y", np.arange(100).astype(str), group=group)
    passport = Passport.of(data, {"train": np.arange(50), "test": np.arange(50, 100)}, seed=0, method={})
    (finding,) = check(data, passport).errors
    assert (finding.kind, finding.value, finding.row) == ("group-across-sets", "patient 12", 48)
    assert "in test and in train" in finding.what
    assert check(data, split(data)).errors == ()


def test_the_report_is_sorted_listed_and_written(tmp_path: Path) -> None:
    notes = [Finding("n", "note", "seen", where=f"<row {row}>", row=row) for row in range(25)]
    report = Report.of([*notes, Finding("e", "error", "broken", where="here", value="7", remedy="Mend it.")])
    assert [f.severity for f in report][:2] == ["error", "note"]
    assert report.exit_code == 1
    assert report.summary() == "1 error, 0 warnings, 25 notes"
    text = str(report)
    assert text.splitlines()[0].split("  ")[0] == "error"
    assert "broken (7)" in text
    assert "and 5 more of the kind n" in text
    assert "&lt;row 3&gt;" in report._repr_html_()
    entry = json.loads(json.dumps(report.to_json()))
    assert (entry["errors"], entry["notes"], len(entry["findings"])) == (1, 25, 26)
    lines = report.write_csv(tmp_path / "check.csv").read_text().splitlines()
    assert len(lines) == 27
    assert lines[1] == "error,e,here,,,7,broken,Mend it."
    assert Report.of([notes[0], notes[0]]).findings == (notes[0],)


def test_checking_changes_nothing() -> None:
    data = table(coin(), x=noise())
    before = data.content_hash()
    check(data, split(data))
    assert data.content_hash() == before
