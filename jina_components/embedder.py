"""Embedder: texts into vectors."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jina_components.core.component import Component
from jina_components.core.inputs import check_query, check_texts
from jina_components.core.names import resolve_name
from jina_components.core.vectors import check_dimensions, cut, normalize
from jina_components.errors import ConfigError
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.models.loading import LoadedModel, LoadOptions, load_embedding_model
from jina_components.models.runner import ModelRunner, TokenSequence
from jina_components.types import Embeddings, Usage

if TYPE_CHECKING:
    from tqdm import tqdm

    from jina_components.types import FloatArray

# Names under which models keep the prompt of a task, in order of preference.
TASKS: dict[str, tuple[str, ...]] = {
    "retrieval.query": ("retrieval.query", "query"),
    "retrieval.passage": ("retrieval.passage", "document", "passage", "corpus"),
    "text-matching": ("text-matching", "sts"),
    "classification": ("classification",),
    "separation": ("separation", "clustering"),
}


class Embedder(Component):
    """Turns texts into vectors of one space.

    Thread-safe; concurrent calls are merged into one forward pass. Nothing is loaded before the first
    call or `load()`. Pickles as its settings.

    Args:
        model: Catalog name, folder (sentence-transformers layout or token table) or hub id.
        backend: `auto`, `static` or `torch` (needs `jina-components[torch]`).
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
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
        dimensions: int | None = None,
        truncate: bool = False,
        revision: str | None = None,
        offline: bool = False,
        token_budget: int | None = None,
    ) -> None:
        if dimensions is not None and (not isinstance(dimensions, int) or dimensions < 1):
            raise ConfigError(f"dimensions must be a positive integer, got {dimensions!r}.")
        self._options = LoadOptions(
            backend=backend, device=device, revision=revision, offline=offline, token_budget=token_budget
        )
        self._model_name = os.fspath(model)
        self._dimensions = dimensions
        self._truncate = truncate
        self._loaded: LoadedModel | None = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The model as given."""
        return self._model_name

    @property
    def dimensions(self) -> int:
        """Width of the vectors; loads the model."""
        return check_dimensions(self._dimensions, self.load().runner.width)

    @property
    def context(self) -> int | None:
        """Longest text in tokens, or None without a limit; loads the model."""
        return self.load().tokenizer.context

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
        work = self._prepare(texts, task, dimensions, truncate)
        with _progress(len(work.sequences), show=show_progress) as bar:
            rows = work.runner.run(work.sequences, on_progress=bar.update)
        return work.finish(rows, normalized=normalized)

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
        work = await asyncio.to_thread(self._prepare, texts, task, dimensions, truncate)
        with _progress(len(work.sequences), show=show_progress) as bar:
            rows = await work.runner.arun(work.sequences, on_progress=bar.update)
        return work.finish(rows, normalized=normalized)

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

    def load(self) -> LoadedModel:
        """Load the model now rather than at the first call."""
        with self._loading:
            if self._loaded is None:
                self._loaded = load_embedding_model(self._model_name, self._options)
            return self._loaded

    def close(self) -> None:
        """Give the model's memory back; the next call loads it again."""
        with self._loading:
            self._loaded = None

    def __repr__(self) -> str:
        return f"Embedder({self._model_name!r})"

    def _prepare(self, texts: Sequence[str], task: str | None, dimensions: int | None, truncate: bool | None) -> _Work:
        """All that can be refused is refused here, before the model runs."""
        check_texts(texts, what="texts")
        names = () if task is None else resolve_name(TASKS, task, what="task")
        loaded = self.load()
        width = check_dimensions(self._dimensions if dimensions is None else dimensions, loaded.runner.width)
        prompt = next((loaded.prompts[name] or "" for name in names if name in loaded.prompts), "")
        sequences = loaded.tokenizer.texts(
            texts,
            prompt=loaded.default_prompt if task is None else prompt,
            truncate=self._truncate if truncate is None else truncate,
        )
        return _Work(loaded.runner, sequences, width)


class _Work(NamedTuple):
    runner: ModelRunner
    sequences: Sequence[TokenSequence]
    width: int

    def finish(self, rows: FloatArray, *, normalized: bool) -> Embeddings:
        vectors = cut(rows, self.width)
        tokens = sum(len(sequence) for sequence in self.sequences)
        return Embeddings(normalize(vectors) if normalized else vectors, Usage(tokens))


def _progress(total: int, *, show: bool) -> tqdm[Any]:
    from tqdm.auto import tqdm

    return tqdm(total=total, desc="Embedding", unit="text", disable=not show)
