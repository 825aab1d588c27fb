"""The `Measure` of a probe: arms are trained side by side, and what each gave is kept in the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from orthogon.strategy.arms import Arm, Measured
from orthogon.strategy.training_arms import Base, open_training
from orthogon.train.launch import Workers
from orthogon.train.rows import Rows
from orthogon.train.run import Run, finite


class TrainingArms:
    """A `Measure` that trains the arms of a run, side by side, and keeps what each gave in RUN/probes/ARM/.

    opening: gives the base; called once in each process. processes: how many; side_by_side: whether there could be
    several (data that is an object in memory stays in its process).
    watch:   called with (arms, done): those that are to be trained now, and after each one how many are.
    The base at its full budget and its own seed is the run itself; arms that were measured before are read.
    """

    def __init__(self, run: Run, opening: Callable[[], Base], *, processes: int = 1, side_by_side: bool = True,
                 watch: Callable[[Sequence[Arm], int], None] = lambda arms, done: None) -> None:
        self.run, self.watch = run, watch
        self.seed = run.recipe().train.seed
        self.workers = Workers[Arm, Measured](partial(open_training, opening, side_by_side), processes)

    def __enter__(self) -> TrainingArms:
        return self

    def __exit__(self, *_: object) -> None:
        self.workers.__exit__()

    def __call__(self, arms: Sequence[Arm]) -> list[Measured]:
        """What each arm gave, in their order."""
        found = {arm.name: kept for arm in arms if (kept := self.kept(arm)) is not None}
        missing = list({arm.name: arm for arm in arms if arm.name not in found}.values())
        self.watch(missing, 0)
        for done, (place, measured) in enumerate(self.workers.results(missing), start=1):
            found[missing[place].name] = measured
            self._keep(missing[place], measured)
            self.watch(missing, done)
        return [found[arm.name] for arm in arms]

    def kept(self, arm: Arm) -> Measured | None:
        """What is known of the arm without training it; None where that is nothing."""
        if arm.remedy is None and arm.budget == 1 and arm.seed == self.seed:
            return self._of_the_run()
        document = self.run.read_json(f"probes/{arm.name}/arm.json")
        if document is None or document["arm"] != _described(arm):
            return None
        rows = Rows.read(self._folder(arm) / "rows.parquet", document["classes"])
        train = float("nan") if document["train"] is None else document["train"]
        return Measured(rows, document["seconds"], train, document["failure"])

    def _of_the_run(self) -> Measured:
        result = self.run.result
        train = result["splits"].get("train", {}).get("metrics", {}).get(result["metric"], {}).get("value")
        return Measured(self.run.rows("dev"), seconds_of(self.run), float("nan") if train is None else train)

    def _keep(self, arm: Arm, measured: Measured) -> None:
        self._folder(arm).mkdir(parents=True, exist_ok=True)
        measured.rows.write(self._folder(arm) / "rows.parquet")
        self.run.write_json(f"probes/{arm.name}/arm.json", {
            "arm": _described(arm), "seconds": measured.seconds, "train": measured.train, "failure": measured.failure,
            "n": len(measured.rows), "classes": list(measured.rows.classes),
        })

    def _folder(self, arm: Arm) -> Path:
        return self.run.path / "probes" / arm.name


def seconds_of(run: Run) -> float:
    """What training the run's network took; of k folds, what all of them took, each on (k - 1) / k of the data."""
    folds = max(2, run.result["split"]["folds"] or 0)
    return run.result["speed"]["seconds"] * (folds - 1)


def _described(arm: Arm) -> dict[str, Any]:
    """What makes it the same arm."""
    changes = arm.remedy.changes if arm.remedy else {}
    return {"name": arm.name, "changes": finite(changes), "budget": arm.budget, "seed": arm.seed}
