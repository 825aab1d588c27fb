"""Train, train-dev, dev and test: who goes where, and what a person must know about it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from orthogon.data.chooser import Chooser, Parts
from orthogon.data.columns import CategoryColumn
from orthogon.data.dataset import PARTS, Dataset
from orthogon.data.move import move_into_training
from orthogon.data.passport import Passport
from orthogon.data.sizes import Size, about_sizes, default_size, dev_and_test_sizes, part_sizes
from orthogon.data.windows import Windows
from orthogon.errors import DataError, RecipeError, nearest


def split(
    data: Dataset,
    *,
    seed: int = 0,
    train: Size = None,
    dev: Size = None,
    test: Size = None,
    train_dev: Size = None,
    by: str = "random",
    time_column: str | None = None,
    stratify: bool = True,
    target_source: str | None = None,
    target_train: float = 0.0,
    folds: int | None = None,
    move_dev: Size = None,
    move_reserve: Size = None,
    windows: Windows | None = None,
) -> Passport:
    """Choose the parts of a data set.

    train, dev, test, train_dev: shares in [0, 1] as floats, or numbers of examples as ints; 0 leaves a part
        out. Default: dev and test 20 % each, but not more than a difference of one point needs (3,922
        examples: paired, 10 % error, 5 % disagreement, 80 % power); train the rest; train-dev only with
        `target_source`, then as large as dev but at most 20 % of the others. Shares are of all rows; of the
        rows given for training where the data comes already split; with `target_source`, of the target's rows
        for dev and test and of the others for train and train-dev.
    by: "random" (seeded, stratified by class or by decile of the target), "time": train oldest, test
        newest, in the order of `time_column` (default: the only date column), or "order": as rows were read, train
        first, test last.
    target_source: dev and test come from this source only, half and half, train and train-dev from the others
        (rows 11.04-11.08).
    target_train: the share of the target's rows that is kept in "reserve", to be moved into training later.
    folds: k parts of all rows but test; each in turn is dev (`Passport.fold`).
    move_dev, move_reserve: shares or numbers of dev, and of the reserve, that move into train when all else is done:
        by the seed, in proportion to the classes, whole groups. Test and the rest of dev stay as they are.
    windows: where an example is a window of rows in time: parts then follow one another in time, and hold the rows
        whose window is whole (`Windows.whole`); the others are "unused".

    A group is never on two sides. Parts that came with the data stay. The same data and seed give the same
    parts in whatever order the rows were read. Rows that no size asks for are named "unused".

    DataError: one class only, too few examples or groups, no date column, unknown source.
    RecipeError: sizes or options that do not go together. Source: catalogue rows 11.01-11.08.
    """
    asked = {"train": train, "train-dev": train_dev, "dev": dev, "test": test}
    given = data.part is not None and np.isin(data.part, PARTS[1:]).any()
    _check_options(seed, by, folds, asked, target_source, target_train, bool(given))
    _check_target(data)
    if folds is not None and not given:
        asked["dev"] = 0
    chooser = Chooser.of(data, seed, by, time_column, stratify, windows)
    if given:
        parts, notes = _as_given(data, chooser, asked, folds)
    elif target_source is not None:
        parts, notes = _toward_target(data, chooser, asked, target_source, target_train)
    else:
        parts, notes = _plain(chooser, asked)
    parts, moved = move_into_training(chooser, parts, {"dev": move_dev, "reserve": move_reserve}, seed)
    if windows is not None:
        parts, about_windows = windows.whole(parts, ~data.target_column().missing())
        moved += about_windows
    in_folds = _folds(chooser, parts, folds) if folds is not None else []
    sentences = [*notes, *moved, *about_sizes(data, parts, folds, windows is not None), *_about_classes(data, parts)]
    method = {
        "how": chooser.how(bool(given), target_source, windows is not None), "by": by,
        "stratified": chooser.stratum is not None, "grouped": chooser.group is not None,
        "in_blocks": windows is not None, "given": bool(given), "target_source": target_source,
        "target_train": target_train, "folds": folds, "time_column": chooser.time_column,
        "asked": {name: size for name, size in asked.items() if size is not None},
        "moved": {name: size for name, size in (("dev", move_dev), ("reserve", move_reserve)) if size},
        "dev_like_train": _dev_like_train(data, by, target_source),
    }
    return Passport.of(data, parts, seed=seed, method=method, sentences=sentences, folds=in_folds)


def _dev_like_train(data: Dataset, by: str, target_source: str | None) -> bool | None:
    """Whether dev is drawn from where train is; None where it is not known: dev came with the data, or is later."""
    if target_source is not None:
        return False
    return None if by != "random" or (data.part is not None and "dev" in data.part) else True


def _check_options(
    seed: int, by: str, folds: int | None, asked: Mapping[str, Size], target_source: str | None,
    target_train: float, given: bool,
) -> None:
    if seed < 0:
        raise RecipeError(f"a seed is not negative, but {seed} was given", where="split.seed")
    if by not in ("random", "time", "order"):
        remedy = nearest(by, ("random", "time", "order"))
        raise RecipeError(f"unknown way to split {by!r}", where="split.by", remedy=remedy)
    if not 0 <= target_train < 1:
        raise RecipeError(
            f"target_train is a share from 0 to below 1, not {target_train}", where="split.target_train"
        )
    if target_train and target_source is None:
        raise RecipeError("target_train needs a target_source", where="split.target_train")
    if given and target_source is not None:
        raise RecipeError(
            "the data comes already split; target_source would undo that", where="split.target_source",
            remedy="Leave target_source out, or read the data without its parts.",
        )
    if folds is None:
        return
    if folds < 2:
        raise RecipeError(f"at least 2 folds are needed, not {folds}", where="split.folds")
    clash = [name for name in ("train", "dev", "train-dev") if asked[name]]
    clash += [f"by={by!r}"] if by != "random" else []
    clash += ["target_source"] if target_source is not None else []
    if clash:
        raise RecipeError(
            f"folds do not go together with {', '.join(clash)}", where="split.folds",
            remedy="Each fold in turn is dev and the others are train; leave one of the two options out.",
        )


def _check_target(data: Dataset) -> None:
    column = data.columns[data.target] if data.target is not None else None
    if not isinstance(column, CategoryColumn):
        return
    present = [level for level, count in zip(column.levels, column.counts()) if count]
    if len(present) < 2:
        only = f"one class only, {present[0]!r}" if present else "no class at all"
        raise DataError(
            f"the target has {only}: there is nothing to tell apart", where=data.name,
            remedy="Add examples of another class, or choose another target.",
        )


def _plain(chooser: Chooser, asked: Mapping[str, Size]) -> tuple[Parts, list[str]]:
    n = len(chooser.rows)
    defaults = {"train": 0, "train-dev": 0, "dev": default_size(n), "test": default_size(n)}
    sizes = part_sizes(n, asked, defaults, rest="train")
    unused = n - sum(sizes.values())
    parts = chooser.share_out(chooser.rows, {**sizes, "unused": unused}, home="train")
    if not unused:
        return parts, []
    return parts, [f"{len(parts['unused']):,} examples are in no part: the sizes do not ask for them"]


def _as_given(
    data: Dataset, chooser: Chooser, asked: Mapping[str, Size], folds: int | None
) -> tuple[Parts, list[str]]:
    assert data.part is not None  # noqa: S101  for the type checker
    labels = np.where(np.isin(data.part, PARTS), data.part, "")[chooser.rows]
    parts = {name: chooser.rows[labels == name] for name in PARTS if (labels == name).any()}
    notes: list[str] = []
    open_rows = chooser.rows[labels == ""]
    if len(open_rows):
        parts["train"] = chooser.rows[np.isin(labels, ("", "train"))]
        notes.append(f"{len(open_rows):,} examples came without a part: they are in train")
    if "train" not in parts:
        raise DataError(
            f"the data comes split into {', '.join(parts)} only: there is no train", where=data.name,
            remedy="Add a part named train, or read the data without its parts.",
        )
    if folds is not None and "dev" in parts:
        parts["train"] = np.concatenate([parts["train"], parts.pop("dev")])
        notes.append("dev as given is part of the folds: each fold in turn is dev")
    wants_dev = folds is None and "dev" not in parts and asked["dev"] != 0
    return _carve(chooser, parts, asked, wants_dev, notes)


def _carve(
    chooser: Chooser, parts: Parts, asked: Mapping[str, Size], wants_dev: bool, notes: list[str]
) -> tuple[Parts, list[str]]:
    """Take dev, and train-dev where it was asked for, out of a train part that was given, and leave of the rest as much
    as train was asked to have."""
    rows = parts["train"]
    defaults = {"train": 0}
    if asked["train-dev"] and "train-dev" not in parts:
        defaults["train-dev"] = 0
    if wants_dev:
        defaults["dev"] = default_size(len(rows))
    if len(defaults) == 1 and asked["train"] is None:
        return parts, notes
    sizes = part_sizes(len(rows), asked, defaults, rest="train")
    unused = len(rows) - sum(sizes.values())
    parts = {**parts, **chooser.share_out(rows, {**sizes, "unused": unused}, home="train")}
    if names := " and ".join(name for name in defaults if name != "train"):
        notes.append(f"{names} came out of train; the other parts are as given")
    if unused:
        notes.append(f"{unused:,} examples of train are in no part: the sizes do not ask for them")
    return parts, notes


def _toward_target(
    data: Dataset, chooser: Chooser, asked: Mapping[str, Size], target_source: str, target_train: float
) -> tuple[Parts, list[str]]:
    """Dev and test from the target, train and train-dev from the other sources (rows 11.06-11.08)."""
    of_target, others = _by_source(data, chooser.rows, target_source)
    reserve = round(target_train * len(of_target))
    half = (len(of_target) - reserve) // 2
    defaults = {"reserve": reserve, "dev": len(of_target) - reserve - half, "test": half}
    wanted = {**asked, "reserve": None}
    if asked["dev"] is None and asked["test"] is None:
        sizes = defaults
    else:
        sizes = dev_and_test_sizes(len(of_target), reserve, wanted)
    if sizes["dev"] < 1:
        raise DataError(
            f"{len(of_target):,} examples of {target_source!r} are too few for dev and test", where=data.name
        )
    unused = len(of_target) - sum(sizes.values())
    parts = chooser.share_out(of_target, {**sizes, "unused": unused})
    notes = [f"dev and test come from {target_source} only, train from the other sources"]
    if "reserve" in parts:
        count = len(parts["reserve"])
        notes.append(f"reserve: {count:,} of {target_source}, in no other part, may move into training later")
    trained, more_notes = _training_side(data, chooser, asked, parts, others)
    return _merge(parts, trained), notes + more_notes


def _by_source(data: Dataset, rows: np.ndarray, target_source: str) -> tuple[np.ndarray, np.ndarray]:
    if data.source is None:
        raise DataError(
            "target_source needs to know where each example comes from", where=data.name,
            remedy="Name the column of sources with source= when reading.",
        )
    is_target = data.source[rows] == target_source
    known = [str(source) for source in np.unique(data.source)]
    if not is_target.any():
        raise DataError(f"no example comes from {target_source!r}", where=data.name,
                        remedy=nearest(target_source, known))
    if is_target.all():
        raise DataError(
            f"every example comes from {target_source!r}: no other source is left to train on",
            where=data.name, remedy="Leave target_source out.",
        )
    return rows[is_target], rows[~is_target]


def _training_side(
    data: Dataset, chooser: Chooser, asked: Mapping[str, Size], target_parts: Parts, others: np.ndarray
) -> tuple[Parts, list[str]]:
    """Train and train-dev of the other sources; a group that is in dev or test, or unused, trains nothing."""
    notes: list[str] = []
    barred = reserved = np.zeros(len(others), dtype=bool)
    if data.group is not None:
        held_out = [target_parts[name] for name in ("dev", "test", "unused") if name in target_parts]
        barred = np.isin(data.group[others], data.group[np.concatenate(held_out)])
        reserved = np.isin(data.group[others], data.group[target_parts.get("reserve", others[:0])])
    if barred.any():
        notes.append(f"{int(barred.sum()):,} examples are unused: their groups are in dev or test")
    usable = others[~barred]
    if not len(usable):
        raise DataError(
            "nothing is left to train on: every group of the other sources is also in dev or test",
            where=data.name, remedy="Keep a share of the target's groups for training: target_train=0.5.",
        )
    # Groups of the reserve stay in train, for when the reserve joins it.
    free, kept = others[~barred & ~reserved], others[~barred & reserved]
    default = max(1, min(len(target_parts["dev"]), len(usable) // 5))
    if asked["train-dev"] is None and not _divisible(free, data.group, 1 if len(kept) else 2):
        notes.append("no train-dev: the training sources have too few groups to spare one")
        default = 0
    sizes = part_sizes(len(usable), asked, {"train": 0, "train-dev": default}, rest="train")
    leftover = len(usable) - sum(sizes.values())
    wanted = {**sizes, "train": max(0, sizes["train"] - len(kept)), "unused": leftover}
    parts = _merge(chooser.share_out(free, wanted, home="train"), {"train": kept})
    return _merge(parts, {"unused": others[barred]}), notes


def _divisible(rows: np.ndarray, group: np.ndarray | None, parts: int) -> bool:
    return len(rows if group is None else np.unique(group[rows])) >= parts


def _merge(one: Parts, other: Parts) -> Parts:
    merged = dict(one)
    for name, rows in other.items():
        merged[name] = np.concatenate([merged[name], rows]) if name in merged else rows
    return merged


def _folds(chooser: Chooser, parts: Parts, k: int) -> list[np.ndarray]:
    rows = np.sort(parts["train"])
    rows = chooser.rows[np.isin(chooser.rows, rows)]
    if k > len(rows):
        raise DataError(f"{len(rows):,} examples cannot fill {k} folds", remedy="Ask for fewer folds.")
    sizes = {str(index): len(rows) // k + (index < len(rows) % k) for index in range(k)}
    return list(chooser.share_out(rows, sizes).values())


def _about_classes(data: Dataset, parts: Parts) -> list[str]:
    column = data.columns[data.target] if data.target is not None else None
    if not isinstance(column, CategoryColumn) or np.array_equal(data.group, column.codes):  # type: ignore[arg-type]
        return []  # where classes are the groups, each is to be on one side
    counts, in_train = column.counts(), column.take(parts["train"]).counts()
    once = [level for level, count in zip(column.levels, counts) if count == 1]
    absent = [level for level, count, here in zip(column.levels, counts, in_train) if count and not here]
    sentences = []
    if once:
        sentences.append(f"{_listed(once)} occurs once: it can be learnt or tested, not both")
    if absent:
        sentences.append(f"{_listed(absent)} is absent from train: it cannot be learnt")
    return sentences


def _listed(levels: list[str]) -> str:
    shown = ", ".join(repr(level) for level in levels[:5])
    return f"class {shown}" + (f" and {len(levels) - 5:,} more" if len(levels) > 5 else "")

