"""A network that tags words: embeddings and characters, a recurrent network in both directions, and perhaps a CRF.

Lample et al. 2016 (arXiv:1603.01360) and Ma and Hovy 2016 (arXiv:1603.01354).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.crf import CRF, Chain
from orthogon.nn.dropout import SequenceDropout
from orthogon.nn.embedding import token_embedding
from orthogon.nn.initializers import initialize_output
from orthogon.nn.padding import lengths_of
from orthogon.nn.recurrent import Recurrent
from orthogon.nn.spec import PAD, UNKNOWN, ModelSpec
from orthogon.text.rnn import last_outputs

CHARACTER_EMBEDDING = 25


class CharacterConvolution(nn.Module):
    """Ids of characters M×C -> M×width: the largest value of each filter over three characters (dos Santos and
    Zadrozny 2014)."""

    def __init__(self, ids: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(ids, CHARACTER_EMBEDDING, padding_idx=PAD)
        self.filters = nn.Conv1d(CHARACTER_EMBEDDING, width, 3, padding=1)

    def forward(self, ids: Tensor) -> Tensor:
        found = self.filters(self.table(ids).transpose(1, 2)).relu()
        return found.masked_fill((ids == PAD).unsqueeze(1), 0).amax(2)  # after ReLU nothing is less than padding


class CharacterRecurrent(nn.Module):
    """Ids of characters M×C -> M×width: the last state of an LSTM from each side (Ling et al. 2015)."""

    def __init__(self, ids: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(ids, CHARACTER_EMBEDDING, padding_idx=PAD)
        self.recurrent = Recurrent(CHARACTER_EMBEDDING, width // 2, bidirectional=True)

    def forward(self, ids: Tensor) -> Tensor:
        lengths = lengths_of(ids).clamp(min=1)
        return last_outputs(self.recurrent.outputs(self.table(ids), lengths), lengths, self.recurrent.hidden_size)


_READERS = {"convolution": CharacterConvolution, "recurrent": CharacterRecurrent, "none": None}


class Tagger(nn.Module):
    """Words int64 N×T and characters int64 N×T×C -> what each tag is worth at each word, N×T×K; with a CRF a Chain."""

    token_tables: ClassVar[dict[str, int]] = {"table": 0, "characters.table": 1}

    def __init__(self, spec: ModelSpec, embedding: int, characters: str, character_width: int, cell: str, hidden: int,
                 layers: int, dropout: float, word_dropout: float) -> None:
        super().__init__()
        words, letters = spec.inputs
        self.table = token_embedding(words.levels[0], embedding)
        reader = _READERS[characters]
        self.characters = None if reader is None else reader(letters.levels[0], character_width)
        self.character_width = 0 if reader is None else character_width
        self.dropout, self.word_dropout = SequenceDropout(dropout), word_dropout
        self.recurrent = Recurrent(embedding + self.character_width, hidden, cell, layers, bidirectional=True,
                                   dropout=dropout if layers > 1 else 0.0, variational=True)
        self.output = nn.Linear(self.recurrent.output_size, spec.outputs)
        initialize_output(self.output)
        self.crf = CRF(spec.outputs) if spec.chained else None

    def forward(self, words: Tensor, letters: Tensor) -> Tensor | Chain:
        features = self.table(self._some_unknown(words))
        if self.characters is not None:
            features = torch.cat([features, self._spelled(words != PAD, letters, features)], dim=2)
        read = self.recurrent.outputs(self.dropout(features), lengths_of(words).clamp(min=1))
        emissions = self.output(self.dropout(read))
        return emissions if self.crf is None else self.crf(emissions)

    def _some_unknown(self, words: Tensor) -> Tensor:
        """In training a share of the words is unknown, so that what is unknown later is tagged by its characters."""
        if not (self.training and self.word_dropout):
            return words
        hidden = torch.rand(words.shape, device=words.device) < self.word_dropout
        return words.masked_fill(hidden & (words != PAD), UNKNOWN)

    def _spelled(self, there: Tensor, letters: Tensor, like: Tensor) -> Tensor:
        """N×T×width: what the characters say of each word; nothing is computed of padding, nor twice of one form."""
        assert self.characters is not None  # noqa: S101
        found = like.new_zeros(*there.shape, self.character_width)
        forms, which = letters[there].unique(dim=0, return_inverse=True)
        found[there] = self.characters(forms)[which].to(found.dtype)
        return found


def tagger(spec: ModelSpec, embedding: int = 100, characters: str = "convolution", character_width: int = 50,
           cell: str = "lstm", hidden: int = 200, layers: int = 1, dropout: float = 0.5,
           word_dropout: float = 0.1) -> Tagger:
    """Tags for the words of a sentence; of the task tag.

    embedding: width of that of a word. characters: how they are read: convolution, recurrent or none;
    character_width: of what is read from them, an even number where recurrent. cell, hidden, layers: of the recurrent
    network, hidden units in each direction. dropout: share left out before and after it, and between its layers, the
    same units for all words of a sentence. word_dropout: share of the words that are unknown in training.
    RecipeError where the inputs are no sentences in words, or an option is none of these.
    """
    if [item.kind for item in spec.inputs] != ["text", "characters"]:
        raise RecipeError(f"tagger reads words and their characters, not {', '.join(spec.kinds)}", where="model.name",
                          remedy="Give sentences in words: a CoNLL file.")
    if characters not in _READERS:
        raise RecipeError(f"characters are not read by {characters!r}", where="model.options.characters",
                          remedy=nearest(characters, list(_READERS)))
    if characters == "recurrent" and character_width % 2:
        raise RecipeError(f"half of the {character_width} come from each side: it is an even number",
                          where="model.options.character_width")
    return Tagger(spec, embedding, characters, character_width, cell, hidden, layers, dropout, word_dropout)
