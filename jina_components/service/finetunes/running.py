"""The fine-tuning jobs of a service as a whole: kept, worked on, and their models found."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Self

from jina_components.errors import MissingDependencyError
from jina_components.service.calls import OWNER
from jina_components.service.components import Components
from jina_components.service.database import Database
from jina_components.service.finetunes.store import FineTuneStore
from jina_components.service.finetunes.worker import FineTuneWorker
from jina_components.service.metrics import Metrics
from jina_components.service.stepping import Background

_NEEDED = ("sentence_transformers", "datasets", "accelerate")


class FineTunes(Background):
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
        super().__init__(self.store.open, self.worker.run)
        for models in (components.embedders, components.rerankers):
            models.fitted = self._fitted

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            MissingDependencyError: what fits models is not installed.
        """
        if any(find_spec(name) is None for name in _NEEDED):
            raise MissingDependencyError("Fine-tuning needs more: pip install 'jina-components[train]'.")
        return await super().__aenter__()

    def _fitted(self, name: str) -> tuple[str, str] | None:
        """Of a model fitted for whoever asks: what it was fitted from, and its folder."""
        found = self.store.model(name, OWNER.get())
        return None if found is None else (found[0], str(found[1]))
