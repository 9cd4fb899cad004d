"""Tokenizers that count and locate the tokens of texts of any length."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as RawTokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from jina_components.core.names import resolve_name
from jina_components.models.files import bundled_path
from jina_components.models.span_memory import PARTING, PieceMemory, Spans
from jina_components.models.tokenize import load_tokenizer

BUNDLED = "bundled"
_FILES = {BUNDLED: bundled_path("static-minilm-v1") / "tokenizer.json"}

_WINDOW = 1 << 18
# Before a lone space: most byte-pair vocabularies begin words with theirs.
_LONE_SPACE = re.compile(r"(?<=\S)\s(?=\S)")
_SURROGATE = re.compile("[\ud800-\udfff]")


def resolve_tokenizer(name: str | os.PathLike[str]) -> Path:
    """The `tokenizer.json` that a name or path stands for; looks at no file.

    A str that ends in `.json` or has a path separator is a path, any other a name.

    Raises:
        UnknownNameError: the name is not known.
    """
    if isinstance(name, str) and not name.endswith(".json") and Path(name).name == name:
        return resolve_name(_FILES, name, what="tokenizer (a name, or the path of a tokenizer.json)")
    return Path(name)


class Tokenizer:
    """The tokens of a `tokenizer.json`, special tokens neither added nor recognised.

    A long text is tokenized in windows of some 262,144 characters, which keeps memory flat. They meet at
    white space or, for BERT's WordPiece, at punctuation too, which makes no difference to it; other models
    may see a token more or less there, as all may where nothing parts a run of that length. Lone
    surrogates count as U+FFFD. Thread-safe.

    Attributes:
        name: The name or path, as given.

    Raises:
        ModelFilesError: the file is missing or broken.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        self.name = os.fspath(name)
        self._raw = load_tokenizer(resolve_tokenizer(name))
        self._raw.no_truncation()
        self._raw.no_padding()
        self._raw.encode_special_tokens = True
        self._memory = PieceMemory(self._encode) if _is_bert(self._raw) else None

    def count(self, text: str) -> int:
        """Number of tokens of `text`."""
        return len(self.spans(text)[0])

    def spans(self, text: str) -> Spans:
        """Start and end of every token in code points, in order; int32, shape [number of tokens] each."""
        window_spans = self._memory.spans if self._memory else self._encode
        starts, ends = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
        for position, window in self._windows(text):
            window_starts, window_ends = window_spans(window)
            starts.append(window_starts + np.int32(position))
            ends.append(window_ends + np.int32(position))
        return np.concatenate(starts), np.concatenate(ends)

    def stands_alone(self, text: str, start: int, end: int) -> bool:
        """Whether `text[start:end]` is sure to have alone the tokens that it has in `text`."""
        if not self._memory or end - start >= _WINDOW:
            return False
        cuts = (cut for cut in (start, end) if 0 < cut < len(text))
        return all(PARTING.search(text, cut - 1, cut + 1) for cut in cuts)

    def _windows(self, text: str) -> Iterator[tuple[int, str]]:
        parting = PARTING if self._memory else _LONE_SPACE
        position = 0
        while position < len(text):
            cut = parting.search(text, position + _WINDOW, position + 2 * _WINDOW)
            end = cut.start() if cut else position + 2 * _WINDOW
            yield position, text[position:end]
            position = end

    def _encode(self, text: str) -> Spans:
        encoding = self._raw.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False)
        offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
        return offsets[:, 0], offsets[:, 1]


def _is_bert(raw: RawTokenizer) -> bool:
    return (
        isinstance(raw.model, WordPiece)
        and isinstance(raw.normalizer, BertNormalizer)
        and isinstance(raw.pre_tokenizer, BertPreTokenizer)
        and all(token.special for token in raw.get_added_tokens_decoder().values())
    )
