"""The components behind the routes: each model once, loaded when it is asked for, given back when nobody does."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Generic, TypeVar

from opentelemetry import trace

from jina_components.classifier import Classifier, ClassifierRegistry
from jina_components.deep_search import DeepSearchAgent
from jina_components.embedder import Embedder
from jina_components.entailment import EntailmentScorer
from jina_components.errors import MissingDependencyError, ModelFilesError, UnknownNameError
from jina_components.grounder import Grounder
from jina_components.models.catalog import BY_NAME
from jina_components.models.spec import ModelKind, ModelSpec
from jina_components.models.tokenizers import Tokenizer
from jina_components.net import Fetcher, ResponseCache, URLGuard
from jina_components.protocols import ChatModel
from jina_components.read_options import ContentFormat, ReadOptions
from jina_components.reader import Reader
from jina_components.reranker import Reranker
from jina_components.retriever import Retriever
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.search_options import SearchOptions
from jina_components.segmenter import Segmenter
from jina_components.service.settings import ServiceSettings
from jina_components.types import Page
from jina_components.web_search import ArxivSearch, LocalIndex, SearchProvider, WebSearch

logger = logging.getLogger(__name__)

Model = TypeVar("Model", Embedder, Reranker)

_RERANKS: tuple[ModelKind, ...] = ("cross-encoder", "late-interaction", "listwise", "blend")

# Formats of pages that are searched in, and how many wait until they are put into the index together.
_SEARCHABLE: tuple[ContentFormat, ...] = ("content", "markdown", "text")
_INDEXED_TOGETHER = 64


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
        does: Whether a model of the catalog is of this kind.
    """

    def __init__(
        self, settings: ServiceSettings, make: Callable[[str], Model], does: Callable[[ModelSpec], bool]
    ) -> None:
        self._settings = settings
        self._make: Callable[[str], Model] = make
        self._does = does
        self._held: dict[str, _Held[Model]] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """What clients may ask for."""
        stand_ins = {**self._settings.stand_ins, **self._settings.aliases}
        known = [name for name, target in stand_ins.items() if self._may_be(target)]
        known += [spec.name for spec in BY_NAME.values() if self._does(spec)]
        return [name for name in dict.fromkeys(known) if not self._settings.only or name in self._settings.only]

    @property
    def held(self) -> list[str]:
        """Names of models in memory, or about to be; of folders and hub ids, their aliases."""
        aliases = {target: name for name, target in self._settings.aliases.items()}
        with self._lock:
            return [name if name in BY_NAME else aliases[name] for name in self._held]

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
        target = self._settings.aliases.get(plain) or self._settings.stand_ins.get(plain)
        if target is not None and self._may_be(target):
            return target
        spec = BY_NAME.get(plain)
        if spec is None or not self._does(spec):
            raise UnknownNameError(f"Model {name!r} is not known here for this; {self._served()}")
        return spec.name

    @contextmanager
    def use(self, name: str) -> Iterator[Model]:
        """The model of this name, which stays in memory at least for the length of the block.

        Raises:
            UnknownNameError: there is none, or what the block does with it shows that it cannot be loaded.
        """
        target = self.target(name)
        with self._lock:
            held = self._held.get(target)
            if held is None:
                held = self._held[target] = _Held(self._make(target))
            held.users += 1
        span = trace.get_tracer(__name__).start_span("model", attributes={"jina.model": target})
        try:
            yield held.model
        except (ModelFilesError, MissingDependencyError) as error:  # whose words are about this machine
            logger.warning("Model %s cannot be loaded: %s", target, error)
            raise UnknownNameError(
                f"Model {name!r} cannot be loaded here; the log of the service says why, and its option --alias lets "
                f"another model answer in its place. {self._served()}"
            ) from error
        finally:
            span.end()
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

    def _may_be(self, target: str) -> bool:
        """Whether what an alias leads to is of this kind, as far as the catalog knows it."""
        spec = BY_NAME.get(target)
        return spec is None or self._does(spec)

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
        self.embedders: Models[Embedder] = Models(settings, self._make_embedder, embeds)
        self.rerankers: Models[Reranker] = Models(settings, self._make_reranker, reranks)

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
        return Reader(
            fetcher=self.fetcher, captioner=self._captioner, extractor=self.chat, tokenizer="cl100k_base"
        )

    @cached_property
    def pages(self) -> LocalIndex:
        """Pages read before, which `/s/` finds again."""
        store = FaissStore(self.settings.data / "pages")
        return LocalIndex(Retriever(self.embedder, store=store), Segmenter())

    @cached_property
    def search(self) -> WebSearch:
        """Searches the web, or pages read before, and reads what is found."""
        return WebSearch([self.pages] if self._providers is None else self._providers, reader=self.reader)

    @property
    def searches_web(self) -> bool:
        """Whether the operator named whom to ask; else there are pages read before alone."""
        return self._providers is not None

    @cached_property
    def page_search(self) -> WebSearch:
        """Searches pages read before, whatever else there is."""
        return WebSearch(self.pages)

    async def remember(self, pages: Sequence[Page], how: ReadOptions) -> None:
        """Let `/s/` find these pages from now on, if anybody may: they are public, and were to leave a trace.

        Args:
            pages: Pages of URLs.
            how: How they were read; what is no text to search in is not kept either.
        """
        is_private = how.do_not_track or how.cookies or how.headers or how.proxy
        if not self.settings.read_pages or is_private or how.extracts or how.format not in _SEARCHABLE:
            return
        self.pages.remember(pages)
        if self.pages.num_waiting >= _INDEXED_TOGETHER:
            await asyncio.to_thread(self.pages.save)

    @cached_property
    def embedder(self) -> Embedder:
        """Of the service itself."""
        return Embedder(self.settings.embedder, truncate=True, offline=self.settings.offline)

    @cached_property
    def reranker(self) -> Reranker:
        """Of the service itself."""
        return Reranker(self.settings.reranker, offline=self.settings.offline)

    @cached_property
    def entailment(self) -> EntailmentScorer:
        """Judges evidence."""
        return EntailmentScorer(offline=self.settings.offline)

    def grounder(self, how: SearchOptions | None = None, *, max_pages: int = 10) -> Grounder:
        """Checks statements: against the retriever's documents where no provider was named, else against the web.

        Args:
            how: How to search and read for it; None for the defaults.
            max_pages: Pages to read for a claim.
        """
        return Grounder(
            self.retriever if self.retriever is not None and self._providers is None else self.search,
            entailment=self.entailment,
            reranker=self.reranker,
            reader=self.reader,
            search_options=how,
            max_pages=max_pages,
        )

    @cached_property
    def searches(self) -> dict[str, WebSearch]:
        """Searches that ask one provider alone, by its name: the operator's, and arXiv, which needs no setting up."""
        providers = (ArxivSearch(), *(self._providers or ()))
        return {provider.name: WebSearch(provider, reader=self.reader) for provider in providers}

    @cached_property
    def agent(self) -> DeepSearchAgent:
        """Searches deeply, in the retriever's documents and the web."""
        return self.agent_asking(self.search if self._providers is not None or self.retriever is None else None)

    def agent_asking(self, web: WebSearch | None) -> DeepSearchAgent:
        """The same, in the retriever's documents and by one search of the web."""
        return DeepSearchAgent(
            [source for source in (self.retriever, web) if source is not None],
            reader=self.reader,
            reranker=self.reranker,
            embedder=self.embedder,
            grounder=Grounder(entailment=self.entailment, reranker=self.reranker) if self.chat else None,
            chat=self.chat,
        )

    @cached_property
    def tokenizer(self) -> Callable[[str], Tokenizer]:
        """Tokenizers of the segmenter by name, each loaded when it is first asked for."""
        return lru_cache(partial(Tokenizer, offline=self.settings.offline))

    @cached_property
    def classifier(self) -> Callable[..., Classifier]:
        """Classifiers without training, of an embedder in use and other settings: those used last are kept, since they
        remember the vectors of labels.
        """  # noqa: D205 (one sentence)
        return lru_cache(maxsize=16)(Classifier)

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
            with self._kind_of(name).use(name) as model:
                model.load()

    def check_warm_up(self) -> None:
        """Whether there are such models as the settings name to be loaded.

        Raises:
            UnknownNameError: there is none of a name.
        """
        for name in self.settings.warm_up:
            self._kind_of(name).target(name)

    def _kind_of(self, name: str) -> Models[Embedder] | Models[Reranker]:
        how = self.settings
        spec = BY_NAME.get(how.aliases.get(name) or how.stand_ins.get(name) or name)
        return self.embedders if spec is None or embeds(spec) else self.rerankers

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
        for name in ("agent", "search", "pages", "reader", "entailment", "classifiers", "embedder", "reranker"):
            if name in made:
                await asyncio.to_thread(made[name].close)
        for search in made.get("searches", {}).values():
            await asyncio.to_thread(search.close)
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
            strict=True,
            fetcher=self.fetcher,
        )


def embeds(spec: ModelSpec) -> bool:
    """Whether a model gives vectors."""
    return spec.kind == "embedding" or (spec.kind == "late-interaction" and bool(spec.token_dimensions))


def reranks(spec: ModelSpec) -> bool:
    """Whether a model scores documents."""
    return spec.kind in _RERANKS
