"""FineTuner: a domain into an embedder that knows it, with proof."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.embedder import Embedder
from jina_components.errors import ConfigError
from jina_components.fine_tuner.compare import Comparison, Model, evaluate, reranks
from jina_components.fine_tuner.fit import FitResult, Progress, fit
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.sources import documents_of
from jina_components.fine_tuner.synthesize import SynthesisSettings, synthesize
from jina_components.fine_tuner.triplets import Triplets
from jina_components.models.files import find_files
from jina_components.models.layout import read_layout
from jina_components.protocols import ChatModel, SupportsEmbed, SupportsRead, SupportsRerank, SupportsSearch
from jina_components.reranker import Reranker
from jina_components.types import Document


class FineTuner(Component):
    """Makes a better embedder, or reranker, of a domain from its documents alone, and tells whether it is better.

    `synthesize` derives questions from documents, `fit` tunes a model with them, `evaluate` measures it beside the one
    it came from. Each writes what the next one reads, so that any of them can be left out: questions of your own users
    are the best there are.

    Works offline, on a CPU, with rules that ask what a text answers. A chat model asks better questions. Fitting needs
    `pip install 'jina-components[train]'`.

    Args:
        base: The model to tune: an embedder or a cross-encoder by its name, or its folder.
        chat: Writes the questions; None derives them by rules.
        reranker: Tells passages that answer a question from those that only look as if; None for the bundled one.
        reader: Reads URLs; None for none.
        search: Finds pages about a described domain; None for none.
        seed: Of everything that is drawn.

    Raises:
        ConfigError: a part cannot do what it is for.

    Example:
        >>> tuner = FineTuner()
        >>> triplets = tuner.synthesize(documents)
        >>> tuned = tuner.fit(triplets, "tuned")
        >>> print(tuner.evaluate("small-embedding-v1", tuned.path, triplets))
    """

    def __init__(
        self,
        base: str | Path = "small-embedding-v1",
        *,
        chat: ChatModel | None = None,
        reranker: SupportsRerank | None = None,
        reader: SupportsRead | None = None,
        search: SupportsSearch | None = None,
        seed: int = 0,
    ) -> None:
        parts: tuple[tuple[str, Any, Any], ...] = (
            ("chat", chat, ChatModel),
            ("reranker", reranker, SupportsRerank),
            ("reader", reader, SupportsRead),
            ("search", search, SupportsSearch),
        )
        for name, part, protocol in parts:
            if part is not None and (isinstance(part, type) or not isinstance(part, protocol)):
                raise ConfigError(f"{name} must be a {protocol.__name__}, got {part!r}.")
        self._base = str(base)
        self._chat = chat
        self._reranker = reranker
        self._reader = reader
        self._search = search
        self._seed = seed

    def __repr__(self) -> str:
        return f"FineTuner({self._base!r})"

    def synthesize(
        self,
        source: str | Sequence[str | Document],
        *,
        settings: SynthesisSettings | None = None,
        embedder: SupportsEmbed | None = None,
        work: str | Path | None = None,
        show_progress: bool = False,
    ) -> Triplets:
        """Questions about a domain, with the passages that answer them and passages that only look as if.

        Args:
            source: Documents; the URL of a page, whose site is read from there on; or a description of the domain,
                whose pages the search finds, or whose texts the chat model writes.
            settings: How many, how large …
            embedder: Finds negatives; None for the base, or for the bundled one where that is a token table or a
                reranker.
            work: Folder that keeps what a chat model wrote, so that an interrupted run does not pay twice.
            show_progress: Draw bars on stderr.

        Raises:
            ConfigError: the source needs a reader, a search or a chat model, and there is none.
            InputError: no document has text, or no question came of them.
            WebError: a page cannot be read, or the search failed.
            ChatError: the chat model failed on every passage.
            BackendError: a model failed.
        """
        return run_sync(
            self.asynthesize(source, settings=settings, embedder=embedder, work=work, show_progress=show_progress)
        )

    async def asynthesize(
        self,
        source: str | Sequence[str | Document],
        *,
        settings: SynthesisSettings | None = None,
        embedder: SupportsEmbed | None = None,
        work: str | Path | None = None,
        show_progress: bool = False,
    ) -> Triplets:
        """Like `synthesize`, for asynchronous code."""
        if isinstance(source, str):
            source = await documents_of(source, reader=self._reader, search=self._search, chat=self._chat)
        return await synthesize(
            source,
            embedder=embedder or self._embedder(),
            reranker=self._reranker or Reranker(),
            chat=self._chat,
            settings=settings or SynthesisSettings(),
            seed=self._seed,
            work=None if work is None else Path(work),
            show_progress=show_progress,
        )

    def fit(
        self,
        triplets: Triplets,
        to: str | Path,
        *,
        settings: FitSettings | None = None,
        device: str = "auto",
        progress: Progress | None = None,
        show_progress: bool = False,
        resume: bool = True,
    ) -> FitResult:
        """Tune the base; see `jina_components.fine_tuner.fit.fit`, whose arguments and errors these are."""
        return fit(
            self._base,
            triplets,
            to,
            settings=settings,
            seed=self._seed,
            device=device,
            progress=progress,
            show_progress=show_progress,
            resume=resume,
        )

    def evaluate(
        self,
        before: Model,
        after: Model,
        questions: JudgedQuestions | Triplets,
        *,
        elsewhere: JudgedQuestions | None = None,
        trained_on: Triplets | None = None,
        show_progress: bool = False,
    ) -> Comparison:
        """Measure two models beside each other; see `jina_components.fine_tuner.compare.evaluate`."""
        return evaluate(
            before,
            after,
            questions,
            elsewhere=elsewhere,
            trained_on=trained_on,
            seed=self._seed,
            show_progress=show_progress,
        )

    def _embedder(self) -> SupportsEmbed:
        weak = reranks(self._base) or read_layout(find_files(self._base).folder).is_static
        return Embedder(truncate=True) if weak else Embedder(self._base, truncate=True)
