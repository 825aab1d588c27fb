"""A gallery: what is added, known again, moved and removed; the network `linear` encodes a picture by its pixels."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from galleries import PEOPLE, draw, draw_tree, encoder, pictures
from PIL import Image
from test_bundle import labels, shipped, table
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app
from orthogon.errors import DataError, RunError
from orthogon.serve import gallery_reading
from orthogon.serve.bundle import load
from orthogon.serve.encode import encodings
from orthogon.serve.gallery import Gallery
from orthogon.train.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def people(run: Run, tmp_path: Path) -> Gallery:
    """anna, ben and cleo, three pictures each."""
    found = og.gallery("people.sqlite", run)
    change = found.add(draw_tree(tmp_path / "faces", PEOPLE))
    assert (change.added, change.identities, change.pictures) == (9, 3, 9)
    return found


def counts(gallery: Gallery) -> dict[str, int]:
    return {each.identity: each.pictures for each in gallery.list()}


# --- adding ---------------------------------------------------------------------------------------------------


def test_a_folder_in_which_each_identity_has_a_folder(people: Gallery) -> None:
    assert counts(people) == {"anna": 3, "ben": 3, "cleo": 3}
    assert "anna" in str(people.list())
    assert people.list("anna").to_dict()["rows"][0]["hash"] == hashlib.sha256(
        Path("faces/anna/0.png").read_bytes()).hexdigest()


def test_the_same_content_is_told_and_not_added_again(people: Gallery, tmp_path: Path) -> None:
    draw(tmp_path / "faces/anna/9.png", 1, 9)
    shutil.copy("faces/anna/0.png", "faces/anna/copy.png")
    change = people.add("faces")
    assert (change.added, change.already, change.pictures) == (1, 10, 10)
    assert "1 added, 10 there already" in str(change)


def test_content_of_another_identity_stays_there(people: Gallery) -> None:
    change = people.add("faces/anna/0.png", "ben")
    assert change.added == change.already == 0
    assert change.elsewhere == [("faces/anna/0.png", "ben", "anna")]
    assert counts(people) == {"anna": 3, "ben": 3, "cleo": 3}
    assert "orthogon gallery update" in str(change)


def test_two_identities_claim_the_same_picture_in_one_call(run: Run, tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        draw(tmp_path / f"faces/{name}/0.png", 1)
    change = og.gallery("g.sqlite", run).add("faces")
    assert change.added == 1
    assert change.elsewhere == [("faces/ben/0.png", "ben", "anna")]


def test_a_single_picture_needs_a_name(people: Gallery, tmp_path: Path) -> None:
    draw(tmp_path / "new.png", 4)
    with pytest.raises(DataError, match=r"whose picture is this\?\n.*--identity"):
        people.add("new.png")
    assert people.add("new.png", "dora").identities == 4
    assert people.identify("new.png")[0]["identity"] == "dora"


def test_a_data_set_tells_identities_by_its_target(run: Run) -> None:
    found = og.gallery("sets.sqlite", run)
    change = found.add(pictures(12))
    assert counts(found) == {"even": 6, "odd": 6}
    assert change.added == 12
    assert found.add(pictures(12)).already == 12
    assert og.gallery("digits.sqlite", run).add("digits").identities == 10


def test_what_cannot_be_used_is_told_picture_by_picture(people: Gallery, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    draw(folder / "dora/good.png", 4)
    (folder / "dora/torn.png").write_bytes(Path("faces/anna/0.png").read_bytes()[:60])
    (folder / "dora/text.png").write_text("no picture")
    Image.new("L", (8, 8), 77).save(folder / "dora/gray.png")
    change = people.add(folder)
    assert change.added == 1
    why = {Path(each.picture).name: each.why for each in change.unusable}
    assert why.keys() == {"torn.png", "text.png", "gray.png"}
    assert "no contrast" in why["gray.png"]
    assert "not a readable" in why["text.png"]
    assert "gray.png could not be used" in str(change)
    assert counts(people)["dora"] == 1


def test_a_missing_file_is_told(people: Gallery) -> None:
    change = people.add(["nowhere.png"], "anna")
    assert change.unusable == [("nowhere.png", "it cannot be opened (No such file or directory)")]


def test_an_interrupted_call_goes_on_where_it_was(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_tree(tmp_path / "faces", PEOPLE)
    monkeypatch.setattr(gallery_reading, "AT_ONCE", 4)
    encode, calls = gallery_reading.encode, []

    def twice(*given):
        calls.append(len(given[1]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(*given)

    monkeypatch.setattr(gallery_reading, "encode", twice)
    with pytest.raises(KeyboardInterrupt):
        og.gallery("g.sqlite", run).add("faces")
    again = og.gallery("g.sqlite")
    assert sum(counts(again).values()) == 8
    change = again.add("faces")
    assert (change.added, change.already) == (1, 8)
    assert calls == [4, 4, 1, 1]


# --- changing -------------------------------------------------------------------------------------------------


def test_update_leaves_an_identity_with_these_pictures_alone(people: Gallery, tmp_path: Path) -> None:
    draw(tmp_path / "new/anna/7.png", 1, 7)
    shutil.copy("faces/anna/1.png", "new/anna/1.png")
    shutil.copy("faces/ben/1.png", "new/anna/ben.png")
    change = people.update("new")
    assert (change.added, change.removed, change.moved, change.already) == (1, 2, 1, 1)
    assert counts(people) == {"anna": 3, "ben": 2, "cleo": 3}


def test_update_leaves_an_identity_of_which_no_picture_can_be_used(people: Gallery) -> None:
    Path("new/anna").mkdir(parents=True)
    Path("new/anna/bad.png").write_text("")
    change = people.update("new")
    assert len(change.unusable) == 1
    assert counts(people)["anna"] == 3


def test_what_is_removed_is_overwritten(people: Gallery) -> None:
    value = encodings(people.network, "faces/anna/0.png")[0].tobytes()
    assert value in Path("people.sqlite").read_bytes()
    change = people.remove("anna")
    assert (change.removed, change.identities) == (3, 2)
    assert value not in Path("people.sqlite").read_bytes()
    assert b"anna" not in Path("people.sqlite").read_bytes()
    assert counts(people) == {"ben": 3, "cleo": 3}


def test_one_picture_is_removed_by_the_first_digits_of_its_hash(people: Gallery) -> None:
    digest = hashlib.sha256(Path("faces/ben/2.png").read_bytes()).hexdigest()
    assert people.remove(digest[:10].upper()).removed == 1
    assert counts(people)["ben"] == 2
    with pytest.raises(DataError, match="neither an identity nor the hash"):
        people.remove("cleo", digest[:10])
    assert counts(people)["cleo"] == 3
    with pytest.raises(DataError, match="Did you mean 'anna'"):
        people.remove("ana")


def test_no_picture_is_kept(people: Gallery) -> None:
    kept = Path("people.sqlite").read_bytes()
    assert np.asarray(Image.open("faces/anna/0.png")).tobytes() not in kept
    assert Path("faces/anna/0.png").read_bytes() not in kept
    columns = sqlite3.connect("people.sqlite").execute("SELECT name FROM pragma_table_info('pictures')")
    assert [name for [name] in columns] == ["number", "hash", "identity", "encoding", "added"]


# --- asking ---------------------------------------------------------------------------------------------------


def test_new_pictures_are_known_again_and_strangers_are_unknown(people: Gallery, tmp_path: Path) -> None:
    new = [draw(tmp_path / f"new/{name}.png", kind, 5) for name, kind in {**PEOPLE, "stranger": 9}.items()]
    found = people.identify(new)
    assert [one["identity"] for one in found] == ["anna", "ben", "cleo", None]
    assert "unknown" in str(found)
    known = encodings(people.network, "faces").reshape(3, 3, -1).astype(float)
    for one, value in zip(found, encodings(people.network, new)):
        expected = sorted(zip(np.linalg.norm(known - value, axis=2).min(axis=1), PEOPLE))
        assert [each["identity"] for each in one["nearest"]] == [name for _, name in expected]
        assert [each["distance"] for each in one["nearest"]] == pytest.approx([far for far, _ in expected], abs=1e-5)
        assert one["distance"] == one["nearest"][0]["distance"]
    assert len(people.identify(new, most=1)[0]["nearest"]) == 1
    assert found.threshold.false_accepts.n == 3


def test_a_threshold_that_is_given_holds(people: Gallery, tmp_path: Path) -> None:
    new = draw(tmp_path / "new.png", 1, 5)
    far = people.identify(new)[0]["distance"]
    assert people.identify(new, threshold=far)[0]["identity"] == "anna"
    below = people.identify(new, threshold=np.nextafter(far, 0))
    assert below[0]["identity"] is None
    assert below.threshold.origin == "as given"


def test_more_strangers_may_pass_and_the_threshold_grows(people: Gallery) -> None:
    strict, lax = (people.identify("faces", false_accepts=share).threshold for share in (0.01, 0.5))
    assert strict.value < lax.value
    assert strict.false_accepts.value <= 0.01
    assert lax.false_accepts.value <= 0.5
    assert "at most 50 % of strangers for somebody" in lax.origin


def test_a_claim_is_verified_against_that_identity_alone(people: Gallery, tmp_path: Path) -> None:
    new = [draw(tmp_path / f"new/{name}.png", kind, 5) for name, kind in PEOPLE.items()]
    found = people.verify(new, "ben")
    assert [one["same"] for one in found] == [False, True, False]
    assert "the same" in str(found)
    known = encodings(people.network, "faces/ben").astype(float)
    expected = [np.linalg.norm(known - value, axis=1).min() for value in encodings(people.network, new)]
    assert [one["distance"] for one in found] == pytest.approx(expected, abs=1e-5)
    assert "for a certain one" in found.threshold.origin
    with pytest.raises(DataError, match="there is no 'bob'"):
        people.verify(new, "bob")


def test_a_picture_that_cannot_be_read_is_an_error_of_its_own(people: Gallery, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("")
    found = people.identify(["faces/anna/0.png", "bad.png"])
    assert found[0]["distance"] == 0
    assert "empty file" in found[1]["error"]
    assert found.to_dict()["errors"] == 1
    assert "empty file" in str(found)


def test_a_shipped_threshold_serves_where_one_is_meant_and_bounds_where_many_are(
    people: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = people.identify("faces").threshold.value
    for shipped_one, expected in ((own / 2, own / 2), (2 * own, own)):
        monkeypatch.setattr("orthogon.serve.gallery.shipped_threshold", lambda network, value=shipped_one: value)
        assert people.identify("faces").threshold.value == pytest.approx(expected)
        assert people.verify("faces", "ben").threshold.value == shipped_one
        assert people.verify("faces", "ben").threshold.false_accepts.n == 3
        assert people.verify("faces", "ben", false_accepts=0.01).threshold.value != shipped_one
        assert people.identify("faces", threshold=0.1).threshold.value == 0.1
    people.remove("anna", "ben")
    assert people.identify("faces").threshold.value == 2 * own


# --- refusals -------------------------------------------------------------------------------------------------


def test_an_empty_gallery_knows_nobody(people: Gallery) -> None:
    people.remove("anna", "ben", "cleo")
    with pytest.raises(DataError, match=r"the gallery is empty.*\n.*orthogon gallery add"):
        people.identify("faces")
    with pytest.raises(DataError, match=r"no 'anna'.*\n.*It is empty"):
        people.verify("faces", "anna")
    assert str(people.list()) == "nobody is in the gallery"
    assert people.add("faces").pictures == 9


def test_one_identity_alone_needs_a_threshold(people: Gallery) -> None:
    people.remove("ben", "cleo")
    with pytest.raises(DataError, match="with one identity there is nothing"):
        people.identify("faces/ben")
    found = people.identify("faces", threshold=0.5)
    assert [one["identity"] for one in found] == ["anna"] * 3 + [None] * 6
    assert found.threshold.false_accepts is None


def test_the_encodings_of_another_network_are_refused(people: Gallery, tmp_path: Path) -> None:
    other = encoder(tmp_path / "other", seed=5)
    for ask in (lambda g: g.identify("faces"), lambda g: g.add("faces"), lambda g: g.update("faces")):
        with pytest.raises(RunError, match=r"cannot be compared\n.*Leave --run out"):
            ask(og.gallery("people.sqlite", other))
    assert og.gallery("people.sqlite").identify("faces")[0]["identity"] == "anna"
    assert counts(og.gallery("people.sqlite", other)) == {"anna": 3, "ben": 3, "cleo": 3}


def test_the_network_is_looked_for_where_it_was_and_may_be_named(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path / "bundle", tmp_path / "here")
    draw_tree(tmp_path / "faces", PEOPLE)
    og.gallery("g.sqlite", "here").add("faces")
    shutil.move("here", "there")
    with pytest.raises(RunError, match=r"no longer at .*here\n.*--run"):
        og.gallery("g.sqlite").identify("faces")
    assert og.gallery("g.sqlite", "there").identify("faces")[0]["identity"] == "anna"


def test_a_network_for_tables_has_no_gallery(tmp_path: Path) -> None:
    run, _, _ = shipped(tmp_path / "runs", table(labels()), "classify", "mlp")
    with pytest.raises(RunError, match="a gallery is of pictures"):
        og.gallery("g.sqlite", run).add(draw(tmp_path / "a.png", 1), "anna")
    assert not Path("g.sqlite").exists()


def test_files_that_are_no_galleries_are_refused(people: Gallery) -> None:
    with pytest.raises(DataError, match=r"there is no gallery here\n.*orthogon gallery add"):
        og.gallery("nowhere.sqlite").list()
    Path("text.sqlite").write_text("a file of another kind, longer than the head of a database" * 3)
    sqlite3.connect("other.sqlite").execute("CREATE TABLE x (y)")
    for name in ("text.sqlite", "other.sqlite"):
        with pytest.raises(DataError, match="no gallery"):
            og.gallery(name).list()
    sqlite3.connect("people.sqlite").execute("PRAGMA user_version = 2")
    with pytest.raises(DataError, match="format 2, this Orthogon reads up to 1"):
        og.gallery("people.sqlite").list()


def test_a_gallery_that_another_process_locks_is_told(people: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect("people.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("orthogon.serve.gallery_file.PATIENCE", 0.01)
    with pytest.raises(DataError, match="locked"):
        og.gallery("people.sqlite").list()


def test_changes_of_another_process_are_seen(people: Gallery, tmp_path: Path) -> None:
    new = draw(tmp_path / "dora.png", 4)
    assert people.identify(new)[0]["identity"] is None
    og.gallery("people.sqlite").add(new, "dora")
    assert people.identify(new)[0]["identity"] == "dora"


def test_a_siamese_network_compares_by_its_head(tmp_path: Path) -> None:
    data = pictures()
    run, _, _ = shipped(tmp_path, data, "verify", "convnet", **{"task.loss": "siamese", "task.encoding": 5})
    found = og.gallery("g.sqlite", run)
    found.add(data)
    network = load(run)
    values = encodings(network, data)
    head = network.model.pair_head
    weight, bias = head.weight.detach().numpy(), head.bias.item()
    answer = found.identify(pictures(seed=8).take(np.array([3])), threshold=0.0, most=2)[0]
    [query] = encodings(network, pictures(seed=8).take(np.array([3])))
    far = -(np.abs(values - query) @ weight + bias)
    expected = sorted([(far[0::2].min(), "even"), (far[1::2].min(), "odd")])
    assert [each["identity"] for each in answer["nearest"]] == [name for _, name in expected]
    assert [each["distance"] for each in answer["nearest"]] == pytest.approx([each for each, _ in expected], rel=1e-4)


# --- the command line -----------------------------------------------------------------------------------------


def invoke(*arguments: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["gallery", *(str(each) for each in arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.stdout


def test_the_commands(run: Run, tmp_path: Path) -> None:
    draw_tree(tmp_path / "faces", PEOPLE)
    new = draw(tmp_path / "new.png", 1, 5)
    code, printed = invoke("add", "faces", "--run", run.path, "--json")
    assert (code, json.loads(printed)["added"]) == (0, 9)
    assert "anna" in invoke("identify", new)[1]
    assert json.loads(invoke("identify", new, "--json")[1])["answers"][0]["identity"] == "anna"
    assert json.loads(invoke("verify", new, "--identity", "ben", "--json")[1])["answers"][0]["same"] is False
    assert json.loads(invoke("update", new, "--identity", "anna", "--json")[1])["removed"] == 3
    assert json.loads(invoke("list", "--json")[1])["rows"][0]["pictures"] == 1
    assert len(json.loads(invoke("list", "anna", "--json")[1])["rows"][0]["hash"]) == 64
    assert "removed" in invoke("remove", "cleo")[1]
    code, printed = invoke("identify", new, "--gallery", "none.sqlite", "--json")
    assert code == 2
    assert "no gallery" in json.loads(printed)["error"]["what"]


@pytest.mark.parametrize("command", ["add", "update", "remove", "identify", "verify", "list"])
def test_help_teaches(command: str) -> None:
    code, printed = invoke(command, "--help")
    assert code == 0
    assert f"orthogon gallery {command}" in " ".join(printed.split())
