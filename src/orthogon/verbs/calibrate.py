"""`calibrate`: can the stated probabilities be believed, and does a temperature mend them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogon.errors import DataError, RunError
from orthogon.files import write_atomically
from orthogon.report.report import write as write_report
from orthogon.strategy.calibration import Calibration, Mended, calibration, mended
from orthogon.strategy.work_list import Work
from orthogon.train.run import Run, finite


@dataclass(frozen=True)
class Calibrated:
    """What `calibrate` found. shipped: whether the run's bundle now predicts at the temperature."""

    run: Run
    dev: Calibration
    mended: Mended
    shipped: bool

    def to_dict(self) -> dict[str, Any]:
        return {"run": str(self.run.path), **_document(self)}

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        parts = self.dev.brier.to_dict()
        table = text_table(["Brier " + name if name == "score" else name for name in parts],
                           [[f"{value:.4f}" for value in parts.values()]], align="rrrr")
        does = "predictions of this run are given at it" if self.shipped else "predictions stay as they are"
        if not self.shipped and self.mended.bounded:
            does += " (--ship: given at it from now on)"
        return f"calibration {self.dev.sentence}\n            {self.mended.sentence}\n            {does}\n\n{table}"


def calibrate(run: str | Path | Run = "last", *, ship: bool = False, root: str | Path = "runs") -> Calibrated:
    """How far the run's probabilities can be believed, on dev; and a temperature fitted there.

    The temperature is judged on the test rows where the run has measured those already, else by cross-fitting on dev:
    this never looks at test anew.

    run:  a path, a name under `root`, "last" or "last~1".
    ship: the run's bundle predicts at that temperature from now on: the probabilities change, the labels do not.

    Written to the run as evidence "calibration". Raises RunError (no dev rows, no bundle to ship in) and DataError (no
    probabilities of single labels, fewer than 30 examples).
    """
    found = Run.open(run, root)
    _ = found.result  # says so where it has not ended
    dev = found.rows("dev")
    test = found.rows("test") if "test" in found.evaluations() else None
    calibrated = Calibrated(found, calibration(dev), mended(dev, test), ship)
    if ship and not calibrated.mended.bounded:
        raise DataError(calibrated.mended.sentence, where=found.name, remedy="Give dev more examples.")
    if ship:
        _ship(found, calibrated.mended.temperature)
    found.write_evidence("calibration", _document(calibrated))
    write_report(found)
    return calibrated


def _ship(run: Run, temperature: float) -> None:
    path = run.path / "bundle" / "bundle.json"
    if not path.exists():
        raise RunError("this run has no bundle that could predict at the temperature", where=str(run.path),
                       remedy="Divide the logits by it where the model lives." if run.foreign else "Finish the run.")
    document = {**json.loads(path.read_text(encoding="utf-8")), "temperature": temperature}
    write_atomically(path, json.dumps(finite(document), indent=1, ensure_ascii=False))


def _document(found: Calibrated) -> dict[str, Any]:
    return {**found.dev.to_dict(), "mended": found.mended.to_dict(), "shipped": found.shipped,
            "work": [work.to_dict() for work in _work(found)]}


def _work(found: Calibrated) -> list[Work]:
    """A line where a temperature helps for sure: of the cross-entropy, not of the metric; no prediction changes."""
    gain = found.mended.gain
    if not gain.low > 0 or found.shipped or not found.mended.bounded:
        return []
    return [Work(f"predict at temperature {found.mended.temperature:.2f}", "metric", "adopt", gain,
                 "no training: orthogon calibrate --ship", "calibration",
                 note=f"{found.mended.sentence}. The gain is of cross-entropy: no predicted class changes.")]
