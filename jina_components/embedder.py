"""Embedder: texts and images into vectors."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from jina_components.core.component import Component
from jina_components.core.flow import Flow, adrive, drive
from jina_components.core.inputs import MixedInputs, as_list, check_count, check_query
from jina_components.core.progress import Bar, progress_bar
from jina_components.core.vectors import check_dimensions, cut, normalize
from jina_components.embedding_cache import CacheKey, EmbeddingCache
from jina_components.errors import ConfigError, InputError
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.models.embedding import TASKS as TASKS
from jina_components.models.embedding import EmbeddingModel, LocalModel
from jina_components.models.endpoint import Endpoint
from jina_components.models.files import find_spec
from jina_components.models.loading import LoadOptions, load_embedding_model
from jina_components.models.multi_vector import MultiVectorModel
from jina_components.models.windows import IMAGE_WINDOW, TOKEN_WINDOW, Rows, TokenRows, fill, run_windows, windows_of
from jina_components.types import Embeddings, Image, MultiVectorEmbeddings, Usage

if TYPE_CHECKING:
    from jina_components.net import Fetcher
    from jina_components.types import FloatArray


class Embedder(Component):
    """Turns texts, and images by models that see, into vectors of one space.

    Thread-safe; concurrent calls are merged into one forward pass. Nothing is loaded before the first
    call or `load()`. Pickles as its settings.

    Args:
        model: Catalog name, folder (sentence-transformers layout, token table or ColBERT checkpoint) or hub id.
        backend: `auto`, `static`, `torch` (needs `jina-components[torch]`), `onnx` (needs `jina-components[torch,onnx]`
            to export a model that ships no graphs) or `http`. `auto` takes `http` when there is an endpoint, `static`
            for a token table, `onnx` for a folder that ships graphs, where they run on the device and in the precision
            asked for (`auto` or `cpu`; `auto`, `float32` or `int8`), else `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes the CPU for a token table and in onnx; in torch
            CUDA, then MPS, then the CPU.
        precision: `auto`, `float32`, `bfloat16`, `float16` or `int8`. `auto` takes float32 for a token table, int8 for
            shipped graphs and float32 for exported ones; in torch float16 on a GPU (bfloat16 for Qwen and
            EuroBERT), bfloat16 on a CPU with instructions for it (AVX512-BF16, AMX), else float32. The
            documentation ("Numbers") says what each costs in fidelity.
        endpoint: A server that runs the model.
        cache: Keeps vectors on disk, so that a text is embedded once, and a bulk job that was interrupted goes on
            where it stopped. A folder, or an `EmbeddingCache`. A server that runs another model under the same
            name cannot be told apart: clear the cache then.
        dimensions: Keep this many leading components of each vector (Matryoshka); None keeps all.
        truncate: Cut texts to the model's context instead of raising.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub.
        token_budget: Tokens a forward pass may hold; None for the backend's own.
        fetcher: Fetches URLs of images (up to 20 MB each) and stays open; None for one that reaches public addresses.

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
        fetcher: Fetcher | None = None,
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
            fetcher=fetcher,
        )
        self._model_name = os.fspath(model)
        self._dimensions = dimensions
        self._truncate = truncate
        self._cache = cache if cache is None or isinstance(cache, EmbeddingCache) else EmbeddingCache(cache)
        self._loaded: EmbeddingModel | MultiVectorModel | None = None
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
        inputs: Sequence[str | Image],
        *,
        task: str | None = None,
        dimensions: int | None = None,
        normalized: bool = True,
        truncate: bool | None = None,
        late_chunking: bool = False,
        show_progress: bool = False,
    ) -> Embeddings:
        """Vectors of texts and images, with usage; zeros for a text of which the model knows no token.

        Args:
            inputs: Texts, and images for a model that takes them; an empty list gives an array of shape
                [0, dimensions]. Images come from files, bytes, Pillow, `data:` URIs or URLs, which are fetched through
                the guard; they count as the model's tiles in usage and are left out of the cache.
            task: `retrieval.query`, `retrieval.passage`, `text-matching`, `classification`, `separation`, or one of
                the model's own (`jina-components models --json` lists them): puts the prompt before each text and
                takes the adapter that the model was trained with, if it has them. None uses the model's default.
            dimensions: Overrides the constructor's.
            normalized: Unit length; False gives the model's raw vectors.
            truncate: Overrides the constructor's.
            late_chunking: The texts are consecutive chunks of one document, and all of it: they run together, and
                each one's vector is the mean over its own tokens (Günther et al. 2024, arXiv:2409.04701), so that it
                knows what stands around it. A document over the context runs in overlapping windows. One chunk gives
                the plain vector. Texts are put together as they are, blanks at their ends included. The cache is left
                out, since a vector depends on all texts. No images.
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: a bare string, a blank text, one over the context, or an image that cannot be read (`.index`
                names it); or more dimensions than the model has.
            WebError: an image cannot be fetched; `.index` names it.
            ConfigError: images with a model of texts; late chunking with one that does not pool by the mean, or runs
                as a graph or table.
            UnknownNameError: unknown task or model.
            ModelFilesError, MissingDependencyError: the model cannot be loaded.
            BackendError: the model failed.
        """
        with _progress(inputs, show=show_progress) as bar:
            flow = self._flow(
                inputs, task, dimensions, truncate,
                normalized=normalized, late_chunking=late_chunking, advance=bar.update,
            )  # fmt: skip
            return drive(flow)

    async def aembed(
        self,
        inputs: Sequence[str | Image],
        *,
        task: str | None = None,
        dimensions: int | None = None,
        normalized: bool = True,
        truncate: bool | None = None,
        late_chunking: bool = False,
        show_progress: bool = False,
    ) -> Embeddings:
        """`embed` without blocking the event loop; cancelling stops the model before its next batch."""
        with _progress(inputs, show=show_progress) as bar:
            flow = self._flow(
                inputs, task, dimensions, truncate,
                normalized=normalized, late_chunking=late_chunking, advance=bar.update,
            )  # fmt: skip
            return await adrive(flow)

    def embed_query(self, text: str | Image) -> FloatArray:
        """Unit vector of a query, a text or an image, shape [dimensions]; raises what `embed` raises."""
        return self.embed([_query(text)], task="retrieval.query").vectors[0]

    async def aembed_query(self, text: str | Image) -> FloatArray:
        """`embed_query` without blocking the event loop."""
        return (await self.aembed([_query(text)], task="retrieval.query")).vectors[0]

    def embed_documents(self, texts: Sequence[str | Image], *, show_progress: bool = False) -> FloatArray:
        """Unit vectors of documents, texts and images, shape [len(texts), dimensions]; raises what `embed` raises."""
        return self.embed(texts, task="retrieval.passage", show_progress=show_progress).vectors

    async def aembed_documents(self, texts: Sequence[str | Image], *, show_progress: bool = False) -> FloatArray:
        """`embed_documents` without blocking the event loop."""
        return (await self.aembed(texts, task="retrieval.passage", show_progress=show_progress)).vectors

    def embed_multi_vector(
        self,
        inputs: Sequence[str | Image],
        *,
        task: str = "retrieval.passage",
        dimensions: int | None = None,
        pool_factor: int = 1,
        truncate: bool | None = None,
        show_progress: bool = False,
    ) -> MultiVectorEmbeddings:
        """A unit vector for each token of texts, by a model that gives such (jina-colbert-v2), to compare by `max_sim`.

        Of ColBERT's kind, a query is filled up with mask tokens, whose vectors stand for what it does not name;
        punctuation of a document gives no vectors; markers do. Of jina-embeddings-v4 each token has one, those of the
        prompt too. The cache is left out: vectors of tokens take a hundred times the room.

        Args:
            inputs: Texts, and images for a model that takes them (jina-embeddings-v4).
            task: `retrieval.passage` for documents, or `retrieval.query`; with jina-embeddings-v4 any that it has.
            dimensions: One of the model's `token_dimensions` (128, 96 or 64 for jina-colbert-v2), which overrides the
                constructor's: that many leading components, at unit length again. Jina named a head for each of the
                three; the checkpoint's single one was trained for all (Matryoshka).
            pool_factor: Merge the vectors of a document to 1 / `pool_factor` of their number by clustering them
                (Clavié, Chaffin & Adams 2024, arXiv:2409.14683).
            truncate: Overrides the constructor's. A query is cut to the model's length for one (32 tokens).
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: a bare string, a blank text, one over the model's length, or an image that cannot be read
                (`.index` names it); dimensions that the model was not trained for; a pool factor for queries, or one
                that is not positive.
            WebError: an image cannot be fetched; `.index` names it.
            ConfigError: the model gives one vector a text, takes no images, or is behind an endpoint.
            UnknownNameError: unknown task or model.
            ModelFilesError, MissingDependencyError: the model cannot be loaded.
            BackendError: the model failed.
        """
        with _progress(inputs, show=show_progress) as bar:
            return drive(self._token_flow(inputs, task, dimensions, pool_factor, truncate, advance=bar.update))

    async def aembed_multi_vector(
        self,
        inputs: Sequence[str | Image],
        *,
        task: str = "retrieval.passage",
        dimensions: int | None = None,
        pool_factor: int = 1,
        truncate: bool | None = None,
        show_progress: bool = False,
    ) -> MultiVectorEmbeddings:
        """`embed_multi_vector` without blocking the event loop; cancelling stops the model before its next batch."""
        with _progress(inputs, show=show_progress) as bar:
            return await adrive(self._token_flow(inputs, task, dimensions, pool_factor, truncate, advance=bar.update))

    def load(self) -> EmbeddingModel | MultiVectorModel:
        """Load the model now rather than at the first call."""
        with self._loading:
            if self._loaded is None:
                self._loaded = load_embedding_model(self._model_name, self._options, identify=self._cache is not None)
            return self._loaded

    @property
    def loaded(self) -> EmbeddingModel | MultiVectorModel | None:
        """The model, or None before it is loaded; never waits."""
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
        inputs: Sequence[str | Image],
        task: str | None,
        dimensions: int | None,
        truncate: bool | None,
        *,
        normalized: bool,
        late_chunking: bool,
        advance: Callable[[int], object],
    ) -> Flow[Embeddings]:
        texts = MixedInputs(inputs, late_chunking=late_chunking)
        loaded = self._loaded
        model: EmbeddingModel = (yield self._load_single) if loaded is None else self._as_single(loaded)
        prompt = model.prompt(task)
        truncate = self._truncate if truncate is None else truncate
        rows = Rows(len(inputs), self._dimensions if dimensions is None else dimensions)
        if model.known_width is not None:
            rows.allocate(model.known_width)
        elif self._cache is not None or not inputs:  # else the first vectors tell the width, since asking costs
            rows.allocate((yield lambda: model.width))
        missing: Sequence[int] = texts.places
        keep = None
        if self._cache is not None and not late_chunking:
            full = rows.array.shape[1]
            key = CacheKey(*model.identity, task or "", full, normalized=False, prompt=prompt, truncate=truncate)
            found = yield partial(self._cache.get_many, key, texts.items)
            missing = fill(rows.array, texts.places, found)
            advance(len(texts.places) - len(missing))
            keep = partial(_store, self._cache, key, inputs, rows)
        submit = partial(model.submit, task=task, truncate=truncate, late_chunking=late_chunking, on_progress=advance)
        windows = [missing] if late_chunking and missing else windows_of(inputs, missing, by_length=model.by_length)
        tokens = yield from run_windows(inputs, windows, rows, submit, keep)
        show = partial(model.submit_images, task=task, on_progress=advance)
        pictures = windows_of(inputs, texts.images, by_length=False, size=IMAGE_WINDOW)
        seen = yield from run_windows(inputs, pictures, rows, show, None)
        vectors = cut(rows.array, rows.dimensions)
        return Embeddings(normalize(vectors) if normalized else vectors, Usage(tokens + seen, image_tokens=seen))

    def _token_flow(
        self,
        inputs: Sequence[str | Image],
        task: str,
        dimensions: int | None,
        pool_factor: int,
        truncate: bool | None,
        *,
        advance: Callable[[int], object],
    ) -> Flow[MultiVectorEmbeddings]:
        texts = MixedInputs(inputs, late_chunking=False)
        check_count(pool_factor, what="pool_factor")
        if task == "retrieval.query" and pool_factor > 1:
            raise InputError("pool_factor is for documents: the vectors of a query are its terms.")
        loaded = self._loaded
        model: MultiVectorModel = (yield self._load_multi_vector) if loaded is None else self._as_multi_vector(loaded)
        width = model.check_dimensions(self._dimensions if dimensions is None else dimensions)
        truncate = self._truncate if truncate is None else truncate
        rows = TokenRows(len(inputs), width, pool_factor)
        submit = partial(model.submit, task=task, truncate=truncate, on_progress=advance)
        windows = windows_of(inputs, texts.places, by_length=True, size=TOKEN_WINDOW)
        tokens = yield from run_windows(inputs, windows, rows, submit, rows.finish)
        show = partial(model.submit_images, task=task, on_progress=advance)
        pictures = windows_of(inputs, texts.images, by_length=False, size=IMAGE_WINDOW)
        seen = yield from run_windows(inputs, pictures, rows, show, rows.finish)
        return MultiVectorEmbeddings(tuple(rows.vectors), Usage(tokens + seen, image_tokens=seen))

    def _load_single(self) -> EmbeddingModel:
        # Where the name tells, nothing is to be fetched.
        return self._as_single(None if self._gives_tokens() is True else self.load())

    def _as_single(self, model: EmbeddingModel | MultiVectorModel | None) -> EmbeddingModel:
        if model is None or isinstance(model, MultiVectorModel):
            raise ConfigError(f"{self._model_name!r} gives a vector a token: call embed_multi_vector.")
        return model

    def _load_multi_vector(self) -> MultiVectorModel:
        return self._as_multi_vector(None if self._gives_tokens() is False else self.load())

    def _as_multi_vector(self, model: EmbeddingModel | MultiVectorModel | None) -> MultiVectorModel:
        if isinstance(model, MultiVectorModel):
            return model
        if isinstance(model, LocalModel) and model.tokens is not None:
            return model.tokens
        raise ConfigError(
            f"{self._model_name!r} gives no vectors of tokens here: call embed, or take a model that does, such as "
            "'jina-colbert-v2', without an endpoint."
        )

    def _gives_tokens(self) -> bool | None:
        """Whether the model gives a vector a token; None where only its folder can tell, or it gives both."""
        if self._options.endpoint is not None:
            return False
        spec = find_spec(self._model_name)
        if spec is None or (spec.kind == "embedding" and spec.token_dimensions):
            return None
        return spec.kind == "late-interaction" and bool(spec.token_dimensions)


def _query(text: str | Image) -> str | Image:
    return text if isinstance(text, Image) else check_query(text, what="text", images=True)


def _store(cache: EmbeddingCache, key: CacheKey, inputs: Sequence[Any], rows: Rows, window: Sequence[int]) -> None:
    cache.put_many(key, [inputs[index] for index in window], rows[window])


def _progress(inputs: Sequence[Any], *, show: bool) -> AbstractContextManager[Bar]:
    return progress_bar("Embedding", unit="text", total=len(as_list(inputs, what="inputs")), show=show)
