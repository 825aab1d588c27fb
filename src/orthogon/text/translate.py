"""One text into another: translation, normalization, spelling out; learnt from pairs, written by beam search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.changes import Changes
from orthogon.data.columns import CategoryColumn, Column, TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.text_encoder import TextEncoder
from orthogon.errors import DataError, RecipeError
from orthogon.nn.beam import Hypotheses, search
from orthogon.nn.beam_spec import BeamSpec
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import BEGIN, END, PAD, UNKNOWN, ModelSpec
from orthogon.tasks.encoded import Encoded, wide
from orthogon.train.rows import Rows
from orthogon.train.sampler import Bucketed, Sampler
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part, Sheet

if TYPE_CHECKING:
    from orthogon.text.encoder_decoder import EncoderDecoder
    from orthogon.train.searched import Searched


class Translate(Encoded):
    """The target is a text, the input one text column (rows 24.09, 25.10, 28.01 to 28.17).

    Tokens left open: characters where no target holds a blank (dates, names), else byte-pair subwords; each side has a
    vocabulary of its own unless `data.joint` is set. The network is given the source and the true tokens before each
    step; the loss is the cross-entropy over all tokens of the batch, END included, smoothed as the recipe says.
    Results are written freely: by beam search (`task.beam`, `task.length_exponent`), greedily while training is looked
    at. Rows hold the texts, both as they can be written: without blanks around them, in lower case where targets are
    learnt so. "loss" is the mean over the example's true tokens, of which there are "tokens"; "score" is
    1 where the text is exactly right; "objective" and "reference_objective" are what the search compares, of what was
    written ("written_tokens") and of the truth, −∞ where the search could not write it; "finished" is 0 where the
    network came to no end, and the best beginning stands.
    A target with more than `data.max_tokens` tokens is not learnt from, and said. Pairs of one source stay together.
    """

    name = "translate"
    lowercase = False
    roomy = True
    feeds_target = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chosen_loss(("cross_entropy",))
        self._refuse("task.class_weights", "has no classes to weigh", "Weigh examples instead: data.weight.")
        for knob in ("data.stop_words", "data.lemmas"):
            self._refuse(knob, "reads and writes texts as they stand, every word of them", "Leave it out.")
        self.beam = BeamSpec(width=self.settings.beam, exponent=self.settings.length_exponent)
        self.target_name = ""
        self._encoder: TextEncoder | None = None
        self._target: Tensor | None = None
        self._too_long = torch.zeros(0, dtype=torch.bool)
        self._sources: Column | None = None
        self._truth: Column | None = None

    # --- before the loop -------------------------------------------------------------------------------------

    @classmethod
    def grouped(cls, data: Dataset) -> Dataset:
        """By source, so that nothing that is translated in dev or test was seen in train with another translation."""
        sources = [column for column in data.inputs.values() if isinstance(column, TextColumn)]
        if data.group is not None or len(sources) != 1:
            return data
        # Digests: an array of the texts themselves would give each as much room as the longest takes.
        texts = (sources[0].cell(row).strip().encode() for row in range(len(data)))
        groups = np.array([blake2b(text, digest_size=8).hexdigest() for text in texts], dtype=np.str_)
        several = len(groups) - len(np.unique(groups))
        note = Finding("grouped-by-source", "note", f"{several:,} of {len(groups):,} pairs have a source that occurs "
                       "before; pairs of one source stay in one part", where=data.name)
        return replace(data, group=groups, findings=(*data.findings, *([note] if several else [])))

    def check(self, data: Dataset) -> list[Finding]:
        found, many = super().check(data), int(self._too_long.sum())
        if many and self._encoder is not None:
            row = int(self._too_long.int().argmax())
            found.append(Finding("long-target", "warning", f"{many:,} of {len(data):,} targets have more than "
                                 f"{self._encoder.most - 2:,} tokens; those in train are not learnt from",
                                 where=f"{data.name}: id {data.ids[row]}", column=self.target_name,
                                 remedy="Raise data.max_tokens."))
        return found

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        rows, column = np.asarray(rows), data.target_column()
        if not isinstance(column, TextColumn):
            raise DataError(f"the target is of kind {column.kind}, not a text", where=f"{data.name}: {data.target}",
                            remedy=f"--set 'data.types={{{data.target}: text}}'")
        self.target_name = str(data.target)
        if self.inputs.settings.tokens is None:
            blank = any(" " in column.cell(int(row)).strip() for row in rows)
            self.inputs.settings = self.inputs.settings.model_copy(update={"tokens": "bpe" if blank else "character"})
        super().fit(data, rows)
        if self.inputs.kinds != ("text",):
            raise DataError(f"translate reads one text; there are {', '.join(self.inputs.kinds)}", where=data.name,
                            remedy="Leave columns out: --set 'data.types={NAME: ignore}'")
        settings, source = self.inputs.settings, self.reader.columns[0]
        self._encoder = TextEncoder.fitted(self.target_name, data, rows, settings, begin=True, end=True,
                                           beside=[source] if settings.joint else [])
        if settings.joint:
            self.inputs.encoders = [TextEncoder.fitted(source, data, rows, settings, beside=[self.target_name],
                                                       roomy=True)]

    def attach(self, data: Dataset, device: torch.device) -> None:
        super().attach(data, device)
        self._sources = data.columns[self.reader.columns[0]]
        self._truth = data.columns.get(self.target_name)
        if isinstance(self._truth, CategoryColumn) or self._truth is None or self._truth.missing().all():
            self._truth, self._target, self._too_long = None, None, torch.zeros(len(data), dtype=torch.bool)
            return
        roomy = copy(self.encoder)
        roomy.most += 1  # what fills this place as well is too long
        stored = roomy.encode(data)
        self._too_long = (lengths_of(stored) > self.encoder.most).to(device)
        self._target = stored[:, : self.encoder.most].to(device)

    @property
    def reader(self) -> TextEncoder:
        """Of the source. After `fit`."""
        reader = self.inputs.encoders[0]
        assert isinstance(reader, TextEncoder)  # noqa: S101 - `fit` has refused all else
        return reader

    @property
    def encoder(self) -> TextEncoder:
        """Of the target. After `fit`."""
        assert self._encoder is not None  # noqa: S101 - see above
        return self._encoder

    @property
    def characters(self) -> bool:
        """Whether the target is written letter by letter: then an answer is right or wrong."""
        return self.encoder.tokenizer.name == "character"

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec((*self.inputs.specs(), self.encoder.input_spec()), self._outputs())

    @property
    def vocabularies(self) -> tuple[tuple[str, ...], ...]:
        """Of the source, and of the target."""
        return (*super().vocabularies, self.encoder.vocabulary.words)

    def _outputs(self) -> int:
        return len(self.encoder.vocabulary)

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "encoder_decoder", {"embedding": 64, "hidden": 128} if self.characters else {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """AdamW under one cycle; gradients through many steps are clipped."""
        epochs = max(6, min(40, 100_000 // max(1, rows)))
        return {**super().default_settings(rows), "epochs": epochs, "batch_size": min(64, max(1, rows)), "lr": 2e-3,
                "clip_norm": 1.0}

    def sampler(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device) -> Sampler:
        """Pairs of like length together, without those whose target is too long."""
        kept = np.asarray(rows)[~self._too_long.cpu().numpy()[rows]]
        if not len(kept):
            raise DataError("every target in train is too long to be learnt from", where=self.target_name,
                            remedy="Raise data.max_tokens.")
        assert self._target is not None  # noqa: S101 - it is learnt from
        lengths = (lengths_of(self.inputs.stored[0]) + lengths_of(self._target)).cpu().numpy()
        return Bucketed(kept, lengths[kept], batch_size, seed, device)

    def check_output(self, output: Any) -> None:
        found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if not isinstance(output, Tensor) or output.ndim != 3 or output.shape[2] != self._outputs():
            raise RecipeError(f"the model gives {found}, translate needs (examples, steps, {self._outputs()}): a score "
                              "for each token of the target", where="model", remedy="Take encoder_decoder.")

    def baselines(self) -> list[Baseline]:
        from orthogon.text.translation_memory import TranslationMemory

        return [TranslationMemory()]

    # --- in the loop -----------------------------------------------------------------------------------------

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        """inputs: the source, and the target before each step; target: the token of each step, `PAD` behind END."""
        weight = None if self._example_weight is None else self._example_weight.index_select(0, rows)
        inputs = self.inputs.gather(rows, changes)
        if self._target is None:
            return Batch(inputs, None, weight, rows)
        target = self.encoder.prepare(self._target.index_select(0, rows))
        return Batch((*inputs, target[:, :-1]), target[:, 1:], weight, rows)

    def counts(self, batch: Batch) -> dict[str, float]:
        tokens = lengths_of(batch.target)
        return {"loss": float(tokens.sum() if batch.weight is None else torch.dot(tokens.float(), batch.weight))}

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        each = _by_token(wide(model(*batch.inputs)), batch.target, self.settings.label_smoothing).sum(1)
        total = each.sum() if batch.weight is None else torch.dot(each, batch.weight.to(each.dtype))
        return Loss((Part("loss", 1.0, total, self.counts(batch)["loss"]),))

    # --- after it --------------------------------------------------------------------------------------------

    @property
    def most_at_once(self) -> int:
        return max(16, 512 // self.beam.width)

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return self._results(model, batch, self.beam)

    def glance(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return self._results(model, batch, replace(self.beam, width=1))

    def _results(self, model: nn.Module, batch: Batch, spec: BeamSpec) -> dict[str, Tensor]:
        written = self.translated(model, batch.inputs[0], spec, wanted=1)
        found = {"ids": F.pad(written.ids[:, 0], (0, self.encoder.most - written.ids.shape[2])),
                 "objective": written.scores[:, 0],
                 "written_tokens": written.lengths[:, 0], "finished": written.finished[:, 0].float()}
        if batch.target is not None:
            found |= self.teacher_forced(model, batch, spec)
        return self._with_weight(found, batch)

    def teacher_forced(self, model: nn.Module, batch: Batch, spec: BeamSpec) -> dict[str, Tensor]:
        """What the model says of the truth: "loss", "tokens", "reference_objective"."""
        losses = _by_token(model(*batch.inputs).float(), batch.target).sum(1)
        tokens = lengths_of(batch.target)
        never = (batch.target == UNKNOWN).any(1) | self._too_long.index_select(0, batch.rows)
        return {"loss": losses / tokens, "tokens": tokens,
                "reference_objective": spec.score(-losses, tokens).masked_fill(never, -torch.inf)}

    def translated(self, model: nn.Module, source: Tensor, spec: BeamSpec, wanted: int | None = None,
                   keep_attention: bool = False) -> Hypotheses:
        """The n best texts of each source, N×S. wanted: how many of these for certain, all where left out;
        keep_attention: both as of `search`."""
        if not (hasattr(model, "start") and hasattr(model, "step")):
            raise RecipeError(f"{type(model).__name__} cannot write token by token", where="model", remedy="Take "
                              "encoder_decoder, or give yours the methods start and step of it.")
        begin, network = torch.full((len(source),), BEGIN, device=source.device), cast("EncoderDecoder", model)
        return search(network.step, network.start(source), begin, END, self.encoder.most - 1, spec,
                      banned=(PAD, UNKNOWN, BEGIN), present=source != PAD, wanted=wanted,
                      keep_attention=keep_attention)

    def together(self, results: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
        """The ids that were written as texts, judged."""
        written = [self.encoder.text(ids) for ids in results.pop("ids").tolist()]
        return {**results, **self.judged(written, rows)}

    def plain(self, text: str) -> str:
        """A text as it is judged, be it written or the truth: without blanks around it, and in lower case where targets
        are learnt in lower case, since nothing else can then be written."""
        return text.strip().lower() if self.encoder.lowercase else text.strip()

    def judged(self, written: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
        """Texts for those rows as results: "prediction", and what metrics take where the truth is known."""
        written = [self.plain(text) for text in written]
        found = {"prediction": np.array(written, dtype=object)}
        if self._truth is None:
            return found
        from orthogon.text.translation_metrics import sentence_counts

        truth = self.targets(rows)
        words = [len(text.split()) for text in self.sources(rows)]
        return {**found, "score": (found["prediction"] == truth).astype(np.float32),
                "source_words": np.array(words, dtype=np.int64), **sentence_counts(written, truth.tolist())}

    def mean_loss(self, rows: Rows) -> float:
        """Over tokens, as in training; what is written is judged text by text."""
        weight = rows.get("weight")
        tokens = rows["tokens"] if weight is None else rows["tokens"] * weight
        return super().mean_loss(replace(rows, values={**rows.values, "weight": tokens}))

    def sources(self, rows: np.ndarray) -> list[str]:
        """The texts to translate, of those rows of the attached data."""
        assert self._sources is not None  # noqa: S101 - attached
        return [str(self._sources.cell(int(row))) for row in rows]

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Objects of str (n,), `plain`; DataError where there are none to compare with."""
        if self._truth is None:
            raise DataError("there is no target to compare with", where=self.target_name,
                            remedy=f"Give data with a column {self.target_name!r}.")
        return np.array([self.plain(self._truth.cell(int(row))) for row in rows], dtype=object)

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.text.translation_metrics import translation_metrics

        return translation_metrics(exact_first=self.characters, lowercase=self.encoder.lowercase)

    @property
    def compared_by(self) -> Metric | None:
        judge = self.metrics[0]
        return None if judge.name == "exact_match" else judge

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"text"} per example, with notes where it did not come to an end."""
        cut = "the network came to no end: this is its best beginning"
        return [{"text": str(text)} if finished else {"text": str(text), "notes": [cut]}
                for text, finished in zip(results["prediction"], results["finished"])]

    def searched(self, model: nn.Module, rows: np.ndarray, wide: int) -> Searched:
        from orthogon.text.translation_blame import searched

        return searched(self, model, rows, wide)

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        from orthogon.text.translation_sheets import sheets

        return sheets(self, model, rows)

    # --- to ship it ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "target": self.target_name, "encoder": self.encoder.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.target_name, self._encoder = state["target"], TextEncoder.from_state(state["encoder"])


def _by_token(scores: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """N×T cross-entropies, 0 at padding. scores: N×T×V, or N×V: the same at every step."""
    if scores.ndim == 2:
        scores = scores.unsqueeze(1).expand(*target.shape, -1)
    return F.cross_entropy(scores.flatten(0, 1), target.flatten(), ignore_index=PAD, reduction="none",
                           label_smoothing=smoothing).view(target.shape)
