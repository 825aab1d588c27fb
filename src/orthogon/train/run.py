"""A run: a folder of open formats. All that comes after training reads runs and nothing else.

    recipe.yaml  environment.json  passport.json  metrics.jsonl  checkpoints/  evaluations/  evidence/
    result.json  report.html  bundle/

This module does not import torch: the folder must stand within a second of the start.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orthogon.errors import RunError, nearest
from orthogon.files import write_atomically
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows


class Run:
    """One run folder.

    path: the folder. Everything is read from disk on demand; nothing is kept in memory.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    # --- making and finding ----------------------------------------------------------------------------------

    @classmethod
    def create(cls, recipe: Recipe, root: str | Path = "runs", name: str | None = None) -> Run:
        """A new folder with its recipe in it: `root/name`, or `root/stem-1`, `root/stem-2`, … from the data's name."""
        root = Path(root)
        root.mkdir(parents=True, exist_ok=True)
        run = cls(_claim(root / name) if name else _claim_numbered(root, _stem(recipe)))
        (run.path / "checkpoints").mkdir()
        (run.path / "evaluations").mkdir()
        run.save_recipe(recipe)  # last: a folder with a recipe is a whole run
        return run

    @classmethod
    def open(cls, reference: str | Path | Run = "last", root: str | Path = "runs") -> Run:
        """The run that is meant: a path, a name under `root`, "last", or "last~1" for the one before it."""
        if isinstance(reference, Run):
            return reference
        text, root = str(reference), Path(root)
        if back := re.fullmatch(r"last(?:~(\d+))?", text):
            runs = cls.all(root)
            if int(back[1] or 0) >= len(runs):
                raise RunError(f"there are {len(runs)} runs in {root}/, {text!r} asks for one more",
                               remedy="Train one: orthogon train")
            return runs[-1 - int(back[1] or 0)]
        for path in (Path(text), root / text):
            if (path / "recipe.yaml").exists():
                return cls(path)
        raise RunError(f"there is no run {text!r} (neither a run folder nor a name in {root}/)",
                       remedy=nearest(text, [run.name for run in cls.all(root)] or ["last"]))

    @classmethod
    def all(cls, root: str | Path = "runs") -> list[Run]:
        """The runs under a folder, oldest first."""
        found = [path.parent for path in Path(root).glob("*/recipe.yaml")]
        return [cls(path) for path in sorted(found, key=lambda p: ((p / "checkpoints").stat().st_ctime_ns
                                                                  if (p / "checkpoints").exists() else 0, p.name))]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Only one process trains in a folder; RunError for the second one. Released however the process ends."""
        file = open(self.path / ".lock", "w")  # noqa: SIM115 - closed below, whatever happens
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise RunError("another process is training in this folder", where=str(self.path),
                           remedy="Wait for it, or give this run a --name of its own.") from None
        try:
            yield
        finally:
            file.close()

    def discard_unbegun(self) -> None:
        """Remove the folder where nothing was done in it: it holds what was written before the first step, and empty
        folders. With anything else in it, all stays."""
        before = {"recipe.yaml", "environment.json", "passport.json", ".lock"}
        found = [path for path in self.path.rglob("*") if not (path.is_dir() and not path.is_symlink())]
        if all(path.parent == self.path and path.name in before for path in found):
            shutil.rmtree(self.path)

    # --- recipe and documents --------------------------------------------------------------------------------

    def recipe(self) -> Recipe:
        return Recipe.read(self.path / "recipe.yaml")

    def save_recipe(self, recipe: Recipe) -> None:
        write_atomically(self.path / "recipe.yaml", recipe.to_yaml())

    def write_json(self, name: str, value: Any) -> None:
        """A JSON document of the run, atomically. NaN and infinity are written as null."""
        write_atomically(self.path / name, json.dumps(finite(value), indent=1, ensure_ascii=False))

    def read_json(self, name: str) -> Any:
        """A JSON document of the run, or None where it was not written."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except json.JSONDecodeError as error:
            raise RunError(f"not readable as JSON: {error}", where=str(self.path / name)) from None

    @property
    def result(self) -> dict[str, Any]:
        """What `train` reported at its end; RunError for a run that has not ended."""
        result = self.read_json("result.json")
        if result is None:
            raise RunError("this run has no result yet", where=str(self.path),
                           remedy=f"Finish it: orthogon train --resume {self.path}")
        return result

    @property
    def foreign(self) -> bool:
        """Whether it holds predictions of a model that was trained elsewhere (`read_predictions`), and no weights."""
        return bool((self.read_json("result.json") or {}).get("foreign"))

    def refuse_foreign(self, what: str) -> None:
        """RunError, saying what cannot be done, for a run of predictions alone."""
        if self.foreign:
            raise RunError(f"{what}: this run holds predictions of a model that was trained elsewhere, not its weights",
                           where=str(self.path),
                           remedy="Do it where the model lives, and read its new predictions: orthogon "
                                  "read-predictions FILE. What reads results works here: report, diagnose, compare, "
                                  "mistakes, labels, calibration.")

    # --- metrics ---------------------------------------------------------------------------------------------

    def log(self, event: str, step: int, **values: Any) -> None:
        """Append one line to metrics.jsonl; a single write, so that a killed process leaves at most half a line."""
        line = json.dumps(finite({"event": event, "step": step, **values}), ensure_ascii=False) + "\n"
        descriptor = os.open(self.path / "metrics.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl that count: a "resume" line supersedes what earlier lines say of later steps.

        It names the step and how many epochs were ended by then: an epoch that ended at that very step, but after
        the checkpoint, is told again.
        """
        lines: list[dict[str, Any]] = []
        try:
            raw = (self.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        for text in raw:
            try:
                line = json.loads(text)
            except json.JSONDecodeError:  # the half line of a killed process
                continue
            if line["event"] == "resume":
                lines = [kept for kept in lines if kept["step"] <= line["step"]
                         and (kept["event"] != "epoch" or kept["epoch"] <= line["epoch"])]
            lines.append(line)
        return lines

    # --- evaluations -----------------------------------------------------------------------------------------

    def write_evaluation(self, name: str, rows: Rows, document: Mapping[str, Any]) -> None:
        """`evaluations/NAME.parquet`, one row per example, and `NAME.json`: classes, metrics and whatever else."""
        rows.write(self.path / "evaluations" / f"{name}.parquet")
        self.write_json(f"evaluations/{name}.json",
                        {"split": rows.split, "n": len(rows), "classes": list(rows.classes), **document})

    def evaluations(self) -> dict[str, dict[str, Any]]:
        """Name -> document of every evaluation: "dev", "test", and "linear.dev" for the baselines'."""
        folder = self.path / "evaluations"
        return {path.stem: self.read_json(f"evaluations/{path.name}") for path in sorted(folder.glob("*.json"))}

    def rows(self, name: str) -> Rows:
        """The rows of one evaluation; RunError naming those that there are."""
        path = self.path / "evaluations" / f"{name}.parquet"
        if not path.exists():
            raise RunError(f"there is no evaluation {name!r}", where=str(self.path),
                           remedy="There are: " + (", ".join(self.evaluations()) or "none yet") + ".")
        return Rows.read(path, self.read_json(f"evaluations/{name}.json")["classes"])

    # --- evidence --------------------------------------------------------------------------------------------

    def write_evidence(self, name: str, document: Mapping[str, Any]) -> None:
        """`evidence/NAME.json`: what an inquiry found; its key "work" lists what it proposes (`strategy.work_list`)."""
        (self.path / "evidence").mkdir(exist_ok=True)
        self.write_json(f"evidence/{name}.json", document)

    def evidence(self) -> dict[str, dict[str, Any]]:
        """Name -> document of every inquiry: "diagnosis", "probes", "learning-curve", "tags", "labels", …"""
        folder = self.path / "evidence"
        return {path.stem: self.read_json(f"evidence/{path.name}") for path in sorted(folder.glob("*.json"))}

    def _repr_html_(self) -> str:
        report = self.path / "report.html"
        from orthogon.draw import html_fragment

        return html_fragment(report.read_text(encoding="utf-8")) if report.exists() else f"<code>{self!r}</code>"


def finite(value: Any) -> Any:
    """The value with NaN and infinity as None: JSON has no words for them."""
    if isinstance(value, Mapping):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value


def _stem(recipe: Recipe) -> str:
    source = recipe.data.source or "digits"
    stem = Path(source.rstrip("/")).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "run"


def _claim(path: Path) -> Path:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise RunError("this folder exists already", where=str(path),
                       remedy="Give another --name, or continue it with --resume.") from None
    return path


def _claim_numbered(root: Path, stem: str) -> Path:
    taken = [int(m[1]) for p in root.glob(f"{stem}-*") if (m := re.fullmatch(rf"{re.escape(stem)}-(\d+)", p.name))]
    number = max(taken, default=0) + 1
    while True:
        try:
            (root / f"{stem}-{number}").mkdir()
            return root / f"{stem}-{number}"
        except FileExistsError:  # another process was quicker
            number += 1
