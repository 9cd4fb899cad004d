"""The fine-tuning jobs of a service as a whole: kept, worked on, and their models found."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from jina_components.errors import MissingDependencyError
from jina_components.service.calls import OWNER
from jina_components.service.components import Components
from jina_components.service.database import Database
from jina_components.service.finetunes.store import FineTuneStore
from jina_components.service.finetunes.worker import FineTuneWorker
from jina_components.service.metrics import Metrics

_NEEDED = ("sentence_transformers", "datasets", "accelerate")


class FineTunes:
    """Fine-tuning jobs, worked on for as long as an `async with` block lasts; what is not done then waits.

    Args:
        components: Of the service, which find fitted models by their names from now on.
        database: Where jobs are charged.
        metrics: Where they are counted.

    Attributes:
        store: Keeps them.
        worker: Works on them.
    """

    def __init__(self, components: Components, database: Database, metrics: Metrics) -> None:
        self.store = FineTuneStore(components.settings.data / "finetunes")
        self.worker = FineTuneWorker(self.store, database, components.settings, metrics)
        self._working: asyncio.Task[None] | None = None
        for models in (components.embedders, components.rerankers):
            models.fitted = self._fitted

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            MissingDependencyError: what fits models is not installed.
        """
        if any(find_spec(name) is None for name in _NEEDED):
            raise MissingDependencyError("Fine-tuning needs more: pip install 'jina-components[train]'.")
        await asyncio.to_thread(self.store.open)
        self._working = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    def _fitted(self, name: str) -> tuple[str, str] | None:
        """Of a model fitted for whoever asks: what it was fitted from, and its folder."""
        found = self.store.model(name, OWNER.get())
        return None if found is None else (found[0], str(found[1]))
