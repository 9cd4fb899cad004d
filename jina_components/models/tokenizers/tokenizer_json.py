"""Tokenizers of a `tokenizer.json`: WordPiece, byte-pair or Unigram, as Hugging Face's `tokenizers` runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.models.tokenize import load_tokenizer
from jina_components.models.tokenizers.encoded import Encoded, Numbers, without_surrogates
from jina_components.models.tokenizers.piece_memory import PARTING, PieceMemory

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_LONGEST = 1 << 19


class JsonEncoder:
    """Tokens as the file says.

    Args:
        path: The `tokenizer.json`.

    Raises:
        ModelFilesError: missing or broken.
    """

    longest: int | None = _LONGEST

    def __init__(self, path: Path) -> None:
        self._raw = load_tokenizer(path)
        self._raw.no_truncation()
        self._raw.no_padding()
        self._raw.encode_special_tokens = True
        added = self._raw.get_added_tokens_decoder().values()
        self.special_tokens = [token.content for token in added if token.special]
        is_bert = _is_bert(self._raw) and len(self.special_tokens) == len(added)
        self._memory = PieceMemory(self._encode) if is_bert else None
        self.parting: re.Pattern[str] | None = PARTING if is_bert else None

    def count(self, text: str) -> int:
        """Number of tokens."""
        return self._memory.count(text) if self._memory else len(self.ids(text))

    def ids(self, text: str) -> Numbers:
        """Ids of the tokens."""
        if self._memory:
            return self._memory.encode(text).ids
        encodings = self._raw.encode_batch_fast([without_surrogates(text)], add_special_tokens=False)
        return np.array(encodings[0].ids, np.int32)

    def encode(self, text: str) -> Encoded:
        """The tokens with their places."""
        return self._memory.encode(text) if self._memory else self._encode(text)

    def _encode(self, text: str) -> Encoded:
        encoding = self._raw.encode(without_surrogates(text), add_special_tokens=False)
        offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
        return Encoded(np.array(encoding.ids, np.int32), offsets[:, 0], offsets[:, 1])


def _is_bert(raw: Tokenizer) -> bool:
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    return (
        isinstance(raw.model, WordPiece)
        and isinstance(raw.normalizer, BertNormalizer)
        and isinstance(raw.pre_tokenizer, BertPreTokenizer)
    )
