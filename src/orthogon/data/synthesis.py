"""Training examples made like those of dev: clean ones mixed with noise or backgrounds, or made worse on purpose.

A network that is shown few sources again and again learns those by heart, however natural each mixture sounds or looks:
one hour of car noise under ten thousand hours of speech, twenty car designs of a video game (Machine Learning Yearning,
chapter 43). So every synthesized example keeps the names of what it was made from, the sources are counted, and a
warning is given where they are few (rows 11.09, 11.10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.data.columns import ImageColumn, NumberColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.errors import DataError

Floats = NDArray[np.float64]
Mix = Callable[[NDArray, NDArray, np.random.Generator], NDArray]
"""(clean examples (n, …), the source of each (n, …), a generator) -> mixed examples in the type of the clean ones."""

OFTEN = 10
"""How often a source may serve, on average, before a network is likely to know it by heart."""

# --- pictures: uint8 (n, C, H, W) ----------------------------------------------------------------------------


def blend(pictures: NDArray[np.uint8], backgrounds: NDArray[np.uint8], share: float = 0.3) -> NDArray[np.uint8]:
    """(1 - share) of the picture and share of the background, 0 to 1."""
    return _bytes((1 - share) * pictures + share * backgrounds.astype(np.float64))


def overlay(pictures: NDArray[np.uint8], backgrounds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lighter of picture and background at each pixel: bright strokes on a dark ground get another ground."""
    return np.maximum(pictures, backgrounds)


def blur(pictures: NDArray[np.uint8], sigma: float = 1.0) -> NDArray[np.uint8]:
    """A Gaussian blur of that standard deviation in pixels, edges repeated."""
    from scipy.ndimage import gaussian_filter

    return _bytes(gaussian_filter(pictures.astype(np.float64), (0, 0, sigma, sigma), mode="nearest"))


def lower_contrast(pictures: NDArray[np.uint8], factor: float = 0.5) -> NDArray[np.uint8]:
    """Each picture drawn toward its own mean: factor 0 leaves only that, 1 changes nothing, above 1 raises contrast."""
    mean = pictures.mean(axis=(1, 2, 3), keepdims=True)
    return _bytes(mean + factor * (pictures - mean))


def grain(pictures: NDArray[np.uint8], sigma: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Gaussian noise of that standard deviation, in grey values of 0 to 255, on every pixel by itself."""
    return _bytes(pictures + sigma * random.standard_normal(pictures.shape))


def _bytes(values: Floats) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# --- sound and other signals: (n, t) -------------------------------------------------------------------------


def add_noise(signals: ArrayLike, noises: ArrayLike, snr: float | ArrayLike, random: np.random.Generator) -> Floats:
    """Signals with noise at a ratio of signal to noise in decibels: 10 log10 of mean squares.

    signals: (n, t). noises: (n, s), s at least t: a stretch of t is taken from each, from a random place on. snr: one
    number or n of them. Silence (of either) adds no noise. DataError where a noise is shorter than the signals.
    """
    clean, sound = np.atleast_2d(np.asarray(signals, np.float64)), np.atleast_2d(np.asarray(noises, np.float64))
    length, spare = clean.shape[1], sound.shape[1] - clean.shape[1]
    if spare < 0:
        raise DataError(f"noises of {sound.shape[1]:,} samples for signals of {length:,}", where="add_noise",
                        remedy="Give longer recordings of noise, or shorter signals.")
    start = random.integers(0, spare + 1, len(clean))
    stretch = np.take_along_axis(np.broadcast_to(sound, (len(clean), sound.shape[1])),
                                 start[:, None] + np.arange(length), axis=1)
    power, loud = ((each**2).mean(axis=1) for each in (clean, stretch))
    ratio = 10 ** (np.asarray(snr, np.float64) / 10)
    scale = np.sqrt(np.divide(power, loud * ratio, out=np.zeros(len(clean)), where=loud > 0))
    return clean + scale[:, None] * stretch


# --- data sets -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Synthesized:
    """Examples that were made, and what each was made from.

    data:  a Dataset whose `source` is "synthetic", whose `group` is that of the clean example (or its id), so that a
           split keeps both on one side, and whose `findings` hold the warning where sources are few.
    clean_ids, source_ids: str (n,): the clean example and the source of each.
    """

    data: Dataset
    clean_ids: NDArray[np.str_]
    source_ids: NDArray[np.str_]

    @property
    def unique_sources(self) -> int:
        return len(np.unique(self.source_ids))

    @property
    def effective_sources(self) -> float:
        return effective_sources(self.source_ids)

    def __str__(self) -> str:
        said = (f"{len(self.data):,} examples from {len(np.unique(self.clean_ids)):,} clean ones and "
                f"{self.unique_sources:,} sources ({self.effective_sources:.0f} effective)")
        return "\n".join([said, *(f"{each.severity}: {each.what}. {each.remedy}" for each in self.data.findings
                                  if each.kind == "few-sources")])


def effective_sources(source_ids: ArrayLike) -> float:
    """How many sources, used equally often, would repeat as much: 1 / Σ share² (Simpson's index of 1949, inverted)."""
    _, counts = np.unique(np.asarray(source_ids), return_counts=True)
    return float(counts.sum() ** 2 / (counts.astype(np.float64) ** 2).sum()) if len(counts) else 0.0


def few_sources(source_ids: ArrayLike, where: str = "") -> Finding | None:
    """A warning where each effective source serves more than ten times; None where there are enough."""
    count, unique = len(np.asarray(source_ids)), len(np.unique(np.asarray(source_ids)))
    effective = effective_sources(source_ids)
    if not count or count <= OFTEN * effective:
        return None
    return Finding(
        "few-sources", "warning",
        f"{unique:,} unique sources ({effective:.0f} effective) serve {count:,} synthesized examples, "
        f"{count / effective:,.0f} times each: a network may learn them by heart", where=where,
        remedy="Collect more different sources, or synthesize fewer examples.",
    )


def synthesize(data: Dataset, sources: Dataset, mix: Mix, *, copies: int = 1, seed: int = 0) -> Synthesized:
    """Each example mixed with sources drawn in turn, so that all serve equally often.

    data:    with one column of pictures in memory, or one block of numbers (a signal for each example).
    sources: with one such column: backgrounds of the same size, noises of at least the same length.
    mix:     what makes one of two, e.g. `lambda clean, source, random: blend(clean, source, 0.4)`.
    copies:  so many of each clean example, each with another source where there are as many.
    DataError: no such column, or a mix that gives another shape.
    """
    if copies < 1 or not len(sources):
        raise DataError(f"{copies} copies from {len(sources)} sources", where=data.name,
                        remedy="Give at least one of each.")
    random, name = np.random.default_rng(seed), _signal_name(data)
    rows = np.repeat(np.arange(len(data)), copies)
    drawn = _in_turn(len(rows), len(sources), random)
    clean, noise = _values(data, name)[rows], _values(sources, _signal_name(sources))[drawn]
    made = mix(clean, noise, random)
    if made.shape != clean.shape:
        raise DataError(f"the mix gives {made.shape} for {clean.shape}", where=data.name,
                        remedy="Let it give one example for each, of the same shape.")
    clean_ids, source_ids = data.ids[rows], sources.ids[drawn]
    mixed = ImageColumn(made) if isinstance(data.columns[name], ImageColumn) else NumberColumn(made, _names(data, name))
    columns = {each: column.take(rows) for each, column in data.columns.items() if each != name}
    warning = few_sources(source_ids, data.name)
    result = Dataset(
        data.name, {each: mixed if each == name else columns[each] for each in data.columns}, data.target,
        np.array([f"{each}~{number}" for each, number in zip(clean_ids, 1 + np.arange(len(rows)) % copies)]),
        group=clean_ids if data.group is None else data.group[rows], source=np.full(len(rows), "synthetic"),
        weight=None if data.weight is None else data.weight[rows], card=data.card,
        findings=(*data.findings, *([warning] if warning else [])),
    )
    return Synthesized(result, clean_ids, source_ids)


def _in_turn(count: int, sources: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Each source once before any serves again, in a new order each time."""
    rounds = -(-count // sources)
    return np.concatenate([random.permutation(sources) for _ in range(rounds)])[:count]


def _signal_name(data: Dataset) -> str:
    fitting = [
        name for name, column in data.inputs.items()
        if (isinstance(column, ImageColumn) and column.pixels is not None)
        or (isinstance(column, NumberColumn) and column.width > 1)
    ]
    if len(fitting) != 1:
        raise DataError(f"{len(fitting)} columns hold pictures in memory or signals, one is needed", where=data.name,
                        remedy="Keep one such column; picture files are brought into memory by og.read of an array.")
    return fitting[0]


def _values(data: Dataset, name: str) -> NDArray:
    column = data.columns[name]
    return np.asarray(column.pixels if isinstance(column, ImageColumn) else column.values)  # type: ignore[attr-defined]


def _names(data: Dataset, name: str) -> tuple[str, ...]:
    column = data.columns[name]
    return column.names if isinstance(column, NumberColumn) else ()
