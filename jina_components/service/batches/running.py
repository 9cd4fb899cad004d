"""The batches of a service as a whole: kept, fetched, worked on and told of."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from jina_components.service.batches.files import BatchFiles
from jina_components.service.batches.store import BatchStore
from jina_components.service.batches.webhooks import Webhooks
from jina_components.service.batches.worker import BatchWorker
from jina_components.service.components import Components
from jina_components.service.database import Database
from jina_components.service.metrics import Metrics


class Batches:
    """The batches of a service, worked on for as long as an `async with` block lasts; what is not done then waits.

    Args:
        components: Of the service.
        database: Keeps them.
        metrics: Where lines are counted that are done.

    Attributes:
        store: Keeps them.
        files: Fetches those that stand behind URLs.
        webhooks: Tells of their end.
        worker: Embeds.
    """

    def __init__(self, components: Components, database: Database, metrics: Metrics) -> None:
        self.store = BatchStore(database)
        self.files = BatchFiles(components)
        self.webhooks = Webhooks(self.store, components)
        self.worker = BatchWorker(self.store, components, self.webhooks, metrics)
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.store.open)
        self._working = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
