"""Reranker: documents in the order of their relevance to a query."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.component import Component
from jina_components.core.flow import Flow, adrive, drive
from jina_components.core.inputs import as_document, as_list, at_index, check_count, check_query
from jina_components.errors import BackendError, ConfigError, InputError, JinaComponentsError, WebError
from jina_components.models.blend import keeping
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.models.endpoint import Endpoint
from jina_components.models.loading import LoadOptions, load_scorer
from jina_components.models.pending import Pending
from jina_components.models.scoring import Limits, Scorer, Scores
from jina_components.models.tokenize import check_text
from jina_components.models.vision_scoring import ScoresImages
from jina_components.types import Document, DocumentFailure, Image, Ranking, ScoredDocument, Usage

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

    from jina_components.net import Fetcher

logger = logging.getLogger(__name__)


class Reranker(Component):
    """Scores each document against the query and sorts.

    The offline default sums the cosine of the bundled embedder, which knows what is meant, and late interaction over
    the bundled token vectors, which knows what is said; its score is the probability, at even odds, that a document
    answers rather than that it only looks like it.

    A cross-encoder orders documents by its float32 logits, a blend by a weighted sum of its parts' scores. The score
    they report is the sigmoid of that, 0 to 1, as a float64: strictly monotone in float32 logits from -700 to 23, but
    for those nearer to 0 than 1e-8, and never decreasing; where scores are equal and logits are not, the order still
    is that of the logits.

    A model that gives a vector a token (jina-colbert-v2) orders them by late interaction: for each of the query's 32
    tokens the best cosine with a token of the document, -1 to 1; the score is the mean over the query's tokens.

    A document that does not fit the model's context beside the query is cut into overlapping chunks (80
    tokens, or a quarter of a chunk if that is less), and scores what its best chunk does (MaxP, Dai & Callan
    2019). The context of the offline default is 512 tokens for query and document each.

    A listwise model (jina-reranker-v3) reads the query and all documents together, so that the documents see each
    other: its scores are cosines, -1 to 1, and depend on what a document is ranked with and on the order. What does not
    fit one pass runs in blocks (up to 125 documents and `token_budget` tokens: 8,192 on a CPU, 65,536 on a GPU), made
    comparable as published: every document is compared with the mean of the query's vectors of all blocks. Queries may
    have 512 tokens and documents 2,048, unless `max_query_length` or `max_document_length` say otherwise; a longer
    document counts by its best chunk as above. Special tokens within texts are removed.

    A document that cannot be scored, for what it is or because the model fails on it, is left out, listed in
    `Ranking.failures` and logged. When the model fails alike on every document, that is raised.

    Thread-safe; nothing is loaded before the first call or `load()`. Pickles as its settings.

    Args:
        model: Catalog name of any kind that scores, folder of a sequence-classification or ColBERT checkpoint, or hub
            id. Of a checkpoint with several labels the one named `relevance` is read.
        backend: `auto`, `static`, `torch` (needs `jina-components[torch]`), `onnx` (needs `jina-components[torch,onnx]`
            to export a model that ships no graphs) or `http`. `auto` takes `http` when there is an endpoint, `static`
            for a token table, `onnx` for a folder that ships graphs, where they run on the device and in the precision
            asked for (`auto` or `cpu`; `auto`, `float32` or `int8`), else `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes the CPU for a token table and in onnx; in torch
            CUDA, then MPS, then the CPU.
        precision: `auto`, `float32`, `bfloat16`, `float16` or `int8`; logits are float32 whatever it is. `auto` takes
            float32 for a token table, int8 for shipped graphs and float32 for exported ones; in torch float16 on a
            GPU (bfloat16 for Qwen), bfloat16 on a CPU with instructions for it, else float32.
        endpoint: A server that runs the model; its scores come as they are.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub.
        token_budget: Tokens a forward pass may hold; None for the backend's own.
        max_query_length: Cut the query to this many tokens of the model, special ones not counted. None
            for all of it, which must leave an eighth of a cross-encoder's context to the documents.
        max_document_length: Cut each document to this many tokens; None for all of it.
        strict: Raise for a document that cannot be scored.
        fetcher: Fetches URLs of images (up to 20 MB each) and stays open; None for one that reaches public addresses.

    Raises:
        ConfigError, UnknownNameError: a wrong setting.

    Example:
        >>> Reranker().rerank("capital of France", ["Bread is baked.", "Paris is France's capital."])[0].index
        1
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_RERANKER,
        *,
        backend: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        endpoint: Endpoint | None = None,
        revision: str | None = None,
        offline: bool = False,
        token_budget: int | None = None,
        max_query_length: int | None = None,
        max_document_length: int | None = None,
        strict: bool = False,
        fetcher: Fetcher | None = None,
    ) -> None:
        self._model_name = os.fspath(model)
        self._options = LoadOptions(
            backend=backend,
            device=device,
            precision=precision,
            endpoint=endpoint,
            revision=revision,
            offline=offline,
            token_budget=token_budget,
            fetcher=fetcher,
        )
        self._limits = Limits(
            _check_length(max_query_length, "max_query_length"),
            _check_length(max_document_length, "max_document_length"),
        )
        self._strict = strict
        self._scorer: Scorer | None = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The model as given."""
        return self._model_name

    def rerank(
        self,
        query: str | Image,
        documents: Sequence[str | Document | Image],
        *,
        top_n: int | None = None,
        truncate: bool = False,
        max_document_length: int | None = None,
    ) -> Ranking:
        """The documents, best first; equal scores keep their order.

        Args:
            query: What is asked: a text, or with a model that takes images (jina-reranker-m0) an `Image`.
            documents: Candidates, likewise; an empty list gives an empty ranking.
            top_n: Return this many; None for all.
            truncate: Score a document over the context by its head rather than its best chunk, and cut a query
                that leaves the documents too little of it instead of raising.
            max_document_length: Cut each document to this many tokens; None for the Reranker's own limit.

        Returns:
            The ranking; `index` is the position in `documents`. An image is a document without text, whose metadata
            says under `image` where it is (a path or URL), or what, with a digest of its content under `digest`.
            Documents without text, with invalid Unicode, of over 5,000,000 characters or of a wrong type, and images
            that cannot be read, or that the model does not take, are in `failures` with an InputError, images that
            cannot be fetched with a WebError, those on which a local model fails with a BackendError. `usage` counts
            the tokens that ran: query and document or chunk, equal ones once. Listwise models give `vectors`.

        Raises:
            InputError: an empty query, one that does not fit, or an image that cannot be read or that the model does
                not take; a bare string; a bad document if `strict`, `.index` names it.
            ConfigError: `max_document_length` is not positive, or the model is behind an endpoint.
            WebError: the query's image cannot be fetched.
            UnknownNameError, ModelFilesError, MissingDependencyError: the model cannot be loaded.
            BackendError: the model failed, on every document in the same way, or on one if `strict`.
        """
        return drive(self._flow(query, documents, top_n, max_document_length, truncate=truncate))

    async def arerank(
        self,
        query: str | Image,
        documents: Sequence[str | Document | Image],
        *,
        top_n: int | None = None,
        truncate: bool = False,
        max_document_length: int | None = None,
    ) -> Ranking:
        """`rerank` without blocking the event loop; cancelling stops the model before its next pass."""
        return await adrive(self._flow(query, documents, top_n, max_document_length, truncate=truncate))

    def _flow(
        self,
        query: str | Image,
        documents: Sequence[str | Document | Image],
        top_n: int | None,
        max_document_length: int | None,
        *,
        truncate: bool,
    ) -> Flow[Ranking]:
        if not isinstance(query, Image):
            check_text(check_query(query, images=True), "The query")
        if top_n is not None:
            check_count(top_n, what="top_n")
        _check_length(max_document_length, "max_document_length")
        candidates, failures = self._candidates(documents)
        if not candidates:
            return Ranking(failures=_report(failures))
        scorer = yield self.load
        if max_document_length is not None:
            scorer = keeping(scorer, max_document_length)
        submit = self._submission(scorer, query, candidates, failures, truncate=truncate)
        if not candidates:
            return Ranking(failures=_report(failures))
        pending = yield submit
        try:
            result = yield pending.future
            scores = yield partial(pending.finish, result)
        finally:
            pending.cancel()
        for row, index in enumerate(candidates):
            if np.isnan(scores.raw[row]):
                self._refuse(index, _unscored(index, scores.errors.get(row)), failures)
        ranked = _best_first([*candidates], scores.raw, scorer)[:top_n]
        results = yield partial(_results, candidates, ranked)
        vectors = None
        if scores.vectors is not None:
            rows = {index: row for row, index in enumerate(candidates)}
            vectors = scores.vectors[[rows[index] for index, _ in ranked]]
        return Ranking(results, Usage(scores.tokens), _report(failures), vectors)

    def _submission(
        self,
        scorer: Scorer,
        query: str | Image,
        candidates: dict[int, Document | Image],
        failures: dict[int, JinaComponentsError],
        *,
        truncate: bool,
    ) -> Callable[[], Pending[Scores]]:
        """The step that begins to score; leaves images out that the model does not take."""
        if isinstance(scorer, ScoresImages):
            items = [item if isinstance(item, Image) else item.text for item in candidates.values()]
            return partial(scorer.submit_mixed, query, items, truncate=truncate)
        takes = f"which {self._model_name!r} does not take: use one that does, such as jina-reranker-m0."
        if isinstance(query, Image):
            raise InputError(f"The query is an image, {takes}")
        for index in [index for index, item in candidates.items() if isinstance(item, Image)]:
            del candidates[index]
            self._refuse(index, InputError(f"documents[{index}] is an image, {takes}", index), failures)
        texts = [item.text for item in candidates.values() if isinstance(item, Document)]
        return partial(scorer.submit, query, texts, truncate=truncate)

    def load(self) -> Scorer:
        """Load the model now rather than at the first call."""
        with self._loading:
            if self._scorer is None:
                self._scorer = load_scorer(self._model_name, self._options, self._limits)
            return self._scorer

    def close(self) -> None:
        """Give memory and connections back; the next call opens them again."""
        with self._loading:
            scorer, self._scorer = self._scorer, None
        if scorer is not None:
            scorer.close()

    def __repr__(self) -> str:
        return f"Reranker({self._model_name!r})"

    def _candidates(
        self, documents: Sequence[str | Document | Image]
    ) -> tuple[dict[int, Document | Image], dict[int, JinaComponentsError]]:
        """Good documents, and what is wrong with the others, by index."""
        good: dict[int, Document | Image] = {}
        failures: dict[int, JinaComponentsError] = {}
        for index, item in enumerate(as_list(documents, what="documents")):
            if isinstance(item, Image):
                good[index] = item
                continue
            try:
                document = as_document(item, index, what="documents", images=True)
                check_text(document.text, f"documents[{index}]", index)
            except InputError as error:
                self._refuse(index, error, failures)
            else:
                good[index] = document
        return good, failures

    def _refuse(self, index: int, error: JinaComponentsError, failures: dict[int, JinaComponentsError]) -> None:
        if self._strict:
            raise error
        failures[index] = error


def _unscored(index: int, error: JinaComponentsError | None) -> JinaComponentsError:
    """Why a document has no score: the model's error, or no tokens."""
    if error is None:
        return InputError(f"documents[{index}] has no text the model's tokenizer keeps.", index)
    if isinstance(error, InputError | WebError):
        return at_index(error, index, what="documents")
    named = BackendError(f"documents[{index}]: {error.message}")
    named.__cause__ = error
    return named


def _results(
    candidates: Mapping[int, Document | Image], ranked: Sequence[tuple[int, float]]
) -> tuple[ScoredDocument, ...]:
    return tuple(ScoredDocument(_as_document(candidates[index]), score, index) for index, score in ranked)


def _as_document(item: Document | Image) -> Document:
    """An image is one without text that says where it is, or else what, with a digest by which it can be told."""
    if isinstance(item, Document):
        return item
    source = item.source
    if isinstance(source, os.PathLike) or (isinstance(source, str) and source[:5].lower() != "data:"):
        return Document("", metadata={"image": os.fsdecode(source)})
    return Document("", metadata={"image": repr(item), "digest": _digest(source)})


def _digest(source: str | bytes | PIL.Image.Image) -> str:
    """Of the bytes or data URI, or of the pixels and what they mean."""
    if isinstance(source, str):
        parts = [source.encode("utf-8", "surrogatepass")]
    elif isinstance(source, bytes):
        parts = [source]
    else:
        meaning = f"{source.mode} {source.size} {source.getpalette()}"
        parts = [meaning.encode(), source.tobytes()]
    return blake2b(b"".join(parts), digest_size=16).hexdigest()


def _best_first(indices: Sequence[int], raw: NDArray[Any], scorer: Scorer) -> list[tuple[int, float]]:
    """(index, score) by raw score; equal ones keep their order, NaN is left out."""
    kept = np.flatnonzero(~np.isnan(raw))
    order = kept[np.argsort(-raw[kept], kind="stable")]
    scores = scorer.scale(raw[order]).tolist()
    return [(indices[row], score) for row, score in zip(order, scores, strict=True)]


def _report(failures: dict[int, JinaComponentsError]) -> tuple[DocumentFailure, ...]:
    """The failures by index; logged, since a caller may look at the results alone."""
    if not failures:
        return ()
    ordered = tuple(DocumentFailure(index, failures[index]) for index in sorted(failures))
    more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
    logger.warning("not ranked: %s%s", ordered[0].error, more)
    return ordered


def _check_length(length: int | None, what: str) -> int | None:
    if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
        raise ConfigError(f"{what} must be a positive integer or None, got {length!r}.")
    return length
