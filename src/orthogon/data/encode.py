"""From a data set to the tensors of a network: fit the encoders on the train rows, check later data against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from orthogon.data.columns import Column, ImageColumn, TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.encoders import CategoryEncoder, Encoder, ImageEncoder, NumberEncoder
from orthogon.data.pictures import SMALL, network_size
from orthogon.data.running_text import RunningText
from orthogon.data.text_encoder import TextEncoder, TokenSettings, words_recur
from orthogon.data.tokens import TokenizerName
from orthogon.data.word_encoders import CharactersEncoder, WordsEncoder
from orthogon.errors import DataError, RecipeError

__all__ = ["CategoryEncoder", "Encoder", "ImageEncoder", "NumberEncoder", "TextEncoder", "check_columns",
           "encoder_from_state", "fit_encoders", "unused_inputs"]

READABLE = ("image", "text", "tokens", "number", "date", "category")
_SORTS: dict[str, type[Encoder]] = {
    "image": ImageEncoder, "text": TextEncoder, "words": WordsEncoder, "characters": CharactersEncoder,
    "number": NumberEncoder, "category": CategoryEncoder,
}
"""What an encoder's `state` calls itself -> its class."""


class EncodingSettings(TokenSettings, Protocol):
    """What of the recipe's `data` section the encoders follow."""

    image_size: int | None
    fit: Any
    channels: Any
    normalize: Any


def fit_encoders(
    data: Dataset, rows: np.ndarray, settings: EncodingSettings, most: int = SMALL, marks: bool = False,
    roomy: bool = False,
) -> list[Encoder]:
    """Encoders for the inputs of the data, fitted on those rows alone: pictures, then texts, sentences in words
    (their words, then the characters of these), numbers, categories.

    most: side up to which pictures keep their size, where the settings leave it open. marks: whether texts, unless they
    run on, stand between the marks of their begin and end. roomy: whether texts longer than all of those rows are read
    whole, as `TextEncoder.fitted` says.
    Dates count as numbers; what `unused_inputs` names is left out. DataError where nothing is left.
    """
    rows = np.asarray(rows)
    unused = {finding.column for finding in unused_inputs(data, settings.tokens)}
    named = {kind: [name for name, column in data.inputs.items() if column.kind == kind and name not in unused]
             for kind in READABLE}
    encoders: list[Encoder] = [_image_encoder(name, data, rows, settings, most) for name in named["image"]]
    encoders += [TextEncoder.fitted(name, data, rows, settings, *_marks(data.columns[name], marks), roomy=roomy)
                 for name in named["text"]]
    encoders += [sort.fitted(name, data, rows, settings)
                 for name in named["tokens"] for sort in (WordsEncoder, CharactersEncoder)]
    numbers = [name for name, column in data.inputs.items() if column.kind in ("number", "date")]
    if numbers:
        encoders.append(NumberEncoder.fitted(numbers, data, rows))
    if named["category"]:
        encoders.append(CategoryEncoder.fitted(named["category"], data, rows))
    if not encoders:
        raise DataError(
            "no column is left to learn from", where=data.name,
            remedy=f"Inputs: {', '.join(data.inputs) or 'none'}; pictures, texts, numbers, dates, categories count.",
        )
    return encoders


def _marks(column: Column, marks: bool) -> tuple[bool, bool]:
    there = marks and not isinstance(column, RunningText)
    return there, there


def _image_encoder(
    name: str, data: Dataset, rows: np.ndarray, settings: EncodingSettings, most: int
) -> ImageEncoder:
    column = data.columns[name]
    assert isinstance(column, ImageColumn)  # noqa: S101 - sorted by kind above
    size, given = _size(column, rows, settings, most), settings.normalize
    channels = settings.channels or column.channels
    if given is None or given == "fitted":
        return ImageEncoder.fitted(name, data, rows, size, channels, settings.fit)
    if given == "unit":
        return ImageEncoder(name, size, channels, settings.fit, [0.0] * channels, [255.0] * channels)
    if len(given.mean) != channels:
        raise RecipeError(f"{len(given.mean)} channels are normalized, the pictures have {channels}",
                          where="data.normalize", remedy=f"Give {channels} numbers each, or set data.channels.")
    return ImageEncoder(name, size, channels, settings.fit, given.mean, given.std)


def _size(column: ImageColumn, rows: np.ndarray, settings: EncodingSettings, most: int) -> tuple[int, int]:
    """The size asked for, else one that suits the pictures to train on."""
    # Their sizes alone are looked at: taking rows of the pictures themselves would copy them.
    seen = ImageColumn(files=(), sizes=column.sizes[rows], channels=column.channels)
    return network_size(seen, settings.image_size, most)


def unused_inputs(data: Dataset, tokens: TokenizerName | None = None) -> list[Finding]:
    """One warning for each input column that is not read: of another kind, or words of which none occurs twice.

    tokens: what texts are split into; None: words.
    """
    whole_words = tokens in (None, "word", "whitespace")
    names = [name for name, column in data.inputs.items()
             if whole_words and isinstance(column, TextColumn) and not words_recur(column)]
    return [
        *(Finding("unused-column", "warning", f"column {name!r} is text of which no word occurs twice, and is not used",
                  where=data.name, column=name, remedy="To read it letter by letter: --set data.tokens=character")
          for name in names),
        *(Finding("unused-column", "warning", f"column {name!r} is {column.kind} and is not used: this network reads "
                "pictures, texts, numbers, dates and categories", where=data.name, column=name,
                remedy=f"If it has few values: --set 'data.types={{{name}: category}}'")
        for name, column in data.inputs.items() if column.kind not in READABLE),
    ]


def check_columns(encoders: Sequence[Encoder], data: Dataset, ignored: Sequence[str] = ()) -> None:
    """DataError naming the columns where the data does not have those that the network was trained on.

    ignored: columns that may be there and are not read: the target, groups.
    """
    trained = [name for encoder in encoders for name in encoder.columns]
    given = [name for name in data.columns if name in trained or name not in ignored]
    missing = [name for name in trained if name not in data.columns]
    extra = [name for name in given if name not in trained]
    if not missing and not extra:
        return
    told = []
    if missing:
        told.append("missing: " + _listed(missing))
    if extra:
        told.append("not known: " + _listed(extra))
    raise DataError(
        f"{len(given)} columns where the network was trained on {len(trained)}; {'; '.join(told)}", where=data.name,
        remedy=f"It was trained on {_listed(trained)}. Rename columns, or leave those that are not known out.",
    )


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def encoder_from_state(state: Mapping[str, Any]) -> Encoder:
    """The encoder whose `state` it is."""
    return _SORTS[state["kind"]].from_state(state)
