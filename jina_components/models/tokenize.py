"""Texts and pairs into token ids, with the model's limit enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.errors import InputError, ModelFilesError
from jina_components.models.runner import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

# Texts tokenized at a time: the tokenizer's own result is some twenty times larger than the ids kept.
_SLICE = 256
# A longer text is refused before it is tokenized, which takes some hundred bytes of memory a character.
MAX_CHARACTERS = 5_000_000


class TextTokenizer:
    """A `tokenizers` tokenizer with the context limit of a model.

    Args:
        tokenizer: Parsed `tokenizer.json`.
        context: Longest sequence in tokens, special tokens included; None for no limit.
        special_tokens: Add the model's markers ([CLS] …).
        lowercase: Lower-case inputs first, for models whose tokenizer does not do so itself.
        segments: Tell the two texts of a pair apart by segment ids.
        skip: Id of a token to leave out, or None; Model2Vec leaves out the unknown token.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        context: int | None,
        special_tokens: bool = True,
        lowercase: bool = False,
        segments: bool = True,
        skip: int | None = None,
    ) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if lowercase:
            _prepend_lowercase(tokenizer)
        self._tokenizer = tokenizer
        self._special_tokens = special_tokens
        self._segments = segments
        self._skip = skip
        self.context = context

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return self._tokenizer.get_vocab_size()

    @cached_property
    def _truncating(self) -> Tokenizer:
        """A second instance, since truncation is a setting of the instance and calls run in parallel."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        if self.context:
            tokenizer.enable_truncation(self.context, strategy="longest_first")
        return tokenizer

    def texts(self, texts: Sequence[str], *, prompt: str = "", truncate: bool = False) -> list[TokenSequence]:
        """Token ids of each text after `prompt`.

        Raises:
            InputError: a text is over the context and `truncate` is False, or is no valid Unicode; `.index`
                names it.
        """
        for index, text in enumerate(texts):
            _check(text, index)
        inputs = [prompt + text for text in texts]
        return [TokenSequence(self._ids(e)) for e in self._encode(inputs, truncate=truncate)]

    def pairs(self, query: str, documents: Sequence[str], *, truncate: bool = False) -> list[TokenSequence]:
        """Token ids of (query, document) for each document, and segment ids if the model takes them.

        Raises:
            InputError: a pair is over the context and `truncate` is False; `.index` names the document.
        """
        _check(query, None)
        for index, document in enumerate(documents):
            _check(document, index)
        pairs = [(query, document) for document in documents]
        return [
            TokenSequence(self._ids(e), np.asarray(e.type_ids, np.int32) if self._segments else None)
            for e in self._encode(pairs, truncate=truncate)
        ]

    def _encode(self, inputs: Sequence[str | tuple[str, str]], *, truncate: bool) -> Iterator[Encoding]:
        tokenizer = self._truncating if truncate else self._tokenizer
        for start in range(0, len(inputs), _SLICE):
            batch = list(inputs[start : start + _SLICE])
            encodings = tokenizer.encode_batch_fast(batch, add_special_tokens=self._special_tokens)
            for index, encoding in enumerate(encodings, start):
                if self.context and len(encoding) > self.context:
                    raise InputError(
                        f"Text {index} has {len(encoding)} tokens, more than the model's context of "
                        f"{self.context}: segment it first, or pass truncate=True to keep its head.",
                        index,
                    )
                yield encoding

    def _ids(self, encoding: Encoding) -> NDArray[np.int32]:
        ids = np.asarray(encoding.ids, np.int32)
        return ids if self._skip is None else ids[ids != self._skip]


def _check(text: str, index: int | None) -> None:
    """Refuse what the tokenizer cannot take; `index` is None for a query."""
    name = "The query" if index is None else f"Text {index}"
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{name} has {len(text):,} characters, more than {MAX_CHARACTERS:,}: segment it first.", index)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{name} is not valid Unicode: lone surrogate at {error.start}.", index) from error


def _prepend_lowercase(tokenizer: Tokenizer) -> None:
    from tokenizers import normalizers

    own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])


def unknown_token_id(tokenizer: Tokenizer) -> int | None:
    """Id of the token that stands for what the vocabulary lacks, or None."""
    model = json.loads(tokenizer.to_str())["model"]
    token = model.get("unk_token")
    unknown: int | None = model.get("unk_id") if token is None else tokenizer.token_to_id(token)
    return unknown


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a `tokenizer.json`.

    Raises:
        ModelFilesError: missing or broken.
    """
    from tokenizers import Tokenizer

    if not path.is_file():
        raise ModelFilesError(
            f"{path} is missing. A model folder gets it from "
            "transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)."
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for a file it cannot parse
        raise ModelFilesError(f"{path} is not a tokenizer.json: {error}.") from error
