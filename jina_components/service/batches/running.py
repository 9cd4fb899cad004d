"""The batches of a service as a whole: kept, fetched, worked on and told of."""

from __future__ import annotations

from jina_components.service.batches.files import BatchFiles
from jina_components.service.batches.store import BatchStore
from jina_components.service.batches.webhooks import Webhooks
from jina_components.service.batches.worker import BatchWorker
from jina_components.service.components import Components
from jina_components.service.database import Database
from jina_components.service.metrics import Metrics
from jina_components.service.stepping import Background


class Batches(Background):
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
        super().__init__(self.store.open, self.worker.run)
