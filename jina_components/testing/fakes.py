"""Stand-ins that need no model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.inputs import as_pairs, check_query, check_texts
from jina_components.core.vectors import normalize
from jina_components.errors import ConfigError
from jina_components.types import Entailment, Entailments, Usage

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_WORD = re.compile(r"\w+")
_NEGATION = re.compile(r"(?i)\b(no|not|never|none|nobody|nothing|cannot)\b|n['’]t\b")


class FakeEmbedder:
    """Embeds a text as the sum of a fixed pseudo-random vector for each of its words.

    The same text has the same vector in every process, and texts that share words are close. No model,
    no files, no seed; case and word order do not count.

    Args:
        dimensions: Width of the vectors.

    Raises:
        ConfigError: `dimensions` is not positive.

    Example:
        >>> fake = FakeEmbedder()
        >>> vectors = fake.embed_documents(["the calm sea", "stocks fell"])
        >>> int((vectors @ fake.embed_query("a calm sea")).argmax())
        0
    """

    def __init__(self, *, dimensions: int = 32) -> None:
        if dimensions < 1:
            raise ConfigError(f"dimensions must be positive, got {dimensions}.")
        self.dimensions = dimensions
        self.name = f"fake-{dimensions}"

    def embed_query(self, text: str) -> FloatArray:
        """Unit vector of a query, shape [dimensions].

        Raises:
            InputError: no string, or a blank one.
        """
        return self._embed(check_query(text, what="text"))

    def embed_documents(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors of documents, shape [len(texts), dimensions].

        Raises:
            InputError: a bare string, or a blank text; `.index` names it.
        """
        rows = [self._embed(text) for text in check_texts(texts, what="texts")]
        return np.array(rows, np.float32).reshape(len(rows), self.dimensions)

    async def aembed_query(self, text: str) -> FloatArray:
        """`embed_query` for async callers."""
        return self.embed_query(text)

    async def aembed_documents(self, texts: Sequence[str]) -> FloatArray:
        """`embed_documents` for async callers."""
        return self.embed_documents(texts)

    def __repr__(self) -> str:
        return f"FakeEmbedder(dimensions={self.dimensions})"

    def _embed(self, text: str) -> FloatArray:
        words = _WORD.findall(text.lower()) or [text]
        return normalize(np.sum([self._word_vector(word) for word in words], axis=0, dtype=np.float32))

    def _word_vector(self, word: str) -> FloatArray:
        digest = hashlib.shake_128(word.encode("utf-8", "surrogatepass")).digest(self.dimensions)
        # Bytes become odd numbers about zero, so that no sum of an odd number of words vanishes.
        return 2 * np.frombuffer(digest, np.uint8).astype(np.float32) - 255


class FakeEntailmentScorer:
    """Judges a hypothesis by the share of its words that are in the premise.

    That share is the probability of entailment, or of contradiction where just one of the two texts is negated ("no",
    "not", "never" …); the rest is neutral. No model, no files, no seed; case and word order do not count, and no
    premise is too long.

    Example:
        >>> fake = FakeEntailmentScorer()
        >>> pairs = [("The sea is calm.", hypothesis) for hypothesis in ("The sea is calm", "The sea is not calm", "x")]
        >>> [result.label for result in fake.score(pairs)]
        ['entailment', 'contradiction', 'neutral']
    """

    name = "fake-entailment"

    def score(self, pairs: Sequence[tuple[str, str]], *, truncate: bool = False) -> Entailments:  # noqa: ARG002 (protocol)
        """One for each pair (premise, hypothesis); `usage` counts their words.

        Raises:
            InputError: a bare string, or no pair of texts, or a blank one; `.index` names it.
        """
        checked = as_pairs(pairs)
        words = sum(len(_WORD.findall(text)) for pair in checked for text in pair)
        return Entailments(tuple(_judge(*pair) for pair in checked), Usage(words))

    async def ascore(self, pairs: Sequence[tuple[str, str]], *, truncate: bool = False) -> Entailments:
        """`score` for async callers."""
        return self.score(pairs, truncate=truncate)

    def __repr__(self) -> str:
        return "FakeEntailmentScorer()"


def _judge(premise: str, hypothesis: str) -> Entailment:
    known, asked = (set(_WORD.findall(_NEGATION.sub(" ", text).lower())) or {text} for text in (premise, hypothesis))
    share = len(known & asked) / len(asked)
    if bool(_NEGATION.search(premise)) != bool(_NEGATION.search(hypothesis)):
        return Entailment(0.0, 1 - share, share)
    return Entailment(share, 1 - share, 0.0)
