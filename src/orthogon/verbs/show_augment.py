"""`show augment`: what augmentation makes of pictures, to look at before training with it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.data.display import choose
from orthogon.errors import DataError, RecipeError, RunError
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.verbs.compose import compose
from orthogon.verbs.sources import read_as

if TYPE_CHECKING:
    from PIL.Image import Image

    from orthogon.data.dataset import Dataset
    from orthogon.tasks.encoded import Encoded

ENOUGH = 64
"""Pictures that the task is fitted on, so that a large folder is not decoded for a sheet of a few."""


@dataclass(frozen=True)
class AugmentSheet:
    """Pictures beside what augmentation makes of them; it draws itself in a notebook and saves itself.

    sheet: a row for each picture: as it is, by each way alone, by all together. about: what is shown, in a sentence.
    """

    sheet: Image
    about: str
    ways: tuple[str, ...]
    strength: float

    def save(self, path: str | Path) -> Path:
        """Writes .png, .jpg or .html (one file, offline); DataError for another suffix."""
        path = Path(path)
        if path.suffix in (".png", ".jpg"):
            self.sheet.save(path)
        elif path.suffix in (".html", ".htm"):
            from orthogon.draw.page import Page

            path.write_text(Page("Augmentation", subtitle=self.about).html(self._repr_html_()).render(), "utf-8")
        else:
            raise DataError(f"cannot save as {path.suffix or 'a file without suffix'}", where=str(path),
                            remedy="Known: .png, .jpg, .html.")
        return path

    def default_file(self) -> Path:
        """Where it goes when nobody says where: the folder for temporary files."""
        return self.save(Path(tempfile.gettempdir()) / "orthogon-augment.png")

    def _repr_html_(self) -> str:
        from orthogon.report.augmentation import picture_address

        return f'<img alt="{escape(self.about)}" style="max-width:100%" src="{picture_address(self.sheet)}">'

    def __str__(self) -> str:
        return self.about

    __repr__ = __str__


def show_augment(
    of: Any = None, ways: Sequence[str] | None = None, strength: float | None = None, *, count: int = 6,
    target: str | None = None, options: Mapping[str, Any] | None = None, save: str | Path | None = None,
    root: str | Path = "runs",
) -> AugmentSheet:
    """A sheet of pictures, each as it is, changed by each way alone, and by all ways together.

    of:      a RUN (its train pictures by its own augmentation), a recipe file, or data as `og.read` takes it; default:
             the bundled digits.
    ways:    those of `train.augment`; default: those of the run or recipe, and where it has none, all that the task can
             take. strength: likewise.
    count:   pictures, spread over the classes. target, options: as in `show`. save: a .png, .jpg or .html file.

    Boxes, points and masks that are to be predicted are drawn in: they follow their picture. Raises DataError where
    there are no pictures, RecipeError for an unknown way.
    """
    from orthogon.report.augmentation import augmentation_sheet

    recipe, source, passport = _asked(of, target, options, root)
    given = {"train.augment": None if ways is None else list(ways), "train.augment_strength": strength}
    recipe = recipe.with_values({key: value for key, value in given.items() if value is not None})
    data, recipe = _examples(recipe, source, passport)
    task, shown = _fitted(data, recipe), choose(data, count)
    augment = task.augment
    about = (f"{len(shown)} pictures of {data.name}: as they are, by {', '.join(augment.ways)} alone"
             f"{', by all together' if len(augment.ways) > 1 else ''}; strength {augment.strength:g}")
    found = AugmentSheet(augmentation_sheet(task, shown), about, augment.ways, augment.strength)
    if save is not None:
        found.save(save)
    return found


def document(shown: AugmentSheet, saved: Path | None) -> dict[str, Any]:
    """What `orthogon show augment --json` says."""
    return {"about": shown.about, "ways": list(shown.ways), "strength": shown.strength,
            "saved": None if saved is None else str(saved)}


def _asked(of: Any, target: str | None, options: Mapping[str, Any] | None,
           root: str | Path) -> tuple[Recipe, Any, Path | None]:
    """The recipe; the data, where it is an object; and the passport of the run, whose train part is shown."""
    if isinstance(of, str | Path | Run):
        try:
            run = Run.open(of, root)
        except RunError:
            run = None
        if run is not None:
            return run.recipe(), None, run.path / "passport.json"
    if isinstance(of, Recipe) or (isinstance(of, str | Path) and str(of).endswith((".yaml", ".yml"))):
        return compose(None, recipe=of, target=target, options=options)[0], None, None
    return compose(of, target=target, options=options)[0], of, None


def _examples(recipe: Recipe, source: Any, passport: Path | None) -> tuple[Dataset, Recipe]:
    """A few of the pictures (of a run: of those it was trained on), and the recipe with ways to change them."""
    from orthogon import registry
    from orthogon.data.augment import WAYS
    from orthogon.verbs.prepare import prepare, with_target

    if passport is None:
        data, recipe = with_target(read_as(recipe.data, source), recipe)
    else:
        prepared = prepare(recipe, source, passport)
        data, recipe = prepared.data.take(prepared.passport.rows("train")), prepared.recipe
    if not any(column.kind == "image" for column in data.inputs.values()):
        raise DataError("this data has no pictures to change", where=data.name)
    if not recipe.train.augment:
        mixes = registry.tasks.load(str(recipe.task.name)).mixes  # type: ignore[attr-defined]
        ways = [way for way in WAYS if mixes or way not in ("mixup", "cutmix")]
        recipe = recipe.with_values({"train.augment": ways}, where="defaults")
    return data.take(choose(data, ENOUGH)), recipe


def _fitted(data: Dataset, recipe: Recipe) -> Encoded:
    import numpy as np

    from orthogon.tasks.encoded import Encoded
    from orthogon.train.build import build_task
    from orthogon.train.fit import attach

    task = build_task(recipe)
    if not isinstance(task, Encoded) or not task.augment:
        raise RecipeError("nothing is changed", where="train.augment_strength", remedy="Give a strength above 0.")
    task.fit(data, np.arange(len(data)))
    attach(task, data, recipe)
    return task
