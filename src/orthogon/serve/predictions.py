"""What a network says of new inputs: one plain dict per item."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.data.masks import Mask
from orthogon.data.tag_schemes import OUTSIDE
from orthogon.draw.tables import format_number, html_table, text_table
from orthogon.errors import DataError
from orthogon.serve.items import Items

if TYPE_CHECKING:
    import polars as pl

SHOWN = 24


class Predictions(Items):
    """Predictions in the order of the inputs; `predictions[0]`, `len(predictions)`, `for one in predictions`.

    Each is a dict: "id"; what the task decodes ("label", "probability", "probabilities"; "labels"; "value"; "shares" of
    classes and the "mask" as an `orthogon.data.masks.Mask`, whose `codes` are the array; "tags", "entities" and the
    "words" that they are of; "log_probability" and "perplexity" of a text);
    "notes" where something was taken as unknown or missing. An item that could not be used has "id" and "error"
    instead.
    """

    def to_dict(self) -> dict[str, Any]:
        """{"n", "errors": how many, "predictions": the dicts}; of masks only the files that they were saved to."""
        items = [{key: value for key, value in item.items() if not isinstance(value, Mask)} for item in self.items]
        return {"n": len(self), "errors": len(self.errors), "predictions": items}

    def to_frame(self) -> pl.DataFrame:
        """One row per item: "id", "label" or "value" or "labels", "probability", "notes", "error".

        Probabilities and shares of classes and several values become columns of their own: "probability of cat",
        "share of cell". Several labels, and notes, are joined by "; ". Columns that no item has are left out.
        """
        import polars as pl

        flat = [_flat(item) for item in self.items]
        names = dict.fromkeys(name for row in flat for name in row)
        last = [name for name in ("notes", "error") if name in names]
        names = [name for name in names if name not in last] + last
        return pl.DataFrame({name: pl.Series(name, [row.get(name) for row in flat], strict=False) for name in names})

    def write_csv(self, path: str | Path) -> Path:
        """`to_frame` as CSV, atomically."""
        from orthogon.files import write_atomically

        path = Path(path)
        write_atomically(path, self.to_frame().write_csv())
        return path

    @property
    def has_masks(self) -> bool:
        """Whether there is a mask to save."""
        return any("mask" in item for item in self.items)

    def save_masks(self, folder: str | Path) -> list[Path]:
        """Writes the mask of each item as FOLDER/ID.png, where the id is the picture's path; items then have
        "mask_file". DataError where no item has a mask."""
        folder, saved = Path(folder), []
        for item in self.items:
            if isinstance(mask := item.get("mask"), Mask):
                name = Path(str(item["id"]))
                inside = name.with_suffix(".png") if not name.is_absolute() and ".." not in name.parts else (
                    Path(name.stem + ".png"))
                saved.append(mask.save(folder / inside))
                item["mask_file"] = str(saved[-1])
        if not saved:
            raise DataError("there are no masks to save", where=str(folder),
                            remedy="Masks are what a run of the task segment predicts.")
        return saved

    def __str__(self) -> str:
        headers, rows = self._table(len(self))
        return text_table(headers, rows) if rows else "no predictions"

    def _repr_html_(self) -> str:
        headers, rows = self._table(SHOWN)
        more = f"; the first {SHOWN} are shown" if len(self) > SHOWN else ""
        wrong = f", {len(self.errors):,} could not be used" if self.errors else ""
        return html_table(headers, rows, caption=f"{len(self):,} predictions{wrong}{more}")

    def _table(self, most: int) -> tuple[list[str], list[list[Any]]]:
        shown = self.items[:most]
        sure, noted = any("probability" in item for item in shown), any(_remark(item) for item in shown)
        headers = ["id", "prediction", *(["probability"] if sure else []), *([""] if noted else [])]
        rows = [
            [str(item["id"]), _said(item), *([_percent(item.get("probability"))] if sure else []),
             *([_remark(item)] if noted else [])]
            for item in shown
        ]
        return headers, rows


def _said(item: dict[str, Any]) -> str | None:
    if "error" in item:
        return None
    if "tags" in item:
        return " ".join(word if tag == OUTSIDE else f"{word}/{tag}" for word, tag in zip(item["words"], item["tags"]))
    if "log_probability" in item:
        return f"log p {item['log_probability']:.2f}, perplexity {format_number(item['perplexity'])} a token"
    if "labels" in item:
        return ", ".join(item["labels"]) or "none"
    if "values" in item:
        return ", ".join(f"{name} {format_number(value)}" for name, value in item["values"].items())
    if "shares" in item:
        return ", ".join(f"{name} {format_number(share, percent=True)}" for name, share in item["shares"].items())
    said = item.get("label", item.get("text", item.get("value")))
    if "box" in item or "points" in item:
        return _place(item, said)
    return format_number(said) if isinstance(said, float) else None if said is None else str(said)


def _place(item: dict[str, Any], label: Any) -> str:
    """ "cat, 12 to 56 across, 34 to 78 down"; of points alone where they are."""
    if box := item.get("box"):
        left, top, right, bottom = (f"{number:.0f}" for number in box)
        where = f"{left} to {right} across, {top} to {bottom} down"
    else:
        where = "; ".join(f"{name} {x:.0f}, {y:.0f}" for name, (x, y) in (item.get("points") or {}).items())
    return ", ".join(part for part in (label, where) if part)


def _percent(share: float | None) -> str | None:
    return None if share is None else format_number(share, percent=True)


def _remark(item: dict[str, Any]) -> str:
    return str(item.get("error") or "; ".join(item.get("notes", ())))


def _flat(item: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, Mask):
            continue
        if name in ("probabilities", "shares") and isinstance(value, dict):
            one = {"probabilities": "probability", "shares": "share"}[name]
            row |= {f"{one} of {key}": share for key, share in value.items()}
        elif name == "box":
            row |= dict(zip(("xmin", "ymin", "xmax", "ymax"), value or [None] * 4))
        elif name == "points":
            row |= {f"{point}_{axis}": number for point, place in (value or {}).items()
                    for axis, number in zip("xy", place)}
        elif name in ("tags", "words"):
            row[name] = " ".join(value)
        elif name == "entities":
            row[name] = "; ".join(f"{kind} {first} to {last}" for kind, first, last in value)
        elif isinstance(value, dict):
            row |= dict(value)
        elif isinstance(value, list | tuple):
            row[name] = "; ".join(map(str, value))
        else:
            row[name] = value
    return row
