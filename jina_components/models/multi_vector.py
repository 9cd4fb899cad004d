"""Models that give a vector a token, as ColBERT does (Khattab & Zaharia 2020, arXiv:2004.12832).

What they read differs from a text's tokens: a marker behind the first token tells queries from documents, a query is
filled up with mask tokens, whose vectors stand for terms that it does not name, and punctuation gives a document no
vectors. Settings as ColBERT (colbert-ai 0.2, `artifact.metadata`) and PyLate (1.6, `config_sentence_transformers.json`)
write them, with their defaults; a marker that the vocabulary lacks is Jina's.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from jina_components.core.late_interaction import pool_vectors
from jina_components.core.names import resolve_name
from jina_components.core.vectors import cut, normalize
from jina_components.errors import BackendError, ConfigError, InputError, ModelFilesError, TooLongError
from jina_components.models.layout import Layout, read_json
from jina_components.models.pending import Pending
from jina_components.models.runner import JobResult, ModelRunner
from jina_components.models.sequences import TokenSequence, split_rows
from jina_components.models.tokenize import TextTokenizer, load_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.models.embedding import Tasks
    from jina_components.models.picturing import ImageSide
    from jina_components.models.spec import ModelSpec
    from jina_components.types import FloatArray, Image

T = TypeVar("T", int, bool, str, list[str])
TokenVectors: TypeAlias = "tuple[list[FloatArray], int]"
"""The vectors of each text as the model gives them, and the number of tokens that ran."""

_METADATA, _PYLATE = "artifact.metadata", "config_sentence_transformers.json"
_JINA_MARKERS = ("[QueryMarker]", "[DocumentMarker]")
_MASKS = ("[MASK]", "<mask>")


def is_multi_vector(layout: Layout) -> bool:
    """Whether a folder is of a model that gives a vector a token: ColBERT's layout or PyLate's."""
    if layout.modules:
        settings = read_json(layout.folder / _PYLATE, default={})
        return [module.type for module in layout.modules[:2]] == ["Transformer", "Dense"] and (
            "query_length" in settings or settings.get("similarity_fn_name") == "MaxSim"
        )
    return (layout.config.get("architectures") or [""])[0] == "HF_ColBERT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a folder says of its queries and documents.

    Attributes:
        query_marker: Token behind the first of a query; empty for none.
        document_marker: Likewise of a document.
        query_length: Tokens of a query, markers included.
        document_length: Most tokens of a document, markers included.
        filled: Whether shorter queries are filled up with mask tokens.
        attended: Whether the other tokens see these.
        skipped: Tokens of a document that give no vector.
    """

    query_marker: str
    document_marker: str
    query_length: int
    document_length: int
    filled: bool
    attended: bool
    skipped: Sequence[str]


def read_settings(layout: Layout) -> Settings:
    """The settings of a folder that `is_multi_vector`.

    Raises:
        ModelFilesError: broken, or of another type than they should be.
    """
    path = layout.folder / (_PYLATE if layout.modules else _METADATA)
    values: dict[str, Any] = read_json(path, default={})

    def get(key: str, default: T) -> T:
        return _checked(path, values, key, default)

    if layout.modules:
        return Settings(
            query_marker=get("query_prefix", "[Q] "),
            document_marker=get("document_prefix", "[D] "),
            query_length=get("query_length", 32),
            document_length=get("document_length", 180),
            filled=get("do_query_expansion", True),
            attended=get("attend_to_expansion_tokens", False),
            skipped=get("skiplist_words", list(string.punctuation)),
        )
    return Settings(
        query_marker=get("query_token_id", "[unused0]"),
        document_marker=get("doc_token_id", "[unused1]"),
        query_length=get("query_maxlen", 32),
        document_length=get("doc_maxlen", 220),
        filled=True,
        attended=get("attend_to_mask_tokens", False),
        skipped=list(string.punctuation) if get("mask_punctuation", True) else [],
    )


def _checked(path: Path, values: Mapping[str, Any], key: str, default: T) -> T:
    value = default if values.get(key) is None else values[key]
    if type(value) is not type(default):
        raise ModelFilesError(f"{path}: {key} must be of type {type(default).__name__}, got {value!r}.")
    return value


class MultiVectorTokenizer:
    """Texts into what such a model reads, and which of its tokens give vectors.

    Attributes:
        query: Tokenizes queries, within their length less the marker.
        document: Likewise documents.

    Args:
        tokenizer: Of the model, without a limit.
        settings: Of the folder.
        ids: Of tokens by their spelling; None for one that the vocabulary lacks.
        context: Most tokens of a document, marker included.
        mask: The mask token's spelling.

    Raises:
        ModelFilesError: the vocabulary lacks a marker or the mask token.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        settings: Settings,
        ids: Callable[[str], int | None],
        *,
        context: int,
        mask: str,
    ) -> None:
        self._whole = tokenizer
        markers = zip((settings.query_marker, settings.document_marker), _JINA_MARKERS, strict=True)
        self._query_marker, self._document_marker = (_marker(ids, *names) for names in markers)
        self._length = settings.query_length
        self._attended = settings.attended
        self._mask = _first(ids, (mask, *_MASKS)) if settings.filled else None
        self._skipped = np.array([number for word in settings.skipped if (number := ids(word)) is not None], np.int32)
        self.query = _limited(tokenizer, settings.query_length - len(self._query_marker))
        self.document = _limited(tokenizer, context - len(self._document_marker))

    def queries(
        self, texts: Sequence[str], *, indices: Sequence[int] | None = None, truncate: bool = False
    ) -> list[TokenSequence]:
        """Queries; arguments and errors as `TextTokenizer.texts`, but that the limit is the queries'."""
        indices = range(len(texts)) if indices is None else indices
        sequences = self._whole.texts(texts, indices=indices)
        most = self.query.context or 0
        if any(len(sequence) > most for sequence in sequences):
            if not truncate:
                place = next(place for place, sequence in enumerate(sequences) if len(sequence) > most)
                raise TooLongError(
                    f"inputs[{indices[place]}] has {len(sequences[place])} tokens, more than the {most} of a query of "
                    "this model: shorten it, or pass truncate=True to keep its head.",
                    indices[place],
                )
            sequences = self.query.texts(texts, indices=indices, truncate=True)
        return [self.as_query(sequence) for sequence in sequences]

    def documents(
        self, texts: Sequence[str], *, indices: Sequence[int] | None = None, truncate: bool = False
    ) -> list[TokenSequence]:
        """Documents; arguments and errors as `TextTokenizer.texts`."""
        sequences = self.document.texts(texts, indices=indices, truncate=truncate)
        return [self.as_document(sequence) for sequence in sequences]

    def sequences(
        self, texts: Sequence[str], *, indices: Sequence[int], task: str, truncate: bool
    ) -> list[TokenSequence]:
        """Queries or documents, by their task; as `Sequencer`."""
        sides = {"retrieval.query": self.queries, "retrieval.passage": self.documents}
        return resolve_name(sides, task, what="task")(texts, indices=indices, truncate=truncate)

    def chunks(
        self, texts: Sequence[str], *, truncate: bool = False, max_length: int | None = None
    ) -> list[list[TokenSequence]]:
        """Documents as their chunks; arguments as `TextTokenizer.chunks`."""
        chunks = self.document.chunks(texts, truncate=truncate, max_length=max_length)
        return [[self.as_document(part) for part in parts] for parts in chunks]

    def as_query(self, sequence: TokenSequence) -> TokenSequence:
        """What `query` gives, with its marker, and filled up; each token gives a vector."""
        ids = _marked(sequence.ids, self._query_marker)
        seen = len(ids)
        if self._mask is not None:
            ids = np.concatenate([ids, np.full(max(0, self._length - seen), self._mask, np.int32)])
        return TokenSequence(ids, spans=_each(np.arange(len(ids))), seen=None if self._attended else seen)

    def as_document(self, sequence: TokenSequence) -> TokenSequence:
        """What `document` gives, with its marker; each token gives a vector that is not to be skipped."""
        ids = _marked(sequence.ids, self._document_marker)
        return TokenSequence(ids, spans=_each(np.flatnonzero(~np.isin(ids, self._skipped))))


def read_tokenizer(layout: Layout, spec: ModelSpec | None, *, context: int | None) -> MultiVectorTokenizer:
    """The tokenizer of a folder that `is_multi_vector`.

    Args:
        layout: The folder.
        spec: Of the catalog, whose context is a document's most tokens; None for the folder's own setting.
        context: Most tokens that the encoder takes, or None.

    Raises:
        ModelFilesError: a file is missing or broken, or asks for what does not run here.
    """
    settings = read_settings(layout)
    folder, config = layout.transformer.folder, layout.transformer.config
    parsed = load_tokenizer(folder / "tokenizer.json")
    mask = read_json(folder / "tokenizer_config.json", default={}).get("mask_token") or ""
    tokenizer = TextTokenizer(parsed, context=None, lowercase=bool(config.get("do_lower_case")), segments=False)
    length = settings.document_length if spec is None else spec.context
    return MultiVectorTokenizer(
        tokenizer,
        settings,
        parsed.token_to_id,
        context=length if context is None else min(length, context),
        mask=mask if isinstance(mask, str) else str(mask.get("content")),
    )


def _marker(ids: Callable[[str], int | None], name: str, by_jina: str) -> NDArray[np.int32]:
    """The marker's id, or nothing for a model that has none."""
    return np.array([_first(ids, (name, by_jina))] if name else [], np.int32)


def _first(ids: Callable[[str], int | None], names: Sequence[str]) -> int:
    found = (number for name in names if (number := ids(name)) is not None)
    number = next(found, None)
    if number is None:
        raise ModelFilesError(f"The tokenizer has none of the tokens {', '.join(map(repr, names))}.")
    return number


def _limited(tokenizer: TextTokenizer, context: int) -> TextTokenizer:
    limited = copy(tokenizer)
    limited.limit(context)
    return limited


def _marked(ids: NDArray[np.int32], marker: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.concatenate([ids[:1], marker, ids[1:]])


def _each(places: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Spans of one token."""
    return np.stack([places, places + 1], axis=1).astype(np.int32)


class Sequencer(Protocol):
    """Makes the sequences of texts, of which each span gives a vector."""

    def __call__(
        self, texts: Sequence[str], *, indices: Sequence[int], task: str, truncate: bool
    ) -> list[TokenSequence]:
        """`indices` are those of the caller's list, for errors.

        Raises:
            InputError: a text that the model does not take.
            UnknownNameError: no such task.
        """
        ...


def every_token(tokenizer: TextTokenizer, tasks: Tasks) -> Sequencer:
    """Texts after the prompt of their task, whose tokens give a vector each, the prompt's too (jina-embeddings-v4)."""

    def make(texts: Sequence[str], *, indices: Sequence[int], task: str, truncate: bool) -> list[TokenSequence]:
        adapter = tasks.adapter(task)
        plain = tokenizer.texts(texts, indices=indices, prompt=tasks.prompt(task), adapter=adapter, truncate=truncate)
        return [TokenSequence(one.ids, adapter=adapter, spans=_each(np.arange(len(one)))) for one in plain]

    return make


@dataclass(frozen=True, slots=True)
class MultiVectorModel:
    """A model in this process that gives a vector a token.

    Attributes:
        name: As the caller gave it.
        runner: Its owner thread.
        widths: Dimensions that its vectors may have, largest first.
        context: Longest document in tokens, its marker not counted; None for no limit.
        sequences: Of texts.
        images: What embeds images, or None.
        adapter: Number of the adapter for a task.
    """

    name: str
    runner: ModelRunner
    widths: tuple[int, ...]
    context: int | None
    sequences: Sequencer
    images: ImageSide | None = None
    adapter: Callable[[str], int] = field(default=lambda task: -1)

    @property
    def width(self) -> int:
        """Dimensions of the vectors."""
        return self.runner.width

    def check_dimensions(self, dimensions: int | None) -> int:
        """`dimensions`, or all for None.

        Raises:
            InputError: none of those that the model was trained for.
        """
        if dimensions is not None and dimensions not in self.widths:
            allowed = ", ".join(map(str, self.widths))
            raise InputError(f"dimensions must be one of {allowed} for {self.name!r}, got {dimensions!r}.")
        return dimensions or self.widths[0]

    def submit(
        self,
        texts: Sequence[str],
        indices: Sequence[int],
        *,
        task: str,
        truncate: bool,
        on_progress: Callable[[int], object],
    ) -> Pending[TokenVectors]:
        """Tokenize here and now, and queue the rest; raises as `Sequencer`."""
        sequences = self.sequences(texts, indices=indices, task=task, truncate=truncate)
        return Pending(
            self.runner.submit(sequences, on_progress=on_progress), partial(_token_vectors, sequences, indices)
        )

    def submit_images(
        self, images: Sequence[Image], indices: Sequence[int], *, task: str, on_progress: Callable[[int], object]
    ) -> Pending[TokenVectors]:
        """Fetch and decode in the background, and queue.

        Raises:
            ConfigError: it takes texts alone.
        """
        if self.images is None:
            raise ConfigError(f"{self.name!r} takes texts alone; jina-embeddings-v4 is one that takes images too.")
        return self.images.submit_tokens(images, indices, adapter=self.adapter(task), on_progress=on_progress)

    def close(self) -> None:
        """Connections for images; what else is held is memory, which goes with the object."""
        if self.images is not None:
            self.images.close()


def _token_vectors(sequences: Sequence[TokenSequence], indices: Sequence[int], result: JobResult) -> TokenVectors:
    if result.errors:
        position = min(result.errors, key=lambda position: indices[position])
        error = result.errors[position]
        raise BackendError(f"inputs[{indices[position]}]: {error.message}") from error
    return split_rows(result.rows, sequences), sum(map(len, sequences))


def shaped(vectors: FloatArray, dimensions: int, pool_factor: int) -> FloatArray:
    """A text's vectors cut to `dimensions`, at unit length, and merged to 1 / `pool_factor` of their number."""
    return pool_vectors(normalize(cut(vectors, dimensions)), pool_factor)
