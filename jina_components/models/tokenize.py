"""Texts and pairs into token ids, with the model's limit enforced; longer documents that are scored come in parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.batching import batches
from jina_components.core.inputs import check_unicode
from jina_components.errors import InputError, ModelFilesError, TooLongError
from jina_components.models.frames import Frame, PairFrame, pair_frame, sides_of, text_frame
from jina_components.models.late_chunking import window_sequence, windows
from jina_components.models.parts import split_ids
from jina_components.models.pieces import PieceTokenizer, is_by_piece
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

# Texts tokenized at a time: the tokenizer's own result is some twenty times larger than the ids kept.
_SLICE, _SLICE_CHARACTERS = 256, 2_000_000
# A longer text is refused before it is tokenized, which takes some hundred bytes of memory a character.
MAX_CHARACTERS = 5_000_000
# Part of the context that a query leaves to the documents at least: a chunk must hold a sentence to be judged, and
# the passes that a long document takes grow as the chunks shrink.
_DOCUMENT_SHARE = 1 / 8


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

    def spelled(self, ids: NDArray[np.int32]) -> list[str]:
        """What each of these tokens stands for, special ones too."""
        return self._tokenizer.decode_batch(ids[:, None].tolist(), skip_special_tokens=False)

    def limit(self, context: int) -> None:
        """Take no longer sequences than this, special tokens included."""
        self.context = min(context, self.context or context)

    @cached_property
    def _single(self) -> Frame:
        """What the tokenizer puts around a text."""
        encoding = self._tokenizer.encode("a", add_special_tokens=self._special_tokens)
        return text_frame(encoding, keep=0, types=False)

    def texts(
        self,
        texts: Sequence[str],
        *,
        indices: Sequence[int] | None = None,
        prompt: str = "",
        adapter: int = -1,
        truncate: bool = False,
    ) -> list[TokenSequence]:
        """Token ids of each text after `prompt`, to run with `adapter`.

        Args:
            texts: The texts.
            indices: Their positions in the caller's list, for errors; 0 onwards if None.
            prompt: Put before each.
            adapter: Its number, -1 for none.
            truncate: Keep the head of a text over the context.

        Raises:
            TooLongError: a text is over the context and `truncate` is False; `.index` names it.
            InputError: a text is no valid Unicode; likewise.
        """
        indices = range(len(texts)) if indices is None else indices
        for index, text in zip(indices, texts, strict=True):
            check_text(text, f"inputs[{index}]", index)
        frame, head = self._single, self._prompt_length(prompt)
        room = self._room(frame)
        sequences = []
        for index, ids in zip(indices, self._bare_ids([prompt + text for text in texts], None), strict=True):
            kept = self._within(ids, room, index, truncate=truncate)
            sequences.append(frame.around(kept, prompt=head, adapter=adapter))
        return sequences

    def _within(self, ids: NDArray[np.int32], room: int | None, index: int, *, truncate: bool) -> NDArray[np.int32]:
        """A text's tokens where they fit, or their head if it may be cut."""
        if room is not None and len(ids) > room and not truncate:
            raise TooLongError(
                f"inputs[{index}] has {len(ids) + len(self._single)} tokens, more than the model's context of "
                f"{self.context}: segment it first, or pass truncate=True to keep its head.",
                index,
            )
        return ids[:room]

    def together(
        self,
        texts: Sequence[str],
        *,
        prompt: str = "",
        adapter: int = -1,
        truncate: bool = False,
        length: int | None = None,
    ) -> list[TokenSequence]:
        """Consecutive chunks of a document as one sequence, or as windows of the context; each chunk is a span.

        Markers and prompt belong to the first chunk and the last, so that a document of one chunk is that text.

        Args:
            texts: The chunks, none of them blank.
            prompt: Put before the first, and before each window.
            adapter: Its number, -1 for none.
            truncate: Keep the head of a chunk over the context.
            length: Fill windows up to this many tokens; None for the context.

        Raises:
            InputError: a chunk is over the context and `truncate` is False, has no tokens, or is no valid Unicode;
                `.index` names it.
        """
        for index, text in enumerate(texts):
            check_text(text, f"inputs[{index}]", index)
        if not texts:
            return []
        head = self._bare_ids([prompt], None)[0] if prompt else np.zeros(0, np.int32)
        whole = self._room(self._single)
        room = None if whole is None else max(1, whole - len(head))
        filled = min((most for most in (room, length and length - len(self._single) - len(head)) if most), default=None)
        bare = []
        for index, ids in enumerate(self._bare_ids([prompt + texts[0], *texts[1:]], None)):
            if not len(ids):
                raise InputError(f"inputs[{index}] has no text that the model's tokenizer keeps.", index)
            bare.append(self._within(ids, room if index else whole, index, truncate=truncate))
        found = windows(list(map(len, bare)), filled)
        taken = self._prompt_length(prompt)
        return [
            window_sequence(window, bare, self._single, prompt=head, head=taken, adapter=adapter) for window in found
        ]

    def _room(self, frame: Frame) -> int | None:
        """Tokens of a text that fit the context; None for any number."""
        if self.context is None:
            return None
        if self.context <= len(frame):
            raise ModelFilesError(f"No text fits the model's context of {self.context} tokens.")
        return self.context - len(frame)

    def _prompt_length(self, prompt: str) -> int:
        """Tokens before a text that are due to its prompt, as sentence-transformers counts them."""
        if not prompt:
            return 0
        encoding = self._tokenizer.encode(prompt, add_special_tokens=self._special_tokens)
        return len(encoding) - encoding.special_tokens_mask[-1] if len(encoding) else 0

    def chunks(
        self, texts: Sequence[str], *, truncate: bool = False, max_length: int | None = None
    ) -> list[list[TokenSequence]]:
        """Token ids of each text: whole if it fits the context, or else its chunks.

        Args:
            texts: What passes `check_text`.
            truncate: Keep the head of a text over the context, rather than all of it in chunks.
            max_length: Keep this many tokens of each text, special ones not counted; None for all.

        Returns:
            For each text its chunks in order, none for a text without tokens. Neighbours share 80 tokens,
            or a quarter of the context if that is less, and the last chunk, which is as long as the others,
            as many more as it takes.
        """
        frame = self._single
        room = self._room(frame)
        return [
            [frame.around(part) for part in split_ids(ids, room, truncate=truncate)]
            for ids in self._bare_ids(texts, max_length)
        ]

    def pairs(
        self,
        query: str,
        documents: Sequence[str],
        *,
        truncate: bool = False,
        max_query_length: int | None = None,
        max_document_length: int | None = None,
    ) -> list[list[TokenSequence]]:
        """Token ids of (query, document) with segment ids if the model takes them, or (query, chunk) for each chunk.

        Special tokens and segments are those of the tokenizer's own pairs. Lengths are in tokens, special
        ones not counted.

        Args:
            query: What passes `check_text`.
            documents: Likewise.
            truncate: Keep the head of a document that does not fit beside the query, rather than all of it in
                chunks, and of a query that leaves less than an eighth of the context, rather than raise.
            max_query_length: Keep this many tokens of the query; None for all.
            max_document_length: Keep this many tokens of each document; None for all.

        Returns:
            For each document one pair, or one for each chunk as `chunks` cuts them to the room that the query
            leaves; none for a document without tokens.

        Raises:
            InputError: the query has no tokens, or leaves less than an eighth of the context.
            ModelFilesError: no pair fits the context.
        """
        bare = self._bare_ids(documents, max_document_length)
        filled = [document for document, ids in zip(documents, bare, strict=True) if len(ids)]
        if not filled:
            return [[] for _ in documents]
        frame = self._frame(query, min(filled, key=len), max_query_length, truncate=truncate)
        room = self.context and self.context - len(frame)
        return [[frame.around(part) for part in split_ids(ids, room, truncate=truncate)] for ids in bare]

    def premises(self, pairs: Sequence[tuple[str, str]], *, truncate: bool = False) -> list[list[TokenSequence]]:
        """Token ids of (premise, hypothesis), or (chunk, hypothesis) for each chunk of a premise; segments as `pairs`.

        Args:
            pairs: Of texts that pass `check_text`.
            truncate: Keep the head of a premise that does not fit beside its hypothesis, rather than all of it in
                chunks, and of a hypothesis that leaves less than an eighth of the context, rather than raise.

        Returns:
            For each pair its chunks, as `chunks` cuts them to the room that the hypothesis leaves.

        Raises:
            InputError: a text without tokens, or a hypothesis over its limit; `.index` names the pair.
            ModelFilesError: no pair fits the context.
        """
        frame = self._pair
        most = self._most(len(frame))
        distinct = list(dict.fromkeys(chain.from_iterable(pairs)))
        ids = dict(zip(distinct, self._bare_ids(distinct, None), strict=True))
        sequences = []
        for index, (premise, hypothesis) in enumerate(pairs):
            _check_pair(len(ids[premise]), len(ids[hypothesis]), None if truncate else most, index)
            kept = ids[hypothesis][:most]
            room = self.context and self.context - len(frame) - len(kept)
            sequences.append([frame.around(part, kept) for part in split_ids(ids[premise], room, truncate=truncate)])
        return sequences

    @cached_property
    def _pair(self) -> PairFrame:
        """What the tokenizer puts around two texts."""
        encoding = self._tokenizer.encode("a", "a", add_special_tokens=self._special_tokens)
        return pair_frame(encoding, types=self._segments)

    def _frame(self, query: str, document: str, max_length: int | None, *, truncate: bool) -> Frame:
        """The query's side of its pairs, taken from its pair with any document."""
        encoding = self._tokenizer.encode(query, document, add_special_tokens=self._special_tokens)
        sides = sides_of(encoding)
        length = self._query_length(
            int((sides == 0).sum()) if max_length is None else min(int((sides == 0).sum()), max_length),
            int((sides == -1).sum()),
            truncate=truncate,
        )
        return text_frame(encoding, keep=length, types=self._segments)

    def _query_length(self, length: int, markers: int, *, truncate: bool) -> int:
        """Tokens kept of a query of `length` tokens beside `markers` special ones."""
        if not length:
            raise InputError("The query has no tokens: the model's tokenizer leaves out all of it.")
        most = self._most(markers)
        if most is None:
            return length
        if length > most and not truncate:
            raise TooLongError(
                f"The query has {length} tokens; up to {most} leave room for documents in the model's context of "
                f"{self.context}: shorten it, or set max_query_length or truncate=True to keep its head."
            )
        return min(length, most)

    def _most(self, markers: int) -> int | None:
        """Tokens that one text of a pair may have beside `markers` special ones: the other needs room too."""
        if not self.context:
            return None
        room = self.context - markers
        most = room - max(1, int(room * _DOCUMENT_SHARE))
        if most < 1:
            raise ModelFilesError(f"No pair of texts fits the model's context of {self.context} tokens.")
        return most

    @cached_property
    def _by_piece(self) -> PieceTokenizer | None:
        return PieceTokenizer(self._tokenizer) if is_by_piece(self._tokenizer) else None

    def _bare_ids(self, texts: Sequence[str], max_length: int | None) -> list[NDArray[np.int32]]:
        tokenize = self._by_piece or self._tokenize
        rows = chain.from_iterable(
            tokenize(texts[start:stop]) for start, stop in batches(texts, size=_SLICE, characters=_SLICE_CHARACTERS)
        )
        return [(ids if self._skip is None else ids[ids != self._skip])[:max_length] for ids in rows]

    def _tokenize(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.asarray(encoding.ids, np.int32) for encoding in encodings]


def _check_pair(premise: int, hypothesis: int, most: int | None, index: int) -> None:
    """Refuse a premise or hypothesis of no tokens, or a hypothesis of more than `most`."""
    if not premise or not hypothesis:
        text = "hypothesis" if premise else "premise"
        raise InputError(f"pairs[{index}]: the {text} has no text that the model's tokenizer keeps.", index)
    if most is not None and hypothesis > most:
        raise TooLongError(
            f"pairs[{index}]: the hypothesis has {hypothesis} tokens; up to {most} leave room for the premise in the "
            "model's context: shorten it, or pass truncate=True to keep its head.",
            index,
        )


def check_text(text: str, name: str, index: int | None = None) -> None:
    """Refuse what the tokenizer cannot take; `name` and `index` are those of the error.

    Raises:
        TooLongError: over `MAX_CHARACTERS`.
        InputError: no valid Unicode.
    """
    if len(text) > MAX_CHARACTERS:
        raise TooLongError(
            f"{name} has {len(text):,} characters, more than {MAX_CHARACTERS:,}: segment it first.", index
        )
    check_unicode(text, what=name, index=index)


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
