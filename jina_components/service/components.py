"""The components behind the routes: each model once, loaded when it is asked for, given back when nobody does."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from jina_components.classifier import ClassifierRegistry
from jina_components.deep_search import DeepSearchAgent
from jina_components.embedder import Embedder
from jina_components.entailment import EntailmentScorer
from jina_components.errors import UnknownNameError
from jina_components.grounder import Grounder
from jina_components.models.catalog import BY_NAME
from jina_components.models.spec import ModelKind, ModelSpec
from jina_components.net import Fetcher, ResponseCache, URLGuard
from jina_components.protocols import ChatModel
from jina_components.reader import Reader
from jina_components.reranker import Reranker
from jina_components.retriever import Retriever
from jina_components.service.settings import ServiceSettings
from jina_components.web_search import LocalIndex, SearchProvider, WebSearch

logger = logging.getLogger(__name__)

Model = TypeVar("Model", Embedder, Reranker)

EMBEDS: tuple[ModelKind, ...] = ("embedding", "late-interaction")
RERANKS: tuple[ModelKind, ...] = ("cross-encoder", "late-interaction", "listwise", "blend", "embedding")


@dataclass(slots=True)
class _Held(Generic[Model]):
    """A model in memory, or ready to be."""

    model: Model
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)


class Models(Generic[Model]):
    """Models of one kind by the name that clients know them by. Thread-safe.

    Args:
        settings: Those of the service.
        make: Makes one, by catalog name, folder or hub id; loads nothing yet.
        kinds: Kinds of the catalog that will do.
    """

    def __init__(self, settings: ServiceSettings, make: Callable[[str], Model], kinds: Sequence[ModelKind]) -> None:
        self._settings = settings
        self._make: Callable[[str], Model] = make
        self._kinds = kinds
        self._held: dict[str, _Held[Model]] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """What clients may ask for."""
        known = [*self._settings.aliases, *(spec.name for spec in BY_NAME.values() if spec.kind in self._kinds)]
        return [name for name in dict.fromkeys(known) if not self._settings.only or name in self._settings.only]

    def spec(self, name: str) -> ModelSpec | None:
        """The catalog's row of what answers to a name; None for a folder or hub id that it does not know."""
        return BY_NAME.get(self.target(name))

    def target(self, name: str) -> str:
        """What answers to a name.

        Raises:
            UnknownNameError: nothing does.
        """
        plain = name.removeprefix("jina-ai/")
        if self._settings.only and plain not in self._settings.only:
            raise UnknownNameError(f"Model {name!r} is not served here; {self._served()}")
        if plain in self._settings.aliases:
            return self._settings.aliases[plain]
        spec = BY_NAME.get(plain)
        if spec is None or spec.kind not in self._kinds:
            raise UnknownNameError(f"Model {name!r} is not known here for this; {self._served()}")
        return spec.name

    @contextmanager
    def use(self, name: str) -> Iterator[Model]:
        """The model of this name, which stays in memory at least for the length of the block.

        Raises:
            UnknownNameError: there is none.
        """
        target = self.target(name)
        with self._lock:
            held = self._held.get(target)
            if held is None:
                held = self._held[target] = _Held(self._make(target))
            held.users += 1
        try:
            yield held.model
        finally:
            with self._lock:
                held.users -= 1
                held.used_at = time.monotonic()

    def offload(self, idle_seconds: float) -> list[str]:
        """Close what nobody used for so long; the next use loads it again."""
        before = time.monotonic() - idle_seconds
        with self._lock:
            idle = [name for name, held in self._held.items() if not held.users and held.used_at <= before]
            for name in idle:
                self._held.pop(name).model.close()  # those who kept it may still call it: it loads again
        return idle

    def close(self) -> None:
        """Close all."""
        with self._lock:
            held, self._held = [*self._held.values()], {}
        for each in held:
            each.model.close()

    def _served(self) -> str:
        names = self.names
        return f"GET /v1/models lists those that are, such as {', '.join(names[:3])}."


class Components:
    """The components of a service, made from its settings. Nothing is loaded or opened before it is asked for.

    Args:
        settings: Those of the service.
        chat: Chat model of deep search, which also extracts what the Reader is asked for; None for rules.
        captioner: Describes images for the Reader.
        providers: Whom `/s/`, `/g/` and deep search ask; None for the pages read here before.
        retriever: Documents of one's own, for `/g/` and deep search.
        fetcher: Fetches URLs of clients and stays open; None for one by the settings.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        chat: ChatModel | None = None,
        captioner: ChatModel | None = None,
        providers: Sequence[SearchProvider] | None = None,
        retriever: Retriever | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        self.settings = settings
        self.chat = chat
        self.retriever = retriever
        self._captioner = captioner
        self._providers = providers
        self._given_fetcher = fetcher
        self.embedders: Models[Embedder] = Models(settings, self._make_embedder, EMBEDS)
        self.rerankers: Models[Reranker] = Models(settings, self._make_reranker, RERANKS)

    @cached_property
    def fetcher(self) -> Fetcher:
        """Fetches URLs of clients, through the guard."""
        if self._given_fetcher is not None:
            return self._given_fetcher
        cache = ResponseCache(self.settings.data / "fetched", tolerance=self.settings.cache_tolerance)
        return Fetcher(guard=URLGuard(allow_networks=self.settings.allow_networks), cache=cache)

    @cached_property
    def reader(self) -> Reader:
        """Reads pages."""
        return Reader(fetcher=self.fetcher, captioner=self._captioner, extractor=self.chat)

    @cached_property
    def pages(self) -> LocalIndex:
        """Pages read before, which `/s/` finds again."""
        return LocalIndex.from_defaults(self.settings.data / "pages")

    @cached_property
    def search(self) -> WebSearch:
        """Searches the web, or pages read before, and reads what is found."""
        return WebSearch([self.pages] if self._providers is None else self._providers, reader=self.reader)

    @cached_property
    def embedder(self) -> Embedder:
        """Of the service itself."""
        return Embedder(self.settings.embedder, truncate=True, offline=self.settings.offline)

    @cached_property
    def reranker(self) -> Reranker:
        """Of the service itself."""
        return Reranker(self.settings.reranker, offline=self.settings.offline)

    @cached_property
    def grounder(self) -> Grounder:
        """Checks statements: against the retriever's documents where no provider was named, else against the web."""
        return Grounder(
            self.retriever if self.retriever is not None and self._providers is None else self.search,
            entailment=EntailmentScorer(),
            reranker=self.reranker,
            reader=self.reader,
        )

    @cached_property
    def agent(self) -> DeepSearchAgent:
        """Searches deeply, in the retriever's documents and the web."""
        own = [] if self.retriever is None else [self.retriever]
        web = [self.search] if self._providers is not None or not own else []
        return DeepSearchAgent(
            [*own, *web],
            reader=self.reader,
            reranker=self.reranker,
            embedder=self.embedder,
            grounder=Grounder(entailment=EntailmentScorer(), reranker=self.reranker) if self.chat else None,
            chat=self.chat,
        )

    @cached_property
    def classifiers(self) -> ClassifierRegistry:
        """Trained classifiers of all users."""
        return ClassifierRegistry(self.settings.data / "classifiers", self.training_embedder)

    def training_embedder(self, name: str) -> Embedder:
        """The embedder that classifiers of a model learn with.

        Raises:
            UnknownNameError: there is no such model.
        """
        with self.embedders.use(name) as embedder:
            return embedder

    def warm_up(self) -> None:
        """Load what the settings name; raises what loading raises."""
        for name in self.settings.warm_up:
            models: Models[Embedder] | Models[Reranker] = (
                self.rerankers if BY_NAME.get(name) and BY_NAME[name].kind not in EMBEDS else self.embedders
            )
            with models.use(name) as model:
                model.load()

    async def watch_idle(self) -> None:
        """Give memory of idle models back, until cancelled."""
        idle = self.settings.idle_seconds
        if idle is None:
            return
        while True:
            await asyncio.sleep(max(min(idle / 4, 30.0), 0.05))
            for models in (self.embedders, self.rerankers):
                for name in await asyncio.to_thread(models.offload, idle):
                    logger.info("Model %s was not asked for in %g seconds: its memory is given back.", name, idle)

    async def aclose(self) -> None:
        """Close all that was opened."""
        made = vars(self)
        for name in ("agent", "grounder", "search", "pages", "reader", "classifiers", "embedder", "reranker"):
            if name in made:
                await asyncio.to_thread(made[name].close)
        await asyncio.to_thread(self.embedders.close)
        await asyncio.to_thread(self.rerankers.close)
        if self._given_fetcher is None and "fetcher" in made:
            await self.fetcher.aclose()

    def _make_embedder(self, name: str) -> Embedder:
        how = self.settings
        return Embedder(
            name,
            backend=how.backend,
            device=how.device,
            precision=how.precision,
            offline=how.offline,
            fetcher=self.fetcher,
        )

    def _make_reranker(self, name: str) -> Reranker:
        how = self.settings
        return Reranker(
            name,
            backend=how.backend,
            device=how.device,
            precision=how.precision,
            offline=how.offline,
            fetcher=self.fetcher,
        )
