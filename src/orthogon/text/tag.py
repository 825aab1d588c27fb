"""A tag for each word of a sentence: parts of speech, entities (rows 24.08, 24.26)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.dataset import Dataset
from orthogon.data.tag_schemes import scheme_of, transitions
from orthogon.data.text_columns import TagsColumn, TokensColumn
from orthogon.errors import DataError, RecipeError
from orthogon.nn.crf import NO_TAG, Allowed, Chain, constrained, log_likelihood, partial_log_likelihood, viterbi
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import ModelSpec
from orthogon.tasks.encoded import wide
from orthogon.tasks.metrics import mean_metric
from orthogon.tasks.supervised import Supervised
from orthogon.text.entities import EntityReader, entities, entity_metrics
from orthogon.train.randomness import Draw
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part


class Truth(NamedTuple):
    """The tags of a batch. codes: int64 N×T, 0 where nothing is known. known: bool N×T."""

    codes: Tensor
    known: Tensor


class Tag(Supervised):
    """The target is a tag for each word; the model gives N×T×K outputs, or with a CRF a `Chain` of them.

    names: the K tags, as the column has them. scheme: by which they mark entities, "" where they mark none.
    The loss is cross-entropy at each word, or −log probability of the whole sentence by a linear-chain CRF
    (`task.loss`), of all that it may be where some of its tags are not known; both are means over words. A CRF, in
    training and prediction, gives no probability to what the scheme forbids. In rows, the loss and the score (the share
    of words that are tagged right) are means over the words of a sentence, "weight" is the number of these, so that
    intervals are over sentences, within which words are not independent; target and prediction are the tags as a text.
    Of entities, "correct", "guessed" and "gold" (n, types) count those of each type, as conlleval does.
    """

    name = "tag"
    transfer = "all"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refuse("task.class_weights", "has no weights of classes", "Weigh sentences instead: data.weight.")
        self._chosen_loss(("cross_entropy", "crf"))
        self.names: tuple[str, ...] = ()
        self.scheme = ""
        self._allowed: Allowed | None = None

    # --- the target ------------------------------------------------------------------------------------------

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        column = _tags_of(data)
        if len(column.levels) < 2:
            raise DataError(f"all words carry one tag, {column.levels[0]!r}" if column.levels else "no tag is known",
                            where=f"{data.name}: column {data.target!r}", remedy="Choose another target.")
        # A scheme is a format, as the names are, and no row may hold what the others seemed to forbid.
        found = scheme_of(column.levels, column.codes, column.lengths)
        self.names, self.scheme = column.levels, found.name
        self._allow(bool(found.name) and not len(found.faults))  # what the data itself breaks is not forbidden
        if self.chained:
            self._refuse("task.label_smoothing", "with a CRF judges whole sentences: no tag is smoothed by itself",
                         "Leave it out, or judge each word alone: --set task.loss=cross_entropy")

    def _allow(self, as_scheme: bool) -> None:
        self._allowed = None
        if as_scheme:
            between, start, end = (torch.from_numpy(part) for part in transitions(self.names, self.scheme))
            self._allowed = Allowed(between, start, end)

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        """Int64 N×T, −1 behind the end and where the tag is not known."""
        column = _tags_of(data)
        if strange := [level for level in column.levels if level not in self.names]:
            raise DataError(f"the tag {strange[0]!r} is not one that the network was trained on", where=data.name,
                            remedy=f"It knows {', '.join(self.names)}.")
        words = next(each for each in data.columns.values() if isinstance(each, TokensColumn))
        unlike = np.flatnonzero((words.lengths != column.lengths) & ~column.missing())
        if len(unlike):
            row = int(unlike[0])
            raise DataError(f"{column.lengths[row]} tags for {words.lengths[row]} words",
                            where=f"{data.name}: id {data.ids[row]}", remedy="Give one tag for each word.")
        codes = np.array([*(self.names.index(level) for level in column.levels), NO_TAG])
        return torch.from_numpy(codes[column.padded(max(1, int(words.lengths.max(initial=1))))]).to(device)

    def _outputs(self) -> int:
        return len(self.names)

    @property
    def chained(self) -> bool:
        """Whether a CRF is learnt: as the recipe says, else where tags mark entities."""
        return (self.settings.loss or ("crf" if self.scheme else "cross_entropy")) == "crf"

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(self.inputs.specs(), self._outputs(), chained=self.chained)

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Objects of str (n,): the tags of each sentence, with blanks between."""
        return self._texts(super().targets(rows), rows)

    def _texts(self, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Of N×T codes, one tag for each word of those rows; "_" where it is not known."""
        names = np.array([*self.names, "_"], dtype=object)
        words = lengths_of(self.inputs.stored[0][torch.as_tensor(rows, device=self.inputs.device)]).tolist()
        found = np.empty(len(codes), dtype=object)
        for row, (line, count) in enumerate(zip(names[codes], words)):
            found[row] = " ".join(line[:count])
        return found

    # --- in the loop -----------------------------------------------------------------------------------------

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "tagger", {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """AdamW under one cycle, in batches of 32 sentences, of a few thousand of 16: entities are rare, and are learnt
        late."""
        few = rows <= 8_000
        return {**super().default_settings(rows), "epochs": 30 if few else 10,
                "batch_size": min(16 if few else 32, max(1, rows)), "lr": 5e-3,
                "weight_decay": 0.01, "clip_norm": 5.0}

    def check_output(self, output: Any) -> None:
        """A value for each word and tag; of a CRF with what follows what."""
        found = output.emissions if isinstance(output, Chain) else output
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if isinstance(output, Chain) != self.chained or not isinstance(shape, tuple) or len(shape) != 3 or (
                shape[2] != len(self.names)):
            wanted = "an orthogon.nn.crf.Chain of N×T×" if self.chained else "N×T×"
            raise RecipeError(f"the model gives {type(output).__name__} {shape}, tag needs {wanted}{len(self.names)}",
                              where="model", remedy="Take a model that tags words: --model tagger")

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        found = super().batch(rows, draw)
        if found.target is None:
            return found
        codes = found.target[:, : found.inputs[0].shape[1]]
        return found._replace(target=Truth(codes.clamp(min=0), codes >= 0))

    def counts(self, batch: Batch) -> dict[str, float]:
        """Words whose tags are known, by the weights of their sentences."""
        return {"loss": float(self._words(batch).sum())}

    @staticmethod
    def _words(batch: Batch) -> Tensor:
        words = batch.target.known.sum(1)
        return words if batch.weight is None else words * batch.weight

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        losses = self._losses(self._said(model, batch), batch)
        total = losses.sum() if batch.weight is None else torch.dot(losses, batch.weight.to(losses.dtype))
        return Loss((Part("loss", 1.0, total, self.counts(batch)["loss"]),))

    def _said(self, model: nn.Module, batch: Batch) -> Chain | Tensor:
        """What the model gives, in float32 or float64; of a CRF as the scheme allows it."""
        output = model(*batch.inputs)
        if not isinstance(output, Chain):
            return wide(output)
        chain = Chain(*map(wide, output))
        if self._allowed is None:
            return chain
        return constrained(chain, Allowed(*(part.to(chain.emissions.device) for part in self._allowed)))

    def _losses(self, said: Chain | Tensor, batch: Batch) -> Tensor:
        """(n,): the loss of each sentence, a sum over its words."""
        codes, known = batch.target
        if isinstance(said, Chain):
            words = lengths_of(batch.inputs[0]).clamp(min=1)
            if bool((known.sum(1) == words).all()):
                return -log_likelihood(said, codes, words)
            return -partial_log_likelihood(said, codes, known, words)  # two passes forward, not one
        smoothing = self.settings.label_smoothing
        each = F.cross_entropy(said.transpose(1, 2), codes, reduction="none", label_smoothing=smoothing)
        return each.masked_fill(~known, 0).sum(1)

    # --- after it --------------------------------------------------------------------------------------------

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """"codes" int16 N×T of the data, which `together` turns into "prediction"; with a target also "loss", "score",
        "words" (whose tags are known), "weight", and of entities "correct", "guessed", "gold"."""
        said = self._said(model, batch)
        return self.judged(self._likeliest(said, batch), None if batch.target is None else self._losses(said, batch),
                           batch)

    @staticmethod
    def _likeliest(said: Chain | Tensor, batch: Batch) -> Tensor:
        """Int64 N×T, −1 behind the end."""
        if isinstance(said, Chain):
            return viterbi(said, lengths_of(batch.inputs[0]).clamp(min=1))[0]
        return said.argmax(2).masked_fill(batch.inputs[0] == 0, NO_TAG)

    def judged(self, predicted: Tensor, losses: Tensor | None, batch: Batch) -> dict[str, Tensor]:
        """Results of tags int64 N×T, and of the losses (n,), sums over words."""
        whole = self.inputs.stored[0].shape[1] - predicted.shape[1]
        found = {"codes": F.pad(predicted, (0, whole), value=NO_TAG).to(torch.int16)}
        if losses is None:
            return self._with_weight(found, batch)
        codes, known = batch.target
        words = known.sum(1)
        found["loss"] = (losses / words).float()
        found["score"] = ((predicted == codes) & known).sum(1) / words
        found["words"] = words
        weight = self._with_weight({}, batch).get("weight")
        found["weight"] = words.float() if weight is None else words * weight
        if self.scheme:
            counted = self._reader().counts(predicted, codes.masked_fill(~known, NO_TAG))
            found |= {name: count if weight is None else count * weight.unsqueeze(1)
                      for name, count in counted.items()}
        return found

    def _reader(self) -> EntityReader:
        return EntityReader(self.names)

    def together(self, results: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
        """With the codes as texts."""
        return {"prediction": self._texts(results.pop("codes").astype(np.int64), rows), **results}

    def _metrics(self) -> tuple[Metric, ...]:
        """Of entities F1 first; else the share of words that are tagged right."""
        return (*entity_metrics(self._reader().types), *word_metrics()) if self.scheme else word_metrics()

    @property
    def compared_by(self) -> Metric:
        return self.metrics[0]

    def baselines(self) -> list[Baseline]:
        from orthogon.text.tag_baseline import CommonestTag

        return [CommonestTag()]

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"tags": one for each word} per sentence, and "entities": [type, first word, last word], from 0."""
        lines = [str(line).split(" ") for line in results["prediction"]]
        if not self.scheme:
            return [{"tags": tags} for tags in lines]
        return [{"tags": tags, "entities": [[found.type, found.start, found.end - 1] for found in entities(tags)]}
                for tags in lines]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "names": list(self.names), "scheme": self.scheme,
                "constrained": self._allowed is not None}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.names, self.scheme = tuple(state["names"]), state["scheme"]
        self._allow(state["constrained"])


def word_metrics() -> tuple[Metric, ...]:
    """Of the words of all sentences, with intervals over sentences."""
    return (mean_metric("token_accuracy", lambda rows: rows["score"], "rate"),
            mean_metric("cross_entropy", lambda rows: rows["loss"], "nats", False))


def _tags_of(data: Dataset) -> TagsColumn:
    column = data.target_column()
    if not isinstance(column, TagsColumn):
        raise DataError(f"the target is of kind {column.kind}, not tags of words",
                        where=f"{data.name}: column {data.target!r}", remedy="Give a CoNLL file.")
    return column
