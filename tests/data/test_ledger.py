"""The ledger of looks at the test set."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

from orthogon.data.ledger import FILE_NAME, Ledger


def test_first_look_is_free_and_later_ones_are_counted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "runs")
    assert ledger.status("a") == "first look; sealed from now on"
    assert ledger.record("a", "digits-1", when="2030-01-01T00:00:00+00:00", why="first look") == 1
    assert ledger.status("a") == "test sealed, 1 look; --test to look again"
    assert ledger.record("a", "digits-2") == 2
    assert ledger.status("a") == "test sealed, 2 looks; --test to look again"
    assert ledger.status("b") == "first look; sealed from now on"
    first = ledger.looks("a")[0]
    assert (first.run, first.when, first.why) == ("digits-1", "2030-01-01T00:00:00+00:00", "first look")


def test_it_is_kept_beside_the_runs_across_processes_of_the_same_folder(tmp_path: Path) -> None:
    Ledger(tmp_path).record("a", "one")
    assert Ledger(tmp_path).sealed("a")
    assert [json.loads(line)["run"] for line in (tmp_path / FILE_NAME).read_text().splitlines()] == ["one"]


def test_a_line_cut_short_is_reported_and_costs_no_other_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record("a", "one")
    ledger.record("a", "two")
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:-20])
    assert len(ledger.looks("a")) == 1
    (finding,) = ledger.damage()
    assert finding.row == 2
    assert finding.severity == "warning"
    assert "1 line of test-ledger.jsonl cannot be read" in ledger.status("a")
    ledger.record("a", "three")
    assert [look.run for look in ledger.looks("a")] == ["one", "three"]
    assert len(ledger.damage()) == 1


def test_lines_that_are_not_looks_are_damage_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'[1]\n{"test_key": 3}\n\xff\xfe\n\n')
    assert len(Ledger(tmp_path).damage()) == 3
    assert Ledger(tmp_path).looks("a") == []


def _look(folder: Path, run: str, queue: multiprocessing.Queue[bool]) -> None:
    queue.put(Ledger(folder).first_look("a", run))


def test_of_processes_that_end_together_only_one_has_the_first_look(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[bool] = context.Queue()  # type: ignore[assignment]
    looking = [context.Process(target=_look, args=(tmp_path, str(index), queue)) for index in range(6)]
    for process in looking:
        process.start()
    answers = [queue.get(timeout=30) for _ in looking]
    for process in looking:
        process.join()
    assert sum(answers) == 1
    assert len(Ledger(tmp_path).looks("a")) == 1
