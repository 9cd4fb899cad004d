"""Texts and pairs into token ids, with the model's limit enforced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.errors import InputError, ModelFilesError
from jina_components.models.runner import TokenSequence

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

# Texts tokenized at a time: the tokenizer's own result is some twenty times larger than the ids that are kept.
_SLICE = 256
# A longer text is refused before it is tokenized, which takes some hundred bytes of memory a character.
MAX_CHARACTERS = 5_000_000


class TextTokenizer:
    """A `tokenizers` tokenizer with the context limit of a model.

    Args:
        tokenizer: Parsed `tokenizer.json`.
        context: Longest sequence in tokens, special tokens included; None for no limit.
        special_tokens: Add the model's markers ([CLS] …).
        lowercase: Lower-case texts first, for models whose tokenizer was trained without doing so itself.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        context: int | None,
        special_tokens: bool = True,
        lowercase: bool = False,
    ) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._special_tokens = special_tokens
        self._lowercase = lowercase
        self.context = context

    @cached_property
    def _truncating(self) -> Tokenizer:
        """A second instance, since truncation is a setting of the instance and calls run in parallel."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        tokenizer.enable_truncation(self.context, strategy="longest_first")
        return tokenizer

    def texts(self, texts: Sequence[str], *, prompt: str = "", truncate: bool = False) -> list[TokenSequence]:
        """Token ids of each text after `prompt`.

        Raises:
            InputError: a text is over the context and `truncate` is False; `.index` names it.
        """
        self._check_lengths(texts)
        inputs = [prompt + (text.lower() if self._lowercase else text) for text in texts]
        return [TokenSequence(_ids(e)) for e in self._encode(inputs, truncate=truncate)]

    def pairs(self, query: str, documents: Sequence[str], *, truncate: bool = False) -> list[TokenSequence]:
        """Token and segment ids of (query, document) for each document.

        Raises:
            InputError: a pair is over the context and `truncate` is False; `.index` names the document.
        """
        self._check_lengths([query])
        self._check_lengths(documents)
        pairs = [(query, document) for document in documents]
        return [
            TokenSequence(_ids(e), np.asarray(e.type_ids, np.int32))
            for e in self._encode(pairs, truncate=truncate)
        ]

    def _encode(self, inputs: Sequence[str | tuple[str, str]], *, truncate: bool) -> Iterator[Encoding]:
        tokenizer = self._truncating if truncate and self.context else self._tokenizer
        for start in range(0, len(inputs), _SLICE):
            batch = list(inputs[start : start + _SLICE])
            try:
                encodings = tokenizer.encode_batch_fast(batch, add_special_tokens=self._special_tokens)
            except (TypeError, UnicodeError) as error:  # what a lone surrogate ends in
                raise InputError(
                    f"A text among {start} to {start + len(batch) - 1} is not valid Unicode."
                ) from error
            for index, encoding in enumerate(encodings, start):
                if self.context and len(encoding) > self.context:
                    raise InputError(
                        f"Text {index} has {len(encoding)} tokens, more than the model's context of {self.context}: "
                        "segment it first, or pass truncate=True to keep its head.",
                        index,
                    )
                yield encoding

    def _check_lengths(self, texts: Sequence[str]) -> None:
        for index, text in enumerate(texts):
            if len(text) > MAX_CHARACTERS:
                raise InputError(
                    f"Text {index} has {len(text):,} characters, more than {MAX_CHARACTERS:,}: segment it first.",
                    index,
                )


def _ids(encoding: Encoding) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.asarray(encoding.ids, dtype=np.int32)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The `tokenizer.json` of a folder.

    Raises:
        ModelFilesError: missing or broken.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelFilesError(
            f"{path} is missing. Save the fast tokenizer there: "
            "transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)."
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for a file it cannot parse
        raise ModelFilesError(f"{path} is not a tokenizer: {error}.") from error
