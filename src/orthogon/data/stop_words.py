"""Words that say little, as a tokenizer writes them (row 26.02)."""

from __future__ import annotations

from itertools import product

from orthogon.data.tokens import Tokenizer
from orthogon.errors import RecipeError

_SHORTENED = (
    *(f"{verb}n't" for verb in ("is", "are", "was", "were", "has", "have", "had", "do", "does", "did", "ca", "could",
                                "wo", "would", "sha", "should", "must", "might", "need")),
    *(f"{who}'{what}" for who, what in product(("i", "you", "he", "she", "it", "we", "they"), ("d", "ll"))),
    *(f"{who}'ve" for who in ("i", "you", "we", "they")), *(f"{who}'re" for who in ("you", "we", "they")), "i'm",
    *(f"{who}'s" for who in ("he", "she", "it", "that", "there", "here", "what", "who", "where", "how", "let")),
)


def stop_words(tokens: Tokenizer) -> frozenset[str]:
    """English words such as "the", "this" and "and", split as the tokenizer splits texts, in lower case.

    scikit-learn's list of 318 words and the shortened ones that it lacks ("hasn't"), so that what the tokenizer makes
    of these is among them, whether it keeps them whole or cuts them into "hasn" and "t" (scikit-learn#11552).
    RecipeError for tokenizers of parts of words, of which any word consists.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    if tokens.subwords:
        raise RecipeError(f"stop words are whole words, and {tokens.name} splits words into parts",
                          where="data.stop_words", remedy="Leave data.stop_words out, or set data.tokens=word.")
    words = [*ENGLISH_STOP_WORDS, *_SHORTENED, *(word.replace("'", "’") for word in _SHORTENED)]
    return frozenset(part for split in tokens.split_all(words) for part in split)
