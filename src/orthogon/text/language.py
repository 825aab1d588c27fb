"""Language models: the probability of a text, token by token (area 25)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.running_text import RunningText
from orthogon.data.text_encoder import TextEncoder
from orthogon.errors import DataError, RecipeError
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import BEGIN, END, FIRST_TOKEN, PAD, UNKNOWN
from orthogon.tasks.encoded import wide
from orthogon.tasks.unlabelled import Unlabelled
from orthogon.train.sampler import Bucketed, Sampler, Streams
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part, Sheet

STEPS = {True: 128, False: 35}
"""Tokens after which back-propagation is truncated, where no other number is asked for: of characters, of words."""


class Language(Unlabelled):
    """What the next token is, from all before it.

    Examples are sequences of their own (names, sentences), between the marks of begin and end, and the mark of the end
    is predicted like any token. Or they are blocks of running text (`data.running`): training then reads it in parallel
    streams and carries the state from batch to batch, detached (truncated back-propagation, row 24.05).

    How it is evaluated: a row is a sequence or a block. Of a block every token counts once; before it the network reads
    the token in front of it, from which its first one is predicted, and `task.context` tokens before that, none of
    which count, so that no row depends on which others are evaluated with it. The first token of a text is predicted
    from the end of a line, of a sequence from its begin.
    Rows hold "loss", the mean over their tokens in nats, of which the prediction is no other; "weight", their number of
    tokens, the mark of the end included; "unknown", the share of tokens that the vocabulary lacks, each of which is
    predicted as that, and "characters".
    A model of any sort gives N×T×V logits for ids N×T; one that `tells_costs` may carry a state and spare logits.
    """

    name = "language"
    tokens = "character"
    lowercase = False
    marks = True
    roomy = True
    legend = "Samples are drawn token by token from what the network says comes next."
    put_to_use = "write {run}"

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        self._chosen_loss(("cross_entropy",))
        self._refuse("task.class_weights", "has no classes to weigh", "Weigh examples instead: data.weight.")
        self._refuse("task.label_smoothing", "does not smooth what comes next", "Leave it out.")
        for knob in ("data.stop_words", "data.lemmas"):
            self._refuse(knob, "tells the probability of texts as they stand, every word of them", "Leave it out.")
        self.running = False
        self._places: np.ndarray = np.zeros(0, dtype=np.int64)
        self._characters = torch.zeros(0)

    # --- before the loop -------------------------------------------------------------------------------------

    def check(self, data: Dataset) -> list[Finding]:
        found, column = super().check(data), _text_column(data)
        empty = 0 if column is None or isinstance(column, RunningText) else sum(not value for value in column.values)
        if empty:
            found.append(Finding(
                "empty-text", "warning", f"{empty:,} of {len(data):,} texts are empty: each is the mark of the end "
                "alone", where=data.name, remedy="Of running text, such as a book: --set data.running=true"))
        return found

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        super().fit(data, rows)
        self.only_input(("text",))
        self.running = isinstance(_text_column(data), RunningText)
        if len(self.encoder.vocabulary) < FIRST_TOKEN + 2:
            only = self.encoder.vocabulary.words[0]
            raise DataError(f"train holds one token only, {only!r}: there is nothing to learn", where=data.name,
                            remedy="Give another text, or split it otherwise: --set data.tokens=character")

    @property
    def encoder(self) -> TextEncoder:
        """Tokens and vocabulary. After `fit`."""
        encoder = self.inputs.encoders[0]
        assert isinstance(encoder, TextEncoder)  # noqa: S101 - `only_input` has refused all else
        return encoder

    @property
    def opening(self) -> int:
        """What stands before the first token of a text: the begin of a sequence, the end of a line of running text."""
        lines = self.encoder.vocabulary.ids(["\n"])[0]
        return lines if self.running and lines != UNKNOWN else BEGIN

    def attach(self, data: Dataset, device: torch.device) -> None:
        super().attach(data, device)
        stored, column = self.inputs.stored[0], data.columns[self.encoder.columns[0]]
        lengths = lengths_of(stored).cpu().numpy()
        follows = column.follows if isinstance(column, RunningText) else np.zeros(len(data), dtype=bool)
        self._before = _tokens_before(lengths, follows) if self.running else np.zeros(len(data), dtype=np.int64)
        self._ends = np.cumsum(lengths)
        self._characters = torch.tensor(
            [self._characters_read(column.cell(row), full) for row, full in enumerate(lengths >= self.encoder.most)],
            dtype=torch.float32, device=device)

    def _characters_read(self, text: str, full: bool) -> int:
        """Characters of the text as far as it is read, the mark of the end being one; in a text that is cut, an unknown
        token is one. full: whether it fills its row, so that it may have been cut."""
        encoder = self.encoder
        room = encoder.most - encoder.begin - encoder.end
        if full and len(ids := self.ids(text)) > room:
            read = zip(ids, encoder.vocabulary.tokens(ids[:room]))
            text = encoder.tokenizer.join(["x" if id == UNKNOWN else token for id, token in read])
        return len(text) + encoder.end

    def _outputs(self) -> int:
        return len(self.encoder.vocabulary)

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "language_rnn", {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """Adam under one cycle, with gradients clipped. Streams: 64."""
        batch = 64 if self.running else min(128, max(1, rows))
        return {"optimizer": "adamw", "schedule": "one_cycle", "epochs": 20, "batch_size": batch, "lr": 3e-3,
                "weight_decay": 0.01, "clip_norm": 1.0}

    def baselines(self) -> list[Baseline]:
        from orthogon.text.language_baselines import NGram, Unigram

        return [Unigram(), NGram(6 if self.encoder.tokenizer.name == "character" else 3)]

    def sampler(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device) -> Sampler:
        """Parallel streams of running text; else sequences of like length together."""
        stored = self.inputs.stored[0]
        lengths = lengths_of(stored).cpu().numpy()[rows]
        if not self.running:
            return Bucketed(rows, lengths, batch_size, seed, device)
        order = np.argsort(rows, kind="stable")
        steps = self.settings.truncation or STEPS[self.encoder.tokenizer.subwords]
        return Streams(np.asarray(rows)[order], lengths[order], stored.shape[1], batch_size, steps, device)

    def check_output(self, output: Any) -> None:
        """N×T×V."""
        if not isinstance(output, Tensor) or output.ndim != 3 or output.shape[2] != self._outputs():
            found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise RecipeError(f"the model gives {found}; the next of {self._outputs()} tokens takes as many logits for "
                              "each token", where="model", remedy="Take language_rnn, or give N×T×V for ids N×T.")

    # --- in the loop -----------------------------------------------------------------------------------------

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        """inputs: ids N×T. target: the next ids N×T, `PAD` where nothing counts: behind the end, and in the context.

        rows: of the data; or the places of tokens that `Streams` gives.
        """
        stored = self.inputs.stored[0]
        if rows.ndim == 2:
            ids = stored.flatten()[rows].long()
            return Batch((ids[:, :-1],), ids[:, 1:], None, rows[:, 0] // stored.shape[1])
        weight = None if self._example_weight is None else self._example_weight.index_select(0, rows)
        if not self.running:
            ids = self.encoder.prepare(stored.index_select(0, rows))
            return Batch((ids[:, :-1],), ids[:, 1:], weight, rows)
        ids, target = self._with_context(rows)
        return Batch((ids,), target, weight, rows)

    def _with_context(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks with what stands before them in their text, shifted by one; the opening before its first token."""
        stored, at = self.inputs.stored[0], rows.cpu().numpy()
        context = np.minimum(self._before[at], self.settings.context + 1)  # the first one is predicted from the last
        own = self._ends[at] - np.concatenate([[0], self._ends])[at]
        first = self._ends[at] - own - context  # the place of the first token that is read, of all tokens in a row
        opened = context == 0
        read = own + context - 1 + opened  # inputs: all but the last token, the opening where nothing stands before
        step = np.arange(read.max())
        place = first[:, None] + step - opened[:, None]
        there = step < read[:, None]
        ids = self._tokens_at(np.where(there, np.maximum(place, 0), 0))
        ids[:, 0][torch.as_tensor(opened)] = self.opening
        target = self._tokens_at(np.where(there, np.minimum(place + 1, self._ends[-1] - 1), 0))
        counts = there & (place + 1 >= (self._ends[at] - own)[:, None])
        pad = torch.as_tensor(~there)
        ids[pad], target[torch.as_tensor(~counts)] = PAD, PAD
        return ids.to(stored.device), target.to(stored.device)

    def _tokens_at(self, place: np.ndarray) -> Tensor:
        """The tokens at those places of all rows one after the other."""
        stored = self.inputs.stored[0]
        row = np.searchsorted(self._ends, place, side="right")
        start = np.concatenate([[0], self._ends])[row]
        flat = torch.as_tensor(row * stored.shape[1] + place - start, device=stored.device)
        return stored.flatten()[flat].long().cpu()

    def counts(self, batch: Batch) -> dict[str, float]:
        known = (batch.target != PAD).sum(1)
        return {"loss": float(known.sum() if batch.weight is None else (known * batch.weight).sum())}

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        costs, state = self.costs(model, batch, carried)
        total = costs.sum() if batch.weight is None else torch.dot(costs, self._weight_of_tokens(batch))
        return Loss((Part("loss", 1.0, total, self.counts(batch)["loss"]),), _detached(state) if self.running else None)

    def costs(self, model: nn.Module, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        """−log p of each token that counts (M,), in nats, in the order of rows and steps; and the state afterwards."""
        if getattr(getattr(model, "module", model), "tells_costs", False):
            return model(batch.inputs[0], batch.target, state)
        logits, known = wide(model(batch.inputs[0])), batch.target != PAD
        logits = logits.unsqueeze(1).expand(*known.shape, -1) if logits.ndim == 2 else logits
        return F.cross_entropy(logits[known], batch.target[known], reduction="none"), None

    def _weight_of_tokens(self, batch: Batch) -> Tensor:
        assert batch.weight is not None  # noqa: S101 - asked for where there is one
        return batch.weight.unsqueeze(1).expand(batch.target.shape)[batch.target != PAD]

    # --- after it --------------------------------------------------------------------------------------------

    @property
    def most_at_once(self) -> int:
        return 256

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return self.as_results(self.costs(model, batch)[0], batch)

    def as_results(self, costs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Per-row results from −log p of each token that counts."""
        known = batch.target != PAD
        each = torch.zeros(known.shape, dtype=torch.float64, device=costs.device)
        each[known] = costs.double()
        tokens = known.sum(1)
        unknown = (batch.target == UNKNOWN).sum(1) / tokens
        nats = (each.sum(1) / tokens).float()
        weight = tokens.float() if batch.weight is None else tokens * batch.weight
        return {"prediction": nats, "loss": nats, "weight": weight, "tokens": tokens.float(), "unknown": unknown,
                "characters": self._characters.index_select(0, batch.rows)}

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.text.language_metrics import language_metrics

        return language_metrics()

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"log_probability": of the whole text, "tokens": how many, "perplexity": e to the mean cost of one}."""
        return [{"log_probability": -float(nats) * float(tokens), "tokens": int(tokens),
                 "perplexity": exp(min(float(nats), 700.0))}
                for nats, tokens in zip(results["loss"], results["tokens"])]

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        from orthogon.text.language_sheets import sheets

        return sheets(self, model)

    def snapshot(self, model: nn.Module) -> np.ndarray:
        from orthogon.text.language_sheets import snapshot

        return snapshot(self, model)

    def ids(self, text: str) -> list[int]:
        """The text's ids without marks, whatever its length."""
        text = text.lower() if self.encoder.lowercase else text
        return self.encoder.vocabulary.ids(self.encoder.tokenizer.split(text))

    def sequences(self, texts: Sequence[str], device: torch.device) -> Batch:
        """Texts of any length as a batch: inputs begin with the opening, targets end with the mark of the end where
        sequences have one. rows: 0 … n − 1."""
        ended = [] if self.running else [END]
        ids = [[self.opening, *self.ids(text), *ended] for text in texts]
        table = torch.full((len(ids), max(map(len, ids))), PAD, dtype=torch.int64)
        for row, each in enumerate(ids):
            table[row, : len(each)] = torch.tensor(each)
        target = table[:, 1:]
        inputs = table[:, :-1].masked_fill(target == PAD, PAD)
        return Batch((inputs.to(device),), target.to(device), None, torch.arange(len(ids)))

    # --- to ship it ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "running": self.running}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.running = bool(state["running"])


def _text_column(data: Dataset) -> TextColumn | None:
    return next((column for column in data.inputs.values() if isinstance(column, TextColumn)), None)


def _tokens_before(lengths: np.ndarray, follows: np.ndarray) -> np.ndarray:
    """How many tokens of the same text stand before each row."""
    before = np.cumsum(lengths) - lengths
    first = np.maximum.accumulate(np.where(follows, 0, np.arange(len(follows))))
    return before - before[first]


def _detached(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.detach()
    return None if state is None else tuple(_detached(each) for each in state)
