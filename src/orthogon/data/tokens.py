"""Tokenizers: a text as a list of tokens, and back (row 26.01)."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from orthogon.errors import DataError, RecipeError, nearest

TokenizerName = Literal["whitespace", "word", "character", "bpe", "unigram"]

SUBWORDS = 8000
"""Entries that a table of subwords is learnt with, where none are asked for."""

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_WORD_OR_LINE_END = re.compile(_WORD.pattern + r"|\n")
_SOLID_OR_LINE_END = re.compile(r"\S+|\n")
_AROUND_LINE_END = re.compile(r" *\n *")
_NO_SPACE_BEFORE = re.compile(r" +([.,;:!?%)\]}])")
_NO_SPACE_AFTER = re.compile(r"([(\[{]) +")
_SPACE = "▁"  # the mark of SentencePiece for the blank before a word


class Tokenizer(ABC):
    """Text -> tokens. `fit` on the train texts first, where there is something to learn.

    subwords: whether tokens are parts of words, so that every word can be written.
    """

    name: ClassVar[TokenizerName]
    subwords: ClassVar[bool] = False

    def fit(self, texts: Iterable[str], size: int) -> None:  # noqa: B027 - most have nothing to learn
        """Learn at most `size` tokens from the texts."""

    @abstractmethod
    def split(self, text: str) -> list[str]: ...

    def split_all(self, texts: Sequence[str]) -> list[list[str]]:
        return [self.split(text) for text in texts]

    @abstractmethod
    def join(self, tokens: Sequence[str]) -> str:
        """Text of the tokens as a person writes it; of words, blanks are where they usually are."""

    def state(self) -> dict[str, Any]:
        return {"name": self.name}


class Whitespace(Tokenizer):
    """What stands between blanks. lines: whether the end of a line is a token too, as in running text."""

    name = "whitespace"

    def __init__(self, lines: bool = False) -> None:
        self.lines = lines

    def split(self, text: str) -> list[str]:
        return _SOLID_OR_LINE_END.findall(text) if self.lines else text.split()

    def join(self, tokens: Sequence[str]) -> str:
        return _AROUND_LINE_END.sub("\n", " ".join(tokens))

    def state(self) -> dict[str, Any]:
        return {"name": self.name, "lines": self.lines}


class Word(Whitespace):
    """Words, with what follows an apostrophe, and each mark of punctuation by itself: "hasn't," -> hasn't and ,."""

    name = "word"

    def split(self, text: str) -> list[str]:
        return (_WORD_OR_LINE_END if self.lines else _WORD).findall(text)

    def join(self, tokens: Sequence[str]) -> str:
        return _NO_SPACE_AFTER.sub(r"\1", _NO_SPACE_BEFORE.sub(r"\1", super().join(tokens)))


class Character(Tokenizer):
    """Every character, blanks too."""

    name = "character"
    subwords = True

    def split(self, text: str) -> list[str]:
        return list(text)

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)


class Subword(Tokenizer):
    """Parts of words that the `tokenizers` library learns; ▁ marks the beginning of a word.

    model: None until it is fitted; then the library's own JSON.
    """

    subwords = True

    def __init__(self, model: str | None = None) -> None:
        self.model = model
        self._tokenizer = None if model is None else _library().Tokenizer.from_str(model)

    def fit(self, texts: Iterable[str], size: int) -> None:
        library = _library()
        tokenizer = library.Tokenizer(self._untrained(library))
        tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace(_SPACE)
        tokenizer.decoder = library.decoders.Metaspace(_SPACE)
        tokenizer.train_from_iterator(texts, self._trainer(library, size))
        self.model, self._tokenizer = tokenizer.to_str(), tokenizer

    @abstractmethod
    def _untrained(self, library: Any) -> Any: ...

    @abstractmethod
    def _trainer(self, library: Any, size: int) -> Any: ...

    def split(self, text: str) -> list[str]:
        return self.split_all([text])[0]

    def split_all(self, texts: Sequence[str]) -> list[list[str]]:
        if self._tokenizer is None:
            raise DataError(f"the {self.name} tokenizer has learnt nothing yet", remedy="Fit it on train texts first.")
        return [encoding.tokens for encoding in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens).replace(_SPACE, " ").strip()

    def state(self) -> dict[str, Any]:
        return {"name": self.name, "model": self.model}


class BytePair(Subword):
    """Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): the commonest pairs are merged."""

    name = "bpe"

    def _untrained(self, library: Any) -> Any:
        return library.models.BPE(unk_token="<unknown>")  # noqa: S106 - no secret

    def _trainer(self, library: Any, size: int) -> Any:
        return library.trainers.BpeTrainer(vocab_size=size, special_tokens=["<unknown>"], show_progress=False)


class Unigram(Subword):
    """Unigram language model over subwords (Kudo 2018, arXiv:1804.10959)."""

    name = "unigram"

    def _untrained(self, library: Any) -> Any:
        return library.models.Unigram()

    def _trainer(self, library: Any, size: int) -> Any:
        return library.trainers.UnigramTrainer(vocab_size=size, unk_token="<unknown>",  # noqa: S106 - no secret
                                               special_tokens=["<unknown>"], show_progress=False)


_SORTS: dict[str, type[Tokenizer]] = {each.name: each for each in (Whitespace, Word, Character, BytePair, Unigram)}


def tokenizer(name: str, lines: bool = False) -> Tokenizer:
    """The tokenizer of that name, not yet fitted; RecipeError where there is none.

    lines: whether the end of a line is to be a token: of words; for characters and parts of words it always is.
    """
    if name not in _SORTS:
        raise RecipeError(f"there is no tokenizer {name!r}", where="data.tokens", remedy=nearest(name, list(_SORTS)))
    sort = _SORTS[name]
    return sort(lines) if issubclass(sort, Whitespace) else sort()


def tokenizer_from_state(state: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer whose `state` it is."""
    return _SORTS[state["name"]](**{key: value for key, value in state.items() if key != "name"})


def _library() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise RecipeError("tokens bpe and unigram need the package tokenizers", where="data.tokens",
                          remedy='pip install "orthogon[text]", or --set data.tokens=word') from None
    return tokenizers
