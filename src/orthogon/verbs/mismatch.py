"""`mismatch`: does dev look different from train, and in what."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthogon.data.columns import CategoryColumn, ImageColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import RunError
from orthogon.files import write_atomically
from orthogon.report.report import write as write_report
from orthogon.strategy.features import features
from orthogon.strategy.mismatch import Mismatch
from orthogon.strategy.mismatch import mismatch as compare
from orthogon.strategy.work_list import Work
from orthogon.train.run import Run

MOST = 2_000
"""Examples that are looked at on either side."""

SHOWN, ABREAST = 16, 4
SHEET = "evidence/mismatch.png"
ORANGE, BLUE = "#b34700", "#0060a0"


@dataclass(frozen=True)
class MismatchFound:
    """`mismatch` of a run; sheet: pictures most like the one and most like the other, None where there are none."""

    run: Run
    found: Mismatch
    sheet: Path | None

    def to_dict(self) -> dict[str, Any]:
        return {"run": str(self.run.path), **self.run.evidence()["mismatch"]}

    def __str__(self) -> str:
        return str(self.found) + (f"\n\npictures    {self.sheet}" if self.sheet else "")


def mismatch(run: str | Path | Run = "last", *, data: Any = None, root: str | Path = "runs") -> MismatchFound:
    """Whether the run's dev set looks different from train-dev (from train, where there is none), and in what.

    run:  a path, a name under `root`, "last" or "last~1". data: the data of a run that was trained on an object.

    At most 2,000 examples a side; of a group one. Test is not looked at. With a train-dev set the network's own last
    features are tried as well; train rows it has learnt from, so theirs would differ by that alone. Written to the run
    as evidence "mismatch", with a sheet of pictures. RunError where train and dev are the same examples (folds).
    """
    found = Run.open(run, root)
    _ = found.result  # says so where it has not ended
    examples, part = _examples(found, data)
    first = "train-dev" if (part == "train-dev").any() else "train"
    if not ((part == first).any() and (part == "dev").any()):
        raise RunError("there are no two sets to compare: this run has " + ", ".join(sorted({*part.tolist()} - {""})),
                       where=found.name, remedy="Train with a dev set of its own, without --folds.")
    chosen = np.concatenate([_some(examples, np.flatnonzero(part == name)) for name in (first, "dev")])
    looked_at, second = examples.take(chosen), part[chosen] == "dev"
    embedding = None if first == "train" or found.foreign else _last_features(found, looked_at)
    compared = compare(features(looked_at), second, names=(first, "dev"), label=_label(looked_at), embedding=embedding)
    order = np.argsort(compared.score, kind="stable")
    likest = [order[~second[order]][:SHOWN], order[second[order]][::-1][:SHOWN]]
    sheet = _sheet(looked_at, likest, (first, "dev"))
    if sheet is not None:
        (found.path / "evidence").mkdir(exist_ok=True)
        write_atomically(found.path / SHEET, sheet)
    found.write_evidence("mismatch", {
        **compared.to_dict(), "sheet": None if sheet is None else SHEET,
        "train_like": looked_at.ids[likest[0]].tolist(), "dev_like": looked_at.ids[likest[1]].tolist(),
        "work": [work.to_dict() for work in _work(compared)],
    })
    write_report(found)
    return MismatchFound(found, compared, None if sheet is None else found.path / SHEET)


def _examples(run: Run, data: Any) -> tuple[Dataset, NDArray[np.str_]]:
    """The data of the run, and the part of each example."""
    if run.foreign:
        from orthogon.verbs.read_predictions import examples_of

        examples = examples_of(run)
        return examples, np.asarray(examples.part)
    from orthogon.verbs.prepare import prepare

    prepared = prepare(run.recipe(), data, run.path / "passport.json")
    return prepared.data, prepared.passport.part_of()


def _some(examples: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """One row of each group, at most 2,000, drawn by a fixed seed: examples of a group are no independent witnesses."""
    rows = np.random.default_rng(0).permutation(rows)
    if examples.group is not None:
        rows = rows[np.unique(examples.group[rows], return_index=True)[1]]
        rows = np.random.default_rng(0).permutation(rows)
    return np.sort(rows[:MOST])


def _label(examples: Dataset) -> NDArray | None:
    column = examples.target_column()
    if isinstance(column, CategoryColumn):
        return np.array([*column.levels, "missing"])[column.codes]
    return column.values.astype(np.float64) if isinstance(column, NumberColumn) and column.width == 1 else None


def _last_features(run: Run, examples: Dataset) -> NDArray[np.float64] | None:
    """What goes into the network's last linear layer; None where it has none, or the network cannot be built again."""
    import torch
    from torch import nn

    from orthogon.serve.bundle import load
    from orthogon.train.compute import Compute
    from orthogon.train.evaluate import predict

    try:
        predictor = load(run)
    except RunError:  # a module of the user's own, which only he can build
        return None
    layers = [module for module in predictor.model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        return None
    caught: list[torch.Tensor] = []
    hook = layers[-1].register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0].detach().flatten(1).cpu()))
    try:
        predictor.task.attach(examples, predictor.device)
        predict(predictor.task, predictor.model, np.arange(len(examples)), Compute(predictor.device))
    finally:
        hook.remove()
    return torch.cat(caught).double().numpy()


def _sheet(examples: Dataset, likest: list[NDArray[np.int64]], names: tuple[str, str]) -> bytes | None:
    """PNG: on the left what is most like the first set, on the right what is most like the second."""
    from orthogon.draw.images import contact_sheet

    column = next((each for each in examples.inputs.values() if isinstance(each, ImageColumn)), None)
    if column is None:
        return None
    rows = min(len(side) for side in likest) // ABREAST
    places = [(side, int(row)) for line in range(rows) for side in (0, 1)
              for row in likest[side][line * ABREAST : (line + 1) * ABREAST]]
    picture = contact_sheet([column.cell(row) for _, row in places], [f"most like {names[side]}" for side, _ in places],
                            columns=2 * ABREAST, colors=[(BLUE, ORANGE)[side] for side, _ in places])
    stream = BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _work(found: Mismatch) -> list[Work]:
    """Where the sets look different: make train like dev in what differs. What that gains nobody has measured yet."""
    differing = [each for each in found.features if each.differs]
    if found.state != "different" or not differing:
        return []
    named = list(dict.fromkeys(each.name for each in differing))[:3]
    note = "; ".join(f"{each.name}: {each.how}" for each in differing[:3])
    return [Work(f"make train like dev: {', '.join(named)}", "mismatch", "not known", None,
                 "augmentation, synthesis, or examples like dev", "mismatch", note=note)]
