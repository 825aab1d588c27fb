"""Which runs are the best on their dev set, and which cannot be told from the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from orthogon.strategy.dev_ledger import DevLedger, Trial, tied
from orthogon.strategy.paired import aligned, squared_error
from orthogon.train.rows import Rows
from orthogon.train.run import Run

COMPARED = ("accuracy", "error", "label_accuracy", "rmse")
"""Metrics that are a mean over the examples, or its root: a paired difference costs nothing."""

BEST, TIED = "best", "= best"
Z = 1.959963984540054


def standings(results: Mapping[str, tuple[Run, dict[str, Any]]]) -> dict[str, str]:
    """Name -> "best", "= best" (the paired difference on dev holds 0), or nothing; where a dev set has several runs.

    results: name -> (run, result.json). Right and wrong answers are read from the ledger of dev, a bit each; numbers,
    and answers that come in groups, from the rows. Test plays no part.
    """
    runs = [run for run, _ in results.values()]
    ledger = DevLedger(runs[0].path.parent).trials() if runs else []
    trials = {trial.run: trial for trial in ledger}
    sets: dict[tuple[str, str], list[str]] = {}
    for name, (run, result) in results.items():
        metric = result.get("metric")
        if metric in COMPARED and "dev" in result.get("splits", {}):
            sets.setdefault((metric, _key(run, trials.get(name))), []).append(name)
    found: dict[str, str] = {}
    for names in sets.values():
        if len(names) > 1:
            found |= _of_set({name: results[name] for name in names}, trials)
    return found


def _key(run: Run, trial: Trial | None) -> str:
    """The name of the dev set: of the ledger, else of the passport."""
    if trial is not None:
        return trial.key
    return ((run.read_json("passport.json") or {}).get("hashes") or {}).get("dev") or run.name


def _of_set(results: Mapping[str, tuple[Run, dict[str, Any]]], trials: Mapping[str, Trial]) -> dict[str, str]:
    values = {name: _value(result) for name, (_, result) in results.items()}
    best = max(values, key=lambda name: values[name])
    others = [name for name in results if name != best]
    grouped = (results[best][0].read_json("passport.json") or {}).get("groups")
    if not grouped and all(name in trials for name in results):
        same = [name for name in others if tied(trials[best], trials[name])]
    else:
        rows = results[best][0].rows("dev")
        same = [name for name in others if _tied_rows(rows, results[name][0].rows("dev"))]
    return {best: BEST, **dict.fromkeys(same, TIED)}


def _value(result: Mapping[str, Any]) -> float:
    found = result["splits"]["dev"]["metrics"][result["metric"]]
    return found["value"] if found["higher_is_better"] else -found["value"]


def _tied_rows(first: Rows, second: Rows) -> bool:
    """Whether the normal interval of the mean difference, over examples or groups, holds 0."""
    first, second = aligned(first, second)
    gain = _worth(second) - _worth(first)
    codes = np.arange(len(gain)) if first.group is None else np.unique(first.group, return_inverse=True)[1]
    off = np.bincount(codes, gain - gain.mean())
    return abs(gain.sum()) <= Z * float(np.sqrt(np.sum(off**2)))


def _worth(rows: Rows) -> np.ndarray:
    """Per example: the score, or minus the squared error."""
    if rows.get("score") is not None:
        return np.asarray(rows["score"], dtype=np.float64)
    return -squared_error(rows)
