"""The ledger of dev, kept up as runs are measured, and the evidence "overfitting" that is read from it."""

from __future__ import annotations

from orthogon.data.ledger import Ledger
from orthogon.strategy.dev_ledger import DevLedger, Trial, key_of
from orthogon.strategy.overfitting import Overfitting, overfitting
from orthogon.train.rows import Rows
from orthogon.train.run import Run


def enter_dev(run: Run, dev: Rows) -> None:
    """What the run's network has right on dev goes into the ledger beside the runs."""
    trial = Trial.of(run.name, dev, epochs_chosen_among(run))
    if trial is not None:
        DevLedger(run.path.parent).record(trial)


def epochs_chosen_among(run: Run) -> int:
    """Looks at dev by which weights were chosen, over all folds: none, where training ended at a step set before."""
    settings = run.recipe().train
    if not settings.keep_best and settings.early_stopping is None:
        return 0
    trained = [run, *(Run(path) for path in sorted((run.path / "folds").glob("*")))]
    return sum(line["event"] == "epoch" and "dev" in line for each in trained for line in each.metrics())


def tell_overfitting(run: Run) -> Overfitting | None:
    """What choosing by dev cost so far, written as evidence; None without dev, or without right and wrong answers."""
    parts = {name: run.rows(name) for name, document in run.evaluations().items() if name == document["split"]}
    if "dev" not in parts:
        return None
    key = (run.read_json("passport.json") or {}).get("test_key")
    looks = len(Ledger(run.path.parent).looks(key)) if key else 0
    trials = DevLedger(run.path.parent).trials(key_of(parts["dev"]))
    found = overfitting(run.name, parts["dev"], trials, test=parts.get("test"), looks=looks)
    if found is not None:
        run.write_evidence("overfitting", found.to_dict())
    return found
