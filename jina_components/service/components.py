"""The components behind the routes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache, partial

from jina_components.classifier import Classifier, ClassifierRegistry
from jina_components.deep_search import DeepSearchAgent
from jina_components.embedder import Embedder
from jina_components.entailment import EntailmentScorer
from jina_components.grounder import Grounder
from jina_components.models.catalog import BY_NAME
from jina_components.models.tokenizers import Tokenizer
from jina_components.net import Fetcher, ResponseCache, URLGuard
from jina_components.protocols import ChatModel, Store
from jina_components.read_options import ReadOptions
from jina_components.reader import Reader
from jina_components.reranker import Reranker
from jina_components.retriever import Retriever
from jina_components.retriever.stores.faiss import FaissStore
from jina_components.search_options import SearchOptions
from jina_components.segmenter import Segmenter
from jina_components.service.failures import Failures
from jina_components.service.models import Models, embeds, reranks
from jina_components.service.names import plain_name
from jina_components.service.settings import ServiceSettings
from jina_components.types import Page
from jina_components.web_search import ArxivSearch, LocalIndex, SearchProvider, WebSearch

logger = logging.getLogger(__name__)

# Collection of pages read, in a server of Milvus.
_PAGES = "jina_components_pages"
# Pages that wait until they are put into the index together.
_INDEXED_TOGETHER = 64


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
    def failures(self) -> Failures:
        """Of pages that the Reader was asked for."""
        return Failures()

    @cached_property
    def reader(self) -> Reader:
        """Reads pages."""
        return Reader(fetcher=self.fetcher, captioner=self._captioner, extractor=self.chat, tokenizer="cl100k_base")

    @cached_property
    def pages(self) -> LocalIndex:
        """Pages read before, which `/s/` finds again."""
        return LocalIndex(Retriever(self.embedder, store=self._page_store()), Segmenter())

    def _page_store(self) -> Store:
        if not self.settings.pages_url:
            return FaissStore(self.settings.data / "pages")
        from jina_components.retriever.stores.milvus import MilvusStore

        return MilvusStore(self.settings.pages_url, collection=_PAGES)

    @cached_property
    def search(self) -> WebSearch:
        """Searches the web, or pages read before, and reads what is found."""
        return WebSearch([self.pages] if self._providers is None else self._providers, reader=self.reader)

    @property
    def searches_web(self) -> bool:
        """Whether the operator named whom to ask; else there are pages read before alone."""
        return self._providers is not None

    @property
    def finds_images(self) -> bool:
        """Whether one of those whom the operator named finds images."""
        return any("images" in provider.capabilities.kinds for provider in self._providers or ())

    @cached_property
    def page_search(self) -> WebSearch:
        """Searches pages read before, whatever else there is."""
        return WebSearch(self.pages)

    async def remember(self, pages: Sequence[Page], how: ReadOptions) -> None:
        """Let `/s/` find these pages from now on, if anybody may: they are public, and were to leave a trace.

        Args:
            pages: Pages of URLs.
            how: How they were read; what is not the whole main content is not kept either.
        """
        if not self.settings.read_pages or not how.is_memorable:
            return
        # One with a warning may be an error page, a wall before a page, or half of it.
        self.pages.remember(page for page in pages if not page.warnings)
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
        how, plain = self.settings, plain_name(name)
        spec = BY_NAME.get(how.aliases.get(plain) or how.stand_ins.get(plain) or plain)
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
        for name in ("search", "pages", "reader", "entailment", "classifiers", "embedder", "reranker"):
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
