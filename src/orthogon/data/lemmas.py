"""Words in their dictionary form (row 26.03), by the library simplemma."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from orthogon.data.tokens import Tokenizer
from orthogon.errors import RecipeError, nearest


def lemmatizer(language: str, tokens: Tokenizer) -> Callable[[str], str]:
    """Word -> its dictionary form: "mice" -> "mouse", "was" -> "be"; what the dictionary lacks stays as it is.

    language: a code such as "en" or "de". It knows forms of inflection and, in English, no derivations: "finally"
    stays. RecipeError without simplemma, for a language that it lacks, and for tokenizers of parts of words.
    """
    if tokens.subwords:
        raise RecipeError(f"lemmas are of whole words, and {tokens.name} splits words into parts", where="data.lemmas",
                          remedy="Leave data.lemmas out, or set data.tokens=word.")
    try:
        import simplemma
        from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES
    except ImportError:
        raise RecipeError("lemmas need the package simplemma", where="data.lemmas",
                          remedy='pip install "orthogon[text]", or leave data.lemmas out') from None
    known = sorted(SUPPORTED_LANGUAGES)
    if language not in known:
        raise RecipeError(f"simplemma has no dictionary of the language {language!r}", where="data.lemmas",
                          remedy=nearest(language, known))
    return lru_cache(maxsize=100_000)(lambda word: simplemma.lemmatize(word, language))
