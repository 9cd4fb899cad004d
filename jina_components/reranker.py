"""Reranker: documents in the order of their relevance to a query."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from jina_components.core.component import Component
from jina_components.core.inputs import as_documents, check_count, check_query
from jina_components.core.vectors import top_indices
from jina_components.errors import InputError
from jina_components.models.catalog import BY_NAME, DEFAULT_RERANKER
from jina_components.models.loading import LoadOptions, load_cross_encoder, load_maxsim
from jina_components.types import Document, Ranking, ScoredDocument, Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray


class _Scorer(Protocol):
    """Raw scores of documents (any monotone scale) and the tokens they cost."""

    def score(self, query: str, texts: Sequence[str], *, truncate: bool) -> tuple[FloatArray, int]: ...

    def scale(self, raw: FloatArray) -> NDArray[np.floating[Any]]: ...


class Reranker(Component):
    """Scores each document against the query and sorts.

    The offline default is exact late interaction over the bundled token vectors: untrained, so it orders
    by soft word overlap, and a stand-in until a trained cross-encoder is passed. Scores of cross-encoders
    are the sigmoid of the logit, 0 to 1.

    Thread-safe; nothing is loaded before the first call or `load()`. Pickles as its settings.

    Args:
        model: Catalog name, folder of a sequence-classification checkpoint with one label, or hub id.
        backend: `auto`, `static` or `torch` (needs `jina-components[torch]`).
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub.
        token_budget: Tokens a forward pass may hold; None for the backend's own.

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
        revision: str | None = None,
        offline: bool = False,
        token_budget: int | None = None,
    ) -> None:
        self._model_name = os.fspath(model)
        self._options = LoadOptions(
            backend=backend, device=device, revision=revision, offline=offline, token_budget=token_budget
        )
        self._scorer: _Scorer | None = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The model as given."""
        return self._model_name

    def rerank(
        self,
        query: str,
        documents: Sequence[str | Document],
        *,
        top_n: int | None = None,
        truncate: bool = False,
    ) -> Ranking:
        """The documents, best first; equal scores keep their order.

        Args:
            query: What is asked.
            documents: Candidates; an empty list gives an empty ranking.
            top_n: Return this many; None for all.
            truncate: Cut pairs to the model's context instead of raising.

        Raises:
            InputError: an empty query, a bare string, a blank item, or one over the context; `.index`
                names it.
            UnknownNameError, ModelFilesError, MissingDependencyError: the model cannot be loaded.
            BackendError: the model failed.
        """
        check_query(query)
        if top_n is not None:
            check_count(top_n, what="top_n")
        candidates = as_documents(documents, what="documents")
        if not candidates:
            return Ranking()
        scorer = self.load()
        raw, tokens = scorer.score(query, [document.text for document in candidates], truncate=truncate)
        scores = scorer.scale(raw)
        best = top_indices(raw, min(top_n or len(raw), len(raw)))
        results = tuple(ScoredDocument(candidates[i], float(scores[i]), int(i)) for i in best)
        return Ranking(results, Usage(tokens))

    async def arerank(
        self,
        query: str,
        documents: Sequence[str | Document],
        *,
        top_n: int | None = None,
        truncate: bool = False,
    ) -> Ranking:
        """`rerank` without blocking the event loop."""
        return await asyncio.to_thread(self.rerank, query, documents, top_n=top_n, truncate=truncate)

    def load(self) -> _Scorer:
        """Load the model now rather than at the first call."""
        with self._loading:
            if self._scorer is None:
                spec = BY_NAME.get(self._model_name)
                kind = _LateInteraction if spec is not None and spec.kind == "late-interaction" else _CrossEncoder
                self._scorer = kind(self._model_name, self._options)
            return self._scorer

    def close(self) -> None:
        """Give the model's memory back; the next call loads it again."""
        with self._loading:
            self._scorer = None

    def __repr__(self) -> str:
        return f"Reranker({self._model_name!r})"


class _CrossEncoder:
    def __init__(self, name: str, options: LoadOptions) -> None:
        self._model = load_cross_encoder(name, options)

    def score(self, query: str, texts: Sequence[str], *, truncate: bool) -> tuple[FloatArray, int]:
        pairs = self._model.tokenizer.pairs(query, texts, truncate=truncate)
        # Equal pairs run once: in two rows of a batch their scores could differ by a rounding, and not tie.
        distinct = {pair.ids.tobytes(): pair for pair in pairs}
        rows = self._model.runner.run(list(distinct.values()))[:, 0]
        scores = dict(zip(distinct, rows, strict=True))
        raw = np.array([scores[pair.ids.tobytes()] for pair in pairs], np.float32)
        return raw, sum(len(pair) for pair in pairs)

    def scale(self, raw: FloatArray) -> NDArray[np.floating[Any]]:
        # The sigmoid, in float64, where that of a confident logit does not saturate so soon into ties.
        scores: NDArray[np.float64] = np.exp(-np.logaddexp(0, -raw.astype(np.float64)))
        return scores


class _LateInteraction:
    def __init__(self, name: str, options: LoadOptions) -> None:
        self._tokenizer, self._maxsim = load_maxsim(name, options)

    def score(self, query: str, texts: Sequence[str], *, truncate: bool) -> tuple[FloatArray, int]:
        try:
            [question] = self._tokenizer.texts([query], truncate=truncate)
        except InputError as error:
            raise InputError(f"The query does not fit: {error}") from error
        documents = self._tokenizer.texts(texts, truncate=truncate)
        tokens = len(question) * len(documents) + sum(len(document) for document in documents)
        return self._maxsim.score(question, documents), tokens

    def scale(self, raw: FloatArray) -> NDArray[np.floating[Any]]:
        return raw
