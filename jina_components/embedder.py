"""Embedder: texts into vectors."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.component import Component
from jina_components.core.flow import Flow, adrive, drive
from jina_components.core.inputs import as_list, check_query, check_texts
from jina_components.core.vectors import check_dimensions, cut, normalize
from jina_components.embedding_cache import CacheKey, EmbeddingCache
from jina_components.errors import ConfigError
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.models.embedding import TASKS as TASKS
from jina_components.models.embedding import Embedded, EmbeddingModel
from jina_components.models.endpoint import Endpoint
from jina_components.models.loading import LoadOptions, load_embedding_model
from jina_components.models.pending import Pending
from jina_components.types import Embeddings, Usage

if TYPE_CHECKING:
    from tqdm import tqdm

    from jina_components.types import FloatArray

# Texts tokenized at a time: the next are tokenized while the model runs these, and no more are held than _AHEAD lots.
_WINDOW, _AHEAD = 1024, 2


class Embedder(Component):
    """Turns texts into vectors of one space.

    Thread-safe; concurrent calls are merged into one forward pass. Nothing is loaded before the first
    call or `load()`. Pickles as its settings.

    Args:
        model: Catalog name, folder (sentence-transformers layout or token table) or hub id.
        backend: `auto`, `static`, `torch` (needs `jina-components[torch]`), `onnx` (needs `jina-components[torch,onnx]`
            to export a model that ships no graphs) or `http`. `auto` takes `http` when there is an endpoint, `static`
            for a token table, `onnx` for a folder that ships graphs, where they run on the device and in the precision
            asked for (`auto` or `cpu`; `auto`, `float32` or `int8`), else `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes the CPU for a token table and in onnx; in torch
            CUDA, then MPS, then the CPU.
        precision: `auto`, `float32`, `bfloat16`, `float16` or `int8`. `auto` takes float32 for a token table, int8 for
            shipped graphs and float32 for exported ones; in torch float16 on a GPU, bfloat16 on a CPU with
            instructions for it (AVX512-BF16, AMX), else float32. The README says what each costs in fidelity.
        endpoint: A server that runs the model.
        cache: Keeps vectors on disk, so that a text is embedded once, and a bulk job that was interrupted goes on
            where it stopped. A folder, or an `EmbeddingCache`. A server that runs another model under the same
            name cannot be told apart: clear the cache then.
        dimensions: Keep this many leading components of each vector (Matryoshka); None keeps all.
        truncate: Cut texts to the model's context instead of raising.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub.
        token_budget: Tokens a forward pass may hold; None for the backend's own.

    Raises:
        UnknownNameError: unknown backend.
        ConfigError: a setting out of range.

    Example:
        >>> embedder = Embedder()
        >>> vectors = embedder.embed_documents(["The sea is calm.", "Stocks fell."])
        >>> int((vectors @ embedder.embed_query("quiet ocean")).argmax())
        0
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_EMBEDDER,
        *,
        backend: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        endpoint: Endpoint | None = None,
        cache: str | os.PathLike[str] | EmbeddingCache | None = None,
        dimensions: int | None = None,
        truncate: bool = False,
        revision: str | None = None,
        offline: bool = False,
        token_budget: int | None = None,
    ) -> None:
        if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
            raise ConfigError(f"dimensions must be a positive integer, got {dimensions!r}.")
        self._options = LoadOptions(
            backend=backend,
            device=device,
            precision=precision,
            endpoint=endpoint,
            revision=revision,
            offline=offline,
            token_budget=token_budget,
        )
        self._model_name = os.fspath(model)
        self._dimensions = dimensions
        self._truncate = truncate
        self._cache = cache if cache is None or isinstance(cache, EmbeddingCache) else EmbeddingCache(cache)
        self._loaded: EmbeddingModel | None = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The model as given."""
        return self._model_name

    @property
    def dimensions(self) -> int:
        """Width of the vectors; loads the model, and asks a server that has not answered yet for one vector."""
        return check_dimensions(self._dimensions, self.load().width)

    @property
    def context(self) -> int | None:
        """Longest text in tokens, or None without a limit that is known here; loads the model."""
        return self.load().context

    def embed(
        self,
        texts: Sequence[str],
        *,
        task: str | None = None,
        dimensions: int | None = None,
        normalized: bool = True,
        truncate: bool | None = None,
        show_progress: bool = False,
    ) -> Embeddings:
        """Vectors of texts, with usage; zeros for a text of which the model knows no token.

        Args:
            texts: The texts; an empty list gives an array of shape [0, dimensions].
            task: `retrieval.query`, `retrieval.passage`, `text-matching`, `classification` or `separation`:
                puts the prompt before each text that the model was trained with, if it has one.
                None uses the model's default prompt.
            dimensions: Overrides the constructor's.
            normalized: Unit length; False gives the model's raw vectors.
            truncate: Overrides the constructor's.
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: a bare string, a blank text, or one over the context (`.index` names it); or more
                dimensions than the model has.
            UnknownNameError: unknown task or model.
            ModelFilesError, MissingDependencyError: the model cannot be loaded.
            BackendError: the model failed.
        """
        with _progress(len(as_list(texts, what="texts")), show=show_progress) as bar:
            return drive(self._flow(texts, task, dimensions, truncate, normalized=normalized, advance=bar.update))

    async def aembed(
        self,
        texts: Sequence[str],
        *,
        task: str | None = None,
        dimensions: int | None = None,
        normalized: bool = True,
        truncate: bool | None = None,
        show_progress: bool = False,
    ) -> Embeddings:
        """`embed` without blocking the event loop; cancelling stops the model before its next batch."""
        with _progress(len(as_list(texts, what="texts")), show=show_progress) as bar:
            flow = self._flow(texts, task, dimensions, truncate, normalized=normalized, advance=bar.update)
            return await adrive(flow)

    def embed_query(self, text: str) -> FloatArray:
        """Unit vector of a query, shape [dimensions]; raises what `embed` raises."""
        return self.embed([check_query(text, what="text")], task="retrieval.query").vectors[0]

    async def aembed_query(self, text: str) -> FloatArray:
        """`embed_query` without blocking the event loop."""
        return (await self.aembed([check_query(text, what="text")], task="retrieval.query")).vectors[0]

    def embed_documents(self, texts: Sequence[str], *, show_progress: bool = False) -> FloatArray:
        """Unit vectors of documents, shape [len(texts), dimensions]; raises what `embed` raises."""
        return self.embed(texts, task="retrieval.passage", show_progress=show_progress).vectors

    async def aembed_documents(self, texts: Sequence[str], *, show_progress: bool = False) -> FloatArray:
        """`embed_documents` without blocking the event loop."""
        return (await self.aembed(texts, task="retrieval.passage", show_progress=show_progress)).vectors

    def load(self) -> EmbeddingModel:
        """Load the model now rather than at the first call."""
        with self._loading:
            if self._loaded is None:
                self._loaded = load_embedding_model(self._model_name, self._options, identify=self._cache is not None)
            return self._loaded

    def close(self) -> None:
        """Give memory, connections and the cache's file back; the next call opens them again."""
        with self._loading:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.close()
        if self._cache is not None:
            self._cache.close()

    def __repr__(self) -> str:
        return f"Embedder({self._model_name!r})"

    def _flow(
        self,
        texts: Sequence[str],
        task: str | None,
        dimensions: int | None,
        truncate: bool | None,
        *,
        normalized: bool,
        advance: Callable[[int], object],
    ) -> Flow[Embeddings]:
        check_texts(texts, what="texts")
        model: EmbeddingModel = yield self.load
        prompt = model.prompt(task)
        truncate = self._truncate if truncate is None else truncate
        rows = _Rows(len(texts), self._dimensions if dimensions is None else dimensions)
        if model.known_width is not None:
            rows.allocate(model.known_width)
        elif self._cache is not None or not texts:  # else the first vectors tell the width, since asking costs
            rows.allocate((yield lambda: model.width))
        missing: Sequence[int] = range(len(texts))
        store = None
        if self._cache is not None:
            full = rows.array.shape[1]
            key = CacheKey(*model.identity, task or "", full, normalized=False, prompt=prompt, truncate=truncate)
            missing = _fill(rows.array, (yield partial(self._cache.get_many, key, texts)))
            advance(len(texts) - len(missing))
            store = partial(self._cache.put_many, key)
        submit = partial(model.submit, task=task, truncate=truncate, on_progress=advance)
        windows = _windows(texts, missing, by_length=model.by_length)
        tokens = yield from _run(texts, windows, rows, submit, store)
        vectors = cut(rows.array, rows.dimensions)
        return Embeddings(normalize(vectors) if normalized else vectors, Usage(tokens))


class _Rows:
    """Vectors by the index of their text, in an array that is made when their width is known."""

    def __init__(self, count: int, dimensions: int | None) -> None:
        self.dimensions = dimensions
        self.array: FloatArray = np.zeros((count, 0), np.float32)

    def allocate(self, width: int) -> None:
        """Make the array, unless it is there; InputError where more dimensions are wanted than it has."""
        if not self.array.shape[1]:
            check_dimensions(self.dimensions, width)
            self.array = np.zeros((len(self.array), width), np.float32)

    def __setitem__(self, indices: Sequence[int], vectors: FloatArray) -> None:
        self.allocate(vectors.shape[1])
        self.array[indices] = vectors

    def __getitem__(self, indices: Sequence[int]) -> FloatArray:
        return self.array[indices]


def _run(
    texts: Sequence[str],
    windows: Sequence[Sequence[int]],
    rows: _Rows,
    submit: Callable[[Sequence[str], Sequence[int]], Pending[Embedded]],
    store: Callable[[Sequence[str], FloatArray], None] | None,
) -> Flow[int]:
    """Embed the texts of the windows into their rows, and count the tokens."""
    tokens = 0
    running: deque[tuple[Sequence[int], Pending[Embedded]]] = deque()
    waiting = deque(windows)
    try:
        while waiting or running:
            if waiting and len(running) < _AHEAD:
                window = waiting.popleft()
                running.append((window, (yield partial(submit, [texts[index] for index in window], window))))
                continue
            window, pending = running[0]
            rows[window], ran = pending.finish((yield pending.future))
            running.popleft()
            tokens += ran
            if store is not None:
                yield partial(store, [texts[index] for index in window], rows[window])
    finally:
        for _, pending in running:
            pending.cancel()
    return tokens


def _fill(rows: FloatArray, found: Sequence[FloatArray | None]) -> list[int]:
    """Put the vectors that were found into their rows; the indices of the others."""
    missing = []
    for index, vector in enumerate(found):
        if vector is None:
            missing.append(index)
        else:
            rows[index] = vector
    return missing


def _windows(texts: Sequence[str], indices: Sequence[int], *, by_length: bool) -> list[Sequence[int]]:
    """Indices in lots, the longest texts first, so that the lengths of a pass are near each other."""
    if by_length and len(indices) > _WINDOW:
        indices = sorted(indices, key=lambda index: -len(texts[index]))
    return [indices[start : start + _WINDOW] for start in range(0, len(indices), _WINDOW)]


def _progress(total: int, *, show: bool) -> tqdm[Any]:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="Embedding", unit="text", disable=not show)
